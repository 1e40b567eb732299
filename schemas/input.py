"""Where rows come from: the user's input files, and how their columns are named."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field, field_validator

from schemas.errors import BadInput
from schemas.identity import FrozenModel

REQUIRED_COLUMNS = ("question", "response", "answer")
OPTIONAL_COLUMNS = ("answer_type", "answer_details")
"""Columns that verification reads where the input has them. They are kept, under these names."""
_NAMED_COLUMNS = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
# matches "math.jsonl:question=problem", not "math.jsonl:task=problem"
_ASSIGNMENT = re.compile(rf"(?P<file>.+?):(?P<column>{'|'.join(_NAMED_COLUMNS)})=(?P<name>.+)", re.S)


class ColumnNames(FrozenModel):
    """The input's names of the columns that are needed. Every other column is kept as it is.

    Files may differ: `--columns math.jsonl:question=problem` names a column of one file, or of all files that match a
    glob.
    """

    question: str = "question"
    """Name of the column that holds the question."""
    response: str = "response"
    """Name of the column that holds the response: a final answer, or a solution that ends in one."""
    answer: str = "answer"
    """Name of the column that holds the gold answer: a string or a plain number."""
    answer_type: str = "answer_type"
    """Name of the optional column that holds the type of the gold answer, e.g. `choice`. It is read with
    `--answer_type column`."""
    answer_details: str = "answer_details"
    """Name of the optional column that holds what checking an answer needs beyond the gold: a JSON object."""
    by_file: Mapping[str, Mapping[str, str]] = {}
    """Other names in some of the files, by file name, path or glob, e.g. `{"math.jsonl": {"question": "problem"}}`."""

    @field_validator("by_file")
    @classmethod
    def _check_by_file(cls, by_file: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
        for pattern, names in by_file.items():
            if unknown := sorted(set(names) - set(_NAMED_COLUMNS)):
                raise ValueError(f"{pattern}: {unknown[0]!r} is no column that is needed; {_EXAMPLE}")
        return by_file

    @classmethod
    def parse_flag(cls, text: str) -> dict[str, Any]:
        """Read the value of the flag `--columns`, e.g. `math.jsonl:question=problem`, as fields. Raises `BadInput`."""
        match = _ASSIGNMENT.fullmatch(text)
        if match is None:
            raise BadInput(f"--columns {text!r} names no column of a file; {_EXAMPLE}")
        return {"by_file": {match["file"]: {match["column"]: match["name"]}}}

    def names_in(self, url: str) -> dict[str, str]:
        """The names of the needed columns in one file. Raises `BadInput` if two patterns contradict each other."""
        names = self._all_names_in(url)
        return {column: names[column] for column in REQUIRED_COLUMNS}

    def renamed_in(self, url: str) -> dict[str, str]:
        """The new names of the optional columns that one file calls otherwise, and of columns that they replace."""
        names = self._all_names_in(url)
        renamed = dict[str, str]()
        for column in OPTIONAL_COLUMNS:
            if names[column] != column:
                renamed |= {column: f"input_{column}", names[column]: column}
        return renamed

    def _all_names_in(self, url: str) -> dict[str, str]:
        names = {column: getattr(self, column) for column in _NAMED_COLUMNS}
        sources: dict[str, str] = {}
        for pattern in filter(lambda pattern: matches(url, pattern), self.by_file):
            for column, name in self.by_file[pattern].items():
                if column in sources and names[column] != name:
                    raise BadInput(
                        f"{url}: column {column!r} is {names[column]!r} by {sources[column]!r} and {name!r} by "
                        f"{pattern!r}; name it once"
                    )
                names[column], sources[column] = name, pattern
        return names

    def without_responses(self) -> "ColumnNames":
        """The same names for files of problems: the column of the question is read as the response too."""
        by_file = {
            pattern: {**names, "response": names["question"]} if "question" in names else names
            for pattern, names in self.by_file.items()
        }
        return self.model_copy(update={"response": self.question, "by_file": by_file})


_EXAMPLE = f"write FILE:COLUMN=NAME with one of {', '.join(_NAMED_COLUMNS)}, e.g. math.jsonl:question=problem"


def matches(url: str, pattern: str) -> bool:
    """Whether `pattern`, a file's name, the end of its path, or a glob of either, is of the file `url`."""
    return fnmatchcase(url, pattern) or fnmatchcase(url, f"*/{pattern.removeprefix('./')}")


class Source(FrozenModel):
    """The files to read, in JSON Lines or Parquet format."""

    input: tuple[str, ...] = Field(min_length=1)
    """Paths or urls of the input files; globs are allowed (`s3://bucket/attempts/*.parquet`)."""
    columns: ColumnNames = ColumnNames()
    """Names of the input's columns, e.g. `--columns.response solution`."""
    shard_rows: int = Field(default=512, ge=1)
    """Number of rows in each shard, the unit that one task processes and commits."""

    @field_validator("input", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class SourceFile(FrozenModel):
    """One input file that was read to its end and passed all checks."""

    url: str
    """Path or url of the file."""
    digest: str
    """The sha256 of its bytes, in hex."""
    rows: int
    """Number of its rows."""
    types: dict[str, str]
    """Arrow types of the columns other than the required ones, e.g. `{"model": "string", "seed": "int64"}`."""
    copy_number: int = 0
    """Number of files of the same bytes before this one, so that equal rows of two files are different rows."""
