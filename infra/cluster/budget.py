"""The till: what a run has spent, known to every worker before it asks for more.

Each worker process reports its own sum to the scheduler a few times a second and learns the sum of all. In between it
counts what it has in flight as if it were spent already, so a budget is passed by a window of each worker at most.
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
"""Seconds between two notes in the store, from which the next start of the run knows what was spent before."""
USAGE_HANDLER = "questmill_spent"

ReportUsage = Callable[[str, str, Usage], Usage]
"""(start of a run, till, spent by this till) -> spent by all tills of the start."""


class BudgetTracker:
    """Counts what this process spends for one start of a run; safe to use from any thread."""

    def __init__(self, account: Account, store: Store, report_usage: ReportUsage) -> None:
        """`report_usage` reaches the scheduler; it may take its time, for it runs in a thread of its own."""
        self.account, self.store, self.report_usage, self.id = account, store, report_usage, uuid.uuid4().hex[:12]
        self.lock = threading.Lock()
        self.local_usage, self.remote_usage, self.saved_usage, self.checkpoint_count = Usage(), Usage(), Usage(), 0
        self.in_flight, self.answer_count, self.estimate = 0, 0, 1
        self.gpu_meters: set[Callable[[], None]] = set()
        """Called now and then, to charge what has no reply to be charged with: GPU time."""
        self.stop_event = threading.Event()
        threading.Thread(target=self._run, name="till", daemon=True).start()

    def may_send(self) -> bool | None:
        """Whether one more request may be sent; None: not before something that is in flight has come back.

        A request that may be sent counts as in flight until `record_usage` or `cancel`.
        """
        with self.lock:
            if self.account.budget.has_limit and not self.account.budget.covers(
                self._sum_usage() + self._estimate_in_flight(1)
            ):
                return None if self.in_flight > 0 else False
            self.in_flight += 1
            return True

    def record_usage(self, usage: Usage, requests: int = 1) -> None:
        """Count what `requests` requests that were allowed have cost."""
        with self.lock:
            self.local_usage += usage
            self.in_flight -= requests
            self.answer_count += requests

    def cancel(self, requests: int) -> None:
        """These requests were allowed and will not be answered."""
        with self.lock:
            self.in_flight -= requests

    def set_estimate(self, tokens: int) -> None:
        """The most that a request may cost: what each one counts for until some were answered."""
        with self.lock:
            self.estimate = max(self.estimate, tokens)

    def total_usage(self) -> Usage:
        """By the run, as far as this process knows, all its starts together."""
        with self.lock:
            return self._sum_usage()

    def _estimate_in_flight(self, extra_requests: int) -> Usage:
        """What is in flight will cost, with `extra_requests` requests: as much as the others on the average."""
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
            # What fails now is done the next time: the cluster is closing, the scheduler or the store is busy.
            with contextlib.suppress(Exception):
                self.sync()
            if time.monotonic() - last_checkpoint > CHECKPOINT_SECONDS:
                last_checkpoint = time.monotonic()
                with contextlib.suppress(Exception):
                    self.checkpoint()

    def sync(self) -> None:
        """Tell the scheduler what was spent and what is in flight, and learn the same of the others."""
        for charge_gpu_time in list(self.gpu_meters):
            charge_gpu_time()
        with self.lock:
            local_total = self.local_usage + self._estimate_in_flight(0)
        total = self.report_usage(self.account.start_id, self.id, local_total)
        with self.lock:
            self.remote_usage = total - local_total

    def checkpoint(self) -> None:
        """Write down what was spent since the last note; the next start of the run reads it."""
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
    """The till of this process for a start of a run."""
    key = f"{account.model_dump_json()} {store.url}"
    with _lock:
        if key not in _trackers:
            _stop_trackers()
            _trackers[key] = BudgetTracker(account, store, _make_reporter())
        return _trackers[key]


def close_trackers() -> None:
    """End the tills of this process, with a last note of what was spent."""
    with _lock:
        _stop_trackers()


def _stop_trackers() -> None:
    for tracker in _trackers.values():
        tracker.stop_event.set()
        with contextlib.suppress(Exception):
            tracker.checkpoint()
    _trackers.clear()


def load_earlier_usage(store: Store, run: str) -> Usage:
    """What earlier starts of a run have written down."""
    return sum((Usage.model_validate_json(data) for _, data in store.read_all(f"spent/{run}")), Usage())


def _make_reporter() -> ReportUsage:
    """To the scheduler of the Dask worker that this is; without one, this process is everyone."""
    try:
        from distributed import get_worker

        worker = get_worker()
    except (ImportError, ValueError):
        return lambda start, till, spent: spent

    def report(start: str, till: str, spent: Usage) -> Usage:
        loop = worker.loop.asyncio_loop
        if loop.is_closed():
            raise RuntimeError("the cluster is closed")

        async def ask() -> Any:
            return await getattr(worker.scheduler, USAGE_HANDLER)(start=start, till=till, spent=spent.model_dump())

        told = asyncio.run_coroutine_threadsafe(ask(), loop).result(timeout=10)
        return Usage(**told)

    return report


def register_usage_handler(dask_scheduler: Any) -> None:
    """Teach a scheduler to add up what the tills of its runs report; runs on the scheduler."""
    totals: dict[str, dict[str, Usage]] = {}

    def add(start: str, till: str, spent: dict[str, Any]) -> dict[str, Any]:
        totals.setdefault(start, {})[till] = Usage(**spent)
        return sum(totals[start].values(), Usage()).model_dump()

    dask_scheduler.handlers.setdefault(USAGE_HANDLER, add)
