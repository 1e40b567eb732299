"""A worker that asks a server about many rows, as a process of its own: what the benchmarks of the window measure.

`python -m tests.bench.support.request_worker '{"url": ..., "lake": ..., "rows": ...}'` prints what it took, as JSON.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pyarrow as pa

from infra import engines
from infra.cluster import budget, worker
from infra.engines import http  # noqa: F401
from infra.lake import reply_journal  # noqa: F401 - a worker has imported them before its first shard
from infra.lake.store import open_store
from schemas.budget import Account, Budget
from schemas.engine import Completion
from schemas.engine_specs import HttpSpec
from schemas.errors import BudgetSpent
from schemas.identity import FrozenModel
from schemas.outcomes import Row
from schemas.prompts import Prompt, Sampling
from tasks.base.ask import Ask


class Job(FrozenModel):
    """What to ask, and where."""

    url: str
    lake: str
    rows: int = 2000
    shard_rows: int = 100
    tasks: int = 32
    """Shards that are asked at a time."""
    slots: int = 256
    deadline: float = 600.0
    blank: bool = False
    """All prompts are the same."""
    tokens: int | None = None
    """Budget."""
    core: int | None = None
    """The only core that this process may use."""
    system: str = "Answer the question."
    temperature: float = 1.0
    model: str = "stub"


class Answer(Ask):
    """One answer a row."""

    table: ClassVar[pa.Schema] = pa.schema(
        [pa.field("row_id", pa.string(), False), pa.field("text", pa.string(), False)]
    )
    role: str | None = "solver"
    blank: bool = False

    def prompt(self, row: Row) -> Prompt:
        return (
            self.make_prompt()
            if self.blank
            else self.make_prompt(question=f"What is {row['number']} and {row['number']}?")
        )

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Row]:
        yield {"row_id": row["row_id"], "text": replies[0].text}


def stage(job: Job) -> Answer:
    """The stage of a job."""
    return Answer(template=job.system, blank=job.blank, sampling=Sampling(temperature=job.temperature, max_tokens=64))


def spec(job: Job) -> HttpSpec:
    """The engine of a job."""
    return HttpSpec(
        kind="http", model=job.model, base_url=(f"{job.url}/v1",), max_in_flight=job.slots, deadline=job.deadline
    )


def work(job: Job) -> dict[str, Any]:
    """Ask about every row; seconds and CPU seconds leave the start of the process out."""
    if job.core is not None:
        os.sched_setaffinity(0, {job.core})
    store = open_store(job.lake)
    account = Account(
        run="bench", budget=Budget(tokens=job.tokens), spent_before=budget.load_earlier_usage(store, "bench")
    )
    blanks = worker.run_empty_rows(job.rows, job.shard_rows, job.lake)
    cpu, began = time.process_time(), time.perf_counter()

    def shard(index: int) -> Any:
        try:
            return worker.run_shard(stage(job), spec(job), blanks.parts[index], job.lake, account)
        except BudgetSpent as error:
            return error

    with ThreadPoolExecutor(job.tasks) as pool:
        done = list(pool.map(shard, range(len(blanks.parts))))
    receipts = [receipt for receipt in done if not isinstance(receipt, BudgetSpent)]
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    engines.unload()
    quarantined: dict[str, int] = {}
    for receipt in receipts:
        for reason, count in receipt.quarantined.items():
            quarantined[reason] = quarantined.get(reason, 0) + count
    return {
        "seconds": seconds,
        "cpu": used,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "kept": sum(receipt.kept for receipt in receipts),
        "quarantined": quarantined,
        "parts": sorted(part.digest for receipt in receipts for part in receipt.parts),
        "spent": budget.load_earlier_usage(store, "bench").tokens,
        "unfinished": len(done) - len(receipts),
    }


if __name__ == "__main__":
    print(json.dumps(work(Job.model_validate_json(sys.argv[1]))))
