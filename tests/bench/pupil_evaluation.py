"""What the shipped pupil can do, measured again on problems that its training never saw."""

import time
from collections.abc import Iterator

from infra import engines
from schemas.engine_specs import EmbeddedSpec
from tasks.pupil.evaluate import evaluate
from tasks.pupil.model_card import TARGETS, folder_megabytes
from tasks.pupil.throughput import measure_tokens_per_second
from tests.bench.support.results import ROOT, Figure

PUPIL = ROOT / "data" / "models" / "pupil"


def measure() -> Iterator[Figure]:
    """Every figure of the pupil's model card, in some minutes on one core."""
    started = time.perf_counter()
    engine = engines.load(EmbeddedSpec(path=str(PUPIL / "int8")))
    found = {
        "load_seconds": time.perf_counter() - started,
        "tokens_per_second": measure_tokens_per_second(engine),
        **evaluate(engine),
    }
    engines.unload()
    found["size_megabytes"] = folder_megabytes(PUPIL)
    for name, value in sorted(found.items()):
        target = TARGETS.get(name)
        yield Figure(name, round(value, 3), target.unit if target else "share", target.bound if target else "")
