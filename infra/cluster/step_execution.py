"""The progress of one step of a run: what its calls have returned so far, without a word of who makes them.

An executor makes the calls and reports each result here. Whoever needs the results waits here.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.lake.ledger import SampleCount
from schemas.errors import BudgetSpent
from schemas.receipts import Committed, CommittedShard, Part, Receipt

POLL_SECONDS = 1.0
"""Most seconds that a waiting thread sleeps without looking for an end."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of the output of a step: of a receipt that is known, or of a call that may not have ended yet."""

    origin: "Receipt | StepExecution"
    index: int
    """Number of the part in its receipt, or of the call in its step."""

    @property
    def committed(self) -> Committed | None:
        """The work that holds the part; None if its call has not succeeded yet."""
        return self.origin if isinstance(self.origin, Receipt) else self.origin.results.get(self.index)

    @property
    def part(self) -> Part | None:
        """The part itself, if it is known. A stage yields one part for each call."""
        if isinstance(self.origin, Receipt):
            return self.origin.parts[self.index]
        committed = self.committed
        return None if committed is None else committed.parts[0]


class RunEnded(Exception):
    """The run ended before this step did. It is not a fault of the step."""


@dataclass(eq=False)
class StepExecution:
    """One step in execution: a function that is called once for each input. Thread-safe."""

    name: str
    """Label of the step, for people."""
    function: Callable[..., Any]
    """Function of a module, which workers import by its name."""
    argument: str
    """Name of the function's argument that differs from call to call."""
    inputs: Sequence[Any]
    """The value of that argument for each call. A `Shard` stands for its part."""
    constants: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that are the same in every call."""
    rows: int = 0
    """Rows that all calls together work on."""
    is_stage: bool = False
    """Whether each call works one shard. Of its receipt only a `CommittedShard` is kept, as there may be very many."""
    waits_for_server: bool = False
    """Whether calls only wait for a server, so that many of them fit on one core."""

    results: dict[int, Any] = field(default_factory=dict)
    """What calls have returned, by their number; of a stage, a `CommittedShard`."""
    samples: SampleCount = field(default_factory=SampleCount)
    """What became of the samples of all calls."""
    errors: dict[int, BaseException] = field(default_factory=dict)
    """What calls have raised, by their number."""
    error: BaseException | None = None
    """What ended the step: the error of the first call that failed, or that the run has ended."""
    rows_done: int = 0
    """Rows whose receipt is committed."""
    rows_found: int = 0
    """Of these, the rows whose receipt was already in the lake."""
    changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    @property
    def is_done(self) -> bool:
        """Whether every call has ended."""
        return len(self.results) + len(self.errors) == len(self.inputs)

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing to wait for: every call has ended, or one of them has failed for good."""
        return self.is_done or not (self.error is None or self.is_over_budget)

    @property
    def is_over_budget(self) -> bool:
        """Whether the budget ended it. Its other calls go on, because their replies may be paid for already."""
        return isinstance(self.error, BudgetSpent)

    def succeed(self, results: Mapping[int, Any]) -> None:
        """Record what calls have returned."""
        with self.changed:
            for number, result in results.items():
                self.results[number] = CommittedShard.from_receipt(result) if self.is_stage else result
                if isinstance(result, Receipt):
                    self.rows_done += result.rows_in
                    self.rows_found += result.rows_in if result.was_cached else 0
                    self.samples.add(result)
            self.changed.notify_all()

    def fail(self, error: BaseException, *numbers: int) -> None:
        """Record the error of some calls; without any, that the step as a whole cannot go on."""
        with self.changed:
            self.errors.update(dict.fromkeys(numbers, error))
            self.error = self.error or error
            self.changed.notify_all()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the step has ended, or for some seconds; returns whether it has ended."""
        with self.changed:
            return self.changed.wait_for(lambda: self.has_ended, seconds)

    def result_list(self) -> list[Any]:
        """Wait for the end, and return what all calls returned, in their order; raises the first error."""
        while not self.wait(POLL_SECONDS):  # in slices, so that a signal is noticed
            pass
        if self.error is not None:
            raise self.error
        return [self.results[number] for number in range(len(self.inputs))]
