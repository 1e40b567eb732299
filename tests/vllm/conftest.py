"""The engine under test. Its tests need vLLM, which has an environment of its own: `make test-vllm`."""

from pathlib import Path

import pytest

from schemas.engine_specs import VllmSpec

PUPIL = Path(__file__).parents[2] / "data/models/pupil/safetensors"


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
