"""Makes wrong solutions: one known mistake among true steps, carried forward to a wrong answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Literal

from tasks.proving_ground import library
from tasks.proving_ground.arithmetic import (
    Number,
    Value,
    calculate,
    format_number,
    operand_value,
    parse_number,
    simplify,
)
from tasks.proving_ground.oracle import diagnose_solution
from tasks.proving_ground.problem import Problem
from tasks.proving_ground.slots import Sum
from tasks.proving_ground.template import Template
from tasks.proving_ground.template_text import TemplateText

Mistake = Literal["arithmetic_slip", "wrong_operation", "missing_step", "wrong_value"]
MISTAKES: tuple[Mistake, ...] = ("arithmetic_slip", "wrong_operation", "missing_step", "wrong_value")
SYSTEMATIC_ERRORS: dict[Mistake | None, float] = {
    None: 0.45,
    "wrong_operation": 0.25,
    "missing_step": 0.18,
    "wrong_value": 0.12,
}
"""Share of the templates that are always misread in the same way, by kind of mistake; None: not misread."""


def inject_error(problem: Problem, kind: Mistake, rng: Random) -> str | None:
    """A solution of the problem with a mistake of this kind and a wrong final answer.

    The steps before the mistake are true, and the steps after it use the wrong value. None if the problem is
    unsolvable or allows no such mistake (a single step cannot be missing).
    """
    if problem.answer is None:
        return None
    template = library.find_template(problem.template)
    candidates = list(_find_candidates(template, problem, kind, rng))
    rng.shuffle(candidates)
    return _first_valid(problem, kind, candidates)


def misread_systematically(problem: Problem) -> str | None:
    """A solution with a systematic error: the same wrong step in every problem of a template.

    Real models repeat their mistakes like this; random mistakes vanish at a low temperature.
    None if the template has no systematic error (`SYSTEMATIC_ERRORS`) or the numbers of this problem do not allow it.
    """
    rng = Random(f"habit/{problem.template}")
    kind = rng.choices(list(SYSTEMATIC_ERRORS), weights=list(SYSTEMATIC_ERRORS.values()))[0]
    if kind is None or problem.answer is None:
        return None
    template = library.find_template(problem.template)
    candidates = [c for c in _find_candidates(template, problem, kind, rng) if c[2][1] <= template.max_result]
    candidates.sort(key=lambda candidate: Random(f"{problem.template}/{candidate[1]}").random())
    return _first_valid(problem, kind, candidates)


def _first_valid(
    problem: Problem, kind: Mistake, candidates: Sequence[tuple[int, str, tuple[str, Number]]]
) -> str | None:
    """The first candidate whose answer is wrong and in which the oracle finds this mistake at this step."""
    right = parse_number(problem.answer or "")
    for at, _, (text, answer) in candidates:
        if answer != right and diagnose_solution(problem, text) == (False, kind, at):
            return text
    return None


def _find_candidates(
    template: Template, problem: Problem, kind: Mistake, rng: Random
) -> Iterator[tuple[int, str, tuple[str, Number]]]:
    """Candidates: line of the mistake, the wrong calculation by names of numbers, the text and its answer."""
    methods = template.methods if problem.second_solution else template.methods[:1]
    for steps in methods:
        for at in range(len(steps)):
            if kind == "missing_step":
                text_and_answer = _write_steps(template, steps[:at] + steps[at + 1 :], problem.variables)
                yield from [(at, f"without {steps[at].sums[0]}", text_and_answer)] if text_and_answer else []
            else:
                wrong = _change_step(template, steps, at, problem.variables, kind, rng)
                yield from ((at, label, text_and_answer) for label, text_and_answer in wrong)


def _change_step(
    template: Template, steps: Sequence[TemplateText], at: int, values: Mapping[str, Value], kind: Mistake, rng: Random
) -> Iterator[tuple[str, tuple[str, Number]]]:
    """Solutions in which step `at` is wrong, each after the wrong calculation."""
    right = steps[at].sums[0]
    before = _run_steps(template, steps[:at], values)
    if before is None:
        return
    changes: list[tuple[Sum, Number | None]]
    if kind == "arithmetic_slip":
        true_result = calculate(operand_value(right.left, before), right.op, operand_value(right.right, before))
        changes = [(right, slip) for slip in make_slips(true_result, rng)]
    elif kind == "wrong_operation":
        changes = [(replace(right, op=op), None) for op in "+-*/" if op != right.op]
    else:
        changes = [(s, None) for s in _swap_operands(right, before)]
    for wrong, slip in changes:
        pieces = tuple(wrong if piece is right else piece for piece in steps[at].pieces)
        text_and_answer = _write_steps(
            template, (*steps[:at], TemplateText(pieces), *steps[at + 1 :]), values, {at: slip} if slip else {}
        )
        yield from [(str(wrong), text_and_answer)] if text_and_answer else []


def make_slips(true: Number, rng: Random) -> list[Number]:
    """Wrong results near a true one: one digit off by 1 or 2, two neighbouring digits swapped, another last digit."""
    if not isinstance(true, int):
        return [slip for d in (1, -1) if (slip := simplify(true + d)) > 0]
    digits = str(true)
    results = [true + d * 10**place for place in range(len(digits)) for d in (1, -1, 2, -2)]
    results += [int(digits[:i] + digits[i + 1] + digits[i] + digits[i + 2 :]) for i in range(len(digits) - 1)]
    results.append(true // 10 * 10 + rng.randrange(10))
    return [slip for slip in sorted(set(results)) if slip > 0 and slip != true]


def _swap_operands(right: Sum, before: Mapping[str, Value]) -> Iterator[Sum]:
    """The equation with one operand replaced by another number of the question or of an earlier step."""
    for name, value in before.items():
        if not isinstance(value, str) and not name.endswith("?"):
            for wrong in (replace(right, left=name), replace(right, right=name)):
                if wrong != right:
                    yield wrong


def _run_steps(
    template: Template, steps: Sequence[TemplateText], values: Mapping[str, Value]
) -> dict[str, Value] | None:
    state = template.run_steps(steps, values)
    return None if isinstance(state, str) else state


def _write_steps(
    template: Template,
    steps: Sequence[TemplateText],
    values: Mapping[str, Value],
    slips: Mapping[int, Number] | None = None,
) -> tuple[str, Number] | None:
    """The solution text of the steps, and its answer; None if a step makes no sense or needs one that is missing."""
    state, lines = dict(values), list[str]()
    for at, step in enumerate(steps):
        (s,) = step.sums
        if not {o for o in (s.left, s.right) if not o.isdigit()} <= state.keys():
            return None
        after = _run_steps(template, [step], state)
        if after is None:
            return None
        state = after | ({s.result: slips[at]} if slips and at in slips else {})
        lines.append(step.write(state))
    if not lines:
        return None
    answer = operand_value(steps[-1].sums[0].result, state)
    return "\n".join((*lines, f"#### {format_number(answer, template.style)}")), answer
