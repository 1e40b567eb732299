"""What the tests of flows share: attempts with known verdicts, and the command as a process that can be watched.

Most of the time of a small run is imports. Where a test starts one after the other, `forked` takes them from a process
that has imported everything, once for all tests, and forks: the same command, in a process group of its own.
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
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Union

from infra import catalog
from infra.store import Store
from schemas.work import Manifest

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0
"""Seconds until something that is awaited counts as lost; generous, for loaded machines."""
FORKER = "QUESTMILL_TESTS_FORKER"
"""Environment variable: the address of the process that forks."""
IMPORTED = (
    *("fastapi", "great_expectations", "pyarrow.dataset", "s3fs", "flows.launch", "flows.report", "flows.verify"),
    *("prefect.cli.deploy", "prefect.cli.work_pool", "prefect.cli.worker", "prefect.flow_engine"),
)
"""What that process has imported: the most of what a run does."""


class Outcome(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


class Lake(NamedTuple):
    """A lake that a run has filled, and how to fill another."""

    store: Store
    attempts: Path
    outcome: Outcome

    @property
    def manifest(self) -> Manifest:
        """Of the current version of `verified`."""
        found = self.store.manifest("verified")
        assert found is not None
        return found


Command = Callable[..., Outcome]


def attempts(rows: int) -> Iterator[dict[str, Any]]:
    """`rows` attempts; the column `expected` holds the verdict, or null where a row is none of the verifier's."""
    yield {"question": "null gold", "response": "A: 1", "answer": None}
    yield {"question": None, "response": "A: 1", "answer": "1"}
    yield {"question": "null response", "response": None, "answer": "1"}
    yield {"question": "a megabyte", "response": "so " * 350_000 + "\nA: 7", "answer": "7", "expected": "correct"}
    yield {"question": "never closed", "response": r"it is \boxed{7", "answer": "8"}
    yield {"question": "a tower", "response": "A: 10^10^10", "answer": "8"}
    yield {"question": "a number", "response": "A: 7", "answer": 7, "expected": "correct"}
    for n in range(rows - 7):
        row = {"question": f"What is {n}?", "response": f"Let me see.\nA: {n}", "answer": str(n), "expected": "correct"}
        if n % 4 == 1:
            row |= {"response": f"Let me see.\nA: {n + 1}", "expected": "wrong"}
        if n % 4 == 2:
            row |= {"response": rf"It is $\boxed{{\frac{{{n}}}{{4}}}}$.", "answer": str(n / 4)}
        if n % 40 == 3:
            row |= {"response": "I do not know.", "expected": "unparseable"}
        yield row | {"serial": n}


def write(path: Path, rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Path:
    """Write `rows` as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ask(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """Rows that `sql` finds in the lake."""
    with contextlib.closing(catalog.lake(store)) as con:
        return con.sql(sql).fetchall()


def until(what: Callable[[], object], patience: float = PATIENCE) -> None:
    """Return as soon as `what()` is true."""
    end = time.monotonic() + patience
    while not what():
        assert time.monotonic() < end, f"nothing came of it in {patience} s"
        time.sleep(0.01)


def questmill(*words: str | Path, env: dict[str, str] | None = None, **more: Any) -> "subprocess.Popen[str]":
    """Start the command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "flows", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | (env or {}),
        start_new_session=True,
        **more,
    )


class Forked:
    """A process that is forked, with what the tests use of `subprocess.Popen`."""

    returncode: int | None = None

    def __init__(self, module: str, words: list[str], env: dict[str, str]) -> None:
        (out, to_out), (err, to_err) = os.pipe(), os.pipe()
        self._written, self._open = {out: bytearray(), err: bytearray()}, [out, err]
        self._forker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._forker.connect(os.environ[FORKER])
        socket.send_fds(self._forker, [json.dumps([module, words, env]).encode()], [to_out, to_err])
        os.close(to_out)
        os.close(to_err)
        self.pid = int(self._forker.recv(64))

    def poll(self, patience: float = 0) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None and select.select([self._forker], [], [], patience)[0]:
            self.returncode = int(self._forker.recv(64))
            self._forker.close()
        return self.returncode

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """What it wrote until its end."""
        while self._open:
            ready = select.select(self._open, [], [], timeout)[0]
            assert ready, f"it wrote nothing in {timeout} s, and did not end"
            for file in ready:
                self._written[file] += (chunk := os.read(file, 1 << 16))
                if not chunk:
                    self._open.remove(file)
                    os.close(file)
        self.poll(timeout)
        out, err = (written.decode() for written in self._written.values())
        return out, err


Process = Union["subprocess.Popen[str]", Forked]


def forked(*words: str | Path, env: dict[str, str] | None = None, module: str = "flows") -> Forked:
    """Start the command, or another module's, without the time that imports take."""
    return Forked(module, [*map(str, words)], os.environ | (env or {}))


@contextlib.contextmanager
def forking(address: Path) -> Iterator[None]:
    """Let `forked` work, in every process whose environment has what this sets, for as long as it is open."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(address))
        listening.listen(64)
        # Not as __main__, so that warnings are treated as in any module; they are about forking beside threads.
        command = [sys.executable, "-c", f"from tests.flows.runs import fork; fork({listening.fileno()})"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()], cwd=ROOT)
    try:
        yield
    finally:
        process.communicate()


def fork(listening: int) -> None:
    """Fork a process for every request that comes in, until standard input closes. Runs in a process of its own."""
    for module in IMPORTED:
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
            _answer(connection)
            return
        connection.close()


def _answer(connection: socket.socket) -> None:
    """Become the process that was asked for, and leave behind one that tells its exit code."""
    data, files, _, _ = socket.recv_fds(connection, 1 << 20, 2)
    module, words, env = json.loads(data)
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
    assert _read_at_import(env) == _read_at_import(os.environ), "forks have the settings of whom they are forked from"
    os.environ.clear()
    os.environ.update(env)
    sys.argv[1:] = words
    code = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:  # all that an interpreter does at its end, but for destructors of libraries: their threads stayed behind
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code)


def _read_at_import(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(("PREFECT_", "DASK_"))}


def end(process: Process) -> Outcome:
    """Wait for a process."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode is not None
    return Outcome(process.returncode, out, err)
