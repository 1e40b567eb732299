"""The lake: immutable objects, receipts that commit them, and published datasets, on any fsspec url.

    objects/<sha256>.parquet            written first; named by their own bytes
    receipts/<step>/<key>.json          exclusive create, written second: this is the commit
    journal/<key>/...                   replies of a shard still being asked, appended to; removed after its receipt
    reports/<suite>/<key>.md            what a gate found
    reports/<name>/<version>.html       what there is to see of a published version
    runs/<run>/...                      who ran what, when, and how it ended
    pins/<run>/<dataset>                which published version a run compares its rows with
    datasets/<name>/<version>/...       parts, then manifest.json; a reader needs the manifest
    datasets/<name>/current/000001.json exclusive create; the highest number names the current version

Nothing is renamed, locked or overwritten, so a crash between any two writes leaves a lake that a rerun completes.
"""

import contextlib
import ctypes
import functools
import hashlib
import io
import os
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from schemas.errors import BadInput, QuestmillError
from schemas.receipts import Manifest, Part, Receipt

M_ARENA_MAX = -8
"""Of `mallopt` in glibc's malloc.h: number of heaps."""
pa.set_memory_pool(pa.system_memory_pool())  # as in `infra/__init__.py`, where Arrow was imported before that
with contextlib.suppress(AttributeError, OSError):  # glibc only; it too would keep a heap for each of many threads
    ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)

Record = TypeVar("Record", Receipt, Manifest)

NO_LISTINGS_CACHE: dict[str, Any] = {"use_listings_cache": False}
"""Listings must show what other workers committed a moment ago."""
CONNECT_TIMEOUT_SECONDS = 4.0
"""Seconds in which a server must answer for the first time; its client would go on trying for minutes."""
WHOLE = 1 << 30
"""Bytes up to which an object is one request: some gateways honour If-None-Match there, but not at the end of many."""
TRIES = 5
"""How often an object is written where the server calls its path taken, and then has nothing there."""
_PARALLEL_DELETES = 8
"""Files deleted at once; an object store takes tens of milliseconds for each."""
CONFLICTS = {409, 412}
"""HTTP statuses of a write whose path is taken, or was being written by another."""
WRITER = "writer"
"""Metadata of an object: the mark of who wrote it."""
_MEMORY_LOCK = threading.Lock()
"""The memory file system looks and then writes: of two threads both would win."""


class Store:
    """One lake. Cheap to open; safe to use from several threads and processes at once."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.whole = WHOLE
        try:
            self.fs, root = fsspec.core.url_to_fs(self.url, **NO_LISTINGS_CACHE)
        except (ValueError, ImportError) as error:
            raise BadInput(f"store {url!r}: {error}; give a folder or a url such as s3://bucket/lake") from error
        self.root = str(root).rstrip("/")

    # -- objects ------------------------------------------------------------------------------------------------

    def put(self, table: pa.Table) -> Part:
        """Write `table` as one object, unless its bytes are there already."""
        data = encode_parquet(table)
        part = Part(digest=hashlib.sha256(data).hexdigest(), rows=table.num_rows, size=len(data))
        self._create(self._object_path(part.digest), data)
        return part

    def get(self, part: Part, columns: list[str] | None = None) -> pa.Table:
        """The rows of one object; raises `QuestmillError` where its bytes are not the ones it is named by."""
        data = self._read_or_none(self._object_path(part.digest))
        if data is None or hashlib.sha256(data).hexdigest() != part.digest:
            problem = "is missing" if data is None else "is damaged: its bytes have another digest"
            raise QuestmillError(
                f"object {part.digest} of {self.url} {problem}; restore it, or delete it and the receipts that name it "
                f"and run again"
            )
        return pq.read_table(io.BytesIO(data), columns=columns)

    def read_schema(self, part: Part) -> pa.Schema:
        """The columns of one object, with their metadata."""
        with self.fs.open(self._full_path(self._object_path(part.digest)), "rb") as file:
            return pq.read_schema(file)

    def object_url(self, part: Part) -> str:
        """Where DuckDB reads the object."""
        return self.locate(self._object_path(part.digest))

    def locate(self, path: str) -> str:
        """The full path or url of something in the lake, as DuckDB wants it."""
        return self._full_path(path) if self.is_local else str(self.fs.unstrip_protocol(self._full_path(path)))

    # -- receipts -----------------------------------------------------------------------------------------------

    def read_receipt(self, step: str, key: str) -> Receipt | None:
        """The committed receipt, or None where the work is still to be done."""
        data = self._read_or_none(path := f"receipts/{step}/{key}.json")
        return None if data is None else self._parse(Receipt, path, data).model_copy(update={"was_cached": True})

    def commit(self, receipt: Receipt) -> Receipt:
        """Make the work visible. Where another worker was first, its receipt counts and is returned."""
        path = f"receipts/{receipt.step}/{receipt.key}.json"
        if self._create(path, receipt.model_dump_json(indent=1).encode()):
            return receipt
        winner = self.read_receipt(receipt.step, receipt.key)
        assert winner is not None, f"{path} was there a moment ago"
        return winner

    def read_receipts(self) -> list[Receipt]:
        """Every receipt of the lake, by step and key."""
        return [self._parse(Receipt, path, data) for path, data in self.read_all("receipts")]

    # -- datasets -----------------------------------------------------------------------------------------------

    def write_part(self, dataset: str, version: str, name: str, data: bytes) -> bytes:
        """Write one published file, invisible until its manifest is there; returns the bytes that are there.

        A publish that crashed may have left the same rows with other milliseconds: they stay.
        """
        path = f"datasets/{dataset}/{version}/{name}"
        return data if self._create(path, data) else self._read(path)

    def publish(self, manifest: Manifest) -> Manifest:
        """Write the manifest and let `current_version` point at it; equal content that is published already stays."""
        path = f"datasets/{manifest.dataset}/{manifest.version}/manifest.json"
        self._create(path, manifest.model_dump_json(indent=1).encode())
        self.set_current(manifest.dataset, manifest.version)
        published = self.read_manifest(manifest.dataset, manifest.version)
        assert published is not None, f"{path} was there a moment ago"
        return published

    def read_manifest(self, dataset: str, version: str | None = None) -> Manifest | None:
        """The manifest of `version`, or of the current one; None where nothing is published."""
        version = version or self.current_version(dataset)
        data = self._read_or_none(path := f"datasets/{dataset}/{version}/manifest.json") if version else None
        return None if data is None else self._parse(Manifest, path, data)

    def list_datasets(self) -> list[str]:
        """Names of the datasets that have a current version."""
        paths = self._list("datasets")
        return sorted({p.split("/")[1] for p in paths if p.split("/")[2:3] == ["current"]})

    def version_history(self, dataset: str) -> list[str]:
        """The versions that `current_version` has pointed at, oldest first."""
        return [self._read(p).decode() for p in self._pointer_paths(dataset)]

    def current_version(self, dataset: str) -> str | None:
        """The version readers see."""
        pointers = self._pointer_paths(dataset)
        return self._read(pointers[-1]).decode() if pointers else None

    def set_current(self, dataset: str, version: str) -> None:
        """Let `current_version` point at `version`, also to roll back; raises `BadInput` for a version that is not
        there.

        Of two that point at once the one that was told a number later wins; neither tries again once it had its turn.
        """
        if self._read_or_none(f"datasets/{dataset}/{version}/manifest.json") is None:
            known = ", ".join(dict.fromkeys(self.version_history(dataset))) or "none"
            raise BadInput(f"dataset {dataset!r} has no version {version!r}; published: {known}")
        while self.current_version(dataset) != version:
            number = 1 + max((int(Path(p).stem) for p in self._pointer_paths(dataset)), default=0)
            if self._create(f"datasets/{dataset}/current/{number:06}.json", version.encode()):
                return

    def _pointer_paths(self, dataset: str) -> list[str]:
        """Oldest first; not without gaps where one was lost."""
        return sorted(p for p in self._list(f"datasets/{dataset}/current") if Path(p).stem.isdigit())

    # -- reports and runs ---------------------------------------------------------------------------------------

    def write(self, path: str, data: bytes) -> bool:
        """Write a report or a record of a run; False where it is there already."""
        return self._create(path, data)

    def read(self, path: str) -> bytes | None:
        """The bytes at `path`, or None."""
        return self._read_or_none(path)

    def list_paths(self, folder: str) -> list[str]:
        """Paths below `folder`, relative to the lake, sorted."""
        return sorted(self._list(folder))

    def read_all(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """Path and bytes of every file below `folder`, by path; one that is deleted meanwhile is left out."""
        paths = self.list_paths(folder)
        contents = self.fs.cat_ranges([*map(self._full_path, paths)], None, None, on_error="return") if paths else []
        for path, data in zip(paths, contents, strict=True):
            if isinstance(data, BaseException):
                if is_missing(data):
                    continue
                raise data
            yield path, data

    def remove(self, folder: str) -> None:
        """Delete every file below `folder`, which no receipt may name; what is gone already is no error."""
        paths = [self._full_path(p) for p in self._list(folder)]
        try:
            with ThreadPoolExecutor(_PARALLEL_DELETES) as pool:
                list(pool.map(self._delete, paths))
            if self.is_local:
                with contextlib.suppress(OSError):  # not there, or another worker put something in meanwhile
                    os.rmdir(self._full_path(folder))
        except OSError as error:
            raise self._unusable_error(error) from error

    def exists(self) -> bool:
        """Whether anything was ever written here."""
        return bool(self.fs.exists(self.root))

    def has_receipts(self) -> bool:
        """Whether any work was ever committed here."""
        return bool(self.fs.exists(self._full_path("receipts")))

    def check(self, write: bool = False) -> bool:
        """Reach the store; with `write`, also say whether it honours exclusive create. Raises `BadInput`."""
        try:
            if self.is_local:
                _check_folder(Path(self.root))
            else:
                self._reach()
            if not write:
                return True
            path = f"doctor/{uuid.uuid4().hex}"
            honoured = self._create(path, b"1") and not self._create(path, b"2") and self._read(path) == b"1"
            self.fs.rm_file(self._full_path(path))
            return honoured
        except BadInput:
            raise
        except Exception as error:
            raise self._unusable_error(error) from error

    def _reach(self) -> None:
        """Ask the server one cheap question; an S3 bucket may hold millions of other things."""
        bucket, _, prefix = self.root.partition("/")
        if hasattr(self.fs, "call_s3"):
            call_with_timeout(
                self.fs, "call_s3", "list_objects_v2", Bucket=bucket, Prefix=f"{prefix}/" * bool(prefix), MaxKeys=1
            )
        else:
            call_with_timeout(self.fs, "ls", bucket, refresh=True)

    def _parse(self, model: type[Record], path: str, data: bytes) -> Record:
        try:
            return model.model_validate_json(data)
        except ValueError as error:
            problem = str(error).splitlines()[0]
            raise QuestmillError(
                f"{path} of {self.url} is damaged: {problem}; restore it, or delete it and run again"
            ) from error

    def _unusable_error(self, error: BaseException) -> BadInput:
        status = next(iter(statuses(error)), None)
        way_out = "give a folder that you may write to and that has room" if self.is_local else _way_out(status)
        answer = f" (HTTP {status})" if status else ""
        return BadInput(f"store {self.url} cannot be used: {root_cause(error)}{answer}; {way_out}")

    # -- the only places that touch the file system ---------------------------------------------------------------

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder of this machine."""
        return isinstance(self.fs, LocalFileSystem)

    @property
    def is_memory(self) -> bool:
        """Whether the lake is in the memory of this process, where no other sees it."""
        return isinstance(self.fs, MemoryFileSystem)

    def _full_path(self, path: str) -> str:
        return f"{self.root}/{path}"

    def _object_path(self, digest: str) -> str:
        return f"objects/{digest}.parquet"

    def _create(self, path: str, data: bytes) -> bool:
        """Exclusive create: whole or not at all; False where the path is taken."""
        full = self._full_path(path)
        try:
            if self.is_local:
                return _create_local(Path(full), data)
            if hasattr(self.fs, "call_s3"):
                return self._create_s3(full, data)
            with _MEMORY_LOCK if self.is_memory else contextlib.nullcontext():
                self.fs.pipe_file(full, data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:  # no permission, no room, a name too long, a file system that takes no files ...
            raise self._unusable_error(error) from error
        return True

    def _create_s3(self, full: str, data: bytes) -> bool:
        """As `_create`; whatever the answer to the write was, what is there afterwards decides.

        A client tries again by itself where an answer is lost, and is then told that the path is taken: by itself. So
        every object bears a mark of who wrote it.
        """
        mark = uuid.uuid4().hex
        for left in reversed(range(TRIES)):
            if len(data) >= self.whole and (writer := self._writer(full)) is not None:
                return writer == mark
            try:
                self.fs.pipe_file(full, data, self.whole // 2, mode="create", Metadata={WRITER: mark})
                return True
            except Exception as error:
                try:
                    writer = self._writer(full)
                except Exception:
                    raise self._unusable_error(error) from error
                if writer is not None:
                    return writer == mark
                if not left or not CONFLICTS.intersection(statuses(error)):
                    raise self._unusable_error(error) from error
                time.sleep(0.1 * 2 ** (TRIES - left))
        raise AssertionError("unreachable")

    def _writer(self, full: str) -> str | None:
        """The mark of who wrote the object, empty where it bears none; None where no object is there."""
        bucket, key, _ = self.fs.split_path(full)
        try:
            found = self.fs.call_s3("head_object", Bucket=bucket, Key=key)
        except Exception as error:
            if is_missing(error):
                return None
            raise
        return str(found["Metadata"].get(WRITER, ""))

    def _read(self, path: str) -> bytes:
        """Raises `FileNotFoundError` where nothing is there."""
        try:
            return bytes(self.fs.cat_file(self._full_path(path)))
        except FileNotFoundError:
            raise
        except Exception as error:
            if is_missing(error):
                raise FileNotFoundError(path) from error
            if statuses(error):
                raise self._unusable_error(error) from error
            raise

    def _read_or_none(self, path: str) -> bytes | None:
        try:
            return self._read(path)
        except FileNotFoundError:
            return None

    def _delete(self, full: str) -> None:
        try:
            self.fs.rm_file(full)
        except Exception as error:
            if not is_missing(error):
                raise

    def _list(self, folder: str) -> list[str]:
        """Paths of the files below `folder`, relative to the lake."""
        try:
            paths = self.fs.find(self._full_path(folder))
        except FileNotFoundError:
            return []
        return [p[len(self.root) + 1 :] for p in map(str, paths) if "/.tmp-" not in p]


def _create_local(path: Path, data: bytes) -> bool:
    """Write beside the target, then link: a crash leaves no half file, and the second of two writers is told."""
    _check_folder(path.parent)
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".tmp-{uuid.uuid4().hex}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
        flush_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def flush_folder(folder: Path) -> None:
    """Let the names in `folder` outlast a power cut, as their bytes do; some network folders cannot promise that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _check_folder(path: Path) -> None:
    """Raises `NotADirectoryError` where `path` is a file, or lies below one."""
    nearest = next((p for p in (path, *path.parents) if p.exists()), None)
    if nearest is not None and not nearest.is_dir():
        raise NotADirectoryError(f"{nearest} is a file")


def call_with_timeout(fs: Any, method: str, *arguments: Any, **options: Any) -> Any:
    """Call `method` of a file system, and give a server that cannot be reached `CONNECT_TIMEOUT_SECONDS` seconds."""
    if not getattr(fs, "async_impl", False):
        return getattr(fs, method)(*arguments, **options)
    return fsspec.asyn.sync(fs.loop, getattr(fs, f"_{method}"), *arguments, timeout=CONNECT_TIMEOUT_SECONDS, **options)


def root_cause(error: BaseException) -> str:
    """The innermost cause in one line: what botocore and aiohttp wrap five times over."""
    while error.__cause__ is not None and not isinstance(error, TimeoutError):
        error = error.__cause__
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_TIMEOUT_SECONDS:.0f} s"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def statuses(error: BaseException | None) -> list[int]:
    """The HTTP statuses in the chain of `error`, the last answer first; their words differ from server to server."""
    found = []
    while error is not None:
        if isinstance(answer := getattr(error, "response", None), dict):  # of botocore's ClientError
            found.append(int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)))
        error = error.__cause__ or error.__context__
    return [status for status in found if status]


def is_missing(error: BaseException) -> bool:
    """Whether it says that nothing is there, also where a server's 404 has no body or that of a proxy."""
    return isinstance(error, FileNotFoundError) or statuses(error)[:1] == [404]


def _way_out(status: int | None) -> str:
    """What to do about a server that answered by `status`, or by nothing."""
    keys = "the keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
    if status in (401, 403):
        return f"check {keys}, and that they may read, list and write"
    if status is None or status == 400:
        return f"check its url, AWS_ENDPOINT_URL and {keys}"
    if status == 429 or status >= 500:
        return "run again when the server is well"
    if status == 404:
        return "check its url and AWS_ENDPOINT_URL"
    return "its server does not answer as S3 does; give another store, or ask who runs it"


def encode_parquet(table: pa.Table) -> bytes:
    """`table` as Parquet; equal tables give equal bytes."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


@functools.cache
def open_store(url: str) -> Store:
    """The store at `url`, opened once a process."""
    return Store(url)
