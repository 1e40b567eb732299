"""Defines `Table`, the output of one step of a run."""

from dataclasses import dataclass

from prefect.futures import PrefectFuture

from schemas.receipts import Receipt

Future = PrefectFuture[Receipt]


@dataclass(frozen=True)
class Table:
    """The shards that a step produces: for each, a receipt or its future, and the number of its part."""

    step: str
    shards: list[tuple[Receipt | Future, int]]
    rows: int
    """Number of rows; for the table of a running stage, the number of its input's rows."""

    @classmethod
    def from_receipts(cls, step: str, receipts: list[Receipt]) -> "Table":
        """Make a table of all parts of `receipts`."""
        rows = sum(part.rows for receipt in receipts for part in receipt.parts)
        return cls(step, [(receipt, index) for receipt in receipts for index in range(len(receipt.parts))], rows)
