"""The nouns of the factory: what a stage is, what it yields, and the receipt that proves a shard was worked.

Rows travel inside a worker as plain dicts, between workers as Parquet objects, and never through a scheduler:
between tasks only a `Receipt` moves.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Row = dict[str, Any]

NAME = r"^[a-z][a-z0-9_]*$"
"""What a dataset may be called: a folder, a view and an artifact bear its name."""

VIEWS = frozenset({"funnel", "quarantine", "receipts", "rejects", "step"})
"""Views and schemas of every lake, which a dataset of the same name would hide."""


def _free(name: str) -> str:
    if name in VIEWS:
        raise ValueError("every lake has a view of this name; give another")
    return name


DatasetName = Annotated[str, Field(pattern=NAME), AfterValidator(_free)]
"""Type of a recipe's field that names the dataset to publish."""


class Where:
    """Marks a field that says only *where* work happens: `Annotated[str, Where]` is no part of the identity."""


class Frozen(BaseModel):
    """Base of everything that has an identity: immutable, strict about names, documented by string literals."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)

    def identity_facts(self) -> dict[str, Any]:
        """What counts for the identity beside the fields."""
        return {}


class Reject(NamedTuple):
    """A row that a stage looked at and turned down. The row is kept in a table of its own, with the reason."""

    row: Row
    reason: str


class Quarantine(NamedTuple):
    """A row that was tried and failed for good: not a judgement of the row but a failure of the work."""

    row: Row
    reason: str
    error: str
    attempts: int = 1


class Expect(Frozen):
    """One check of a gated dataset, named as in Great Expectations and run by `infra.gates`."""

    kind: str
    """Name of the expectation in snake case, e.g. `expect_column_values_to_be_unique`."""
    severity: Literal["warning", "critical"] = "critical"
    """`warning` is reported; `critical` stops the flow before anything is published."""
    arguments: dict[str, Any] = {}
    """Arguments of the expectation: column, value_set, mostly, min_value ..."""

    @property
    def columns(self) -> list[str]:
        """Columns the check reads, so that a gate loads no others."""
        named = [v for k, v in self.arguments.items() if k in ("column", "column_A", "column_B")]
        return named + list(self.arguments.get("column_list", []))


class Step(Frozen):
    """What stages and merges share: a name in the lake and a version of their behaviour."""

    label: ClassVar[str] = "step"
    """The step's name in the lake, in receipts and in views. The default is the class name in snake case; a class that
    states its label may be renamed, and what was worked stays done."""
    version: ClassVar[int] = 1
    """Bump when the behaviour changes: shards worked by an older version are worked again."""

    def identity_facts(self) -> dict[str, Any]:
        """Label, version and table."""
        return {"step": self.label, "version": self.version, "table": str(getattr(self, "table", None))}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if "label" not in cls.__dict__:
            cls.label = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class Stage(Step):
    """A narrow step: the rows of one shard in, the rows of one shard out.

    Fields are the configuration and all of them count for the identity, except those marked `Where`.
    """

    table: ClassVar[pa.Schema]
    """What it yields. Every row names its input row in `row_id`; where one becomes several, as `<row_id>/<n>`."""

    role: Annotated[str | None, Where] = None
    """Which model it needs, e.g. `solver`; None: no model."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject | Quarantine]:
        """Yield at least one outcome for each row of `batch`; `engine` plays the stage's role, or is None."""
        raise NotImplementedError(f"{type(self).__name__} must define rows()")


class Merge(Step):
    """A wide step: DuckDB SQL over whole tables. It waits for all of its inputs."""

    inputs: ClassVar[tuple[str, ...]]
    """Names under which `sql` reads its tables, in the order in which the flow hands them over."""

    def prepare(self, con: Any) -> None:
        """Make what `sql` needs and SQL cannot: `con` is a DuckDB connection that has the inputs as views.

        Registers or creates temporary tables; reads in batches, for the inputs may be larger than memory.
        """

    def sql(self) -> str:
        """A SELECT over `inputs` that returns every row of the first one, by `row_id`.

        A column `reject`, where there is one, holds null for a kept row and the reason for a rejected one.
        Its ORDER BY is the order of the published rows, so it must name a total order.
        """
        raise NotImplementedError(f"{type(self).__name__} must define sql()")


class Train(Step):
    """A training: whole tables in, a model out. It waits for all of its inputs.

    Fields are the configuration and count for the identity, as those of a stage do.
    """

    inputs: ClassVar[tuple[str, ...]]
    """Names under which `fit` is given its tables, in the order in which the flow hands them over."""

    role: Annotated[str | None, Where] = None
    """Whose model it starts from, e.g. `solver`; the model's content counts for the identity, the role does not."""
    gpus: Annotated[int, Where] = Field(default=1, ge=1)
    """GPUs to train on; more than one through `accelerate launch`. Where there is none, the CPU trains."""
    launch: Annotated[tuple[str, ...], Where] = ()
    """More words for `accelerate launch`, e.g. `("--config_file", "zero3.yaml")`."""

    def fit(
        self,
        tables: Mapping[str, Iterable[pa.RecordBatch]],
        base: Path,
        out: Path,
        checkpoints: Path,
        report: Callable[[str], None],
    ) -> dict[str, float]:
        """Train in this process and return what was measured, by name: `steps`, `loss` ...

        `tables` may be read once. `base` is a folder of safetensors with their tokenizer; what `fit` leaves in `out` is
        the model: `safetensors/`, and `int8/` where the base has one beside it. A fit that was killed is called again
        with the same `checkpoints`, and continues from there. `report` takes a line on the progress. With several GPUs
        each process calls `fit`, and the first one writes.
        """
        raise NotImplementedError(f"{type(self).__name__} must define fit()")


class Part(Frozen):
    """One immutable Parquet object, named by its own bytes."""

    digest: str
    """sha256 of the bytes, in hex."""
    rows: int
    size: int
    """Bytes."""


class Spent(Frozen):
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

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            usd=self.usd + other.usd,
            gpu_seconds=self.gpu_seconds + other.gpu_seconds,
        )

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(
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


class Receipt(Frozen):
    """Proof that a step worked one input: the only thing that travels between tasks.

    A shard is visible to readers through its receipt alone; writing the receipt is the commit.
    """

    step: str
    key: str
    """`fingerprint` of the step, its engine and its inputs."""
    inputs: tuple[str, ...]
    """Digests of the objects whose rows are `rows_in`, or of the source file."""
    beside: tuple[str, ...] = ()
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
    spent: Spent = Spent()
    """What its models cost, replies of earlier starts included."""
    detail: dict[str, str] = {}
    """What a reader of the lake wants to know of a seed or a gate: source, report."""
    found: bool = Field(default=False, exclude=True)
    """Not stored: the receipt was there already, so that nothing was worked for it this time."""

    @property
    def balanced(self) -> bool:
        """Whether every input row is accounted for, once."""
        return self.rows_in == self.kept + sum(self.rejected.values()) + sum(self.quarantined.values())


class StepCount(Frozen):
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
    spent: Spent = Spent()


class Manifest(Frozen):
    """One published version of a dataset: written last, so that nobody sees half of it."""

    dataset: str
    version: str
    """The first 12 hex digits of `content`: equal rows are one version."""
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
    recipe: dict[str, Any]
    """The recipe as it was run."""
    report: str | None = None
    """Path of the gate's report in the lake."""
    created: str
    """UTC, ISO 8601."""


def identity(thing: Any) -> Any:
    """The part of `thing` that says what it is, as plain JSON; fields marked `Where` are left out."""
    if isinstance(thing, BaseModel):
        where = _where(type(thing))
        kept = {name: identity(getattr(thing, name)) for name in type(thing).model_fields if name not in where}
        return kept | (thing.identity_facts() if isinstance(thing, Frozen) else {})
    if isinstance(thing, Mapping):
        return {str(k): identity(v) for k, v in thing.items()}
    if isinstance(thing, Sequence) and not isinstance(thing, str | bytes):
        return [identity(v) for v in thing]
    return thing


def _where(model: type[BaseModel]) -> set[str]:
    """Fields marked `Where` by the class or by one that it extends: a new default unmarks nothing."""
    models = [base for base in model.__mro__ if issubclass(base, BaseModel)]
    return {name for base in models for name, field in base.model_fields.items() if Where in field.metadata}


def fingerprint(*things: Any) -> str:
    """sha256 in hex over the identity of `things`: equal for equal work, wherever it runs."""
    text = json.dumps([identity(t) for t in things], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
