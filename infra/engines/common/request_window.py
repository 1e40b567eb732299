"""One window of requests in flight, shared by all shards of a worker: as a reply comes, the next request goes out.

An event loop in a thread of its own sends and receives; shards wait for their replies in threads of theirs, so slow
parsing never holds up sending, and while one shard drains the next one fills the window.
"""

import asyncio
import heapq
import math
import queue
import random
import threading
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from statistics import median
from typing import Any

from schemas.engine import Failure, Reply, Request, Watch
from schemas.errors import EngineError
from schemas.prompts import Sampling

BACKOFF, LONGEST = 0.5, 30.0
"""Seconds: the first wait is drawn from [0, 0.5], the next from [0, 1], at last from [0, 30] (full jitter)."""
CONGESTED = 0.05
"""Share of complaints (429, 503, deadlines) among the replies from which a server counts as congested.

A server that is not congested turns a request down now and then; halving the window each time would empty it.
"""
SLOWER = 4.0
"""Times its best median latency at which a stage's requests count as held up by a queue."""
FADING = 1.25
"""How much worse the best median latency counts with each look at it."""
HEDGE = 3.0
"""Times the 95th percentile of the latency after which a straggler is asked a second time."""
CLOSED = "the engine was closed; the same command continues"
TICK = 0.1
"""Seconds between two looks for stragglers."""


class Passing(Exception):
    """An attempt failed for a reason that may pass."""

    def __init__(
        self, reason: str, error: str, *, after: float | None = None, congested: bool = False, free: bool = False
    ) -> None:
        """`after`: seconds the server wants to be left alone; `free`: no attempt was made, for nobody was there."""
        super().__init__(error)
        self.reason, self.error, self.after, self.congested, self.free = reason, error, after, congested, free


Send = Callable[[Request, Sampling], Awaitable[Reply]]
"""One attempt; raises `Passing`, or `EngineError` where no request can be answered."""


class Limit:
    """How many requests may be in flight: a step more while all is well, a share less under congestion (AIMD)."""

    def __init__(self, floor: int, cap: int) -> None:
        """Begins at `cap`: a window that opens slowly costs every short run its first seconds."""
        self.floor, self.cap, self.slots = min(floor, cap), cap, cap
        self.best: dict[str, float] = {}
        self.complaints, self.seconds = 0, list[tuple[str, float]]()

    def note(self, stage: str, seconds: float, congested: bool) -> None:
        """Learn from one attempt; the window changes at most once in half a windowful of them."""
        self.complaints += congested
        self.seconds.append((stage, seconds))
        if len(self.seconds) < max(32, self.slots // 2):
            return
        share = self.complaints / len(self.seconds)
        if share > CONGESTED:
            self.slots = max(self.floor, int(self.slots * max(0.5, 1 - share)))
        elif self._slower() > SLOWER:
            self.slots = max(self.floor, int(self.slots * 0.8))
        else:
            self.slots = min(self.cap, self.slots + max(1, self.cap // 32))
        self.complaints, self.seconds = 0, []

    def _slower(self) -> float:
        """Median latency over the best one, of the stage where the ratio is least: stages differ, queues do not."""
        ratios = []
        for stage in {stage for stage, _ in self.seconds}:
            typical = median(s for name, s in self.seconds if name == stage)
            # The best one fades: replies that are simply longer now must not keep the window small for good.
            self.best[stage] = min(typical, FADING * self.best.get(stage, typical))
            ratios.append(typical / max(self.best[stage], 0.05))
        return min(ratios)


class _Stream:
    """Where the replies to one shard go: filled by the loop, read by the shard's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, watch: Watch) -> None:
        self.loop, self.watch = loop, watch
        self.ready: queue.SimpleQueue[list[tuple[Request, Reply | None]] | Exception] = queue.SimpleQueue()
        self.arrived: list[tuple[Request, Reply | None]] = []
        self.left = False

    def give(self, request: Request, reply: Reply | None) -> None:
        """Hand over; what arrives in one turn of the loop is handed over at once, for each waking costs 30 us."""
        try:
            if reply is not None:
                self.watch.arrived(request, reply)
        except Exception as error:
            if not self.left:
                self.left = True
                self.ready.put(error)
        if self.left:
            return
        if not self.arrived:
            self.loop.call_soon(self._flush)
        self.arrived.append((request, reply))

    def _flush(self) -> None:
        self.ready.put(self.arrived)
        self.arrived = []


class _Job:
    """A request on its way."""

    __slots__ = ("allowed", "attempts", "began", "done", "hedged", "request", "sampling", "stream", "tasks")

    def __init__(self, request: Request, sampling: Sampling, stream: _Stream) -> None:
        self.request, self.sampling, self.stream = request, sampling, stream
        self.attempts, self.began = 0, 0.0
        self.allowed = self.hedged = self.done = False
        self.tasks: set[asyncio.Task[None]] = set()


class Window:
    """At most `limit.slots` requests in flight, whoever asks."""

    def __init__(self, send: Send, limit: Limit, *, deadline: float, attempts: int) -> None:
        """`deadline`: seconds for one attempt; `attempts`: of one request before it fails."""
        self.send, self.limit, self.deadline, self.attempts = send, limit, deadline, attempts
        self.waiting: deque[_Job] = deque()
        self.flying: set[_Job] = set()
        self.streams: set[_Stream] = set()
        self.entering, self.entered_by, self.room = threading.Lock(), 0, threading.Event()
        self.room.set()
        self.latencies: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=256))
        self.hedges, self.closed = 0, False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._live, name="window", daemon=True)
        self.thread.start()

    def enter(self) -> None:
        """Wait until less than a windowful waits: a shard that comes sooner would only take memory.

        One shard enters at a time; the next one may when this one streams or leaves.
        """
        self.entering.acquire()
        self.entered_by = threading.get_ident()
        self.room.wait()

    def leave(self) -> None:
        """Let the next shard enter, if this thread has kept it from that."""
        if self.entered_by == threading.get_ident():
            self.entered_by = 0
            self.entering.release()

    def stream(self, requests: Sequence[Request], sampling: Sampling, watch: Watch) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator.stream`."""
        stream, owed = _Stream(self.loop, watch), len(requests)
        jobs = [_Job(request, sampling, stream) for request in requests]
        self.room.clear()
        try:
            if self.closed:
                raise EngineError(CLOSED)
            self.loop.call_soon_threadsafe(self._enqueue, stream, jobs)
        except RuntimeError:  # its loop was closed between the two lines
            raise EngineError(CLOSED) from None
        finally:
            self.leave()
        try:
            while owed:
                arrived = stream.ready.get()
                if isinstance(arrived, Exception):
                    raise arrived
                owed -= len(arrived)
                yield from ((request, reply) for request, reply in arrived if reply is not None)
        finally:
            stream.left = True

    def run(self, work: Awaitable[Any]) -> Any:
        """Run a coroutine on the loop and wait for it."""

        async def awaited() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result()

    def close(self, last: Callable[[], Awaitable[None]]) -> None:
        """End the loop and its thread, after `last`; whoever still waits is told. May be called twice."""
        if not self.thread.is_alive():
            return

        async def end() -> None:
            self.closed = True
            self._stop(EngineError(CLOSED))
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)
            await last()
            self.loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self.loop)
        self.thread.join()
        self.loop.close()

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(self._look)
        self.loop.run_forever()

    def _enqueue(self, stream: _Stream, jobs: list[_Job]) -> None:
        if self.closed:
            stream.ready.put(EngineError(CLOSED))
            return
        self.streams = {other for other in self.streams if not other.left} | {stream}
        self.waiting.extend(jobs)
        self._pump()

    def _pump(self) -> None:
        """Send what waits, as far as the window is open."""
        while self.waiting and len(self.flying) < self.limit.slots:
            job = self.waiting.popleft()
            if job.stream.left:
                continue
            if not job.allowed and (allowed := job.stream.watch.allows()) is not True:
                if allowed is None:
                    self.waiting.appendleft(job)
                    self.loop.call_later(TICK, self._pump)  # what it waits for may be in flight elsewhere
                    break
                job.stream.give(job.request, None)
                continue
            job.allowed = True
            self.flying.add(job)
            job.began, job.hedged = self.loop.time(), False
            self._start(job)
        if len(self.waiting) < self.limit.slots:
            self.room.set()

    def _start(self, job: _Job) -> None:
        task = self.loop.create_task(self._attempt(job))
        job.tasks.add(task)
        task.add_done_callback(job.tasks.discard)

    async def _attempt(self, job: _Job) -> None:
        began = self.loop.time()
        try:
            async with asyncio.timeout(self.deadline):
                reply = await self.send(job.request, job.sampling)
        except TimeoutError:
            late = Passing("deadline", f"no reply within {self.deadline:g} s", congested=True)
            self._fail(job, late, self.loop.time() - began)
        except Passing as passing:
            self._fail(job, passing, self.loop.time() - began)
        except EngineError as error:
            self._stop(error)
        except Exception as error:
            self._fail(job, Passing("failed", f"{type(error).__name__}: {error}"), self.loop.time() - began)
        else:
            self._settle(job, reply, self.loop.time() - began)

    def _settle(self, job: _Job, reply: Reply, seconds: float) -> None:
        if job.done:
            return
        job.done = True
        self._end(job)
        self.latencies[job.request.prompt.stage].append(seconds)
        self.limit.note(job.request.prompt.stage, seconds, congested=False)
        if isinstance(reply, Failure):
            reply = reply._replace(attempts=job.attempts + 1)
        job.stream.give(job.request, reply)
        self._pump()

    def _fail(self, job: _Job, outcome: Passing, seconds: float) -> None:
        """Count an attempt that failed, and try again later, unless its twin is still on the way."""
        if outcome.congested:
            self.limit.note(job.request.prompt.stage, seconds, congested=True)
        job.tasks.discard(asyncio.current_task())  # an attempt is a task
        if job.tasks or job.done:
            return
        self._end(job)
        job.attempts += not outcome.free
        if job.attempts >= self.attempts:
            job.done = True
            job.stream.give(job.request, Failure(outcome.reason, outcome.error, job.attempts))
        else:
            wait = random.uniform(0, min(LONGEST, BACKOFF * 2 ** max(0, job.attempts - 1)))
            self.loop.call_later(wait + (outcome.after or 0.0), self._again, job)
        self._pump()

    def _again(self, job: _Job) -> None:
        self.waiting.appendleft(job)
        self._pump()

    def _end(self, job: _Job) -> None:
        self.flying.discard(job)
        for task in job.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _stop(self, error: EngineError) -> None:
        """Nobody can be answered: tell every stream, and cancel what is on the way."""
        for job in list(self.flying):
            self._end(job)
        self.waiting.clear()
        self.room.set()
        for stream in self.streams:
            if not stream.left:
                stream.left = True
                stream.ready.put(error)

    def _look(self) -> None:
        """Ask stragglers again, once each, when nothing waits and half of the window is empty."""
        self.loop.call_later(TICK, self._look)
        if self.waiting or len(self.flying) >= self.limit.slots / 2:
            return
        now = self.loop.time()
        for job in self.flying:
            if not job.hedged and now - job.began > self._patience(job.request.prompt.stage):
                job.hedged = True
                self.hedges += 1
                self._start(job)

    def _patience(self, stage: str) -> float:
        """Seconds after which a request of this stage is a straggler; without end until some have been answered."""
        known = self.latencies[stage]
        if len(known) < 20:
            return math.inf
        return max(10 * TICK, HEDGE * heapq.nlargest(1 + len(known) // 20, known)[-1])
