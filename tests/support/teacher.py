"""A student and a teacher without a model: they read problems of the proving ground as the oracle does."""

import re
from random import Random

from schemas.prompts import Prompt
from tasks.base.llm_judge import VERDICT_PREFIX
from tasks.proving_ground import wrong_solutions
from tasks.proving_ground.oracle import diagnose_solution, read_question
from tasks.proving_ground.problem import Problem
from tasks.pupil.error_examples import (
    ERROR_TYPE_OF_KIND,
    ErrorCase,
    find_method,
    make_error_case,
    write_diagnosis,
    write_fix,
    write_injection,
    write_restart,
    write_smoothed,
)

RIGHT_SHARE = 0.4
"""Share of the student's right attempts."""


def reply(prompt: Prompt, seed: int) -> str:
    """What student or teacher say; the same for the same prompt and seed."""
    rng = Random(f"{seed}/{prompt.to_tagged_text()}")
    inputs = dict(prompt.inputs)
    problem = read_question(inputs["question"]).problem
    if problem is None:
        return "I do not know this story."
    if prompt.stage == "solve":
        return attempt_problem(problem, rng)
    if prompt.stage == "diagnose":
        case = make_error_case(problem, re.sub(r"(?m)^[0-9]+\) ", "", inputs["attempt"]))
        return write_diagnosis(case) if case else f"{VERDICT_PREFIX} correct"
    if prompt.stage == "inject":
        kind = next(k for k in wrong_solutions.MISTAKES if ERROR_TYPE_OF_KIND[k] == inputs["type"].replace(" ", "_"))
        case = make_error_case(problem, wrong_solutions.inject_error(problem, kind, rng) or problem.solution)
        return write_injection(case) if case else "There is no such mistake."
    if prompt.stage == "smooth":
        return write_smoothed(inputs["correction"], rng)
    case = _case_of_prefix(problem, inputs["attempt"])
    if prompt.stage == "fix_continue":
        return write_fix(case, rng)
    return write_restart(case if case.other_method_lines else case._replace(other_method_lines=case.method_lines), rng)


def attempt_problem(problem: Problem, rng: Random) -> str:
    """A solution of the student, right or wrong."""
    kinds = rng.sample(wrong_solutions.MISTAKES, len(wrong_solutions.MISTAKES))
    wrong = (wrong_solutions.inject_error(problem, kind, rng) for kind in kinds)
    return problem.solution if rng.random() < RIGHT_SHARE else next(filter(None, wrong), problem.solution)


def parse_tagged_text(text: str) -> Prompt:
    """The prompt that was written as `Prompt.tagged` does."""
    stage, *parts = re.split(r"<(\w+)>", text.removesuffix("<reply>"))[1:]
    return Prompt(stage=stage, inputs=dict(zip(parts[1::2], parts[2::2], strict=True)))


def _case_of_prefix(problem: Problem, prefix: str) -> ErrorCase:
    """The case of a prefix that ends in its first wrong line."""
    lines = tuple(prefix.split("\n"))
    at, methods = len(lines) - 1, [tuple(t.split("\n")) for t in (problem.solution, problem.second_solution or "") if t]
    number = find_method(methods, lines) or 0
    right, other = methods[number], methods[1 - number] if len(methods) > 1 else ()
    kind = ERROR_TYPE_OF_KIND.get(diagnose_solution(problem, f"{prefix}\n#### -1").kind, "missing_step")
    return ErrorCase(problem, lines, kind, at, right, other)
