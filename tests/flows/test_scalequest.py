"""ScaleQuest on the pupil: from blank prompts to published rows, each dropped one with its reason."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flows.scalequest import ScaleQuest
from tests.support.runs import ROOT, Command

SIZE = ("--preset", "pupil", "--questions", "60", "--shard_rows", "30")
TWO = ("--generators", '["questioner", "solver"]')


def asked(command: Command, lake: Path, sql: str) -> list[dict[str, Any]]:
    """Rows of a query."""
    return [json.loads(line) for line in command("query", sql, "--store", lake, "--format", "json").out.splitlines()]


def test_questions_from_nothing_are_filtered_answered_selected_and_measured(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    lake = tmp_path / "lake"
    types = ("--problem_types.keep", '["value", "yes_no"]')
    done = command("run", "scalequest", *SIZE, *TWO, *types, "--measure_error_rates", "--store", lake)
    assert done.code == 0, done.err
    rows = asked(
        command, lake, "SELECT question_id, question, agreement, of_majority, reasoning FROM scalequest ORDER BY 1"
    )
    assert all(row["reasoning"] is None for row in rows), "the pupil does not think aloud"
    typed = asked(command, lake, "SELECT DISTINCT problem_type FROM step.keep_problem_types ORDER BY 1")
    assert {row["problem_type"] for row in typed} <= {"value", "yes_no"}
    assert 5 < len(rows) == len({row["question_id"] for row in rows})
    assert all(row["of_majority"] and row["agreement"] >= 0.5 for row in rows)
    written = asked(command, lake, "SELECT split_part(row_id, ':', 1) AS who, question FROM step.write_question")
    by_generator = [{row["question"] for row in written if row["who"] == who} for who in ("questioner", "solver")]
    assert all(len(questions) > 20 for questions in by_generator)
    assert len(by_generator[0] & by_generator[1]) < 5  # one model in two roles does not write the same twice
    spent = {
        row["step"]: row["tokens"]
        for row in asked(command, lake, "SELECT step, prompt_tokens + completion_tokens AS tokens FROM funnel")
    }
    assert spent["solve"] > spent["judge_solvable"] > 0
    noise = {row["figure"]: row for row in asked(command, lake, "SELECT * FROM error_rates")}
    assert noise["published: unsolvable questions"]["n"] == len(rows)
    assert all(0 <= row["low"] <= row["value"] <= row["high"] <= 1 for row in noise.values())


@pytest.mark.system
def test_what_a_benchmark_holds_or_a_dataset_has_published_is_dropped(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    lake = tmp_path / "lake"
    done = command("run", "scalequest", *SIZE, *TWO, "--store", lake)
    assert done.code == 0, done.err
    rows = asked(command, lake, "SELECT question_id, question FROM scalequest ORDER BY 1")
    benchmark = tmp_path / "benchmark.jsonl"
    benchmark.write_text(json.dumps({"problem": rows[0]["question"].upper()}) + "\n")
    named = json.dumps([{"name": "mine", "path": str(benchmark), "column": "problem"}])
    clean = command("run", "scalequest", *SIZE, *TWO, "--overlaps.benchmarks", named, "--store", lake)
    assert clean.code == 0, clean.err
    left = {row["question_id"] for row in asked(command, lake, "SELECT question_id FROM scalequest")}
    # With one question less in its shard the pupil's samples are others, so that a few other rows may come or go.
    kept = {row["question_id"] for row in rows[1:]}
    assert rows[0]["question_id"] not in left and len(left & kept) > 0.7 * len(kept)
    dropped = asked(command, lake, "SELECT row_id FROM rejects WHERE stage = 'drop_overlaps'")
    assert dropped == [{"row_id": rows[0]["question_id"]}]
    (match,) = asked(command, lake, "SELECT question_id, benchmark, rule FROM step.find_overlaps WHERE rule = 'whole'")
    assert match == {"question_id": rows[0]["question_id"], "benchmark": "mine", "rule": "whole"}

    again = command("run", "scalequest", *SIZE, "--against", "scalequest", "--store", lake)
    assert again.code == 0, again.err
    known = asked(command, lake, "SELECT row_id FROM rejects WHERE reason = 'published in scalequest'")
    assert {row["row_id"] for row in known} == {i for i in left if i.startswith("questioner:")}


def test_a_role_that_nobody_offers_is_told_before_anything_is_asked(command: Command, tmp_path: Path) -> None:
    done = command("run", "scalequest", *SIZE, "--generators", '["questioner", "oracle"]', "--store", tmp_path / "lake")
    assert done.code == 2 and not list(tmp_path.glob("lake/receipts/*"))
    assert "needs the role 'oracle'; the profile offers:" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("file", "content", "cluster"),
    [
        ("tokenizer.json", b"{7", '[cluster]\nkind = "local"\nprocesses = false\n'),
        pytest.param("model.bin", b"no model", "", marks=pytest.mark.system, id="in a process of its own"),
    ],
)
def test_a_model_that_does_not_load_ends_a_run_with_one_line(
    command: Command, tmp_path: Path, file: str, content: bytes, cluster: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(ROOT / "data" / "models" / "pupil" / "int8", broken)
    (broken / file).write_bytes(content)
    roles = "".join(f'[roles.{role}]\nkind = "embedded"\n' for role in ("solver", "judge", "reward"))
    profile = tmp_path / "profile.toml"
    profile.write_text(f'{cluster}{roles}[roles.questioner]\nkind = "embedded"\npath = "{broken}"\n')
    done = command("run", "scalequest", *SIZE, "--profile", profile, "--store", tmp_path / "lake")
    assert done.code == 1 and "Traceback" not in done.err, done.err
    (line,) = [line for line in done.err.splitlines() if line.startswith("questmill: ")]
    assert line.startswith("questmill: an engine of kind 'embedded' does not start: ") and str(broken) in line


def test_a_generator_that_cannot_be_trained_is_told_before_anything_is_asked(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    kinds = dict.fromkeys(("solver", "judge", "reward"), 'kind = "embedded"')
    kinds["questioner"] = 'kind = "http"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"'
    roles = "".join(f"[roles.{role}]\n{kind}\n" for role, kind in kinds.items())
    profile = tmp_path / "profile.toml"
    profile.write_text(f'[cluster]\nkind = "local"\nprocesses = false\n{roles}')
    where = ("--profile", profile, "--store", tmp_path / "lake")
    done = command("run", "scalequest", *SIZE, "--train", *where)
    assert done.code == 2 and not list(tmp_path.glob("lake/receipts/*")), done.err
    assert "role 'questioner': an engine of kind 'http' cannot load a model that was trained here; name" in done.err
    where = ("--store", tmp_path / "lake", "--questions", "60")
    done = command("run", "scalequest", "--train", *where)
    assert done.code == 2 and not list(tmp_path.glob("lake/receipts/*")), done.err
    assert "role 'questioner': no weights to train from in " in done.err and "--questioner.base" in done.err


SCORED = ("--score.role", "difficulty", "--scorer.questions", "40")


def write_scorer_profile(folder: Path, scorer: str) -> Path:
    """The pupil in every role, and `scorer` in the role `difficulty`."""
    roles = "".join(
        f'[roles.{role}]\nkind = "embedded"\n' for role in ("questioner", "solver", "judge", "reward", "prober")
    )
    profile = folder / "profile.toml"
    profile.write_text(f'[cluster]\nkind = "local"\nprocesses = false\n{roles}[roles.difficulty]\n{scorer}\n')
    return profile


def test_a_scorer_that_would_score_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="scorer needs score, which uses the trained model; give score"):
        ScaleQuest.model_validate({"scorer": {}})
    with pytest.raises(ValidationError, match=r"scorer trains a model for score\.role"):
        ScaleQuest.model_validate({"scorer": {}, "score": {"role": None}})
    scorer = ScaleQuest.model_validate({"scorer": {}, "score": {}}).scorer
    assert scorer is not None and scorer.questions == 15_000
    sampling = scorer.fail_rate.sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (1.6, 0.95, 2048)


def test_a_scorer_that_its_engine_cannot_load_is_told_before_anything_is_asked(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    profile = write_scorer_profile(tmp_path, 'kind = "http"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"')
    done = command("run", "scalequest", *SIZE, *SCORED, "--profile", profile, "--store", tmp_path / "lake")
    assert done.code == 2 and not list(tmp_path.glob("lake/receipts/*")), done.err
    assert "role 'difficulty': an engine of kind 'http' cannot load a model that was trained here; name" in done.err


def test_a_scorer_learns_fail_rates_and_decides_which_questions_are_easy(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl", reason="needs the extra `train`")
    monkeypatch.chdir(ROOT)
    lake = tmp_path / "lake"
    profile = write_scorer_profile(tmp_path, 'kind = "regressor"\npath = "data/models/pupil/safetensors"')
    asked_few = ("--scorer.fail_rate.sampling.n", "2", "--scorer.fail_rate.sampling.max_tokens", "96")
    taught = ("--scorer.train.batch", "8", "--scorer.train.micro_batch", "8", "--scorer.train.epochs", "1")
    easy = ("--sample.drop_easy", '{"questioner": 0.3}')
    where = ("--profile", profile, "--store", lake)
    done = command("run", "scalequest", *SIZE, *SCORED, *asked_few, *taught, *easy, *where)
    assert done.code == 0, done.err
    scores = [row["fail_rate"] for row in asked(command, lake, "SELECT fail_rate FROM step.score_difficulty")]
    assert len(scores) > 10 and all(0 < score < 1 for score in scores)
    (learnt,) = asked(command, lake, "SELECT count(*) AS n FROM step.fail_rate")
    assert learnt == {"n": 40}
    (dropped,) = asked(command, lake, "SELECT count(*) AS n FROM rejects WHERE stage = 'sample_by_difficulty'")
    assert dropped["n"] == round(0.3 * len(scores))
