"""Verdicts by a model: panels, pairs in both orders; and by the oracle, which is none."""

from typing import Any

import pytest

from infra.engines.fake import FakeEngine
from schemas.arrow import conform
from schemas.outcomes import Row
from schemas.prompts import Prompt, Sampling
from schemas.tables import verdicts
from tasks.base.llm_judge import parse_reason, parse_verdict
from tasks.proving_ground import library
from tasks.verification.llm_judge import JUDGE_VERDICTS, JudgeResponse
from tasks.verification.majority_vote import ANSWER_KEYS, ExtractAnswerKey
from tasks.verification.oracle import VerifyByOracle
from tasks.verification.pairwise_judge import PAIR_CHOICES, JudgePair, PairWithRival, VerdictFromPairs
from tests.support.merging import run_merge

ROW = {"row_id": "r", "question": "1 + 1?", "response": "It is 2.", "answer": "2"}
WARM = Sampling(n=3, temperature=0.7)


def in_turn(*texts: str) -> FakeEngine:
    """An engine that writes one text after the other."""
    told = iter(texts)
    return FakeEngine(lambda prompt, seed: next(told))


def ruled(stage: JudgeResponse, *words: str) -> Row:
    """The row that a panel's votes make; `?` is a judgement without a verdict."""
    texts = ("Hm." if word == "?" else f"Because.\nVerdict: {word}" for word in words)
    (row,) = stage.rows([ROW], in_turn(*texts))
    assert isinstance(row, dict)
    return row


@pytest.mark.parametrize(
    ("votes", "verdict", "rule"),
    [
        ("correct correct correct", "correct", "unanimous"),
        ("correct wrong correct", "correct", "majority"),
        ("wrong wrong correct", "wrong", "majority"),
        ("correct wrong unsure", "unverifiable", "split"),
        ("unsure correct unsure", "unverifiable", "unsure"),
        ("correct ? ? correct ?", "correct", "unanimous"),
        ("correct ? ? wrong ?", "unverifiable", "split"),
        ("? ? ? ? ? ?", "unverifiable", "no_verdict"),
    ],
)
def test_more_than_half_of_a_panel_decides_and_silent_members_are_asked_again(
    votes: str, verdict: str, rule: str
) -> None:
    row = ruled(JudgeResponse(sampling=WARM), *votes.split())
    assert (row["verdict"], row["rule"]) == (verdict, rule)
    assert row["votes"] == votes.replace("?", "-")
    assert row["reason"] == (None if rule in ("split", "no_verdict") else "Because.")


def test_a_judgement_is_a_verdict_record_and_names_its_judge() -> None:
    row = ruled(JudgeResponse(), "wrong")
    conform([row], JUDGE_VERDICTS, "judge")
    assert (row["verifier"], row["gold_parsed"]) == ("questmill.llm_judge", "2")
    assert row["verifier_version"] != ruled(JudgeResponse(show_gold=False), "wrong")["verifier_version"]


def test_the_known_answer_is_shown_unless_the_judge_is_to_solve_the_question_itself() -> None:
    shown, hidden = JudgeResponse().prompt(ROW), JudgeResponse(show_gold=False).prompt(ROW)
    assert shown is not None and list(shown.inputs) == ["question", "known_answer", "response"]
    assert hidden is not None and list(hidden.inputs) == ["question", "response"]


def test_a_greedy_panel_is_refused() -> None:
    with pytest.raises(ValueError, match="3 greedy samples say the same"):
        JudgeResponse(sampling=Sampling(n=3))


def test_a_structured_judgement_is_held_to_a_schema_and_read_as_json() -> None:
    stage = JudgeResponse(structured=True)
    words = {"type": "string", "enum": ["correct", "wrong", "unsure"]}
    assert stage.initial_sampling().reply_schema["properties"]["verdict"] == words
    text = '{"reason": "Not Verdict: correct.", "verdict": "wrong"}'
    assert (parse_verdict(text, stage.verdict_words), parse_reason(text)) == ("wrong", "Not Verdict: correct.")
    assert parse_verdict("Verdict: correct\nor\n**Verdict: Wrong**.", stage.verdict_words) == "wrong"
    assert parse_verdict("Verdict: yes", stage.verdict_words) is None


THOUGHTS = ("<think>\nMaybe #### 8?\n</think>\n\n", "Maybe \\boxed{8}?\n</think>\n", "[THINK]8?[/THINK]")
OPEN_THOUGHTS = ("<think>\n1 + 1 = 2, so\n#### 2", "It is 2.\n<think>Is it?", "[THINK]#### 2")


@pytest.mark.parametrize("thought", THOUGHTS)
def test_a_judge_does_not_see_what_was_thought_before_a_response(thought: str) -> None:
    response = f"{thought}#### 2"
    for row in (ROW | {"response": response}, ROW | {"response": "#### 2"}):
        prompt = JudgeResponse().prompt(row)
        assert prompt is not None and prompt.inputs["response"] == "#### 2"
    pair = JudgePair().prompt(ROW | {"response": response, "rival": f"{thought}#### 3"})
    assert pair is not None
    assert [pair.inputs[name] for name in ("first_response", "second_response")] == ["#### 2", "#### 3"]


@pytest.mark.parametrize("response", OPEN_THOUGHTS)
def test_a_response_whose_thought_never_ends_is_not_judged_and_never_correct(response: str) -> None:
    engine = FakeEngine(lambda prompt, seed: pytest.fail("was asked"))
    (row,) = JudgeResponse(sampling=WARM).rows([ROW | {"response": response}], engine)
    assert isinstance(row, dict) and (row["verdict"], row["rule"]) == ("unparseable", "open_thought")
    conform([row], JUDGE_VERDICTS, "judge")
    assert JudgePair().prompt(ROW | {"rival": response}) is None
    found = compared(lambda first, second: "first" if first == "#### 7" else "second", "7", "8", response=response)
    assert [(row["verdict"], row["rule"]) for row in found] == [
        ("correct", "preferred"),
        ("wrong", "rival_preferred"),
        ("unparseable", "open_thought"),
    ]


# -- pairs ------------------------------------------------------------------------------------------------------------


def compared(prefer: Any, *said: str, response: str | None = None) -> list[Row]:
    """Attempts that state the answers `said`, after both orders; `prefer(first, second)` is what the judge says."""
    responses = [*(f"#### {text}" for text in said), *filter(None, [response])]
    rows = [{"row_id": f"q/{i}", "question": "?", "response": text, "answer": ""} for i, text in enumerate(responses)]
    read = conform(list(ExtractAnswerKey().rows(rows, None)), ANSWER_KEYS, "read")
    rivals = list(run_merge(PairWithRival(), rows, read).values())

    def reply(prompt: Prompt, seed: int) -> str:
        return f"So.\nVerdict: {prefer(prompt.inputs['first_response'], prompt.inputs['second_response'])}"

    orders = [list(JudgePair(swapped=swapped).rows(rivals, FakeEngine(reply))) for swapped in (False, True)]
    tables = [conform(order, PAIR_CHOICES, "pair") for order in orders]  # type: ignore[arg-type]
    return list(run_merge(VerdictFromPairs(judge_identity=JudgePair().judge_version), rows, *tables).values())


def test_a_response_that_is_preferred_in_both_orders_is_right_and_its_rival_wrong() -> None:
    found = compared(lambda first, second: "first" if first == "#### 7" else "second", "7", "8", "7")
    assert [(row["verdict"], row["rule"]) for row in found] == [
        ("correct", "preferred"),
        ("wrong", "rival_preferred"),
        ("correct", "preferred"),
    ]
    assert (found[0]["votes"], found[0]["reason"]) == ("first | second", "So.")
    assert list(found[0]) == [*verdicts.VERDICT_SCHEMA.names, *VerdictFromPairs.extra_columns, "reject"]


def test_a_judge_that_likes_whatever_comes_first_decides_nothing() -> None:
    found = compared(lambda first, second: "first", "7", "8")
    assert {(row["verdict"], row["rule"]) for row in found} == {("unverifiable", "order")}


def test_neither_is_right_where_both_orders_say_so() -> None:
    found = compared(lambda first, second: "neither", "7", "8")
    assert {(row["verdict"], row["rule"]) for row in found} == {("wrong", "neither")}


def test_where_all_say_the_same_there_is_nothing_to_compare_and_nothing_is_asked() -> None:
    found = compared(lambda first, second: pytest.fail("was asked"), "7", "7.0")
    assert {(row["verdict"], row["rule"]) for row in found} == {("unverifiable", "no_rival")}


def test_the_rival_is_the_first_attempt_with_the_likeliest_other_answer() -> None:
    rows = [{"row_id": f"q/{i}", "question": "?", "response": f"{i} #### {text}"} for i, text in enumerate("12332")]
    read = conform(list(ExtractAnswerKey().rows(rows, None)), ANSWER_KEYS, "read")
    found = run_merge(PairWithRival(), rows, read)
    assert [row["rival"] for row in found.values()] == [rows[i]["response"] for i in (1, 2, 1, 1, 2)]


# -- the oracle -------------------------------------------------------------------------------------------------------


def test_the_oracle_judges_by_the_question_alone_and_says_where_it_does_not_know_it() -> None:
    good, broken = library.draw_problem(7, solvable=True), library.draw_problem(8, solvable=False)
    rows = [
        ROW | {"row_id": "0", "question": good.question, "response": good.solution, "answer": "none of that"},
        ROW | {"row_id": "1", "question": good.question, "response": "#### 123456.5"},
        ROW | {"row_id": "2", "question": good.question, "response": "I do not know."},
        ROW | {"row_id": "3", "question": broken.question, "response": "#### 3"},
        ROW | {"row_id": "4", "question": broken.question, "response": "It cannot be solved."},
        ROW | {"row_id": "5"},
    ]
    found = list(VerifyByOracle().rows(rows, None))
    assert conform(found, verdicts.VERDICT_SCHEMA, "oracle").num_rows == 6  # type: ignore[arg-type]
    assert [row["verdict"] for row in found] == [  # type: ignore[index]
        *("correct", "wrong", "unparseable", "wrong", "unparseable", "unverifiable")
    ]
    assert [row["rule"] for row in found][2:] == [  # type: ignore[index]
        *("no_answer", broken.unsolvable, "no_answer", "unknown_question")
    ]
    assert {row["verifier"] for row in found} == {"questmill.oracle"}  # type: ignore[index]
