"""What the pupil is taught: how often each kind of lesson comes, how each stage asks and how its reply ends."""

import re
from collections.abc import Callable, Mapping
from random import Random

from tasks.answers.final_answer import ANSWER
from tasks.answers.reward import JudgeAnswer
from tasks.answers.solve import Solve
from tasks.base.llm_judge import VERDICT
from tasks.pupil import error_examples
from tasks.pupil.examples import (
    END,
    PER_LESSON,
    TRAINING_SEEDS,
    Lesson,
    divide,
    drill,
    judge_answer,
    judge_drill,
    judge_solvable,
    rewrite_question,
    solve,
    write_question,
)
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import RewriteQuestion, WriteQuestion

ERRORS_SHARE = 0.25
"""Of the lessons: those that find, make, mend and avoid errors."""
MIX: dict[Callable[[int, Random], Lesson], float] = {
    solve: 0.14,
    drill: 0.04,
    write_question: 0.14,
    judge_solvable: 0.10,
    divide: 0.03,
    judge_answer: 0.22,
    judge_drill: 0.06,
    rewrite_question: 0.02,
    **{teach: ERRORS_SHARE * share for teach, share in error_examples.LEMMA.items()},
}
"""Shares of the lessons, by number."""


def shares(stress: Mapping[str, float]) -> dict[Callable[[int, Random], Lesson], float]:
    """`MIX`, with the shares of some kinds of lesson, by name, so many times as large; raises ValueError for others."""
    names = {teach.__name__ for teach in MIX}
    if strange := sorted(set(stress) - names):
        raise ValueError(f"no lesson is called {strange[0]!r}; there are {', '.join(sorted(names))}")
    return {teach: share * stress.get(teach.__name__, 1.0) for teach, share in MIX.items()}


def lesson(index: int, stress: Mapping[str, float] | None = None) -> Lesson:
    """Lesson `index`, the same in every process. Raises ValueError outside of the training seeds."""
    seed = index * PER_LESSON
    if seed not in TRAINING_SEEDS:
        raise ValueError(
            f"lesson {index} has no training seed; indices go from 0 to {len(TRAINING_SEEDS) // PER_LESSON}"
        )
    rng = Random(f"lesson/{index}")
    mix = shares(stress or {})
    teach = rng.choices(list(mix), weights=list(mix.values()))[0]
    return teach(seed, rng)


def formats() -> dict[str, str]:
    """How each stage asks and how its reply ends; a pupil that was taught anything else must be taught again."""
    taught = [
        (Solve().ask(question="..."), f"{ANSWER} ..."),
        (JudgeAnswer().ask(question="...", solution="..."), "yes | no"),
        (WriteQuestion().ask(), "..."),
        (JudgeSolvable().ask(question="..."), f"{VERDICT} yes | {VERDICT} no"),
        (RewriteQuestion().ask(question="..."), "..."),
    ]
    asked = {prompt.tagged(): reply for prompt, reply in taught} | error_examples.formats()
    return {prompt: reply + END for prompt, reply in asked.items()}


def special_tokens() -> list[str]:
    """Tokens that stand for themselves: padding, unknown, end, and the tags of every stage and input."""
    tags = [tag for prompt in formats() for tag in re.findall(r"<\w+>", prompt)]
    return list(dict.fromkeys(["<pad>", "<unk>", END, "<reply>", *tags]))
