"""Runs checks that may never end in a child process with limits: a JSON schema of the user's, or a pattern.

A pattern can explode and a schema can double at each level, inside C code that no exception reaches. A timer of CPU
time ends the child then, so the verdict does not depend on who else uses the machine. `limited_child.py` is the child.
"""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.errors import VerifierBroken
from tasks.verification.json_process import IdlePool, JsonProcess, ProcessDied, ProcessOwner, Timeout

CPU_SECONDS = 2.0
"""Seconds of CPU time that a check may take."""
RETRY_FACTOR = 4
"""A check that took too long is repeated once with so many times the limit."""
WALL_FACTOR = 10
"""A child that does not answer in so many times the limit hangs: it waits, or others use the cores."""
STARTUP_SECONDS = 120.0
"""Seconds for a child to start; generous for loaded machines."""
COMMAND = (sys.executable, "-P", "-m", "tasks.verification.answer_types.limited_child")
"""The command of a child. `-P`: a module of the same name in the working directory must not be imported."""


class CheckEnded(Exception):
    """The child could not finish a check: `rule` says why, `deadline` or `verifier_died`."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class LimitedProcess(ProcessOwner):
    """One child that runs checks, for one thread at a time. The caller must `close` it. Raises `VerifierBroken`."""

    def __init__(self) -> None:
        super().__init__()
        self._close_on_error(self._start)

    def run(self, check: str, message: Mapping[str, Any], cpu_seconds: float) -> dict[str, Any]:
        """The result of one check. Raises `CheckEnded`."""
        return self._close_on_error(lambda: self._run(check, message, cpu_seconds))

    def _run(self, check: str, message: Mapping[str, Any], cpu_seconds: float) -> dict[str, Any]:
        child = self._child or self._start()
        try:
            child.send({"check": check, "cpu_seconds": cpu_seconds, **message})
            reply = child.receive(WALL_FACTOR * cpu_seconds)
        except Timeout:
            raise CheckEnded("deadline") from None
        except ProcessDied:
            raise CheckEnded("deadline" if child.exit_code == -signal.SIGPROF else "verifier_died") from None
        if "died" in reply:
            raise CheckEnded("verifier_died")
        return reply

    def _start(self) -> JsonProcess:
        root = str(Path(__file__).resolve().parents[3])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._child = child = JsonProcess(COMMAND, {**os.environ, "PYTHONPATH": path})
        try:
            child.receive(STARTUP_SECONDS)
        except (ProcessDied, Timeout) as error:
            raise VerifierBroken(f"the checker {' '.join(COMMAND)} did not start: {error}") from error
        return child


_idle_processes = IdlePool(LimitedProcess)


def run_limited(check: str, message: Mapping[str, Any], cpu_seconds: float = CPU_SECONDS) -> dict[str, Any]:
    """The result of one check; any thread of any process may call this. Raises `CheckEnded`.

    A check that takes too long, or whose child was ended from outside, is repeated once.
    """
    for seconds in (cpu_seconds, RETRY_FACTOR * cpu_seconds):
        try:
            with _idle_processes.lend() as process:
                return process.run(check, message, seconds)
        except CheckEnded as ended:
            last = ended
    raise last
