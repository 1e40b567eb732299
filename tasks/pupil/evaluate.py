"""Evaluates the pupil on problems that training never saw; the oracle judges its replies.

Metric ids are those of the model card (`solve_greedy_accuracy` ...). Any engine that is both a `Generator` and a
`Scorer` can be evaluated.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from schemas.engine import Completion, Generator, Scorer, generate, score
from schemas.identity import FrozenModel
from schemas.prompts import Prompt, Sampling
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.base.ask import derive_seeds
from tasks.proving_ground import library
from tasks.proving_ground.oracle import OracleDiagnosis, diagnose_solution, read_question
from tasks.proving_ground.problem import Problem
from tasks.pupil.examples import EVALUATION_SEEDS
from tasks.questions.solvability import JudgeSolvable, parse_solvability
from tasks.questions.write import WriteQuestion

Measures = dict[str, float]


class PupilEngine(Generator, Scorer, Protocol):
    """An engine that generates text and scores answers."""


class EvalSize(FrozenModel):
    """The size of an evaluation. The defaults take some minutes on one core."""

    problems: int = 1000
    """Number of problems to solve, and of questions whose solvability is judged."""
    samples: int = 8
    """Number of sampled solutions per problem. Rewards and kinds of errors are measured on them too."""
    questions: int = 10_000
    """Number of questions to write, each from a prompt without inputs."""
    temperature: float = 0.7
    """Sampling temperature of the solutions."""
    batch: int = 512
    """Number of prompts in one call of the engine."""


def evaluate(engine: PupilEngine, size: EvalSize = EvalSize()) -> Measures:  # noqa: B008 - frozen
    """Measure the model and return values by metric id; shares lie in [0, 1]. Speed and size are measured elsewhere."""
    problems = [library.draw_problem(EVALUATION_SEEDS[i]) for i in range(size.problems)]
    sampled, diagnoses = sample_solutions(engine, problems, size)
    return {
        **measure_solving(engine, problems, diagnoses, size),
        **measure_writing(engine, size),
        **measure_judging(engine, size),
        **measure_rewards(engine, problems, sampled, diagnoses, size),
        **measure_error_kinds(diagnoses),
    }


def ask_all(engine: Generator, prompts: Sequence[Prompt], sampling: Sampling, batch: int) -> list[list[Completion]]:
    """Replies to all prompts, sent `batch` at a time; seeds are derived from the index of the prompt."""
    replies: list[list[Completion]] = []
    for at in range(0, len(prompts), batch):
        part = prompts[at : at + batch]
        seeds = [derive_seeds(f"exam/{prompt.stage}", str(at + i), sampling.n) for i, prompt in enumerate(part)]
        replies += generate(engine, part, sampling, seeds)
    return replies


def sample_solutions(
    engine: Generator, problems: Sequence[Problem], size: EvalSize
) -> tuple[list[list[str]], list[list[OracleDiagnosis]]]:
    """Sample solutions of each problem; returns the texts, and the oracle's diagnosis of each."""
    prompts = [Solve().make_prompt(question=problem.question) for problem in problems]
    sampling = Sampling(n=size.samples, temperature=size.temperature, max_tokens=256)
    texts = [[reply.text for reply in each] for each in ask_all(engine, prompts, sampling, size.batch)]
    return texts, [[diagnose_solution(p, text) for text in each] for p, each in zip(problems, texts, strict=True)]


def measure_solving(
    engine: Generator, problems: Sequence[Problem], diagnoses: list[list[OracleDiagnosis]], size: EvalSize
) -> Measures:
    """Shares of problems solved greedily, of right samples, and of problems that at least one sample solves."""
    prompts = [Solve().make_prompt(question=problem.question) for problem in problems]
    greedy = ask_all(engine, prompts, Sampling(max_tokens=256), size.batch)
    right = [diagnose_solution(p, each[0].text).correct for p, each in zip(problems, greedy, strict=True)]
    return {
        "solve_greedy_accuracy": share_true(right),
        "solve_sampled_accuracy": share_true([one.correct for each in diagnoses for one in each]),
        f"solve_pass_at_{size.samples}": share_true([any(one.correct for one in each) for each in diagnoses]),
    }


def measure_writing(engine: Generator, size: EvalSize) -> Measures:
    """Shares of written questions that belong to the proving ground, of solvable ones among them, and of distinct ones.

    Also the largest distance of a topic's share from the library's, in percentage points.
    """
    prompts = [WriteQuestion().make_prompt()] * size.questions
    replies = ask_all(engine, prompts, Sampling(temperature=1.0, max_tokens=256), size.batch)
    texts = [each[0].text.strip() for each in replies]
    readable = [reading for reading in map(read_question, texts) if reading.template]
    topics = Counter(reading.topic for reading in readable)
    library_topics = Counter(template.topic for template in library.TEMPLATES)
    topic_distances = [
        topics[t] / max(1, len(readable)) - library_topics[t] / len(library.TEMPLATES) for t in library.list_topics()
    ]
    return {
        "written_in_distribution": len(readable) / len(texts),
        "written_solvable": share_true([reading.unsolvable is None for reading in readable]),
        "written_distinct": len(set(texts)) / len(texts),
        "written_topic_distance": 100 * max(map(abs, topic_distances)),
    }


def measure_judging(engine: Generator, size: EvalSize) -> Measures:
    """Balanced accuracy of the solvability judge: mean of its accuracy on solvable and on unsolvable questions."""
    half = size.problems // 2
    kinds = [i < half for i in range(2 * half)]
    drawn = [
        library.draw_problem(EVALUATION_SEEDS[2 * size.problems + i], solvable=kind) for i, kind in enumerate(kinds)
    ]
    prompts = [JudgeSolvable().make_prompt(question=problem.question) for problem in drawn]
    replies = ask_all(engine, prompts, Sampling(max_tokens=256), size.batch)
    verdicts = [parse_solvability(each[0].text) for each in replies]
    sides = [
        share_true([v is kind for v, k in zip(verdicts, kinds, strict=True) if k is kind]) for kind in (True, False)
    ]
    by_reason = {
        f"judge_solvable_accuracy.{reason}": share_true(
            [v is False for v, p in zip(verdicts, drawn, strict=True) if p.unsolvable == reason]
        )
        for reason in ("missing_condition", "contradiction", "non_integer")
    }
    return {
        "judge_solvable_balanced_accuracy": sum(sides) / 2,
        "judge_solvable_accuracy.solvable": sides[0],
        **by_reason,
    }


def measure_rewards(
    engine: Scorer,
    problems: Sequence[Problem],
    sampled: list[list[str]],
    diagnoses: list[list[OracleDiagnosis]],
    size: EvalSize,
) -> Measures:
    """Probability that one of the pupil's right solutions gets a higher reward than one of its wrong solutions."""
    judged = [
        (ScoreAnswer().make_prompt(question=problem.question, solution=text.strip()), one.correct)
        for problem, texts, each in zip(problems, sampled, diagnoses, strict=True)
        for text, one in list(zip(texts, each, strict=True))[:2]
    ]
    scores: list[float] = []
    for at in range(0, len(judged), size.batch):
        scores += score(engine, [prompt for prompt, _ in judged[at : at + size.batch]])
    sides = [[s for s, (_, ok) in zip(scores, judged, strict=True) if ok is side] for side in (True, False)]
    return {"reward_auc": roc_auc(*sides)}


def measure_error_kinds(diagnoses: list[list[OracleDiagnosis]]) -> Measures:
    """Shares of the kinds of errors among the wrong samples, and the least share of the three that have a target."""
    kinds = Counter(one.kind for each in diagnoses for one in each if not one.correct)
    shares = {kind: count / kinds.total() for kind, count in sorted(kinds.items())}
    least = min(shares.get(kind, 0.0) for kind in ("arithmetic_slip", "wrong_operation", "missing_step"))
    return {"least_error_kind_share": least, **{f"error_kind_share.{kind}": value for kind, value in shares.items()}}


def roc_auc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Area under the ROC curve; ties count half. 0.5 if one side is empty."""
    if not right or not wrong:
        return 0.5
    sorted_wrong = sorted(wrong)
    wins = sum((bisect_left(sorted_wrong, score) + bisect_right(sorted_wrong, score)) / 2 for score in right)
    return wins / (len(right) * len(wrong))


def share_true(facts: Sequence[bool]) -> float:
    """Share of true values; 0 for an empty sequence."""
    return sum(facts) / len(facts) if facts else 0.0
