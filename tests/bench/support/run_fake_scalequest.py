"""A run of ScaleQuest on a fake engine: `python -m tests.bench.support.run_fake_scalequest ROWS SHARD_ROWS LAKE`.

It prints as JSON how many messages Dask's scheduler has sent, and how many seconds the flow took.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from flows.cli.main import QUIET_ENVIRONMENT
from flows.cli.prefect_server import ensure_prefect_server

SAMPLE_SECONDS = 0.2


class MessageCount:
    """Counts the messages between Dask's scheduler of this process and its workers and clients."""

    def __init__(self) -> None:
        self.sent: dict[int, int] = {}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def stop(self) -> int:
        """Messages that the scheduler has sent so far."""
        self.ended.set()
        self.thread.join()
        return sum(self.sent.values())

    def _watch(self) -> None:
        from distributed.scheduler import Scheduler

        while not self.ended.wait(SAMPLE_SECONDS):
            for scheduler in list(Scheduler._instances):
                for stream in [*scheduler.stream_comms.values(), *scheduler.client_comms.values()]:
                    self.sent[id(stream)] = stream.message_count


if __name__ == "__main__":
    rows, shard_rows, lake = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.environ |= QUIET_ENVIRONMENT | {"QUESTMILL_STORE": lake}
    with ensure_prefect_server() as server_used:
        from flows.scalequest import ScaleQuest, scalequest
        from tests.bench.support.fake_scalequest import (
            FakeFailRate,
            FakeJudgeSolvable,
            FakeScoreAnswer,
            FakeSolve,
            FakeWriteQuestion,
        )

        server_used.set()
        recipe = ScaleQuest(
            questions=rows,
            shard_rows=shard_rows,
            synthesize=FakeWriteQuestion(),
            solvable=FakeJudgeSolvable(),
            fail_rate=FakeFailRate(),
            solve=FakeSolve(),
            reward=FakeScoreAnswer(),
        )
        messages, started = MessageCount(), time.monotonic()
        manifest = scalequest(recipe)
        seconds = time.monotonic() - started
        steps = [step.model_dump(mode="json") for step in manifest.ledger]
        Path(lake, "run.json").write_text(
            json.dumps({"seconds": seconds, "messages": messages.stop(), "rows": manifest.rows, "steps": steps})
        )
