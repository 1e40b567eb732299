"""Proof of work: the receipt of a shard, the ledger of a run and the manifest of a published version.

Rows travel inside a worker as plain dicts, between workers as Parquet objects, and never through a scheduler:
between tasks only a `Receipt` moves.
"""

from typing import Any, Literal

from pydantic import Field

from schemas.identity import FrozenModel


class Part(FrozenModel):
    """One immutable Parquet object, named by its own bytes."""

    digest: str
    """sha256 of the bytes, in hex."""
    rows: int
    size: int
    """Bytes."""


class Usage(FrozenModel):
    """What was paid for."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    gpu_seconds: float = 0.0
    """One GPU for one second; an engine that several shards share is shared out among them."""

    @property
    def tokens(self) -> int:
        """Of prompts and completions."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            usd=self.usd + other.usd,
            gpu_seconds=self.gpu_seconds + other.gpu_seconds,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens - other.prompt_tokens,
            completion_tokens=self.completion_tokens - other.completion_tokens,
            usd=self.usd - other.usd,
            gpu_seconds=self.gpu_seconds - other.gpu_seconds,
        )

    def __str__(self) -> str:
        parts = [f"{self.tokens:,} tokens"]
        parts += [f"{self.usd:,.4f} USD"] if self.usd else []
        parts += [f"{self.gpu_seconds / 3600:,.3f} GPU hours"] if self.gpu_seconds else []
        return ", ".join(parts)


class Receipt(FrozenModel):
    """Proof that a step worked one input: the only thing that travels between tasks.

    A shard is visible to readers through its receipt alone; writing the receipt is the commit.
    """

    step: str
    key: str
    """`fingerprint` of the step, its engine and its inputs; of that and its code where it was worked again."""
    inputs: tuple[str, ...]
    """Digests of the objects whose rows are `rows_in`, or of the source file."""
    other_inputs: tuple[str, ...] = ()
    """Digests of the other objects that a merge read."""
    rows_in: int
    kept: int
    """Input rows with at least one row in `parts`. rows_in = kept + rejected + quarantined."""
    rejected: dict[str, int] = {}
    """Input rows turned down, by reason."""
    quarantined: dict[str, int] = {}
    """Input rows that failed for good, by reason."""
    parts: tuple[Part, ...] = ()
    """What was kept; one part for a stage, any number for a seed or a merge."""
    rejects: Part | None = None
    quarantine: Part | None = None
    seconds: float = 0.0
    """Wall time of the work."""
    usage: Usage = Usage()
    """What its models cost, replies of earlier starts included."""
    details: dict[str, str] = {}
    """What a reader of the lake wants to know of a seed or a gate: source, report."""
    code: str = ""
    """Digest of the code of the step that worked it, no part of `key`; empty where it is not known."""
    was_cached: bool = Field(default=False, exclude=True)
    """Not stored: the receipt was there already, so that nothing was worked for it this time."""
    earlier_work: Literal["used", "redone"] | None = Field(default=None, exclude=True)
    """Not stored: other code of the step worked it, and its rows are used; or it was worked before, and now again."""

    @property
    def is_balanced(self) -> bool:
        """Whether every input row is accounted for, once."""
        return self.rows_in == self.kept + sum(self.rejected.values()) + sum(self.quarantined.values())


class StepCount(FrozenModel):
    """One line of the funnel: a step of a run, over all its shards."""

    step: str
    shards: int
    rows_in: int
    kept: int
    rejected: dict[str, int] = {}
    quarantined: dict[str, int] = {}
    rows_out: int
    """Rows yielded; more than `kept` where one row becomes several."""
    seconds: float
    """Summed over the shards."""
    usage: Usage = Usage()


class Manifest(FrozenModel):
    """One published version of a dataset: written last, so that nobody sees half of it."""

    dataset: str
    version: str
    """The first 12 hex digits of `model_digest`: equal rows are one version."""
    content: str
    """sha256 over the rows in order, measured columns (milliseconds) left out."""
    rows: int
    files: tuple[str, ...]
    """Part names, relative to the manifest."""
    parts: tuple[Part, ...]
    """The same parts: digest, rows, bytes."""
    ledger: tuple[StepCount, ...]
    receipts: tuple[str, ...]
    """`step/key` of every receipt the dataset stands on."""
    rows_of: tuple[str, ...]
    """`step/key` of the receipts that hold the published rows, in order; a step may occur twice in one run."""
    recipe: dict[str, Any]
    """The recipe as it was run."""
    report: str | None = None
    """Path of the gate's report in the lake."""
    warnings: tuple[str, ...] = ()
    """What a reader of the rows should know, e.g. that a step took rows which other code of it had worked."""
    created: str
    """UTC, ISO 8601."""
