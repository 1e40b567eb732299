"""Golds in doubt: those that cannot be read, those that are prose, and those that responses agree against."""

from typing import Any

import pyarrow as pa
import pytest

from schemas.arrow import conform
from schemas.tables.verdicts import VERDICT_SCHEMA
from tasks.verification.answer_types.check import CheckAnswerType
from tasks.verification.gold_doubts import FindGoldDoubts
from tasks.verification.gold_faults import find_faults
from tasks.verification.verify import Verify
from tests.support.merging import run_merge

QUESTION = "How many apples are there?"


def make_attempts(gold: str | None, *responses: str, question: str = QUESTION, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"row_id": f"r{number:02}", "question": question, "response": response, "answer": gold}
        for number, response in enumerate(responses, start=first)
    ]


def find_doubts(attempts: list[dict[str, Any]], stage: Any = None, **settings: Any) -> dict[str, Any]:
    """The rows of the merge after the verifier has judged the attempts."""
    judged = (stage or Verify()).rows(attempts, None)
    return run_merge(FindGoldDoubts(**settings), attempts, conform(list(judged), VERDICT_SCHEMA, "verdicts"))


def verdict_on(row_id: str, verdict: str, **more: Any) -> dict[str, Any]:
    facts = {"rule": "number", "verifier": "questmill.answer_match", "gold_parsed": "5", "answer_parsed": "6"}
    return {"row_id": row_id, "verdict": verdict, **facts, **more}


def answer(number: str, *ways: str) -> list[str]:
    return [f"{way} #### {number}" for way in ways]


def test_several_responses_that_agree_put_a_gold_in_doubt_with_the_evidence() -> None:
    rows = find_doubts(make_attempts("5", *answer("6", "a", "b"), r"c \boxed{6.0}", "d #### 5"))
    assert rows["r00"] == {
        "row_id": "r00",
        "dataset": "verified",
        "doubt": "disagreement",
        "reason": None,
        "question": QUESTION,
        "gold": "5",
        "attempts": 4,
        "correct": 1,
        "other_answer": "6",
        "agreeing": 3,
        "distinct_responses": 3,
        "examples": ["r00", "r01", "r02"],
    }
    assert [rows[f"r0{n}"]["doubt"] for n in (1, 2, 3)] == [None] * 3, "a gold is counted once"
    assert {value for n in (1, 2, 3) for value in rows[f"r0{n}"].values()} == {"verified", "r01", "r02", "r03", None}


@pytest.mark.parametrize(
    "responses",
    [
        answer("6", "a", "b"),
        answer("6", "a", "a", "a", "a"),
        [*answer("6", "a", "b", "c"), *answer("5", "d", "e", "f")],
        [*answer("6", "a", "b", "c", "c"), *answer("5", "d", "e", "f")],
        [*answer("6", "a", "b", "c"), *answer("7", "d", "e", "f")],
        [*answer("6", "a", "b", "c"), *answer("7", "d"), *answer("8", "e"), *answer("9", "f"), *answer("1", "g")],
        [*answer("6", "a", "b"), "perhaps 6, or 7", "I do not know."],
    ],
    ids=[
        "too few",
        "one text repeated",
        "as many right",
        "as many texts right",
        "two camps",
        "no majority",
        "no answers",
    ],
)
def test_less_agreement_leaves_a_gold_alone(responses: list[str]) -> None:
    assert find_doubts(make_attempts("5", *responses))["r00"]["doubt"] in ("none", "confirmed")


def test_the_recipe_says_how_many_must_agree() -> None:
    attempts = make_attempts("5", *answer("6", "a", "b"), *answer("7", "c", "d", "e"))
    assert find_doubts(attempts, least_responses=4)["r00"]["doubt"] == "none"
    found = find_doubts(attempts, least_responses=2, least_agreement=0.6)["r00"]
    assert (found["doubt"], found["other_answer"], found["agreeing"]) == ("disagreement", "7", 3)


def test_a_text_that_a_model_samples_again_counts_each_time_where_the_recipe_says_so() -> None:
    attempts = make_attempts("5", *answer("6", "a", "a", "a"), *answer("5", "b", "c"))
    assert find_doubts(attempts)["r00"]["doubt"] == "none"
    found = find_doubts(attempts, counts_repeats=True)["r00"]
    assert (found["doubt"], found["agreeing"], found["distinct_responses"]) == ("disagreement", 3, 1)
    attempts += make_attempts("5", "d #### 5", first=5)
    assert find_doubts(attempts, counts_repeats=True)["r00"]["doubt"] == "confirmed"


def test_a_gold_that_enough_responses_have_is_confirmed() -> None:
    assert find_doubts(make_attempts("5", *answer("5", "a", "b", "c")))["r00"]["doubt"] == "confirmed"
    assert find_doubts(make_attempts("5", *answer("5", "a", "b")))["r00"]["doubt"] == "none"


def test_golds_belong_to_their_questions() -> None:
    one = make_attempts("5", *answer("6", "a", "b"))
    other = make_attempts("5", *answer("6", "c", "d"), question="And pears?", first=2)
    third = make_attempts("4", *answer("6", "e", "f"), first=4)
    rows = find_doubts(one + other + third)
    assert [row["doubt"] for row in rows.values()] == ["none", None, "none", None, "none", None]


@pytest.mark.parametrize("verifier", ["questmill.llm_judge", "questmill.code", "questmill.sql", "questmill.json"])
def test_verdicts_of_models_and_of_types_without_a_comparable_answer_count_for_no_agreement(verifier: str) -> None:
    attempts = make_attempts("5", "a", "b", "c")
    judged = [verdict_on(row["row_id"], "wrong", verifier=verifier) for row in attempts]
    assert run_merge(FindGoldDoubts(), attempts, judged)["r00"]["doubt"] == "none"
    judged = [row | {"verifier": "all_of(a, b)", "decided_by": verifier} for row in judged]
    assert run_merge(FindGoldDoubts(), attempts, judged)["r00"]["doubt"] == "none"
    judged = [row | {"decided_by": "questmill.execute"} for row in judged]
    assert run_merge(FindGoldDoubts(), attempts, judged)["r00"]["doubt"] == "disagreement"


def test_parsed_answers_that_may_have_been_cut_are_not_the_same() -> None:
    attempts = make_attempts("5", "a", "b", "c")
    judged = [verdict_on(row["row_id"], "wrong", answer_parsed="9" * 500) for row in attempts]
    assert run_merge(FindGoldDoubts(), attempts, judged)["r00"]["doubt"] == "none"


def test_responses_that_were_cut_off_do_not_count_where_the_recipe_says_so() -> None:
    attempts = [row | {"cut_off": row["row_id"] == "r02"} for row in make_attempts("5", *answer("6", "a", "b", "c"))]
    assert find_doubts(attempts)["r00"]["doubt"] == "disagreement"
    assert find_doubts(attempts, without_cut_off=True)["r00"]["doubt"] == "none"


def test_rows_of_several_models_are_told_apart_by_their_ids() -> None:
    responses = answer("6", "a", "b", "c")
    attempts = [
        row | {"row_id": f"p7/{model}/0"}
        for row, model in zip(make_attempts("5", *responses), ("alpha", "beta", "gamma"), strict=True)
    ]
    rows = find_doubts(attempts)
    assert rows["p7/alpha/0"]["examples"] == ["p7/alpha/0", "p7/beta/0", "p7/gamma/0"]
    assert [row["doubt"] for row in rows.values()] == ["disagreement", None, None]


@pytest.mark.parametrize(
    ("gold", "doubt", "reason"),
    [
        ("", "unreadable", "gold_unparseable"),
        ("  \n", "unreadable", "gold_unparseable"),
        ("N/A", "unreadable", "placeholder"),
        (r"\frac{1}{", "unreadable", "gold_unparseable"),
        ("(3, 5", "unreadable", "gold_unparseable"),
        (r"1, 2, \ldots, 10", "unreadable", "dots"),
        ("3\x00", "unreadable", "gold_unparseable"),
        ("9" * 1_000_000, "unreadable", "gold_too_long"),
        ("{" * 1_000_000, "unreadable", "gold_too_long"),
        ("so we add " * 100_000, "prose", "gold_too_long"),
        ("So we add all of them and are done", "prose", "words"),
        ("4, because 2 + 2 = 4", "prose", "words"),
        ("<think>2 and 2 is 4</think> It is 4", "prose", "words"),
        ("I think\n" * 30 + "</think> 4", "prose", "words"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_a_gold_that_no_answer_can_equal_is_told_with_the_reason(gold: str, doubt: str, reason: str) -> None:
    found = find_doubts(make_attempts(gold, "a #### 4", "b #### 4", "c"))["r00"]
    assert (found["doubt"], found["reason"], found["gold"]) == (doubt, reason, gold)
    assert find_faults([gold])[0] == (doubt, reason)


@pytest.mark.parametrize(
    "gold",
    [
        *("5", "-1", "1,234", "50%", r"\frac{1}{2}", "(1, 2)", r"\{1, 2\}", "x^2 + 1", "y = 2x + 1", "2k", "5^\\circ"),
        *("Tuesday", r"\text{no solution}", "all real numbers", "C", "(B) the sum of all angles of the triangle"),
        *("1:03 PM", r"12\text{ square units}", "2 hours and 30 minutes", r"\overline{CD}", r"2k\pi, k\in\mathbb{Z}"),
        *("She has 3 apples", "x = 2 or x = 3", "45^\\circ, 135^\\circ", "Natalia sold 72 of her clips. #### 72"),
        *("We add them, and so the sum is \\boxed{4}.", "<think>it is 3, no</think> So it is \\boxed{4}"),
    ],
)
def test_a_gold_that_can_be_compared_is_in_no_doubt_whatever_the_responses_are(gold: str) -> None:
    for responses in (["I do not know."], [gold], ["a #### 987"]):
        found = find_doubts(make_attempts(gold, *responses))["r00"]
        assert (found["doubt"], found["reason"]) == ("none", None), responses


def test_an_identical_text_does_not_show_that_a_gold_can_be_read() -> None:
    attempts = make_attempts(r"\frac{1}{", r"a #### \frac{1}{")
    for stage in (Verify(), CheckAnswerType(answer_type="auto")):
        assert [row["verdict"] for row in stage.rows(attempts, None)] == ["correct"]
        assert find_doubts(attempts, stage)["r00"]["doubt"] == "unreadable"


def test_a_gold_that_is_null_is_unreadable() -> None:
    attempts = make_attempts(None, "a", "b")
    columns = pa.schema([(name, pa.string()) for name in attempts[0]])
    judged = [verdict_on(row["row_id"], "unparseable", rule="no_answer") for row in attempts]
    rows = run_merge(FindGoldDoubts(), pa.Table.from_pylist(attempts, columns), judged)
    assert (rows["r00"]["doubt"], rows["r00"]["gold"], rows["r01"]["doubt"]) == ("unreadable", None, None)


def test_a_gold_whose_attempts_have_no_verdict_is_not_judged() -> None:
    assert (
        run_merge(FindGoldDoubts(), make_attempts("{", "a"), [verdict_on("other", "correct")])["r00"]["doubt"] == "none"
    )


def test_prose_with_agreeing_responses_is_prose_with_the_evidence() -> None:
    gold = "They have no apples since all of them fell"
    attempts = make_attempts(gold, *answer("no apples", "a"), *answer("seven pears", "b", "c", "d"))
    found = find_doubts(attempts)["r00"]
    assert (found["doubt"], found["reason"]) == ("prose", "words")
    assert (found["other_answer"], found["agreeing"]) == ("seven pears", 3)


@pytest.mark.parametrize(
    ("answer_type", "gold"),
    [
        ("text", "The Lord of the Rings and all of its many films"),
        ("text", "and so on ..."),
        ("json", '{"a": {"b": [1, 2]}}'),
        ("auto", "Mary Wollstonecraft Shelley"),
    ],
)
def test_golds_of_other_types_are_not_read_as_mathematics(answer_type: str, gold: str) -> None:
    stage = CheckAnswerType(answer_type=answer_type)
    assert find_doubts(make_attempts(gold, "I do not know.", gold), stage)["r00"]["doubt"] == "none"


@pytest.mark.parametrize(("answer_type", "gold"), [("json", '{"a": '), ("choice", ""), ("number", "many")])
def test_the_checker_of_a_type_says_which_golds_it_cannot_read(answer_type: str, gold: str) -> None:
    stage = CheckAnswerType(answer_type=answer_type)
    found = find_doubts(make_attempts(gold, '{"a": 1}', "3"), stage)["r00"]
    assert (found["doubt"], found["reason"]) == ("unreadable", "gold_unparseable")


@pytest.mark.parametrize(
    ("answer_type", "gold", "other"), [("choice", "C", "B"), ("number", "5", "6"), ("text", "Rome", "Paris")]
)
def test_agreement_applies_to_every_type_with_comparable_answers(answer_type: str, gold: str, other: str) -> None:
    responses = [f"{way}\nAnswer: {other}" for way in ("Hm.", "Well.", "So.")]
    stage = CheckAnswerType(answer_type=answer_type)
    found = find_doubts(make_attempts(gold, *responses, question="Which? A) x B) y C) z"), stage)["r00"]
    assert (found["doubt"], found["agreeing"]) == ("disagreement", 3)


def test_a_gold_that_breaks_the_parser_is_unreadable_and_ends_nothing() -> None:
    class Broken(str):
        def strip(self, *_: Any) -> str:
            raise RecursionError("too deep")

    assert find_faults([Broken("5"), "5"]) == [("unreadable", "RecursionError"), None]
