"""What the README tells a newcomer to type works as it is written, and prints what it shows."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.runs import ROOT, Command

README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]


@pytest.mark.system
def test_every_questmill_command_runs_in_its_order_and_the_first_prints_the_funnel_that_is_shown(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    printed = []
    for line in (line for line in COMMANDS if line.startswith("questmill")):
        done = command(*shlex.split(line)[1:], "--store", tmp_path / "lake")
        assert done.code == 0, f"{line}\n{done.out}\n{done.err}"
        assert done.out.strip(), f"{line} prints nothing"
        printed.append(done.out)
    assert len(printed) >= 5
    (shown,) = re.findall(r"```text\n(\| step.*?)```", README, re.DOTALL)
    for line in _without_seconds(shown).strip().splitlines():
        assert line in _without_seconds(printed[0])


def test_every_make_target_exists() -> None:
    targets = [line.split()[1] for line in COMMANDS if line.startswith("make ")]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _without_seconds(text: str) -> str:
    return re.sub(r"\d+\.\d \|", "# |", text)
