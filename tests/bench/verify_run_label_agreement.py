"""Agreement of the verdicts with the labels of 5,276 recorded solutions of real models."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.support.results import Figure, questmill
from tests.support.recorded import SKIP_REASON, SOLUTIONS, write_attempts

AGREEMENT = """
    SELECT 100.0 * avg(((verdict = 'correct') = is_correct)::INT), count(*) FILTER (verdict = 'timeout') FROM verified
"""


def measure() -> Iterator[Figure]:
    """The share of verdicts that agree, and how many pairs had no verdict in time."""
    if not SOLUTIONS.exists():
        print(f"verify_run_label_agreement: skipped: {SKIP_REASON}")
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = write_attempts(Path(folder, "attempts.jsonl"))
        questmill("run", "verify", "--input", f"{folder}/attempts.jsonl", "--store", f"{folder}/lake")
        agreement, timeouts = questmill("query", AGREEMENT, "--store", f"{folder}/lake").split()[-1].split(",")
    yield Figure("agreement", round(float(agreement), 3), "%", ">= 99.9", f"{rows:,} recorded solutions")
    yield Figure("timeouts", int(timeouts), "rows", "0")
