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
from schemas.receipts import Spent

EVERY = 0.25
"""Seconds between two reports to the scheduler."""
NOTED = 5.0
"""Seconds between two notes in the store, from which the next start of the run knows what was spent before."""
HANDLER = "questmill_spent"

Report = Callable[[str, str, Spent], Spent]
"""(start of a run, till, spent by this till) -> spent by all tills of the start."""


class Till:
    """Counts what this process spends for one start of a run; safe to use from any thread."""

    def __init__(self, account: Account, store: Store, report: Report) -> None:
        """`report` reaches the scheduler; it may take its time, for it runs in a thread of its own."""
        self.account, self.store, self.report, self.id = account, store, report, uuid.uuid4().hex[:12]
        self.lock = threading.Lock()
        self.own, self.others, self.noted, self.notes = Spent(), Spent(), Spent(), 0
        self.flying, self.answered, self.guess = 0, 0, 1
        self.desks: set[Callable[[], None]] = set()
        """Called now and then, to charge what has no reply to be charged with: GPU time."""
        self.ended = threading.Event()
        threading.Thread(target=self._live, name="till", daemon=True).start()

    def allows(self) -> bool | None:
        """Whether one more request may be sent; None: not before something that is in flight has come back.

        A request that may be sent counts as in flight until `charge` or `release`.
        """
        with self.lock:
            if self.account.budget.limited and not self.account.budget.holds(self._sum() + self._expected(1)):
                return None if self.flying > 0 else False
            self.flying += 1
            return True

    def charge(self, spent: Spent, requests: int = 1) -> None:
        """Count what `requests` requests that were allowed have cost."""
        with self.lock:
            self.own += spent
            self.flying -= requests
            self.answered += requests

    def release(self, requests: int) -> None:
        """These requests were allowed and will not be answered."""
        with self.lock:
            self.flying -= requests

    def expect(self, tokens: int) -> None:
        """The most that a request may cost: what each one counts for until some were answered."""
        with self.lock:
            self.guess = max(self.guess, tokens)

    def spent(self) -> Spent:
        """By the run, as far as this process knows, all its starts together."""
        with self.lock:
            return self._sum()

    def _expected(self, more: int) -> Spent:
        """What is in flight will cost, with `more` requests: as much as the others on the average."""
        flying = max(0, self.flying) + more
        if not self.answered:
            return Spent(completion_tokens=flying * self.guess)
        share = flying / self.answered
        return Spent(completion_tokens=round(self.own.tokens * share), usd=self.own.usd * share)

    def _sum(self) -> Spent:
        return self.account.before + self.others + self.own

    def _live(self) -> None:
        looked = time.monotonic()
        while not self.ended.wait(EVERY):
            # What fails now is done the next time: the cluster is closing, the scheduler or the store is busy.
            with contextlib.suppress(Exception):
                self.sync()
            if time.monotonic() - looked > NOTED:
                looked = time.monotonic()
                with contextlib.suppress(Exception):
                    self.note()

    def sync(self) -> None:
        """Tell the scheduler what was spent and what is in flight, and learn the same of the others."""
        for desk in list(self.desks):
            desk()
        with self.lock:
            told = self.own + self._expected(0)
        everyone = self.report(self.account.start, self.id, told)
        with self.lock:
            self.others = everyone - told

    def note(self) -> None:
        """Write down what was spent since the last note; the next start of the run reads it."""
        with self.lock:
            own, before, number = self.own, self.noted, self.notes
        if own == before:
            return
        path = f"spent/{self.account.run}/{self.id}-{number}.json"
        self.store.write(path, (own - before).model_dump_json().encode())
        with self.lock:
            self.noted, self.notes = own, number + 1


_tills: dict[str, Till] = {}
_lock = threading.Lock()


def till(account: Account, store: Store) -> Till:
    """The till of this process for a start of a run."""
    key = f"{account.model_dump_json()} {store.url}"
    with _lock:
        if key not in _tills:
            _end()
            _tills[key] = Till(account, store, _reporter())
        return _tills[key]


def close() -> None:
    """End the tills of this process, with a last note of what was spent."""
    with _lock:
        _end()


def _end() -> None:
    for old in _tills.values():
        old.ended.set()
        with contextlib.suppress(Exception):
            old.note()
    _tills.clear()


def spent_before(store: Store, run: str) -> Spent:
    """What earlier starts of a run have written down."""
    return sum((Spent.model_validate_json(data) for _, data in store.read_all(f"spent/{run}")), Spent())


def _reporter() -> Report:
    """To the scheduler of the Dask worker that this is; without one, this process is everyone."""
    try:
        from distributed import get_worker

        worker = get_worker()
    except (ImportError, ValueError):
        return lambda start, till, spent: spent

    def report(start: str, till: str, spent: Spent) -> Spent:
        loop = worker.loop.asyncio_loop
        if loop.is_closed():
            raise RuntimeError("the cluster is closed")

        async def ask() -> Any:
            return await getattr(worker.scheduler, HANDLER)(start=start, till=till, spent=spent.model_dump())

        told = asyncio.run_coroutine_threadsafe(ask(), loop).result(timeout=10)
        return Spent(**told)

    return report


def open_counter(dask_scheduler: Any) -> None:
    """Teach a scheduler to add up what the tills of its runs report; runs on the scheduler."""
    totals: dict[str, dict[str, Spent]] = {}

    def add(start: str, till: str, spent: dict[str, Any]) -> dict[str, Any]:
        totals.setdefault(start, {})[till] = Spent(**spent)
        return sum(totals[start].values(), Spent()).model_dump()

    dask_scheduler.handlers.setdefault(HANDLER, add)
