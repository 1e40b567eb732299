"""Lessons: written as the stages ask, and true."""

import json
from collections import Counter
from pathlib import Path

import pytest

from schemas.engine import Completion
from schemas.work import Reject
from tasks.answers import JudgeAnswer, Solve
from tasks.encode import VERDICT_WEIGHT, encode, make_tokenizer
from tasks.lessons import DRILL, EVALUATION_SEEDS, PER_LESSON, TRAINING_SEEDS, Lesson, formats, lesson, special_tokens
from tasks.questions import JudgeSolvable, RewriteQuestion, WriteQuestion, verdict
from tasks.templates.arithmetic import equations
from tasks.templates.oracle import read

TAUGHT = [lesson(i) for i in range(400)]
LESSONS = [taught for taught in TAUGHT if taught.stage != DRILL]
STAGES = {s.name(): s for s in (Solve, JudgeSolvable, RewriteQuestion, WriteQuestion)}


def inputs(taught: Lesson) -> dict[str, str]:
    """The named inputs of a lesson, read back from its prompt."""
    text = taught.prompt.removeprefix(f"<{taught.stage}>").removesuffix("<reply>")
    return {part.split(">", 1)[0]: part.split(">", 1)[1] for part in text.split("<")[1:]}


def reply(text: str) -> Completion:
    return Completion(text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=1)


def test_training_and_evaluation_share_no_seed() -> None:
    assert not set(TRAINING_SEEDS[:: 10**6]) & set(EVALUATION_SEEDS[:: 10**6])
    assert TRAINING_SEEDS.stop <= EVALUATION_SEEDS.start
    with pytest.raises(ValueError, match="no training seed"):
        lesson(EVALUATION_SEEDS.start // PER_LESSON)


def test_a_lesson_is_the_same_every_time() -> None:
    assert [lesson(i) for i in range(20)] == TAUGHT[:20]


def test_every_stage_is_taught() -> None:
    counts = Counter(taught.stage for taught in TAUGHT)
    assert counts.keys() == {*STAGES, JudgeAnswer.name(), DRILL}
    assert min(counts.values()) >= 0.03 * len(LESSONS)


def test_prompts_are_written_as_the_stages_ask() -> None:
    for taught in LESSONS:
        stage = STAGES.get(taught.stage, JudgeAnswer)()
        row = {"row_id": "r", **inputs(taught)}
        prompt = stage.prompt(row)
        assert prompt is not None and prompt.tagged() == taught.prompt


def test_replies_are_what_the_stages_parse() -> None:
    for taught in LESSONS:
        if taught.stage == JudgeAnswer.name():
            assert taught.reply in ("yes", "no")
            continue
        row = {"row_id": "r", **inputs(taught)}
        (outcome,) = STAGES[taught.stage]().parse(row, [reply(taught.reply)])
        rejected = isinstance(outcome, Reject)
        assert not rejected or (taught.stage == JudgeSolvable.name() and outcome.reason == "unsolvable")


def test_what_is_taught_is_true() -> None:
    for taught in LESSONS:
        given = inputs(taught)
        if taught.stage == JudgeSolvable.name():
            assert verdict(taught.reply) is (read(given["question"]).unsolvable is None)
        elif taught.stage == RewriteQuestion.name():
            assert read(taught.reply).answer is not None
        elif taught.stage == WriteQuestion.name():
            assert read(taught.reply).template is not None


def test_a_lesson_is_encoded_without_loss_and_only_its_reply_counts() -> None:
    tokenizer = make_tokenizer((text for it in LESSONS for text in (it.prompt, it.reply)), 1000)
    for taught in LESSONS[:100]:
        made = encode(tokenizer, taught)
        assert tokenizer.decode(made.ids.tolist(), skip_special_tokens=False) == f"{taught.prompt}{taught.reply}<end>"
        begin = made.ids.tolist().index(tokenizer.token_to_id("<reply>"))
        counted = [int(t) for t, w in zip(made.targets[begin:], made.weights[begin:], strict=True) if w]
        assert tokenizer.decode(counted, skip_special_tokens=False) == f"{taught.reply}<end>"
        assert taught.stage == JudgeAnswer.name() or not made.weights[:begin].any()


def test_every_digit_is_a_token_of_its_own() -> None:
    tokenizer = make_tokenizer((text for it in LESSONS for text in (it.prompt, it.reply)), 1000)
    digits = [t for t in tokenizer.get_vocab() if any(c in "0123456789" for c in t)]
    assert sorted(digits) == list("0123456789")


def test_a_judged_solution_carries_hidden_verdicts_on_its_lines() -> None:
    texts = [text for it in LESSONS for text in (it.prompt, it.reply)]
    tokenizer = make_tokenizer(texts, 1000)
    taught = next(it for it in LESSONS if it.stage == JudgeAnswer.name() and it.wrong_line == 1)
    made = encode(tokenizer, taught)
    judged = [tokenizer.id_to_token(t) for t, w in zip(made.targets, made.weights, strict=True) if w > 1]
    assert judged[:2] == ["yes", "no"] and judged[-1] == "no"
    assert made.weights.max() == VERDICT_WEIGHT


def test_a_drill_is_true_and_only_its_results_count() -> None:
    drills = [taught for taught in TAUGHT if taught.stage == DRILL]
    tokenizer = make_tokenizer((text for it in TAUGHT for text in (it.prompt, it.reply)), 1000)
    for taught in drills:
        assert all(equation.true for _, equation in equations(taught.reply))
        made = encode(tokenizer, taught)
        counted = [int(t) for t, w in zip(made.targets, made.weights, strict=True) if w]
        results = [line.split(" = ")[1] for line in taught.reply.split("\n")]
        assert tokenizer.decode(counted, skip_special_tokens=False) == "\n".join(results) + "<end>"


def test_the_shipped_pupil_was_taught_what_the_stages_ask() -> None:
    taught = Path(__file__).parents[2] / "data/models/pupil/formats.json"
    assert json.loads(taught.read_text()) == formats(), "a stage changed its tag, inputs or reply: run `make pupil`"


def test_tags_are_tokens() -> None:
    assert {"<solve>", "<question>", "<solution>", "<reply>", "<end>"} <= set(special_tokens())
