"""Every test belongs to a set that somebody runs: marker, target of the Makefile and its line in the README agree."""

import os
import re
import subprocess
from pathlib import Path

from tests.support.runs import ROOT

MARKERS = set(re.findall(r'^    "(\w+): .*make ', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
MAKEFILE = (ROOT / "Makefile").read_text()
README = (ROOT / "tests" / "README.md").read_text()


def test_make_test_leaves_out_the_sets_that_have_a_marker_and_each_of_these_is_run_by_a_target() -> None:
    [left_out] = re.findall(r'-m "not \((.*)\)"', MAKEFILE)
    assert set(left_out.split(" or ")) == MARKERS
    assert {"system", "real", "train", "soak"} <= set(re.findall(r"pytest .*-m (\w+)", MAKEFILE))
    assert "pytest" in MAKEFILE and "tests/vllm" in MAKEFILE


def test_the_readme_lists_every_set_with_its_marker() -> None:
    listed = dict(re.findall(r"^\| `make ([\w-]+)` \| (?:marker `(\w+)`)?", README, re.MULTILINE))
    assert set(listed.values()) - {""} == MARKERS
    targets = set(re.findall(r"^(test[\w-]*|soak):", MAKEFILE, re.MULTILINE))
    assert listed.keys() == targets


def test_continuous_integration_runs_every_set_but_the_one_that_is_run_by_hand() -> None:
    run = (ROOT / ".ci" / "run").read_text()
    targets = set(re.findall(r"^(test[\w-]*):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"(?:^make|\brun \d+) (test[\w-]*)\b", run, re.MULTILINE)) == targets
    assert not re.search(r"\brun \d+ test[\w-]* *\|\|", run), "every set is required"
    assert run.splitlines()[-1] == "make test", "the last line that continuous integration prints is pytest's"


def test_continuous_integration_tells_what_cannot_be_made_from_what_can(tmp_path: Path) -> None:
    """A target may lie in a folder that is not there yet, such as `.venv/train`."""
    run = (ROOT / ".ci" / "run").read_text()
    function = run[run.index("run() {") : run.index("\n}\n") + 3]
    (tmp_path / "Makefile").write_text(
        "folder/made:\n\t@echo made it\nfolder/broken:\n\t@echo no such package; false\n"
    )
    script = f"set -eu\n{function}if run 60 folder/made; then echo yes; fi\nrun 60 folder/broken || echo left out\n"
    alone = os.environ | {"MAKEFLAGS": "--no-print-directory"}  # this test may itself be run by make
    told = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=alone, capture_output=True, text=True, check=True)
    lines = told.stdout.splitlines()
    assert lines[:3] == ["made it", "yes", "no such package"] and lines[-1] == "left out"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile"]
