"""The demo, as a newcomer sees it after the set-up: 2,000 questions from nothing, on two worker processes."""

import tempfile
import time
from collections.abc import Iterator

from tests.bench.support.results import Figure, questmill


def measure() -> Iterator[Figure]:
    """The command of `make demo` on a lake of its own; its queries take a second each."""
    with tempfile.TemporaryDirectory() as lake:
        began = time.monotonic()
        questmill(
            "run", "scalequest", "--preset", "pupil", "--questions", "2000", "--measure_error_rates", "--store", lake
        )
        seconds = time.monotonic() - began
    yield Figure("first_run", round(seconds, 1), "s", "<= 150", "2,000 questions asked, two worker processes")
