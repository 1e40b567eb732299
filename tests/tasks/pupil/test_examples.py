"""Lessons: written as the stages ask, and true."""

import json
import re
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

from schemas.engine import Completion
from schemas.outcomes import Reject
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.lemma.diagnose import Diagnose
from tasks.lemma.diagnosis_reply import parse_diagnosis
from tasks.proving_ground import library
from tasks.proving_ground.arithmetic import find_equations
from tasks.proving_ground.oracle import read_question, slot_words
from tasks.pupil.dataset import (
    DIAGNOSIS_WEIGHT,
    LINE_VERDICT_WEIGHT,
    REPLY_WEIGHT,
    RIGHT_LINE_WEIGHT,
    SLOT_WEIGHT,
    VERDICT_WEIGHT,
    encode_example,
    make_tokenizer,
)
from tasks.pupil.error_examples import DIAGNOSIS_DRILL_CALCULATIONS, diagnose_drill
from tasks.pupil.examples import (
    DRILL_DIVISIONS,
    DRILL_QUESTION,
    EVALUATION_SEEDS,
    SEEDS_PER_EXAMPLE,
    TRAINING_SEEDS,
    UNCLEAR_JUDGEMENT,
    Example,
    garble_question,
)
from tasks.pupil.mixture import list_formats, list_special_tokens, make_example
from tasks.questions.solvability import JudgeSolvable, parse_solvability
from tasks.questions.write import RewriteQuestion, WriteQuestion

STAGES = {s.tag: s for s in (Solve, JudgeSolvable, RewriteQuestion, WriteQuestion)}
TAUGHT = [make_example(i) for i in range(600)]
DRILLS = [taught for taught in TAUGHT if DRILL_QUESTION in taught.prompt]
ON_ERRORS = [taught for taught in TAUGHT if taught.stage not in {*STAGES, ScoreAnswer.tag}]
LESSONS = [taught for taught in TAUGHT if taught not in DRILLS and taught not in ON_ERRORS]


def inputs(taught: Example) -> dict[str, str]:
    """The named inputs of a lesson, read back from its prompt."""
    text = taught.prompt.removeprefix(f"<{taught.stage}>").removesuffix("<reply>")
    return {part.split(">", 1)[0]: part.split(">", 1)[1] for part in text.split("<")[1:]}


def reply(text: str) -> Completion:
    return Completion(text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=1)


def test_training_and_evaluation_share_no_seed() -> None:
    assert not set(TRAINING_SEEDS[:: 10**6]) & set(EVALUATION_SEEDS[:: 10**6])
    assert TRAINING_SEEDS.stop <= EVALUATION_SEEDS.start
    with pytest.raises(ValueError, match="no training seed"):
        make_example(EVALUATION_SEEDS.start // SEEDS_PER_EXAMPLE)


def test_a_lesson_is_the_same_every_time() -> None:
    assert [make_example(i) for i in range(20)] == TAUGHT[:20]


def test_every_stage_is_taught() -> None:
    counts = Counter(taught.stage for taught in TAUGHT)
    assert counts.keys() == {prompt.split(">")[0][1:] for prompt in list_formats()}
    drilled = {Solve, ScoreAnswer, JudgeSolvable, Diagnose}
    assert {taught.stage for taught in DRILLS} == {stage.tag for stage in drilled}
    assert min(counts.values()) >= 0.01 * len(TAUGHT)


def test_prompts_are_written_as_the_stages_ask() -> None:
    for taught in LESSONS:
        stage = STAGES.get(taught.stage, ScoreAnswer)()
        row = {"row_id": "r", **inputs(taught)}
        prompt = stage.prompt(row)
        assert prompt is not None and prompt.to_tagged_text() == taught.prompt


def test_replies_are_what_the_stages_parse() -> None:
    for taught in LESSONS:
        if taught.stage == ScoreAnswer.tag:
            assert taught.reply in ("yes", "no")
            continue
        row = {"row_id": "r", **inputs(taught)}
        (outcome,) = STAGES[taught.stage]().parse(row, [reply(taught.reply)])
        rejected = isinstance(outcome, Reject)
        assert not rejected or (taught.stage == JudgeSolvable.tag and outcome.reason == "unsolvable")


def test_what_is_taught_is_true() -> None:
    for taught in LESSONS:
        given = inputs(taught)
        if taught.stage == JudgeSolvable.tag:
            assert parse_solvability(taught.reply) is (read_question(given["question"]).answer is not None)
        elif taught.stage == RewriteQuestion.tag:
            assert read_question(taught.reply).answer is not None
        elif taught.stage == WriteQuestion.tag:
            assert read_question(taught.reply).template is not None


def test_a_lesson_is_encoded_without_loss_and_its_reply_counts_whole() -> None:
    tokenizer = make_tokenizer((text for it in LESSONS for text in (it.prompt, it.reply)), 1000)
    for taught in LESSONS[:100] + ON_ERRORS[:50]:
        made = encode_example(tokenizer, taught)
        assert tokenizer.decode(made.ids.tolist(), skip_special_tokens=False) == f"{taught.prompt}{taught.reply}<end>"
        begin = made.ids.tolist().index(tokenizer.token_to_id("<reply>"))
        counted = [int(t) for t, w in zip(made.targets[begin:], made.weights[begin:], strict=True) if w]
        assert tokenizer.decode(counted, skip_special_tokens=False) == f"{taught.reply}<end>"
        question = inputs(taught).get("question")
        if question and not taught.line_verdicts:
            before = [int(t) for t, w in zip(made.targets[:begin], made.weights[:begin], strict=True) if w]
            following = [*inputs(taught), "reply"][1]
            assert tokenizer.decode(before, skip_special_tokens=False) == f"{question}<{following}>"


def test_every_digit_is_a_token_of_its_own() -> None:
    tokenizer = make_tokenizer((text for it in LESSONS for text in (it.prompt, it.reply)), 1000)
    digits = [t for t in tokenizer.get_vocab() if any(c in "0123456789" for c in t)]
    assert sorted(digits) == list("0123456789")


def test_a_judged_solution_carries_hidden_verdicts_on_its_lines() -> None:
    tokenizer = make_tokenizer((text for it in TAUGHT for text in (it.prompt, it.reply)), 1000)
    judged = [it for it in TAUGHT if it.stage == ScoreAnswer.tag]
    assert {len(it.line_verdicts) for it in judged} > {1, 2}
    for taught in judged:
        made = encode_example(tokenizer, taught)
        marked = [i for i, w in enumerate(made.weights) if w in (LINE_VERDICT_WEIGHT, VERDICT_WEIGHT)]
        told = [tokenizer.id_to_token(int(made.targets[i])) for i in marked]
        lines = inputs(taught)["solution"].count("\n")
        assert told == ["yes" if right else "no" for right in taught.line_verdicts[:lines]] + [taught.reply]
        assert taught.reply == ("yes" if all(taught.line_verdicts) else "no")


def test_a_solution_to_be_diagnosed_carries_them_too_up_to_the_step_that_is_named() -> None:
    tokenizer = make_tokenizer((text for it in TAUGHT for text in (it.prompt, it.reply)), 1000)
    asked = [it for it in TAUGHT if it.stage == Diagnose.label]
    assert {it.line_verdicts[-1] for it in asked} == {True, False}
    for taught in asked:
        made = encode_example(tokenizer, taught)
        marked = np.flatnonzero(made.weights == LINE_VERDICT_WEIGHT)
        marked = marked[marked < made.ids.tolist().index(tokenizer.token_to_id("<reply>"))]
        told = [tokenizer.id_to_token(int(made.targets[i])) for i in marked]
        lines = inputs(taught)["attempt"].count("\n")
        assert told == ["yes" if right else "no" for right in taught.line_verdicts[:lines]]
        named = parse_diagnosis(taught.reply, inputs(taught)["attempt"].split("\n"))
        assert named.verdict == ("correct" if all(taught.line_verdicts) else "wrong")
        assert named.step == ((*taught.line_verdicts, False).index(False) + 1 if named.verdict == "wrong" else 0)


def test_the_lines_of_a_judged_solution_are_foreseen_only_where_they_are_right() -> None:
    tokenizer = make_tokenizer((text for it in TAUGHT for text in (it.prompt, it.reply)), 1000)
    taught = next(it for it in LESSONS if it.line_verdicts == (True, False))
    made = encode_example(tokenizer, taught)
    begin = made.ids.tolist().index(tokenizer.token_to_id("<solution>"))
    end = made.ids.tolist().index(tokenizer.token_to_id("<reply>"))
    counted = [int(made.targets[i]) for i in range(begin + 1, end) if made.weights[i] == RIGHT_LINE_WEIGHT]
    first = inputs(taught)["solution"].split("\n")[0]
    assert tokenizer.decode(counted) == first[len(tokenizer.decode([int(made.ids[begin + 1])])) :] + "\n"


def test_drills_are_as_true_as_they_say_and_only_their_results_and_verdicts_count() -> None:
    tokenizer = make_tokenizer((text for it in TAUGHT for text in (it.prompt, it.reply)), 1000)
    for taught in (taught for taught in DRILLS if taught.stage in (Solve.label, ScoreAnswer.tag)):
        told = inputs(taught)["solution"] if taught.line_verdicts else taught.reply
        verdicts = taught.line_verdicts or (True,) * told.count("\n") + (True,)
        assert tuple(equation.is_true for _, equation in find_equations(told)) == verdicts
        if not taught.line_verdicts:
            made = encode_example(tokenizer, taught)
            counted = [int(t) for t, w in zip(made.targets, made.weights, strict=True) if w]
            results = [line.split(" = ")[1] for line in told.split("\n")]
            assert tokenizer.decode(counted, skip_special_tokens=False) == "\n".join(results) + "<end>"


def test_a_drill_of_diagnoses_names_the_first_line_that_is_not_the_reference_s() -> None:
    drills = [diagnose_drill(seed, Random(seed)) for seed in range(0, 4000, SEEDS_PER_EXAMPLE)]
    kinds = Counter(parse_diagnosis(taught.reply, [""] * DIAGNOSIS_DRILL_CALCULATIONS).type for taught in drills)
    assert set(kinds) == {"calculation", "confusing_concept", "operator"} and min(kinds.values()) > 200
    for taught in drills:
        right = inputs(taught)["reference"].split("\n")
        shown = [line.partition(") ")[2] for line in inputs(taught)["attempt"].split("\n")]
        assert taught.line_verdicts == tuple(line == other for line, other in zip(right, shown, strict=True))
        at = taught.line_verdicts.index(False)
        named = parse_diagnosis(taught.reply, [""] * DIAGNOSIS_DRILL_CALCULATIONS)
        assert (named.step, taught.reply.split("\n")[0]) == (at + 1, right[at])
        ((_, wrong),), ((_, true),) = find_equations(shown[at]), find_equations(right[at])
        slipped = (wrong.left, wrong.op, wrong.right) == (true.left, true.op, true.right)
        assert (named.type == "calculation") is slipped is not wrong.is_true
        assert (named.type == "operator") is (wrong.op != true.op)


def test_divisions_say_what_is_left_over() -> None:
    drills = [taught for taught in DRILLS if taught.stage == JudgeSolvable.tag]
    found = [re.findall(r"(\d+) / (\d+) = (\d+)(?: and (\d+) over\.)?(?:\n|$)", taught.reply) for taught in drills]
    told = [tuple(int(number or 0) for number in each) for line in found for each in line]
    assert len(told) == DRILL_DIVISIONS * len(drills) > 50
    assert all(divmod(left, by) == (whole, rest) for left, by, whole, rest in told)
    assert 0.3 < sum(rest > 0 for *_, rest in told) / len(told) < 0.6


def test_the_whole_of_a_diagnosis_counts_more_than_other_replies() -> None:
    tokenizer = make_tokenizer((text for it in TAUGHT for text in (it.prompt, it.reply)), 1400)
    for taught in (taught for taught in ON_ERRORS if taught.stage == "diagnose"):
        made = encode_example(tokenizer, taught)
        begin = made.ids.tolist().index(tokenizer.token_to_id("<reply>"))
        assert set(made.weights[begin:-1].tolist()) == {DIAGNOSIS_WEIGHT}
        assert tokenizer.decode(made.targets[begin:-1].tolist(), skip_special_tokens=False) == f"{taught.reply}<end>"


def test_the_shipped_pupil_was_taught_what_the_stages_ask() -> None:
    taught = Path(__file__).parents[3] / "data/models/pupil/formats.json"
    assert json.loads(taught.read_text()) == list_formats(), (
        "a stage changed its tag, inputs or reply: run `make pupil`"
    )


def test_tags_are_tokens() -> None:
    assert {"<solve>", "<question>", "<solution>", "<reply>", "<end>"} <= set(list_special_tokens())


def test_a_spoilt_question_is_none_and_is_judged_so() -> None:
    for seed in range(300):
        spoilt = garble_question(library.draw_problem(seed), library.draw_problem(seed + 1), Random(seed))
        assert read_question(spoilt).template is None, spoilt
    judged = [taught for taught in LESSONS if taught.stage == "judge_solvable"]
    unclear = [taught for taught in judged if taught.reply == UNCLEAR_JUDGEMENT]
    assert 0.1 < len(unclear) / len(judged) < 0.35
    assert parse_solvability(UNCLEAR_JUDGEMENT) is False
    assert all(read_question(inputs(taught)["question"]).template is None for taught in unclear)


def test_names_and_things_of_a_question_count_more_than_its_other_words() -> None:
    tokenizer = make_tokenizer((text for taught in TAUGHT for text in (taught.prompt, taught.reply)), 1400)
    weights: dict[bool, set[int]] = {True: set(), False: set()}
    for taught in (taught for taught in TAUGHT if taught.stage == "write_question"):
        made = encode_example(tokenizer, taught)
        begin = made.ids.tolist().index(tokenizer.token_to_id("<reply>"))
        for target, weight in zip(made.targets[begin:-1], made.weights[begin:-1], strict=True):
            word = tokenizer.id_to_token(int(target)).strip("\u0120").lower()
            weights[word in slot_words()].add(int(weight))
    assert weights == {True: {SLOT_WEIGHT}, False: {REPLY_WEIGHT}}


def test_a_kind_of_lesson_may_come_more_often() -> None:
    often = Counter(make_example(i, {"write_question": 5}).stage for i in range(600))
    assert often["write_question"] > 2 * Counter(taught.stage for taught in TAUGHT)["write_question"]
    assert make_example(3, {}) == TAUGHT[3]
    with pytest.raises(ValueError, match="no task is called 'write'"):
        make_example(3, {"write": 2})
