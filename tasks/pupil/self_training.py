"""What a pupil writes by itself, judged by the oracle: lessons on its own mistakes, which no template could write.

A judge that was taught on mistakes made up for it finds those, and not the ones it would make itself. A writer that
is shown those of its own questions that belong, which is rejection sampling, writes fewer that do not.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from schemas.engine import Generator, generate
from schemas.prompts import Prompt, Sampling
from tasks.answers.reward import JudgeAnswer
from tasks.answers.solve import Solve
from tasks.base.ask import sample_seeds
from tasks.proving_ground import library
from tasks.proving_ground.oracle import diagnose, read
from tasks.proving_ground.problem import Problem
from tasks.pupil.error_examples import case_of, diagnosed
from tasks.pupil.examples import TRAINING_SEEDS, UNCLEAR, Lesson, judgement, solved
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import WriteQuestion

BATCH = 512
SAMPLES = 4
"""Solutions of one problem."""


def write_own(engine: Generator, count: int, path: Path) -> int:
    """Write lessons on `count // 2` own questions, and more on own solutions, half of them wrong; one a line.

    Does nothing where the file is there. Returns the number of lessons.
    """
    if not path.is_file():
        written = questions(engine, count // 2)
        found = [problem for _, problem in written if problem and problem.unsolvable is None]
        lessons = [taught for text, problem in written for taught in about(text, problem)]
        lessons += solutions(engine, [*found, *drawn(count // 4)], count // 2)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text("".join(json.dumps(taught) + "\n" for taught in lessons))
        part.replace(path)
    return len(read_own(path))


def read_own(path: Path) -> list[Lesson]:
    """The lessons that `write_own` wrote."""
    fields = (json.loads(line) for line in path.read_text().splitlines())
    return [Lesson(stage, prompt, reply, tuple(verdicts)) for stage, prompt, reply, verdicts in fields]


def questions(engine: Generator, count: int) -> list[tuple[str, Problem | None]]:
    """`count` questions from nothing, each text once, as the oracle reads them; None for those that do not belong."""
    sampling = Sampling(temperature=1.0, max_tokens=128)
    texts = (reply for (reply,) in _asked(engine, [WriteQuestion().ask()] * count, sampling))
    return [(text, read(text).problem) for text in dict.fromkeys(texts) if text]


def about(text: str, problem: Problem | None) -> Iterator[Lesson]:
    """A judgement of an own question; where it belongs it is also one to imitate, and to solve where it can be."""
    reply = UNCLEAR if problem is None else judgement(problem)
    yield Lesson(JudgeSolvable.tag, JudgeSolvable().ask(question=text).tagged(), reply)
    if problem is not None:
        yield Lesson(WriteQuestion.tag, WriteQuestion().ask().tagged(), text)
        if problem.unsolvable is None:
            yield solved(problem, Random(f"own/{text}"))


def drawn(count: int) -> list[Problem]:
    """Problems that no other lesson takes: there, numbers always come out even."""
    return [library.draw(TRAINING_SEEDS[-1 - i]) for i in range(count)]


def solutions(engine: Generator, problems: Sequence[Problem], count: int) -> list[Lesson]:
    """Judgements of wrong solutions, and of as many right ones, `count` at the most; diagnoses of all wrong ones."""
    sampling = Sampling(n=SAMPLES, temperature=0.7, max_tokens=192)
    made: dict[bool, list[Lesson]] = {True: [], False: []}
    explained: list[Lesson] = []
    replies = _asked(engine, [Solve().ask(question=problem.question) for problem in problems], sampling)
    for problem, texts in zip(problems, replies, strict=True):
        for text in dict.fromkeys(texts):
            found = diagnose(problem, text)
            right = found.correct and found.first_wrong_step is None
            if not right and found.first_wrong_step is None:
                continue  # nothing to point at
            lines = len(text.split("\n")) if right else found.first_wrong_step or 0
            verdicts = (True,) * lines + (() if right else (False,))
            prompt = JudgeAnswer().ask(question=problem.question, solution=text).tagged()
            made[right].append(Lesson(JudgeAnswer.tag, prompt, "yes" if right else "no", verdicts))
            if not right and (case := case_of(problem, text)):
                explained.append(diagnosed(case))
    most = min(count // 2, len(made[True]), len(made[False]))
    judged = [taught for side in made.values() for taught in side[:: max(1, len(side) // max(1, most))][:most]]
    return judged + explained


def _asked(engine: Generator, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[list[str]]:
    """The texts of all samples that came to their end, stripped, prompt by prompt."""
    for at in range(0, len(prompts), BATCH):
        part = prompts[at : at + BATCH]
        seeds = [sample_seeds("own", f"{prompt.stage}/{at + i}", sampling.n) for i, prompt in enumerate(part)]
        for replies in generate(engine, part, sampling, seeds):
            yield [reply.text.strip() for reply in replies if reply.finish_reason == "stop"] or [""]
