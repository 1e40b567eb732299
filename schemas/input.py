"""Where rows come from: files of somebody else, and which of their columns are which of ours."""

from pydantic import Field, field_validator

from schemas.identity import FrozenModel


class ColumnNames(FrozenModel):
    """Names that the input gives to the columns we need; every other column is kept as it is."""

    question: str = "question"
    """What was asked."""
    response: str = "response"
    """What was answered: a final answer, or a solution that ends in one."""
    answer: str = "answer"
    """The gold answer: a string, or a plain number."""


class Source(FrozenModel):
    """Files to read: JSON Lines or Parquet."""

    input: tuple[str, ...] = Field(min_length=1)
    """Paths or urls; globs allowed (`s3://bucket/attempts/*.parquet`)."""
    columns: ColumnNames = ColumnNames()
    """Which column is which, e.g. `--columns.response solution`."""
    shard_rows: int = Field(default=512, ge=1)
    """Rows a shard: what one task works and one receipt commits."""

    @field_validator("input", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class SourceFile(FrozenModel):
    """One file that was read to its end and found good."""

    url: str
    digest: str
    """sha256 of its bytes, in hex."""
    rows: int
    types: dict[str, str]
    """Columns beside the required ones and their Arrow types, e.g. `{"model": "string", "seed": "int64"}`."""
