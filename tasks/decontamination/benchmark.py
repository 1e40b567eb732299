"""Benchmarks that no published question may come from: named files, known by what is in them."""

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
    """The items of one benchmark: JSON Lines or Parquet, at any fsspec url or path.

    Raises ValueError where the file is missing or has no such column: a recipe that names it is not run.
    """

    name: str = Field(pattern=DATASET_NAME_PATTERN)
    """As matches and reasons call it, e.g. `gsm8k_test`."""
    path: Annotated[str, NotIdentity]
    """Path or url of its file, which every worker reads. What is in it is the identity, not its place."""
    column: Annotated[str, NotIdentity]
    """Which column holds the questions: `question` in GSM8K, `problem` in MATH."""
    digest: str = ""
    """sha256 over its questions; found when the recipe is opened, and checked by every worker."""

    @model_validator(mode="before")
    @classmethod
    def _fill_digest(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not all(isinstance(values.get(key), str) for key in ("path", "column")):
            return values
        digest = _digest(_read_column(values["path"], values["column"]))
        if values.get("digest") not in (None, "", digest):
            raise ValueError(f"{values['path']}: is not what it was; restore it, or leave its digest out")
        return {**values, "digest": digest}

    def load_texts(self) -> list[str]:
        """Its questions, by line; raises `QuestmillError` where this worker does not see the file of the recipe."""
        try:
            texts = _read_column(self.path, self.column)
        except ValueError as error:
            raise QuestmillError(f"benchmark {self.name!r}: {error}") from error
        if _digest(texts) != self.digest:
            raise QuestmillError(f"benchmark {self.name!r}: {self.path} is not what it was when the recipe was opened")
        return texts


def _digest(texts: list[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _read_column(path: str, column: str) -> list[str]:
    """The texts of one column, by line; raises ValueError naming file, line and the way out."""
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
