"""LEMMA through Prefect and Dask, with a student and a teacher behind a server: three datasets, and nothing owed."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.cli.recipe_arguments import list_presets, parse
from flows.lemma import Lemma
from infra.mock_server.server import MockServer
from tests.support.runs import Command
from tests.support.teacher import parse_tagged_text, reply

SIZE = ("--problems", "24", "--shard_rows", "12", "--draw.first_seed", "1300000000")
TYPES = ("--draw_types.types", '["calculation", "missing_step", "confusing_concept"]')


def say(body: dict[str, Any], sample: int) -> str:
    """What student and teacher reply to a request."""
    return reply(parse_tagged_text(body["prompt"]), int(body.get("seed") or 0) + sample)


def profile(folder: Path, url: str) -> Path:
    """A profile whose student and teacher are the server at `url`."""
    role = f'kind = "http"\nmodel = "stub"\napi = "tagged"\nbase_url = ["{url}/v1"]\nmax_in_flight = 16\n'
    path = folder / "profile.toml"
    path.write_text(f'[cluster]\nkind = "local"\nprocesses = false\n[roles.student]\n{role}[roles.teacher]\n{role}')
    return path


def asked(command: Command, lake: Path, sql: str) -> list[dict[str, Any]]:
    """Rows of a query."""
    return [json.loads(line) for line in command("query", sql, "--store", lake, "--format", "json").out.splitlines()]


def test_errors_of_a_student_become_corrections_pairs_and_a_table_of_types(command: Command, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    with MockServer(reply=say) as stub:
        where = ("--store", lake, "--profile", profile(tmp_path, stub.url))
        done = command("run", "lemma", *SIZE, *TYPES, *where)
        assert done.code == 0, done.err
        first = stub.read_counters().answered
        again = command("run", "lemma", *SIZE, *TYPES, *where)
        assert again.code == 0 and stub.read_counters().answered == first > 100
        other = command("run", "lemma", "--seeds", "error_types", *TYPES, *where)
        assert other.code == 2 and "dataset 'error_types' has no column 'question'; it has row_id, type" in other.err
        other = command("run", "lemma", "--seeds", "nothing", *TYPES, *where)
        assert other.code == 2 and "no dataset 'nothing' is published" in other.err
    rows = asked(command, lake, "SELECT * FROM corrections")
    assert {(row["source"], row["strategy"]) for row in rows} == {
        (source, strategy) for source in ("student", "injected") for strategy in ("fix_continue", "fresh_restart")
    }
    for row in rows:
        assert row["trajectory"].startswith(row["prefix"])
        assert row["trajectory"].rstrip().endswith(f"#### {row['answer']}")
    (pairs,) = asked(command, lake, "SELECT count(*) AS n, count_if(chosen = rejected) AS same FROM pairs")
    assert pairs["n"] > 20 and pairs["same"] == 0
    types = asked(command, lake, "SELECT type, student, published FROM error_types ORDER BY row_id")
    assert len(types) == 12 and sum(row["student"] for row in types) > 10
    counts = asked(command, lake, "SELECT question, student, attempts, wrong, types FROM error_counts")
    assert all(0 < row["wrong"] <= row["attempts"] == 4 and len(row["types"]) == 12 for row in counts)
    assert sum(each["n"] for row in counts for each in row["types"]) == sum(row["student"] for row in types)
    funnel = asked(command, lake, "SELECT * FROM funnel WHERE dataset = 'corrections'")
    assert all(row["rows_in"] == row["kept"] + row["rejected"] + row["quarantined"] for row in funnel)


@pytest.mark.system
def test_problems_may_come_from_files_and_smoothing_may_be_left_out(command: Command, tmp_path: Path) -> None:
    from tasks.proving_ground import library

    lake, path = tmp_path / "lake", tmp_path / "problems.jsonl"
    drawn = [library.draw_problem(seed) for seed in range(1_200_000_000, 1_200_000_016)]
    lines = [{"question": p.question, "answer": f"{p.solution}"} for p in drawn]
    lines.append({"question": "What now?", "answer": ""})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = ("--input", path, "--columns.response", "answer", "--smoothing", "false", *TYPES)
    with MockServer(reply=say) as stub:
        done = command("run", "lemma", *flags, "--store", lake, "--profile", profile(tmp_path, stub.url))
    assert done.code == 0, done.err
    rows = asked(command, lake, "SELECT DISTINCT question, answer FROM corrections")
    answers = {problem.question: problem.answer for problem in drawn}
    assert len(rows) > 5 and all(answers[row["question"]] == row["answer"] for row in rows)
    assert not asked(command, lake, "SELECT * FROM receipts WHERE step = 'smooth'")


@pytest.mark.parametrize("name", ["hard", "pupil"])
def test_the_presets_are_recipes(name: str) -> None:
    assert name in list_presets(Lemma)
    recipe = parse(Lemma, ["--preset", name])
    assert recipe.select.limit_by_failure == (name == "hard") and recipe.attempt.sampling.temperature == 0.7
