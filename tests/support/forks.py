"""The command without the time that its imports take, which is most of the time of a small run.

One process for all tests has imported everything, and forks: the same command, in a process group of its own.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 300.0
"""Seconds until a process that is silent counts as lost."""
FORKER_VARIABLE = "QUESTMILL_TESTS_FORKER"
"""Environment variable: the address of the process that forks."""
PRELOADED_MODULES = (
    *("fastapi", "great_expectations", "prefect.flow_engine", "pyarrow.dataset", "s3fs"),
    *("flows.cli.launch", "flows.cli.query", "flows.verify"),
)
"""What that process has imported: the most of what a run does."""


class ForkedProcess:
    """A process that is forked, with what the tests use of `subprocess.Popen`."""

    returncode: int | None = None

    def __init__(self, words: list[str], env: dict[str, str]) -> None:
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        self._output, self._open_files = {out: bytearray(), err: bytearray()}, [out, err]
        self._forker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._forker.connect(os.environ[FORKER_VARIABLE])
        socket.send_fds(self._forker, [json.dumps([words, env]).encode()], [to_out, to_err])
        os.close(to_out)
        os.close(to_err)
        self.pid = int(self._forker.recv(64))

    def poll(self, timeout: float = 0) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None and select.select([self._forker], [], [], timeout)[0]:
            self.returncode = int(self._forker.recv(64))
            self._forker.close()
        return self.returncode

    def communicate(self, timeout: float = TIMEOUT_SECONDS) -> tuple[str, str]:
        """What it wrote until its end."""
        while self._open_files:
            ready = select.select(self._open_files, [], [], timeout)[0]
            assert ready, f"it wrote nothing in {timeout} s, and did not end"
            for file in ready:
                self._output[file] += (chunk := os.read(file, 1 << 16))
                if not chunk:
                    self._open_files.remove(file)
                    os.close(file)
        self.poll(timeout)
        out, err = (written.decode() for written in self._output.values())
        return out, err


def start_forked(*words: str | Path, env: dict[str, str] | None = None) -> ForkedProcess:
    """Start the command without the time that its imports take."""
    return ForkedProcess([*map(str, words)], os.environ | (env or {}))


@contextlib.contextmanager
def run_fork_server(address: Path) -> Iterator[None]:
    """Let `start_forked` work, in every process whose environment has what this sets, for as long as it is open."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(address))
        listening.listen(64)
        # Not as __main__, so that warnings are treated as in any module; they are about forking beside threads.
        command = [sys.executable, "-c", f"from tests.support.forks import fork; fork({listening.fileno()})"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()], cwd=ROOT)
    try:
        yield
    finally:
        process.communicate()


def fork(listening: int) -> None:
    """Fork a process for every request that comes in, until standard input closes. Runs in a process of its own."""
    for module in PRELOADED_MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy all of it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests = socket.socket(fileno=listening)
    while sys.stdin not in select.select([requests, sys.stdin], [], [])[0]:
        connection, _ = requests.accept()
        if not os.fork():
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _run_request(connection)
            return
        connection.close()


def _run_request(connection: socket.socket) -> None:
    """Become the process that was asked for, and leave behind one that tells its exit code."""
    data, files, _, _ = socket.recv_fds(connection, 1 << 20, 2)
    words, env = json.loads(data)
    if pid := os.fork():
        for file in files:
            os.close(file)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(BrokenPipeError):  # nobody waits
            connection.send(str(code).encode())
        os._exit(0)
    os.setsid()
    connection.send(str(os.getpid()).encode())
    connection.close()
    for stream, file in enumerate([os.open(os.devnull, os.O_RDONLY), *files]):
        os.dup2(file, stream)
        os.close(file)
    assert _import_time_settings(env) == _import_time_settings(os.environ), (
        "forks have the settings of whom they are forked from"
    )
    os.environ.clear()
    os.environ.update(env)
    sys.argv[1:] = words
    code = 1
    try:
        runpy.run_module("flows", run_name="__main__", alter_sys=True)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:  # all that an interpreter does at its end, but for destructors of libraries: their threads stayed behind
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code)


def _import_time_settings(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(("PREFECT_", "DASK_"))}
