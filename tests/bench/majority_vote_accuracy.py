"""What a consensus of the pupil's samples is worth: the accuracy of accepted answers at each share of agreement."""

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from infra.engines import embedded
from schemas.engine_specs import EmbeddedSpec
from schemas.outcomes import Row
from schemas.prompts import Sampling
from tasks.answers.pass_rate import SampleResponses
from tasks.base.confidence import wilson_interval
from tasks.proving_ground import library
from tasks.pupil.examples import EVALUATION_SEEDS
from tasks.verification.majority_vote import ANSWER_KEYS, ExtractAnswerKey, MajorityVote
from tasks.verification.oracle import VerifyByOracle
from tests.bench.support.results import ROOT, Figure

PROBLEMS = 1000
SAMPLES = 8
PUPIL = Path(os.environ.get("QUESTMILL_BENCH_PUPIL", ROOT / "data" / "models" / "pupil" / "int8"))


def measure(problems: int = PROBLEMS, pupil: Path = PUPIL) -> Iterator[Figure]:
    """A row for each share that must agree: the questions that are accepted, and how many of their answers are right.

    The problems are drawn from the proving ground and were never in a lesson; the oracle knows their answers.
    """
    attempts = attempted(problems, pupil)
    single = [row["verdict"] == "correct" for row in VerifyByOracle().rows(attempts, None) if isinstance(row, dict)]
    accepted = leaders(attempts)
    print(f"\n{'agreement':>10} {'accepted':>9} {'of all':>7} {'right':>7}  95 % interval")
    for least in range(1, SAMPLES + 1):
        right = [correct for votes, correct in accepted if votes >= least]
        if not right:
            continue
        share, (low, high) = sum(right) / len(right), wilson_interval(sum(right), len(right))
        cells = f"{least:>6} / {SAMPLES} {len(right):>9,} {len(right) / problems:>7.1%} {share:>7.1%}"
        print(f"{cells}  {low:.1%} to {high:.1%}")
        note = f"{len(right):,} of {problems:,} questions accepted; 95 %: {100 * low:.1f} to {100 * high:.1f}"
        yield Figure(f"agreement_{least}_of_{SAMPLES}", round(100 * share, 2), "% right", "", note)
    note = f"{len(single):,} samples, each by itself"
    yield Figure("single_sample", round(100 * sum(single) / len(single), 2), "% right", "", note)


def attempted(problems: int, pupil: Path) -> list[Row]:
    """The pupil's samples, cut-off ones included."""
    begin = EVALUATION_SEEDS.start + 600_000_000
    drawn = [(seed, library.draw_problem(seed, solvable=True)) for seed in range(begin, begin + problems)]
    rows = [{"row_id": str(seed), "question": problem.question, "answer": problem.answer} for seed, problem in drawn]
    engine = embedded.open_engine(EmbeddedSpec(path=str(pupil)))
    stage = SampleResponses(sampling=Sampling(n=SAMPLES, temperature=0.7, top_p=0.95, max_tokens=192))
    made = [row for row in stage.rows(rows, engine) if isinstance(row, dict)]
    engine.close()
    return made


def leaders(attempts: list[Row]) -> list[tuple[int, bool]]:
    """For each question with one leading answer: how many samples state it, and whether the oracle agrees."""
    con = duckdb.connect()
    con.register("attempts", pa.Table.from_pylist(attempts))
    read = [row | {"question_id": row["row_id"].split("/")[0]} for row in ExtractAnswerKey().rows(attempts, None)]
    con.register("answers", pa.Table.from_pylist(read, schema=ANSWER_KEYS))
    voted = con.sql(MajorityVote(least_agreement=0, least_samples=1).sql()).to_arrow_table().to_pylist()
    truth = {
        row["row_id"]: row["verdict"] == "correct"
        for row in VerifyByOracle().rows(attempts, None)
        if isinstance(row, dict)
    }
    found: dict[str, tuple[int, bool]] = {}
    for row in voted:
        if row["rule"] == "majority":
            votes = round(row["agreement"] * row["samples"])
            found.setdefault(row["row_id"].split("/")[0], (votes, truth[row["row_id"]]))
    return list(found.values())
