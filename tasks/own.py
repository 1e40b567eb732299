"""What a pupil writes by itself, judged by the oracle: lessons on its own mistakes, which no template could write.

A judge that was taught on mistakes made up for it finds those, and not the ones it would make itself.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.engine import Generator, Prompt, Sampling, generate
from tasks.answers import JudgeAnswer, Solve
from tasks.ask import sample_seeds
from tasks.lessons import TRAINING_SEEDS, UNCLEAR, Lesson, judgement
from tasks.questions import JudgeSolvable, WriteQuestion
from tasks.templates import library
from tasks.templates.oracle import diagnose, read

BATCH = 512
SAMPLES = 4
"""Solutions of one problem."""


def write_own(engine: Generator, count: int, path: Path) -> int:
    """Write about `count` lessons, one a line: judged questions, and judged solutions, half of them wrong.

    Does nothing where the file is there. Returns the number of lessons.
    """
    if not path.is_file():
        lessons = [*questions(engine, count // 2), *solutions(engine, count - count // 2)]
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text("".join(json.dumps(taught) + "\n" for taught in lessons))
        part.replace(path)
    return len(read_own(path))


def read_own(path: Path) -> list[Lesson]:
    """The lessons that `write_own` wrote."""
    fields = (json.loads(line) for line in path.read_text().splitlines())
    return [Lesson(stage, prompt, reply, tuple(verdicts)) for stage, prompt, reply, verdicts in fields]


def questions(engine: Generator, count: int) -> Iterator[Lesson]:
    """Judgements of `count` questions from nothing, each text once."""
    sampling = Sampling(temperature=1.0, max_tokens=128)
    texts = (reply for (reply,) in _asked(engine, [WriteQuestion().ask()] * count, sampling))
    for text in filter(None, dict.fromkeys(texts)):
        found = read(text).problem
        reply = UNCLEAR if found is None else judgement(found)
        yield Lesson(JudgeSolvable.name(), JudgeSolvable().ask(question=text).tagged(), reply)


def solutions(engine: Generator, count: int) -> list[Lesson]:
    """Judgements of wrong solutions, and of as many right ones; `count` at the most."""
    problems = [library.draw(TRAINING_SEEDS[-1 - i]) for i in range(count)]
    sampling = Sampling(n=SAMPLES, temperature=0.7, max_tokens=192)
    made: dict[bool, list[Lesson]] = {True: [], False: []}
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
            made[right].append(Lesson(JudgeAnswer.name(), prompt, "yes" if right else "no", verdicts))
    most = min(count // 2, len(made[True]), len(made[False]))
    return made[True][:: max(1, len(made[True]) // max(1, most))][:most] + made[False][:most]


def _asked(engine: Generator, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[list[str]]:
    """The texts of all samples that came to their end, stripped, prompt by prompt."""
    for at in range(0, len(prompts), BATCH):
        part = prompts[at : at + BATCH]
        seeds = [sample_seeds("own", f"{prompt.stage}/{at + i}", sampling.n) for i, prompt in enumerate(part)]
        for replies in generate(engine, part, sampling, seeds):
            yield [reply.text.strip() for reply in replies if reply.finish_reason == "stop"] or [""]
