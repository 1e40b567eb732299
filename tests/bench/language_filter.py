"""The language filter: how much real English passes, how much of other languages is stopped, how fast."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from schemas.outcomes import Reject
from tasks.questions.language import KeepLanguage, load_identifier
from tests.bench.support.results import Figure
from tests.support.recorded import SHARED_DATA

REAL = {"gsm8k": ("train.jsonl", "question", ">= 99.5"), "math": ("test.jsonl", "problem", ">= 99")}
OTHERS = Path(__file__).parents[1] / "data" / "questions_other_languages.jsonl"


def measure() -> Iterator[Figure]:
    """Shares in per cent, and questions a second of this thread; the identifier is loaded before."""
    load_identifier()
    for name, (file, column, target) in REAL.items():
        path = SHARED_DATA / name / file
        if not path.exists():
            print(f"language_filter.{name}: skipped: needs {file} in ../shared/data/{name}/")
            continue
        texts = [json.loads(line)[column] for line in path.read_text().splitlines()]
        stopped, seconds = _stopped(texts)
        note = f"of {len(texts):,} questions pass"
        yield Figure(f"english_passed.{name}", round(100 - 100 * stopped, 2), "%", target, note)
        if name == "gsm8k":
            speed = round(len(texts) / seconds)
            yield Figure("speed", speed, "rows/s", ">= 3000", "GSM8K, CPU time of one thread")
    yield from _others()


def _others() -> Iterator[Figure]:
    rows = [json.loads(line) for line in OTHERS.read_text().splitlines()]
    stopped, _ = _stopped([row["question"] for row in rows])
    yield Figure("foreign_stopped", round(100 * stopped, 2), "%", ">= 97", f"of {len(rows)} foreign questions stopped")
    for language in sorted({row["language"] for row in rows}):
        texts = [row["question"] for row in rows if row["language"] == language]
        share = round(100 * _stopped(texts)[0], 2)
        yield Figure(f"foreign_stopped.{language.lower()}", share, "%", "", f"of {len(texts)} stopped")


def _stopped(texts: list[str]) -> tuple[float, float]:
    """The share that is turned down, and the seconds that it took."""
    batch = [{"row_id": str(i), "question": text} for i, text in enumerate(texts)]
    began = time.thread_time()
    rejects = sum(isinstance(found, Reject) for found in KeepLanguage().rows(batch, None))
    return rejects / len(texts), time.thread_time() - began
