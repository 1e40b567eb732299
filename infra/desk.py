"""An engine as one shard sees it: what was answered is not asked again, what arrives is written down and paid for."""

import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from infra.engines.window import Window
from infra.journal import Journal
from infra.till import Till
from schemas.engine import Completion, Failure, Prompt, Reply, Request, Sampling, Watch
from schemas.errors import BudgetSpent
from schemas.work import Spent

MILLION = 1_000_000
NOBODY = Watch()


class Meter:
    """Shares the GPU time of this process out among the shards that use it at once."""

    def __init__(self) -> None:
        self.lock, self.since, self.users = threading.Lock(), 0.0, dict[int, tuple[int, float]]()

    def enter(self, user: int, gpus: int) -> None:
        """From now on `user` keeps `gpus` GPUs busy, with whoever else does."""
        with self.lock:
            self._share()
            self.users[user] = (gpus, 0.0)

    def leave(self, user: int) -> float:
        """GPU seconds of `user` since it entered."""
        with self.lock:
            self._share()
            return self.users.pop(user, (0, 0.0))[1]

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
        self.spent = Spent()
        """For this shard, replies of earlier starts included: what its rows have cost."""

    def __enter__(self) -> "Desk":
        """Waits until the engine has use for another shard."""
        if self.window is not None:
            self.window.enter()
        METER.enter(id(self), getattr(self.spec, "gpus", 0))
        self.known = self.journal.replies()
        self.spent = sum((self._price(list(each.values())) for each in self.known.values()), Spent())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.window is not None:
            self.window.leave()
        used = Spent(gpu_seconds=METER.leave(id(self)))
        self.spent += used
        self.till.charge(used, 0)
        self.till.note()
        self.journal.close()

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, watch: Watch = NOBODY
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator`. Raises `BudgetSpent` after the last reply that could be paid."""
        whole = {request.row: request for request in requests}
        owed = [missing for request in requests if (missing := self._missing(request)).seeds]
        asked = {request.row for request in owed}
        for row in whole.keys() - asked:
            yield whole[row], self._found(whole[row])
        for request, reply in self.engine.stream(owed, sampling, self):
            asked.discard(request.row)
            yield whole[request.row], reply if isinstance(reply, Failure) else self._found(whole[request.row])
        if asked:
            raise BudgetSpent(f"the budget is spent ({self.till.spent()}); {len(asked):,} rows of this shard are owed")

    def score(self, prompts: Sequence[Prompt]) -> list[float]:
        """See `schemas.engine.Scorer`."""
        if not self.till.allows():
            raise BudgetSpent(
                f"the budget is spent ({self.till.spent()}); {len(prompts):,} rows of this shard are owed"
            )
        scores: list[float] = self.engine.score(prompts)
        self.till.charge(Spent())
        return scores

    def close(self) -> None:
        """The engine is not this shard's to close."""

    def allows(self) -> bool:
        """See `Watch`."""
        return self.till.allows()

    def arrived(self, request: Request, reply: Reply) -> None:
        """See `Watch`: written down first, then counted."""
        if isinstance(reply, Failure):
            self.till.charge(Spent())
            return
        samples = dict(zip(request.sampled(), reply, strict=True))
        self.journal.add(request.row, samples)
        self.known.setdefault(request.row, {}).update(samples)
        cost = self._price(reply)
        self.spent += cost
        self.till.charge(cost)

    def _missing(self, request: Request) -> Request:
        """The samples of `request` that nobody has answered yet."""
        known = self.known.get(request.row, {})
        owed = [(j, seed) for j, seed in zip(request.sampled(), request.seeds, strict=True) if j not in known]
        return request._replace(seeds=tuple(seed for _, seed in owed), samples=tuple(j for j, _ in owed))

    def _found(self, request: Request) -> list[Completion]:
        return [self.known[request.row][j] for j in request.sampled()]

    def _price(self, replies: Sequence[Completion]) -> Spent:
        """Of the samples of one request; its prompt is read once."""
        asked, written = replies[0].prompt_tokens, sum(reply.completion_tokens for reply in replies)
        usd = asked * self.spec.usd_per_million_in + written * self.spec.usd_per_million_out
        return Spent(prompt_tokens=asked, completion_tokens=written, usd=usd / MILLION)
