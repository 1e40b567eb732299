"""Benchmarks that no published question may come from: named files, known by what is in them."""

import hashlib
import json
from typing import Annotated, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from schemas.errors import QuestmillError
from schemas.identity import Frozen, Where
from schemas.names import NAME


class Benchmark(Frozen):
    """The items of one benchmark: JSON Lines or Parquet, at any fsspec url or path.

    Raises ValueError where the file is missing or has no such column: a recipe that names it is not run.
    """

    name: str = Field(pattern=NAME)
    """As matches and reasons call it, e.g. `gsm8k_test`."""
    path: Annotated[str, Where]
    """Path or url of its file, which every worker reads. What is in it is the identity, not its place."""
    column: Annotated[str, Where]
    """Which column holds the questions: `question` in GSM8K, `problem` in MATH."""
    digest: str = ""
    """sha256 over its questions; found when the recipe is opened, and checked by every worker."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not all(isinstance(values.get(key), str) for key in ("path", "column")):
            return values
        found = _digest(_read(values["path"], values["column"]))
        if values.get("digest") not in (None, "", found):
            raise ValueError(f"{values['path']}: is not what it was; restore it, or leave its digest out")
        return {**values, "digest": found}

    def texts(self) -> list[str]:
        """Its questions, by line; raises `QuestmillError` where this worker does not see the file of the recipe."""
        try:
            found = _read(self.path, self.column)
        except ValueError as error:
            raise QuestmillError(f"benchmark {self.name!r}: {error}") from error
        if _digest(found) != self.digest:
            raise QuestmillError(f"benchmark {self.name!r}: {self.path} is not what it was when the recipe was opened")
        return found


def _digest(texts: list[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _read(path: str, column: str) -> list[str]:
    """The texts of one column, by line; raises ValueError naming file, line and the way out."""
    try:
        with fsspec.open(path, "rb", compression="infer") as file:
            data = file.read()
        rows = pq.read_table(pa.BufferReader(data)).to_pylist() if data.startswith(b"PAR1") else None
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such file; give a path or url that every worker can read") from error
    except Exception as error:  # every file system has errors of its own
        told = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: cannot be read: {told}; give a path or url that every worker can read") from error
    rows = _lines(path, data) if rows is None else rows
    for line, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get(column), str):
            there = ", ".join(row) if isinstance(row, dict) else "no columns"
            raise ValueError(f"{path}: line {line + 1} has no text in column {column!r}; it has {there}")
    if not rows:
        raise ValueError(f"{path}: is empty; give the file of a benchmark")
    return [row[column] for row in rows]


def _lines(path: str, data: bytes) -> list[Any]:
    rows = list[Any]()
    for line in data.rstrip().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path}: line {len(rows) + 1} is no JSON; give JSON Lines or Parquet") from error
    return rows
