"""The oracle: reads any text of the proving ground back, answers it exactly, and says what is wrong with a solution."""

import re
from collections import defaultdict
from functools import cache
from typing import Literal, NamedTuple

from tasks.proving_ground import library
from tasks.proving_ground.arithmetic import Equation, Number, Value, equations, final, number
from tasks.proving_ground.problem import Problem, Reason
from tasks.proving_ground.template import Template, Variant

Kind = Literal["correct", "arithmetic_slip", "wrong_operation", "missing_step", "wrong_value", "no_answer", "other"]


class Reading(NamedTuple):
    """What the oracle makes of a text; all None when the text does not belong to the proving ground."""

    template: str | None = None
    topic: str | None = None
    answer: str | None = None
    unsolvable: Reason | None = None
    variables: dict[str, Value] | None = None
    problem: Problem | None = None


class Diagnosis(NamedTuple):
    """What is wrong with a solution, and the 0-based line where it goes wrong first."""

    correct: bool
    """Whether the final answer is right; whether the lines are is told by `first_wrong_step`."""
    kind: Kind
    first_wrong_step: int | None


def read(text: str) -> Reading:
    """Read a question, whoever wrote it.

    Any numbers and any mixture of the known words will do, also ones that are never drawn. White space does not count.
    Everything else does: a name or a noun that changes midway, `1 eggs`, a wrong pronoun, two people of one name or a
    word that no template knows make a text that does not belong.
    """
    question = " ".join(text.split())
    for template, variant in _index().get(_key(question), ()):
        values = variant.text.read(question)
        if values is not None and _apart(template, values):
            problem = template.problem(question, values, variant.reason)
            return Reading(template.name, template.topic, problem.answer, problem.unsolvable, values, problem)
    return Reading()


def readings(text: str) -> list[Problem]:
    """Every way to read a text; more than one would be an ambiguity of the library."""
    question = " ".join(text.split())
    read = ((t, v, v.text.read(question)) for t, v in _index().get(_key(question), ()))
    return [t.problem(question, values, v.reason) for t, v, values in read if values is not None and _apart(t, values)]


def _apart(template: Template, values: dict[str, Value]) -> bool:
    words = [values[key] for key in template.words if key in values]
    return len(set(words)) == len(words)


def _key(text: str) -> str:
    """The words of a text that no slot could have written: equal for all instances of one variant."""
    slots = slot_words()
    return " ".join(w for w in re.findall(r"[a-z]+", text.lower()) if w not in slots)


@cache
def slot_words() -> frozenset[str]:
    """Every word that a slot can write, in lower case: names, nouns, colours, pronouns."""
    forms = (f for t in library.TEMPLATES for v in t.variants for f in v.text.forms)
    return frozenset(w for form in forms for w in re.findall(r"[a-z]+", form.lower()))


@cache
def _index() -> dict[str, list[tuple[Template, Variant]]]:
    index = defaultdict(list)
    for template in library.TEMPLATES:
        for variant in template.variants:
            index[_key(variant.text.bare)].append((template, variant))
    return dict(index)


def diagnose(problem: Problem, response: str) -> Diagnosis:
    """Judge a solution text of a problem by its lines and its `####` line.

    With a right answer only a false equation counts as wrong, since another method may be as good. The answer of an
    unsolvable problem is to give none: `correct` when the text has no `####` line with a number.
    """
    stated = final(response)
    if problem.answer is None:
        return Diagnosis(stated is None, "other" if stated else "correct", stated[0] if stated else None)
    lines = equations(response)
    false = next((at for at, equation in lines if not equation.true), None)
    if stated is not None and stated[1] == number(problem.answer):
        return Diagnosis(True, "correct", false)
    methods = [[e for _, e in equations(text)] for text in (problem.solution, problem.second or "") if text]
    kind, at = _first_fault(lines, methods)
    if stated is None:
        return Diagnosis(False, "no_answer", at)
    if kind is None:
        kind, at = _gap(lines, methods, stated)
    return Diagnosis(False, kind, at)


def _first_fault(lines: list[tuple[int, Equation]], methods: list[list[Equation]]) -> tuple[Kind | None, int | None]:
    true = [e for method in methods for e in method]
    for at, line in lines:
        if not line.true:
            return "arithmetic_slip", at
        if not any(_same(line, e) for e in true):
            turned = any({line.left, line.right} == {e.left, e.right} for e in true)
            return ("wrong_operation" if turned else "wrong_value"), at
    return None, None


def _gap(
    lines: list[tuple[int, Equation]], methods: list[list[Equation]], stated: tuple[int, Number]
) -> tuple[Kind, int]:
    """Every line is a true step, and yet the answer is wrong: a step is missing, or the last line misquotes."""
    for method in methods:
        kept = [any(_same(line, e) for _, line in lines) for e in method]
        if lines and not all(kept) and all(any(_same(line, e) for e in method) for _, line in lines):
            following = lines[kept.index(False) :]
            return "missing_step", following[0][0] if following else stated[0]
    complete = any(all(any(_same(line, e) for _, line in lines) for e in method) for method in methods)
    return ("wrong_value" if complete else "other"), stated[0]


def _same(line: Equation, step: Equation) -> bool:
    """Whether a line does what a true step does; the sides of + and * may be swapped."""
    sides = (line.left, line.right)
    return line.op == step.op and (
        sides == (step.left, step.right) or (line.op in "+*" and sides == (step.right, step.left))
    )
