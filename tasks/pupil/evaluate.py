"""The pupil's examination: what it can do, on problems that training never saw, judged by the oracle.

Ids are those of the model card (`pupil.a` ...). The engine is an argument: any Generator that is also a Scorer.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from schemas.engine import Completion, Generator, Scorer, generate, score
from schemas.identity import Frozen
from schemas.prompts import Prompt, Sampling
from tasks.answers.reward import JudgeAnswer
from tasks.answers.solve import Solve
from tasks.base.ask import sample_seeds
from tasks.proving_ground import library
from tasks.proving_ground.oracle import Diagnosis, diagnose, read
from tasks.proving_ground.problem import Problem
from tasks.pupil.examples import EVALUATION_SEEDS
from tasks.questions.solvability import JudgeSolvable, verdict
from tasks.questions.write import WriteQuestion

Measures = dict[str, float]


class Examinee(Generator, Scorer, Protocol):
    """An engine that writes and judges."""


class Exam(Frozen):
    """How much is measured. The defaults take some minutes on one core."""

    problems: int = 1000
    """For a, b, f, h and as many questions for e."""
    samples: int = 8
    """Solutions of one problem for b, f and h."""
    questions: int = 10_000
    """Blank prompts for c and d."""
    temperature: float = 0.7
    """Of the sampled solutions."""
    batch: int = 512
    """Prompts asked at once."""


def examine(engine: Examinee, exam: Exam = Exam()) -> Measures:  # noqa: B008 - frozen
    """Measures a to f and h, by id; shares lie in [0, 1]."""
    problems = [library.draw(EVALUATION_SEEDS[i]) for i in range(exam.problems)]
    sampled, found = solutions(engine, problems, exam)
    return {
        **solving(engine, problems, found, exam),
        **writing(engine, exam),
        **judging(engine, exam),
        **rewarding(engine, problems, sampled, found, exam),
        **erring(found),
    }


def ask(engine: Generator, prompts: Sequence[Prompt], sampling: Sampling, batch: int) -> list[list[Completion]]:
    """Replies to all prompts, `batch` at a time; seeds come from the place of a prompt."""
    replies: list[list[Completion]] = []
    for at in range(0, len(prompts), batch):
        part = prompts[at : at + batch]
        seeds = [sample_seeds(f"exam/{prompt.stage}", str(at + i), sampling.n) for i, prompt in enumerate(part)]
        replies += generate(engine, part, sampling, seeds)
    return replies


def solutions(
    engine: Generator, problems: Sequence[Problem], exam: Exam
) -> tuple[list[list[str]], list[list[Diagnosis]]]:
    """Sampled solutions of each problem, and what the oracle says about each."""
    prompts = [Solve().ask(question=problem.question) for problem in problems]
    sampling = Sampling(n=exam.samples, temperature=exam.temperature, max_tokens=256)
    texts = [[reply.text for reply in each] for each in ask(engine, prompts, sampling, exam.batch)]
    return texts, [[diagnose(p, text) for text in each] for p, each in zip(problems, texts, strict=True)]


def solving(engine: Generator, problems: Sequence[Problem], found: list[list[Diagnosis]], exam: Exam) -> Measures:
    """a: right, greedily. b: right when sampled once, and in at least one of the samples."""
    prompts = [Solve().ask(question=problem.question) for problem in problems]
    greedy = ask(engine, prompts, Sampling(max_tokens=256), exam.batch)
    right = [diagnose(p, each[0].text).correct for p, each in zip(problems, greedy, strict=True)]
    return {
        "pupil.a": share(right),
        "pupil.b": share([one.correct for each in found for one in each]),
        f"pupil.b.pass_{exam.samples}": share([any(one.correct for one in each) for each in found]),
    }


def writing(engine: Generator, exam: Exam) -> Measures:
    """c: questions that belong, and of those, solvable. d: distinct; largest distance of a topic's share, in points."""
    prompts = [WriteQuestion().ask()] * exam.questions
    replies = ask(engine, prompts, Sampling(temperature=1.0, max_tokens=256), exam.batch)
    texts = [each[0].text.strip() for each in replies]
    belonging = [reading for reading in map(read, texts) if reading.template]
    topics = Counter(reading.topic for reading in belonging)
    wanted = Counter(template.topic for template in library.TEMPLATES)
    apart = [topics[t] / max(1, len(belonging)) - wanted[t] / len(library.TEMPLATES) for t in library.topics()]
    return {
        "pupil.c": len(belonging) / len(texts),
        "pupil.c.solvable": share([reading.unsolvable is None for reading in belonging]),
        "pupil.d": len(set(texts)) / len(texts),
        "pupil.d.topics": 100 * max(map(abs, apart)),
    }


def judging(engine: Generator, exam: Exam) -> Measures:
    """e: mean of the shares of solvable and of unsolvable questions that are judged right."""
    half = exam.problems // 2
    kinds = [i < half for i in range(2 * half)]
    drawn = [library.draw(EVALUATION_SEEDS[2 * exam.problems + i], solvable=kind) for i, kind in enumerate(kinds)]
    prompts = [JudgeSolvable().ask(question=problem.question) for problem in drawn]
    replies = ask(engine, prompts, Sampling(max_tokens=256), exam.batch)
    verdicts = [verdict(each[0].text) for each in replies]
    sides = [share([v is kind for v, k in zip(verdicts, kinds, strict=True) if k is kind]) for kind in (True, False)]
    by_reason = {
        f"pupil.e.{reason}": share([v is False for v, p in zip(verdicts, drawn, strict=True) if p.unsolvable == reason])
        for reason in ("missing_condition", "contradiction", "non_integer")
    }
    return {"pupil.e": sum(sides) / 2, "pupil.e.solvable": sides[0], **by_reason}


def rewarding(
    engine: Scorer, problems: Sequence[Problem], sampled: list[list[str]], found: list[list[Diagnosis]], exam: Exam
) -> Measures:
    """f: chance that a right solution of the pupil's own gets more reward than a wrong one."""
    judged = [
        (JudgeAnswer().ask(question=problem.question, solution=text.strip()), one.correct)
        for problem, texts, each in zip(problems, sampled, found, strict=True)
        for text, one in list(zip(texts, each, strict=True))[:2]
    ]
    scores: list[float] = []
    for at in range(0, len(judged), exam.batch):
        scores += score(engine, [prompt for prompt, _ in judged[at : at + exam.batch]])
    sides = [[s for s, (_, ok) in zip(scores, judged, strict=True) if ok is side] for side in (True, False)]
    return {"pupil.f": area(*sides)}


def erring(found: list[list[Diagnosis]]) -> Measures:
    """h: shares of the kinds of faults among the wrong sampled solutions, and the least of the three asked for."""
    kinds = Counter(one.kind for each in found for one in each if not one.correct)
    shares = {kind: count / kinds.total() for kind, count in sorted(kinds.items())}
    least = min(shares.get(kind, 0.0) for kind in ("arithmetic_slip", "wrong_operation", "missing_step"))
    return {"pupil.h": least, **{f"pupil.h.{kind}": value for kind, value in shares.items()}}


def area(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Area under the ROC curve, ties counted half; 0.5 when one side is empty."""
    if not right or not wrong:
        return 0.5
    low = sorted(wrong)
    wins = sum((bisect_left(low, score) + bisect_right(low, score)) / 2 for score in right)
    return wins / (len(right) * len(wrong))


def share(facts: Sequence[bool]) -> float:
    """Share of true ones; 0 of none."""
    return sum(facts) / len(facts) if facts else 0.0
