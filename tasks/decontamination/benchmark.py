"""Benchmark files that questions are compared with, identified by their content."""

import hashlib
import json
from typing import Annotated, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from schemas.errors import QuestmillError
from schemas.identity import FrozenModel, NotIdentity
from schemas.names import DATASET_NAME_PATTERN


class Benchmark(FrozenModel):
    """The items of one benchmark: a JSON Lines or Parquet file, at any fsspec url or path.

    Raises ValueError if the file is missing or lacks the column, so that a recipe that names it does not start.
    """

    name: str = Field(pattern=DATASET_NAME_PATTERN)
    """Name of the benchmark in matches and reject reasons, e.g. `gsm8k_test`."""
    path: Annotated[str, NotIdentity]
    """Path or url of the benchmark's file, which every worker must be able to read. Only the content is identity."""
    column: Annotated[str, NotIdentity]
    """Column that holds the questions: `question` in GSM8K, `problem` in MATH."""
    digest: str = ""
    """sha256 of the benchmark's questions. Empty: it is computed when the recipe is opened. Every worker checks it."""

    @model_validator(mode="before")
    @classmethod
    def _fill_digest(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not all(isinstance(values.get(key), str) for key in ("path", "column")):
            return values
        digest = _digest(_read_column(values["path"], values["column"]))
        if values.get("digest") not in (None, "", digest):
            raise ValueError(f"{values['path']}: has changed; restore it, or leave out its digest")
        return {**values, "digest": digest}

    def load_texts(self) -> list[str]:
        """The questions, in the order of the file. Raises `QuestmillError` if this worker sees another file."""
        try:
            texts = _read_column(self.path, self.column)
        except ValueError as error:
            raise QuestmillError(f"benchmark {self.name!r}: {error}") from error
        if _digest(texts) != self.digest:
            raise QuestmillError(f"benchmark {self.name!r}: {self.path} has changed since the recipe was opened")
        return texts


def _digest(texts: list[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _read_column(path: str, column: str) -> list[str]:
    """The texts of one column, in the order of the file. Raises ValueError that names the file and the line."""
    try:
        with fsspec.open(path, "rb", compression="infer") as file:
            data = file.read()
        rows = pq.read_table(pa.BufferReader(data)).to_pylist() if data.startswith(b"PAR1") else None
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such file; give a path or url that every worker can read") from error
    except Exception as error:  # every file system has errors of its own
        message = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: cannot be read: {message}; give a path or url that every worker can read") from error
    rows = _parse_lines(path, data) if rows is None else rows
    for line, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get(column), str):
            columns = ", ".join(row) if isinstance(row, dict) else "no columns"
            raise ValueError(f"{path}: line {line + 1} has no text in column {column!r}; it has {columns}")
    if not rows:
        raise ValueError(f"{path}: is empty; give the file of a benchmark")
    return [row[column] for row in rows]


def _parse_lines(path: str, data: bytes) -> list[Any]:
    rows = list[Any]()
    for line in data.rstrip().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path}: line {len(rows) + 1} is no JSON; give JSON Lines or Parquet") from error
    return rows
