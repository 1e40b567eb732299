"""The verify recipe without a scheduler: the functions that workers run, in the flow's order."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from infra import gates
from infra.cluster import worker
from infra.lake import input_files, publish
from infra.lake.store import Store
from schemas.input import Source
from schemas.outcomes import Row
from schemas.receipts import Manifest, Receipt
from schemas.steps import Expectation, Stage
from schemas.tables import attempts, verdicts
from tasks.verification.attach_verdicts import AttachVerdicts

UNIQUE_ROW_IDS = [Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"})]


class Compare(Stage):
    """A verifier for tests: compares texts, and raises on a response of `broken`."""

    table: ClassVar[pa.Schema] = verdicts.VERDICT_SCHEMA

    milliseconds: float = 0.0
    """What each verdict is said to have taken."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row]:
        for row in batch:
            if row["response"] == "broken":
                raise ValueError("cannot be compared")
            yield {
                "row_id": row["row_id"],
                "verdict": "correct" if row["response"] == row["answer"] else "wrong",
                "rule": "identical",
                "found_by": None,
                "gold_parsed": row["answer"],
                "answer_parsed": row["response"],
                "verifier": "test",
                "verifier_version": "1",
                "milliseconds": self.milliseconds,
            }


def make_attempt(number: int, **more: Any) -> Row:
    """An attempt that is right where `number` is even."""
    return {"question": f"{number} + 0?", "response": str(number), "answer": str(number // 2 * 2)} | more


def write_jsonl(path: Path, rows: Sequence[Any]) -> str:
    """Write `read_rows` one a line, and return the path as a flow would take it."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def seed(source: Source, lake: str, reserved: Sequence[str] = ()) -> list[Receipt]:
    """Check every file, then cut each into shards."""
    files = [worker.check_source(url, source, lake) for url in input_files.resolve_globs(source)]
    types = input_files.merge_types(files)
    taken = [*attempts.SCHEMA.names, *reserved]
    return [worker.run_seed(file, types, source, taken, lake) for file in input_files.number_copies(files)]


def run_stage(stage: Stage, tables: list[Receipt], lake: str) -> list[Receipt]:
    """Work every shard of `tables`."""
    return [worker.run_shard(stage, None, table.parts[i], lake) for table in tables for i in range(len(table.parts))]


def verify(source: Source, stage: Stage, lake: str, shard_rows: int = 4) -> Manifest:
    """Seed, verify, merge, gate, publish."""
    attempted = seed(source, lake, verdicts.VERDICT_SCHEMA.names)
    judged = run_stage(stage, attempted, lake)
    verified = worker.run_merge(AttachVerdicts(), [attempted, judged], shard_rows, lake)
    gate = gates.run_gate("verified", UNIQUE_ROW_IDS, [verified], lake)
    assert not gate.details["failed"]
    steps = [attempted, judged, [verified]]
    return publish.run_publish("verified", steps, source.model_dump(mode="json"), gate.details["report"], lake)


def read_rows(store: Store, receipts: Sequence[Receipt]) -> list[Row]:
    """Every kept row of `receipts`."""
    return [row for receipt in receipts for part in receipt.parts for row in store.get(part).to_pylist()]
