"""Tracks what a run has spent, across all workers, and stops requests that the budget does not cover.

Each worker process reports its own usage to the scheduler a few times a second and gets back the total of all. In
between it counts its requests in flight as spent, so a budget is exceeded by at most one window of each worker.
"""

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from infra.lake.store import Store
from schemas.budget import Account
from schemas.receipts import Usage

SYNC_SECONDS = 0.25
"""Seconds between two reports to the scheduler."""
CHECKPOINT_SECONDS = 5.0
"""Seconds between two checkpoints of the usage in the store, which the next start of the run reads."""
USAGE_HANDLER = "questmill_spent"

ReportUsage = Callable[[str, str, Usage], Usage]
"""(id of a start of a run, id of a tracker, usage of this tracker) -> usage of all trackers of this start."""


class BudgetTracker:
    """Counts what this process spends for one start of a run. Thread-safe."""

    def __init__(self, account: Account, store: Store, report_usage: ReportUsage) -> None:
        """`report_usage` calls the scheduler; it may be slow, because it runs in a thread of its own."""
        self.account, self.store, self.report_usage, self.id = account, store, report_usage, uuid.uuid4().hex[:12]
        self.lock = threading.Lock()
        self.local_usage, self.remote_usage, self.saved_usage, self.checkpoint_count = Usage(), Usage(), Usage(), 0
        self.in_flight, self.answer_count, self.estimate = 0, 0, 1
        self.gpu_meters: set[Callable[[], None]] = set()
        """Called at every report to charge GPU time, which no reply accounts for."""
        self.stop_event = threading.Event()
        threading.Thread(target=self._run, name="budget", daemon=True).start()

    def may_send(self) -> bool | None:
        """Whether one more request may be sent; None: not until a request in flight has been answered.

        After True the request counts as in flight until `record_usage` or `cancel`.
        """
        with self.lock:
            if self.account.budget.has_limit and not self.account.budget.covers(
                self._sum_usage() + self._estimate_in_flight(1)
            ):
                return None if self.in_flight > 0 else False
            self.in_flight += 1
            return True

    def record_usage(self, usage: Usage, requests: int = 1) -> None:
        """Add the usage of `requests` requests, which are no longer in flight."""
        with self.lock:
            self.local_usage += usage
            self.in_flight -= requests
            self.answer_count += requests

    def cancel(self, requests: int) -> None:
        """Remove requests from those in flight: they were allowed but will not be answered."""
        with self.lock:
            self.in_flight -= requests

    def set_estimate(self, tokens: int) -> None:
        """Set the most tokens that a request may cost; those in flight count as much until one is answered."""
        with self.lock:
            self.estimate = max(self.estimate, tokens)

    def total_usage(self) -> Usage:
        """Usage of the run over all its starts, as far as this process knows."""
        with self.lock:
            return self._sum_usage()

    def _estimate_in_flight(self, extra_requests: int) -> Usage:
        """Estimate the usage of the requests in flight and `extra_requests` more, by the average of those answered."""
        in_flight = max(0, self.in_flight) + extra_requests
        if not self.answer_count:
            return Usage(completion_tokens=in_flight * self.estimate)
        share = in_flight / self.answer_count
        return Usage(completion_tokens=round(self.local_usage.tokens * share), usd=self.local_usage.usd * share)

    def _sum_usage(self) -> Usage:
        return self.account.spent_before + self.remote_usage + self.local_usage

    def _run(self) -> None:
        last_checkpoint = time.monotonic()
        while not self.stop_event.wait(SYNC_SECONDS):
            # A failure is retried at the next turn: the cluster may be closing, the scheduler or the store busy.
            with contextlib.suppress(Exception):
                self.sync()
            if time.monotonic() - last_checkpoint > CHECKPOINT_SECONDS:
                last_checkpoint = time.monotonic()
                with contextlib.suppress(Exception):
                    self.checkpoint()

    def sync(self) -> None:
        """Report usage, requests in flight included, to the scheduler, and get that of the other workers."""
        for charge_gpu_time in list(self.gpu_meters):
            charge_gpu_time()
        with self.lock:
            local_total = self.local_usage + self._estimate_in_flight(0)
        total = self.report_usage(self.account.start_id, self.id, local_total)
        with self.lock:
            self.remote_usage = total - local_total

    def checkpoint(self) -> None:
        """Write the usage since the last checkpoint to the store; the next start of the run reads it."""
        with self.lock:
            usage, saved, number = self.local_usage, self.saved_usage, self.checkpoint_count
        if usage == saved:
            return
        path = f"spent/{self.account.run}/{self.id}-{number}.json"
        self.store.write(path, (usage - saved).model_dump_json().encode())
        with self.lock:
            self.saved_usage, self.checkpoint_count = usage, number + 1


_trackers: dict[str, BudgetTracker] = {}
_lock = threading.Lock()


def tracker_for(account: Account, store: Store) -> BudgetTracker:
    """Return this process's tracker for one start of a run; trackers of other starts are closed."""
    key = f"{account.model_dump_json()} {store.url}"
    with _lock:
        if key not in _trackers:
            _stop_trackers()
            _trackers[key] = BudgetTracker(account, store, _make_reporter())
        return _trackers[key]


def close_trackers() -> None:
    """Stop the trackers of this process, after a last checkpoint of their usage."""
    with _lock:
        _stop_trackers()


def _stop_trackers() -> None:
    for tracker in _trackers.values():
        tracker.stop_event.set()
        with contextlib.suppress(Exception):
            tracker.checkpoint()
    _trackers.clear()


def load_earlier_usage(store: Store, run: str) -> Usage:
    """Sum the usage that earlier starts of a run have checkpointed."""
    return sum((Usage.model_validate_json(data) for _, data in store.read_all(f"spent/{run}")), Usage())


def _make_reporter() -> ReportUsage:
    """Return a function that reports to the Dask worker's scheduler; outside a worker, this process is the total."""
    try:
        from distributed import get_worker

        worker = get_worker()
    except (ImportError, ValueError):
        return lambda start, tracker, spent: spent

    def report(start: str, tracker: str, spent: Usage) -> Usage:
        loop = worker.loop.asyncio_loop
        if loop.is_closed():
            raise RuntimeError("the cluster is closed")

        async def ask() -> Any:
            handler = getattr(worker.scheduler, USAGE_HANDLER)
            return await handler(start=start, tracker=tracker, spent=spent.model_dump())

        total = asyncio.run_coroutine_threadsafe(ask(), loop).result(timeout=10)
        return Usage(**total)

    return report


def register_usage_handler(dask_scheduler: Any) -> None:
    """Make a scheduler add up the usage that trackers report, by start of a run; called on the scheduler."""
    usage_by_tracker: dict[str, dict[str, Usage]] = {}

    def add(start: str, tracker: str, spent: dict[str, Any]) -> dict[str, Any]:
        usage_by_tracker.setdefault(start, {})[tracker] = Usage(**spent)
        return sum(usage_by_tracker[start].values(), Usage()).model_dump()

    dask_scheduler.handlers.setdefault(USAGE_HANDLER, add)
