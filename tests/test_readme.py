"""What the README tells a newcomer to type works as it is written."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]


def _run(line: str, store: Path) -> subprocess.CompletedProcess[str]:
    verb, *arguments = shlex.split(line, comments=True)
    assert verb == "questmill"
    place = {"QUESTMILL_STORE": str(store), "QUESTMILL_PROFILE": "ci"}
    command = [sys.executable, "-m", "flows", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | place, capture_output=True, text=True, check=False)


def test_every_questmill_command_of_the_readme_runs_in_its_order(tmp_path: Path) -> None:
    lines = [line for line in COMMANDS if line.startswith("questmill")]
    assert len(lines) >= 5
    for line in lines:
        done = _run(line, tmp_path / "lake")
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), f"{line} prints nothing"


def test_every_make_target_of_the_readme_exists() -> None:
    targets = [line.split()[1] for line in COMMANDS if line.startswith("make ")]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_demo_of_the_readme_shows_the_funnel_that_the_shipped_seeds_give(tmp_path: Path) -> None:
    done = _run("questmill run verify --input data/seeds/attempts.jsonl", tmp_path / "lake")
    printed = re.sub(r"\d+\.\d \|", "# |", done.stdout)  # seconds differ
    shown = re.sub(r"\d+\.\d \|", "# |", re.findall(r"```text\n(\| step.*?)```", README, re.DOTALL)[0])
    for line in shown.strip().splitlines():
        assert line in printed
