"""Makes training examples from a pupil's own questions and solutions, judged by the oracle.

A judge that was trained on artificial mistakes finds those, but not the ones that it makes itself. A writer that is
trained on those of its own questions that belong (rejection sampling) writes fewer that do not.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from schemas.engine import Generator, generate
from schemas.prompts import Prompt, Sampling
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.base.ask import derive_seeds
from tasks.proving_ground import library
from tasks.proving_ground.oracle import diagnose_solution, read_question
from tasks.proving_ground.problem import Problem
from tasks.pupil.error_examples import make_diagnosis_example, make_error_case
from tasks.pupil.examples import TRAINING_SEEDS, UNCLEAR_JUDGEMENT, Example, make_solution_example, write_judgement
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import WriteQuestion

BATCH_PROMPTS = 512
"""Prompts per call of the engine."""
SAMPLES_PER_PROBLEM = 4
"""Sampled solutions of each problem."""


def write_self_training(engine: Generator, count: int, path: Path) -> int:
    """Write examples on `count // 2` own questions and on own solutions, half of them wrong, as JSON Lines.

    Does nothing if the file exists. Returns the number of examples.
    """
    if not path.is_file():
        own_questions = sample_questions(engine, count // 2)
        solvable = [problem for _, problem in own_questions if problem and problem.unsolvable is None]
        examples = [example for text, problem in own_questions for example in make_question_examples(text, problem)]
        examples += make_solution_examples(engine, [*solvable, *draw_unused_problems(count // 4)], count // 2)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text("".join(json.dumps(example) + "\n" for example in examples))
        part.replace(path)
    return len(read_self_training(path))


def read_self_training(path: Path) -> list[Example]:
    """Read the examples that `write_self_training` wrote."""
    fields = (json.loads(line) for line in path.read_text().splitlines())
    return [Example(stage, prompt, reply, tuple(verdicts)) for stage, prompt, reply, verdicts in fields]


def sample_questions(engine: Generator, count: int) -> list[tuple[str, Problem | None]]:
    """Sample `count` questions; return each distinct text with its problem as the oracle reads it, or None."""
    sampling = Sampling(temperature=1.0, max_tokens=128)
    texts = (reply for (reply,) in _ask_all(engine, [WriteQuestion().make_prompt()] * count, sampling))
    return [(text, read_question(text).problem) for text in dict.fromkeys(texts) if text]


def make_question_examples(text: str, problem: Problem | None) -> Iterator[Example]:
    """Make an example of judging an own question; if it belongs, also of writing and, if solvable, of solving it."""
    reply = UNCLEAR_JUDGEMENT if problem is None else write_judgement(problem)
    yield Example(JudgeSolvable.tag, JudgeSolvable().make_prompt(question=text).to_tagged_text(), reply)
    if problem is not None:
        yield Example(WriteQuestion.tag, WriteQuestion().make_prompt().to_tagged_text(), text)
        if problem.unsolvable is None:
            yield make_solution_example(problem, Random(f"own/{text}"))


def draw_unused_problems(count: int) -> list[Problem]:
    """Draw problems from the last training seeds, which no other example uses."""
    return [library.draw_problem(TRAINING_SEEDS[-1 - i]) for i in range(count)]


def make_solution_examples(engine: Generator, problems: Sequence[Problem], count: int) -> list[Example]:
    """Make at most `count` judgements, half of them of wrong solutions, and diagnoses of all wrong solutions."""
    sampling = Sampling(n=SAMPLES_PER_PROBLEM, temperature=0.7, max_tokens=192)
    judgements: dict[bool, list[Example]] = {True: [], False: []}
    diagnoses: list[Example] = []
    replies = _ask_all(engine, [Solve().make_prompt(question=problem.question) for problem in problems], sampling)
    for problem, texts in zip(problems, replies, strict=True):
        for text in dict.fromkeys(texts):
            diagnosis = diagnose_solution(problem, text)
            right = diagnosis.correct and diagnosis.first_wrong_step is None
            if not right and diagnosis.first_wrong_step is None:
                continue  # no line to point at
            lines = len(text.split("\n")) if right else diagnosis.first_wrong_step or 0
            verdicts = (True,) * lines + (() if right else (False,))
            prompt = ScoreAnswer().make_prompt(question=problem.question, solution=text).to_tagged_text()
            judgements[right].append(Example(ScoreAnswer.tag, prompt, "yes" if right else "no", verdicts))
            if not right and (case := make_error_case(problem, text)):
                diagnoses.append(make_diagnosis_example(case))
    per_side = min(count // 2, len(judgements[True]), len(judgements[False]))
    balanced = [
        example for side in judgements.values() for example in side[:: max(1, len(side) // max(1, per_side))][:per_side]
    ]
    return balanced + diagnoses


def _ask_all(engine: Generator, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[list[str]]:
    """Yield for each prompt the stripped texts of its complete samples; one empty text if there are none."""
    for at in range(0, len(prompts), BATCH_PROMPTS):
        part = prompts[at : at + BATCH_PROMPTS]
        seeds = [derive_seeds("own", f"{prompt.stage}/{at + i}", sampling.n) for i, prompt in enumerate(part)]
        for replies in generate(engine, part, sampling, seeds):
            yield [reply.text.strip() for reply in replies if reply.finish_reason == "stop"] or [""]
