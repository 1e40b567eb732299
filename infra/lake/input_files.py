"""Finds the user's input files, checks them to the last row before anything is written, and reads their rows.

A file that cannot be read completely raises `BadInput`, which names the file, the row, the column and the way out. A
row whose question, response or answer is null is left to the caller, which quarantines it.
"""

import decimal
import hashlib
import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from infra.lake.file_errors import root_cause
from infra.lake.file_store import call_with_timeout
from infra.lake.store import Store
from schemas.errors import BadInput
from schemas.identity import fingerprint
from schemas.input import OPTIONAL_COLUMNS, Source, SourceFile, matches
from schemas.outcomes import Row
from schemas.reasoning import split_reasoning

TYPE_OF_PYTHON: dict[type, pa.DataType] = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
TYPE_OF_NAME = {str(kind): kind for kind in TYPE_OF_PYTHON.values()}

SEED_VERSION = 2
"""Part of every seed's key. Raise it when files are read in another way than before, so that they are seeded again."""

REASONING = "reasoning"
"""Name of the column of thoughts, in our tables and in the input."""
ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escaped surrogate. It may be half a character, e.g. at the end of a response that was cut off."""


def resolve_globs(source: Source) -> list[str]:
    """The files that `source` names, sorted.

    Raises `BadInput` for a path or glob that matches no file, and for names of columns that are of no file.
    """
    urls: list[str] = []
    for pattern in source.input:
        if not pattern.strip():
            raise BadInput(f"--input {pattern!r} is empty; give a path, a url or a glob")
        try:
            fs, path = fsspec.core.url_to_fs(pattern)
            kind = _path_type(fs, path)
            paths = [path] if kind == "file" else _match_files(fs, path)
        except Exception as error:  # every file system has errors of its own
            raise BadInput(f"{pattern}: cannot be reached: {root_cause(error)}; check the url and its keys") from error
        if kind == "directory":
            raise BadInput(f"{pattern}: is a folder; give its files, e.g. {pattern.rstrip('/')}/*.jsonl")
        if not paths:
            raise BadInput(f"{pattern}: no such file; give a path, a url or a glob of JSON Lines or Parquet files")
        urls += [fs.unstrip_protocol(f) if fs.protocol not in ("file", ("file", "local")) else f for f in paths]
    for pattern in source.columns.by_file:
        if not any(matches(url, pattern) for url in urls):
            raise BadInput(
                f"--columns names columns of {pattern!r}, which is none of the files; there are: "
                f"{', '.join(sorted(map(_end_of_path, set(urls))))}"
            )
    return sorted(set(urls))


def _path_type(fs: Any, path: str) -> str:
    """`file`, `directory`, or nothing."""
    try:
        return str(call_with_timeout(fs, "info", path)["type"])
    except FileNotFoundError as error:
        # Over HTTP fsspec reports every error as a missing file, even a missing server. The cause tells them apart.
        if (cause := error.__cause__) is not None and "http" in fs.protocol and getattr(cause, "status", 0) != 404:
            raise cause from None
        return ""


def _match_files(fs: Any, path: str) -> list[str]:
    if not set("*?[") & set(path):
        return []
    return [match for match, info in fs.glob(path, detail=True).items() if info["type"] == "file"]


def _end_of_path(url: str) -> str:
    """Folder and name of a file: corpora call their files `train.jsonl` and the like."""
    return "/".join(url.split("/")[-2:])


def check_file(url: str, source: Source) -> SourceFile:
    """Read `url` to its end. Raises `BadInput` for the first problem that makes it unusable."""
    required = source.columns.names_in(url)
    seen: dict[str, set[str]] = {}
    rows = 0
    for number, row in _read_file(url):
        rows += 1
        for name, value in row.items():
            seen.setdefault(name, set()).add(_type_name(value))
        for ours, theirs in required.items():
            _require_text(row.get(theirs), f"{url}: row {number}: column {theirs!r}", numbers=ours == "answer")
    if not rows:
        raise BadInput(f"{url}: holds no rows; give at least one")
    for ours, theirs in required.items():
        if theirs not in seen:
            raise BadInput(
                f"{url}: has no column {theirs!r}; name the column that holds it with --columns.{ours} NAME, or for "
                f"this file alone with --columns {_end_of_path(url)}:{ours}=NAME "
                f"(there are: {', '.join(sorted(seen))})"
            )
    renamed = source.columns.renamed_in(url)
    if missing := [theirs for theirs, ours in renamed.items() if ours in OPTIONAL_COLUMNS and theirs not in seen]:
        raise BadInput(
            f"{url}: has no column {missing[0]!r}, which --columns.{renamed[missing[0]]} names "
            f"(there are: {', '.join(sorted(seen))})"
        )
    kept = {name: kinds for name, kinds in seen.items() if name not in required.values()}
    types = {renamed.get(name, name): _promote(kinds) for name, kinds in kept.items()}
    return SourceFile(url=url, digest=_hash_file(url), rows=rows, types=types)


def check_once(store: Store, url: str, source: Source) -> SourceFile:
    """Like `check_file`, but the lake is asked first whether the same bytes were checked before, in the same way."""
    digest = _hash_file(url)
    if (checked := store.read_record(SourceFile, _checked_path(digest, url, source))) is not None:
        return checked.model_copy(update={"url": url})
    store.begin_work("check input")
    file = check_file(url, source)
    if file.digest != digest:
        raise _changed(url)
    return file


def remember_checked(store: Store, file: SourceFile, source: Source) -> None:
    """Keep in the lake what the check of a file has found. Called once its rows were read and nothing had changed."""
    path = _checked_path(file.digest, file.url, source)
    store.write(path, file.model_copy(update={"copy_number": 0}).model_dump_json().encode())


def _checked_path(digest: str, url: str, source: Source) -> str:
    """Path of what is known of a file. Its ending counts, because it names the format and the compression."""
    columns, ending = source.columns, url.rpartition("/")[2].partition(".")[2]
    key = fingerprint("check", SEED_VERSION, digest, ending, columns.names_in(url), columns.renamed_in(url))
    return f"inputs/{key}.json"


def merge_types(files: list[SourceFile]) -> dict[str, str]:
    """The types of the columns to keep, over all files. Raises `BadInput` if two files disagree."""
    merged: dict[str, str] = {}
    for file in files:
        for name, kind in file.types.items():
            other = merged.get(name, "null")
            if "null" in (kind, other):
                kind = other = kind if other == "null" else other
            numbers = {kind, other} == {"int64", "double"}
            if kind != other and not numbers:
                raise BadInput(
                    f"{file.url}: column {name!r} is {kind} here and {other} in another file; give both one type"
                )
            merged[name] = "double" if numbers else kind
    return {name: "string" if kind == "null" else kind for name, kind in sorted(merged.items())}


def number_copies(files: list[SourceFile]) -> list[SourceFile]:
    """The files with the number of equal files before each; equal files have equal rows, but the rows' ids differ."""
    return [
        file.model_copy(update={"copy_number": sum(other.digest == file.digest for other in files[:number])})
        for number, file in enumerate(files)
    ]


def read_rows(file: SourceFile, source: Source, types: dict[str, str]) -> Iterator[tuple[int, Row, Row]]:
    """Yield the row number, our own columns (three required ones and `reasoning`), and all others.

    The others have their names, except those that `columns` names for one of `OPTIONAL_COLUMNS`.

    `reasoning` is the input's column of that name, if it holds text, and the thought in the response, which is taken
    out of it. A thought that never ends stays in the response, so that a verifier can say so.
    `types` are the types of the other columns, from `merge_types`. Raises `BadInput` if the file has changed since it
    was checked, at the latest after the last row and so before anything is committed.
    """
    required = source.columns.names_in(file.url)
    theirs, rows, renamed = set(required.values()), 0, source.columns.renamed_in(file.url)
    given_reasoning = has_reasoning(types)
    for number, row in _read_file(file.url):
        rows += 1
        if not {renamed.get(name, name) for name in row.keys() - theirs} <= types.keys():
            raise _changed(file.url)
        ours = {
            o: _require_text(row.get(t), f"{file.url}: row {number}: column {t!r}", True) for o, t in required.items()
        }
        kept = {renamed.get(n, n): value for n, value in row.items() if n not in theirs}
        others = {n: _cast(value, types[n]) for n, value in kept.items()}
        yield number, _split_response(ours, others.pop(REASONING, None) if given_reasoning else None), others
    if rows != file.rows or _hash_file(file.url) != file.digest:
        raise _changed(file.url)


def _changed(url: str) -> BadInput:
    return BadInput(f"{url}: changed while it was read; run again when it is no longer written to")


def has_reasoning(types: dict[str, str]) -> bool:
    """Whether the input has a column of thoughts of its own, by the types of its other columns."""
    return types.get(REASONING) == "string"


def _split_response(ours: Row, given: str | None) -> Row:
    """Our columns with the thought in the response moved to `reasoning`, below the `given` one."""
    reasoning, text, closed = split_reasoning(ours["response"] or "")
    if text == (ours["response"] or "") or not closed:
        return ours | {REASONING: given}
    return ours | {"response": text, REASONING: "\n".join(filter(None, (given, reasoning))) or None}


def resolve_name_clashes(names: list[str], taken: list[str]) -> dict[str, str]:
    """New names for columns that would clash with one in `taken` (SQL ignores case): `verdict` becomes
    `input_verdict`."""
    used = {name.lower() for name in taken}
    renamed = {}
    for name in names:
        new_name = name
        while new_name.lower() in used:
            new_name = f"input_{new_name}"
        used.add(new_name.lower())
        renamed[name] = new_name
    return renamed


# -- formats ----------------------------------------------------------------------------------------------------------


def _read_file(url: str) -> Iterator[tuple[int, Row]]:
    """Yield the rows with their numbers, counted from 1. In JSON Lines it is the number of the line."""
    try:
        with fsspec.open(url, "rb", compression="infer") as file:
            start = file.read(4)
            file.seek(0)
            if url.endswith((".parquet", ".pq")) or start == b"PAR1":
                yield from _read_parquet(url, file)
            else:
                yield from _read_jsonl(url, file)
    except BadInput:
        raise
    except Exception as error:  # every file system, compression and column type has errors of its own
        raise BadInput(f"{url}: cannot be read: {root_cause(error)}; check that the file is complete") from error


def _read_parquet(url: str, file: BinaryIO) -> Iterator[tuple[int, Row]]:
    number = 0
    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except pa.ArrowException as error:
        what = str(error).splitlines()[0].rstrip(".")
        raise BadInput(f"{url}: is not readable Parquet after row {number}: {what}; write the file again") from error


def _read_jsonl(url: str, file: BinaryIO) -> Iterator[tuple[int, Row]]:
    # Buffered, because fsspec's remote files would read a whole block again for each line. Leaving it closes `file`.
    with io.BufferedReader(cast(io.RawIOBase, file), 1 << 20) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if not text.strip():
                    continue
                row = json.loads(text)
            except UnicodeDecodeError as error:
                raise BadInput(
                    f"{url}: row {number}: is not UTF-8 at byte {error.start}; save the file as UTF-8"
                ) from error
            except json.JSONDecodeError as error:
                what = f"{error.msg} at character {error.colno}"
                raise BadInput(f"{url}: row {number}: is not JSON: {what}; give one JSON object per line") from error
            except (ValueError, RecursionError) as error:  # e.g. an integer of 5,000 digits, or lists nested too deeply
                raise BadInput(f"{url}: row {number}: cannot be read: {root_cause(error)}; shorten it") from error
            if not isinstance(row, dict):
                raise BadInput(
                    f"{url}: row {number}: is not a JSON object but {type(row).__name__}; give one object per line"
                )
            yield number, _replace_lone_surrogates(row) if ESCAPED_SURROGATE.search(line) else row


def _replace_lone_surrogates(row: Row) -> Row:
    """Replace each half of a character in `row` by U+FFFD, because UTF-8, and so Parquet, cannot hold it."""
    text = json.dumps(row, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return cast(Row, json.loads(text))


def _hash_file(url: str) -> str:
    digest = hashlib.sha256()
    try:
        with fsspec.open(url, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except Exception as error:
        raise BadInput(f"{url}: cannot be read: {root_cause(error)}; check that the file is complete") from error
    return digest.hexdigest()


# -- values ----------------------------------------------------------------------------------------------------------


def _require_text(value: Any, place: str, numbers: bool) -> str | None:
    """A required value as text, or None. Raises `BadInput` unless it is a string (or a number, with `numbers`)."""
    if value is None or isinstance(value, str):
        return value
    if numbers and isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool):
        return str(value)
    expected = "a string or a number" if numbers else "a string"
    raise BadInput(f"{place} holds {type(value).__name__}, not {expected}; convert the column")


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    kind = TYPE_OF_PYTHON.get(type(value))
    if kind is None or (kind == pa.int64() and not -(2**63) <= value < 2**63):
        return "json"
    return str(kind)


def _promote(kinds: set[str]) -> str:
    """One type for all values of a column: `null` if all are null, `json` (text) if their types differ."""
    kinds = kinds - {"null"}
    if kinds == {"int64", "double"}:
        return "double"
    return "null" if not kinds else kinds.pop() if len(kinds) == 1 else "json"


def _cast(value: Any, kind: str) -> Any:
    if value is None or kind not in ("json", "double"):
        return value
    if kind == "double":
        return float(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
