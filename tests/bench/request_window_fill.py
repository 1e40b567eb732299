"""How full the window is kept: 2,000 requests of very unequal latency, against a bare sliding window over aiohttp."""

import asyncio
import tempfile
import time
from collections.abc import Iterator

import aiohttp
import orjson

from infra.cluster import worker
from infra.engines.common.chat_requests import build_body
from infra.lake.store import open_store
from schemas.engine import Request
from schemas.identity import fingerprint
from tasks.base.ask import derive_seeds
from tests.bench.support.mock_servers import asked, served
from tests.bench.support.request_worker import Job, spec, stage
from tests.bench.support.results import Figure

ROWS, SHARD_ROWS, SLOTS = 2000, 100, 256
LATENCY = {"latency": 0.2, "latency_sigma": 1.0, "latency_cap": 6.0}


def measure() -> Iterator[Figure]:
    """First request to last reply, counted at the server, over the ideal: sum of latencies / slots, or the longest."""
    ratios: dict[str, list[float]] = {"worker": [], "bare": []}
    with served(**LATENCY) as stub:
        for _ in range(2):
            stub.reset()
            latencies = asyncio.run(_bare(stub.url))
            ideal = max(sum(latencies) / SLOTS, *latencies)
            ratios["bare"].append(_span(stub.counts()) / ideal)
            stub.reset()
            with tempfile.TemporaryDirectory() as lake:
                asked(url=stub.url, lake=lake, rows=ROWS, shard_rows=SHARD_ROWS, slots=SLOTS)
            ratios["worker"].append(_span(stub.counts()) / ideal)
    best = {name: min(values) for name, values in ratios.items()}
    note = f"of ideal: worker {best['worker']:.3f}, bare window {best['bare']:.3f}; best of 2 each"
    yield Figure("ratio_to_bare", round(best["worker"] / best["bare"], 3), "x bare", "<= 1.03", note)


def _span(counts: dict[str, float]) -> float:
    return counts["last_reply"] - counts["first_request"]


async def _bare(url: str) -> list[float]:
    """The same requests, `SLOTS` at a time and nothing else; their latencies as seen from here."""
    with tempfile.TemporaryDirectory() as lake:
        job = Job(url=url, lake=lake, rows=ROWS, shard_rows=SHARD_ROWS)
        blanks = worker.run_empty_rows(ROWS, SHARD_ROWS, lake)
        rows = [row for part in blanks.parts for row in open_store(lake).get(part).to_pylist()]
    asks = stage(job)
    key = fingerprint(asks)
    requests = [Request(row["row_id"], asks.prompt(row), derive_seeds(key, row["row_id"], 1)) for row in rows]
    bodies = iter([orjson.dumps(build_body(spec(job), request, asks.sampling, ())) for request in requests])
    latencies: list[float] = []

    async def slot(session: aiohttp.ClientSession) -> None:
        for body in bodies:
            began = time.perf_counter()
            async with session.post(f"{url}/v1/chat/completions", data=body) as reply:
                await reply.read()
            latencies.append(time.perf_counter() - began)

    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:
        await asyncio.gather(*(slot(session) for _ in range(SLOTS)))
    return latencies
