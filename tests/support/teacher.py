"""A student and a teacher without a model: they read problems of the proving ground as the oracle does."""

import re
from random import Random

from schemas.prompts import Prompt
from tasks.base.llm_judge import VERDICT
from tasks.proving_ground import wrong_solutions
from tasks.proving_ground.oracle import diagnose, read
from tasks.proving_ground.problem import Problem
from tasks.pupil.error_examples import (
    TYPE_OF,
    Case,
    case_of,
    diagnosis,
    fixed,
    followed,
    injection,
    restarted,
    smoothed,
)

RIGHT = 0.4
"""Share of the student's right attempts."""


def reply(prompt: Prompt, seed: int) -> str:
    """What student or teacher say; the same for the same prompt and seed."""
    rng = Random(f"{seed}/{prompt.tagged()}")
    inputs = dict(prompt.inputs)
    problem = read(inputs["question"]).problem
    if problem is None:
        return "I do not know this story."
    if prompt.stage == "solve":
        return attempted(problem, rng)
    if prompt.stage == "diagnose":
        case = case_of(problem, re.sub(r"(?m)^[0-9]+\) ", "", inputs["attempt"]))
        return diagnosis(case) if case else f"{VERDICT} correct"
    if prompt.stage == "inject":
        kind = next(k for k in wrong_solutions.MISTAKES if TYPE_OF[k] == inputs["type"].replace(" ", "_"))
        case = case_of(problem, wrong_solutions.corrupt(problem, kind, rng) or problem.solution)
        return injection(case) if case else "There is no such mistake."
    if prompt.stage == "smooth":
        return smoothed(inputs["correction"], rng)
    case = _begun(problem, inputs["attempt"])
    if prompt.stage == "fix_continue":
        return fixed(case, rng)
    return restarted(case if case.other else case._replace(other=case.right), rng)


def attempted(problem: Problem, rng: Random) -> str:
    """A solution of the student, right or wrong."""
    kinds = rng.sample(wrong_solutions.MISTAKES, len(wrong_solutions.MISTAKES))
    wrong = (wrong_solutions.corrupt(problem, kind, rng) for kind in kinds)
    return problem.solution if rng.random() < RIGHT else next(filter(None, wrong), problem.solution)


def from_tagged(text: str) -> Prompt:
    """The prompt that was written as `Prompt.tagged` does."""
    stage, *parts = re.split(r"<(\w+)>", text.removesuffix("<reply>"))[1:]
    return Prompt(stage=stage, inputs=dict(zip(parts[1::2], parts[2::2], strict=True)))


def _begun(problem: Problem, prefix: str) -> Case:
    """The case of a prefix that ends in its first wrong line."""
    lines = tuple(prefix.split("\n"))
    at, methods = len(lines) - 1, [tuple(t.split("\n")) for t in (problem.solution, problem.second or "") if t]
    number = followed(methods, lines) or 0
    right, other = methods[number], methods[1 - number] if len(methods) > 1 else ()
    kind = TYPE_OF.get(diagnose(problem, f"{prefix}\n#### -1").kind, "missing_step")
    return Case(problem, lines, kind, at, right, other)
