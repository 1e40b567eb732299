"""The oracle: reads any question of the proving ground, answers it exactly, and finds what is wrong with a solution."""

import re
from collections import defaultdict
from functools import cache
from typing import Literal, NamedTuple

from tasks.proving_ground import library
from tasks.proving_ground.arithmetic import Equation, Number, Value, find_equations, find_final_answer, parse_number
from tasks.proving_ground.problem import Problem, UnsolvableReason
from tasks.proving_ground.template import Template, Variant

DiagnosisKind = Literal[
    "correct", "arithmetic_slip", "wrong_operation", "missing_step", "wrong_value", "no_answer", "other"
]


class QuestionReading(NamedTuple):
    """What the oracle reads in a text; all fields are None if the text does not belong to the proving ground."""

    template: str | None = None
    topic: str | None = None
    answer: str | None = None
    unsolvable: UnsolvableReason | None = None
    variables: dict[str, Value] | None = None
    problem: Problem | None = None


class OracleDiagnosis(NamedTuple):
    """What is wrong with a solution, and the 0-based line of its first wrong step."""

    correct: bool
    """Whether the final answer is right. A right answer may follow wrong lines; see `first_wrong_step`."""
    kind: DiagnosisKind
    first_wrong_step: int | None


def read_question(text: str) -> QuestionReading:
    """Read a question, drawn here or written by a model.

    Any numbers and any mixture of the known words are accepted, also those that are never drawn, and white space does
    not matter. Everything else does: a text does not belong if a name or a noun changes midway, if it has `1 eggs`, a
    wrong pronoun, two people of one name, or a word that no template knows.
    """
    question = " ".join(text.split())
    for template, variant in _build_index().get(_index_key(question), ()):
        values = variant.text.read(question)
        if values is not None and _are_distinct(template, values):
            problem = template.make_problem(question, values, variant.reason)
            return QuestionReading(template.name, template.topic, problem.answer, problem.unsolvable, values, problem)
    return QuestionReading()


def find_readings(text: str) -> list[Problem]:
    """Every way to read a text; more than one means that the library is ambiguous."""
    question = " ".join(text.split())
    matches = ((t, v, v.text.read(question)) for t, v in _build_index().get(_index_key(question), ()))
    return [
        t.make_problem(question, values, v.reason)
        for t, v, values in matches
        if values is not None and _are_distinct(t, values)
    ]


def _are_distinct(template: Template, values: dict[str, Value]) -> bool:
    words = [values[key] for key in template.words if key in values]
    return len(set(words)) == len(words)


def _index_key(text: str) -> str:
    """The words of a text that no slot can write; they are the same for all questions of one variant."""
    slots = slot_words()
    return " ".join(w for w in re.findall(r"[a-z]+", text.lower()) if w not in slots)


@cache
def slot_words() -> frozenset[str]:
    """Every word that a slot can write, in lower case: names, nouns, colours, pronouns."""
    forms = (f for t in library.TEMPLATES for v in t.variants for f in v.text.word_forms)
    return frozenset(w for form in forms for w in re.findall(r"[a-z]+", form.lower()))


@cache
def _build_index() -> dict[str, list[tuple[Template, Variant]]]:
    index = defaultdict(list)
    for template in library.TEMPLATES:
        for variant in template.variants:
            index[_index_key(variant.text.fixed_text)].append((template, variant))
    return dict(index)


def diagnose_solution(problem: Problem, response: str) -> OracleDiagnosis:
    """Judge a solution of a problem by its equations and its `####` line.

    If the answer is right, only a false equation counts as wrong, since another method may be as good. A solution of an
    unsolvable problem is correct if it gives no answer, that is, has no `####` line with a number.
    """
    stated = find_final_answer(response)
    if problem.answer is None:
        return OracleDiagnosis(stated is None, "other" if stated else "correct", stated[0] if stated else None)
    lines = find_equations(response)
    first_false = next((at for at, equation in lines if not equation.is_true), None)
    if stated is not None and stated[1] == parse_number(problem.answer):
        return OracleDiagnosis(True, "correct", first_false)
    methods = [
        [e for _, e in find_equations(text)] for text in (problem.solution, problem.second_solution or "") if text
    ]
    kind, at = _find_first_fault(lines, methods)
    if stated is None:
        return OracleDiagnosis(False, "no_answer", at)
    if kind is None:
        kind, at = _find_missing_step(lines, methods, stated)
    return OracleDiagnosis(False, kind, at)


def _find_first_fault(
    lines: list[tuple[int, Equation]], methods: list[list[Equation]]
) -> tuple[DiagnosisKind | None, int | None]:
    true = [e for method in methods for e in method]
    for at, line in lines:
        if not line.is_true:
            return "arithmetic_slip", at
        if not any(_is_same_step(line, e) for e in true):
            turned = any({line.left, line.right} == {e.left, e.right} for e in true)
            return ("wrong_operation" if turned else "wrong_value"), at
    return None, None


def _find_missing_step(
    lines: list[tuple[int, Equation]], methods: list[list[Equation]], stated: tuple[int, Number]
) -> tuple[DiagnosisKind, int]:
    """Why the answer is wrong although every line is a true step: a step is missing, or the last line misquotes."""
    for method in methods:
        is_present = [any(_is_same_step(line, e) for _, line in lines) for e in method]
        if lines and not all(is_present) and all(any(_is_same_step(line, e) for e in method) for _, line in lines):
            following = lines[is_present.index(False) :]
            return "missing_step", following[0][0] if following else stated[0]
    complete = any(all(any(_is_same_step(line, e) for _, line in lines) for e in method) for method in methods)
    return ("wrong_value" if complete else "other"), stated[0]


def _is_same_step(line: Equation, step: Equation) -> bool:
    """Whether a line is the same calculation as a true step; the sides of + and * may be swapped."""
    sides = (line.left, line.right)
    return line.op == step.op and (
        sides == (step.left, step.right) or (line.op in "+*" and sides == (step.right, step.left))
    )
