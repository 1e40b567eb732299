"""Processes die, and two runs meet: the lake ends as if nothing had happened."""

import contextlib
import functools
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.lake.store import Store
from tests.support.forks import start_forked
from tests.support.runs import Lake, Process, query, start_questmill, wait_for_exit, wait_until

pytestmark = pytest.mark.system

SHARD_ROWS, SHARDS = "16", 19
"""Small shards: many moments at which to die."""


def test_a_run_survives_the_death_of_a_referee_and_of_a_worker(baseline: Lake, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "lake"))
    with _running(baseline, store) as run:
        wait_until(lambda: _receipts(store) >= 2 and _referees(run))
        [referee, *_] = _referees(run)
        worker = referee.parent()
        referee.kill()
        before = _receipts(store)
        wait_until(lambda: _receipts(store) > before)
        assert worker is not None
        worker.kill()
        assert _receipts(store) < SHARDS, "the run was over too soon to show anything"
        outcome = wait_for_exit(run)
    assert outcome.code == 0, outcome.err
    assert len(outcome.err.splitlines()) == 8, (
        "run, read, seed, verify, doubts, their gate, verdicts, gate: a death is no business of the user's"
    )
    _assert_same(store, baseline)


def test_a_run_that_is_killed_five_times_continues_where_it_stopped(baseline: Lake, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "lake"))
    everything = 2 * SHARDS + 10  # an object and a receipt for each shard, then the steps around them
    moments = sorted(random.Random(20261121).sample(range(1, everything), 5))
    # Start-up is most of the time of a killed run, and threads start sooner than processes: each kind is killed.
    for moment, profile in zip(moments, ("ci", "local", "ci", "ci", "ci"), strict=True):
        with _running(baseline, store, {"QUESTMILL_PROFILE": profile}) as run:
            wait_until(functools.partial(_reached, store, moment, run))
            assert run.poll() is None, f"the run ended before file {moment}"
            family = _family(run)
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
            wait_until(functools.partial(_all_dead, family), timeout=20)
    with _running(baseline, store) as run:
        outcome = wait_for_exit(run)
    assert outcome.code == 0, outcome.err
    assert "found done" in outcome.err
    _assert_same(store, baseline)
    assert _leftovers(store) == []


def test_two_runs_started_together_end_as_one_also_as_the_first_two_on_a_machine(
    baseline: Lake, tmp_path: Path
) -> None:
    store = Store(str(tmp_path / "lake"))
    alone = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_API_URL": "", "QUESTMILL_PROFILE": "ci"}
    with (
        _running(baseline, store, alone, start_questmill) as one,
        _running(baseline, store, alone, start_questmill) as other,
    ):
        wait_until(lambda: _servers(one) and _servers(other))
        servers = _servers(one) + _servers(other)
        outcomes = [wait_for_exit(one), wait_for_exit(other)]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes
    assert _all_dead(servers), "a server ends with its run"
    _assert_same(store, baseline)


@contextlib.contextmanager
def _running(
    baseline: Lake, store: Store, env: dict[str, str] | None = None, start: Callable[..., Process] = start_forked
) -> Iterator[Process]:
    """The command of the baseline on another lake, in many small shards; whatever is left of it ends with the test."""
    words = ("run", "verify", "--input", baseline.attempts, "--store", store.url, "--shard_rows", SHARD_ROWS)
    process = start(*words, env=env)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _assert_same(store: Store, baseline: Lake) -> None:
    """One version, with the rows of the undisturbed run: none lost, none twice."""
    manifest = store.datasets.read_manifest("verified")
    assert manifest is not None
    assert manifest.content == baseline.manifest.content
    assert store.datasets.version_history("verified") == [manifest.version]
    assert len([p for p in store.list_paths("datasets/verified") if p.endswith("manifest.json")]) == 1
    assert query(store, "SELECT count(*), count(DISTINCT row_id) FROM verified") == [(297, 297)]
    assert query(store, "SELECT count(*) FROM quarantine") == [(3,)]
    theirs = query(baseline.store, "SELECT row_id, verdict, rule FROM verified")
    assert query(store, "SELECT row_id, verdict, rule FROM verified") == theirs


def _receipts(store: Store) -> int:
    return len(store.list_paths("receipts/verify"))


def _files(store: Store) -> int:
    return len(store.list_paths("objects")) + len(store.list_paths("receipts")) + len(store.list_paths("datasets"))


def _reached(store: Store, moment: int, run: Process) -> bool:
    return _files(store) >= moment or run.poll() is not None


def _leftovers(store: Store) -> list[Path]:
    """Files of published folders that no manifest names."""
    manifest = store.datasets.read_manifest("verified")
    assert manifest is not None
    folder = Path(store.root, "datasets/verified", manifest.version)
    return [p for p in folder.iterdir() if p.name not in (*manifest.files, "manifest.json") and p.name[0] != "."]


def _family(run: Process) -> list[psutil.Process]:
    try:
        return psutil.Process(run.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _referees(run: Process) -> list[psutil.Process]:
    return [p for p in _family(run) if "tasks.verification.math_verify.child" in _words(p)]


def _servers(run: Process) -> list[psutil.Process]:
    return [p for p in _family(run) if "flows.cli.prefect_server" in _words(p)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _all_dead(processes: list[psutil.Process]) -> bool:
    return not any(map(_alive, processes))


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
