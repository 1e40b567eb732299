"""Prefect's server: the one that is configured, or one of our own that is gone when it is of no use any more."""

import contextlib
import importlib.metadata
import os
import sqlite3
import time
import urllib.request
from pathlib import Path

import pytest

from flows.cli.prefect_server import ensure_prefect_server
from tests.support.runs import TIMEOUT_SECONDS, start_questmill, wait_for_exit

PROFILES = """
active = "mine"
[profiles.mine]
PREFECT_API_URL = "http://mine/api"
[profiles.other]
PREFECT_API_URL = "http://other/api"
[profiles.none]
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    (tmp_path / "prefect").mkdir()
    return tmp_path / "prefect"


def started() -> bool:
    """Whether a server of our own is started."""
    with ensure_prefect_server():
        return "PREFECT_API_URL" in os.environ


def test_the_server_of_the_active_prefect_profile_is_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "profiles.toml").write_text(PROFILES)
    assert not started()
    monkeypatch.setenv("PREFECT_PROFILE", "other")
    assert not started()


def test_without_a_server_that_is_configured_one_is_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "profiles.toml").write_text(PROFILES)
    monkeypatch.setenv("PREFECT_PROFILE", "none")
    assert started()
    (home / "profiles.toml").write_text("active = ")
    assert started()


@pytest.mark.system
def test_a_command_that_fails_before_its_flow_does_not_wait_for_the_server(home: Path) -> None:
    with ensure_prefect_server():
        started_at = time.monotonic()
    assert time.monotonic() - started_at < 2, "it was still importing"
    done = wait_for_exit(start_questmill("run", "verify", "--typo", "x", env={"QUESTMILL_PROFILE": "ci"}))
    assert (done.code, done.out) == (2, "")
    assert "has no field 'typo'" in done.err
    assert not (home / "prefect.db").exists(), "the server ended before it had begun"


@pytest.mark.system
def test_a_working_folder_with_modules_of_the_same_names_is_none_of_the_servers_business(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("flows.py", "uvicorn.py"):
        (tmp_path / name).write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    with ensure_prefect_server() as used:
        used.set()
        with urllib.request.urlopen(f"{os.environ['PREFECT_API_URL']}/health", timeout=TIMEOUT_SECONDS) as answer:
            assert answer.read() == b"true"
    assert (home / "prefect.db").exists()


@pytest.mark.system
def test_a_new_home_begins_with_the_database_that_the_first_one_migrated(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUESTMILL_CACHE", str(tmp_path / "cache"))
    wait_for_answer()
    [kept] = (tmp_path / "cache").iterdir()
    assert kept.name == f"prefect-{importlib.metadata.version('prefect')}.db"
    with contextlib.closing(sqlite3.connect(kept)) as database:
        database.execute("CREATE TABLE copied (n)")
        assert database.execute("SELECT count(*) FROM flow_run").fetchone() == (0,)
    other = tmp_path / "other"
    monkeypatch.setenv("PREFECT_HOME", str(other))
    wait_for_answer()
    with contextlib.closing(sqlite3.connect(other / "prefect.db")) as database:
        assert database.execute("SELECT count(*) FROM copied").fetchone() == (0,)


def wait_for_answer() -> None:
    """Start a server of our own and end it once it has answered."""
    with ensure_prefect_server() as used:
        used.set()
        with urllib.request.urlopen(f"{os.environ['PREFECT_API_URL']}/health", timeout=TIMEOUT_SECONDS) as answer:
            assert answer.read() == b"true"
