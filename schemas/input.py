"""Where rows come from: the user's input files, and how their columns are named."""

from pydantic import Field, field_validator

from schemas.identity import FrozenModel


class ColumnNames(FrozenModel):
    """The input's names of the columns that are needed. Every other column is kept as it is."""

    question: str = "question"
    """Name of the column that holds the question."""
    response: str = "response"
    """Name of the column that holds the response: a final answer, or a solution that ends in one."""
    answer: str = "answer"
    """Name of the column that holds the gold answer: a string or a plain number."""


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
