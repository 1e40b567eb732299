"""Drops the near-duplicates of `template_questions`, as a run with workers or in this process alone.

`python -m tests.bench.support.deduplicate_questions ROWS PARTITION_ROWS LAKE` writes `ROWS` questions to a lake and
drops near-duplicates with all workers; `python -m tests.bench.support.deduplicate_questions LAKE` does so in this
process alone, for questions that are in the lake. Both print a `Found`, as JSON.
"""

import os
import resource
import sys
import time

from flows.cli.main import QUIET_ENVIRONMENT
from flows.cli.prefect_server import ensure_prefect_server
from infra.cluster import worker
from infra.lake.store import open_store
from schemas.identity import FrozenModel
from schemas.receipts import Part
from tasks.dedup.near import DropNearDuplicates

SHARD_ROWS = 2048
"""Questions of a shard."""


class Found(FrozenModel):
    """What the merge returned, and what it took."""

    parts: tuple[Part, ...]
    rejected: dict[str, int]
    seconds: float
    peak: float = 0.0
    """MiB of this process."""


def deduplicate_alone(lake: str) -> Found:
    """The same merge of the questions of a lake in this process."""
    questions = [r for r in open_store(lake).read_receipts() if r.step == "write_template_questions"]
    started = time.monotonic()
    receipt = worker.run_merge(DropNearDuplicates(partition_rows=sys.maxsize), [questions], SHARD_ROWS, lake)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Found(parts=receipt.parts, rejected=receipt.rejected, seconds=time.monotonic() - started, peak=peak)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(deduplicate_alone(sys.argv[1]).model_dump_json())
    else:
        os.environ |= QUIET_ENVIRONMENT | {"QUESTMILL_STORE": sys.argv[3]}
        drop = DropNearDuplicates(partition_rows=int(sys.argv[2]))
        with ensure_prefect_server() as server_used:
            from tests.bench.support.template_questions import Deduplication, deduplicate

            server_used.set()
            print(deduplicate(Deduplication(rows=int(sys.argv[1]), drop=drop)).model_dump_json())
