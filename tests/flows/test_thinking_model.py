"""Every recipe with a model that thinks aloud, inline and in fields of its server: no thought is read as a reply."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.server import MockServer
from tasks.proving_ground import library
from tasks.proving_ground.oracle import read_question
from tests.support.runs import Command
from tests.support.thinking_model import TRAP_ANSWER, say

DIALECTS = ("plain", "sglang")
"""A server that leaves the thought in the text, and one that has a field for it."""
ROLES = ("questioner", "judge", "solver", "reward", "student", "teacher")
TYPES = ("--draw_types.types", '["calculation", "missing_step", "confusing_concept"]')


def run_recipe(command: Command, folder: Path, dialect: str, *words: str | Path) -> Path:
    """Run a recipe whose every role is the thinking model; return the lake."""
    with MockServer(MockBehaviour(dialect=dialect), reply=say) as server:  # type: ignore[arg-type]
        role = f'kind = "http"\nmodel = "thinker"\nbase_url = ["{server.url}/v1"]\nthinks = true\n'
        text = "".join(f"[roles.{name}]\n{role}" for name in ROLES)
        profile = folder / "profile.toml"
        profile.write_text(f'[cluster]\nkind = "local"\nprocesses = false\n{text}')
        done = command("run", *words, "--store", folder / "lake", "--profile", profile)
    assert done.code == 0, done.err
    return folder / "lake"


def query(command: Command, lake: Path, sql: str) -> list[dict[str, Any]]:
    """Rows of a query."""
    return [json.loads(line) for line in command("query", sql, "--store", lake, "--format", "json").out.splitlines()]


def holds_thought(text: str) -> bool:
    """Whether a text holds a mark or the trap of the thought."""
    return "think>" in text or TRAP_ANSWER in text


def write_problems(path: Path, count: int, responses: bool) -> None:
    """Problems of the proving ground as JSON Lines; every second response ends in a wrong answer."""
    lines = []
    for at in range(count):
        problem = library.draw_problem(1_710_000_000 + at)
        line = {"question": problem.question, "answer": str(problem.answer), "solution": problem.solution}
        if responses:
            right = f"<think>\\boxed{{{TRAP_ANSWER}}}? No.</think>\n{problem.solution}"
            wrong = f"<think>\\boxed{{{problem.answer}}}? No.</think>\nSo it is\n#### 13579"
            line["response"] = right if at % 2 else wrong
        lines.append(line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.system
@pytest.mark.parametrize("dialect", DIALECTS)
def test_questions_and_answers_hold_no_thought(command: Command, tmp_path: Path, dialect: str) -> None:
    lake = run_recipe(command, tmp_path, dialect, "scalequest", "--questions", "40", "--shard_rows", "20")
    rows = query(command, lake, "SELECT * FROM scalequest")
    assert len(rows) >= 10
    for row in rows:
        assert not any(holds_thought(row[name]) for name in ("question", "solution", "answer"))
        assert TRAP_ANSWER in row["reasoning"]
        truth = read_question(row["question"])
        assert truth.problem is not None and not row["question"].startswith("Sure")
        if row["agreement"] == 1.0:
            assert row["solution"].strip().endswith(f"#### {row['answer']}")


@pytest.mark.system
@pytest.mark.parametrize("dialect", DIALECTS)
def test_corrections_hold_no_thought(command: Command, tmp_path: Path, dialect: str) -> None:
    size = ("--problems", "24", "--shard_rows", "12", "--draw.first_seed", "1720000000")
    lake = run_recipe(command, tmp_path, dialect, "lemma", *size, *TYPES)
    rows = query(command, lake, "SELECT * FROM corrections")
    assert {(row["source"], row["strategy"]) for row in rows} == {
        (source, strategy) for source in ("student", "injected") for strategy in ("fix_continue", "fresh_restart")
    }
    for row in rows:
        assert not holds_thought(row["trajectory"])
        assert row["trajectory"].rstrip().endswith(f"#### {row['answer']}")
    funnel = query(command, lake, "SELECT * FROM funnel WHERE dataset = 'corrections'")
    assert all(row["rows_in"] == row["kept"] + row["rejected"] + row["quarantined"] for row in funnel)


@pytest.mark.system
@pytest.mark.parametrize("dialect", DIALECTS)
def test_pass_rates_are_of_replies_and_not_of_thoughts(command: Command, tmp_path: Path, dialect: str) -> None:
    write_problems(tmp_path / "problems.jsonl", 24, responses=False)
    words = ("rl_pool", "--input", tmp_path / "problems.jsonl", "--keep_band.low", "0", "--keep_band.high", "1")
    rows = query(command, run_recipe(command, tmp_path, dialect, *words), "SELECT * FROM rl_pool")
    assert len(rows) == 24 and all(row["samples"] == 8 for row in rows)
    passes = sum(row["passes"] for row in rows) / sum(row["samples"] for row in rows)
    assert 0.2 < passes < 0.6, "the student is right in 40 % of its attempts"


def test_verdicts_are_of_replies_and_not_of_thoughts(command: Command, tmp_path: Path) -> None:
    write_problems(tmp_path / "attempts.jsonl", 40, responses=True)
    lake = run_recipe(command, tmp_path, "plain", "verify", "--input", tmp_path / "attempts.jsonl")
    rows = query(command, lake, "SELECT question, response, reasoning, verdict FROM verified")
    assert len(rows) == 40 and not any("think>" in row["response"] for row in rows)
    for row in rows:
        right = TRAP_ANSWER in row["reasoning"]
        assert row["verdict"] == ("correct" if right else "wrong")
