"""The outcomes of a row: kept, rejected or quarantined."""

from typing import Any, NamedTuple

Row = dict[str, Any]


class Reject(NamedTuple):
    """A row that a stage rejected. It is stored with its reason in a table of its own."""

    row: Row
    reason: str
    """Why it was rejected, in words that can be counted."""


class Quarantine(NamedTuple):
    """A row whose processing failed for good. This says nothing about the quality of the row."""

    row: Row
    reason: str
    """Why it failed, in words that can be counted."""
    error: str
    """The error message."""
    attempts: int = 1
    """How often it was tried."""
