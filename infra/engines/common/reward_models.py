"""What a reward model reads, and how one score is made of its values.

A reward model scores a whole reply, at the last token of its text or at a token of its own that is appended. A process
reward model scores each step, at a token that follows the step.
"""

import math
import re
from collections.abc import Callable, Sequence

from schemas.engine import Failure
from schemas.engine_specs import RewardModelSpec
from schemas.prompts import Prompt

NO_STEP_SCORES = "no step scores"
"""Reason of requests to a process reward model that ended without the scores of all steps."""


def reward_model_chat(prompt: Prompt, step_token: str = "") -> list[dict[str, str]]:
    """Build the chat that a reward model reads: the last input is the assistant's turn; instructions are left out.

    With a step token, that token follows every step of the turn.
    """
    *inputs, answer = prompt.inputs.values()
    if step_token:
        answer = "".join(f"{step}{step_token}" for step in split_steps(answer))
    return [{"role": "user", "content": "\n\n".join(inputs)}, {"role": "assistant", "content": answer}]


def count_steps(prompt: Prompt) -> int:
    """How many steps the solution in `prompt` has."""
    return len(split_steps([*prompt.inputs.values()][-1]))


def split_steps(solution: str) -> list[str]:
    """The steps of a solution: its blocks between blank lines or, if there is only one, its lines."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", solution.strip())]
    if len(blocks) == 1:
        blocks = [line.strip() for line in blocks[0].split("\n")]
    return [block for block in blocks if block]


def single_token(encode: Callable[[str], Sequence[int]], token: str, field: str) -> int | None:
    """Id of `token`, the value of the spec's `field`; None if it is empty. Raises ValueError if it is no one token."""
    if not token:
        return None
    ids = encode(token)
    if len(ids) != 1:
        raise ValueError(
            f"{field} {token!r} is {len(ids)} tokens of the model's tokeniser, not one; name another token"
        )
    return ids[0]


def probability_of(labels: Sequence[float]) -> float:
    """The sigmoid of a single label's value, or the softmax of the last of several."""
    *others, last = labels
    return 1.0 / sum(math.exp(min(700.0, other - last)) for other in [*(others or [0.0]), last])


def read_score(
    rows: Sequence[Sequence[float]],
    ids: Sequence[int],
    steps: int,
    spec: RewardModelSpec,
    step_id: int | None,
    probability: Callable[[Sequence[float]], float] = probability_of,
) -> float | Failure:
    """Make the score of one text of `steps` steps from the labels of its tokens `ids`.

    `rows` holds the labels of every token, of the last one, or of the step tokens alone: engines differ in this.
    Without a step token, those of the last token count.
    """
    if not rows or not all(map(len, rows)):
        return Failure("no score", "the model returned no value; check that it is a reward model of the form it says")
    if step_id is None:
        return probability(rows[-1])
    places = [place for place, token in enumerate(ids) if token == step_id]
    if len(rows) == len(ids):
        rows = [rows[place] for place in places]
    if not steps or not len(rows) == len(places) == steps:
        return Failure(
            NO_STEP_SCORES,
            f"{len(rows)} values for {steps} steps and {len(places)} tokens {spec.step_token!r}; check step_token "
            "against the description of the model",
        )
    return combine_steps([probability(labels) for labels in rows], spec.step_scores)


def combine_steps(scores: Sequence[float], how: str) -> float:
    """One score from those of the steps: the lowest (`min`), their `product`, or the `last` one."""
    return {"min": min(scores), "product": math.prod(scores), "last": scores[-1]}[how]
