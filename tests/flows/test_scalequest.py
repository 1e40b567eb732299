"""ScaleQuest on the pupil: from blank prompts to published rows, each dropped one with its reason."""

import json
from pathlib import Path

import pytest
from runs import ROOT, Command


def test_questions_from_nothing_are_filtered_answered_and_selected(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = ("--questions", "60", "--shard_rows", "30", "--synthesize.sampling.max_tokens", "128")
    more = ("--solvable.sampling.max_tokens", "160", "--solve.sampling.max_tokens", "200")
    done = command("run", "scalequest", *words, *more, "--store", tmp_path / "lake")
    assert done.code == 0, done.err
    sql = "SELECT question_id, question, answer, agreement, of_majority FROM scalequest"
    rows = [
        json.loads(line)
        for line in command("query", sql, "--store", tmp_path / "lake", "--format", "json").out.splitlines()
    ]
    assert 5 < len(rows) == len({row["question_id"] for row in rows})
    assert all(row["of_majority"] and row["agreement"] >= 0.5 for row in rows)
    funnel = command(
        "query",
        "SELECT step, tokens FROM (SELECT step, prompt_tokens + completion_tokens AS tokens, position "
        "FROM funnel) ORDER BY position",
        "--store",
        tmp_path / "lake",
        "--format",
        "json",
    )
    spent = {row["step"]: row["tokens"] for row in map(json.loads, funnel.out.splitlines())}
    assert spent["write_question"] > 60 and spent["solve"] > spent["judge_solvable"] > 0
