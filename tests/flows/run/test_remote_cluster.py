"""A run on a cluster that somebody else has started says what is wrong with its workers."""

import json
import sys
from pathlib import Path

import distributed
import pytest

from infra.cluster.dask_cluster import FIXED_PYTHON_VERSIONS
from tests.support.elsewhere import running, scheduler
from tests.support.forks import start_forked
from tests.support.runs import make_attempts, wait_for_exit, write_jsonl

__all__ = ["scheduler"]  # a fixture


@pytest.mark.system
@pytest.mark.skipif(
    sys.version_info[:3] >= FIXED_PYTHON_VERSIONS.get(sys.version_info[:2], (0,)), reason="this Python does not hang"
)
def test_a_worker_that_the_profiler_may_hang_is_named_with_the_way_out(
    api: str, scheduler: str, tmp_path: Path
) -> None:
    profile = tmp_path / "elsewhere.toml"
    profile.write_text(f'[cluster]\nkind = "remote"\naddress = {json.dumps(scheduler)}\n')
    words = (
        "run",
        "verify",
        "--input",
        write_jsonl(tmp_path / "few.jsonl", make_attempts(40)),
        "--store",
        tmp_path / "lake",
        "--profile",
        profile,
    )
    with running(["dask", "worker", scheduler, "--nthreads", "2", "--no-dashboard"], tmp_path / "worker"):
        with distributed.Client(scheduler, timeout="60s") as client:
            client.wait_for_workers(1, timeout=60)
        done = wait_for_exit(start_forked(*words))
        looked = wait_for_exit(start_forked("doctor", "--profile", profile))
    assert "FAIL  cluster   worker tcp://127.0.0.1:" in looked.out and looked.code == 1
    assert done.code == 0, done.err
    [warning] = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert warning.startswith("warning: worker tcp://127.0.0.1:") and "(1 in all) may hang for ever" in warning
    assert "start workers with DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False dask worker" in warning
