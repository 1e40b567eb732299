"""LEMMA through Prefect and Dask, with a student and a teacher behind a server: three datasets, and nothing owed."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.cli.recipe_arguments import list_presets, parse
from flows.lemma import Lemma
from infra.mock_server.server import MockServer
from schemas.errors import BadInput
from tasks.lemma.error_types import ERROR_TYPES
from tests.support.corpora import write_corpora
from tests.support.runs import ROOT, Command
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


@pytest.mark.system
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


@pytest.mark.system
def test_an_ablation_leaves_out_what_it_names_and_nothing_else(command: Command, tmp_path: Path) -> None:
    """All runs share a lake, so that each works only the steps that its switch changes."""
    lake = tmp_path / "lake"
    with MockServer(reply=say) as stub:
        where = ("--store", lake, "--profile", profile(tmp_path, stub.url))

        def run(*flags: str) -> tuple[list[str], list[dict[str, Any]]]:
            done = command("run", "lemma", *SIZE, *TYPES, *flags, *where)
            assert done.code == 0, done.err
            funnel = asked(command, lake, "SELECT step FROM funnel WHERE dataset = 'corrections' ORDER BY position")
            return [row["step"] for row in funnel], asked(command, lake, "SELECT * FROM corrections")

        steps, _ = run()
        without_restart, rows = run("--strategies", "fix_continue")
        assert without_restart == [step for step in steps if step != "fresh_restart"]
        assert {row["strategy"] for row in rows} == {"fix_continue"}
        without_continue, rows = run("--strategies", "fresh_restart")
        assert without_continue == [step for step in steps if step != "fix_continue"]
        assert {row["strategy"] for row in rows} == {"fresh_restart"}
        untruncated, rows = run("--truncate.keep_whole_solution", "--strategies", "fix_continue")
        assert untruncated == without_restart
        assert all("####" in row["prefix"] and row["wrong_end"] == len(row["prefix"]) for row in rows)
        uniform, _ = run("--draw_types.uniform")
        assert uniform == steps
        drawn = asked(command, lake, "SELECT target_share AS share, type FROM error_types WHERE target_share > 0")
        assert [row["share"] for row in drawn] == pytest.approx([1 / 3] * 3)
        unsmoothed, _ = run("--smoothing", "false")
        assert unsmoothed == [step for at, step in enumerate(steps) if step != "smooth" and steps[at - 1] != "smooth"]
        _, rows = run("--draw_types.injections", "0")
        assert {row["source"] for row in rows} == {"student"}


def test_an_ablation_that_would_publish_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="both_strategies publishes nothing with one strategy; set it to false"):
        parse(Lemma, ["--preset", "pupil", "--strategies", "fix_continue"])
    with pytest.raises(BadInput, match="strategies: one is named twice; name each once"):
        parse(Lemma, ["--strategies", "fix_continue", "--strategies", "fix_continue"])


def test_the_papers_preset_asks_once_and_leaves_out_what_the_paper_does_not_have() -> None:
    recipe = parse(Lemma, ["--preset", "paper"])
    stages = [recipe.inject, recipe.fix_continue, recipe.fresh_restart]
    assert [stage.tries for stage in stages] == [1, 1, 1]
    teacher = [stage.sampling for stage in (*stages, recipe.diagnose, recipe.locate, recipe.smooth)]
    assert {(sampling.n, sampling.temperature, sampling.max_tokens) for sampling in teacher} == {(1, 0.7, 4096)}
    assert (recipe.attempt.sampling.temperature, recipe.attempt.sampling.max_tokens) == (0.7, 1024)
    assert len(recipe.draw_types.types) == 6 and len(ERROR_TYPES) == 12
    assert recipe.smoothing and len(recipe.strategies) == 2 and not recipe.draw_types.uniform
    assert recipe.select.tolerance == recipe.validate_corrections.max_overlap == recipe.fresh_restart.max_overlap == 1


@pytest.mark.system
def test_the_papers_preset_runs_at_the_size_of_the_pupil_on_two_files_like_gsm8k_and_math(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = write_corpora(tmp_path, 60)
    words += ["--columns", "grade.jsonl:response=answer", "--columns", "contest.jsonl:response=solution"]
    done = command("run", "lemma", "--preset", "paper", "--preset", "pupil", *words, "--store", tmp_path / "lake")
    assert done.code == 0, done.err
    rows = asked(command, tmp_path / "lake", "SELECT source, strategy, level, type, input_type FROM corrections")
    assert {row["strategy"] for row in rows} == {"fix_continue", "fresh_restart"}
    assert {row["source"] for row in rows} == {"student", "injected"}
    assert {row["level"] for row in rows} == {None, "1"}, "there are problems of both files"
    assert all(row["type"] in ERROR_TYPES and (row["input_type"] is None) == (row["level"] is None) for row in rows)


@pytest.mark.parametrize("name", ["hard", "pupil", "paper"])
def test_the_presets_are_recipes(name: str) -> None:
    assert name in list_presets(Lemma)
    recipe = parse(Lemma, ["--preset", name])
    assert recipe.select.limit_by_failure == (name == "hard") and recipe.attempt.sampling.temperature == 0.7
