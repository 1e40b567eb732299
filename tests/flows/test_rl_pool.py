"""A pool of problems: solved several times, verified, and kept where the model passes now and then."""

import json
from pathlib import Path

import pytest

from infra.lake.store import Store
from tasks.base.confidence import wilson_interval
from tests.support.runs import Command, query, write_jsonl

FEW = ("--solve.sampling.n", "4", "--solve.sampling.max_tokens", "192", "--shard_rows", "10")
WIDE = ("--keep_band.low", "0", "--keep_band.high", "1")


@pytest.mark.system
def test_problems_of_the_proving_ground_become_a_pool_with_rates_and_intervals(
    command: Command, tmp_path: Path
) -> None:
    lake = ("--store", tmp_path / "lake")
    assert command("run", "templates", "--n", "20", "--draw.first_seed", "1600000000", *lake).code == 0
    done = command("run", "rl_pool", "--problems", "problems", *FEW, *WIDE, *lake)
    assert done.code == 0, done.err
    store = Store(str(tmp_path / "lake"))
    rows = query(
        store, "SELECT problem_id, model, samples, passes, pass_rate, low, high, tokens, verifier FROM rl_pool"
    )
    assert len(rows) == len({row[0] for row in rows}) == 20
    for _, model, samples, passes, rate, low, high, tokens, verifier in rows:
        assert (model, verifier) == ("solver", "questmill.answer_match")
        assert 0 <= passes <= samples <= 4 and rate == passes / samples and tokens > 3
        assert (
            abs(low - wilson_interval(passes, samples)[0]) < 1e-6
            and abs(high - wilson_interval(passes, samples)[1]) < 1e-6
        )
    assert sum(row[3] for row in rows) > 20, "the pupil passes more often than not"
    manifest = store.datasets.read_manifest("rl_pool")
    assert manifest and manifest.recipe["version"] == store.datasets.current_version("problems")
    steps = [(count.step, count.rows_in, count.kept) for count in manifest.ledger]
    assert steps == [
        ("sample_responses", 20, 20),
        ("verify", 80, 80),
        ("pass_rate", 20, 20),
        ("keep_pass_rate_band", 20, 20),
    ]

    band = command(
        "run", "rl_pool", "--problems", "problems", *FEW, "--keep_band.low", "0.3", "--keep_band.high", "0.9", *lake
    )
    assert band.code in (0, 3), band.err
    assert "sample_responses   20 / 20 rows, 20 found done" in band.err, "another band asks nothing"
    kept = {row[0] for row in rows if 0.3 <= row[4] <= 0.9}
    dropped = dict(
        query(store, "SELECT reason, count(*) FROM rejects WHERE stage = 'keep_pass_rate_band' GROUP BY ALL")
    )
    assert sum(dropped.values()) == 20 - len(kept) and set(dropped) <= {"too easy", "too hard"}
    if kept:
        assert {row[0] for row in query(store, "SELECT problem_id FROM rl_pool")} == kept


def test_files_of_problems_need_no_responses_and_every_model_has_a_rate_of_its_own(
    command: Command, tmp_path: Path
) -> None:
    problems = [
        {"task": f"What is {n} + 1?", "gold": gold}
        for n, gold in enumerate((1, 2, "see page 3 of the book of solutions"))
    ]
    source, lake = write_jsonl(tmp_path / "p.jsonl", problems), ("--store", tmp_path / "lake")
    columns = ("--columns.question", "task", "--columns.answer", "gold")
    models = ("--models", json.dumps(["solver", "judge"]))
    done = command("run", "rl_pool", "--input", source, *columns, *models, *FEW, *WIDE, *lake)
    assert done.code == 0, done.err
    store = Store(str(tmp_path / "lake"))
    found = query(store, "SELECT model, count(*), min(answer) FROM rl_pool GROUP BY model ORDER BY model")
    assert found == [("judge", 3, "1"), ("solver", 3, "1")]
    assert query(store, "SELECT count(DISTINCT row_id) FROM step.sample_responses") == [(24,)]
    golds = query(store, "SELECT count(DISTINCT row_id), count(*), count(doubt) FROM step.gold_doubts")
    assert golds == [(24, 24, 3)], "the golds of both models are the same"
    doubts = query(store, "SELECT dataset, gold, correct FROM gold_doubts WHERE doubt = 'prose'")
    assert doubts == [("rl_pool", "see page 3 of the book of solutions", 0)]


def test_a_dataset_of_problems_that_is_not_there_is_told(command: Command, tmp_path: Path) -> None:
    done = command("run", "rl_pool", "--problems", "gone", "--store", tmp_path / "lake")
    assert done.code == 2
    assert "--problems gone: nothing is published under this name; published: none" in done.err
    none = command("run", "rl_pool", "--store", tmp_path / "lake")
    assert (none.code, "--input is required" in none.err) == (2, True)


def test_attempts_that_are_cut_off_are_no_failures_and_the_run_says_what_to_raise(
    command: Command, tmp_path: Path
) -> None:
    """The gate stops a run whose attempts were all cut off; the funnel shows where its problems went."""
    problems = [{"question": f"What is {n} + 1?", "answer": n + 1} for n in range(6)]
    source, lake = write_jsonl(tmp_path / "p.jsonl", problems), ("--store", tmp_path / "lake")
    short = ("--solve.sampling.n", "4", "--solve.sampling.max_tokens", "3")
    done = command("run", "rl_pool", "--input", source, *short, *lake)
    assert done.code == 3, done.err
    warning = "step sample_responses: 24 of 24 samples (100%) were cut off at max_tokens 3; raise its"
    assert done.err.count(f"warning: {warning}") == 1
    assert "the view funnel shows where rows were lost" in done.err
    store = Store(str(tmp_path / "lake"))
    assert query(store, "SELECT DISTINCT reason FROM rejects WHERE stage = 'pass_rate'") == [("cut_off",)]
    shown = query(store, "SELECT step, version, rows_in, kept, rejected FROM funnel ORDER BY position")
    assert shown == [
        ("seed", None, 6, 6, 0),
        ("sample_responses", None, 6, 6, 0),
        ("verify", None, 24, 24, 0),
        ("pass_rate", None, 6, 0, 6),
        ("keep_pass_rate_band", None, 0, 0, 0),
    ]
    assert "funnel of rl_pool, of which nothing is published" in command("status", *lake).out

    again = command("run", "rl_pool", "--input", source, *FEW, *WIDE, *lake)
    assert again.code == 0 and "cut off" not in again.err, again.err
    assert query(store, "SELECT DISTINCT version IS NOT NULL, count(*) FROM funnel GROUP BY ALL") == [(True, 5)]
