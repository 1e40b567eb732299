"""An engine as one shard sees it: what was answered is not asked again, what arrives is written down and paid for."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from infra.cluster.budget import Till
from infra.engines.common.request_window import Window
from infra.lake.reply_journal import Journal
from schemas.engine import UNWATCHED, Completion, Failure, Reply, Request, Watch
from schemas.errors import BudgetSpent, QuestmillError
from schemas.prompts import Sampling
from schemas.receipts import Spent

MILLION = 1_000_000


class Meter:
    """Shares the GPU time of this process out among the shards that use it at once."""

    def __init__(self) -> None:
        self.lock, self.since, self.users = threading.Lock(), 0.0, dict[int, tuple[int, float]]()

    def enter(self, user: int, gpus: int) -> None:
        """From now on `user` keeps `gpus` GPUs busy, with whoever else does."""
        with self.lock:
            self._share()
            self.users[user] = (gpus, 0.0)

    def take(self, user: int) -> float:
        """GPU seconds of `user` since it entered or since the last time."""
        with self.lock:
            self._share()
            gpus, seconds = self.users.get(user, (0, 0.0))
            if user in self.users:
                self.users[user] = (gpus, 0.0)
            return seconds

    def leave(self, user: int) -> float:
        """The same, for the last time."""
        seconds = self.take(user)
        with self.lock:
            self.users.pop(user, None)
        return seconds

    def _share(self) -> None:
        now = time.monotonic()
        for user, (gpus, seconds) in self.users.items():
            self.users[user] = (gpus, seconds + gpus * (now - self.since) / len(self.users))
        self.since = now


METER = Meter()


class Desk(Watch):
    """`Generator` and `Scorer` for one shard, open for as long as it is asked."""

    def __init__(self, engine: Any, spec: Any, journal: Journal, till: Till) -> None:
        """`spec` is the engine's: it holds the prices."""
        self.engine, self.spec, self.journal, self.till = engine, spec, journal, till
        self.window: Window | None = getattr(engine, "window", None)
        self.known: dict[str, dict[int, Completion]] = {}
        self.failed: dict[str, Failure] = {}
        self.allowed = 0
        """Requests that may be sent and were not answered yet."""
        self.spent = Spent()
        """For this shard, replies of earlier starts included: what its rows have cost."""

    def __enter__(self) -> "Desk":
        """Waits until the engine has use for another shard."""
        if self.window is not None:
            self.window.enter()
        try:
            self.known = self.journal.replies()
        except BaseException:
            self._leave()
            raise
        self.spent = sum((self._price(list(each.values())) for each in self.known.values()), Spent())
        METER.enter(id(self), getattr(self.spec, "gpus", 0))
        self.till.desks.add(self._settle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        self.till.desks.discard(self._settle)
        self._charge_gpu(METER.leave(id(self)))
        self.till.release(self.allowed)
        try:
            self.till.note()
        finally:
            try:
                self.journal.close()
            except QuestmillError:
                if error is None:  # else it would hide what the shard has failed with
                    raise

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, watch: Watch = UNWATCHED
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator`. Raises `BudgetSpent` after the last reply that could be paid."""
        self.till.expect(sampling.max_tokens * sampling.n)
        yield from self._once(requests, lambda owed: self.engine.stream(owed, sampling, self))

    def rate(self, requests: Sequence[Request], watch: Watch = UNWATCHED) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`; paid for, written down and limited like every other request."""
        yield from self._once(requests, lambda owed: self.engine.rate(owed, self))

    def close(self) -> None:
        """The engine is not this shard's to close."""

    def _once(
        self, requests: Sequence[Request], ask: Callable[[list[Request]], Iterator[tuple[Request, Reply]]]
    ) -> Iterator[tuple[Request, Reply]]:
        """Ask about what nobody has answered or refused yet, and yield all."""
        whole = {request.row: request for request in requests}
        owed = [self._missing(request) for request in requests if request.row not in self.failed]
        owed = [request for request in owed if request.seeds]
        asked = {request.row for request in owed}
        for row in [row for row in whole if row not in asked]:
            yield whole[row], self.failed.get(row) or self._found(whole[row])
        for request, reply in ask(owed):
            asked.discard(request.row)
            yield whole[request.row], reply if isinstance(reply, Failure) else self._found(whole[request.row])
        if asked:
            raise BudgetSpent(f"the budget is spent ({self.till.spent()}); {len(asked):,} rows of this shard are owed")

    def _leave(self) -> None:
        if self.window is not None:
            self.window.leave()

    def _settle(self) -> None:
        self._charge_gpu(METER.take(id(self)))

    def _charge_gpu(self, seconds: float) -> None:
        if seconds:
            used = Spent(gpu_seconds=seconds)
            self.spent += used
            self.till.charge(used, 0)

    def allows(self) -> bool | None:
        """See `Watch`."""
        allowed = self.till.allows()
        self.allowed += bool(allowed)
        return allowed

    def arrived(self, request: Request, reply: Reply) -> None:
        """See `Watch`: written down first, then counted."""
        self.allowed -= 1
        if isinstance(reply, Failure):
            self.failed[request.row] = reply
            self.till.charge(Spent())
            return
        cost = self._price(reply)
        self.till.charge(cost)
        self.spent += cost
        samples = dict(zip(request.sampled(), reply, strict=True))
        self.journal.add(request.row, samples)
        self.known.setdefault(request.row, {}).update(samples)

    def _missing(self, request: Request) -> Request:
        """The samples of `request` that nobody has answered yet."""
        known = self.known.get(request.row, {})
        owed = [(j, seed) for j, seed in zip(request.sampled(), request.seeds, strict=True) if j not in known]
        return request._replace(seeds=tuple(seed for _, seed in owed), samples=tuple(j for j, _ in owed))

    def _found(self, request: Request) -> list[Completion]:
        return [self.known[request.row][j] for j in request.sampled()]

    def _price(self, replies: Sequence[Completion]) -> Spent:
        """Of some samples of one request."""
        asked = sum(reply.prompt_tokens for reply in replies)
        written = sum(reply.completion_tokens for reply in replies)
        usd = asked * self.spec.usd_per_million_in + written * self.spec.usd_per_million_out
        return Spent(prompt_tokens=asked, completion_tokens=written, usd=usd / MILLION)
