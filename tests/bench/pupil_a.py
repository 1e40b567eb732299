"""What the shipped pupil can do, measured again on problems that its training never saw."""

import time
from collections.abc import Iterator

from infra import engines
from schemas.engine_specs import EmbeddedSpec
from tasks.pupil.evaluate import evaluate
from tasks.pupil.model_card import TARGETS, folder_megabytes
from tasks.pupil.throughput import measure_tokens_per_second
from tests.bench.figures import ROOT, Figure

IDS = tuple(f"pupil.{letter}" for letter in "abcdefghi")
PUPIL = ROOT / "data" / "models" / "pupil"


def measure() -> Iterator[Figure]:
    """Every row of the pupil's table, in some minutes on one core."""
    started = time.perf_counter()
    engine = engines.load(EmbeddedSpec(path=str(PUPIL / "int8")))
    found = {
        "pupil.g.load": time.perf_counter() - started,
        "pupil.g": measure_tokens_per_second(engine),
        **evaluate(engine),
    }
    engines.unload()
    found["pupil.i"] = folder_megabytes(PUPIL)
    for name, value in sorted(found.items()):
        asked = TARGETS.get(name)
        yield Figure(name, round(value, 3), asked.unit if asked else "share", asked.bound if asked else "")
