"""What the pupil is taught of errors: to find, make, mend and avoid them, in the words in which the stages ask."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random
from typing import NamedTuple

from tasks.answers.final_answer import ANSWER
from tasks.base.llm_judge import VERDICT
from tasks.lemma.corrections import FixContinue, FreshRestart, overlap
from tasks.lemma.diagnose import STEP, TYPE, Diagnose
from tasks.lemma.error_types import ErrorType
from tasks.lemma.inject import Inject
from tasks.lemma.smooth import Smooth
from tasks.proving_ground import library, wrong_solutions
from tasks.proving_ground.arithmetic import Number, calculate, plain
from tasks.proving_ground.oracle import Kind
from tasks.proving_ground.oracle import diagnose as consult
from tasks.proving_ground.problem import Problem
from tasks.pupil.examples import CALCULATE, Lesson, calculations

TYPE_OF: dict[Kind, ErrorType] = {
    "arithmetic_slip": "calculation",
    "wrong_operation": "operator",
    "missing_step": "missing_step",
    "wrong_value": "confusing_concept",
}
"""The oracle's kinds in the taxonomy. A wrong value is another number of the same story, taken for this one."""
MADE: dict[wrong_solutions.Mistake, float] = {"arithmetic_slip": 0.34, "missing_step": 0.33, "wrong_value": 0.33}
"""Shares of the mistakes that are made on purpose: an operator is none of the types to inject."""
FOUND: dict[wrong_solutions.Mistake, float] = {**MADE, "wrong_operation": 0.25}
"""Weights of the mistakes to be found and mended."""
HABIT_SHARE = 0.3
"""Of the wrong solutions to be found and mended, where the template has a habit."""
CORRECT_SHARE = 0.04
"""Of the solutions to be diagnosed; nearly all that are asked about were verified to be wrong."""
COMPARED = 5
"""Calculations in a drill of diagnoses."""
CHANGED_SHARE = 0.3
"""Of them, beside one that always is."""
SECOND_SHARE = 0.15
"""Of the wrong solutions, by the second method: as often as the pupil was taught to use it."""
MOST_OVERLAP = 0.5
"""As in `FreshRestart`."""

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
"""What is said at the wrong step; `{sum}` and `{result}` are taken from it."""
WHOLE = {"missing_step": "Wait, {result} is not the answer yet, I missed a step.", "": "Wait, {result} is wrong."}
"""The same where the wrong step is the line of the answer."""
RESTARTS = ("Let me try it another way.", "I start over, by another way.", "Let me go at it from another side.")
FIRST = ("First, ", "To begin with, ")
NEXT = ("Then ", "So ", "Next, ", "With that, ")
LAST = ("So in the end ", "Finally, ", "And so ")
OPENERS = ("The", "There", "That", "This", "It", "Each", "They", "With", "One", "All", "In", "He", "She", "At", "A")
"""First words that may follow another one in small letters; names may not."""

JOINED = ("Then", "So", "Now", "Next", "First", "Finally")
"""First words that join a line to the one before it already."""


class Case(NamedTuple):
    """A problem, a wrong solution of it, and what the oracle knows about the two; lines count from 0."""

    problem: Problem
    wrong: tuple[str, ...]
    type: ErrorType
    at: int
    """The first wrong line."""
    right: tuple[str, ...]
    """The lines of the method that the wrong solution follows."""
    other: tuple[str, ...]
    """Those of the other method; empty where there is none."""

    @property
    def prefix(self) -> str:
        """Up to and including the first wrong line."""
        return "\n".join(self.wrong[: self.at + 1])


def case_of(problem: Problem, wrong: str) -> Case | None:
    """The case of a wrong solution; None where the oracle cannot say what is wrong with it."""
    found = consult(problem, wrong)
    at, kind = found.first_wrong_step, TYPE_OF.get(found.kind)
    if kind is None or at is None:
        return None
    lines = tuple(wrong.split("\n"))
    methods = [tuple(text.split("\n")) for text in (problem.solution, problem.second or "") if text]
    number = followed(methods, lines[: at + 1])
    if number is None:
        return None
    other = methods[1 - number] if len(methods) > 1 else ()
    return Case(problem, lines, kind, at, methods[number], other)


def followed(methods: Sequence[Sequence[str]], prefix: Sequence[str]) -> int | None:
    """Which method a prefix follows whose last line is wrong: the same lines before, and best the same words in it."""
    at = len(prefix) - 1
    fitting = [n for n, method in enumerate(methods) if tuple(method[:at]) == tuple(prefix[:at]) and at < len(method)]
    alike = [n for n in fitting if _words(methods[n][at]) == _words(prefix[at])]
    return next(iter(alike or fitting), None)


def _words(line: str) -> list[str]:
    return re.findall("[A-Za-z]+", line)


def diagnosis(case: Case) -> str:
    """What is right in place of the wrong line, where that is, and what kind of error it is."""
    return _named(case.right[case.at], case.at, case.type)


def _named(line: str, at: int, kind: ErrorType) -> str:
    return f"{line}\n{STEP} {at + 1}\n{TYPE} {kind}"


def injection(case: Case) -> str:
    """The line of the error, and the wrong solution."""
    return "\n".join((f"{STEP} {case.at + 1}", *case.wrong))


def fixed(case: Case, rng: Random) -> str:
    """A reflection, the wrong line as it should be, and the rest of the same method."""
    return "\n".join((reflection(case, rng), *case.right[case.at :]))


def restarted(case: Case, rng: Random) -> str:
    """A reflection, and the other method from its beginning."""
    return "\n".join((f"{reflection(case, rng)} {rng.choice(RESTARTS)}", *case.other))


def reflection(case: Case, rng: Random) -> str:
    """Says what is wrong with the first wrong line."""
    line = case.wrong[case.at]
    if line.startswith(ANSWER):
        return WHOLE.get(case.type, WHOLE[""]).format(result=line.removeprefix(ANSWER).strip())
    sums = re.findall(r"(\S+ [-+*/] \S+) = (\S+)", line)
    told, result = sums[-1] if sums else ("that", "right")
    return rng.choice(REFLECTIONS[case.type]).format(sum=told, result=result.rstrip(".,"))


def smoothed(text: str, rng: Random) -> str:
    """The same with words that join the steps."""
    reflected, *lines = text.split("\n")
    worked = [at for at, line in enumerate(lines) if not line.startswith(ANSWER)]
    for at in worked:
        words = FIRST if at == worked[0] and len(worked) > 1 else LAST if at == worked[-1] else NEXT
        lines[at] = _after(rng.choice(words), lines[at])
    return "\n".join((reflected, *lines))


def _after(words: str, line: str) -> str:
    first, _, rest = line.partition(" ")
    if first in JOINED:
        return line
    return f"{words}{first.lower() if first in OPENERS else first} {rest}"


def diagnose(seed: int, rng: Random) -> Lesson:
    """A wrong solution with numbered lines, and where it goes wrong; now and then a right one."""
    if rng.random() < CORRECT_SHARE:
        problem = library.draw(seed)
        lines = problem.solution.split("\n")
        return _lesson(problem.question, problem.solution, lines, f"{VERDICT} correct", (True,) * len(lines))
    return diagnosed(_drawn(seed, rng, FOUND))


def diagnosed(case: Case) -> Lesson:
    """A wrong solution with numbered lines, and where it goes wrong."""
    verdicts = (True,) * case.at + (False,)
    return _lesson(case.problem.question, case.problem.solution, case.wrong, diagnosis(case), verdicts)


def diagnose_drill(seed: int, rng: Random) -> Lesson:
    """Calculations beside what they should be, some with another result, operand or operation; no story."""
    drawn = calculations(seed, rng)[:COMPARED]
    changed = [rng.random() < CHANGED_SHARE for _ in drawn]
    changed[rng.randrange(len(drawn))] = True
    right = [f"{left} = {result}" for left, result in drawn]
    told = [_changed(*each, rng) if change else None for each, change in zip(drawn, changed, strict=True)]
    at, kind = next((at, wrong[1]) for at, wrong in enumerate(told) if wrong)
    lines = [wrong[0] if wrong else line for line, wrong in zip(right, told, strict=True)]
    verdicts = tuple(not change for change in changed)
    return _lesson(CALCULATE, "\n".join(right), lines, _named(right[at], at, kind), verdicts)


def _changed(left: str, result: Number, rng: Random) -> tuple[str, ErrorType]:
    """A calculation with a slip, or with another operand or operation and then as it comes out."""
    kind: ErrorType = rng.choice(("calculation", "confusing_concept", "operator"))
    if kind == "calculation":
        return f"{left} = {rng.choice(wrong_solutions.slips(result, rng))}", kind
    first, op, second = left.split(" ")
    if kind == "operator":
        op = rng.choice([other for other in "+-*" if other != op])
    else:
        second = str(rng.choice(wrong_solutions.slips(plain(Fraction(second)), rng)))
    made = calculate(plain(Fraction(first)), op, plain(Fraction(second)))
    return f"{first} {op} {second} = {made}", kind


def _lesson(question: str, reference: str, lines: Sequence[str], reply: str, verdicts: tuple[bool, ...]) -> Lesson:
    shown = "\n".join(f"{n}) {line}" for n, line in enumerate(lines, 1))
    asked = Diagnose().ask(question=question, reference=reference, attempt=shown)
    return Lesson(Diagnose.tag, asked.tagged(), reply, verdicts)


def inject(seed: int, rng: Random) -> Lesson:
    """A right solution and a type of error, and the wrong solution that comes of both."""
    case = _drawn(seed, rng, MADE, habits=0)
    named = case.type.replace("_", " ")
    asked = Inject().ask(question=case.problem.question, reference=case.problem.solution, type=named)
    return Lesson(Inject.tag, asked.tagged(), injection(case))


def fix_continue(seed: int, rng: Random) -> Lesson:
    """A prefix that ends in an error, and how its method goes on."""
    case = _drawn(seed, rng, FOUND)
    asked = FixContinue().ask(question=case.problem.question, reference=case.problem.solution, attempt=case.prefix)
    return Lesson(FixContinue.tag, asked.tagged(), fixed(case, rng))


def fresh_restart(seed: int, rng: Random) -> Lesson:
    """A prefix that ends in an error, and the other method."""
    case = _drawn(seed, rng, FOUND, two_methods=True)
    asked = FreshRestart().ask(question=case.problem.question, attempt=case.prefix)
    return Lesson(FreshRestart.tag, asked.tagged(), restarted(case, rng))


def smooth(seed: int, rng: Random) -> Lesson:
    """A correction by either strategy, and the same with words that join its steps."""
    case = _drawn(seed, rng, FOUND)
    draft = restarted(case, rng) if case.other and rng.random() < 0.5 else fixed(case, rng)
    asked = Smooth().ask(question=case.problem.question, attempt=case.prefix, correction=draft)
    return Lesson(Smooth.tag, asked.tagged(), smoothed(draft, rng))


def _drawn(
    seed: int,
    rng: Random,
    kinds: dict[wrong_solutions.Mistake, float],
    *,
    two_methods: bool = False,
    habits: float = HABIT_SHARE,
) -> Case:
    """A wrong solution of a kind that is drawn first, so that kinds which few problems allow do not become rare."""
    kind = rng.choices(list(kinds), weights=list(kinds.values()))[0]
    templates = [t.name for t in library.TEMPLATES if t.again or not two_methods]
    for attempt in range(100):
        problem = library.draw(seed, template=rng.choice(templates) if two_methods or attempt else None)
        wrong = wrong_solutions.misread(problem) if rng.random() < habits else None
        wrong = wrong or wrong_solutions.corrupt(problem, kind, rng)
        case = case_of(problem, wrong) if wrong else None
        if case is not None and _fits(case, rng, two_methods):
            return case
    raise ValueError(f"no template allows the mistake {kind!r}; look at tasks/proving_ground/wrong_solutions.py")


def _fits(case: Case, rng: Random, two_methods: bool) -> bool:
    """Whether a case is by the method that is wanted, and by another one than what comes instead."""
    by_second = "\n".join(case.right) != case.problem.solution
    if by_second and rng.random() >= SECOND_SHARE:
        return False
    return not two_methods or bool(case.other and overlap(case.prefix, "\n".join(case.other)) <= MOST_OVERLAP)


LEMMA: dict[Callable[[int, Random], Lesson], float] = {
    diagnose: 0.27,
    diagnose_drill: 0.10,
    inject: 0.26,
    fix_continue: 0.145,
    fresh_restart: 0.145,
    smooth: 0.08,
}
"""Shares among the lessons on errors."""


def formats() -> dict[str, str]:
    """How each of these stages asks and how its reply ends, without the end token."""
    taught = [
        (
            Diagnose().ask(question="...", reference="...", attempt="1) ..."),
            f"{STEP} 1\n{TYPE} ... | {VERDICT} correct",
        ),
        (Inject().ask(question="...", reference="...", type="..."), f"{STEP} 1\n...\n{ANSWER} ..."),
        (FixContinue().ask(question="...", reference="...", attempt="..."), f"...\n...\n{ANSWER} ..."),
        (FreshRestart().ask(question="...", attempt="..."), f"...\n...\n{ANSWER} ..."),
        (Smooth().ask(question="...", attempt="...", correction="..."), f"...\n...\n{ANSWER} ..."),
    ]
    return {prompt.tagged(): reply for prompt, reply in taught}
