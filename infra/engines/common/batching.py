"""Answers requests with a model in this process: in batches, within the budget, one thread at a time."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from schemas.engine import Reply, Request, RequestObserver

BATCH_SAMPLES = 512
"""Samples per batch: the most that a killed process loses, and the step in which the journal grows."""


def answer_in_batches(
    requests: list[Request],
    observer: RequestObserver,
    batch_size: int,
    lock: AbstractContextManager[object],
    answer: Callable[[list[Request]], Sequence[Reply]],
) -> Iterator[tuple[Request, Reply]]:
    """Answer `requests` in batches of `batch_size` and empty the list; `answer` runs while this thread holds `lock`."""
    while requests:
        batch, allowed = list[Request](), observer.may_send()
        while allowed:
            batch.append(requests.pop(0))
            allowed = observer.may_send() if requests and len(batch) < batch_size else False
        if not batch and allowed is None:  # the budget waits for requests that other shards have in flight
            time.sleep(0.05)
            continue
        if not batch:
            return
        with lock:
            replies = answer(batch)
        for request, reply in zip(batch, replies, strict=True):
            observer.on_reply(request, reply)
        yield from zip(batch, replies, strict=True)
