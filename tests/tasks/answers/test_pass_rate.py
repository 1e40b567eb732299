"""Pass rates: what counts as an attempt, what as a pass, and which problems are kept."""

from typing import Any

import pyarrow as pa
import pytest

from infra.engines.fake import FakeEngine
from schemas.arrow import conform
from schemas.errors import BadInput
from schemas.outcomes import Reject
from schemas.prompts import Sampling
from schemas.tables import rl_pool, verdicts
from tasks.answers.pass_rate import KeepPassRateBand, PassRate, SampleResponses
from tasks.base.confidence import wilson_interval
from tests.support.merging import run_merge

PROBLEM = {"row_id": "p", "question": "1 + 1?", "answer": "2", "tokens": 7, "verdict": "theirs"}
WARM = Sampling(n=3, temperature=1.0, max_tokens=4)


def table(*said: str | None, cut_off: tuple[int, ...] = ()) -> tuple[pa.Table, pa.Table]:
    """Attempts at the problem and their verdicts; None: the attempt has no verdict."""
    attempts = [
        {"row_id": f"p/solver/{i}", "problem_id": "p", "question": "1 + 1?", "response": "", "reasoning": None}
        | {"answer": "2"}
        | {"model": "solver", "cut_off": i in cut_off, "tokens": 10 + i}
        for i in range(len(said))
    ]
    found = [
        dict.fromkeys(verdicts.VERDICT_SCHEMA.names)
        | {"row_id": f"p/solver/{i}", "verdict": word, "rule": "number", "verifier": "questmill.answer_match"}
        | {"verifier_version": "2", "milliseconds": 0.1}
        for i, word in enumerate(said)
        if word
    ]
    return conform(attempts, rl_pool.POOL_ATTEMPTS, "t"), pa.Table.from_pylist(found, schema=verdicts.VERDICT_SCHEMA)


def rate(*said: str | None, cut_off: tuple[int, ...] = (), **more: Any) -> dict[str, Any]:
    merge = PassRate(samples_requested=more.get("asked", len(said)))
    row: dict[str, Any] = run_merge(merge, [PROBLEM], *table(*said, cut_off=cut_off))["p/solver"]
    return row


def test_every_attempt_is_kept_with_its_tokens_whatever_it_ends_in() -> None:
    said = iter(["#### 2", "no idea", "one and one are surely"])
    rows = list(SampleResponses(sampling=WARM).rows([PROBLEM], FakeEngine(lambda prompt, seed: next(said))))
    conform(rows, rl_pool.POOL_ATTEMPTS, "attempt")  # type: ignore[arg-type]
    seen = [(row["row_id"], row["cut_off"], row["tokens"]) for row in rows]  # type: ignore[index]
    assert seen == [("p/solver/0", False, 3), ("p/solver/1", False, 3), ("p/solver/2", True, 4)]


def test_a_model_is_asked_as_the_pupil_was_taught_to_solve() -> None:
    prompt = SampleResponses().prompt(PROBLEM)
    assert prompt is not None and prompt.to_tagged_text() == "<solve><question>1 + 1?<reply>"


def test_a_problem_without_a_gold_is_rejected_and_nothing_is_asked() -> None:
    engine, row = FakeEngine(), PROBLEM | {"answer": None}
    assert list(SampleResponses().rows([row], engine)) == [Reject(row, "no gold")]
    assert not engine.calls
    assert run_merge(PassRate(), [row], *table("correct"))["p/solver"]["reject"] == "no gold"


def test_problems_without_a_column_are_told_which() -> None:
    with pytest.raises(BadInput, match="the problems have no column 'answer'"):
        list(SampleResponses().rows([{"row_id": "p", "question": "?"}], FakeEngine()))


def test_a_greedy_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="8 greedy samples say the same"):
        SampleResponses(sampling=Sampling(n=8))


def test_the_rate_is_that_of_verified_attempts_with_its_interval() -> None:
    row = rate("correct", "wrong", "unparseable", "correct", "timeout", "unverifiable", None, asked=8)
    assert (row["samples"], row["passes"], row["unverified"], row["pass_rate"]) == (4, 2, 4, 0.5)
    assert (row["low"], row["high"]) == pytest.approx(wilson_interval(2, 4), abs=1e-6)
    assert (row["tokens"], row["verifier"], row["reject"]) == (13.0, "questmill.answer_match", None)
    conform([{name: row[name] for name in rl_pool.PASS_RATES.names}], rl_pool.PASS_RATES, "rates")
    assert list(row) == [*rl_pool.PASS_RATES.names, "reject"]


@pytest.mark.parametrize("passed", [0, 1, 3, 8])
def test_the_interval_holds_the_rate_at_both_ends(passed: int) -> None:
    row = rate(*["correct"] * passed, *["wrong"] * (8 - passed))
    assert 0 <= row["low"] <= row["pass_rate"] == passed / 8 <= row["high"] <= 1
    assert (row["low"], row["high"]) == pytest.approx(wilson_interval(passed, 8), abs=1e-6)


@pytest.mark.parametrize(
    ("said", "cut_off", "counts"),
    [
        (("correct", "correct", "timeout"), (1, 2), (1, 1, 0, 2)),
        (("wrong", "unparseable", "correct", "wrong"), (0, 1), (2, 1, 0, 2)),
        (("correct", None, None), (1,), (1, 1, 1, 1)),
    ],
)
def test_an_attempt_that_was_cut_off_counts_in_no_rate_whatever_number_it_stopped_at(
    said: tuple[str | None, ...], cut_off: tuple[int, ...], counts: tuple[int, ...]
) -> None:
    row = rate(*said, cut_off=cut_off)
    assert tuple(row[name] for name in ("samples", "passes", "unverified", "cut_off")) == counts
    assert row["pass_rate"] == counts[1] / counts[0] and row["reject"] is None


def test_a_problem_whose_attempts_were_all_cut_off_is_not_called_hard() -> None:
    row = rate("unparseable", "wrong", "unparseable", cut_off=(0, 1, 2))
    assert (row["reject"], row["samples"], row["cut_off"]) == ("cut_off", 0, 3)


def test_a_problem_whose_attempts_all_failed_to_be_verified_has_no_rate() -> None:
    assert rate("timeout", None)["reject"] == "no verdict"
    assert rate("timeout", "wrong", cut_off=(1,))["reject"] == "cut_off"


def rates(*given: tuple[float, int]) -> list[dict[str, Any]]:
    rows = []
    for number, (share, samples) in enumerate(given):
        low, high = wilson_interval(round(share * samples), samples)
        rows.append({"row_id": f"p{number}/m", "pass_rate": share, "samples": samples, "low": low, "high": high})
    return rows


def test_only_problems_within_the_band_are_kept_and_its_ends_belong_to_it() -> None:
    found = run_merge(KeepPassRateBand(), rates((0, 10), (0.1, 10), (0.2, 10), (0.5, 10), (0.8, 10), (1, 10), (0.5, 2)))
    reasons = [row["reject"] for row in found.values()]
    assert reasons == ["too hard", "too hard", None, None, None, "too easy", "few samples"]


def test_a_sure_band_wants_the_whole_interval_in_it() -> None:
    found = run_merge(KeepPassRateBand(whole_interval=True), rates((0.5, 4), (0.5, 8), (0.9, 64)))
    assert [row["reject"] for row in found.values()] == ["unsure", None, "too easy"]


def test_a_band_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="write the lower rate first"):
        KeepPassRateBand(low=0.9)
