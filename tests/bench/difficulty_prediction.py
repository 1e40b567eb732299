"""Difficulty on the proving ground: how sure a fail rate is, how well a head predicts it, and what is dropped by it."""

import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from infra import engines
from infra.cluster import train_worker, worker
from infra.lake.store import open_store
from schemas.arrow import conform, optional, required
from schemas.engine_specs import EmbeddedSpec, EngineSpec, RegressorSpec
from schemas.outcomes import Row
from schemas.prompts import Sampling
from schemas.receipts import Receipt
from schemas.steps import Stage
from tasks.proving_ground import library
from tasks.pupil.examples import EVALUATION_SEEDS
from tasks.questions.difficulty import FailRate, ScoreDifficulty
from tasks.questions.difficulty_sampling import SampleByDifficulty
from tasks.training.config import TrainDifficultyModel
from tests.bench.support.results import ROOT, Figure

PUPIL = ROOT / "data" / "models" / "pupil"
LEARNT, HELD = 1_500, 400
"""Problems whose fail rates are learnt, and those on which the prediction is measured."""
PUPIL_DIFFICULTY = TrainDifficultyModel(
    learning_rate=3e-4,
    batch=32,
    micro_batch=32,
    epochs=4,
    max_tokens=256,
    prompt_prefix="<solve><question>",
    prompt_suffix="<reply>",
)
"""For the pupil, whose solutions begin where it is asked: 188 steps on 1,500 questions."""
PROBE = FailRate(sampling=Sampling(n=8, temperature=1.0, max_tokens=200))
BAND = (0.2, 0.8)
DROPPED = 0.3
"""Share of the questions that is dropped by their scores, as the paper's figures come to."""
FIRST_SEED = EVALUATION_SEEDS.start + 500_000
SCHEMA = pa.schema(
    [required("row_id", pa.string()), required("question", pa.string()), optional("answer", pa.string())]
)


def measure(
    learnt: int = LEARNT, held: int = HELD, pupil: Path = PUPIL, step: TrainDifficultyModel = PUPIL_DIFFICULTY
) -> Iterator[Figure]:
    """Fail rates of the pupil by eight samples, held against exact answers; a head on the pupil learns them."""
    if find_spec("torch") is None or not (pupil / "int8").is_dir():
        print("difficulty_prediction: skipped: needs the pupil, and the extra `train`")
        return
    with tempfile.TemporaryDirectory() as lake:
        spec = engines.pin_model(EmbeddedSpec(path=str(pupil / "int8")))
        drawn = [library.draw_problem(FIRST_SEED + i) for i in range(learnt + held)]
        rows = [{"row_id": f"{i:06}", "question": p.question, "answer": p.answer} for i, p in enumerate(drawn)]
        known, asked = _put(rows[:learnt], lake), _put(rows[learnt:], lake)
        rates = _rates(worker.run_shard(PROBE, spec, asked.parts[0], lake), lake)
        yield _counted(rates)
        yield from _repeated(spec, rates, rows[learnt:], asked, lake)
        taught = worker.run_shard(PROBE, spec, known.parts[0], lake)
        made = train_worker.run_train(step.model_copy(update={"held_out": 0.0}), spec, [[taught]], lake)
        place = open_store(lake).locate(f"{made.details['model']}/safetensors")
        scorer = engines.pin_model(RegressorSpec(kind="regressor", path=place))
        scored = worker.run_shard(ScoreDifficulty(), scorer, asked.parts[0], lake)
        yield from _predicted(rates, scored, asked, made, lake)
        engines.unload()


def _put(rows: list[Row], lake: str) -> Receipt:
    part = open_store(lake).put(conform(rows, SCHEMA, "bench"))
    return Receipt(step="questions", key="0" * 64, inputs=(), rows_in=part.rows, kept=part.rows, parts=(part,))


def _rows(receipt: Receipt, lake: str) -> list[Row]:
    return [row for part in receipt.parts for row in open_store(lake).get(part).to_pylist()]


def _rates(receipt: Receipt, lake: str) -> dict[str, float]:
    return {row["row_id"]: row["fail_rate"] for row in _rows(receipt, lake)}


def _counted(rates: dict[str, float]) -> Figure:
    values = list(rates.values())
    note = f"of {len(values):,} problems {values.count(0.0):,} never fail, {values.count(1.0):,} always"
    return Figure("mean_fail_rate", round(100 * float(np.mean(values)), 1), "%", "", f"mean fail rate; {note}")


def _repeated(
    spec: EngineSpec, rates: dict[str, float], rows: list[Row], asked: Receipt, lake: str
) -> Iterator[Figure]:
    """The same problems once more: with other samples, without their answers, and only as far as a band takes."""

    def agreement(stage: Stage, table: Receipt) -> float:
        others = _rates(worker.run_shard(stage, spec, table.parts[0], lake), lake)
        return _order([rates[i] for i in others], list(others.values()))

    again = agreement(PROBE.model_copy(update={"template": "Solve once more."}), asked)
    note = "Spearman between two counts of 8 samples; a perfect prediction of one comes to its root"
    yield Figure("repeat_correlation", again, "", "", note)
    without = agreement(PROBE, _put([row | {"answer": None} for row in rows], lake))
    note = "Spearman between fail rates against the exact answer and against the majority of the same samples"
    yield Figure("majority_correlation", without, "", "", note)
    banded = _rows(worker.run_shard(PROBE.model_copy(update={"band": BAND}), spec, asked.parts[0], lake), lake)
    took = sum(row["samples"] for row in banded)
    sides = [row["side"] for row in banded]
    note = f"of all samples saved by stopping when the band {BAND} is decided; " + ", ".join(
        f"{sides.count(side):,} {side}" for side in ("below", "inside", "above")
    )
    saved = 100 - 100 * took / (len(banded) * PROBE.sampling.n)
    yield Figure("samples_saved_by_band", round(saved, 1), "%", "", note)


def _predicted(rates: dict[str, float], scored: Receipt, asked: Receipt, made: Receipt, lake: str) -> Iterator[Figure]:
    """Of questions that the head has not seen."""
    scores = _rates(scored, lake)
    truth, told = np.array([rates[i] for i in scores]), np.array(list(scores.values()))
    error = float(np.mean((told - truth) ** 2))
    note = f"Spearman of score and fail rate; squared error {error:.4f}, of their mean {truth.var():.4f}; "
    note += f"{made.rows_in:,} questions, {float(made.details['steps']):.0f} steps"
    yield Figure("predicted_correlation", _order(truth, told), "", "", note)
    cut = worker.run_merge(SampleByDifficulty(drop_easy={"": DROPPED}), [[asked], [scored]], len(rates), lake)
    kept = {row["row_id"] for row in _rows(cut, lake)}
    left, dropped = ([rates[i] for i in rates if (i in kept) is side] for side in (True, False))
    never = [100 * np.mean(np.array(each) == 0) for each in (dropped, left)]
    note = f"mean fail rate of the {len(dropped):,} questions that are dropped as easy, {100 * np.mean(left):.1f} % of "
    note += f"those kept; never failed: {never[0]:.0f} % and {never[1]:.0f} %"
    yield Figure("dropped_fail_rate", round(100 * float(np.mean(dropped)), 1), "%", "", note)


def _order(one: Any, other: Any) -> float:
    """Spearman's rank correlation."""
    from tasks.training.regression import spearman

    return round(spearman(one, other), 3)
