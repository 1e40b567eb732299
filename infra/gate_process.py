"""A process of its own for gates: Great Expectations is imported there once, while steps are still working.

In a worker the import would begin only when the gate does, and its 250 MB would stay until the end of the run.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from queue import SimpleQueue
from typing import Any

from infra import gates
from infra.cluster.signals import block_interrupts
from infra.cluster.step_execution import RunEnded, StepExecution
from schemas.errors import QuestmillError

NICE = 10
"""How much the process gives way to others: while it imports, steps need the cores."""


class GateProcess:
    """Checks gates, one at a time, in a child that is started when a gate is near. Thread-safe."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.is_closed = False
        self.starting, self.checking = threading.Lock(), threading.Lock()

    def start(self) -> None:
        """Start the child, unless it runs. Returns at once; Great Expectations takes some seconds to import."""
        with self.starting:
            if self.child is None and not self.is_closed:
                modules = os.pathsep.join(path or os.getcwd() for path in sys.path)
                with block_interrupts():  # a gate that is being checked ends with the run, not before it
                    self.child = subprocess.Popen(
                        [sys.executable, "-P", "-m", __name__],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        env={**os.environ, "PYTHONPATH": modules},
                    )

    def execute(self, step: StepExecution) -> None:
        """Begin a step of `gates.run_gate`. Returns at once; its receipt arrives in `step`."""
        self.start()
        threading.Thread(target=self._check, args=(step,), name="gate", daemon=True).start()

    def close(self) -> None:
        """End the child, also in the middle of a check."""
        with self.starting:
            self.is_closed = True
            if self.child is None:
                return
            self.child.kill()
            self.child.wait()
        with self.checking:  # a check that was under way has been told by now
            for pipe in (self.child.stdin, self.child.stdout):
                with contextlib.suppress(OSError):  # of what nobody will read
                    if pipe is not None:
                        pipe.close()

    def _check(self, step: StepExecution) -> None:
        try:
            [given] = step.inputs
            receipt = self._call({step.argument: given, **step.constants})
        except BaseException as error:  # also one that ends the run: whoever waits must be told
            step.fail(RunEnded("the run has ended") if self.is_closed else error, 0)
        else:
            step.succeed({0: receipt})

    def _call(self, arguments: dict[str, Any]) -> Any:
        with self.checking:
            if (child := self.child) is None or child.stdin is None or child.stdout is None:
                raise RunEnded("the run has ended")
            try:
                child.stdin.write(pickle.dumps(arguments))
                child.stdin.flush()
                error, receipt = pickle.load(child.stdout)
            except (EOFError, OSError, ValueError, pickle.UnpicklingError) as broken:
                code = child.wait()
                cause = ": out of memory?" if code == -signal.SIGKILL else ""
                raise QuestmillError(
                    f"the process that checks gates ended with code {code}{cause}; the same command continues where it "
                    "stopped"
                ) from broken
        if error is not None:
            raise error
        return receipt


def serve() -> None:
    """Check what comes in on standard input, until it closes. Runs in the child."""
    os.nice(NICE)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no reply
    calls: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def read() -> None:
        while True:
            try:
                calls.put(pickle.load(sys.stdin.buffer))
            except EOFError:
                os._exit(0)  # the run has ended, perhaps by a kill

    threading.Thread(target=read, daemon=True).start()
    threading.Thread(target=gates.import_libraries, daemon=True).start()  # a gate that was checked needs none of them
    while True:
        arguments = calls.get()
        try:
            reply: tuple[BaseException | None, Any] = None, gates.run_gate(**arguments)
        except Exception as error:
            reply = error, None
        replies.write(pickle.dumps(reply))
        replies.flush()


if __name__ == "__main__":
    serve()
