"""Every error of our own, as one tree; the command turns each into one line and an exit code.

QuestmillError        1  the run failed
  BadInput            2  the input, the recipe or the store cannot be used; nothing was written
  GateFailed          3  a critical expectation failed; nothing was published
  ShapeError          1  a stage yielded rows that do not fit its table
  LedgerError         1  rows in are not kept + rejected + quarantined
  EngineError         1  a model cannot be asked: no server, a key that is refused, no money left
  CodeChanged         1  other code has worked a step before, and the run is to stop there
  BudgetSpent         4  the budget is spent; what is whole is committed, the same command with more continues
  VerifierBroken      1  a canary pair got the wrong verdict: no verdict of this worker can be trusted
"""

from typing import ClassVar


class QuestmillError(Exception):
    """Base of the errors that end a run with one clear line."""

    exit_code: ClassVar[int] = 1


class BadInput(QuestmillError):
    """The input, the recipe or the store cannot be used. Raised before anything is written."""

    exit_code = 2


class GateFailed(QuestmillError):
    """A critical expectation failed. Nothing was published; the report says which rows to look at."""

    exit_code = 3


class SchemaError(QuestmillError):
    """Rows do not fit their table: an unknown or missing column, a wrong type, a null where none may be."""


class LedgerError(QuestmillError):
    """Rows were lost or invented: rows in are not kept + rejected + quarantined."""


class EngineError(QuestmillError):
    """A model cannot be asked at all: no server, a key that is refused, no money left. Asking again would not help."""


class CodeChanged(QuestmillError):
    """Other code of a step has worked a shard before, and the run was started with `--on-changed-code stop`."""


class BudgetSpent(QuestmillError):
    """The budget is spent. What is whole is committed; the same command with a higher budget continues."""

    exit_code = 4


class VerifierBroken(QuestmillError):
    """A canary pair got the wrong verdict, so no verdict of this worker can be trusted."""
