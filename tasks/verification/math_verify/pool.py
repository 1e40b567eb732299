"""Judges pairs of answers with Math-Verify in a child process that can be killed, so no pair can hang or end a run.

Math-Verify stops itself with signals, which only work in a main thread: on a worker thread it raises for every pair.
Here it runs, without its own timeouts, in a fresh interpreter (`child.py`); the parent owns the
deadline. Lines of JSON go both ways: a batch of pairs in, one line for each pair out. Only the child imports
Math-Verify, once.
"""

import atexit
import json
import math
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil

from schemas.errors import VerifierBroken

T = TypeVar("T")

DEADLINE_SECONDS = 2.0
"""Seconds a pair may take."""
STARTUP_SECONDS = 120.0
"""Seconds a child may take to import sympy (1.7 s alone on a core) or for one canary; generous, for loaded machines."""
RECHECK_AFTER_PAIRS = 5000
"""Pairs that a child judges before it must pass the canaries again: half a second of work in a minute."""
RESTART_ABOVE_BYTES = 512 << 20
"""Resident bytes from which a child is then replaced: its parser keeps what it learns, 75 MB in 37,000 odd pairs."""
BATCH_PAIRS = 32
"""Pairs sent at once: enough to hide the pipe, few enough to send again cheaply after a restart."""
COMMAND = (sys.executable, "-P", "-m", "tasks.verification.math_verify.child")
"""`-P`: a file `tasks.py` or `sympy.py` in the working directory is not ours."""

FORM_CHARACTERS = 500
"""Characters kept of a parsed form."""
LATEX_THOUSANDS = re.compile(r"(?<=[0-9])(?:,\\!\s?|\{,\})(?=[0-9])")
r"""How LaTeX sets the comma of 1,000: `,\!` or `{,}`. Math-Verify does not read the first inside a fraction."""


class Pair(NamedTuple):
    """What is compared. The order matters: Math-Verify treats gold and answer differently."""

    gold: str
    answer: str


class Verdict(NamedTuple):
    """What the verifier said: a verdict of `schemas.tables.verdicts`, the rule behind it, both parsed forms."""

    verdict: str
    rule: str
    gold_parsed: str | None = None
    answer_parsed: str | None = None
    milliseconds: float = 0.0


class HealthCheck(NamedTuple):
    """What `check_health` found: the library and its version, and how long a child takes to start and pass its
    canaries."""

    library: str
    milliseconds: float


Comparator = Callable[[str, str], Verdict]
Canary = tuple[Pair, str]

CANARIES: tuple[Canary, ...] = (
    (Pair("18", "18"), "correct"),
    (Pair("18", "19"), "wrong"),
    (Pair(r"\frac{3}{4}", "0.75"), "correct"),
    (Pair(r"\frac{1}{2}", r"\dfrac12"), "correct"),
    (Pair(r"\frac{1}{3}", r"\frac{3}{1}"), "wrong"),
    (Pair(r"\sqrt{8}", r"2\sqrt{2}"), "correct"),
    (Pair("x^2+2x+1", "(x+1)^2"), "correct"),
    (Pair("x^2+2x+1", "(x-1)^2"), "wrong"),
    (Pair(r"\{1,2,3\}", r"\{3,1,2\}"), "correct"),
    (Pair(r"\{1,2,3\}", r"\{1,2\}"), "wrong"),
    (Pair(r"50\%", r"\frac{1}{2}"), "correct"),
    (Pair("(1,2]", "(1,2]"), "correct"),
    (Pair("(1,2]", "[1,2]"), "wrong"),
    (Pair("(1,2)", "(2,1)"), "wrong"),
    (Pair("1<x<2", "(1,2)"), "correct"),
    (Pair("(1,2)", "1<x<2"), "wrong"),  # the same pair turned round: tells when the arguments are swapped
    (Pair(r"\frac{\pi}{3}", "2"), "wrong"),
    (Pair("18", r"\boxed{"), "unparseable"),
)
"""Known pairs that every fresh child must judge before it is trusted; they also warm it up."""


class _Timeout(Exception):
    """The child did not answer in time."""


class _ProcessDied(Exception):
    """The child ended; `is_self_reported`: it said why, so that nobody else can have ended it."""

    def __init__(self, reason: str, *, is_self_reported: bool = False) -> None:
        super().__init__(reason)
        self.is_self_reported = is_self_reported


class MathVerifyProcess:
    """One child process and the pipe to it, for one thread at a time; whoever makes one must `close` it.

    `command` starts a process that runs `umpire.serve`. Raises `VerifierBroken` if that fails, or if a canary does,
    which is asked at the start and after `recheck_after` pairs.
    """

    def __init__(
        self,
        canaries: Sequence[Canary] = CANARIES,
        command: Sequence[str] = COMMAND,
        recheck_after: int = RECHECK_AFTER_PAIRS,
    ) -> None:
        self.library = ""
        self._canaries, self._command, self._recheck_after = canaries, command, recheck_after
        self._owner_pid = os.getpid()
        self._child: subprocess.Popen[bytes] | None = None
        self._unread_bytes = b""
        self._pairs_since_check = 0
        self._close_on_error(self._start)

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._child.pid if self._child else None

    @property
    def is_owned(self) -> bool:
        """Whether this process started it: a fork inherits the object, but the pipe is its parent's."""
        return self._owner_pid == os.getpid()

    def compare_pairs(self, pairs: Sequence[Pair], deadline: float = DEADLINE_SECONDS) -> list[Verdict]:
        """One ruling for each pair, in order: `timeout` past `deadline` seconds, `unparseable` where the child died."""
        return self._close_on_error(lambda: self._compare_pairs(pairs, deadline))

    def close(self) -> None:
        """End the child, with whatever it started."""
        child, self._child, self._unread_bytes = self._child, None, b""
        if child is None or not self.is_owned:
            return
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()

    def _compare_pairs(self, pairs: Sequence[Pair], deadline: float) -> list[Verdict]:
        verdicts: list[Verdict] = []
        deaths = 0  # of the pair whose turn it is
        while len(verdicts) < len(pairs):
            try:
                if self._child is None:
                    self._start()
                elif self._pairs_since_check >= self._recheck_after and self._measure_memory() > RESTART_ABOVE_BYTES:
                    self.close()
                    self._start()
                elif self._pairs_since_check >= self._recheck_after:
                    self._check_canaries(list(self._ask([pair for pair, _ in self._canaries], STARTUP_SECONDS)))
                for verdict in self._ask(pairs[len(verdicts) : len(verdicts) + BATCH_PAIRS], deadline):
                    verdicts.append(verdict)
                    self._pairs_since_check += 1
                    deaths = 0
            except _Timeout:
                self.close()
                verdicts.append(Verdict("timeout", "deadline", milliseconds=deadline * 1e3))
                deaths = 0
            except _ProcessDied as death:
                self.close()
                deaths += 1
                if (
                    death.is_self_reported or deaths == 2
                ):  # else somebody may have killed it: the pair is asked once more
                    verdicts.append(Verdict("unparseable", "verifier_died"))
                    deaths = 0
        return verdicts

    def _measure_memory(self) -> int:
        """Bytes; 0 of a child that is gone, which the next question will find out."""
        assert self._child is not None
        try:
            return int(psutil.Process(self._child.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _ask(self, pairs: Sequence[Pair], deadline: float) -> Iterator[Verdict]:
        """Send a batch and yield its rulings; the clock of a pair starts when the one before it is answered."""
        self._send({"pairs": pairs, "deadline": deadline})
        for _ in pairs:
            yield Verdict(*self._receive(deadline)["ruling"])

    def _start(self) -> None:
        """Start a child and run the canaries; where somebody kills it meanwhile, start one more."""
        try:
            self._start_once()
        except VerifierBroken:
            if self._child is None or self._child.poll() != -signal.SIGKILL:
                raise
            self.close()
            self._start_once()

    def _start_once(self) -> None:
        with tempfile.TemporaryFile() as stderr:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
                start_new_session=True,  # a group of its own: killed as a whole, and deaf to a Ctrl-C in the terminal
                env=_make_environment(),
            )
            try:
                self.library = self._receive(STARTUP_SECONDS)["library"]
                verdicts = list(self._ask([pair for pair, _ in self._canaries], STARTUP_SECONDS))
            except (_ProcessDied, _Timeout) as error:
                stderr.seek(0)
                error_text = stderr.read().decode(errors="replace").strip()[-1000:]
                raise VerifierBroken(
                    f"the verifier {' '.join(self._command)} did not start: {error or 'no sign of life'}; {error_text}"
                ) from error
        self._check_canaries(verdicts)

    def _check_canaries(self, verdicts: Sequence[Verdict]) -> None:
        self._pairs_since_check = 0
        for (pair, expected), verdict in zip(self._canaries, verdicts, strict=True):
            if verdict.verdict != expected:
                raise VerifierBroken(
                    f"{self.library} fails a canary: gold {pair.gold!r}, answer {pair.answer!r} is {expected}, "
                    f"but it says {verdict.verdict} ({verdict.rule}); reinstall it, or pin the version that worked"
                )

    def _send(self, message: dict[str, Any]) -> None:
        assert self._child is not None and self._child.stdin is not None
        data = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while data:
                data = data[os.write(self._child.stdin.fileno(), data) :]
        except BrokenPipeError:
            raise _ProcessDied(self._explain_exit()) from None

    def _receive(self, seconds: float) -> dict[str, Any]:
        """The next line of the child; raises `_Timeout` or `_ProcessDied`. `poll`, as `select` fails past 1,024 open
        files."""
        assert self._child is not None and self._child.stdout is not None
        pipe = self._child.stdout.fileno()
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread_bytes:
            if not poller.poll(max(0, math.ceil((deadline - time.monotonic()) * 1e3))):
                raise _Timeout
            if not (chunk := os.read(pipe, 1 << 16)):
                raise _ProcessDied(self._explain_exit())
            self._unread_bytes += chunk
        line, _, self._unread_bytes = self._unread_bytes.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        if "died" in message:
            raise _ProcessDied(message["died"], is_self_reported=True)
        return message

    def _explain_exit(self) -> str:
        assert self._child is not None
        code = self._child.wait()
        return f"the child died of {signal.Signals(-code).name}" if code < 0 else f"the child exited with {code}"

    def _close_on_error(self, work: Callable[[], T]) -> T:
        """Whatever interrupts `work`, a child in the middle of a batch must not be asked again."""
        try:
            return work()
        except BaseException:
            self.close()
            raise


def _make_environment() -> dict[str, str]:
    """Ours, and the folder of `tasks` on the path: what the child imports must not depend on the working directory."""
    root = str(Path(__file__).resolve().parents[3])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}


_idle_processes: deque[MathVerifyProcess] = deque()


def compare_pairs(pairs: Sequence[Pair], deadline: float = DEADLINE_SECONDS) -> list[Verdict]:
    """One ruling for each pair, in order, from any thread of any process; `deadline` in seconds a pair.

    Children are started on demand, as many as threads ask at a time, and end with the process.
    """
    if not pairs:
        return []
    try:
        process = _idle_processes.pop()
        while not process.is_owned:
            process = _idle_processes.pop()
    except IndexError:
        process = MathVerifyProcess()
    verdicts = process.compare_pairs(pairs, deadline)
    _idle_processes.append(process)
    return verdicts


def check_health() -> HealthCheck:
    """Start a child, let it pass its canaries, end it; raises `VerifierBroken`."""
    began = time.perf_counter()
    process = MathVerifyProcess()
    process.close()
    return HealthCheck(process.library, (time.perf_counter() - began) * 1e3)


def describe_library() -> str:
    """The library behind the verdicts and its installed version, e.g. `math-verify 0.9.0`."""
    return f"math-verify {version('math-verify')}"


@atexit.register
def _close_idle() -> None:
    while _idle_processes:
        _idle_processes.pop().close()
