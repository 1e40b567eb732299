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

DEADLINE = 2.0
"""Seconds a pair may take."""
STARTUP = 120.0
"""Seconds a child may take to import sympy (1.7 s alone on a core) or for one canary; generous, for loaded machines."""
TRUSTED = 5000
"""Pairs that a child judges before it must pass the canaries again: half a second of work in a minute."""
GROWN = 512 << 20
"""Resident bytes from which a child is then replaced: its parser keeps what it learns, 75 MB in 37,000 odd pairs."""
BATCH = 32
"""Pairs sent at once: enough to hide the pipe, few enough to send again cheaply after a restart."""
COMMAND = (sys.executable, "-P", "-m", "tasks.verification.math_verify.child")
"""`-P`: a file `tasks.py` or `sympy.py` in the working directory is not ours."""

PRINTED = 500
"""Characters kept of a parsed form."""
THOUSANDS = re.compile(r"(?<=[0-9])(?:,\\!\s?|\{,\})(?=[0-9])")
r"""How LaTeX sets the comma of 1,000: `,\!` or `{,}`. Math-Verify does not read the first inside a fraction."""


class Pair(NamedTuple):
    """What is compared. The order matters: Math-Verify treats gold and answer differently."""

    gold: str
    answer: str


class Ruling(NamedTuple):
    """What the verifier said: a verdict of `schemas.tables.verdicts`, the rule behind it, both parsed forms."""

    verdict: str
    rule: str
    gold_parsed: str | None = None
    answer_parsed: str | None = None
    milliseconds: float = 0.0


class Health(NamedTuple):
    """What `check` found: the library and its version, and how long a child takes to start and pass its canaries."""

    library: str
    milliseconds: float


Rule = Callable[[str, str], Ruling]
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


class _Late(Exception):
    """The child did not answer in time."""


class _Died(Exception):
    """The child ended; `told`: it said why, so that nobody else can have ended it."""

    def __init__(self, why: str, *, told: bool = False) -> None:
        super().__init__(why)
        self.told = told


class Referee:
    """One child process and the pipe to it, for one thread at a time; whoever makes one must `close` it.

    `command` starts a process that runs `umpire.serve`. Raises `VerifierBroken` if that fails, or if a canary does,
    which is asked at the start and after `trusted` pairs.
    """

    def __init__(
        self, canaries: Sequence[Canary] = CANARIES, command: Sequence[str] = COMMAND, trusted: int = TRUSTED
    ) -> None:
        self.library = ""
        self._canaries, self._command, self._trusted = canaries, command, trusted
        self._owner = os.getpid()
        self._child: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._judged = 0
        self._guarded(self._start)

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._child.pid if self._child else None

    @property
    def ours(self) -> bool:
        """Whether this process started it: a fork inherits the object, but the pipe is its parent's."""
        return self._owner == os.getpid()

    def judge(self, pairs: Sequence[Pair], deadline: float = DEADLINE) -> list[Ruling]:
        """One ruling for each pair, in order: `timeout` past `deadline` seconds, `unparseable` where the child died."""
        return self._guarded(lambda: self._judge(pairs, deadline))

    def close(self) -> None:
        """End the child, with whatever it started."""
        child, self._child, self._unread = self._child, None, b""
        if child is None or not self.ours:
            return
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()

    def _judge(self, pairs: Sequence[Pair], deadline: float) -> list[Ruling]:
        rulings: list[Ruling] = []
        deaths = 0  # of the pair whose turn it is
        while len(rulings) < len(pairs):
            try:
                if self._child is None:
                    self._start()
                elif self._judged >= self._trusted and self._resident() > GROWN:
                    self.close()
                    self._start()
                elif self._judged >= self._trusted:
                    self._trust(list(self._ask([pair for pair, _ in self._canaries], STARTUP)))
                for ruling in self._ask(pairs[len(rulings) : len(rulings) + BATCH], deadline):
                    rulings.append(ruling)
                    self._judged += 1
                    deaths = 0
            except _Late:
                self.close()
                rulings.append(Ruling("timeout", "deadline", milliseconds=deadline * 1e3))
                deaths = 0
            except _Died as death:
                self.close()
                deaths += 1
                if death.told or deaths == 2:  # else somebody may have killed it: the pair is asked once more
                    rulings.append(Ruling("unparseable", "verifier_died"))
                    deaths = 0
        return rulings

    def _resident(self) -> int:
        """Bytes; 0 of a child that is gone, which the next question will find out."""
        assert self._child is not None
        try:
            return int(psutil.Process(self._child.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _ask(self, pairs: Sequence[Pair], deadline: float) -> Iterator[Ruling]:
        """Send a batch and yield its rulings; the clock of a pair starts when the one before it is answered."""
        self._send({"pairs": pairs, "deadline": deadline})
        for _ in pairs:
            yield Ruling(*self._receive(deadline)["ruling"])

    def _start(self) -> None:
        """Start a child and run the canaries; where somebody kills it meanwhile, start one more."""
        try:
            self._begin()
        except VerifierBroken:
            if self._child is None or self._child.poll() != -signal.SIGKILL:
                raise
            self.close()
            self._begin()

    def _begin(self) -> None:
        with tempfile.TemporaryFile() as complaints:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                bufsize=0,
                start_new_session=True,  # a group of its own: killed as a whole, and deaf to a Ctrl-C in the terminal
                env=_environment(),
            )
            try:
                self.library = self._receive(STARTUP)["library"]
                rulings = list(self._ask([pair for pair, _ in self._canaries], STARTUP))
            except (_Died, _Late) as error:
                complaints.seek(0)
                said = complaints.read().decode(errors="replace").strip()[-1000:]
                raise VerifierBroken(
                    f"the verifier {' '.join(self._command)} did not start: {error or 'no sign of life'}; {said}"
                ) from error
        self._trust(rulings)

    def _trust(self, rulings: Sequence[Ruling]) -> None:
        self._judged = 0
        for (pair, expected), ruling in zip(self._canaries, rulings, strict=True):
            if ruling.verdict != expected:
                raise VerifierBroken(
                    f"{self.library} fails a canary: gold {pair.gold!r}, answer {pair.answer!r} is {expected}, "
                    f"but it says {ruling.verdict} ({ruling.rule}); reinstall it, or pin the version that worked"
                )

    def _send(self, message: dict[str, Any]) -> None:
        assert self._child is not None and self._child.stdin is not None
        data = memoryview(json.dumps(message).encode() + b"\n")
        try:
            while data:
                data = data[os.write(self._child.stdin.fileno(), data) :]
        except BrokenPipeError:
            raise _Died(self._cause()) from None

    def _receive(self, seconds: float) -> dict[str, Any]:
        """The next line of the child; raises `_Late` or `_Died`. `poll`, as `select` fails past 1,024 open files."""
        assert self._child is not None and self._child.stdout is not None
        pipe = self._child.stdout.fileno()
        ready = select.poll()
        ready.register(pipe, select.POLLIN)
        until = time.monotonic() + seconds
        while b"\n" not in self._unread:
            if not ready.poll(max(0, math.ceil((until - time.monotonic()) * 1e3))):
                raise _Late
            if not (chunk := os.read(pipe, 1 << 16)):
                raise _Died(self._cause())
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        if "died" in message:
            raise _Died(message["died"], told=True)
        return message

    def _cause(self) -> str:
        assert self._child is not None
        code = self._child.wait()
        return f"the child died of {signal.Signals(-code).name}" if code < 0 else f"the child exited with {code}"

    def _guarded(self, work: Callable[[], T]) -> T:
        """Whatever interrupts `work`, a child in the middle of a batch must not be asked again."""
        try:
            return work()
        except BaseException:
            self.close()
            raise


def _environment() -> dict[str, str]:
    """Ours, and the folder of `tasks` on the path: what the child imports must not depend on the working directory."""
    root = str(Path(__file__).resolve().parents[3])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}


_idle: deque[Referee] = deque()


def judge(pairs: Sequence[Pair], deadline: float = DEADLINE) -> list[Ruling]:
    """One ruling for each pair, in order, from any thread of any process; `deadline` in seconds a pair.

    Children are started on demand, as many as threads ask at a time, and end with the process.
    """
    if not pairs:
        return []
    try:
        referee = _idle.pop()
        while not referee.ours:
            referee = _idle.pop()
    except IndexError:
        referee = Referee()
    rulings = referee.judge(pairs, deadline)
    _idle.append(referee)
    return rulings


def check() -> Health:
    """Start a child, let it pass its canaries, end it; raises `VerifierBroken`."""
    began = time.perf_counter()
    referee = Referee()
    referee.close()
    return Health(referee.library, (time.perf_counter() - began) * 1e3)


def library() -> str:
    """The library behind the verdicts and its installed version, e.g. `math-verify 0.9.0`."""
    return f"math-verify {version('math-verify')}"


@atexit.register
def _close() -> None:
    while _idle:
        _idle.pop().close()
