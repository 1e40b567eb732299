"""The till: what a run has spent, known to every worker before it asks for more.

Each worker process reports its own sum to the scheduler a few times a second and learns the sum of all. In between it
counts what it has in flight as if it were spent already, so a budget is passed by one window at most.
"""

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from infra.store import Store
from schemas.budget import Account
from schemas.work import Spent

EVERY = 0.25
"""Seconds between two reports to the scheduler."""
NOTED = 5.0
"""Seconds between two notes in the store, from which the next start of the run knows what was spent before."""
HANDLER = "questmill_spent"

Report = Callable[[str, str, Spent], Spent]
"""(run, till, spent by this till) -> spent by all tills of the run."""


class Till:
    """Counts what this process spends for one run; safe to use from any thread."""

    def __init__(self, account: Account, store: Store, report: Report) -> None:
        """`report` reaches the scheduler; it may take its time, for it runs in a thread of its own."""
        self.account, self.store, self.report, self.id = account, store, report, uuid.uuid4().hex[:12]
        self.lock = threading.Lock()
        self.own, self.others, self.noted, self.notes = Spent(), Spent(), Spent(), 0
        self.flying, self.answered = 0, 0
        self.ended = threading.Event()
        threading.Thread(target=self._live, name="till", daemon=True).start()

    def allows(self) -> bool:
        """Whether one more request may be sent; where it may, it counts as in flight until `charge`."""
        with self.lock:
            if self.account.budget.limited and not self.account.budget.holds(self._sum() + self._expected()):
                return False
            self.flying += 1
            return True

    def charge(self, spent: Spent, requests: int = 1) -> None:
        """Count what `requests` requests that were allowed have cost."""
        with self.lock:
            self.own += spent
            self.flying = max(0, self.flying - requests)
            self.answered += requests

    def spent(self) -> Spent:
        """By the run, as far as this process knows, all its starts together."""
        with self.lock:
            return self._sum()

    def _expected(self) -> Spent:
        """What is in flight will cost, with one request more: as much as the others on the average."""
        share = (self.flying + 1) / max(1, self.answered)
        return Spent(completion_tokens=max(1, round(self.own.tokens * share)), usd=self.own.usd * share)

    def _sum(self) -> Spent:
        return self.account.before + self.others + self.own

    def _live(self) -> None:
        looked = time.monotonic()
        while not self.ended.wait(EVERY):
            self.sync()
            if time.monotonic() - looked > NOTED:
                looked = time.monotonic()
                self.note()

    def sync(self) -> None:
        """Tell the scheduler, and learn what the others have spent. What cannot be told now is told next time."""
        with self.lock:
            own = self.own
        try:
            everyone = self.report(self.account.run, self.id, own)
        except Exception:  # the cluster is closing, or the scheduler is busy: the sum grows on
            return
        with self.lock:
            self.others = everyone - own

    def note(self) -> None:
        """Write down what was spent since the last note."""
        with self.lock:
            own, before = self.own, self.noted
            self.noted, self.notes = own, self.notes + (own != before)
            number = self.notes
        if own == before:
            return
        self.store.write(f"spent/{self.account.run}/{self.id}-{number}.json", (own - before).model_dump_json().encode())


_tills: dict[str, Till] = {}
_lock = threading.Lock()


def till(account: Account, store: Store) -> Till:
    """The till of this process for a start of a run."""
    with _lock:
        key = f"{account.run} {account.before} {account.budget} {store.url}"
        if key not in _tills:
            for old in _tills.values():
                old.ended.set()
            _tills.clear()
            _tills[key] = Till(account, store, _reporter())
        return _tills[key]


def spent_before(store: Store, run: str) -> Spent:
    """What earlier starts of a run have written down."""
    total = Spent()
    for path in store.paths(f"spent/{run}"):
        total += Spent.model_validate_json(store.read(path) or b"{}")
    return total


def _reporter() -> Report:
    """To the scheduler of the Dask worker that this is; without one, this process is everyone."""
    try:
        from distributed import get_worker

        worker = get_worker()
    except (ImportError, ValueError):
        return lambda run, till, spent: spent

    def report(run: str, till: str, spent: Spent) -> Spent:
        async def ask() -> Any:
            return await getattr(worker.scheduler, HANDLER)(run=run, till=till, spent=spent.model_dump())

        told = asyncio.run_coroutine_threadsafe(ask(), worker.loop.asyncio_loop).result(timeout=10)
        return Spent(**told)

    return report


def open_counter(dask_scheduler: Any) -> None:
    """Teach a scheduler to add up what the tills of its runs report; runs on the scheduler."""
    totals: dict[str, dict[str, Spent]] = {}

    def add(run: str, till: str, spent: dict[str, Any]) -> dict[str, Any]:
        totals.setdefault(run, {})[till] = Spent(**spent)
        return sum(totals[run].values(), Spent()).model_dump()

    dask_scheduler.handlers.setdefault(HANDLER, add)
