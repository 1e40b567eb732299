"""The project's exceptions. The command line turns each into one line and an exit code.

QuestmillError        1  the run failed
  BadInput            2  the input, the recipe or the store cannot be used; nothing was written
  GateFailed          3  a critical expectation failed; nothing was published
  SchemaError         1  a stage yielded rows that do not fit its table
  LedgerError         1  rows in are not kept + rejected + quarantined
  EngineError         1  a model cannot be used: no server, a rejected key, no credit left
  CodeChanged         1  a step's code has changed, and the run was told to stop in that case
  BudgetSpent         4  the budget is spent; finished shards are committed, the same command with more continues
  VerifierBroken      1  a canary pair got the wrong verdict: no verdict of this worker can be trusted
"""

from typing import ClassVar


class QuestmillError(Exception):
    """Base class of the errors that end a run with one clear line."""

    exit_code: ClassVar[int] = 1


class BadInput(QuestmillError):
    """The input, the recipe or the store cannot be used. Raised before anything is written."""

    exit_code = 2


class GateFailed(QuestmillError):
    """A critical expectation failed. Nothing was published; the gate's report names the rows."""

    exit_code = 3


class SchemaError(QuestmillError):
    """Rows do not fit their table: an unknown or missing column, a wrong type, or a null in a required column."""


class LedgerError(QuestmillError):
    """Rows were lost or invented: rows in are not kept + rejected + quarantined."""


class EngineError(QuestmillError):
    """A model cannot be used at all: no server, a rejected key, no credit left. A retry would not help."""


class CodeChanged(QuestmillError):
    """The lake holds rows that other code of a step made, and the run was started with `--on-changed-code stop`."""


class BudgetSpent(QuestmillError):
    """The budget is spent. Finished shards are committed; the same command with a higher budget continues."""

    exit_code = 4


class VerifierBroken(QuestmillError):
    """A canary pair got the wrong verdict, so no verdict of this worker can be trusted."""
