"""The engine under test. Its tests need vLLM, which has an environment of its own: `make test-vllm`."""

from pathlib import Path

import pytest

from schemas.engine_specs import VllmSpec
from tests.support.smollm2 import default_folder, is_complete

PUPIL = Path(__file__).parents[2] / "data/models/pupil/safetensors"

collect_ignore = [] if is_complete(default_folder()) else ["test_real_model.py", "test_recipes.py"]
"""The real model is made by `make real-model`; this set needs nothing that its own target does not make."""


@pytest.fixture(scope="session")
def spec() -> VllmSpec:
    """The pupil, small enough for two cores; nothing compiled, so that a start takes seconds."""
    return VllmSpec(
        kind="vllm",
        path=str(PUPIL),
        dtype="float32",
        device="cpu",
        kv_cache_gib=0.25,
        max_num_seqs=64,
        enforce_eager=True,
    )
