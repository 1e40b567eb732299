"""Checks this machine before a run does. Prints one line for each check; the exit code is 1 if one fails."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Callable

import distributed

from flows.run.options import load_active_profile
from infra.cluster import dask_cluster
from infra.lake.store import open_store
from schemas.errors import BadInput, VerifierBroken
from tasks.verification.code_execution.sandbox import sandbox
from tasks.verification.math_verify import pool

PACKAGES = ("prefect", "distributed", "duckdb", "pyarrow", "great-expectations", "math-verify", "s3fs")


def run_checks() -> int:
    """Run every check. A failing check says what to do, and does not stop the others."""
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "packages": lambda: ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES),
        "cores": lambda: f"{len(os.sched_getaffinity(0))} usable",
        "gpu": _check_gpu,
        "store": _check_store,
        "cluster": _check_cluster,
        "verifier": _check_verifier,
        "sandbox": _check_sandbox,
    }
    failed = 0
    for name, check in checks.items():
        try:
            print(f"ok    {name:<9} {check()}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAIL  {name:<9} {error}", flush=True)
    return 1 if failed else 0


def _check_gpu() -> str:
    if shutil.which("nvidia-smi") is None:
        return "none (nothing needs one)"
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return "; ".join(completed.stdout.splitlines()) or f"nvidia-smi finds none: {completed.stderr.strip()}"


def _check_store() -> str:
    store = open_store(load_active_profile().store)
    if not store.check(write=True):
        return f"{store.url} ignores exclusive create: if two runs write at once, the last wins; both are valid"
    return f"{store.url} is reachable and honours exclusive create"


def _check_cluster() -> str:
    with (
        dask_cluster.open_cluster(load_active_profile()) as address,
        distributed.Client(address, timeout="30s") as client,
    ):
        client.submit(os.getpid, pure=False).result(timeout=60)
        if hazard := dask_cluster.hazard(client):
            raise BadInput(hazard)
        workers = client.scheduler_info(n_workers=-1)["workers"]
        return f"{len(workers)} workers, {sum(w['nthreads'] for w in workers.values())} threads, one task done"


def _check_verifier() -> str:
    version, milliseconds = pool.check_health()
    return f"{version}, all canaries judged correctly in {milliseconds:,.0f} ms"


def _check_sandbox() -> str:
    try:
        return (
            f"programs are contained by seccomp and Landlock, all canaries passed in {sandbox.check_health():,.0f} ms"
        )
    except VerifierBroken as error:  # only `Execute` needs it
        return f"cannot run programs: {error}"
