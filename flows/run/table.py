"""A table of a run: the shards that a step has made or will make."""

from dataclasses import dataclass

from prefect.futures import PrefectFuture

from schemas.receipts import Receipt

Future = PrefectFuture[Receipt]


@dataclass(frozen=True)
class Table:
    """The shards that a step has made or will make: for each a receipt, or its future, and the part's number."""

    step: str
    shards: list[tuple[Receipt | Future, int]]
    rows: int
    """Rows known or expected; exact for a table that is made."""

    @classmethod
    def from_receipts(cls, step: str, receipts: list[Receipt]) -> "Table":
        """What these receipts hold."""
        rows = sum(part.rows for receipt in receipts for part in receipt.parts)
        return cls(step, [(receipt, index) for receipt in receipts for index in range(len(receipt.parts))], rows)
