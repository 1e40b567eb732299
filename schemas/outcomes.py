"""What becomes of a row: kept, rejected or quarantined."""

from typing import Any, NamedTuple

Row = dict[str, Any]


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
