"""A window of requests over aiohttp and nothing else, as a process of its own: what a run is compared with.

`python -m tests.bench.support.bare_window '{"url": ..., "bodies": ..., "slots": 256}'` prints what it took, as JSON.
"""

import asyncio
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from infra.engines.common.request_window import HEDGE_FACTOR, TICK_SECONDS
from schemas.identity import FrozenModel


class BareJob(FrozenModel):
    """What to send, and how."""

    url: str
    bodies: str
    """File with one body a line."""
    slots: int
    core: int
    """The only core that this process may use."""
    hedges: bool = False
    """Whether stragglers are asked a second time, by the rule of `RequestWindow`."""


class BareWindow:
    """Keeps `slots` requests in flight until all are answered."""

    def __init__(self, job: BareJob, session: aiohttp.ClientSession) -> None:
        self.job, self.session = job, session
        self.waiting: Iterator[bytes] = iter(Path(job.bodies).read_bytes().splitlines())
        self.in_flight: dict[bytes, tuple[float, list[asyncio.Task[None]]]] = {}
        """When each request was sent, and its attempts."""
        self.latencies: deque[float] = deque(maxlen=256)
        self.is_drained = False
        self.ended = asyncio.Event()

    async def run(self) -> None:
        """Send every request and wait for every reply."""
        for _ in range(self.job.slots):
            self._send_next()
        while not self.ended.is_set() and self.job.hedges:
            await asyncio.sleep(TICK_SECONDS)
            self._ask_stragglers()
        await self.ended.wait()

    def _send_next(self) -> None:
        if (body := next(self.waiting, None)) is None:
            self.is_drained = True
            if not self.in_flight:
                self.ended.set()
            return
        attempts: list[asyncio.Task[None]] = []
        self.in_flight[body] = (time.monotonic(), attempts)
        attempts.append(asyncio.create_task(self._attempt(body)))

    async def _attempt(self, body: bytes) -> None:
        began = time.monotonic()
        async with self.session.post(f"{self.job.url}/v1/chat/completions", data=body) as reply:
            await reply.read()
        self.latencies.append(time.monotonic() - began)
        _, attempts = self.in_flight.pop(body)
        for other in attempts:
            if other is not asyncio.current_task():
                other.cancel()
        self._send_next()

    def _ask_stragglers(self) -> None:
        if not self.is_drained or len(self.in_flight) >= self.job.slots / 2 or len(self.latencies) < 20:
            return
        high = sorted(self.latencies)[-1 - len(self.latencies) // 20]
        late = time.monotonic() - max(10 * TICK_SECONDS, HEDGE_FACTOR * high)
        for body, (began, attempts) in list(self.in_flight.items()):
            if began < late and len(attempts) == 1:
                attempts.append(asyncio.create_task(self._attempt(body)))


async def work(job: BareJob) -> float:
    """Send all; returns the seconds of CPU, without the start of the process."""
    cpu = time.process_time()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"Content-Type": "application/json"}) as session:
        await BareWindow(job, session).run()
    return time.process_time() - cpu


if __name__ == "__main__":
    given = BareJob.model_validate_json(sys.argv[1])
    os.sched_setaffinity(0, {given.core})
    print(json.dumps({"cpu": asyncio.run(work(given))}))
