"""ScaleQuest on the pupil: from blank prompts to published rows, each dropped one with its reason."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flows.cli.recipe_arguments import parse
from flows.scalequest import ScaleQuest
from tests.support.corpora import write_corpora
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


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--questioner.improve.max_words", "1"), "improve_question kept none of 6 rows; the views rejects and "),
        (("--questioner.sample.sampling.max_tokens", "1"), "write_question kept none of 6 rows; "),
        (("--questioner.preference_optimization.held_out", "100"), "there are "),
    ],
)
def test_a_training_with_nothing_to_train_on_is_told_before_it_starts(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], why: str
) -> None:
    """So it needs no torch."""
    monkeypatch.chdir(ROOT)
    lake = tmp_path / "lake"
    few = ("--train", "--questioner.without", "fine_tuning", "--questioner.n_questions", "6")
    few += ("--questioner.only_unsolvable", "false")
    done = command("run", "scalequest", *SIZE, *few, *words, *write_corpora(tmp_path, 8), "--store", lake)
    (line,) = [line for line in done.err.splitlines() if line.startswith("questmill: ")]
    assert done.code == 1, done.err
    assert line.startswith(f"questmill: question_preference_optimization has no pairs to train on: {why}"), done.err
    steps = {row["step"] for row in asked(command, lake, "SELECT DISTINCT step FROM receipts")}
    assert "pair_questions" in steps and "question_preference_optimization" not in steps


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


@pytest.mark.train
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


LABELS = {
    "language": "keep_language",
    "exact_duplicates": "drop_exact_duplicates",
    "near_duplicates": "drop_near_duplicates",
    "solvability": "judge_solvable",
    "reward": "score_answer",
}
"""The step that each ablation leaves out."""


@pytest.mark.system
def test_an_ablation_leaves_out_the_step_that_it_names_and_no_other(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All runs share a lake, so that each works only the steps behind the one that it leaves out.

    Each has a dataset of its own: equal rows are one version of a dataset, with the funnel of the first run.
    """
    monkeypatch.chdir(ROOT)
    lake = tmp_path / "lake"

    def run(dataset: str, *flags: str) -> list[str]:
        words = (*SIZE, "--select.least_reward", "0", "--dataset", dataset)
        done = command("run", "scalequest", *words, *flags, "--store", lake)
        assert done.code == 0, done.err
        sql = f"SELECT step FROM funnel WHERE dataset = '{dataset}' ORDER BY position"
        return [row["step"] for row in asked(command, lake, sql)]

    steps = run("whole")
    assert set(LABELS.values()) < set(steps)
    for name, label in LABELS.items():
        left = [step for step in steps if step != label]
        assert run(f"without_{name}", "--without", name) == [
            "select_by_majority" if (name, step) == ("reward", "select_answer") else step for step in left
        ]
    assert asked(command, lake, "SELECT count(reward) AS n FROM without_reward") == [{"n": 0}]
    everything = [word for name in LABELS for word in ("--without", name)]
    assert run("without_all", *everything) == ["empty_rows", "write_question", "solve", "select_by_majority"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"without": ["language", "language"]}, "one filter is named twice; name each once"),
        ({"without": ["reward"], "select": {"least_reward": 0.5}}, "decide nothing; leave them out"),
        ({"without": ["reward"], "select": {"within_majority": False}}, "decide nothing; leave them out"),
        ({"without": ["solve"]}, "Input should be 'language', "),
        ({"input": ["a.jsonl"]}, "nothing is trained; set train or scorer"),
        ({"input": ["a.jsonl"], "corpus": "a", "train": True}, "corpus and input both name the questions to train on"),
        ({"questioner": {"without": ["fine_tuning", "preference_optimization"]}}, "at most 1 item"),
    ],
)
def test_an_ablation_that_contradicts_itself_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ScaleQuest.model_validate(fields)


def test_the_papers_preset_has_two_generators_a_trained_scorer_and_the_best_liked_solution() -> None:
    recipe = parse(ScaleQuest, ["--preset", "paper"])
    assert recipe.train and len(recipe.generators) == 2 and recipe.questions == 2_000_000
    assert recipe.score and recipe.scorer and recipe.score.role == recipe.scorer.train.role == "difficulty"
    assert recipe.sample.drop_easy == {recipe.generators[0]: 0.3}
    sampling = recipe.solve.sampling
    assert (sampling.n, sampling.temperature, sampling.top_p, sampling.max_tokens) == (5, 0.7, 0.95, 2048)
    assert not recipe.select.within_majority and recipe.select.least_agreement == recipe.select.least_reward == 0
    at_the_pupils_size = parse(ScaleQuest, ["--preset", "paper", "--preset", "pupil"])
    assert at_the_pupils_size.generators == recipe.generators and at_the_pupils_size.train
    assert at_the_pupils_size.solve.sampling.max_tokens < 2048


SMALL = ("--questioner.n_questions", "40", "--questioner.preference_optimization.held_out", "2")
SMALL += ("--select.least_agreement", "0", "--select.least_reward", "0", "--scorer.train.batch", "8")
SMALL += ("--scorer.fail_rate.sampling.n", "2", "--scorer.fail_rate.sampling.max_tokens", "96")


@pytest.mark.train
def test_the_papers_preset_runs_at_the_size_of_the_pupil_on_two_files_like_gsm8k_and_math(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    lake = tmp_path / "lake"
    words = ("--preset", "paper", *SIZE, *SMALL, *write_corpora(tmp_path, 80))
    done = command("run", "scalequest", *words, "--store", lake)
    assert done.code == 0, done.err
    trained = asked(command, lake, "SELECT step, sum(rows_in) AS n FROM receipts WHERE step LIKE '%_model' GROUP BY 1")
    assert trained == [{"step": "train_difficulty_model", "n": 80}]
    steps = {row["step"]: row for row in asked(command, lake, "SELECT * FROM funnel")}
    assert "drop_near_duplicates" not in steps
    scores = asked(
        command, lake, "SELECT split_part(row_id, ':', 1) AS who, count(*) AS n FROM step.score_difficulty GROUP BY 1"
    )
    by_generator = {row["who"]: row["n"] for row in scores}
    assert by_generator.keys() == {"prober", "solver"}
    assert steps["sample_by_difficulty"]["rejected"] == int(0.3 * by_generator["prober"] + 1e-9)
    rows = asked(command, lake, "SELECT question_id, of_majority FROM scalequest")
    assert len(rows) == steps["solve"]["kept"], "the best liked solution of every question that has an answer"


@pytest.mark.train
@pytest.mark.parametrize("without", ["fine_tuning", "preference_optimization"])
def test_a_training_that_is_left_out_is_not_done(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    monkeypatch.chdir(ROOT)
    lake = tmp_path / "lake"
    words = (*SIZE, "--train", *SMALL[:4], "--questioner.without", without, *write_corpora(tmp_path, 40))
    done = command("run", "scalequest", *words, "--store", lake)
    assert done.code in (0, 3), done.err
    steps = {row["step"] for row in asked(command, lake, "SELECT DISTINCT step FROM receipts")}
    trainings = {"question_fine_tuning", "question_preference_optimization"}
    assert steps & trainings == trainings - {f"question_{without}"}
    assert ("pair_questions" in steps) == (without == "fine_tuning")
