"""How many replies of a real chat model each stage can use, and why it loses the others.

The model, SmolLM2-135M-Instruct, is far too small to solve anything. What counts is that nothing is used that is wrong
in form, and that what is lost has its reason. It is made by `make real-model`; without it, nothing is measured.

In the project's environment it is asked in this process (`embedded`) and, where `make test-vllm` has made the other
one, behind vLLM's own server (`http`). `.venv-vllm/bin/python -m tests.bench real_model_parse_rates` asks it through
vLLM in the worker.
"""

import contextlib
import importlib.util
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from infra import engines
from schemas.engine_specs import EngineSpec
from schemas.outcomes import Quarantine, Reject, Row
from schemas.prompts import Sampling
from schemas.steps import Stage
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.lemma.diagnose import Diagnose
from tasks.lemma.error_types import INJECTABLE_TYPES
from tasks.lemma.inject import Inject
from tasks.lemma.segment_steps import SegmentSteps
from tasks.lemma.student_attempts import KeepDecided, SampleStudent
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import WriteQuestion
from tasks.verification.llm_judge import JudgeResponse
from tests.bench.support.results import Figure
from tests.support.real_model import (
    BARE,
    PROBLEMS,
    VLLM_PYTHON,
    embedded_role,
    http_bare,
    http_role,
    serve_with_vllm,
    vllm_role,
)
from tests.support.smollm2 import default_folder, is_complete

MAX_TOKENS = 192
QUESTIONS = 24
"""Questions that are written in each way."""
JUDGED = 10
"""Rows that each judge and the scorer sees."""


def measure() -> Iterator[Figure]:
    """The share of replies that each stage can use, on each engine that this environment has."""
    model = default_folder()
    if not is_complete(model):
        print("no model: make real-model")
        return
    if importlib.util.find_spec("ctranslate2"):
        yield from measure_engine("", embedded_role(model) + "\nthreads = 2", BARE)
        if (VLLM_PYTHON.parents[1] / "ready").exists():
            with tempfile.TemporaryDirectory() as folder, serve_with_vllm(model, Path(folder, "log.txt")) as url:
                yield from measure_engine("http_", http_role(url), http_bare(model))
    # By a module of it: any folder called `vllm` is a package of that name.
    with contextlib.suppress(ModuleNotFoundError):
        if importlib.util.find_spec("vllm.version"):
            yield from measure_engine("vllm_", vllm_role(model), BARE)


def measure_engine(prefix: str, role: str, bare_lines: str) -> Iterator[Figure]:
    """The figures of one engine, whose role has these lines in a profile; their ids begin with `prefix`."""
    plain, bare = (read_role(lines) for lines in (role, f"{role}\n{bare_lines}"))
    for figure in measure_stages(plain, bare):
        yield replace(figure, id=f"{prefix}{figure.id}")
    engines.unload()


def read_role(lines: str) -> EngineSpec:
    """The engine that the lines of a role name."""
    spec: EngineSpec = TypeAdapter(EngineSpec).validate_python(tomllib.loads(lines))
    return engines.pin_model(spec)


def measure_stages(plain: EngineSpec, bare: EngineSpec) -> Iterator[Figure]:
    """The figures of the stages; only one model in this process is loaded at a time."""
    problems: list[Row] = [
        {"row_id": str(n), "question": row["question"], "answer": row["answer"], "reference": row["solution"]}
        for n, row in enumerate(PROBLEMS)
    ]
    write = WriteQuestion(sampling=Sampling(temperature=1.0, top_p=0.99, max_tokens=128))
    blanks: list[Row] = [{"row_id": str(n)} for n in range(QUESTIONS)]
    judge = JudgeSolvable(sampling=Sampling(max_tokens=MAX_TOKENS))
    student = SampleStudent(sampling=Sampling(n=2, temperature=0.7, max_tokens=MAX_TOKENS))

    written = apply(write, blanks, engines.load(bare))
    yield _count("write_question_bare", written)
    engine = engines.load(plain)
    yield _count("write_question", apply(write, blanks, engine))
    yield _count("judge_solvable", apply(judge, problems[:JUDGED], engine))
    yield _count("judge_solvable_bare", apply(judge, kept(written), engine))
    yield _count("solve", apply(Solve(sampling=Sampling(max_tokens=MAX_TOKENS)), problems, engine))
    scored = [row | {"solution": row["reference"]} for row in problems[:JUDGED]]
    yield _count("score_answer", apply(ScoreAnswer(), scored, engine))
    attempts = apply(student, problems[:6], engine)
    yield _count("sample_student", attempts)
    graded = apply(KeepDecided(), kept(attempts), None)
    yield _count("keep_decided", graded)
    wrong = [row for row in kept(graded) if row["verdict"] == "wrong"] + list(_wrong_responses(problems))
    diagnose = Diagnose(sampling=Sampling(n=2, temperature=0.7, max_tokens=MAX_TOKENS))
    yield _count("diagnose", apply(diagnose, kept(apply(SegmentSteps(), wrong, None)), engine))
    inject = Inject(sampling=Sampling(temperature=0.7, max_tokens=MAX_TOKENS))
    yield _count("inject", apply(inject, _draws(problems[:JUDGED]), engine))
    responses = [row | {"response": PROBLEMS[n]["response"]} for n, row in enumerate(problems[:JUDGED])]
    judged = apply(JudgeResponse(sampling=Sampling(max_tokens=MAX_TOKENS)), responses, engine)
    yield _count("judge_response", [_undecided(each) for each in judged])


def apply(stage: Stage, rows: Sequence[Row], engine: Any) -> list[Any]:
    """The outcomes of a stage."""
    return list(stage.rows(rows, engine)) if rows else []


def kept(outcomes: Sequence[Any]) -> list[Row]:
    """Those that the next step receives."""
    return [each for each in outcomes if not isinstance(each, Reject | Quarantine)]


def _undecided(outcome: Any) -> Any:
    """A judgement without a vote counts as lost."""
    if isinstance(outcome, dict) and outcome["rule"] == "no_verdict":
        return Reject(outcome, "no verdict")
    return outcome


def _wrong_responses(problems: Sequence[Row]) -> Iterator[Row]:
    """The wrong ones of the tests' own, as a student's."""
    for problem, row in zip(problems, PROBLEMS, strict=True):
        if row["expected"] == "wrong":
            yield problem | {
                **{"row_id": f"{problem['row_id']}-own", "question_id": problem["row_id"], "response": row["response"]},
                **{"source": "student", "student": "student", "type": None, "line": None, "reasoning": None},
                **{"verdict": "wrong", "rule": "number"},
            }


def _draws(problems: Sequence[Row]) -> list[Row]:
    """Each problem with one of the types of error."""
    return [
        problem
        | {
            **{"row_id": f"{problem['row_id']}-i0", "question_id": problem["row_id"], "student": "student"},
            "type": INJECTABLE_TYPES[n % len(INJECTABLE_TYPES)],
        }
        for n, problem in enumerate(problems)
    ]


def _count(name: str, outcomes: Sequence[Any]) -> Figure:
    """The share of `outcomes` that can be used."""
    lost = Counter(each.reason for each in outcomes if isinstance(each, Reject | Quarantine))
    usable = len(kept(outcomes))
    reasons = ", ".join(f"{reason} {count}" for reason, count in lost.most_common())
    share = round(100 * usable / len(outcomes), 1) if outcomes else 0.0
    return Figure(name, share, "%", "", f"asked {len(outcomes)}, usable {usable}" + (f"; {reasons}" if lost else ""))
