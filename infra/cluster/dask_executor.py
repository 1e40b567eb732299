"""Executes steps on Dask: submits their calls in a moving frame and collects what they return.

A call whose input is the output of an unfinished call is submitted as its dependent, so the next step begins while
this one still works. Only a frame of calls is at Dask at a time, and a call that has ended leaves nothing there.
"""

import threading
import time
import uuid
from contextlib import suppress
from typing import Any

import distributed

from infra.cluster import budget, dask_cluster
from infra.cluster.step_call import pack_call, run_call
from infra.cluster.step_execution import POLL_SECONDS, RunEnded, Shard, StepExecution
from schemas.errors import QuestmillError
from schemas.receipts import Receipt

LEAST_FRAME = 256
"""Fewest calls of a step that are at Dask at a time, as far as there are so many."""
FRAME_PER_THREAD = 4
"""Calls of a step at Dask for each thread of the cluster: one at work, the others ready to follow at once."""
REFILL_SHARE = 8
"""A frame is filled up when an eighth of it is free: one message with many tasks costs less than many messages."""
LOOK_SECONDS, BRIEF_LOOK_SECONDS = 0.1, 0.005
"""Most and fewest seconds between two looks at the calls at Dask. One message fetches all that ended in between; one
for each call would cost more than a small shard itself."""
MESSAGE_SECONDS = 0.02
"""Seconds between two messages of a worker to the scheduler. Dask's 2 ms make a message of each small shard, which
costs worker and scheduler 0.5 ms."""
FEW_CALLS = 16
"""So few calls are looked at often, at first, because whoever waits for the step may wait for one of them."""
QUIET_SHARE = 0.05
"""Share of the time without an ended call after which few calls are looked at again."""
THREAD_COUNT_SECONDS = 10.0
"""Seconds for which the number of the cluster's threads is remembered; workers may join."""
CONNECTION_LOST = "the connection to Dask's scheduler was lost; the same command continues where it stopped"

Ended = tuple["_SubmittedStep", int, distributed.Future]


class _SubmittedStep:
    """A step with its place among the steps of the run and its calls that are at Dask."""

    def __init__(self, step: StepExecution, number: int, stall_seconds: float) -> None:
        self.step, self.number = step, number
        self.packed = pack_call(step, stall_seconds)
        self.key = f"{step.name}-{uuid.uuid4().hex}"
        """Prefix of the keys of its tasks. Never derived from content: Dask would return results of a deleted lake."""
        self.next = 0
        """Number of the first call that was not submitted."""
        self.futures: dict[int, distributed.Future] = {}
        """Futures of the calls that are at Dask."""


class BatchMessages(distributed.WorkerPlugin):
    """Makes workers report shards together that end within `MESSAGE_SECONDS`; one that ends alone is not delayed."""

    name = "questmill-batch-messages"

    def setup(self, worker: distributed.Worker) -> None:
        """Set the pause between two messages to the scheduler, for which Dask has no setting."""
        worker.batched_stream.interval = MESSAGE_SECONDS


class DaskExecutor:
    """Executes the steps of one run on a Dask cluster. Later steps go first, so that begun shards are finished."""

    def __init__(self, client: distributed.Client, stall_seconds: float = 0.0) -> None:
        """`stall_seconds`: after so many seconds without progress a call is reported; 0: never."""
        self.client, self.stall_seconds = client, stall_seconds
        client.run_on_scheduler(budget.register_usage_handler)
        client.register_plugin(BatchMessages())
        self.resources = dask_cluster.list_resources(client)
        self.steps: dict[StepExecution, _SubmittedStep] = {}
        self.lock = threading.RLock()
        self.woken = threading.Event()
        """Set when a step was added or the executor is closed."""
        self.last_ended = time.monotonic()
        """When a call ended or a step was added, in seconds of the monotonic clock."""
        self.is_closed = threading.Event()
        self.frame, self.frame_valid_until = LEAST_FRAME, 0.0
        self.thread = threading.Thread(target=self._run, name="steps", daemon=True)
        self.thread.start()

    def execute(self, step: StepExecution) -> None:
        """Begin a step. Returns at once; its results arrive in `step`."""
        with self.lock:
            submitted = self.steps[step] = _SubmittedStep(step, len(self.steps), self.stall_seconds)
            self.last_ended = time.monotonic()
            try:
                self._fill(submitted)
            except Exception as error:
                step.fail(error)
                raise
        self.woken.set()

    def wait(self) -> None:
        """Wait until every step has ended, as far as the budget allows."""
        for step in list(self.steps):
            while not step.wait(POLL_SECONDS):  # in slices, so that a signal is noticed
                pass

    def close(self) -> None:
        """End the steps that have not ended: their calls are cancelled, and whoever waits for them is told."""
        self.is_closed.set()
        self.woken.set()
        self.thread.join()
        with self.lock:
            left = [future for submitted in self.steps.values() for future in submitted.futures.values()]
            for submitted in self.steps.values():
                submitted.futures.clear()
                if not submitted.step.has_ended:
                    submitted.step.fail(RunEnded("the run has ended"))
        if left:
            with suppress(Exception):  # the scheduler may be gone
                self.client.cancel(left, force=True, reason="the run has ended")

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self.is_closed.is_set():
            try:
                self._collect(self._find_ended())  # no name here holds a future: Dask keeps what is held
                self._refresh_frame()
                with self.lock:
                    for submitted in list(self.steps.values()):
                        self._fill(submitted)
            except Exception as error:  # of Dask; nobody else would ever hear of it
                for submitted in list(self.steps.values()):
                    if not submitted.step.has_ended:
                        submitted.step.fail(error)
            self.woken.wait(self._seconds_to_next_look())
            self.woken.clear()

    def _find_ended(self) -> list[Ended]:
        """The calls that have ended. A look costs next to nothing; Dask's own callbacks take a thread's turn each."""
        with self.lock:
            return [
                (submitted, number, future)
                for submitted in self.steps.values()
                for number, future in submitted.futures.items()
                if future.done()
            ]

    def _seconds_to_next_look(self) -> float | None:
        """None while no call is at Dask."""
        with self.lock:
            calls = sum(len(submitted.futures) for submitted in self.steps.values())
        if not calls:
            return None
        if calls > FEW_CALLS:
            return LOOK_SECONDS
        return min(LOOK_SECONDS, max(BRIEF_LOOK_SECONDS, QUIET_SHARE * (time.monotonic() - self.last_ended)))

    def _collect(self, batch: list[Ended]) -> None:
        """Fetch results and errors of calls that have ended, record them, and let Dask forget them."""
        if not batch:
            return
        self.last_ended = time.monotonic()
        finished = {(s, number): future for s, number, future in batch if future.status == "finished"}
        results = self.client.gather(finished, errors="skip") if finished else {}
        returned: dict[_SubmittedStep, dict[int, Any]] = {}
        for submitted, number, future in batch:
            if (submitted, number) in finished and future.status == "finished":
                returned.setdefault(submitted, {})[number] = results[submitted, number]
            else:
                submitted.step.fail(_error_of(future), number)
        for submitted, by_number in returned.items():
            submitted.step.succeed(by_number)
        with self.lock:
            for submitted, number, _ in batch:
                submitted.futures.pop(number, None)

    def _refresh_frame(self) -> None:
        if time.monotonic() > self.frame_valid_until:
            self.frame = max(LEAST_FRAME, FRAME_PER_THREAD * sum(self.client.nthreads().values()))
            self.frame_valid_until = time.monotonic() + THREAD_COUNT_SECONDS

    def _fill(self, submitted: _SubmittedStep) -> None:
        """Submit calls of a step until its frame is full, or up to an input that was not submitted yet."""
        step, total = submitted.step, len(submitted.step.inputs)
        room = self.frame - len(submitted.futures)
        if submitted.next == total or step.has_ended or (room < self.frame // REFILL_SHARE):
            return
        given: dict[int, Any] = {}
        while len(given) < room and submitted.next < total:
            value = step.inputs[submitted.next]
            if isinstance(value, Shard) and (origin := self._running_origin(value)) is not None:
                if value.index in origin.step.errors or _never_submits(origin, value.index):
                    step.fail(origin.step.errors.get(value.index) or _first_error(origin.step), submitted.next)
                    submitted.next += 1
                    if step.has_ended:
                        return
                    continue
                if value.index >= origin.next:
                    break
                value = origin.futures[value.index]
            elif isinstance(value, Shard):
                value = value.part
            given[submitted.next] = value
            submitted.next += 1
        if given:
            self._submit(submitted, given)

    def _running_origin(self, shard: Shard) -> _SubmittedStep | None:
        """The step that has yet to yield a shard; None if its part is known."""
        if isinstance(shard.origin, Receipt) or shard.index in shard.origin.results:
            return None
        return self.steps[shard.origin]

    def _submit(self, submitted: _SubmittedStep, given: dict[int, Any]) -> None:
        kind = dask_cluster.ASK_RESOURCE if submitted.step.waits_for_server else dask_cluster.COMPUTE_RESOURCE
        futures = self.client.map(
            run_call,
            list(given.values()),
            [submitted.packed] * len(given),  # as a keyword Dask would name a large one alike in all steps
            key=[(submitted.key, number) for number in given],
            pure=False,
            priority=submitted.number,
            resources={kind: 1} if kind in self.resources else None,
        )
        submitted.futures.update(zip(given, futures, strict=True))


def _never_submits(origin: _SubmittedStep, number: int) -> bool:
    return origin.step.has_ended and number >= origin.next


def _first_error(step: StepExecution) -> BaseException:
    return step.error or RunEnded(f"step {step.name} has ended")


def _error_of(future: distributed.Future) -> BaseException:
    """The error of a call that ended without a result, with the traceback of the worker."""
    if future.status == "error":
        error = future.exception()
        assert isinstance(error, BaseException)
        return error.with_traceback(future.traceback())
    return QuestmillError(CONNECTION_LOST)
