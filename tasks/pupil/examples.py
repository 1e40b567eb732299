"""Examples of writing, solving and judging, drawn from the proving ground, with the prompts of the stages."""

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
"""Seeds of problems for training."""
EVALUATION_SEEDS = range(10**9, 2 * 10**9)
"""Seeds of problems for evaluation; no training example uses them."""

END_TOKEN = "<end>"
"""The token that ends every reply."""
DRILL_CALCULATIONS = 8
"""Calculations of a drill."""
DRILL_DIVISIONS = 6
"""Divisions of a drill of divisions."""
DRILL_QUESTION = "Calculate."
"""The question of a drill: calculations without a word problem."""
SEEDS_PER_EXAMPLE = 4
"""Seeds reserved for each example: example i draws from seeds 4i to 4i + 3."""

UNSOLVABLE_SHARE = 0.22
"""Share of unsolvable questions among those to imitate: the pupil must also write some for the filter to find."""
SYSTEMATIC_ERROR_SHARE = 0.25
"""Share of systematically wrong solutions among those to imitate, if the template has such an error. Voting and
rewards need them."""
RANDOM_ERROR_SHARE = 0.06
"""Share of other wrong solutions among those to imitate: a filter needs errors other than slips."""
UNCLEAR_JUDGEMENT = f"The question is not clear.\n{VERDICT_PREFIX} no"
"""The judgement of a text that is garbled."""
PRONOUNS = ("he", "she", "his", "her", "him")
GARBLED_SHARE = 0.4
"""Share of garbled texts among the unsolvable questions to judge: a small model often writes such questions."""
NON_INTEGER_SHARE = 0.6
"""Share of the other unsolvable questions to judge that are replaced by one with a division that leaves a remainder,
if one of the example's seeds draws such a question."""
MISTAKE_SHARES: dict[wrong_solutions.Mistake, float] = {
    "arithmetic_slip": 0.40,
    "wrong_value": 0.30,
    "wrong_operation": 0.15,
    "missing_step": 0.15,
}
"""Shares of the mistakes in wrong solutions to be judged."""


class Example(NamedTuple):
    """One training example: what the model reads, and what it should reply."""

    stage: str
    """Tag of the stage that asks."""
    prompt: str
    """The prompt, as `Prompt.to_tagged_text()` writes it."""
    reply: str
    """The reply, without the end token."""
    line_verdicts: tuple[bool, ...] = ()
    """Whether each line of a solution to be judged or diagnosed is right, as far as that is known."""


def solve(seed: int, rng: Random) -> Example:
    """Prompt: a solvable question. Reply: a solution, sometimes by the second method and sometimes a wrong one."""
    return make_solution_example(library.draw_problem(seed), rng)


def make_solution_example(problem: Problem, rng: Random) -> Example:
    """Make an example of solving a solvable problem: right as a rule, wrong in the shares given above."""
    solution = problem.second_solution if problem.second_solution and rng.random() < 0.15 else problem.solution
    if rng.random() < SYSTEMATIC_ERROR_SHARE:
        solution = wrong_solutions.misread_systematically(problem) or solution
    elif rng.random() < RANDOM_ERROR_SHARE:
        kind: wrong_solutions.Mistake = "missing_step" if rng.random() < 0.5 else "wrong_operation"
        solution = wrong_solutions.inject_error(problem, kind, rng) or solution
    return Example(Solve.tag, Solve().make_prompt(question=problem.question).to_tagged_text(), solution)


def drill(seed: int, rng: Random) -> Example:
    """Reply: calculations without a word problem, as solutions write them; only their results count for the loss.

    Half are taken from drawn solutions, the others are random. After 3 M tokens the pupil can read word problems but
    not calculate.
    """
    equation_lines = [f"{left} = {result}" for left, result in draw_calculations(seed, rng)]
    return Example(Solve.tag, Solve().make_prompt(question=DRILL_QUESTION).to_tagged_text(), "\n".join(equation_lines))


def judge_drill(seed: int, rng: Random) -> Example:
    """Prompt: calculations to judge. In half of the drills all are right, in the others two lines in five are wrong."""
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
    """Draw true calculations, each as `a op b` and its result: half from drawn solutions, the others at random."""
    drawn = [e for i in range(SEEDS_PER_EXAMPLE) for _, e in find_equations(library.draw_problem(seed + i).solution)]
    chosen = [(f"{e.left} {e.op} {e.right}", e.result) for e in drawn][: DRILL_CALCULATIONS // 2]
    chosen += [draw_calculation(rng) for _ in range(DRILL_CALCULATIONS - len(chosen))]
    rng.shuffle(chosen)
    return chosen


def draw_calculation(rng: Random) -> tuple[str, Number]:
    """Draw `a op b` of whole numbers, and its result. Sums and differences come twice as often: they are harder."""
    op = rng.choice("++--*/")
    if op in "+-":
        left, right = (rng.randrange(1, 10 ** rng.choice((1, 2, 3))) for _ in range(2))
        return (f"{left} + {right}", left + right) if op == "+" else (f"{left + right} - {right}", left)
    left = rng.randrange(2, 100)
    right = rng.randrange(2, max(3, min(100, 1200 // left)))
    return (f"{left} * {right}", left * right) if op == "*" else (f"{left * right} / {left}", right)


def divide(_: int, rng: Random) -> Example:
    """Reply: divisions with and without a remainder, which tell solvable from unsolvable questions."""
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
    """A division with its quotient and, if there is one, its remainder."""
    quotient, rest = divmod(left, divisor)
    return f"{left} / {divisor} = {quotient}" + (f" and {rest} over." if rest else "")


def write_question(seed: int, rng: Random) -> Example:
    """Reply: a question; a fixed share (`UNSOLVABLE_SHARE`) is unsolvable."""
    problem = library.draw_problem(seed, solvable=rng.random() >= UNSOLVABLE_SHARE)
    return Example(WriteQuestion.tag, WriteQuestion().make_prompt().to_tagged_text(), problem.question)


def judge_solvable(seed: int, rng: Random) -> Example:
    """Prompt: a question, solvable in 45 % of the examples. Reply: the calculation as far as it goes, a verdict."""
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
    """A garbled question, which no template reads: it changes or loses a word, or ends like the question of `other`."""
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
    """The judgement of a question: the steps that work, what makes it unsolvable, and the verdict."""
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
    """Prompt: a question, unsolvable in three of four examples. Reply: a similar solvable one; good ones stay."""
    problem = library.draw_problem(seed, solvable=rng.random() < 0.25)
    better = problem.question if problem.unsolvable is None else repair_question(problem, rng)
    return Example(
        RewriteQuestion.tag, RewriteQuestion().make_prompt(question=problem.question).to_tagged_text(), better
    )


def repair_question(problem: Problem, rng: Random) -> str:
    """A solvable version of the question, in the nearest phrasing, with as many of its numbers as possible."""
    template = library.find_template(problem.template)
    solvable_texts = [v.text for v in template.variants if v.reason is None and not v.has_claim]
    at = next(i for i, v in enumerate(template.variants) if v.text.read(problem.question) is not None)
    before = [v.text for v in template.variants[: at + 1] if v.reason is None and not v.has_claim]
    text = before[-1] if before else solvable_texts[0]
    words = {**_draw_words(template, rng), **{k: v for k, v in problem.variables.items() if k in template.words}}
    numbers = _find_fitting_numbers(template, problem, rng)
    return text.write({**numbers, **words})


def _find_fitting_numbers(template: Template, problem: Problem, rng: Random) -> dict[str, Value]:
    """The question's own numbers and those that are missing; if they do not fit, the draw that shares most of them."""
    shown = {k: v for k, v in problem.variables.items() if k in template.numbers}
    for _ in range(60):
        values = {**template.draw_numbers(rng), **shown}
        # Shown numbers with newly drawn helpers may work by the second method only, which `fits` does not support.
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
    """Prompt: a solution, wrong in half of the examples. Reply: whether it is right, as yes or no."""
    problem = library.draw_problem(seed)
    solution = problem.second_solution if problem.second_solution and rng.random() < 0.15 else problem.solution
    verdicts = (True,) * len(solution.split("\n"))
    if rng.random() < 0.5:
        kinds: list[wrong_solutions.Mistake] = [
            rng.choices(list(MISTAKE_SHARES), weights=list(MISTAKE_SHARES.values()))[0],
            "arithmetic_slip",
        ]
        misread = wrong_solutions.misread_systematically(problem) if rng.random() < 0.4 else None
        wrong = misread or next((w for kind in kinds if (w := wrong_solutions.inject_error(problem, kind, rng))), None)
        if wrong is not None:
            solution, verdicts = wrong, (True,) * (diagnose_solution(problem, wrong).first_wrong_step or 0) + (False,)
    prompt = ScoreAnswer().make_prompt(question=problem.question, solution=solution).to_tagged_text()
    return Example(ScoreAnswer.tag, prompt, "yes" if all(verdicts) else "no", verdicts)
