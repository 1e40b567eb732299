"""A skip that nobody allowed fails the run; one that is on the list for its reason does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.skips import ALLOWED, allowed

ROOT = ALLOWED.parents[1]
SUITE = """
import pytest

@pytest.mark.parametrize("side", ["left", "right"])
def test_some(side):
    if side == "left":
        pytest.skip("no sun today")

@pytest.mark.xfail
def test_what_is_known_to_fail():
    assert False
"""
MODULE = 'import pytest\npytest.skip("no moon either", allow_module_level=True)\n'


def run(folder: Path, *options: str, **environment: str) -> tuple[int, str]:
    """Exit code and output of a run of the two modules above."""
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "test_module.py").write_text(MODULE)
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.skips", "--rootdir", str(folder), *options]
    variables = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST")}
    variables |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    done = subprocess.run([*command, "."], cwd=folder, env=variables, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "in two processes"])
@pytest.mark.system
def test_a_skip_that_is_not_on_the_list_fails_the_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("test_suite.py::test_some — no sun tomorrow\ntest_module.py — no moon either\n")
    code, output = run(tmp_path, "--allowed-skips", str(listed), *options)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "test_suite.py::test_some[left] — no sun today" in output and "no moon either" not in output


@pytest.mark.system
def test_skips_on_the_list_fail_nothing(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("test_suite.py::test_some[left] — no sun today\ntest_module.py — no moon either\n")
    code, output = run(tmp_path, "--allowed-skips", str(listed))
    assert code == 0, output


@pytest.mark.system
def test_a_file_on_the_list_stands_for_each_of_its_tests(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("test_suite.py — no sun today\ntest_module.py — no moon either\n")
    code, output = run(tmp_path, "--allowed-skips", str(listed))
    assert code == 0, output


@pytest.mark.system
def test_under_ci_the_list_of_the_project_holds_and_elsewhere_none(tmp_path: Path) -> None:
    assert run(tmp_path)[0] == 0
    code, output = run(tmp_path, CI="true")
    assert code == pytest.ExitCode.TESTS_FAILED and "test_module.py — no moon either" in output


@pytest.mark.system
def test_a_line_without_a_reason_is_told(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("test_suite.py::test_some\n")
    code, output = run(tmp_path, "--allowed-skips", str(listed))
    assert code == pytest.ExitCode.USAGE_ERROR and "is not 'node id — reason'; name both" in output


def test_what_may_be_skipped_is_there() -> None:
    for node, _ in allowed(ALLOWED):
        path, *names = node.split("::")
        assert (ROOT / path).is_file(), f"{node}: no such file; take the line out of {ALLOWED.name}"
        if names:
            assert f"def {names[-1]}(" in (ROOT / path).read_text(), f"{node}: no such test"
