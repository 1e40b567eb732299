"""Judging again: another verifier gives new verdicts to attempts that lie there, and says what it changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.lake.store import Store
from tasks.proving_ground import library
from tests.support.runs import Command, query, write_jsonl

Rows = list[dict[str, Any]]


@pytest.fixture
def judged(command: Command, tmp_path: Path) -> Callable[..., Any]:
    """Run the verify recipe on the lake of this test."""

    def run(*words: str | Path) -> Any:
        done = command("run", "verify", *words, "--shard_rows", "2", "--store", tmp_path / "lake")
        assert done.code == 0, done.err
        return done

    return run


def rounded() -> Rows:
    """Attempts that are right only where somebody forgives a rounding, right anyway, and wrong."""
    given = [("A: 3.33", "10/3"), ("A: 2", "2"), ("A: 5", "2"), ("I do not know.", "1"), ("A: 6.67", "20/3")]
    return [{"question": f"{n}?", "response": said, "answer": gold} for n, (said, gold) in enumerate(given)]


@pytest.mark.system
def test_another_verifier_judges_what_was_published_and_says_what_it_changed(
    judged: Callable[..., Any], command: Command, tmp_path: Path
) -> None:
    source, store = (
        write_jsonl(tmp_path / "a.jsonl", [*rounded(), rounded()[0] | {"answer": None}]),
        Store(str(tmp_path / "lake")),
    )
    judged("--input", source)
    before = store.datasets.read_manifest("verified")
    source.unlink()  # the attempts are in the lake
    told = judged("--dataset", "verified", "--answer_match.tolerance", "0.01").err
    assert f"against verified {before.version if before else ''}: 3 same, 2 gained, 0 lost, 0 other" in told
    assert "gained           2  wrong by rational -> correct by " in told
    after = store.datasets.read_manifest("verified")
    assert before and after and after.version != before.version
    assert [(c.step, c.rows_in, c.kept, sum(c.quarantined.values())) for c in after.ledger] == [
        (c.step, c.rows_in, c.kept, sum(c.quarantined.values())) for c in before.ledger
    ]
    assert after.recipe["version"] == before.version
    assert query(store, "SELECT response, verdict FROM verified WHERE verdict = 'correct' ORDER BY row_id") == [
        *(("A: 3.33", "correct"), ("A: 2", "correct"), ("A: 6.67", "correct"))
    ]
    changed = query(store, "SELECT change, verdict_before, verdict_after FROM verified_changes WHERE change <> 'same'")
    assert changed == [("gained", "wrong", "correct")] * 2
    assert len(query(store, "SELECT 1 FROM step.verify")) == 10, "both verdicts of every attempt are there"

    back = judged("--dataset", "verified").err
    assert "3 same, 0 gained, 2 lost, 0 other" in back
    assert "verify             5 / 5 rows, 5 found done" in back, "what was judged once is not judged again"
    assert store.datasets.current_version("verified") == before.version


def test_a_dataset_that_is_not_there_or_was_not_made_of_attempts_is_told_with_the_way_out(
    command: Command, tmp_path: Path
) -> None:
    lake = ("--store", tmp_path / "lake")
    assert command("run", "templates", "--n", "3", *lake).code == 0
    gone = command("run", "verify", "--dataset", "gone", *lake)
    assert gone.code == 2
    assert "--dataset gone: nothing is published under this name; give --input, or one of: problems" in gone.err
    other = command("run", "verify", "--dataset", "problems", *lake)
    assert other.code == 2
    assert "--dataset problems: was not made by `questmill run verify`; export it" in other.err


@pytest.mark.system
def test_several_verifiers_make_one_verdict_and_the_later_ones_see_only_what_is_open(
    judged: Callable[..., Any], tmp_path: Path
) -> None:
    known = library.draw_problem(5, solvable=True)
    rows = [
        {"question": known.question, "response": known.solution, "answer": "0"},
        {"question": known.question, "response": "#### 0", "answer": "0"},
        {"question": "Who knows?", "response": "#### 7", "answer": "7"},
        {"question": "Who knows?", "response": "#### 8", "answer": "7", "said": "theirs"},
    ]
    judged("--input", write_jsonl(tmp_path / "a.jsonl", rows), "--verifiers", "oracle", "--verifiers", "answer_match")
    store = Store(str(tmp_path / "lake"))
    assert query(store, "SELECT verdict, decided_by, said, input_said FROM verified ORDER BY row_id") == [
        ("correct", "questmill.oracle", "questmill.oracle correct", None),
        ("wrong", "questmill.oracle", "questmill.oracle wrong", None),
        ("correct", "questmill.answer_match", "questmill.oracle unverifiable, questmill.answer_match correct", None),
        ("wrong", "questmill.answer_match", "questmill.oracle unverifiable, questmill.answer_match wrong", "theirs"),
    ]
    assert len(query(store, "SELECT 1 FROM step.verify")) == 2
    assert query(store, "SELECT DISTINCT verifier FROM verified") == [("first_decided(oracle, answer_match)",)]
    assert query(store, "SELECT reason, count(*) FROM rejects GROUP BY ALL") == [("decided", 2)]

    judged("--input", tmp_path / "a.jsonl", "--verifiers", '["oracle", "answer_match"]', "--combine", "all_of")
    assert query(store, "SELECT verdict, said FROM verified ORDER BY row_id LIMIT 2") == [
        ("wrong", "questmill.oracle correct, questmill.answer_match wrong"),
        ("wrong", "questmill.oracle wrong, questmill.answer_match correct"),
    ], "if all must agree, every verifier sees every attempt"


@pytest.mark.system
def test_votes_rewards_and_pairs_need_no_gold_and_a_model_only_where_they_are_asked(
    judged: Callable[..., Any], command: Command, tmp_path: Path
) -> None:
    rows = [{"question": "1 + 1?", "response": f"1 + 1 = {n}\n#### {n}", "answer": "?"} for n in (2, 2, 3)]
    rows += [{"question": "2 + 2?", "response": "2 + 2 = 4\n#### 4", "answer": "?"}]
    source = write_jsonl(tmp_path / "a.jsonl", rows)
    judged("--input", source, "--verifiers", "vote")
    store = Store(str(tmp_path / "lake"))
    assert query(store, "SELECT verdict, rule, samples FROM verified ORDER BY row_id") == [
        *(("correct", "majority", 3), ("correct", "majority", 3), ("wrong", "minority", 3)),
        ("unverifiable", "few_samples", 1),
    ]
    judged("--input", source, "--verifiers", json.dumps(["weighted_vote", "reward"]), "--combine", "any_of")
    found = query(store, "SELECT verifier, count(*) FROM verified GROUP BY ALL")
    assert found == [("any_of(weighted_vote, reward)", 4)]
    judged("--input", source, "--verifiers", "pairwise_judge")
    assert {rule for (rule,) in query(store, "SELECT rule FROM verified")} >= {"no_rival"}

    alone = tmp_path / "profile.toml"
    alone.write_text(f'store = "{tmp_path / "lake"}"\n[cluster]\nkind = "local"\nprocesses = false\n')
    done = command("run", "verify", "--input", source, "--verifiers", "llm_judge", "--profile", alone)
    assert done.code == 2
    assert "stage judge_response needs the role 'judge'; the profile offers: none" in done.err
    assert command("run", "verify", "--input", source, "--profile", alone).code == 0


def test_a_verifier_that_is_named_twice_is_refused(command: Command, tmp_path: Path) -> None:
    words = ("--verifiers", "vote", "--verifiers", "vote")
    done = command("run", "verify", "--input", "x", *words, "--store", tmp_path / "lake")
    assert (done.code, "--verifiers: a verifier is named twice" in done.err) == (2, True)
