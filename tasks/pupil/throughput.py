"""Measures how fast an engine generates, in tokens per second over one full batch."""

import time

from schemas.engine import Generator, generate
from schemas.prompts import Prompt, Sampling

WARM_UP_REQUESTS, MEASURED_REQUESTS = 64, 512


def measure_tokens_per_second(engine: Generator) -> float:
    """Completion tokens per second over 512 `write_question` requests, after a warm-up of 64."""
    for size in (WARM_UP_REQUESTS, MEASURED_REQUESTS):
        prompts = [Prompt(stage="write_question")] * size
        started = time.perf_counter()
        replies = generate(engine, prompts, Sampling(temperature=1.0, max_tokens=128), [[i] for i in range(size)])
    tokens = sum(reply.completion_tokens for each in replies for reply in each)
    return tokens / (time.perf_counter() - started)
