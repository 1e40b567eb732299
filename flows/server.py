"""A Prefect server for runs that have none: one for the run and its workers, ended with it whatever happens.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.interrupts import shielded

PATIENCE = 5.0
"""Seconds a server may take to write down what it was told last, once its parent is gone."""

SETTINGS = {
    "PREFECT_UI_ENABLED": "false",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # Services of a server that lives for days: one that lives for a run has no use for them.
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
}


@contextmanager
def prefect_server() -> Iterator[None]:
    """Let `PREFECT_API_URL` name a server: the one that is set, or one of our own for as long as this is open.

    Returns before the server is ready: it inherits a listening socket, so early requests wait in the socket's queue.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    home = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "questmill.lock").open("w") as lock, socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        # Two servers must not migrate one database at once; the child lets go of the lock when it has started.
        fcntl.flock(lock, fcntl.LOCK_EX)
        handed = (listening.fileno(), lock.fileno())
        command = [sys.executable, "-m", "flows.server", *map(str, handed)]
        with shielded():  # it is still needed to write down that its run was interrupted
            process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=handed, env=os.environ | SETTINGS)
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    try:
        yield
    finally:
        del os.environ["PREFECT_API_URL"]
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def serve(listening: int, lock: int) -> None:
    """Serve Prefect's API on the socket `listening` until standard input closes. Runs in the child."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            os.close(lock)

    server = Server(uvicorn.Config("prefect.server.api.server:create_app", factory=True, log_level="critical"))

    def end_with_parent() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True
        threading.Timer(PATIENCE, os._exit, [0]).start()

    threading.Thread(target=end_with_parent, daemon=True).start()
    server.run(sockets=[socket.socket(fileno=listening)])
    os._exit(0)


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
