"""Runs untrusted programs, each in a process that can reach no network, no other files and no other process.

A supervisor (`supervisor.py`) receives programs over a pipe and forks for each. The kernel isolates the fork
(`seccomp_landlock.py`); if it cannot, nothing runs. How a program ended is one of `results.REASONS`.
"""

import importlib.util
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import VerifierBroken
from tasks.verification.code_execution.sandbox import supervisor
from tasks.verification.code_execution.sandbox.program_process import INPUT_FILE, PROGRAM_FILE
from tasks.verification.code_execution.sandbox.results import (
    ExecutionResult,
    Limits,
    NotIsolated,
    SandboxFailure,
    TestedResult,
    classify,
)
from tasks.verification.json_process import IdlePool, JsonProcess, ProcessDied, ProcessOwner, Timeout

GRACE_SECONDS = 0.8
"""Seconds after a deadline within which the supervisor must report the timeout, before it is killed itself."""
STARTUP_SECONDS = 120.0
"""Seconds for a supervisor to load its libraries (sympy: 1 s alone on a core); generous for loaded machines."""
CANARY_LIMITS = Limits(deadline=STARTUP_SECONDS, cpu=int(STARTUP_SECONDS))
"""Limits of a canary."""
COMMAND = (sys.executable, "-P", "-S", "-s", "-B", "-m", supervisor.__name__)
"""The supervisor's command: no `site`, no user packages, no bytecode written. We set its environment ourselves."""
ISOLATION_HELP = (
    "run it where the kernel has Landlock and seccomp (Linux 5.13 or later, x86_64 or aarch64, `landlock` among the "
    "`lsm=` of the boot options; in a container, a profile that allows both), "
    "or set unsafe=true to run programs that can reach files and network of this machine"
)

CANARIES = (
    ("print(42)", "ok", None),
    ("while True: print(42)", "output", "printed"),
    ("import socket; socket.socket()", "forbidden", "network"),
    ("import os; os.fork()", "forbidden", "process"),
    ("import os; os.execv('/bin/true', ['true'])", "forbidden", "process"),
    ("import os; os.listdir('/')", "forbidden", "file"),
    ("open('../questmill-canary', 'w')", "forbidden", "file"),
)
"""Programs with known results. The first must always end as listed, the others unless `unsafe` is set."""
# matches all of "helper.py", "data_2.txt", not of "../x", ".hidden", "a/b"
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
"""Names that files of a program may have: they lie in one folder."""


class Work(NamedTuple):
    """How a program is run, and what it is given."""

    mode: str = "script"
    """One of `program_process.MODES`."""
    stdin: str = ""
    """Standard input of a script, or the calls to make, a line of JSON each."""
    files: Mapping[str, str] = {}
    """Files beside the program, by name. Python modules among them can be imported."""
    guarded: bool = False
    """Whether the program must not evaluate text as Python."""


class Sandbox(ProcessOwner):
    """One supervisor that runs programs one after the other, for one thread at a time. The caller must `close` it.

    A program can import the standard library, `libraries`, which are loaded in advance, and packages installed next to
    them. Each gets an empty folder of its own in `folder`. Raises `VerifierBroken` if programs cannot be isolated.
    """

    def __init__(self, libraries: Sequence[str] = (), unsafe: bool = False, folder: str | None = None) -> None:
        super().__init__()
        if sys.platform != "linux":
            raise VerifierBroken(f"programs run only on Linux, and this is {sys.platform}; add a Linux worker")
        self._libraries, self._unsafe, self._folder = tuple(libraries), unsafe, folder
        self._close_on_error(self._start)

    def run(
        self,
        program: str,
        limits: Limits = Limits(),  # noqa: B008
        work: Work = Work(),  # noqa: B008
    ) -> ExecutionResult | SandboxFailure:
        """Run `program` for at most `limits.deadline` + 1 s, or longer if a dead supervisor must be replaced."""
        results = self._close_on_error(lambda: self._run_with_retry([(program, work)], limits))
        return results if isinstance(results, SandboxFailure) else results[0]

    def run_tests(
        self, program: str, tests: str, limits: Limits, files: Mapping[str, str]
    ) -> TestedResult | SandboxFailure:
        """Run unit tests, which are JSON for `test_runner`, beside the program that they call. Each has `limits`."""
        jobs = [(tests, Work("tests")), (program, Work("calls", files=files))]
        results = self._close_on_error(lambda: self._run_with_retry(jobs, limits))
        return results if isinstance(results, SandboxFailure) else TestedResult(*results)

    def _run_with_retry(
        self, jobs: Sequence[tuple[str, Work]], limits: Limits
    ) -> list[ExecutionResult] | SandboxFailure:
        deaths = 0
        while True:
            child = self._child or self._start()
            try:
                return self._run_once(child, jobs, limits)
            except Timeout:
                self.close()
                return [ExecutionResult("timeout", milliseconds=(limits.deadline + GRACE_SECONDS) * 1e3)] * len(jobs)
            except ProcessDied as death:
                self.close()
                deaths += 1
                if deaths == 2:
                    return SandboxFailure(f"the sandbox ended: {death}", deaths)

    def _run_once(self, child: JsonProcess, jobs: Sequence[tuple[str, Work]], limits: Limits) -> list[ExecutionResult]:
        """How each of one or two jobs ended: of two, the first are the tests of the second."""
        folders = [tempfile.mkdtemp(prefix="questmill-", dir=self._folder) for _ in jobs]
        try:
            messages = [
                _write_job(folder, program, work, limits) for folder, (program, work) in zip(folders, jobs, strict=True)
            ]
            message = {**messages[-1], "tests": messages[0]} if len(jobs) > 1 else messages[0]
            observed = child.ask(message, limits.deadline + GRACE_SECONDS)
            return [classify(each, limits) for each in (observed, observed.get("program")) if each is not None]
        except NotIsolated as error:
            raise VerifierBroken(f"this machine cannot contain programs: {error}; {ISOLATION_HELP}") from error
        finally:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

    def _start(self) -> JsonProcess:
        """Start a supervisor, send it the libraries, and run the canaries."""
        folders = sorted({_find_install_folder(name) for name in self._libraries})
        self._child = child = JsonProcess(COMMAND, _make_environment())
        try:
            settings = {"libraries": self._libraries, "folders": folders, "unsafe": self._unsafe}
            child.ask(settings, STARTUP_SECONDS)
            for program, reason, detail in CANARIES[: 1 if self._unsafe else None]:
                [result] = self._run_once(child, [(program, Work())], CANARY_LIMITS)
                if (result.reason, result.detail) != (reason, detail):
                    actual = " ".join(filter(None, (result.reason, result.detail)))
                    raise VerifierBroken(
                        f"the sandbox fails a canary: {program!r} ended with {actual}; {ISOLATION_HELP}"
                    )
        except (ProcessDied, Timeout) as error:
            raise VerifierBroken(f"the sandbox did not start: {error}; see if `{' '.join(COMMAND)}` runs") from error
        return child


def _write_job(folder: str, program: str, work: Work, limits: Limits) -> dict[str, Any]:
    """Write a program and its files, and describe the job to the supervisor. Raises `ValueError` for a file's name."""
    if unfit := [name for name in work.files if not FILE_NAME.fullmatch(name) or name in (PROGRAM_FILE, INPUT_FILE)]:
        raise ValueError(f"{unfit[0]!r} cannot be a file of a program; take letters, digits, `_`, `-` and `.`")
    for name, text in {**work.files, PROGRAM_FILE: program, INPUT_FILE: work.stdin}.items():
        if name != INPUT_FILE or text:
            Path(folder, name).write_bytes(text.encode(errors="replace"))
    job = {"folder": folder, "mode": work.mode, "guarded": work.guarded, "files": bool(work.files)}
    return job | limits._asdict()


def _find_install_folder(library: str) -> str:
    """The folder in which a library is installed. Raises `VerifierBroken` if it is not installed."""
    spec = importlib.util.find_spec(library)
    if spec is None or spec.origin is None:
        raise VerifierBroken(f"programs may import {library!r}, but it is not installed; install it or leave it out")
    return str(Path(spec.origin).parents[1 if spec.submodule_search_locations else 0])


def _make_environment() -> dict[str, str]:
    """An environment without secrets, with a fixed hash seed, and without threads before a fork."""
    root = str(Path(__file__).resolve().parents[4])
    return {"PYTHONPATH": root, "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"}


def check_health() -> float:
    """Milliseconds to start a sandbox and run its canaries. Raises `VerifierBroken` if it does not isolate programs."""
    began = time.perf_counter()
    Sandbox().close()
    return (time.perf_counter() - began) * 1e3


def describe_interpreter(libraries: Sequence[str]) -> str:
    """Python and library versions, e.g. `python 3.11, sympy 1.14.0`. Raises `ValueError` if a library is missing."""
    names = [f"python {'.'.join(platform.python_version_tuple()[:2])}"]
    for library in libraries:
        try:
            names.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            raise ValueError(f"{library!r} is not installed; install it, or leave it out of `libraries`") from None
    return ", ".join(names)


def describe_mismatch(interpreter: str, libraries: Sequence[str]) -> str:
    """How `interpreter` differs from the installed one; empty if it does not."""
    installed = describe_interpreter(libraries)
    if interpreter == installed:
        return ""
    return f"was asked for {interpreter}, but this machine has {installed}; install the former"


_idle_sandboxes = IdlePool(Sandbox)


def run_programs(
    programs: Sequence[str], limits: Limits, libraries: Sequence[str] = (), unsafe: bool = False
) -> list[ExecutionResult | SandboxFailure]:
    """Run the programs and return how each ended, in order. Any thread of any process may call this.

    Supervisors are started on demand, one for each thread that calls at the same time, and end with the process.
    """
    with lend_sandbox(libraries, unsafe) as sandbox:
        return [sandbox.run(program, limits) for program in programs]


def lend_sandbox(libraries: Sequence[str] = (), unsafe: bool = False) -> AbstractContextManager[Sandbox]:
    """Lend an idle sandbox for a block, or start one. Any thread of any process may call this."""
    return _idle_sandboxes.lend(tuple(libraries), unsafe)
