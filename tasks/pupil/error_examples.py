"""Examples on errors: the pupil learns to find, make and correct them, from the prompts of the LEMMA stages."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random
from typing import NamedTuple

from tasks.answers.final_answer import ANSWER_PREFIX
from tasks.base.llm_judge import VERDICT_PREFIX
from tasks.lemma.corrections import FixContinue, FreshRestart, step_overlap
from tasks.lemma.diagnose import STEP_PREFIX, TYPE_PREFIX, Diagnose
from tasks.lemma.error_types import ErrorType
from tasks.lemma.inject import Inject
from tasks.lemma.smooth import Smooth
from tasks.proving_ground import library, wrong_solutions
from tasks.proving_ground.arithmetic import Number, calculate, simplify
from tasks.proving_ground.oracle import DiagnosisKind
from tasks.proving_ground.oracle import diagnose_solution as consult
from tasks.proving_ground.problem import Problem
from tasks.pupil.examples import DRILL_QUESTION, Example, draw_calculations

ERROR_TYPE_OF_KIND: dict[DiagnosisKind, ErrorType] = {
    "arithmetic_slip": "calculation",
    "wrong_operation": "operator",
    "missing_step": "missing_step",
    "wrong_value": "confusing_concept",
}
"""The error type of each of the oracle's kinds. A wrong value is another number of the same problem, mistaken for
the right one."""
INJECTED_MISTAKE_SHARES: dict[wrong_solutions.Mistake, float] = {
    "arithmetic_slip": 0.34,
    "missing_step": 0.33,
    "wrong_value": 0.33,
}
"""Shares of the mistakes in examples of `inject`, whose error types do not include a wrong operator."""
DIAGNOSED_MISTAKE_WEIGHTS: dict[wrong_solutions.Mistake, float] = {**INJECTED_MISTAKE_SHARES, "wrong_operation": 0.25}
"""Relative shares of the mistakes to be found and corrected."""
SYSTEMATIC_ERROR_SHARE = 0.3
"""Share of systematic errors among the wrong solutions to be found and corrected, if the template has one."""
CORRECT_SHARE = 0.04
"""Share of right solutions among those to be diagnosed; in use, nearly all of them were verified to be wrong."""
DIAGNOSIS_DRILL_CALCULATIONS = 5
"""Calculations in a drill of diagnoses."""
CHANGED_SHARE = 0.3
"""Share of these calculations that are made wrong, beside one that always is."""
SECOND_METHOD_SHARE = 0.15
"""Share of the wrong solutions that use the second method: as often as the pupil is trained to use it."""
MOST_OVERLAP = 0.5
"""Largest overlap of steps between prefix and restart, as in `FreshRestart`."""

REFLECTIONS: dict[ErrorType, tuple[str, ...]] = {
    "calculation": (
        "Wait, {sum} is not {result}.",
        "Let me check that: {sum} does not give {result}.",
        "Hold on, I made a mistake in {sum}.",
        "That is wrong, for {sum} cannot be {result}.",
    ),
    "operator": (
        "Wait, {sum} is the wrong operation here.",
        "Hold on, I should not work out {sum}.",
        "No, {sum} does not fit the story; that is a mistake.",
        "Let me look at {sum} again: the numbers are right, but the operation is wrong.",
    ),
    "missing_step": (
        "Wait, I left out a step before this.",
        "Hold on, this comes too early, for something is missing.",
        "That is a mistake: I skipped a step.",
        "Let me go back, I forgot a step.",
    ),
    "confusing_concept": (
        "Wait, {sum} uses the wrong number.",
        "Hold on, I mixed up two numbers in {sum}.",
        "No, {sum} takes one number for another; that is a mistake.",
        "Let me check {sum} again: that is not the number I need.",
    ),
}
"""Sentences that react to the wrong step; `{sum}` and `{result}` are taken from it."""
ANSWER_REFLECTIONS = {
    "missing_step": "Wait, {result} is not the answer yet, I missed a step.",
    "": "Wait, {result} is wrong.",
}
"""Sentences for a wrong step that is the line of the answer; the empty key is for all other error types."""
RESTART_PHRASES = ("Let me try it another way.", "I start over, by another way.", "Let me go at it from another side.")
FIRST_CONNECTIVES = ("First, ", "To begin with, ")
NEXT_CONNECTIVES = ("Then ", "So ", "Next, ", "With that, ")
LAST_CONNECTIVES = ("So in the end ", "Finally, ", "And so ")
LOWERCASED_WORDS = (
    "The",
    "There",
    "That",
    "This",
    "It",
    "Each",
    "They",
    "With",
    "One",
    "All",
    "In",
    "He",
    "She",
    "At",
    "A",
)
"""First words that are written in lower case after a connective; names are not."""

CONNECTIVE_WORDS = ("Then", "So", "Now", "Next", "First", "Finally")
"""First words that already join a line to the one before it."""


class ErrorCase(NamedTuple):
    """A problem, a wrong solution, and what the oracle knows about them. Line numbers count from 0."""

    problem: Problem
    wrong_lines: tuple[str, ...]
    error_type: ErrorType
    first_wrong_line: int
    """Number of the first wrong line."""
    method_lines: tuple[str, ...]
    """The lines of the method that the wrong solution follows."""
    other_method_lines: tuple[str, ...]
    """The lines of the other method; empty if there is none."""

    @property
    def prefix(self) -> str:
        """The lines up to and including the first wrong one."""
        return "\n".join(self.wrong_lines[: self.first_wrong_line + 1])


def make_error_case(problem: Problem, wrong: str) -> ErrorCase | None:
    """Make the case of a wrong solution; None if the oracle cannot say what is wrong with it."""
    diagnosis = consult(problem, wrong)
    at, kind = diagnosis.first_wrong_step, ERROR_TYPE_OF_KIND.get(diagnosis.kind)
    if kind is None or at is None:
        return None
    lines = tuple(wrong.split("\n"))
    methods = [tuple(text.split("\n")) for text in (problem.solution, problem.second_solution or "") if text]
    method = find_method(methods, lines[: at + 1])
    if method is None:
        return None
    other = methods[1 - method] if len(methods) > 1 else ()
    return ErrorCase(problem, lines, kind, at, methods[method], other)


def find_method(methods: Sequence[Sequence[str]], prefix: Sequence[str]) -> int | None:
    """The index of the method that a prefix follows: equal lines before the last one, which is wrong.

    If several methods match, one with the same words in the last line is preferred. None if none matches.
    """
    at = len(prefix) - 1
    matching = [n for n, method in enumerate(methods) if tuple(method[:at]) == tuple(prefix[:at]) and at < len(method)]
    same_words = [n for n in matching if _split_words(methods[n][at]) == _split_words(prefix[at])]
    return next(iter(same_words or matching), None)


def _split_words(line: str) -> list[str]:
    return re.findall("[A-Za-z]+", line)


def write_diagnosis(case: ErrorCase) -> str:
    """The right line in place of the wrong one, the step number, and the error type."""
    return _name_error(case.method_lines[case.first_wrong_line], case.first_wrong_line, case.error_type)


def _name_error(line: str, at: int, kind: ErrorType) -> str:
    return f"{line}\n{STEP_PREFIX} {at + 1}\n{TYPE_PREFIX} {kind}"


def write_injection(case: ErrorCase) -> str:
    """The step number of the error, and the wrong solution."""
    return "\n".join((f"{STEP_PREFIX} {case.first_wrong_line + 1}", *case.wrong_lines))


def write_fix(case: ErrorCase, rng: Random) -> str:
    """A reflection, the wrong line as it should be, and the rest of the same method."""
    return "\n".join((write_reflection(case, rng), *case.method_lines[case.first_wrong_line :]))


def write_restart(case: ErrorCase, rng: Random) -> str:
    """A reflection, and the other method from its beginning."""
    return "\n".join((f"{write_reflection(case, rng)} {rng.choice(RESTART_PHRASES)}", *case.other_method_lines))


def write_reflection(case: ErrorCase, rng: Random) -> str:
    """A sentence that says what is wrong with the first wrong line."""
    line = case.wrong_lines[case.first_wrong_line]
    if line.startswith(ANSWER_PREFIX):
        return ANSWER_REFLECTIONS.get(case.error_type, ANSWER_REFLECTIONS[""]).format(
            result=line.removeprefix(ANSWER_PREFIX).strip()
        )
    sums = re.findall(r"(\S+ [-+*/] \S+) = (\S+)", line)
    calculation, result = sums[-1] if sums else ("that", "right")
    return rng.choice(REFLECTIONS[case.error_type]).format(sum=calculation, result=result.rstrip(".,"))


def write_smoothed(text: str, rng: Random) -> str:
    """The same text with words that join its steps."""
    reflection_line, *lines = text.split("\n")
    step_lines = [at for at, line in enumerate(lines) if not line.startswith(ANSWER_PREFIX)]
    for at in step_lines:
        words = (
            FIRST_CONNECTIVES
            if at == step_lines[0] and len(step_lines) > 1
            else LAST_CONNECTIVES
            if at == step_lines[-1]
            else NEXT_CONNECTIVES
        )
        lines[at] = _prepend_words(rng.choice(words), lines[at])
    return "\n".join((reflection_line, *lines))


def _prepend_words(words: str, line: str) -> str:
    first, _, rest = line.partition(" ")
    if first in CONNECTIVE_WORDS:
        return line
    return f"{words}{first.lower() if first in LOWERCASED_WORDS else first} {rest}"


def diagnose(seed: int, rng: Random) -> Example:
    """Prompt: a wrong solution with numbered lines, sometimes a right one. Reply: where it goes wrong."""
    if rng.random() < CORRECT_SHARE:
        problem = library.draw_problem(seed)
        lines = problem.solution.split("\n")
        return _make_example(
            problem.question, problem.solution, lines, f"{VERDICT_PREFIX} correct", (True,) * len(lines)
        )
    return make_diagnosis_example(_draw_case(seed, rng, DIAGNOSED_MISTAKE_WEIGHTS))


def make_diagnosis_example(case: ErrorCase) -> Example:
    """Prompt: a wrong solution with numbered lines. Reply: where it goes wrong."""
    verdicts = (True,) * case.first_wrong_line + (False,)
    return _make_example(
        case.problem.question, case.problem.solution, case.wrong_lines, write_diagnosis(case), verdicts
    )


def diagnose_drill(seed: int, rng: Random) -> Example:
    """Prompt: calculations without a word problem, and the right ones beside them. Reply: the first wrong one.

    The wrong ones have another result, operand or operation.
    """
    drawn = draw_calculations(seed, rng)[:DIAGNOSIS_DRILL_CALCULATIONS]
    changed = [rng.random() < CHANGED_SHARE for _ in drawn]
    changed[rng.randrange(len(drawn))] = True
    right = [f"{left} = {result}" for left, result in drawn]
    changes = [_change_calculation(*each, rng) if change else None for each, change in zip(drawn, changed, strict=True)]
    at, kind = next((at, wrong[1]) for at, wrong in enumerate(changes) if wrong)
    lines = [wrong[0] if wrong else line for line, wrong in zip(right, changes, strict=True)]
    verdicts = tuple(not change for change in changed)
    return _make_example(DRILL_QUESTION, "\n".join(right), lines, _name_error(right[at], at, kind), verdicts)


def _change_calculation(left: str, result: Number, rng: Random) -> tuple[str, ErrorType]:
    """The calculation with a wrong result, or with another operand or operation and the result that follows."""
    kind: ErrorType = rng.choice(("calculation", "confusing_concept", "operator"))
    if kind == "calculation":
        return f"{left} = {rng.choice(wrong_solutions.make_slips(result, rng))}", kind
    first, op, second = left.split(" ")
    if kind == "operator":
        op = rng.choice([other for other in "+-*" if other != op])
    else:
        second = str(rng.choice(wrong_solutions.make_slips(simplify(Fraction(second)), rng)))
    new_result = calculate(simplify(Fraction(first)), op, simplify(Fraction(second)))
    return f"{first} {op} {second} = {new_result}", kind


def _make_example(
    question: str, reference: str, lines: Sequence[str], reply: str, verdicts: tuple[bool, ...]
) -> Example:
    shown = "\n".join(f"{n}) {line}" for n, line in enumerate(lines, 1))
    diagnosis_prompt = Diagnose().make_prompt(question=question, reference=reference, attempt=shown)
    return Example(Diagnose.tag, diagnosis_prompt.to_tagged_text(), reply, verdicts)


def inject(seed: int, rng: Random) -> Example:
    """Prompt: a right solution and an error type. Reply: the solution with such an error."""
    case = _draw_case(seed, rng, INJECTED_MISTAKE_SHARES, systematic_share=0)
    named = case.error_type.replace("_", " ")
    injection_prompt = Inject().make_prompt(question=case.problem.question, reference=case.problem.solution, type=named)
    return Example(Inject.tag, injection_prompt.to_tagged_text(), write_injection(case))


def fix_continue(seed: int, rng: Random) -> Example:
    """Prompt: a prefix that ends in an error. Reply: the correction, by the same method."""
    case = _draw_case(seed, rng, DIAGNOSED_MISTAKE_WEIGHTS)
    fix_prompt = FixContinue().make_prompt(
        question=case.problem.question, reference=case.problem.solution, attempt=case.prefix
    )
    return Example(FixContinue.tag, fix_prompt.to_tagged_text(), write_fix(case, rng))


def fresh_restart(seed: int, rng: Random) -> Example:
    """Prompt: a prefix that ends in an error. Reply: a new solution, by the other method."""
    case = _draw_case(seed, rng, DIAGNOSED_MISTAKE_WEIGHTS, two_methods=True)
    restart_prompt = FreshRestart().make_prompt(question=case.problem.question, attempt=case.prefix)
    return Example(FreshRestart.tag, restart_prompt.to_tagged_text(), write_restart(case, rng))


def smooth(seed: int, rng: Random) -> Example:
    """Prompt: a correction by either strategy. Reply: the same with words that join its steps."""
    case = _draw_case(seed, rng, DIAGNOSED_MISTAKE_WEIGHTS)
    draft = write_restart(case, rng) if case.other_method_lines and rng.random() < 0.5 else write_fix(case, rng)
    smoothing_prompt = Smooth().make_prompt(question=case.problem.question, attempt=case.prefix, correction=draft)
    return Example(Smooth.tag, smoothing_prompt.to_tagged_text(), write_smoothed(draft, rng))


def _draw_case(
    seed: int,
    rng: Random,
    kinds: dict[wrong_solutions.Mistake, float],
    *,
    two_methods: bool = False,
    systematic_share: float = SYSTEMATIC_ERROR_SHARE,
) -> ErrorCase:
    """Draw a wrong solution. The kind of mistake is drawn first, so that kinds that few problems allow are not rare."""
    kind = rng.choices(list(kinds), weights=list(kinds.values()))[0]
    templates = [t.name for t in library.TEMPLATES if t.second_method or not two_methods]
    for attempt in range(100):
        problem = library.draw_problem(seed, template=rng.choice(templates) if two_methods or attempt else None)
        wrong = wrong_solutions.misread_systematically(problem) if rng.random() < systematic_share else None
        wrong = wrong or wrong_solutions.inject_error(problem, kind, rng)
        case = make_error_case(problem, wrong) if wrong else None
        if case is not None and _fits(case, rng, two_methods):
            return case
    raise ValueError(f"no template allows the mistake {kind!r}; look at tasks/proving_ground/wrong_solutions.py")


def _fits(case: ErrorCase, rng: Random, two_methods: bool) -> bool:
    """Whether the case uses an accepted method and, with `two_methods`, has another one that differs enough."""
    by_second = "\n".join(case.method_lines) != case.problem.solution
    if by_second and rng.random() >= SECOND_METHOD_SHARE:
        return False
    return not two_methods or bool(
        case.other_method_lines and step_overlap(case.prefix, "\n".join(case.other_method_lines)) <= MOST_OVERLAP
    )


ERROR_TASK_SHARES: dict[Callable[[int, Random], Example], float] = {
    diagnose: 0.27,
    diagnose_drill: 0.10,
    inject: 0.26,
    fix_continue: 0.145,
    fresh_restart: 0.145,
    smooth: 0.08,
}
"""Shares of the tasks among the examples on errors."""


def list_formats() -> dict[str, str]:
    """The prompt of each of these stages and the format of its reply, without the end token."""
    prompts_and_replies = [
        (
            Diagnose().make_prompt(question="...", reference="...", attempt="1) ..."),
            f"{STEP_PREFIX} 1\n{TYPE_PREFIX} ... | {VERDICT_PREFIX} correct",
        ),
        (
            Inject().make_prompt(question="...", reference="...", type="..."),
            f"{STEP_PREFIX} 1\n...\n{ANSWER_PREFIX} ...",
        ),
        (FixContinue().make_prompt(question="...", reference="...", attempt="..."), f"...\n...\n{ANSWER_PREFIX} ..."),
        (FreshRestart().make_prompt(question="...", attempt="..."), f"...\n...\n{ANSWER_PREFIX} ..."),
        (Smooth().make_prompt(question="...", attempt="...", correction="..."), f"...\n...\n{ANSWER_PREFIX} ..."),
    ]
    return {prompt.to_tagged_text(): reply for prompt, reply in prompts_and_replies}
