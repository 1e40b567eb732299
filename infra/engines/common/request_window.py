"""Keeps one window of requests in flight for all shards of a worker: each reply makes room for the next request.

An event loop in its own thread sends and receives. Shards wait for their replies in other threads, so slow parsing
never delays sending, and while the last requests of one shard are in flight, the next shard fills the window.
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

from schemas.engine import Failure, Reply, Request, RequestObserver
from schemas.errors import EngineError
from schemas.prompts import Sampling

FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.5, 30.0
"""Seconds: the first wait is drawn from [0, 0.5], the next from [0, 1], the longest from [0, 30] (full jitter)."""
OVERLOAD_SHARE = 0.05
"""Share of overload errors (429, 503, deadlines) among the replies above which a server counts as congested.

Even a server that is not congested rejects a request now and then; halving the window each time would empty it.
"""
SLOWDOWN_FACTOR = 4.0
"""A stage's requests count as queued when their median latency exceeds this multiple of the best median."""
BASELINE_GROWTH = 1.25
"""Factor by which the remembered best median latency grows each time it is used."""
HEDGE_FACTOR = 3.0
"""A straggler is sent a second time after this multiple of the 95th percentile of the latency."""
PAID_ATTEMPTS = 2
"""Attempts of one request that may end with a reply that was paid for and cannot be read."""
CLOSED_MESSAGE = "the engine was closed; the same command continues"
TICK_SECONDS = 0.1
"""Seconds between two checks for stragglers."""


class RetryableError(Exception):
    """An attempt failed for a reason that may be temporary."""

    def __init__(
        self,
        reason: str,
        error: str,
        *,
        retry_after: float | None = None,
        overloaded: bool = False,
        not_counted: bool = False,
        is_paid: bool = False,
    ) -> None:
        """`retry_after`: seconds to wait, as the server asks; `not_counted`: does not count as an attempt; `is_paid`:
        the server did its work, so that at most `PAID_ATTEMPTS` are made."""
        super().__init__(error)
        self.reason, self.error, self.retry_after = reason, error, retry_after
        self.overloaded, self.not_counted, self.is_paid = overloaded, not_counted, is_paid


Sender = Callable[[Request, Sampling], Awaitable[Reply]]
"""Makes one attempt; raises `RetryableError`, or `EngineError` if no request at all can be answered."""


class ConcurrencyLimit:
    """How many requests may be in flight: grows by a fixed step, shrinks by a share under congestion (AIMD)."""

    def __init__(self, minimum: int, maximum: int) -> None:
        """Start at `maximum`: opening the window slowly would cost every short run its first seconds."""
        self.minimum, self.maximum, self.size = min(minimum, maximum), maximum, maximum
        self.best_latencies: dict[str, float] = {}
        self.overloads, self.latencies = 0, list[tuple[str, float]]()

    def record(self, stage: str, seconds: float, overloaded: bool) -> None:
        """Take one attempt into account; the limit changes at most once per half a window of attempts."""
        self.overloads += overloaded
        self.latencies.append((stage, seconds))
        if len(self.latencies) < max(32, self.size // 2):
            return
        share = self.overloads / len(self.latencies)
        if share > OVERLOAD_SHARE:
            self.size = max(self.minimum, int(self.size * max(0.5, 1 - share)))
        elif self._measure_slowdown() > SLOWDOWN_FACTOR:
            self.size = max(self.minimum, int(self.size * 0.8))
        else:
            self.size = min(self.maximum, self.size + max(1, self.maximum // 32))
        self.overloads, self.latencies = 0, []

    def _measure_slowdown(self) -> float:
        """Return the least ratio, over all stages, of median latency to best median: a queue slows down every stage."""
        ratios = []
        for stage in {stage for stage, _ in self.latencies}:
            typical = median(s for name, s in self.latencies if name == stage)
            # The best median grows over time, so that replies which are simply longer now do not keep the window small.
            self.best_latencies[stage] = min(typical, BASELINE_GROWTH * self.best_latencies.get(stage, typical))
            ratios.append(typical / max(self.best_latencies[stage], 0.05))
        return min(ratios)


class _ReplyStream:
    """A queue of the replies to one shard: the loop fills it, the shard's thread reads it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, observer: RequestObserver) -> None:
        self.loop, self.observer = loop, observer
        self.ready: queue.SimpleQueue[list[tuple[Request, Reply | None]] | Exception] = queue.SimpleQueue()
        self.undelivered: list[tuple[Request, Reply | None]] = []
        self.is_abandoned = False

    def deliver(self, request: Request, reply: Reply | None) -> None:
        """Queue a reply. Replies of one turn of the loop are delivered together, because each wake-up costs 30 us."""
        try:
            if reply is not None:
                self.observer.on_reply(request, reply)
        except Exception as error:
            if not self.is_abandoned:
                self.is_abandoned = True
                self.ready.put(error)
        if self.is_abandoned:
            return
        if not self.undelivered:
            self.loop.call_soon(self._flush)
        self.undelivered.append((request, reply))

    def _flush(self) -> None:
        self.ready.put(self.undelivered)
        self.undelivered = []


class _PendingRequest:
    """A request that waits or is in flight, with its attempts so far."""

    __slots__ = (
        *("allowed", "attempts", "done", "hedged", "paid_attempts", "request", "sampling", "started_at", "stream"),
        "tasks",
    )

    def __init__(self, request: Request, sampling: Sampling, stream: _ReplyStream) -> None:
        self.request, self.sampling, self.stream = request, sampling, stream
        self.attempts, self.paid_attempts, self.started_at = 0, 0, 0.0
        self.allowed = self.hedged = self.done = False
        self.tasks: set[asyncio.Task[None]] = set()


class RequestWindow:
    """Sends the requests of all shards, with at most `limit.size` in flight at once."""

    def __init__(self, send: Sender, limit: ConcurrencyLimit, *, deadline: float, max_attempts: int) -> None:
        """`deadline`: seconds for one attempt; `max_attempts`: attempts of one request before it fails."""
        self.send, self.limit, self.deadline, self.max_attempts = send, limit, deadline, max_attempts
        self.waiting: deque[_PendingRequest] = deque()
        self.in_flight: set[_PendingRequest] = set()
        self.streams: set[_ReplyStream] = set()
        self.admission_lock, self.admitted_thread, self.has_space = threading.Lock(), 0, threading.Event()
        self.has_space.set()
        self.latencies: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=256))
        self.hedge_count, self.closed = 0, False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run_loop, name="window", daemon=True)
        self.thread.start()

    def admit(self) -> None:
        """Wait until fewer requests than one window are waiting: a shard admitted sooner would only take memory.

        One shard is admitted at a time; the next one follows once this one calls `stream` or `release`.
        """
        self.admission_lock.acquire()
        self.admitted_thread = threading.get_ident()
        self.has_space.wait()

    def release(self) -> None:
        """Let the next shard in, if this thread holds the admission lock."""
        if self.admitted_thread == threading.get_ident():
            self.admitted_thread = 0
            self.admission_lock.release()

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, observer: RequestObserver
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator.stream`."""
        stream, remaining = _ReplyStream(self.loop, observer), len(requests)
        jobs = [_PendingRequest(request, sampling, stream) for request in requests]
        self.has_space.clear()
        try:
            if self.closed:
                raise EngineError(CLOSED_MESSAGE)
            self.loop.call_soon_threadsafe(self._enqueue, stream, jobs)
        except RuntimeError:  # the loop was closed between the two lines
            raise EngineError(CLOSED_MESSAGE) from None
        finally:
            self.release()
        try:
            while remaining:
                batch = stream.ready.get()
                if isinstance(batch, Exception):
                    raise batch
                remaining -= len(batch)
                yield from ((request, reply) for request, reply in batch if reply is not None)
        finally:
            stream.is_abandoned = True

    def run_coroutine(self, work: Awaitable[Any]) -> Any:
        """Run a coroutine on the loop and wait for it."""

        async def awaited() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result()

    def close(self, finalize: Callable[[], Awaitable[None]]) -> None:
        """End the loop and its thread after `finalize`; waiting shards get an `EngineError`. May be called twice."""
        if not self.thread.is_alive():
            return

        async def end() -> None:
            self.closed = True
            self._abort(EngineError(CLOSED_MESSAGE))
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)
            await finalize()
            self.loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self.loop)
        self.thread.join()
        self.loop.close()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(self._tick)
        self.loop.run_forever()

    def _enqueue(self, stream: _ReplyStream, jobs: list[_PendingRequest]) -> None:
        if self.closed:
            stream.ready.put(EngineError(CLOSED_MESSAGE))
            return
        self.streams = {other for other in self.streams if not other.is_abandoned} | {stream}
        self.waiting.extend(jobs)
        self._send_waiting()

    def _send_waiting(self) -> None:
        """Send waiting requests while the window has space."""
        while self.waiting and len(self.in_flight) < self.limit.size:
            job = self.waiting.popleft()
            if job.stream.is_abandoned:
                continue
            if not job.allowed and (allowed := job.stream.observer.may_send()) is not True:
                if allowed is None:
                    self.waiting.appendleft(job)
                    # The budget may be waiting for requests that another engine has in flight.
                    self.loop.call_later(TICK_SECONDS, self._send_waiting)
                    break
                job.stream.deliver(job.request, None)
                continue
            job.allowed = True
            self.in_flight.add(job)
            job.started_at, job.hedged = self.loop.time(), False
            self._start_attempt(job)
        if len(self.waiting) < self.limit.size:
            self.has_space.set()

    def _start_attempt(self, job: _PendingRequest) -> None:
        task = self.loop.create_task(self._attempt(job))
        job.tasks.add(task)
        task.add_done_callback(job.tasks.discard)

    async def _attempt(self, job: _PendingRequest) -> None:
        started_at = self.loop.time()
        try:
            async with asyncio.timeout(self.deadline):
                reply = await self.send(job.request, job.sampling)
        except TimeoutError:
            too_late = RetryableError("deadline", f"no reply within {self.deadline:g} s", overloaded=True)
            self._fail(job, too_late, self.loop.time() - started_at)
        except RetryableError as error:
            self._fail(job, error, self.loop.time() - started_at)
        except EngineError as error:
            self._abort(error)
        except Exception as error:
            self._fail(job, RetryableError("failed", f"{type(error).__name__}: {error}"), self.loop.time() - started_at)
        else:
            self._complete(job, reply, self.loop.time() - started_at)

    def _complete(self, job: _PendingRequest, reply: Reply, seconds: float) -> None:
        if job.done:
            return
        job.done = True
        self._remove(job)
        self.latencies[job.request.prompt.stage].append(seconds)
        self.limit.record(job.request.prompt.stage, seconds, overloaded=False)
        if isinstance(reply, Failure):
            reply = reply._replace(attempts=job.attempts + 1)
        job.stream.deliver(job.request, reply)
        self._send_waiting()

    def _fail(self, job: _PendingRequest, error: RetryableError, seconds: float) -> None:
        """Count a failed attempt and retry later, unless a second attempt at the request is still in flight."""
        if error.overloaded:
            self.limit.record(job.request.prompt.stage, seconds, overloaded=True)
        job.tasks.discard(asyncio.current_task())  # this attempt
        if job.tasks or job.done:
            return
        self._remove(job)
        job.attempts += not error.not_counted
        job.paid_attempts += error.is_paid
        if job.attempts >= self.max_attempts or job.paid_attempts >= PAID_ATTEMPTS:
            job.done = True
            job.stream.deliver(job.request, Failure(error.reason, error.error, job.attempts))
        else:
            wait = random.uniform(0, min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** max(0, job.attempts - 1)))
            self.loop.call_later(wait + (error.retry_after or 0.0), self._requeue, job)
        self._send_waiting()

    def _requeue(self, job: _PendingRequest) -> None:
        self.waiting.appendleft(job)
        self._send_waiting()

    def _remove(self, job: _PendingRequest) -> None:
        self.in_flight.discard(job)
        for task in job.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _abort(self, error: EngineError) -> None:
        """Give up on all requests: pass `error` to every stream, and cancel what is in flight."""
        for job in list(self.in_flight):
            self._remove(job)
        self.waiting.clear()
        self.has_space.set()
        for stream in self.streams:
            if not stream.is_abandoned:
                stream.is_abandoned = True
                stream.ready.put(error)

    def _tick(self) -> None:
        """Send stragglers a second time, once each, when no request waits and half of the window is empty."""
        self.loop.call_later(TICK_SECONDS, self._tick)
        if self.waiting or len(self.in_flight) >= self.limit.size / 2:
            return
        now = self.loop.time()
        for job in self.in_flight:
            if not job.hedged and now - job.started_at > self._straggler_seconds(job.request.prompt.stage):
                job.hedged = True
                self.hedge_count += 1
                self._start_attempt(job)

    def _straggler_seconds(self, stage: str) -> float:
        """Seconds after which a request of this stage is a straggler; infinite until 20 have been answered."""
        latencies = self.latencies[stage]
        if len(latencies) < 20:
            return math.inf
        return max(10 * TICK_SECONDS, HEDGE_FACTOR * heapq.nlargest(1 + len(latencies) // 20, latencies)[-1])
