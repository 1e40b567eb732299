"""Keeps Ctrl-C away from helpers: a terminal sends it to every process, but ending a run is for one of them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def block_interrupts() -> Iterator[None]:
    """Threads and processes that are started in here, and whatever they start, never see an interrupt.

    The signal mask is inherited; an interrupt of the caller waits until this is closed.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
