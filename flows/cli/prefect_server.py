"""Starts a Prefect server for a run if none is configured. The server always ends with the run.

Prefect's own temporary server is started once by *every* process that runs a task (each Dask worker waits ten seconds
for its own) and outlives a killed parent. This one starts before anything heavy is imported and watches a pipe to its
parent. Runs are kept in Prefect's usual database: `prefect server start` shows them afterwards.
"""

import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.cli.migrated_database import keep_database, provide_database
from flows.run.timings import TIMINGS
from infra.cluster.signals import block_interrupts

FLUSH_SECONDS = 5.0
"""Seconds that a server has to store its last events after its parent has ended."""

EXIT_AT_ONCE = b"at once"
"""Message on a server's standard input that makes it end without storing anything, because no flow ran."""

SERVER_ENVIRONMENT = {
    "PREFECT_UI_ENABLED": "false",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Services for servers that live for days; a server for one run does not need them.
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
}

_own_urls: set[str] = set()


@contextmanager
def ensure_prefect_server() -> Iterator[threading.Event]:
    """Make Prefect use the configured server, or a server of our own that runs as long as this context.

    Returns before the server is ready: it inherits a listening socket, so early requests wait in the socket's queue.
    Yields an event, to be set before a flow runs. If it is not set, our own server ends at once.
    """
    used = threading.Event()
    home = _prefect_home()
    if os.environ.get("PREFECT_API_URL", _read_configured_url(home)):
        yield used
        return
    home.mkdir(parents=True, exist_ok=True)
    with (home / "questmill.lock").open("w") as lock, socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        # Two servers must not migrate one database at once; the child releases the lock when it has started.
        # Not `filelock`: its release would free the lock for the child too.
        fcntl.flock(lock, fcntl.LOCK_EX)
        inherited_files = (listening.fileno(), lock.fileno())
        # -P: a `flows` folder or `uvicorn.py` in the working folder must not shadow ours.
        command = [sys.executable, "-P", "-m", "flows.cli.prefect_server", *map(str, inherited_files)]
        with block_interrupts():  # the server must still record that its run was interrupted
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, pass_fds=inherited_files, env=os.environ | SERVER_ENVIRONMENT
            )
        os.environ["PREFECT_API_URL"] = url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        _own_urls.add(url)
    try:
        yield used
    finally:
        del os.environ["PREFECT_API_URL"]
        with TIMINGS.measure("end of the server"):
            process.communicate(b"" if used.is_set() else EXIT_AT_ONCE)


def is_own_server() -> bool:
    """Whether Prefect uses a server that this process has started, and that ends with it."""
    return os.environ.get("PREFECT_API_URL") in _own_urls


def _prefect_home() -> Path:
    return Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()


def _read_configured_url(home: Path) -> str:
    """Read the URL that `prefect config set PREFECT_API_URL=...` stored, without importing Prefect (0.8 s)."""
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml").expanduser()
    try:
        config = tomllib.loads(path.read_text())
    except (OSError, ValueError):  # Prefect itself reports the error
        return ""
    active = os.environ.get("PREFECT_PROFILE") or config.get("active", "")
    return str(config.get("profiles", {}).get(active, {}).get("PREFECT_API_URL", ""))


def serve(socket_file: int, lock_file: int) -> None:
    """Serve Prefect's API on the socket `socket_file` until standard input closes. Runs in the child."""
    begun, ready, end = threading.Event(), threading.Event(), threading.Event()

    def end_with_parent() -> None:
        message = sys.stdin.buffer.read()
        if begun.is_set():  # before that, no request was served and nothing stored
            ready.wait()  # do not leave its database half migrated
            end.set()
            time.sleep(0 if message == EXIT_AT_ONCE else FLUSH_SECONDS)
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    home = _prefect_home()
    is_new = not (home / "prefect.db").exists()
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            begun.set()
            provide_database(home)
            await super().startup(sockets)
            keep_database(home, is_new)
            os.close(lock_file)
            ready.set()

        async def on_tick(self, counter: int) -> bool:
            return await super().on_tick(counter) or end.is_set()

    server = Server(uvicorn.Config("prefect.server.api.server:create_app", factory=True, log_level="critical"))
    server.run(sockets=[socket.socket(fileno=socket_file)])
    os._exit(0)


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
