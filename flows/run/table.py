"""Defines `Table`, the output of one step of a run."""

from dataclasses import dataclass

from infra.cluster.step_execution import Shard, StepExecution
from schemas.receipts import Receipt


@dataclass(frozen=True)
class Table:
    """The shards that a step produces."""

    step: str
    shards: list[Shard]
    rows: int
    """Number of rows; for the table of a running stage, the number of its input's rows."""

    @classmethod
    def from_receipts(cls, step: str, receipts: list[Receipt]) -> "Table":
        """Make a table of all parts of `receipts`."""
        rows = sum(part.rows for receipt in receipts for part in receipt.parts)
        return cls(step, [Shard(receipt, index) for receipt in receipts for index in range(len(receipt.parts))], rows)

    @classmethod
    def from_execution(cls, execution: StepExecution) -> "Table":
        """Make a table of what a stage yields, one shard for each of its calls."""
        shards = [Shard(execution, number) for number in range(len(execution.inputs))]
        return cls(execution.name, shards, execution.rows)
