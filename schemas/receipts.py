"""Records of finished work: the receipt of a shard, the funnel of a run and the manifest of a published version.

Rows are plain dicts inside a worker and Parquet objects between workers. They never pass through a scheduler: tasks
exchange only a `Receipt`.
"""

from typing import Any, Literal, NamedTuple

from pydantic import Field

from schemas.identity import FrozenModel


class Part(FrozenModel):
    """One immutable Parquet object, named by its own bytes."""

    digest: str
    """The sha256 of its bytes, in hex."""
    rows: int
    """Number of its rows."""
    size: int
    """Its size in bytes."""


class Usage(FrozenModel):
    """What the models of a piece of work cost."""

    prompt_tokens: int = 0
    """Tokens of prompts."""
    completion_tokens: int = 0
    """Tokens of replies."""
    estimated_tokens: int = 0
    """Tokens of prompts and replies, included above, that are estimated because the server did not count them."""
    usd: float = 0.0
    """US dollars."""
    gpu_seconds: float = 0.0
    """Seconds of one GPU. The time of an engine that several shards share is divided among them."""

    @property
    def tokens(self) -> int:
        """Tokens of prompts and replies together."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def estimate_note(self) -> str:
        """What follows the number of tokens where it is shown: ` (300 estimated)`; empty if none is estimated."""
        return f" ({self.estimated_tokens:,} estimated)" if self.estimated_tokens else ""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            estimated_tokens=self.estimated_tokens + other.estimated_tokens,
            usd=self.usd + other.usd,
            gpu_seconds=self.gpu_seconds + other.gpu_seconds,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens - other.prompt_tokens,
            completion_tokens=self.completion_tokens - other.completion_tokens,
            estimated_tokens=self.estimated_tokens - other.estimated_tokens,
            usd=self.usd - other.usd,
            gpu_seconds=self.gpu_seconds - other.gpu_seconds,
        )

    def __str__(self) -> str:
        parts = [f"{self.tokens:,} tokens{self.estimate_note}"]
        parts += [f"{self.usd:,.4f} USD"] if self.usd else []
        parts += [f"{self.gpu_seconds / 3600:,.3f} GPU hours"] if self.gpu_seconds else []
        return ", ".join(parts)


class Receipt(FrozenModel):
    """Proof that a step has worked one input. Receipts are all that tasks exchange.

    Readers see a shard only through its receipt, so writing the receipt is the commit.
    """

    step: str
    """Label of the step."""
    key: str
    """The `fingerprint` of the step, its engine and its inputs; if the work was redone, also of the step's code."""
    inputs: tuple[str, ...]
    """Digests of the objects that hold the input rows, or of the source file."""
    other_inputs: tuple[str, ...] = ()
    """Digests of the other objects that a merge read."""
    rows_in: int
    """Number of input rows: kept + rejected + quarantined."""
    kept: int
    """Input rows with at least one row in `parts`."""
    rejected: dict[str, int] = {}
    """Number of rejected input rows, by reason."""
    quarantined: dict[str, int] = {}
    """Number of input rows that failed for good, by reason."""
    parts: tuple[Part, ...] = ()
    """The rows that were kept: one part for a stage, any number for a seed or a merge."""
    rejects: Part | None = None
    """The rejected rows; None: there are none."""
    quarantine: Part | None = None
    """The quarantined rows; None: there are none."""
    seconds: float = 0.0
    """Wall time of the work."""
    usage: Usage = Usage()
    """What the models cost, including replies that earlier starts received."""
    details: dict[str, str] = {}
    """Further facts by name, e.g. the source of a seed or the report of a gate."""
    code: str = ""
    """Digest of the step's code, which is not part of `key`; empty: unknown."""
    was_cached: bool = Field(default=False, exclude=True)
    """Whether the receipt was already in the lake, so that no work was done this time. Not stored."""
    earlier_work: Literal["used", "redone"] | None = Field(default=None, exclude=True)
    """How earlier work was treated. `used`: rows that other code made were taken; `redone`: they were made again. Not
    stored."""

    @property
    def name(self) -> str:
        """`step/key`, under which the lake keeps it."""
        return f"{self.step}/{self.key}"

    @property
    def is_balanced(self) -> bool:
        """Whether every input row is accounted for exactly once."""
        return self.rows_in == self.kept + sum(self.rejected.values()) + sum(self.quarantined.values())


class CommittedShard(NamedTuple):
    """What a run keeps of a receipt with one part: enough to read its rows and to find the receipt again.

    It takes 430 bytes, a receipt 5,100, and a run may have some hundred thousand of them.
    """

    step: str
    """Label of the step."""
    key: str
    """Key of the receipt."""
    digest: str
    """Digest of the part, in hex."""
    rows: int
    """Number of rows of the part."""
    size: int
    """Size of the part in bytes."""
    earlier_work: Literal["used", "redone"] | None
    """How earlier work was treated; see `Receipt.earlier_work`."""

    @classmethod
    def from_receipt(cls, receipt: Receipt) -> "CommittedShard":
        """Raises ValueError if the receipt has not exactly one part."""
        (part,) = receipt.parts
        return cls(receipt.step, receipt.key, part.digest, part.rows, part.size, receipt.earlier_work)

    @property
    def name(self) -> str:
        """`step/key`, under which the lake keeps the receipt."""
        return f"{self.step}/{self.key}"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The rows that were kept, as one part."""
        return (Part(digest=self.digest, rows=self.rows, size=self.size),)


Committed = Receipt | CommittedShard
"""Finished work as a run keeps it."""


class StepCount(FrozenModel):
    """One line of the funnel: a step of a run, summed over its shards."""

    step: str
    """Label of the step."""
    shards: int
    """Number of shards that it wrote."""
    rows_in: int
    """Number of input rows."""
    kept: int
    """Input rows that were kept."""
    rejected: dict[str, int] = {}
    """Number of rejected input rows, by reason."""
    quarantined: dict[str, int] = {}
    """Number of input rows that failed for good, by reason."""
    rows_out: int
    """Rows that were yielded; more than `kept` if one row becomes several."""
    seconds: float
    """Wall time in seconds, summed over the shards."""
    usage: Usage = Usage()
    """What the step's models cost."""


class Manifest(FrozenModel):
    """One published version of a dataset. It is written after all files of the version, so readers never see half of
    one."""

    dataset: str
    """Name of the dataset."""
    version: str
    """Name of the version: the first 12 hex digits of `content`, so equal rows are one version."""
    content: str
    """The sha256 of the rows in order, in hex. Measured columns (milliseconds) are left out."""
    rows: int
    """Number of published rows."""
    files: tuple[str, ...]
    """File names, relative to the manifest."""
    parts: tuple[Part, ...]
    """Digest, rows and size of each of `files`, in the same order."""
    ledger: tuple[StepCount, ...]
    """The funnel: one line for each step that the rows come from."""
    receipts: tuple[str, ...]
    """`step/key` of every receipt that the dataset is based on."""
    rows_of: tuple[str, ...]
    """`step/key` of the receipts that hold the published rows, in order. The label alone is not enough, because a step
    may occur twice in one run."""
    recipe: dict[str, Any]
    """The recipe as it was run."""
    report: str | None = None
    """Path of the gate's report in the lake; None: there is no report."""
    warnings: tuple[str, ...] = ()
    """What readers of the rows should know, e.g. that a step used rows which other code of it had made."""
    created: str
    """When it was published: UTC, ISO 8601."""
