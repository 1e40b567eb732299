"""The proving ground as a dataset: drawn by the flow, published, and the same again from its seeds."""

import json
from pathlib import Path

import pytest

from flows.cli.main import main
from tasks.proving_ground import library


@pytest.fixture
def place(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUESTMILL_PROFILE", "ci")
    monkeypatch.setenv("QUESTMILL_STORE", str(tmp_path / "lake"))
    return tmp_path / "lake"


def _rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["query", "FROM problems ORDER BY row_id", "--format", "json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_published_problems_are_those_of_their_seeds(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "templates", "--n", "300", "--shard_rows", "100", "--draw.first_seed", "7"]) == 0
    rows = _rows(capsys)
    assert [row["seed"] for row in rows] == list(range(7, 307))
    for row in rows[::50]:
        problem = library.draw_problem(int(str(row["seed"])))
        assert (row["question"], row["answer"], row["solution"]) == (problem.question, problem.answer, problem.solution)


def test_an_unknown_topic_is_bad_usage_and_names_the_topics(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "templates", "--draw.topic", "astrology"]) == 2
    assert "the proving ground has no 'astrology'; it has stories" in capsys.readouterr().err
    assert main(["run", "templates", "--draw.topic", "money", "--draw.template", "split_ratio"]) == 2
    assert "template 'split_ratio' is of topic 'ratios', not 'money'; leave out one" in capsys.readouterr().err
    assert not place.exists()
