"""The training mixture: the share of each task, and the formats of prompts and replies."""

import re
from collections.abc import Callable, Mapping
from random import Random

from tasks.answers.final_answer import ANSWER_PREFIX
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.base.llm_judge import VERDICT_PREFIX
from tasks.pupil import error_examples
from tasks.pupil.examples import (
    END_TOKEN,
    SEEDS_PER_EXAMPLE,
    TRAINING_SEEDS,
    Example,
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

ERROR_TASKS_SHARE = 0.25
"""Share of the examples that find, make and correct errors."""
TASK_SHARES: dict[Callable[[int, Random], Example], float] = {
    solve: 0.14,
    drill: 0.04,
    write_question: 0.14,
    judge_solvable: 0.10,
    divide: 0.03,
    judge_answer: 0.22,
    judge_drill: 0.06,
    rewrite_question: 0.02,
    **{make: ERROR_TASKS_SHARE * share for make, share in error_examples.ERROR_TASK_SHARES.items()},
}
"""Share of each task among the examples, by the function that makes its examples."""


def weigh_tasks(upweight: Mapping[str, float]) -> dict[Callable[[int, Random], Example], float]:
    """`TASK_SHARES`, with the shares of the tasks named in `upweight` multiplied by their factors.

    Raises ValueError for an unknown name.
    """
    names = {make_task_example.__name__ for make_task_example in TASK_SHARES}
    if unknown := sorted(set(upweight) - names):
        raise ValueError(f"no task is called {unknown[0]!r}; there are {', '.join(sorted(names))}")
    return {make: share * upweight.get(make.__name__, 1.0) for make, share in TASK_SHARES.items()}


def make_example(index: int, upweight: Mapping[str, float] | None = None) -> Example:
    """Make example `index`, the same in every process. Raises ValueError if it lies outside of the training seeds."""
    seed = index * SEEDS_PER_EXAMPLE
    if seed not in TRAINING_SEEDS:
        raise ValueError(
            f"example {index} has no training seed; indices go from 0 to {len(TRAINING_SEEDS) // SEEDS_PER_EXAMPLE}"
        )
    rng = Random(f"lesson/{index}")
    task_shares = weigh_tasks(upweight or {})
    make_task_example = rng.choices(list(task_shares), weights=list(task_shares.values()))[0]
    return make_task_example(seed, rng)


def list_formats() -> dict[str, str]:
    """The prompt of each stage and the format of its reply. If they change, the pupil must be trained again."""
    prompts_and_replies = [
        (Solve().make_prompt(question="..."), f"{ANSWER_PREFIX} ..."),
        (ScoreAnswer().make_prompt(question="...", solution="..."), "yes | no"),
        (WriteQuestion().make_prompt(), "..."),
        (JudgeSolvable().make_prompt(question="..."), f"{VERDICT_PREFIX} yes | {VERDICT_PREFIX} no"),
        (RewriteQuestion().make_prompt(question="..."), "..."),
    ]
    reply_of_prompt = {
        prompt.to_tagged_text(): reply for prompt, reply in prompts_and_replies
    } | error_examples.list_formats()
    return {prompt: reply + END_TOKEN for prompt, reply in reply_of_prompt.items()}


def list_special_tokens() -> list[str]:
    """Special tokens: padding, unknown, end, and the tags of all stages and inputs."""
    tags = [tag for prompt in list_formats() for tag in re.findall(r"<\w+>", prompt)]
    return list(dict.fromkeys(["<pad>", "<unk>", END_TOKEN, "<reply>", *tags]))
