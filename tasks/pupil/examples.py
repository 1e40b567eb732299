"""Lessons of the stages that write, solve and judge, drawn from the proving ground and written as the stages ask."""

from random import Random
from typing import NamedTuple

from tasks.answers.reward import JudgeAnswer
from tasks.answers.solve import Solve
from tasks.base.llm_judge import VERDICT
from tasks.proving_ground import library, wrong_solutions
from tasks.proving_ground.arithmetic import Number, Value, equations, operand, plain, write
from tasks.proving_ground.oracle import diagnose, read, slot_words
from tasks.proving_ground.problem import Problem
from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import Noun
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import RewriteQuestion, WriteQuestion

TRAINING_SEEDS = range(0, 10**9)
EVALUATION_SEEDS = range(10**9, 2 * 10**9)
"""Never touched by a lesson."""

END = "<end>"
"""The token that ends every reply."""
CALCULATIONS = 8
"""In a drill."""
DIVISIONS = 6
"""In a drill of divisions."""
CALCULATE = "Calculate."
"""The question of a drill: what comes without a story."""
PER_LESSON = 4
"""Seeds set aside for a lesson: lesson i draws from seeds 4i to 4i + 3."""

UNSOLVABLE_SHARE = 0.22
"""Of the questions to imitate: the pupil's own questions must leave the filter some work."""
HABIT_SHARE = 0.25
"""Of the solutions to imitate, where a template has a habit of being misread: what voting and rewards are for."""
ERRING_SHARE = 0.06
"""Of the solutions to imitate that are wrong anyhow: errors other than slips are what a filter learns from."""
UNCLEAR = f"The question is not clear.\n{VERDICT} no"
"""The judgement of a text that is no story of one piece."""
PRONOUNS = ("he", "she", "his", "her", "him")
GARBLED_SHARE = 0.4
"""Of the lessons on unsolvable questions that spoil one: as a small model's own questions often are."""
NON_INTEGER_SHARE = 0.6
"""Of the lessons on unsolvable questions that take one with a broken division where one of their seeds draws it."""
WRONG: dict[wrong_solutions.Mistake, float] = {
    "arithmetic_slip": 0.40,
    "wrong_value": 0.30,
    "wrong_operation": 0.15,
    "missing_step": 0.15,
}
"""Shares of the mistakes in wrong solutions to be judged."""


class Lesson(NamedTuple):
    """One example: what the model reads, and what it is to reply."""

    stage: str
    """That asks, or `drill`."""
    prompt: str
    """As `Prompt.tagged()` writes it."""
    reply: str
    """Without the end token."""
    verdicts: tuple[bool, ...] = ()
    """Of a solution to be judged or diagnosed: whether each line is right, as far as that can be said."""


def solve(seed: int, rng: Random) -> Lesson:
    """A solvable question and its solution; now and then another method, and now and then a wrong one."""
    return solved(library.draw(seed), rng)


def solved(problem: Problem, rng: Random) -> Lesson:
    """A solvable problem, solved as the pupil is to solve it."""
    solution = problem.second if problem.second and rng.random() < 0.15 else problem.solution
    if rng.random() < HABIT_SHARE:
        solution = wrong_solutions.misread(problem) or solution
    elif rng.random() < ERRING_SHARE:
        kind: wrong_solutions.Mistake = "missing_step" if rng.random() < 0.5 else "wrong_operation"
        solution = wrong_solutions.corrupt(problem, kind, rng) or solution
    return Lesson(Solve.tag, Solve().ask(question=problem.question).tagged(), solution)


def drill(seed: int, rng: Random) -> Lesson:
    """Calculations without a story, as solutions write them; only their results count for the loss.

    Half are taken from drawn solutions, half from anywhere. Reading stories is learnt after 3 M tokens, sums are not.
    """
    told = [f"{left} = {result}" for left, result in calculations(seed, rng)]
    return Lesson(Solve.tag, Solve().ask(question=CALCULATE).tagged(), "\n".join(told))


def judge_drill(seed: int, rng: Random) -> Lesson:
    """Calculations to be judged: half of the drills are all right, in the others two lines in five are wrong."""
    drawn, sound = calculations(seed, rng), rng.random() < 0.5
    verdicts = [sound or rng.random() < 0.6 for _ in drawn]
    if not sound and all(verdicts):
        verdicts[rng.randrange(len(verdicts))] = False
    slipped = [
        result if right else rng.choice(wrong_solutions.slips(result, rng))
        for (_, result), right in zip(drawn, verdicts, strict=True)
    ]
    told = "\n".join(f"{left} = {result}" for (left, _), result in zip(drawn, slipped, strict=True))
    prompt = JudgeAnswer().ask(question=CALCULATE, solution=told).tagged()
    return Lesson(JudgeAnswer.tag, prompt, "yes" if all(verdicts) else "no", tuple(verdicts))


def calculations(seed: int, rng: Random) -> list[tuple[str, Number]]:
    """True calculations, `a op b` and its result; half are taken from drawn solutions, half from anywhere."""
    drawn = [e for i in range(PER_LESSON) for _, e in equations(library.draw(seed + i).solution)]
    told = [(f"{e.left} {e.op} {e.right}", e.result) for e in drawn][: CALCULATIONS // 2]
    told += [calculation(rng) for _ in range(CALCULATIONS - len(told))]
    rng.shuffle(told)
    return told


def calculation(rng: Random) -> tuple[str, Number]:
    """A true `a op b` of whole numbers and its result; sums come twice as often, for they are harder than tables."""
    op = rng.choice("++--*/")
    if op in "+-":
        left, right = (rng.randrange(1, 10 ** rng.choice((1, 2, 3))) for _ in range(2))
        return (f"{left} + {right}", left + right) if op == "+" else (f"{left + right} - {right}", left)
    left = rng.randrange(2, 100)
    right = rng.randrange(2, max(3, min(100, 1200 // left)))
    return (f"{left} * {right}", left * right) if op == "*" else (f"{left * right} / {left}", right)


def divide(_: int, rng: Random) -> Lesson:
    """Divisions that come out even and others: what tells a question that can be solved from one that cannot."""
    told = list[str]()
    for _ in range(DIVISIONS):
        by = rng.randrange(2, rng.choice((13, 100)))
        left = by * rng.randrange(1, max(2, min(200, 2000 // by))) + (rng.randrange(by) if rng.random() < 0.5 else 0)
        told.append(remainder(left, by))
    sums = ", ".join(line.partition(" =")[0] for line in told)
    prompt = JudgeSolvable().ask(question=f"{CALCULATE} {sums}").tagged()
    return Lesson(JudgeSolvable.tag, prompt, "\n".join(told))


def remainder(left: int, by: int) -> str:
    """A division and what it leaves over."""
    whole, rest = divmod(left, by)
    return f"{left} / {by} = {whole}" + (f" and {rest} over." if rest else "")


def write_question(seed: int, rng: Random) -> Lesson:
    """A question from nothing; a fixed share cannot be solved."""
    problem = library.draw(seed, solvable=rng.random() >= UNSOLVABLE_SHARE)
    return Lesson(WriteQuestion.tag, WriteQuestion().ask().tagged(), problem.question)


def judge_solvable(seed: int, rng: Random) -> Lesson:
    """As many questions with an answer as without; the reason is the calculation, up to where it breaks."""
    problem = library.draw(seed, solvable=rng.random() < 0.45)
    if problem.unsolvable and rng.random() < GARBLED_SHARE:
        spoilt = garbled(library.draw(seed), library.draw(seed + 1), rng)
        return Lesson(JudgeSolvable.tag, JudgeSolvable().ask(question=spoilt).tagged(), UNCLEAR)
    if problem.unsolvable and rng.random() < NON_INTEGER_SHARE:
        others = (library.draw(seed + i, solvable=False) for i in range(PER_LESSON))
        problem = next((other for other in others if other.unsolvable == "non_integer"), problem)
    prompt = JudgeSolvable().ask(question=problem.question).tagged()
    return Lesson(JudgeSolvable.tag, prompt, judgement(problem))


def garbled(problem: Problem, other: Problem, rng: Random) -> str:
    """A text that no template reads: a question that changes a word midway, loses one, or ends as another one does."""
    entries = [e for each in library.named(problem.template).words.values() for e in each]
    strange = [e.one for e in entries] + [e.many for e in entries if isinstance(e, Noun)]
    while True:
        words = problem.question.split(" ")
        slots = [i for i, word in enumerate(words) if word.strip(".,?").lower() in slot_words()]
        kind, at = rng.choice("eewwwwd"), rng.choice(slots or range(len(words)))
        if kind == "e":
            text = ". ".join([*problem.question.rsplit(". ", 1)[:1], other.question.rpartition(". ")[2]])
        elif kind == "d":
            del words[rng.randrange(len(words))]
            text = " ".join(words)
        else:
            old = words[at].strip(".,?")
            like = [words[i].strip(".,?") for i in slots] + strange if old.lower() not in PRONOUNS else list(PRONOUNS)
            new = rng.choice([word for word in like if word.istitle() == old.istitle()] or ["some"])
            text = " ".join([*words[:at], words[at].replace(old, new), *words[at + 1 :]])
        if read(text).template is None:
            return text


def judgement(problem: Problem) -> str:
    """What a careful reader says about a question: the steps that go through, what stops them, the verdict."""
    if problem.unsolvable is None:
        return "\n".join((*problem.steps, f"{VERDICT} yes"))
    if problem.unsolvable == "missing_condition":
        return f"A number is missing.\n{VERDICT} no"
    if any(key.endswith("?") for key in problem.variables):
        return f"The numbers contradict each other.\n{VERDICT} no"
    return "\n".join((*_until_broken(library.named(problem.template), problem), f"{VERDICT} no"))


def _until_broken(template: Template, problem: Problem) -> list[str]:
    state, lines = dict(problem.variables), list[str]()
    for step in template.methods[0]:
        after = template.run((step,), state)
        if isinstance(after, str):
            first = step.sums[0]
            left, right = (operand(side, state) for side in (first.left, first.right))
            shown = [write(side, template.style) for side in (left, right)]
            fault = f"{f' {first.op} '.join(shown)} makes no sense."
            if after == "non_integer" and first.op == "/":
                rest = plain(left % right)
                fault = f"{' / '.join(shown)} = {left // right} and {write(rest, template.style)} over."
            return [*lines, fault]
        state = after
        lines.append(step.write(after))
    return ["The numbers contradict each other."]


def rewrite_question(seed: int, rng: Random) -> Lesson:
    """A question that cannot be solved, and one like it that can; a good question stays as it is."""
    problem = library.draw(seed, solvable=rng.random() < 0.25)
    better = problem.question if problem.unsolvable is None else repaired(problem, rng)
    return Lesson(RewriteQuestion.tag, RewriteQuestion().ask(question=problem.question).tagged(), better)


def repaired(problem: Problem, rng: Random) -> str:
    """The same story, in the phrasing nearest to the question's, with as many of its numbers as can stay."""
    template = library.named(problem.template)
    whole = [v.text for v in template.variants if v.reason is None and not v.claims]
    at = next(i for i, v in enumerate(template.variants) if v.text.read(problem.question) is not None)
    before = [v.text for v in template.variants[: at + 1] if v.reason is None and not v.claims]
    text = before[-1] if before else whole[0]
    words = {**_words(template, rng), **{k: v for k, v in problem.variables.items() if k in template.words}}
    kept = _numbers(template, problem, rng)
    return text.write({**kept, **words})


def _numbers(template: Template, problem: Problem, rng: Random) -> dict[str, Value]:
    """The question's own numbers and what they lack; where they do not fit, the fitting draw that shares the most."""
    shown = {k: v for k, v in problem.variables.items() if k in template.numbers}
    for _ in range(60):
        values = {**template.roll(rng), **shown}
        # Shown numbers with freshly drawn helpers may go through by the second method alone, which `fits` cannot read.
        if not isinstance(template.run(template.methods[0], values), str) and template.fits(values):
            return values
    fitting = [values for _ in range(200) if template.fits(values := template.roll(rng))][:12] or [template.roll(rng)]
    return max(fitting, key=lambda values: sum(values[k] == v for k, v in shown.items()))


def _words(template: Template, rng: Random) -> dict[str, str]:
    drawn: dict[str, str] = {}
    for key, entries in template.words.items():
        drawn[key] = rng.choice([e.one for e in entries if e.one not in drawn.values()])
    return drawn


def judge_answer(seed: int, rng: Random) -> Lesson:
    """As many right solutions as wrong ones; the wrong ones of every kind that the problem allows."""
    problem = library.draw(seed)
    solution = problem.second if problem.second and rng.random() < 0.15 else problem.solution
    verdicts = (True,) * len(solution.split("\n"))
    if rng.random() < 0.5:
        kinds: list[wrong_solutions.Mistake] = [
            rng.choices(list(WRONG), weights=list(WRONG.values()))[0],
            "arithmetic_slip",
        ]
        habit = wrong_solutions.misread(problem) if rng.random() < 0.4 else None
        wrong = habit or next((w for kind in kinds if (w := wrong_solutions.corrupt(problem, kind, rng))), None)
        if wrong is not None:
            solution, verdicts = wrong, (True,) * (diagnose(problem, wrong).first_wrong_step or 0) + (False,)
    prompt = JudgeAnswer().ask(question=problem.question, solution=solution).tagged()
    return Lesson(JudgeAnswer.tag, prompt, "yes" if all(verdicts) else "no", verdicts)
