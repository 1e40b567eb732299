"""Keeps Ctrl-C away from helper processes: a terminal sends it to all, but only the main one must end the run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def block_interrupts() -> Iterator[None]:
    """Block interrupts for the threads and processes started inside `with`, and for their children.

    They inherit the signal mask. An interrupt of the caller is delivered at the end of `with`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
