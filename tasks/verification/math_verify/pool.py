"""Judges pairs of answers with Math-Verify in a child process that can be killed, so no pair can hang or end a run.

Math-Verify's own timeouts use signals, which only work in a main thread: on a worker thread it raises for every pair.
Here it runs without them in a fresh interpreter (`child.py`), which a limit on its CPU time ends. CPU time depends on
the pair alone, while seconds of the clock also depend on who else uses the machine; they only end a child that hangs.
Parent and child exchange lines of JSON: the parent sends a batch of pairs, the child returns one line for each pair.
Only the child imports Math-Verify, once.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from schemas.errors import VerifierBroken
from tasks.verification.json_process import IdlePool, JsonProcess, ProcessDied, ProcessOwner, Timeout
from tasks.verification.math_verify.canaries import CANARIES, Canary, check_canaries
from tasks.verification.math_verify.verdict import Pair, Verdict

DEADLINE_SECONDS = 2.0
"""Seconds of CPU time that a pair may take."""
WALL_FACTOR = 10
"""A child that does not answer in so many times the deadline hangs: it waits, or others use the cores."""
STARTUP_SECONDS = 120.0
"""Seconds for a child to import sympy (1.7 s alone on a core) or judge a canary; generous for loaded machines."""
RECHECK_AFTER_PAIRS = 5000
"""Pairs that a child judges before it must pass the canaries again: half a second of work in a minute."""
RESTART_ABOVE_BYTES = 512 << 20
"""Resident bytes above which a child is then replaced: its parser's cache grows by 75 MB in 37,000 unusual pairs."""
BATCH_PAIRS = 32
"""Pairs sent at once: enough to hide the latency of the pipe, few enough to resend cheaply after a restart."""
COMMAND = (sys.executable, "-P", "-m", "tasks.verification.math_verify.child")
"""The command of a child. `-P`: a `tasks.py` or `sympy.py` in the working directory must not be imported."""


class HealthCheck(NamedTuple):
    """Result of `check_health`: the library with its version, and how long a child takes to start and pass its
    canaries."""

    library: str
    milliseconds: float


class _ReportedDeath(ProcessDied):
    """The child reported why it ended, so it was not killed from outside."""


class MathVerifyProcess(ProcessOwner):
    """One child process that judges pairs, for one thread at a time. The caller must `close` it.

    `command` starts a process that runs `child.serve`. Raises `VerifierBroken` if that fails, or if a canary fails;
    canaries run at the start and after every `recheck_after` pairs.
    """

    def __init__(
        self,
        canaries: Sequence[Canary] = CANARIES,
        command: Sequence[str] = COMMAND,
        recheck_after: int = RECHECK_AFTER_PAIRS,
    ) -> None:
        super().__init__()
        self.library = ""
        self._canaries, self._command, self._recheck_after = canaries, command, recheck_after
        self._pairs_since_check = 0
        self._close_on_error(self._start)

    def compare_pairs(self, pairs: Sequence[Pair], deadline: float = DEADLINE_SECONDS) -> list[Verdict]:
        """One verdict for each pair, in order.

        It is `timeout` after `deadline` seconds of CPU time, and `unparseable` if the child died.
        """
        return self._close_on_error(lambda: self._compare_pairs(pairs, deadline))

    def _compare_pairs(self, pairs: Sequence[Pair], deadline: float) -> list[Verdict]:
        verdicts: list[Verdict] = []
        deaths = 0  # of the child, on the current pair
        while len(verdicts) < len(pairs):
            try:
                child = self._child or self._start()
                if self._pairs_since_check >= self._recheck_after:
                    if self._measure_memory() > RESTART_ABOVE_BYTES:
                        self.close()
                        child = self._start()
                    else:
                        self._check_canaries(child)
                for verdict in self._ask(child, pairs[len(verdicts) : len(verdicts) + BATCH_PAIRS], deadline):
                    verdicts.append(verdict)
                    self._pairs_since_check += 1
                    deaths = 0
            except Timeout:
                self.close()
                verdicts.append(Verdict("timeout", "deadline", milliseconds=deadline * 1e3))
                deaths = 0
            except ProcessDied as death:
                is_out_of_time = child.exit_code == -signal.SIGPROF
                self.close()
                if is_out_of_time:
                    verdicts.append(Verdict("timeout", "deadline", milliseconds=deadline * 1e3))
                    deaths = 0
                    continue
                deaths += 1
                if isinstance(death, _ReportedDeath) or deaths == 2:  # else it may have been killed: try once more
                    verdicts.append(Verdict("unparseable", "verifier_died"))
                    deaths = 0
        return verdicts

    def _measure_memory(self) -> int:
        """Resident bytes of the child; 0 if it is gone, which the next request will notice."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _ask(self, child: JsonProcess, pairs: Sequence[Pair], deadline: float) -> Iterator[Verdict]:
        """Send a batch and yield its verdicts. The deadline of a pair starts when the previous one is answered."""
        child.send({"pairs": pairs, "cpu_seconds": deadline})
        for _ in pairs:
            yield Verdict(*_receive(child, WALL_FACTOR * deadline)["verdict"])

    def _start(self) -> JsonProcess:
        """Start a child and run the canaries. If it is killed meanwhile, start one more."""
        try:
            return self._start_once()
        except VerifierBroken:
            if self._child is None or self._child.exit_code != -signal.SIGKILL:
                raise
            self.close()
            return self._start_once()

    def _start_once(self) -> JsonProcess:
        self._child = child = JsonProcess(self._command, _make_environment())
        try:
            self.library = _receive(child, STARTUP_SECONDS)["library"]
            self._check_canaries(child)
        except (ProcessDied, Timeout) as error:
            raise VerifierBroken(f"the verifier {' '.join(self._command)} did not start: {error}") from error
        return child

    def _check_canaries(self, child: JsonProcess) -> None:
        verdicts = list(self._ask(child, [pair for pair, _ in self._canaries], STARTUP_SECONDS))
        self._pairs_since_check = 0
        check_canaries(self.library, self._canaries, verdicts)


def _receive(child: JsonProcess, seconds: float) -> dict[str, Any]:
    message = child.receive(seconds)
    if "died" in message:
        raise _ReportedDeath(message["died"])
    return message


def _make_environment() -> dict[str, str]:
    """This process's environment, with the folder of `tasks` on the path, whatever the working directory is.

    Hashes are those of every other child, because sympy visits the members of sets in their order.
    """
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}


_idle_processes = IdlePool(MathVerifyProcess)


def compare_pairs(pairs: Sequence[Pair], deadline: float = DEADLINE_SECONDS) -> list[Verdict]:
    """One verdict for each pair, in order. `deadline` is in seconds of CPU time per pair. Any thread of any process may
    call this.

    Children are started on demand, one for each thread that calls at the same time, and end with the process.
    """
    if not pairs:
        return []
    with _idle_processes.lend() as process:
        return process.compare_pairs(pairs, deadline)


def check_health() -> HealthCheck:
    """Start a child, run its canaries and end it. Raises `VerifierBroken`."""
    began = time.perf_counter()
    process = MathVerifyProcess()
    process.close()
    return HealthCheck(process.library, (time.perf_counter() - began) * 1e3)
