"""The kinds of step: a stage works shards, a merge whole tables, a training makes a model."""

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
        column_names = [v for k, v in self.arguments.items() if k in ("column", "column_A", "column_B")]
        return column_names + list(self.arguments.get("column_list", []))


class Step(FrozenModel):
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

    Fields are the configuration and all of them count for the identity, except those marked `NotIdentity`.
    """

    table: ClassVar[pa.Schema | None] = None
    """What it yields, where it makes new rows. Every row names its input row in `row_id`; where one becomes several, as
    `<row_id>/<n>`."""
    carries_user_columns: ClassVar[bool] = False
    """With `table`: columns that a user's file brought go on beside it. For a stage whose rows take the place of its
    input's, as a sample does of its question; a table that is joined to its input later needs them not twice."""
    adds: ClassVar[pa.Schema | None] = None
    """Columns that it adds to its input's, where it yields its input's rows with more in them."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Columns that its input must have; a table without one of them is refused before a row is worked."""

    role: Annotated[str | None, NotIdentity] = None
    """Which model it needs, e.g. `solver`; None: no model."""

    def output_schema(self, given: pa.Schema) -> pa.Schema:
        """The columns of its output for an input with the columns `given`, those of users last.

        Raises `SchemaError` where the input lacks a column of `needs`.
        """
        self._check_needs(given)
        if self.adds is not None:
            kept = [field for field in given if field.name not in self.adds.names and not is_user_column(field)]
            return with_user_columns(pa.schema([*kept, *self.adds]), given)
        if self.table is None:
            raise TypeError(f"{type(self).__name__} must declare `table`, or what it `adds`")
        return with_user_columns(self.table, given) if self.carries_user_columns else self.table

    def _check_needs(self, given: pa.Schema) -> None:
        if missing := [name for name in self.needs if name not in given.names]:
            raise SchemaError(
                f"stage {self.label} needs the column {missing[0]!r}; its input has {', '.join(given.names)}"
            )

    def journal_key(self, batch: Sequence[Row], model: str) -> str | None:
        """Names what is asked of a model about `batch`, whatever is made of the replies; None: nothing is known of it.

        `model` is the fingerprint of the engine.
        """
        return None

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject | Quarantine]:
        """Yield at least one outcome for each row of `batch`; `engine` plays the stage's role, or is None."""
        raise NotImplementedError(f"{type(self).__name__} must define rows()")


class Filter(Stage):
    """A stage that keeps rows as they are or rejects them: it needs some columns, and all others pass with their types.

    A filter by a rule defines `reject_reason`; one that asks a model yields the row, or a `Reject`, from `parse`.
    """

    def output_schema(self, given: pa.Schema) -> pa.Schema:
        """The columns of its input."""
        self._check_needs(given)
        return given

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls.table is not None or cls.adds is not None:
            raise TypeError(f"{cls.__name__} is a filter, which keeps its input's columns; a stage may declare `adds`")

    def reject_reason(self, row: Row) -> str | None:
        """Why `row` is rejected, in words that can be counted; None: it is kept."""
        raise NotImplementedError(f"{type(self).__name__} must define reject_reason()")

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject | Quarantine]:
        for row in batch:
            reason = self.reject_reason(row)
            yield row if reason is None else Reject(row, reason)


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


class TrainingJob(NamedTuple):
    """What a training reads, and where it writes."""

    tables: Mapping[str, Iterable[pa.RecordBatch]]
    """Its inputs, by their names; each may be read once."""
    base: Path
    """Folder of safetensors to start from, with their tokenizer."""
    out: Path
    """Folder that gets the model: `safetensors/`, and `int8/` where the base has one beside it."""
    checkpoints: Path
    """Folder from which a training that was killed continues."""
    report: Callable[[str], None]
    """Takes a line on the progress."""


class TrainingStep(Step):
    """A training: whole tables in, a model out. It waits for all of its inputs.

    Fields are the configuration and count for the identity, as those of a stage do.
    """

    inputs: ClassVar[tuple[str, ...]]
    """Names under which the training is given its tables, in the order in which the flow hands them over."""
    trainer: ClassVar[str]
    """Function that trains, of step and job, as `module:function`: by name, so that only whoever trains loads torch."""

    role: Annotated[str | None, NotIdentity] = None
    """Whose model it starts from, e.g. `solver`; the model's content counts for the identity, the role does not."""
    gpus: Annotated[int, NotIdentity] = Field(default=1, ge=1)
    """GPUs to train on; more than one through `accelerate launch`. Where there is none, the CPU trains."""
    launch_options: Annotated[tuple[str, ...], NotIdentity] = ()
    """More words for `accelerate launch`, e.g. `("--config_file", "zero3.yaml")`."""

    def fit(self, job: TrainingJob) -> dict[str, float]:
        """Train in this process and return what was measured, by name: `steps`, `loss` ...

        A fit that was killed is called again with the same `checkpoints`, and continues from there. With several GPUs
        each process calls `fit`, and the first one writes.
        """
        module, _, name = self.trainer.partition(":")
        train: Callable[[TrainingStep, TrainingJob], dict[str, float]] = getattr(importlib.import_module(module), name)
        return train(self, job)
