"""How a model in this process answers requests: some at a time, as far as the watch allows, one thread in turn."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from schemas.engine import Reply, Request, Watch

CHUNK = 512
"""Samples made at once: what a killed process may lose, and what a lake sees of progress."""


def chunked(
    requests: list[Request],
    watch: Watch,
    size: int,
    turn: AbstractContextManager[object],
    make: Callable[[list[Request]], Sequence[Reply]],
) -> Iterator[tuple[Request, Reply]]:
    """Answer `requests`, which are used up, `size` at a time; `make` does so while this thread has its turn."""
    while requests:
        asked, allowed = list[Request](), watch.allows()
        while allowed:
            asked.append(requests.pop(0))
            allowed = watch.allows() if requests and len(asked) < size else False
        if not asked and allowed is None:  # what it waits for is in flight in another shard
            time.sleep(0.05)
            continue
        if not asked:
            return
        with turn:
            made = make(asked)
        for request, reply in zip(asked, made, strict=True):
            watch.arrived(request, reply)
        yield from zip(asked, made, strict=True)
