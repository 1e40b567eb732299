"""Runs programs that nobody has read, each as a process that reaches no network, no other file and no other process.

A warden (`warden.py`) is asked over a pipe and forks for each program; the kernel shuts the fork in (`walls.py`), and
where it cannot, nothing runs. How a program ended is one of `endings.REASONS`.
"""

import atexit
import importlib.util
import platform
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

from schemas.errors import VerifierBroken
from tasks.verification.code_execution.sandbox import supervisor
from tasks.verification.code_execution.sandbox.program_process import SOLUTION
from tasks.verification.code_execution.sandbox.results import Ending, Failure, Limits, Uncontained, judge
from tasks.verification.json_process import Child, Died, Late

T = TypeVar("T")

GRACE = 0.8
"""Seconds past the deadline that the warden may take to say so, before it is killed itself."""
STARTUP = 120.0
"""Seconds a warden may take to load its libraries (sympy: 1 s alone on a core); generous, for loaded machines."""
PATIENT = Limits(deadline=STARTUP, cpu=int(STARTUP))
"""Of a canary."""
COMMAND = (sys.executable, "-P", "-S", "-s", "-B", "-m", supervisor.__name__)
"""Isolated but for the environment, which is ours: no site, no user's packages, no bytecode written."""
WAY_OUT = (
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
"""Programs whose ending is known. The first must end so in any case, the others wherever safety is promised."""


class Sandbox:
    """One warden that runs one program after the other, for one thread at a time; whoever makes one must `close` it.

    A program can import the standard library and `libraries`, which are loaded beforehand, and what is installed beside
    them. Each gets an empty folder of its own in `folder`. Raises `VerifierBroken` where programs cannot be contained.
    """

    def __init__(self, libraries: Sequence[str] = (), unsafe: bool = False, folder: str | None = None) -> None:
        if sys.platform != "linux":
            raise VerifierBroken(f"programs are run on Linux alone, and this is {sys.platform}; add a worker that is")
        self._libraries, self._unsafe, self._folder = tuple(libraries), unsafe, folder
        self._warden: Child | None = None
        self._guarded(self._start)

    @property
    def pid(self) -> int | None:
        """The warden's process id; None while there is none."""
        return self._warden.pid if self._warden else None

    @property
    def ours(self) -> bool:
        """Whether this process may ask it."""
        return self._warden is None or self._warden.ours

    def run(self, program: str, limits: Limits = Limits()) -> Ending | Failure:  # noqa: B008
        """Run `program`; returns within `limits.deadline` + 1 s, unless a warden that died must first be replaced."""
        return self._guarded(lambda: self._run(program, limits))

    def close(self) -> None:
        """End the warden, and with it the program that it runs."""
        child, self._warden = self._warden, None
        if child:
            child.close()

    def _run(self, program: str, limits: Limits) -> Ending | Failure:
        deaths = 0
        while True:
            child = self._warden or self._start()
            try:
                return self._once(child, program, limits)
            except Late:
                self.close()
                return Ending("timeout", milliseconds=(limits.deadline + GRACE) * 1e3)
            except Died as death:
                self.close()
                deaths += 1
                if deaths == 2:
                    return Failure(f"the sandbox ended: {death}", deaths)

    def _once(self, child: Child, program: str, limits: Limits) -> Ending:
        folder = tempfile.mkdtemp(prefix="questmill-", dir=self._folder)
        try:
            Path(folder, SOLUTION).write_bytes(program.encode(errors="replace"))
            seen = child.ask({"folder": folder, **limits._asdict()}, limits.deadline + GRACE)
            return judge(seen, limits)
        except Uncontained as error:
            raise VerifierBroken(f"this machine cannot contain programs: {error}; {WAY_OUT}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self) -> Child:
        """Start a warden, hand it the libraries, run the canaries."""
        folders = sorted({_installed(name) for name in self._libraries})
        self._warden = child = Child(COMMAND, _environment())
        try:
            settings = {"libraries": self._libraries, "folders": folders, "unsafe": self._unsafe}
            child.ask(settings, STARTUP)
            for program, reason, detail in CANARIES[: 1 if self._unsafe else None]:
                ending = self._once(child, program, PATIENT)
                if (ending.reason, ending.detail) != (reason, detail):
                    ended = " ".join(filter(None, (ending.reason, ending.detail)))
                    raise VerifierBroken(
                        f"the sandbox is not tight: its canary {program!r} ended with {ended}; {WAY_OUT}"
                    )
        except (Died, Late) as error:
            raise VerifierBroken(f"the sandbox did not start: {error}; see if `{' '.join(COMMAND)}` runs") from error
        return child

    def _guarded(self, work: Callable[[], T]) -> T:
        """Whatever interrupts `work`, a warden in the middle of a program must not be asked again."""
        try:
            return work()
        except BaseException:
            self.close()
            raise


def _installed(library: str) -> str:
    """The folder that a library is installed in."""
    spec = importlib.util.find_spec(library)
    if spec is None or spec.origin is None:
        raise VerifierBroken(f"programs may import {library!r}, but it is not installed; install it or leave it out")
    return str(Path(spec.origin).parents[1 if spec.submodule_search_locations else 0])


def _environment() -> dict[str, str]:
    """No secret of ours; sets of texts in the same order each time, and no threads before a fork."""
    root = str(Path(__file__).resolve().parents[4])
    return {"PYTHONPATH": root, "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"}


def check() -> float:
    """Start a sandbox, let it pass its canaries, end it; milliseconds, or `VerifierBroken` where it is not tight."""
    began = time.perf_counter()
    Sandbox().close()
    return (time.perf_counter() - began) * 1e3


def interpreter(libraries: Sequence[str]) -> str:
    """What programs run on, e.g. `python 3.11, sympy 1.14.0`; raises ValueError where a library is not installed."""
    names = [f"python {'.'.join(platform.python_version_tuple()[:2])}"]
    for library in libraries:
        try:
            names.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            raise ValueError(f"{library!r} is not installed; install it, or leave it out of `libraries`") from None
    return ", ".join(names)


_idle: dict[tuple[tuple[str, ...], bool], deque[Sandbox]] = {}


def run(
    programs: Sequence[str], limits: Limits, libraries: Sequence[str] = (), unsafe: bool = False
) -> list[Ending | Failure]:
    """How each program ends, in order, from any thread of any process.

    Wardens are started on demand, as many as threads ask at a time, and end with the process.
    """
    idle = _idle.setdefault((tuple(libraries), unsafe), deque())
    try:
        sandbox = idle.pop()
        while not sandbox.ours:
            sandbox = idle.pop()
    except IndexError:
        sandbox = Sandbox(libraries, unsafe)
    endings = [sandbox.run(program, limits) for program in programs]
    idle.append(sandbox)
    return endings


@atexit.register
def _close() -> None:
    for idle in _idle.values():
        while idle:
            idle.pop().close()
