"""One Prefect server for every test of flows, the command in this process, and an undisturbed run to compare with."""

import fcntl
import importlib
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from flows.cli.main import QUIET_ENVIRONMENT, main
from flows.cli.prefect_server import ensure_prefect_server
from infra.lake.store import Store
from tests.support.forks import FORKER_VARIABLE, run_fork_server, start_forked
from tests.support.runs import Command, Lake, Outcome, make_attempts, wait_for_exit, write_jsonl

for _name, _value in QUIET_ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all processes that test."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def _one_server(shared: Path) -> Iterator[str]:
    """The url of the server of all processes that test: the first one starts it, and ends it when nobody uses it.

    The same goes for the process that forks theirs.
    """
    os.environ[FORKER_VARIABLE] = str(shared / "forker")
    told = shared / "api"
    with (shared / "starting").open("w") as starting, (shared / "users").open("w") as users, ExitStack() as at_the_end:

        def last() -> None:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_EX)
            told.unlink()

        fcntl.flock(starting, fcntl.LOCK_EX)
        if not told.exists():
            at_the_end.enter_context(ensure_prefect_server())
            at_the_end.enter_context(run_fork_server(Path(os.environ[FORKER_VARIABLE])))
            at_the_end.callback(last)
            told.write_text(os.environ["PREFECT_API_URL"])
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(starting, fcntl.LOCK_UN)
        yield told.read_text()


@pytest.fixture(scope="session")
def api(shared: Path) -> Iterator[str]:
    """The Prefect server of every run of the session; its url."""
    before = dict(os.environ)
    os.environ["PREFECT_HOME"] = home = str(shared / "prefect")
    os.environ.pop("PREFECT_API_URL", None)
    with _one_server(shared) as url:
        os.environ["PREFECT_API_URL"] = url
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what libraries import is theirs
            for library in ("great_expectations", "prefect", "s3fs"):
                importlib.import_module(library)
        from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

        with temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: home}):
            yield url
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def command(api: str, capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Run the command in this process, under the `ci` profile unless told otherwise."""
    before = dict(os.environ)

    def call(*words: str | Path) -> Outcome:
        os.environ.pop("QUESTMILL_STORE", None)
        os.environ["QUESTMILL_PROFILE"] = "ci"
        capfd.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Outcome(code, *capfd.readouterr())

    yield call
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def baseline(api: str, shared: Path) -> Lake:
    """An undisturbed run over 300 attempts, made once for all processes that test."""
    folder = shared / "baseline"
    folder.mkdir(exist_ok=True)
    path, told = folder / "attempts.jsonl", folder / "outcome.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            write_jsonl(path, make_attempts(300))
            words = ("--input", path, "--store", folder / "lake", "--profile", "ci", "--shard_rows", "64")
            told.write_text(json.dumps(wait_for_exit(start_forked("run", "verify", *words))))
    return Lake(Store(str(folder / "lake")), path, Outcome(*json.loads(told.read_text())))
