"""A run with nothing to do is found out from the lake alone; a run with anything to do is a flow and does that."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.cli import launch
from flows.run import dry_run
from infra.lake.dry_store import LISTED_FROM
from infra.lake.store import Store
from tests.support.forks import start_forked
from tests.support.gateway import gateway
from tests.support.runs import (
    ROOT,
    TIMEOUT_SECONDS,
    Command,
    Lake,
    make_attempts,
    wait_until,
    write_jsonl,
)

HEAVY = ("prefect", "distributed", "dask", "great_expectations", "pandas")
SHOW_MODULES = f"""
import sys
from flows.cli.main import main
code = main(sys.argv[1:])
print("imported", *sorted(set({HEAVY}) & set(sys.modules)))
sys.exit(code)
"""


@pytest.fixture
def lake(baseline: Lake, tmp_path: Path) -> Store:
    """A copy of the lake of a run that is done."""
    return Store(shutil.copytree(baseline.store.url, str(tmp_path / "lake")))


@pytest.fixture
def again(baseline: Lake, lake: Store, command: Command) -> Callable[..., Any]:
    """The same command on the copy."""
    words = ("run", "verify", "--input", baseline.attempts, "--store", lake.url, "--shard_rows", "64")
    return lambda *more: command(*words, *more)


@pytest.fixture
def flows_started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the flows that were started; it grows."""
    started, run_flow = [], launch._run_flow
    monkeypatch.setattr(launch, "_run_flow", lambda flow, recipe: started.append(flow.name) or run_flow(flow, recipe))
    return started


def records(store: Store) -> list[tuple[str, dict[str, Any]]]:
    """Events of all starts with what they tell, without times."""
    return [
        (path.rpartition("/")[2], json.loads(data) | {"time": ""})
        for path, data in sorted(store.read_all("runs"), key=lambda record: record[0])
    ]


def read_progress(err: str) -> list[tuple[str, ...]]:
    """Each step with its rows that are done, its rows, and its rows that were found done."""
    lines = re.findall(r"^([a-z_]+) +([0-9,]+) / ([0-9,]+) rows(?:, ([0-9,]+) found done)?", err, re.MULTILINE)
    return [tuple(line) for line in lines]


def others(store: Store) -> list[str]:
    return [path for path in store.list_paths("") if not path.startswith("runs/")]


def test_nothing_to_do_needs_no_prefect_no_dask_and_no_great_expectations(baseline: Lake, lake: Store) -> None:
    words = ("run", "verify", "--input", baseline.attempts, "--store", lake.url, "--shard_rows", "64")
    env = os.environ | {"QUESTMILL_PROFILE": "local", "PREFECT_API_URL": "http://127.0.0.1:1/api"}
    before, first = others(lake), records(lake)
    done = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES, *map(str, words)],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    *out, modules = done.stdout.splitlines()
    assert modules == "imported"
    assert [line.replace(baseline.store.url, lake.url) for line in baseline.outcome.out.splitlines()] == out
    assert others(lake) == before
    assert records(lake) == first * 2, "a record of its own, with the same words"


def test_it_tells_and_records_what_a_flow_that_finds_everything_done_does(
    again: Any, lake: Store, flows_started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = len(records(lake))
    dry = again()
    assert flows_started == []
    monkeypatch.setattr(launch, "is_recipe", lambda flow: False)
    full = again()
    assert flows_started == ["verify"]
    assert dry == full and dry.code == 0
    assert records(lake)[first : 2 * first] == records(lake)[2 * first :]


def test_it_makes_its_version_the_current_one_again(again: Any, lake: Store, flows_started: list[str]) -> None:
    current = lake.datasets.current_version("verified")
    lake.write("datasets/verified/other/manifest.json", b"{}")
    lake.datasets.set_current("verified", "other")
    assert again().code == 0
    assert flows_started == [] and lake.datasets.version_history("verified") == [current, "other", current]


@pytest.mark.system
@pytest.mark.parametrize(
    ("folder", "redone"),
    [
        ("receipts/seed", ["seed"]),
        (
            "receipts/verify",
            ["verify", "gold_doubts", "attach_verdicts", "gate"],
        ),  # new milliseconds are new bytes
        ("receipts/attach_verdicts", ["attach_verdicts"]),
        ("receipts/gate", ["gate"]),
        ("inputs", []),
        ("contents", []),
        ("datasets/verified", []),
        ("reports/verified", []),
    ],
)
def test_what_is_missing_is_done_and_nothing_else(
    again: Any, lake: Store, baseline: Lake, flows_started: list[str], folder: str, redone: list[str]
) -> None:
    before = others(lake)
    missing = next(path for path in lake.list_paths(folder) if path.endswith((".json", ".html")) or "." not in path)
    Path(lake.locate(missing)).unlink()
    done = again()
    assert done.code == 0, done.err
    assert flows_started == ["verify"]
    assert set(before) <= set(others(lake)) and (len(redone) > 1 or others(lake) == before)
    assert [step for step, *counts in read_progress(done.err) if len({*counts}) > 1] == redone
    assert again().code == 0 and flows_started == ["verify"], "now there is nothing to do"


@pytest.mark.system
def test_a_step_that_is_to_be_redone_is_owed_once(again: Any, lake: Store, flows_started: list[str]) -> None:
    receipts = len(lake.list_paths("receipts/verify"))
    assert again("--redo", "verify").code == 0
    assert flows_started == ["verify"] and len(lake.list_paths("receipts/verify")) == 2 * receipts
    assert again("--redo", "verify").code == 0
    assert again("--on-changed-code", "stop").code == 0
    assert flows_started == ["verify"]
    assert again("--redo", "nothing").code == 2


def test_a_gate_that_stopped_the_run_stops_it_again_with_the_same_words(
    command: Command, tmp_path: Path, flows_started: list[str]
) -> None:
    rows = [{"question": "?", "response": "A: 1", "answer": None}] * 5
    words = ("run", "verify", "--input", write_jsonl(tmp_path / "a.jsonl", rows), "--store", tmp_path / "lake")
    first, second = command(*words), command(*words)
    assert flows_started == ["verify"]
    assert (first.code, first.out) == (second.code, second.out) == (3, "")
    assert second.err.splitlines()[-1] == first.err.splitlines()[-1]
    events = records(Store(str(tmp_path / "lake")))
    assert events[:2] == events[2:] and [event for event, _ in events[:2]] == ["ended.json", "started.json"]


def test_an_error_on_the_way_is_left_to_the_flow(
    again: Any, lake: Store, flows_started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = len(records(lake))
    monkeypatch.setattr(dry_run.HeldBackProgress, "add_step", lambda self, step: 1 / 0)
    done = again()
    assert (done.code, flows_started) == (0, ["verify"])
    assert done.err.count("run ") == 1, "nothing was told twice"
    assert len(records(lake)) == 2 * first


@pytest.mark.system
def test_a_run_that_was_killed_goes_on_and_then_has_nothing_to_do(
    baseline: Lake, command: Command, tmp_path: Path, flows_started: list[str]
) -> None:
    store = Store(str(tmp_path / "lake"))
    words = ("run", "verify", "--input", baseline.attempts, "--store", store.url, "--shard_rows", "16")
    process = start_forked(*words, env={"QUESTMILL_PROFILE": "ci"})
    wait_until(lambda: store.list_paths("receipts/verify"))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(store.list_paths("receipts/verify")) < 19
    assert command(*words).code == 0 and flows_started == ["verify"]
    found = store.datasets.read_manifest("verified")
    assert found is not None and found.content == baseline.manifest.content
    assert command(*words).code == 0 and flows_started == ["verify"]


@pytest.mark.system
def test_receipts_of_a_lake_in_a_bucket_are_listed_once_for_each_step(
    s3_server: str,
    s3_lake: str,
    command: Command,
    tmp_path: Path,
    flows_started: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shards = 16
    path = write_jsonl(tmp_path / "a.jsonl", make_attempts(2 * shards + 3))
    with gateway(s3_server) as gate:
        monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
        words = ("run", "verify", "--input", path, "--store", s3_lake, "--shard_rows", "2")
        first = command(*words)
        asked: list[str] = []
        gate.meanwhile = asked.append
        second = command(*words)
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert first.out == second.out and flows_started == ["verify"]
    listings = [request for request in asked if "receipts%2Fverify" in request and ".json" not in request]
    read = [request for request in asked if request.startswith("GET") and "/receipts/verify/" in request]
    assert len(listings) == 1
    assert shards <= len(read) <= shards + LISTED_FROM, "few ask for what the listing would show to be missing"
