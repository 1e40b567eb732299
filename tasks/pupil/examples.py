"""Lessons of the stages that write, solve and judge, drawn from the proving ground and written as the stages ask."""

from random import Random
from typing import NamedTuple

from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.base.llm_judge import VERDICT_PREFIX
from tasks.proving_ground import library, wrong_solutions
from tasks.proving_ground.arithmetic import Number, Value, find_equations, format_number, operand_value, simplify
from tasks.proving_ground.oracle import diagnose_solution, read_question, slot_words
from tasks.proving_ground.problem import Problem
from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import Noun
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import RewriteQuestion, WriteQuestion

TRAINING_SEEDS = range(0, 10**9)
EVALUATION_SEEDS = range(10**9, 2 * 10**9)
"""Never touched by a lesson."""

END_TOKEN = "<end>"
"""The token that ends every reply."""
DRILL_CALCULATIONS = 8
"""In a drill."""
DRILL_DIVISIONS = 6
"""In a drill of divisions."""
DRILL_QUESTION = "Calculate."
"""The question of a drill: what comes without a story."""
SEEDS_PER_EXAMPLE = 4
"""Seeds set aside for a lesson: lesson i draws from seeds 4i to 4i + 3."""

UNSOLVABLE_SHARE = 0.22
"""Of the questions to imitate: the pupil's own questions must leave the filter some work."""
SYSTEMATIC_ERROR_SHARE = 0.25
"""Of the solutions to imitate, where a template has a habit of being misread: what voting and rewards are for."""
RANDOM_ERROR_SHARE = 0.06
"""Of the solutions to imitate that are wrong anyhow: errors other than slips are what a filter learns from."""
UNCLEAR_JUDGEMENT = f"The question is not clear.\n{VERDICT_PREFIX} no"
"""The judgement of a text that is no story of one piece."""
PRONOUNS = ("he", "she", "his", "her", "him")
GARBLED_SHARE = 0.4
"""Of the lessons on unsolvable questions that spoil one: as a small model's own questions often are."""
NON_INTEGER_SHARE = 0.6
"""Of the lessons on unsolvable questions that take one with a broken division where one of their seeds draws it."""
MISTAKE_SHARES: dict[wrong_solutions.Mistake, float] = {
    "arithmetic_slip": 0.40,
    "wrong_value": 0.30,
    "wrong_operation": 0.15,
    "missing_step": 0.15,
}
"""Shares of the mistakes in wrong solutions to be judged."""


class Example(NamedTuple):
    """One example: what the model reads, and what it is to reply."""

    stage: str
    """That asks, or `drill`."""
    prompt: str
    """As `Prompt.to_tagged_text()` writes it."""
    reply: str
    """Without the end token."""
    line_verdicts: tuple[bool, ...] = ()
    """Of a solution to be judged or diagnosed: whether each line is right, as far as that can be said."""


def solve(seed: int, rng: Random) -> Example:
    """A solvable question and its solution; now and then another method, and now and then a wrong one."""
    return make_solution_example(library.draw_problem(seed), rng)


def make_solution_example(problem: Problem, rng: Random) -> Example:
    """A solvable problem, solved as the pupil is to solve it."""
    solution = problem.second_solution if problem.second_solution and rng.random() < 0.15 else problem.solution
    if rng.random() < SYSTEMATIC_ERROR_SHARE:
        solution = wrong_solutions.misread_systematically(problem) or solution
    elif rng.random() < RANDOM_ERROR_SHARE:
        kind: wrong_solutions.Mistake = "missing_step" if rng.random() < 0.5 else "wrong_operation"
        solution = wrong_solutions.inject_error(problem, kind, rng) or solution
    return Example(Solve.tag, Solve().make_prompt(question=problem.question).to_tagged_text(), solution)


def drill(seed: int, rng: Random) -> Example:
    """Calculations without a story, as solutions write them; only their results count for the loss.

    Half are taken from drawn solutions, half from anywhere. Reading stories is learnt after 3 M tokens, sums are not.
    """
    equation_lines = [f"{left} = {result}" for left, result in draw_calculations(seed, rng)]
    return Example(Solve.tag, Solve().make_prompt(question=DRILL_QUESTION).to_tagged_text(), "\n".join(equation_lines))


def judge_drill(seed: int, rng: Random) -> Example:
    """Calculations to be judged: half of the drills are all right, in the others two lines in five are wrong."""
    drawn, all_right = draw_calculations(seed, rng), rng.random() < 0.5
    verdicts = [all_right or rng.random() < 0.6 for _ in drawn]
    if not all_right and all(verdicts):
        verdicts[rng.randrange(len(verdicts))] = False
    results = [
        result if right else rng.choice(wrong_solutions.make_slips(result, rng))
        for (_, result), right in zip(drawn, verdicts, strict=True)
    ]
    solution = "\n".join(f"{left} = {result}" for (left, _), result in zip(drawn, results, strict=True))
    prompt = ScoreAnswer().make_prompt(question=DRILL_QUESTION, solution=solution).to_tagged_text()
    return Example(ScoreAnswer.tag, prompt, "yes" if all(verdicts) else "no", tuple(verdicts))


def draw_calculations(seed: int, rng: Random) -> list[tuple[str, Number]]:
    """True calculations, `a op b` and its result; half are taken from drawn solutions, half from anywhere."""
    drawn = [e for i in range(SEEDS_PER_EXAMPLE) for _, e in find_equations(library.draw_problem(seed + i).solution)]
    chosen = [(f"{e.left} {e.op} {e.right}", e.result) for e in drawn][: DRILL_CALCULATIONS // 2]
    chosen += [draw_calculation(rng) for _ in range(DRILL_CALCULATIONS - len(chosen))]
    rng.shuffle(chosen)
    return chosen


def draw_calculation(rng: Random) -> tuple[str, Number]:
    """A true `a op b` of whole numbers and its result; sums come twice as often, for they are harder than tables."""
    op = rng.choice("++--*/")
    if op in "+-":
        left, right = (rng.randrange(1, 10 ** rng.choice((1, 2, 3))) for _ in range(2))
        return (f"{left} + {right}", left + right) if op == "+" else (f"{left + right} - {right}", left)
    left = rng.randrange(2, 100)
    right = rng.randrange(2, max(3, min(100, 1200 // left)))
    return (f"{left} * {right}", left * right) if op == "*" else (f"{left * right} / {left}", right)


def divide(_: int, rng: Random) -> Example:
    """Divisions that come out even and others: what tells a question that can be solved from one that cannot."""
    lines = list[str]()
    for _ in range(DRILL_DIVISIONS):
        divisor = rng.randrange(2, rng.choice((13, 100)))
        left = divisor * rng.randrange(1, max(2, min(200, 2000 // divisor))) + (
            rng.randrange(divisor) if rng.random() < 0.5 else 0
        )
        lines.append(format_division(left, divisor))
    sums = ", ".join(line.partition(" =")[0] for line in lines)
    prompt = JudgeSolvable().make_prompt(question=f"{DRILL_QUESTION} {sums}").to_tagged_text()
    return Example(JudgeSolvable.tag, prompt, "\n".join(lines))


def format_division(left: int, divisor: int) -> str:
    """A division and what it leaves over."""
    quotient, rest = divmod(left, divisor)
    return f"{left} / {divisor} = {quotient}" + (f" and {rest} over." if rest else "")


def write_question(seed: int, rng: Random) -> Example:
    """A question from nothing; a fixed share cannot be solved."""
    problem = library.draw_problem(seed, solvable=rng.random() >= UNSOLVABLE_SHARE)
    return Example(WriteQuestion.tag, WriteQuestion().make_prompt().to_tagged_text(), problem.question)


def judge_solvable(seed: int, rng: Random) -> Example:
    """As many questions with an answer as without; the reason is the calculation, up to where it breaks."""
    problem = library.draw_problem(seed, solvable=rng.random() < 0.45)
    if problem.unsolvable and rng.random() < GARBLED_SHARE:
        garbled_text = garble_question(library.draw_problem(seed), library.draw_problem(seed + 1), rng)
        return Example(
            JudgeSolvable.tag, JudgeSolvable().make_prompt(question=garbled_text).to_tagged_text(), UNCLEAR_JUDGEMENT
        )
    if problem.unsolvable and rng.random() < NON_INTEGER_SHARE:
        others = (library.draw_problem(seed + i, solvable=False) for i in range(SEEDS_PER_EXAMPLE))
        problem = next((other for other in others if other.unsolvable == "non_integer"), problem)
    prompt = JudgeSolvable().make_prompt(question=problem.question).to_tagged_text()
    return Example(JudgeSolvable.tag, prompt, write_judgement(problem))


def garble_question(problem: Problem, other: Problem, rng: Random) -> str:
    """A text that no template reads: a question that changes a word midway, loses one, or ends as another one does."""
    entries = [e for each in library.find_template(problem.template).words.values() for e in each]
    template_words = [e.one for e in entries] + [e.many for e in entries if isinstance(e, Noun)]
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
            substitutes = (
                [words[i].strip(".,?") for i in slots] + template_words
                if old.lower() not in PRONOUNS
                else list(PRONOUNS)
            )
            new = rng.choice([word for word in substitutes if word.istitle() == old.istitle()] or ["some"])
            text = " ".join([*words[:at], words[at].replace(old, new), *words[at + 1 :]])
        if read_question(text).template is None:
            return text


def write_judgement(problem: Problem) -> str:
    """What a careful reader says about a question: the steps that go through, what stops them, the verdict."""
    if problem.unsolvable is None:
        return "\n".join((*problem.steps, f"{VERDICT_PREFIX} yes"))
    if problem.unsolvable == "missing_condition":
        return f"A number is missing.\n{VERDICT_PREFIX} no"
    if any(key.endswith("?") for key in problem.variables):
        return f"The numbers contradict each other.\n{VERDICT_PREFIX} no"
    return "\n".join((*_steps_until_broken(library.find_template(problem.template), problem), f"{VERDICT_PREFIX} no"))


def _steps_until_broken(template: Template, problem: Problem) -> list[str]:
    state, lines = dict(problem.variables), list[str]()
    for step in template.methods[0]:
        after = template.run_steps((step,), state)
        if isinstance(after, str):
            first = step.sums[0]
            left, right = (operand_value(side, state) for side in (first.left, first.right))
            shown = [format_number(side, template.style) for side in (left, right)]
            fault = f"{f' {first.op} '.join(shown)} makes no sense."
            if after == "non_integer" and first.op == "/":
                rest = simplify(left % right)
                fault = f"{' / '.join(shown)} = {left // right} and {format_number(rest, template.style)} over."
            return [*lines, fault]
        state = after
        lines.append(step.write(after))
    return ["The numbers contradict each other."]


def rewrite_question(seed: int, rng: Random) -> Example:
    """A question that cannot be solved, and one like it that can; a good question stays as it is."""
    problem = library.draw_problem(seed, solvable=rng.random() < 0.25)
    better = problem.question if problem.unsolvable is None else repair_question(problem, rng)
    return Example(
        RewriteQuestion.tag, RewriteQuestion().make_prompt(question=problem.question).to_tagged_text(), better
    )


def repair_question(problem: Problem, rng: Random) -> str:
    """The same story, in the phrasing nearest to the question's, with as many of its numbers as can stay."""
    template = library.find_template(problem.template)
    solvable_texts = [v.text for v in template.variants if v.reason is None and not v.has_claim]
    at = next(i for i, v in enumerate(template.variants) if v.text.read(problem.question) is not None)
    before = [v.text for v in template.variants[: at + 1] if v.reason is None and not v.has_claim]
    text = before[-1] if before else solvable_texts[0]
    words = {**_draw_words(template, rng), **{k: v for k, v in problem.variables.items() if k in template.words}}
    numbers = _find_fitting_numbers(template, problem, rng)
    return text.write({**numbers, **words})


def _find_fitting_numbers(template: Template, problem: Problem, rng: Random) -> dict[str, Value]:
    """The question's own numbers and what they lack; where they do not fit, the fitting draw that shares the most."""
    shown = {k: v for k, v in problem.variables.items() if k in template.numbers}
    for _ in range(60):
        values = {**template.draw_numbers(rng), **shown}
        # Shown numbers with freshly drawn helpers may go through by the second method alone, which `fits` cannot read.
        if not isinstance(template.run_steps(template.methods[0], values), str) and template.fits(values):
            return values
    fitting = [values for _ in range(200) if template.fits(values := template.draw_numbers(rng))][:12] or [
        template.draw_numbers(rng)
    ]
    return max(fitting, key=lambda values: sum(values[k] == v for k, v in shown.items()))


def _draw_words(template: Template, rng: Random) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for key, entries in template.words.items():
        chosen[key] = rng.choice([e.one for e in entries if e.one not in chosen.values()])
    return chosen


def judge_answer(seed: int, rng: Random) -> Example:
    """As many right solutions as wrong ones; the wrong ones of every kind that the problem allows."""
    problem = library.draw_problem(seed)
    solution = problem.second_solution if problem.second_solution and rng.random() < 0.15 else problem.solution
    verdicts = (True,) * len(solution.split("\n"))
    if rng.random() < 0.5:
        kinds: list[wrong_solutions.Mistake] = [
            rng.choices(list(MISTAKE_SHARES), weights=list(MISTAKE_SHARES.values()))[0],
            "arithmetic_slip",
        ]
        habit = wrong_solutions.misread_systematically(problem) if rng.random() < 0.4 else None
        wrong = habit or next((w for kind in kinds if (w := wrong_solutions.inject_error(problem, kind, rng))), None)
        if wrong is not None:
            solution, verdicts = wrong, (True,) * (diagnose_solution(problem, wrong).first_wrong_step or 0) + (False,)
    prompt = ScoreAnswer().make_prompt(question=problem.question, solution=solution).to_tagged_text()
    return Example(ScoreAnswer.tag, prompt, "yes" if all(verdicts) else "no", verdicts)
