"""Tests that need vLLM, in an environment of their own: `make test-vllm`. Elsewhere only those without it run."""

import importlib.util
from pathlib import Path

import pytest

from schemas.engine_specs import VllmSpec

PUPIL = Path(__file__).parents[2] / "data/models/pupil/safetensors"
# A folder called `vllm` is found as a package of that name; only the real one has modules.
INSTALLED = bool(importlib.util.find_spec("vllm") and importlib.util.find_spec("vllm.version"))

collect_ignore = [] if INSTALLED else ["test_engine.py"]


@pytest.fixture(scope="session")
def spec() -> VllmSpec:
    """The pupil, small enough for two cores; nothing compiled, so that a start takes seconds."""
    return VllmSpec(
        kind="vllm", path=str(PUPIL), dtype="float32", device="cpu", cache_gib=0.25, max_num_seqs=64, eager=True
    )
