"""What published rows are worth, by the oracle; what the solvability filter finds; what adaptive sampling saves.

One lake: the runs share what they have in common, so a run with another selection asks nothing.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from tests.bench.support.results import Figure, questmill

QUESTIONS = int(os.environ.get("QUESTMILL_BENCH_QUESTIONS", "3000"))
SELECT = ("--select.within_majority", "false", "--select.least_agreement", "0", "--select.least_reward", "0")
PAPER = (*SELECT, "--solvable.least_confidence", "0")
MAJORITY = ("--select.least_agreement", "0.5", "--select.least_reward", "0")


def measure() -> Iterator[Figure]:
    """The pupil in every role, from blank prompts."""
    with tempfile.TemporaryDirectory() as lake:
        ours, paper = run(lake), run(lake, *PAPER)
        five, adaptive = run(lake, *MAJORITY), run(lake, *MAJORITY, "--solve.adaptive", "true")
    for name, found, target in (("default_selection", ours, "<= 2"), ("paper_selection", paper, "")):
        for what, short in (("wrong answers", "wrong_answers"), ("unsolvable questions", "unsolvable_questions")):
            row = found[f"published: {what}"]
            yield Figure(f"{name}.{short}", percent(row["value"]), "%", target, interval(row))
    for short, target in (("precision", ">= 93"), ("recall", "")):
        row = ours[f"solvability filter: {short}"]
        yield Figure(f"solvability_filter.{short}", percent(row["value"]), "%", target, interval(row))
    saved = 1 - adaptive["tokens"]["value"] / five["tokens"]["value"]
    note = "of solutions and their rewards, against n = 5; a majority is published"
    yield Figure("adaptive_sampling.tokens_saved", percent(saved), "% tokens", ">= 25", note)
    for name, found in (("five_samples", five), ("adaptive_sampling", adaptive)):
        row = found["published: wrong answers"]
        yield Figure(f"{name}.wrong_answers", percent(row["value"]), "%", "", interval(row))


def run(lake: str, *words: str) -> dict[str, Any]:
    """One run; its measured noise by figure, and the tokens of its solutions and rewards."""
    size = ("--questions", str(QUESTIONS), "--shard_rows", "250", "--measure_error_rates", "true")
    questmill("run", "scalequest", "--preset", "pupil", *size, *words, "--profile", "ci", "--store", lake)
    noise = {row["figure"]: row for row in ask(lake, "SELECT * FROM error_rates")}
    spent = "SELECT sum(prompt_tokens + completion_tokens) AS value FROM funnel WHERE dataset = 'scalequest' "
    (noise["tokens"],) = ask(lake, spent + "AND step IN ('solve', 'score_answer')")
    return noise


def ask(lake: str, sql: str) -> list[dict[str, Any]]:
    """Rows of a query."""
    return [json.loads(line) for line in questmill("query", sql, "--store", lake, "--format", "json").splitlines()]


def percent(share: float) -> float:
    """With two decimals."""
    return round(100 * share, 2)


def interval(row: dict[str, Any]) -> str:
    """For a note."""
    return f"95 % interval {percent(row['low'])} to {percent(row['high'])}, of {row['n']:,}"
