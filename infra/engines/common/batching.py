"""How a model in this process answers requests: some at a time, as far as the watch allows, one thread in turn."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from schemas.engine import Reply, Request, RequestObserver

BATCH_SAMPLES = 512
"""Samples made at once: what a killed process may lose, and what a lake sees of progress."""


def answer_in_batches(
    requests: list[Request],
    observer: RequestObserver,
    batch_size: int,
    lock: AbstractContextManager[object],
    answer: Callable[[list[Request]], Sequence[Reply]],
) -> Iterator[tuple[Request, Reply]]:
    """Answer `requests`, which are used up, `batch_size` at a time; `answer` does so while this thread has its turn."""
    while requests:
        batch, allowed = list[Request](), observer.may_send()
        while allowed:
            batch.append(requests.pop(0))
            allowed = observer.may_send() if requests and len(batch) < batch_size else False
        if not batch and allowed is None:  # what it waits for is in flight in another shard
            time.sleep(0.05)
            continue
        if not batch:
            return
        with lock:
            replies = answer(batch)
        for request, reply in zip(batch, replies, strict=True):
            observer.on_reply(request, reply)
        yield from zip(batch, replies, strict=True)
