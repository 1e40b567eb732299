"""The other end of `json_process.py`: a child that reads messages from its input, and never outlives its parent."""

import json
import os
import queue
import resource
import sys
import threading
from typing import Any


class ParentPipe:
    """The messages of the parent and the way back to it. Made once, in the child; whatever prints afterwards is lost.

    A thread reads the input, so that the child also ends if the parent dies in the middle of a message.
    """

    def __init__(self) -> None:
        self._replies = os.dup(1)
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, 1)  # output of libraries must not reach the pipe
        os.dup2(null_device, 2)
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def receive(self) -> dict[str, Any]:
        """The next message."""
        return self._messages.get()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to the parent."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            data = data[os.write(self._replies, data) :]

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            self._messages.put(json.loads(line))
        os._exit(0)


def limit_resources(memory_bytes: int, recursion_frames: int) -> None:
    """Limit this process's address space and recursion. It leaves no core dump."""
    hard_limit = resource.getrlimit(resource.RLIMIT_AS)[1]
    memory = memory_bytes if hard_limit == resource.RLIM_INFINITY else min(memory_bytes, hard_limit)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(recursion_frames)
