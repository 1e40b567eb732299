"""The kinds of step: a stage works on shards, a merge on whole tables, and a training makes a model."""

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import pyarrow as pa
from pydantic import Field

from schemas.arrow import is_user_column, with_user_columns
from schemas.errors import SchemaError
from schemas.identity import FrozenModel, NotIdentity
from schemas.outcomes import Quarantine, Reject, Row


class Expectation(FrozenModel):
    """One check of a dataset before it is published. `infra.gates` runs it with Great Expectations."""

    kind: str
    """Name of the expectation in snake case, e.g. `expect_column_values_to_be_unique`."""
    severity: Literal["warning", "critical"] = "critical"
    """What a failure does: `warning` is reported, `critical` stops the flow before anything is published."""
    arguments: dict[str, Any] = {}
    """Arguments of the expectation, e.g. `column`, `value_set`, `mostly` or `min_value`."""

    @property
    def columns(self) -> list[str]:
        """Columns that the check reads; a gate loads only these."""
        column_names = [v for k, v in self.arguments.items() if k in ("column", "column_A", "column_B")]
        return column_names + list(self.arguments.get("column_list", []))


class Step(FrozenModel):
    """Base class of all steps: a name in the lake and a version of their behaviour."""

    label: ClassVar[str] = "step"
    """The step's name in the lake, in receipts and in views; by default the class name in snake case. A class that
    states its label can be renamed without making its earlier work invalid."""
    version: ClassVar[int] = 1
    """Version of the step's behaviour. Raise it when the behaviour changes: shards of older versions are worked
    again."""

    def identity_facts(self) -> dict[str, Any]:
        """The label, version and table, which count for the identity in addition to the fields."""
        return {"step": self.label, "version": self.version, "table": str(getattr(self, "table", None))}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if "label" not in cls.__dict__:
            cls.label = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class Stage(Step):
    """A step that works on one shard at a time. Each input row becomes one or more output rows, or is rejected.

    This stage adds a column and rejects some rows:

        from collections.abc import Iterator, Sequence
        from typing import Any, ClassVar

        import pyarrow as pa
        from pydantic import Field

        from schemas.arrow import required
        from schemas.outcomes import Reject, Row
        from schemas.steps import Stage

        class CountWords(Stage):
            "Adds the number of words of each question and rejects long ones."

            needs: ClassVar[tuple[str, ...]] = ("question",)
            adds: ClassVar[pa.Schema] = pa.schema([required("words", pa.int32())])

            max_words: int = Field(default=60, ge=1)
            "Most words of a question that is kept."

            def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
                for row in batch:
                    words = len(row["question"].split())
                    yield row | {"words": words} if words <= self.max_words else Reject(row, "too long")

    A recipe runs it with `run.map(CountWords(max_words=40), table)`. To ask a model, extend `tasks.base.ask.Ask`.

    The fields are the configuration. All of them count for the identity, except those marked `NotIdentity`.
    """

    table: ClassVar[pa.Schema | None] = None
    """Columns of the output, for a stage that makes new rows. The `row_id` of a new row is that of its input row, or
    `<row_id>/<n>` if one row becomes several."""
    carries_user_columns: ClassVar[bool] = False
    """Whether the user's columns are added to `table`. Set it if the new rows replace the input rows, as the samples of
    a question replace the question. A table that is joined to its input later does not need them."""
    adds: ClassVar[pa.Schema | None] = None
    """Columns that the stage adds to those of its input, for a stage that yields its input rows with more columns."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Columns that the input must have. A table that lacks one is refused before any row is worked."""

    role: Annotated[str | None, NotIdentity] = None
    """Role of the model that the stage asks, e.g. `solver`; None: it asks no model."""

    def output_schema(self, given: pa.Schema) -> pa.Schema:
        """The columns of the output for an input with the columns `given`; the user's columns come last.

        Raises `SchemaError` if the input lacks a column of `needs`.
        """
        self._check_needs(given)
        if self.adds is not None:
            kept = [field for field in given if field.name not in self.adds.names and not is_user_column(field)]
            return with_user_columns(pa.schema([*kept, *self.adds]), given)
        if self.table is None:
            raise TypeError(f"{type(self).__name__} must declare `table` or `adds`")
        return with_user_columns(self.table, given) if self.carries_user_columns else self.table

    def _check_needs(self, given: pa.Schema) -> None:
        if missing := [name for name in self.needs if name not in given.names]:
            raise SchemaError(
                f"stage {self.label} needs the column {missing[0]!r}; its input has {', '.join(given.names)}"
            )

    def journal_key(self, batch: Sequence[Row], model: str) -> str | None:
        """Key of the journal of the model's replies about `batch`; None: the key of the receipt is used.

        It depends on what is asked and not on how the replies are parsed. `model` is the fingerprint of the engine.
        """
        return None

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject | Quarantine]:
        """Yield at least one outcome for each row of `batch`. `engine` plays the stage's role; None if it has none."""
        raise NotImplementedError(f"{type(self).__name__} must define rows()")


class Filter(Stage):
    """A stage that keeps rows as they are or rejects them. All columns pass with their types.

    A filter by a rule defines `reject_reason`. A filter that asks a model yields the row or a `Reject` from `parse`.
    """

    def output_schema(self, given: pa.Schema) -> pa.Schema:
        """The columns of its input. Raises `SchemaError` if the input lacks a column of `needs`."""
        self._check_needs(given)
        return given

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls.table is not None or cls.adds is not None:
            raise TypeError(f"{cls.__name__} is a filter, which keeps its input's columns; a stage may declare `adds`")

    def reject_reason(self, row: Row) -> str | None:
        """Why `row` is rejected, in words that can be counted, or None to keep it."""
        raise NotImplementedError(f"{type(self).__name__} must define reject_reason()")

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject | Quarantine]:
        for row in batch:
            reason = self.reject_reason(row)
            yield row if reason is None else Reject(row, reason)


class Merge(Step):
    """A step that runs DuckDB SQL over whole tables. It waits until all of its inputs are complete.

    This merge keeps one row of each question and rejects the others:

        from typing import ClassVar

        from schemas.steps import Merge

        class KeepShortest(Merge):
            "Keeps the shortest solution of each question."

            inputs: ClassVar[tuple[str, ...]] = ("solutions",)

            def sql(self) -> str:
                "Of solutions of equal length, the first by row id is kept."
                place = "row_number() OVER (PARTITION BY question_id ORDER BY length(solution), row_id)"
                return f"SELECT *, CASE WHEN {place} > 1 THEN 'longer' END AS reject FROM solutions ORDER BY row_id"

    A recipe runs it with `run.merge(KeepShortest(), solutions)`.

    The fields are the configuration and count for the identity, as those of a stage do.
    """

    inputs: ClassVar[tuple[str, ...]]
    """Names of the tables in `sql`, in the order in which the flow passes them."""
    carries_user_columns: ClassVar[bool] = True
    """Whether the user's columns of the first input are added to the result. A table that is never joined to later
    rows, such as a report about them, does not need them."""

    def prepare(self, con: Any) -> None:
        """Prepare whatever `sql` needs but SQL cannot compute. `con` is a DuckDB connection with the inputs as views.

        Register or create temporary tables. Read in batches, because the inputs may be larger than memory.
        """

    def sql(self) -> str:
        """A SELECT over `inputs` that returns every row of the first input, by `row_id`.

        An optional column `reject` holds null for a row that is kept, else the reason why it is rejected.
        The ORDER BY is the order of the published rows, so it must be a total order.
        """
        raise NotImplementedError(f"{type(self).__name__} must define sql()")


class PartitionedMerge(Merge):
    """A merge whose preparation can be divided among workers, because rows of different hashes have nothing to do with
    each other.

    Large inputs are partitioned by `hash_rows`: all rows of one hash are in one partition. Workers prepare the
    partitions, and one worker joins what they found. Small inputs are one partition. The result is the same.
    """

    partition_columns: ClassVar[tuple[str, ...]]
    """Columns of the inputs that `prepare_partition` reads."""

    partition_rows: Annotated[int, NotIdentity] = Field(default=250_000, ge=1)
    """Number of rows that one worker compares at a time, about. Larger inputs are partitioned among the workers, which
    does not change the result."""

    def hash_rows(self, rows: pa.RecordBatch) -> pa.Array:
        """The hash of each of n rows with the columns `partition_columns`: (n,) uint64."""
        raise NotImplementedError(f"{type(self).__name__} must define hash_rows()")

    def prepare_partition(self, con: Any) -> pa.Table:
        """Prepare one partition. `con` is a DuckDB connection with the partition of each input as a view."""
        raise NotImplementedError(f"{type(self).__name__} must define prepare_partition()")

    def combine_partitions(self, con: Any) -> None:
        """Create what `sql` needs from the view `partitions`, the rows of `prepare_partition` for all partitions."""
        raise NotImplementedError(f"{type(self).__name__} must define combine_partitions()")

    def prepare(self, con: Any) -> None:
        """Prepare the inputs as one partition."""
        con.register("partitions", self.prepare_partition(con))
        self.combine_partitions(con)


class TrainingJob(NamedTuple):
    """What a training reads and where it writes."""

    tables: Mapping[str, Iterable[pa.RecordBatch]]
    """The input tables by name; each can be read only once."""
    base: Path
    """Folder of safetensors to start from, with their tokenizer."""
    out: Path
    """Folder for the model: `safetensors/`, and also `int8/` if the base has an `int8/` beside it."""
    checkpoints: Path
    """Folder of checkpoints, from which a training that was killed continues."""
    report: Callable[[str], None]
    """Function that is called with a line about the progress."""


class TrainingStep(Step):
    """A step that trains a model on whole tables. It waits until all of its inputs are complete.

    The fields are the configuration and count for the identity, as those of a stage do.
    """

    inputs: ClassVar[tuple[str, ...]]
    """Names of the tables in `TrainingJob.tables`, in the order in which the flow passes them."""
    trainer: ClassVar[str]
    """The function that trains, as `module:function`; it takes the step and the job. It is imported by name when it is
    needed, because it loads torch."""

    role: Annotated[str | None, NotIdentity] = None
    """Role whose model the training starts from, e.g. `solver`. The model's content counts for the identity, the role
    does not."""
    gpus: Annotated[int, NotIdentity] = Field(default=1, ge=1)
    """Number of GPUs to train on. More than one are used through `accelerate launch`; a machine without a GPU trains on
    the CPU."""
    launch_options: Annotated[tuple[str, ...], NotIdentity] = ()
    """Additional options for `accelerate launch`, e.g. `("--config_file", "zero3.yaml")`."""

    def count_held_out(self, rows: int) -> int:
        """How many of `rows` rows are kept back to measure the trained model."""
        return 0

    def fit(self, job: TrainingJob) -> dict[str, float]:
        """Train in this process and return measurements by name, e.g. `steps` and `loss`.

        A training that was killed is started again with the same `checkpoints` and continues from there. With several
        GPUs each process calls `fit`, and the first one writes.
        """
        module, _, name = self.trainer.partition(":")
        train: Callable[[TrainingStep, TrainingJob], dict[str, float]] = getattr(importlib.import_module(module), name)
        return train(self, job)
