"""What Prefect knows of a run: one task for each step, with its state and its reason, and nothing of shards."""

import asyncio
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from schemas.arrow import required
from schemas.errors import EngineError
from schemas.identity import FrozenModel
from schemas.outcomes import Row
from schemas.steps import Stage
from tests.support.runs import Command, wait_until


class Number(Stage):
    """Numbers rows again; fails or is slow where it is told to."""

    table = pa.schema([required("row_id", pa.string()), required("number", pa.int64())])
    seconds: float = 0.0
    fails_at: int = -1

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row]:
        time.sleep(self.seconds)
        for row in batch:
            if row["number"] == self.fails_at:
                raise EngineError("no server answers")
            yield {"row_id": row["row_id"], "number": row["number"]}


class Recipe(FrozenModel):
    """Numbers that pass two steps."""

    first: Number = Number()
    name: str


Steps = Callable[[Number], tuple[str, dict[str, Any]]]


@pytest.fixture
def run_steps(api: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Run the recipe; returns the state of the flow and the task runs by name."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter

    from flows.run.dask_runner import dask_runner
    from flows.run.run import Run

    monkeypatch.setenv("QUESTMILL_PROFILE", "ci")
    monkeypatch.setenv("QUESTMILL_STORE", str(tmp_path / "lake"))

    def call(first: Number) -> tuple[str, dict[str, Any]]:
        name = f"steps-{uuid.uuid4().hex}"

        @flow(name=name, task_runner=dask_runner)
        def steps(recipe: Recipe) -> object:
            run = Run.open(recipe)
            return run.publish("numbers", run.map(Number(), run.map(recipe.first, run.empty_rows(20, 1))))

        async def read() -> tuple[Any, list[Any]]:
            only = FlowFilter.model_validate({"name": {"any_": [name]}})
            async with get_client() as client:
                [flow_run] = await client.read_flow_runs(flow_filter=only)
                return flow_run, await client.read_task_runs(flow_filter=only)

        try:
            steps(Recipe(first=first, name=name))
        except (Exception, KeyboardInterrupt) as error:
            told = f"{type(error).__name__}: {error}"
        else:
            told = ""
        wait_until(lambda: all(run.state.is_final() for run in asyncio.run(read())[1]), 20)
        flow_run, runs = asyncio.run(read())
        return f"{flow_run.state.name} {told}".strip(), {run.name: run.state for run in runs}

    return call


def test_a_step_is_one_task_whose_end_says_how_many_rows_it_did(run_steps: Steps) -> None:
    flow_state, tasks = run_steps(Number())
    assert flow_state == "Completed"
    assert set(tasks) == {"empty_rows", "number", "publish numbers", "report numbers"}
    assert {state.name for state in tasks.values()} == {"Completed"}
    assert tasks["number"].message.startswith("20 / 20 rows")


def test_a_step_turns_red_with_the_reason_of_its_first_shard(run_steps: Steps) -> None:
    flow_state, tasks = run_steps(Number(fails_at=7))
    assert flow_state == "Failed EngineError: no server answers"
    assert tasks["number"].name == "Failed" and "no server answers" in tasks["number"].message
    assert tasks["empty_rows"].name == "Completed" and "publish numbers" not in tasks


def test_an_interrupt_cancels_the_steps_and_hangs_nowhere(run_steps: Steps) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        started = time.monotonic()
        flow_state, tasks = run_steps(Number(seconds=1.0))
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - started < 12
    assert flow_state.startswith("Crashed KeyboardInterrupt")
    assert (tasks["number"].name, tasks["number"].message) == ("Cancelled", "the run has ended")


@pytest.mark.system
def test_workers_know_nothing_of_prefect_and_great_expectations(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect import flow
    from prefect.context import FlowRunContext

    from flows.run.dask_runner import DaskRunner, dask_runner
    from flows.run.run import Run
    from flows.verify import Verification
    from schemas.tables import attempts, verdicts
    from tasks.verification.attach_verdicts import AttachVerdicts
    from tests.support.runs import make_attempts, write_jsonl

    monkeypatch.setenv("QUESTMILL_PROFILE", "local")
    monkeypatch.setenv("QUESTMILL_STORE", str(tmp_path / "lake"))
    path = write_jsonl(tmp_path / "attempts.jsonl", make_attempts(40))

    def imported() -> list[str]:
        import sys

        return sorted({"prefect", "flows", "great_expectations"} & set(sys.modules))

    @flow(name="ignorant", task_runner=dask_runner)
    def ignorant(recipe: Verification) -> Any:
        run = Run.open(recipe)
        attempted = run.seed(recipe, reserved=verdicts.VERDICT_SCHEMA.names)
        verified = run.map(recipe.answer_match, attempted)
        run.gate("verified", attempts.expectations(), run.merge(AttachVerdicts(), attempted, verified))
        context = FlowRunContext.get()
        assert context is not None and isinstance(context.task_runner, DaskRunner)
        return context.task_runner.client.run(imported)

    found = ignorant(Verification(input=(str(path),), shard_rows=10))
    assert len(found) == 2 and list(found.values()) == [[], []]
