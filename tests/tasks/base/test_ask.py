"""Asking: prompts, seeds and parsers."""

import pytest

from infra.engines.fake import FakeEngine
from schemas.arrow import conform
from schemas.engine import Completion
from schemas.errors import EngineError
from schemas.identity import ask_fingerprint, fingerprint
from schemas.outcomes import Quarantine, Reject
from schemas.prompts import Prompt, Sampling
from tasks.answers.final_answer import answer_key, final_answer
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.base.ask import PROMPT_FOLDER, Ask, derive_seeds, make_request
from tasks.questions.solvability import JudgeSolvable, parse_solvability
from tasks.questions.write import RewriteQuestion, WriteQuestion

STAGES: list[type[Ask]] = [Solve, WriteQuestion, JudgeSolvable, RewriteQuestion, ScoreAnswer]


def saying(text: str) -> FakeEngine:
    """An engine that always writes `text`."""
    return FakeEngine(lambda prompt, seed: text, lambda prompt: 0.25)


ROWS = [{"row_id": f"r{i}", "question": "What is 1 + 1?"} for i in range(3)]


def test_every_stage_has_a_prompt_of_its_own() -> None:
    texts = {stage().template for stage in STAGES}
    assert len(texts) == len(STAGES) and all(texts)
    assert {path.stem for path in PROMPT_FOLDER.glob("*.txt")} >= {stage.label for stage in STAGES}


def test_the_prompt_text_is_part_of_the_identity_and_the_role_is_not() -> None:
    assert fingerprint(Solve()) != fingerprint(Solve(template="Solve it."))
    assert fingerprint(Solve()) != fingerprint(Solve(sampling=Sampling(max_tokens=2)))
    assert fingerprint(Solve()) == fingerprint(Solve(role="other"))


def test_a_stage_without_a_prompt_file_says_where_to_write_one() -> None:
    class Unwritten(Ask):
        pass

    with pytest.raises(ValueError, match=r"tasks/prompts/unwritten\.txt"):
        Unwritten()
    assert Unwritten(template="Do it.").template == "Do it."


def test_identical_prompts_are_all_asked_with_seeds_of_their_own() -> None:
    engine, blanks = saying("How many?"), [{"row_id": f"blank-{i}"} for i in range(100)]
    stage = WriteQuestion(sampling=Sampling(n=3, temperature=1.0))
    rows = list(stage.rows(blanks, engine))
    assert len(rows) == 300 and len(engine.calls) == 100
    seeds = [seed for _, each in engine.calls for seed in each]
    assert len(set(seeds)) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeds_depend_on_stage_row_and_sample() -> None:
    assert derive_seeds("s", "r", 2) == derive_seeds("s", "r", 3)[:2]
    assert not set(derive_seeds("s", "r", 2)) & set(derive_seeds("t", "r", 2))


def test_solve_yields_a_row_for_each_sample_with_its_final_answer() -> None:
    rows = list(Solve(sampling=Sampling(n=2, temperature=0.7)).rows(ROWS, saying("1 + 1 = 2\n#### 2\n")))
    assert conform(rows, Solve.table, "solve").num_rows == 6  # type: ignore[arg-type]
    seen = [(r["row_id"], r["question_id"], r["answer"]) for r in rows[:3]]  # type: ignore[index]
    assert seen == [("r0/0", "r0", "2"), ("r0/1", "r0", "2"), ("r1/0", "r1", "2")]


@pytest.mark.parametrize(
    ("stage", "text", "longest", "reason"),
    [
        (Solve, "1 + 1 = 2", 100, "no_answer"),
        (Solve, "1 + 1 =", 3, "cut_off"),
        (WriteQuestion, "How many", 2, "cut_off"),
        (RewriteQuestion, " \n", 100, "empty"),
        (JudgeSolvable, "A number is missing.\nVerdict: no", 100, "unsolvable"),
    ],
)
def test_a_bad_reply_is_rejected_with_its_reason(stage: type[Ask], text: str, longest: int, reason: str) -> None:
    outcomes = list(stage(sampling=Sampling(max_tokens=longest)).rows(ROWS[:1], saying(text)))
    assert outcomes == [Reject(ROWS[0], reason)]


def test_a_question_judged_solvable_stays_as_it_is() -> None:
    (row,) = JudgeSolvable().rows(ROWS[:1], saying("1 + 1 = 2\nVerdict: yes"))
    assert not isinstance(row, Reject | Quarantine) and row["question"] == ROWS[0]["question"]


def test_a_verdict_is_read_from_the_last_line_that_states_one() -> None:
    assert parse_solvability("Verdict: no, I thought.\nBut:\n**Verdict: yes**") is True
    assert parse_solvability("Yes.") is True, "all that it says"
    assert parse_solvability("Say yes.") is None


def test_the_reward_is_the_probability_of_yes() -> None:
    rows = [{"row_id": "r/4", "question": "1 + 1?", "solution": "#### 2"}]
    assert list(ScoreAnswer().rows(rows, saying(""))) == [{"row_id": "r/4", "reward": 0.25}]


def test_a_row_without_a_prompt_is_parsed_without_replies() -> None:
    class Picky(Solve):
        def prompt(self, row: dict[str, str]) -> Prompt | None:  # type: ignore[override]
            return None

    engine = saying("")
    assert list(Picky(template="x").rows(ROWS, engine)) == [] and not engine.calls


def saying_in_turn(*texts: str) -> FakeEngine:
    """An engine that writes one text after the other."""
    said = iter(texts)
    return FakeEngine(lambda prompt, seed: next(said))


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ("7 7 7", [3]),  # a majority of 5 is there
        ("7 8 7 7", [3, 1]),
        ("7 8 7 9 7", [3, 1, 1]),
        ("7 8 9 7 7", [3, 2]),
        ("7 8 9 7 6", [3, 2]),
        ("7 8 7 9 8", [3, 1, 1]),
        ("7 8 9 6 5", [3, 2]),
    ],
)
def test_an_adaptive_solver_asks_until_the_majority_is_decided(answers: str, asked: list[int]) -> None:
    engine = saying_in_turn(*(f"#### {answer}" for answer in answers.split()))
    rows = list(Solve(sampling=Sampling(n=5, temperature=0.7), adaptive=True).rows(ROWS[:1], engine))
    assert [len(seeds) for _, seeds in engine.calls] == asked
    assert [row["row_id"] for row in rows] == [f"r0/{i}" for i in range(sum(asked))]  # type: ignore[index]
    assert [row["answer"] for row in rows] == answers.split()  # type: ignore[index]


def test_an_adaptive_solver_stops_where_no_majority_can_be_reached_any_more() -> None:
    engine = saying_in_turn(*(f"#### {answer}" for answer in ["1", "1", "2", "2", "3", "4"]))
    rows = list(Solve(sampling=Sampling(n=7, temperature=0.7), adaptive=True).rows(ROWS[:1], engine))
    assert [len(seeds) for _, seeds in engine.calls] == [4, 2] and len(rows) == 6


@pytest.mark.parametrize(
    ("answers", "asked"), [("7 7 7 7", [4]), ("7 8 7 7 7", [4, 1]), ("7 8 7 7 9", [4, 1]), ("7 8 7 9", [4])]
)
def test_an_adaptive_solver_may_be_asked_until_a_larger_share_is_decided(answers: str, asked: list[int]) -> None:
    engine = saying_in_turn(*(f"#### {answer}" for answer in answers.split()))
    list(Solve(sampling=Sampling(n=5, temperature=0.7), adaptive=True, stop_at_share=0.8).rows(ROWS[:1], engine))
    assert [len(seeds) for _, seeds in engine.calls] == asked


@pytest.mark.parametrize(("answers", "asked"), [("1 2 3 1", [3, 1]), ("1 1 1", [3]), ("1 2 1 1", [3, 1])])
def test_an_even_number_of_samples_is_asked_until_no_half_can_be_reached(answers: str, asked: list[int]) -> None:
    """Of four, two that agree are published, so that three different answers decide nothing."""
    engine = saying_in_turn(*(f"#### {answer}" for answer in answers.split()))
    list(Solve(sampling=Sampling(n=4, temperature=0.7), adaptive=True).rows(ROWS[:1], engine))
    assert [len(seeds) for _, seeds in engine.calls] == asked


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It works.\n**Verdict:** Yes.", True),
        ("verdict: no", False),
        ("Verdict: Yes, it can be solved.", True),
        ("Verdict: yes\n\nWait, a number is missing, so the answer is no.", None),
        ("Verdict: yes or no?", None),
        ("Verdict: yes. The verdict is final, so no.", None),
        ("Verdict: yes (the problem is not solvable)", None),
        ("Verdict: yes. Actually, it's unsolvable.", None),
        ("Verdict: yes if x is 2", None),
        ("Verdict: no, a number is missing", False),
        ("Verdict: no. Wait, it works.", None),
        ("The verdict is yes", True),
        ("### Final Verdict\n\nNo", False),
        (r"$\boxed{\text{Verdict: yes}}$", True),
        ("Verdict: yes\n\nLet me know if you have any questions!", True),
        ("Verdict: yes (nothing is missing)", True),
        ("Verdict: yes, no information is missing.", True),
        ("Verdict: yes, no: information is missing.", None),
        ('```json\n{"verdict": "no", "reason": "a speed is missing"}\n```', False),
        ('{"verdict": "yes"}\nActually, a speed is missing.', None),
        ('{"verdict": "yes"} or {"verdict": "no"}', None),
        ("<think>Verdict: no?</think>It works.\nVerdict: yes", True),
        ("<think>Verdict: yes", None),
        (r"\boxed{12}", None),
        ("Is it solvable? Verdict: unsolvable", False),
        ("Verdict: unsolvable", False),
        ("Verdict: not solvable", False),
    ],
)
def test_the_last_line_of_a_judgement_is_its_verdict(text: str, found: bool | None) -> None:
    assert parse_solvability(text) is found


def test_a_judgement_that_was_cut_off_has_no_verdict() -> None:
    reply = Completion(text="So far\nVerdict: yes", finish_reason="length", prompt_tokens=1, completion_tokens=9)
    (outcome,) = JudgeSolvable().parse(ROWS[0], [reply])
    assert isinstance(outcome, Quarantine) and outcome.reason == "no verdict"


def test_greedy_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="5 greedy samples say the same"):
        Solve(sampling=Sampling(n=5))


def test_follow_ups_continue_the_seeds_of_the_first_samples() -> None:
    engine = saying_in_turn(*(f"#### {answer}" for answer in ["7", "8", "7", "7"]))
    stage = Solve(sampling=Sampling(n=5, temperature=0.7), adaptive=True)
    list(stage.rows(ROWS[:1], engine))
    shared, prompt = ask_fingerprint(stage.label, stage.sampling, ""), stage.prompt(ROWS[0])
    assert sum((seeds for _, seeds in engine.calls), ()) == make_request(shared, "r0", prompt, 4).seeds


def test_a_judgement_without_a_verdict_is_asked_for_again_once_and_then_quarantined() -> None:
    kept = list(JudgeSolvable().rows(ROWS[:1], saying_in_turn("Hm.", "Fine.\nVerdict: yes")))
    assert kept == [ROWS[0]]
    engine = saying_in_turn("Hm.", "Well.", "Verdict: yes")
    (outcome,) = JudgeSolvable().rows(ROWS[:1], engine)
    assert isinstance(outcome, Quarantine) and (outcome.reason, outcome.attempts) == ("no verdict", 2)
    assert "Well." in outcome.error


@pytest.mark.parametrize(
    ("votes", "kept"), [("yes yes no", True), ("yes no no", False), ("yes no ?  no", False), ("yes no ? yes", True)]
)
def test_a_panel_votes_and_a_silent_member_is_asked_again(votes: str, kept: bool) -> None:
    engine = saying_in_turn(*("?" if vote == "?" else f"Verdict: {vote}" for vote in votes.split()))
    outcomes = list(JudgeSolvable(sampling=Sampling(n=3, temperature=0.7)).rows(ROWS[:1], engine))
    assert outcomes == [ROWS[0] if kept else Reject(ROWS[0], "unsolvable")]


@pytest.mark.parametrize(("least", "kept"), [(0.5, True), (0.75, True), (0.8, False), (1.0, False)])
def test_a_larger_share_of_a_panel_may_be_asked_for(least: float, kept: bool) -> None:
    engine = saying_in_turn(*(f"Verdict: {vote}" for vote in ("yes", "no", "yes", "yes")))
    stage = JudgeSolvable(sampling=Sampling(n=4, temperature=0.7), least_share=least)
    assert list(stage.rows(ROWS[:1], engine)) == [ROWS[0] if kept else Reject(ROWS[0], "unsolvable")]


@pytest.mark.parametrize(
    ("word", "logprobs", "reason"),
    [
        ("yes", (-0.1, -0.3), None),
        ("yes", (-0.1, -0.9), "unsure"),
        ("no", (-0.1, -0.9), "unsolvable"),  # a doubt needs no confidence
    ],
)
def test_a_judgement_may_have_to_be_sure(word: str, logprobs: tuple[float, ...], reason: str | None) -> None:
    stage = JudgeSolvable(least_confidence=0.6)
    assert stage.initial_sampling().logprobs and not JudgeSolvable().initial_sampling().logprobs
    told = Completion(
        text=f"Verdict: {word}", finish_reason="stop", prompt_tokens=1, completion_tokens=2, logprobs=logprobs
    )
    assert list(stage.parse(ROWS[0], [told])) == [Reject(ROWS[0], reason) if reason else ROWS[0]]


@pytest.mark.parametrize("told", [None, ()])
def test_confidence_wants_an_engine_that_tells_it(told: tuple[float, ...] | None) -> None:
    reply = Completion(text="Verdict: yes", finish_reason="stop", prompt_tokens=1, completion_tokens=2, logprobs=told)
    with pytest.raises(EngineError, match="gives no log-probabilities; leave out least_confidence"):
        list(JudgeSolvable(least_confidence=0.6).parse(ROWS[0], [reply]))


def test_a_structured_judgement_holds_the_engine_to_a_schema_and_is_read_as_json() -> None:
    assert JudgeSolvable(structured=True).initial_sampling().reply_schema["required"] == ["reason", "verdict"]
    reply = '{"reason": "Verdict: yes is what I would like to say, but a number is missing.", "verdict": "no"}'
    assert parse_solvability('{"reason": "It works out.", "verdict": "yes"}') is True
    assert list(JudgeSolvable(structured=True).rows(ROWS[:1], saying(reply))) == [Reject(ROWS[0], "unsolvable")]


@pytest.mark.parametrize(
    ("text", "answer", "key"),
    [
        ("It is 5.\n#### 5", "5", "5"),
        ("So we get \\boxed{5}.", "5", "5"),
        ("#### \\boxed{1,000}", "1,000", "1000"),
        ("The answer is 7.", "7", "7"),
        ("It might be 7 or 8", None, None),
        ("#### 2:30", "2:30", "2:30"),
        ("#### 1:2", "1:2", "1/2"),
        ("#### (1, 2)", "(1, 2)", "(1,2)"),
        ("#### 10^{9000}", "10^{9000}", "10^{9000}"),
    ],
)
def test_the_final_answer_of_a_solution_is_read_however_a_model_marks_it(
    text: str, answer: str | None, key: str | None
) -> None:
    assert final_answer(text) == answer
    assert answer is None or answer_key(answer) == key
