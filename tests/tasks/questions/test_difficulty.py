"""Difficulty: fail rates that are sure as soon as they can be, and what is dropped by them."""

import itertools
import random
from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pydantic import ValidationError

from infra.engines.fake import FakeEngine
from schemas.arrow import conform
from schemas.errors import QuestmillError
from schemas.identity import fingerprint
from schemas.outcomes import Reject
from schemas.prompts import Sampling
from schemas.tables.questions import SCHEMA
from tasks.base.confidence import wilson_interval
from tasks.questions.difficulty import FailRate, ScoreDifficulty
from tasks.questions.difficulty_sampling import SampleByDifficulty
from tasks.training.config import TrainDifficultyModel

GOLD = {"row_id": "r0", "question": "What is 3 + 4?", "answer": "7"}
FREE = {"row_id": "r0", "question": "What is 3 + 4?"}


def saying_in_turn(answers: str) -> FakeEngine:
    """An engine that ends in one answer after the other; `-` is a reply without one."""
    said = iter(answers.split())
    return FakeEngine(lambda prompt, seed: "no idea" if (answer := next(said)) == "-" else f"#### {answer}")


def probe(row: dict[str, Any], answers: str, **fields: Any) -> tuple[dict[str, Any], list[int]]:
    """The one row that is yielded, and how many samples were asked for in each round."""
    engine = saying_in_turn(answers)
    n = fields.pop("n", len(answers.split()))
    stage = FailRate(sampling=Sampling(n=n, temperature=0.7), **fields)
    (found,) = stage.rows([row], engine)
    conform([found], stage.table, "fail_rate")  # type: ignore[list-item]
    return found, [len(seeds) for _, seeds in engine.calls]  # type: ignore[return-value]


def test_a_fail_rate_counts_what_differs_from_the_gold_answer() -> None:
    found, asked = probe(GOLD, "7 7.0 8 -")
    assert (found["fails"], found["samples"], found["fail_rate"], found["against"]) == (2, 4, 0.5, "gold")
    assert asked == [4] and found["side"] is None


def test_without_a_gold_answer_the_majority_stands_in_and_is_named() -> None:
    assert probe(FREE, "8 8 8 7")[0] | {"row_id": ""} == {
        **{"row_id": "", "question": FREE["question"], "fails": 1, "samples": 4, "cut_off": 0, "fail_rate": 0.25},
        **{"low": pytest.approx(0.0456, abs=1e-4), "high": pytest.approx(0.6994, abs=1e-4)},
        **{"against": "majority", "side": None},
    }
    assert probe(FREE | {"answer": None}, "8 8 8 7")[0]["against"] == "majority"
    assert probe(GOLD, "8 8 8 7")[0]["fails"] == 3


def test_samples_without_any_answer_have_all_failed() -> None:
    assert probe(FREE, "- - -")[0]["fail_rate"] == 1.0


def test_a_gold_answer_may_be_the_last_line_of_a_solution() -> None:
    assert probe(GOLD | {"answer": "3 + 4 = <<3+4=7>>7\n#### 7"}, "7 8")[0]["fails"] == 1


LONG = "#### 7 and on and on"
"""A reply that an engine with few tokens cuts off."""


def ask(stage: FailRate, row: dict[str, Any], replies: Iterable[str]) -> Any:
    """The one outcome of the row, for which the model gives these replies in turn."""
    said = iter(replies)
    (outcome,) = stage.rows([row], FakeEngine(lambda prompt, seed: next(said)))
    return outcome


@pytest.mark.parametrize("row", [GOLD, FREE])
@pytest.mark.parametrize(
    ("replies", "fails", "samples", "cut_off"),
    [
        (["#### 7", LONG, "#### 7", LONG], 0, 2, 2),
        (["#### 7", "#### 8", "#### 7", LONG], 1, 3, 1),
        ([LONG, LONG, LONG, "no idea"], 1, 1, 3),
    ],
)
def test_a_sample_that_was_cut_off_counts_in_no_rate_whatever_it_says(
    row: dict[str, Any], replies: list[str], fails: int, samples: int, cut_off: int
) -> None:
    found = ask(FailRate(sampling=Sampling(n=4, temperature=0.7, max_tokens=3)), row, replies)
    assert isinstance(found, dict)
    conform([found], FailRate.table, "fail_rate")
    assert (found["fails"], found["samples"], found["cut_off"]) == (fails, samples, cut_off)
    assert found["fail_rate"] == fails / samples


@pytest.mark.parametrize("band", [None, (0.2, 0.8)])
def test_a_question_whose_samples_were_all_cut_off_has_no_rate(band: tuple[float, float] | None) -> None:
    stage = FailRate(sampling=Sampling(n=2, temperature=0.7, max_tokens=3), band=band)
    assert list(stage.rows([GOLD], FakeEngine(lambda prompt, seed: LONG))) == [Reject(GOLD, "cut_off")]


def test_samples_that_were_cut_off_leave_a_band_as_open_as_it_was() -> None:
    """One of two whole samples fails, so the last of five cannot bring the rate out of the band any more."""
    stage = FailRate(sampling=Sampling(n=5, temperature=0.7, max_tokens=3), band=(0.3, 0.7))
    found = ask(stage, GOLD, ["#### 7", LONG, "#### 8", LONG, "#### 8"])
    assert (found["side"], found["samples"], found["cut_off"]) == ("inside", 2, 2)
    found = ask(stage, GOLD, ["#### 8", LONG, "#### 8", LONG, "#### 7"])
    assert (found["side"], found["samples"], found["cut_off"]) == ("inside", 3, 2)


@pytest.mark.parametrize("row", [GOLD, FREE])
def test_a_band_is_decided_early_as_by_all_samples_where_some_are_cut_off(row: dict[str, Any]) -> None:
    """Every sequence of five replies, right, wrong or cut off."""
    band, saved, sampling = (0.3, 0.7), 0, Sampling(n=5, temperature=0.7, max_tokens=3)
    for replies in itertools.product(("#### 7", "#### 8", LONG), repeat=5):
        early, late = (
            ask(stage, row, replies) for stage in (FailRate(sampling=sampling, band=band), FailRate(sampling=sampling))
        )
        if isinstance(late, Reject):
            assert early == late
            continue
        rate = late["fail_rate"]
        side = "below" if rate < band[0] else "above" if rate > band[1] else "inside"
        assert early["side"] == side, replies
        saved += 5 - early["samples"] - early["cut_off"]
    assert saved > 0


def test_a_model_is_given_room_for_a_whole_solution() -> None:
    assert FailRate().sampling.max_tokens == 2048


@pytest.mark.parametrize(
    ("answers", "asked", "side"),
    [
        ("8 8 7 7", [4], "inside"),  # of 8 at least two fail, and at most six
        ("7 7 7 7 7 7 7", [4, 2, 1], "below"),  # at most one can still fail
        ("7 7 7 7 7 8 7 8", [4, 2, 1, 1], "inside"),
        ("8 8 8 - 8 8 8", [4, 2, 1], "above"),
    ],
)
def test_sampling_stops_as_soon_as_the_side_of_the_band_is_sure(answers: str, asked: list[int], side: str) -> None:
    found, rounds = probe(GOLD, answers, band=(0.2, 0.8), n=8)
    assert (found["side"], rounds, found["samples"]) == (side, asked, sum(asked))


@pytest.mark.parametrize(
    ("row", "band"),
    [(GOLD, (0.3, 0.7)), (FREE, (0.3, 0.7)), pytest.param(GOLD, (0.4, 0.6), id="rates at the ends of the band")],
)
def test_a_band_that_was_decided_early_is_decided_as_by_all_samples(
    row: dict[str, Any], band: tuple[float, float]
) -> None:
    """Every sequence of five answers out of three, held against gold and against the majority."""
    saved = 0
    for answers in itertools.product("78-", repeat=5):
        text = " ".join(answers)
        early, asked = probe(row, text, band=band, n=5)
        rate = probe(row, text, n=5)[0]["fail_rate"]
        assert early["side"] == ("below" if rate < band[0] else "above" if rate > band[1] else "inside"), text
        assert early["samples"] == sum(asked)
        saved += 5 - sum(asked)
    assert saved > 0


def test_follow_ups_continue_the_samples_of_the_first_round() -> None:
    engine = saying_in_turn("7 7 7 7 7 7 8 7")
    list(FailRate(sampling=Sampling(n=8, temperature=0.7), band=(0.2, 0.8)).rows([GOLD], engine))
    seeds = [seed for _, each in engine.calls for seed in each]
    assert len(seeds) == len(set(seeds)) == 8


def test_a_model_is_probed_as_a_solver_and_its_prompt_is_its_own() -> None:
    prompt = FailRate().prompt(GOLD)
    assert prompt.to_tagged_text() == "<solve><question>What is 3 + 4?<reply>" and "####" in prompt.instruction
    assert fingerprint(FailRate()) != fingerprint(FailRate(band=(0.2, 0.8)))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"sampling": Sampling(n=8)}, "set a temperature above 0"),
        ({"band": (0.8, 0.2)}, "write the lower rate first"),
        ({"band": (0.2, 1.2)}, "less than or equal to 1"),
    ],
)
def test_a_probe_that_would_mean_nothing_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        FailRate(**fields)


@pytest.mark.parametrize(("fails", "samples"), [(0, 8), (8, 8), (3, 8), (0, 1), (40, 100)])
def test_wilsons_interval_holds_the_rate_and_narrows_with_samples(fails: int, samples: int) -> None:
    low, high = wilson_interval(fails, samples)
    assert 0 <= low <= fails / samples <= high <= 1
    narrow = wilson_interval(10 * fails, 10 * samples)
    assert narrow[1] - narrow[0] < high - low


def test_a_score_is_a_predicted_rate_that_nothing_was_held_against() -> None:
    (found,) = ScoreDifficulty().rows([FREE], FakeEngine(score=lambda prompt: 0.25))
    conform([found], ScoreDifficulty.table, "score_difficulty")  # type: ignore[list-item]
    assert found["fail_rate"] == 0.25 and found["against"] is found["samples"] is None  # type: ignore[index]


def sampled(
    merge: SampleByDifficulty, rates: dict[str, float | None], sides: dict[str, str] | None = None, shuffle: int = 0
) -> dict[str, str | None]:
    """Row id -> reason, or None where the row is kept; a rate of None: nobody knows its difficulty."""
    ids = list(rates)
    random.Random(shuffle).shuffle(ids)
    con = duckdb.connect()
    questions = [{"row_id": i, "question": f"What is {i}?"} for i in ids]
    told = [{"row_id": i, "fail_rate": rates[i], "side": (sides or {}).get(i)} for i in reversed(ids)]
    schema = pa.schema([("row_id", pa.string()), ("fail_rate", pa.float64()), ("side", pa.string())])
    con.register("questions", pa.Table.from_pylist(questions, schema=SCHEMA))
    con.register("difficulty", pa.Table.from_pylist([t for t in told if t["fail_rate"] is not None], schema=schema))
    merge.prepare(con)
    rows = con.sql(merge.sql()).to_arrow_table().to_pylist()
    assert [row["row_id"] for row in rows] == sorted(ids)
    assert all(row["fail_rate"] == rates[row["row_id"]] and row["question"] for row in rows)
    return {row["row_id"]: row["reject"] for row in rows}


TWO = {f"{name}:{i:09}/0": i / 20 for name in ("easy", "hard") for i in range(20)}


def test_only_the_easiest_of_the_named_generator_are_dropped() -> None:
    found = sampled(SampleByDifficulty(drop_easy={"easy": 0.3}), TWO)
    assert [i for i, reason in found.items() if reason] == [f"easy:{i:09}/0" for i in range(6)]
    assert {reason for reason in found.values() if reason} == {"easy"}


def test_ids_without_a_colon_are_of_one_nameless_generator() -> None:
    rates: dict[str, float | None] = {f"{i:03}": i / 10 for i in range(10)}
    assert [i for i, reason in sampled(SampleByDifficulty(drop_easy={"": 0.3}), rates).items() if reason] == [
        "000",
        "001",
        "002",
    ]


def test_ties_are_broken_by_the_row_id_and_not_by_the_order_of_the_rows() -> None:
    rates: dict[str, float | None] = dict.fromkeys(TWO, 0.5)
    merge = SampleByDifficulty(drop_easy={"easy": 0.5})
    first = sampled(merge, rates)
    assert all(sampled(merge, rates, shuffle=number) == first for number in range(1, 4))
    dropped = [i for i, reason in first.items() if reason]
    assert len(dropped) == 10 and dropped != sorted(TWO)[:10]


def test_a_histogram_is_matched_and_the_scarcest_bin_decides() -> None:
    rates: dict[str, float | None] = {f"g:{i}": 0.1 for i in range(80)}
    rates |= {f"g:{i}": 0.5 for i in range(80, 100)} | {f"g:{i}": 0.9 for i in range(100, 112)}
    merge = SampleByDifficulty(target={"g": ((0.2, 0.2), (0.6, 0.5), (1.0, 0.3))})
    found = sampled(merge, rates)
    kept = [rates[i] for i, reason in found.items() if reason is None]
    assert [kept.count(rate) for rate in (0.1, 0.5, 0.9)] == [8, 20, 12]
    assert {reason for reason in found.values() if reason} == {"beyond the target histogram"}
    assert sampled(merge, rates, shuffle=5) == found


def test_bounds_belong_to_the_bin_below_and_a_share_of_nothing_keeps_nothing() -> None:
    rates: dict[str, float | None] = {"a": 0.0, "b": 0.2, "c": 0.21, "d": 1.0}
    found = sampled(SampleByDifficulty(target={"": ((0.2, 0.0), (1.0, 1.0))}), rates)
    assert [i for i, reason in found.items() if reason] == ["a", "b"]


def test_a_question_that_nobody_measured_is_rejected_where_difficulty_decides() -> None:
    rates: dict[str, float | None] = {"easy:0": 0.1, "easy:1": None, "easy:2": 0.9, "hard:0": None}
    found = sampled(SampleByDifficulty(drop_easy={"easy": 0.5}), rates)
    assert found == {"easy:0": "easy", "easy:1": "no difficulty", "easy:2": None, "hard:0": None}
    found = sampled(SampleByDifficulty(target={"easy": ((0.5, 0.5), (1.0, 0.5))}), rates)
    assert found == {"easy:0": None, "easy:1": "no difficulty", "easy:2": None, "hard:0": None}


def test_what_lies_outside_a_band_is_rejected_and_counts_for_no_share() -> None:
    rates: dict[str, float | None] = {"0": 0.0, "1": 0.3, "2": 0.5, "3": 1.0}
    sides = {"0": "below", "1": "inside", "2": "inside", "3": "above"}
    outside = {"0": "easier than the band", "3": "harder than the band"}
    assert sampled(SampleByDifficulty(), rates, sides) == {"1": None, "2": None} | outside
    assert sampled(SampleByDifficulty(drop_easy={"": 0.5}), rates, sides) == {"1": "easy", "2": None} | outside


def test_without_a_rule_everything_is_kept() -> None:
    assert set(sampled(SampleByDifficulty(), {**TWO, "x": None}).values()) == {None}


def test_no_questions_at_all_break_nothing() -> None:
    assert sampled(SampleByDifficulty(drop_easy={"easy": 0.5}), {}) == {}
    assert sampled(SampleByDifficulty(target={"easy": ((1.0, 1.0),)}), {}) == {}


def test_a_generator_that_is_not_there_is_named() -> None:
    with pytest.raises(QuestmillError, match=r"no question is of generator 'esay'; there are \['easy', 'hard'\]"):
        sampled(SampleByDifficulty(drop_easy={"esay": 0.5}), dict(TWO))
    of_the_recipe = SampleByDifficulty(drop_easy={"spent": 0.5}, generators=("easy", "spent"))
    assert sampled(of_the_recipe, dict(TWO)) == sampled(SampleByDifficulty(), dict(TWO))


def test_a_bin_that_is_empty_is_named_for_it_would_leave_nothing() -> None:
    with pytest.raises(QuestmillError, match=r"bin up to 1, which is to have a share of 0\.5; give it 0"):
        sampled(SampleByDifficulty(target={"easy": ((0.96, 0.5), (1.0, 0.5))}), dict(TWO))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"target": {"g": ((0.5, 0.5), (0.5, 0.5))}}, "let them rise, and end with 1"),
        ({"target": {"g": ((0.5, 1.0),)}}, "let them rise, and end with 1"),
        ({"target": {"g": ((0.5, 0.5), (1.0, 0.4))}}, r"sum to 0\.9; let them sum to 1"),
        ({"target": {"g": ((1.0, 1.0),)}, "drop_easy": {"g": 0.1}}, "leave it in one of them"),
        ({"drop_easy": {"g": 1.1}}, "less than or equal to 1"),
    ],
)
def test_a_sampling_that_contradicts_itself_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        SampleByDifficulty(**fields)


def test_where_and_how_fast_a_head_is_trained_is_no_part_of_its_identity() -> None:
    assert fingerprint(TrainDifficultyModel()) == fingerprint(
        TrainDifficultyModel(role="other", micro_batch=2, threads=1)
    )
    assert fingerprint(TrainDifficultyModel()) != fingerprint(TrainDifficultyModel(prompt_suffix="\n"))
