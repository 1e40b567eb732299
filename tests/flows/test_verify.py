"""The verify recipe from a file to a published dataset: what it finds, what it accounts for, what it refuses."""

import asyncio
import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.lake.store import Store
from infra.report_data.dataset_summary import read_summary
from schemas.errors import LedgerError
from tests.support.forks import start_forked
from tests.support.recorded import SKIP_REASON, SOLUTIONS, write_attempts
from tests.support.runs import Command, Lake, make_attempts, query, wait_for_exit, write_jsonl


def test_every_attempt_gets_the_verdict_it_was_made_for(baseline: Lake) -> None:
    assert baseline.outcome.code == 0, baseline.outcome.err
    assert query(baseline.store, "SELECT question, verdict, expected FROM verified WHERE verdict <> expected") == []
    counts = dict(query(baseline.store, "SELECT verdict, count(*) FROM verified WHERE expected IS NOT NULL GROUP BY 1"))
    assert counts == {"correct": 214, "wrong": 73, "unparseable": 8}


def test_a_bad_row_gets_a_verdict_or_goes_to_quarantine_with_the_reason(baseline: Lake) -> None:
    reasons = query(baseline.store, "SELECT reason, error, row->>'question' FROM quarantine ORDER BY row_id")
    assert reasons == [
        ("null answer", "column 'answer' is null", "null gold"),
        ("null question", "column 'question' is null", None),
        ("null response", "column 'response' is null", "null response"),
    ]
    odd = dict(query(baseline.store, "SELECT question, verdict FROM verified WHERE expected IS NULL"))
    assert set(odd) == {"never closed", "a tower"}
    assert set(odd.values()) <= {"wrong", "unparseable", "timeout"}


def test_the_report_names_the_weakest_rule_that_accepted_rows(baseline: Lake) -> None:
    accepted = dict(query(baseline.store, "SELECT rule, count(*) FROM verified WHERE verdict = 'correct' GROUP BY 1"))
    line = read_summary(baseline.store, baseline.manifest).weakest_rule
    assert any(
        line.startswith(f"The weakest rule that accepted rows here is {rule}: {rows:,} of 214 accepted rows.")
        for rule, rows in accepted.items()
        if rule != "identical"
    )


def test_the_funnel_accounts_for_every_row(baseline: Lake) -> None:
    funnel = query(
        baseline.store,
        "SELECT step, rows_in, kept, rejected, quarantined, rows_in - kept - rejected - quarantined, rows_out "
        "FROM funnel ORDER BY position",
    )
    assert funnel == [
        ("seed", 300, 297, 0, 3, 0, 297),
        ("verify", 297, 297, 0, 0, 0, 297),
        ("attach_verdicts", 297, 297, 0, 0, 0, 297),
    ]


def test_every_column_of_the_input_is_kept_in_its_order(baseline: Lake) -> None:
    rows = query(baseline.store, "SELECT serial, question FROM verified WHERE serial IS NOT NULL")
    assert rows == [(n, f"What is {n}?") for n in range(293)]


def test_a_column_that_hides_one_of_ours_is_kept_under_another_name(command: Command, tmp_path: Path) -> None:
    rows = [{"question": "?", "response": "A: 1", "answer": "1", "Verdict": "theirs", "row_id": 5}]
    lake = tmp_path / "lake"
    done = command("run", "verify", "--input", write_jsonl(tmp_path / "a.jsonl", rows), "--store", lake)
    assert done.code == 0, done.err
    shown = command("query", "SELECT verdict, input_Verdict, input_row_id FROM verified", "--store", lake)
    assert shown.out.splitlines()[1] == '"correct","theirs",5'


def test_the_manifest_stands_on_receipts_and_names_recipe_and_report(baseline: Lake) -> None:
    manifest = baseline.manifest
    assert (manifest.rows, manifest.files) == (297, ("verified-00001-of-00001.parquet",))
    assert manifest.version == manifest.content[:12]
    assert manifest.recipe["input"] == [str(baseline.attempts)]
    assert set(manifest.receipts) <= {f"{r.step}/{r.key}" for r in baseline.store.read_receipts()}
    report = (baseline.store.read(manifest.report or "") or b"").decode()
    assert "| pass | critical | `expect_column_values_to_be_unique`" in report
    assert "FAIL" not in report


def test_gate_and_funnel_are_artifacts_in_prefect(baseline: Lake, api: str) -> None:
    from prefect.client.orchestration import get_client

    async def artifacts() -> dict[str | None, Any]:
        async with get_client() as client:
            return {a.key: a.data for a in await client.read_artifacts()}

    found = asyncio.run(artifacts())
    assert "# Gate `verified`" in found["gate-verified"]
    assert "| attach_verdicts |" in found["funnel-verified"]


def test_the_same_command_again_works_no_shard_and_publishes_the_same_version(baseline: Lake, tmp_path: Path) -> None:
    before = _objects(baseline.store)
    store = Store(shutil.copytree(baseline.store.url, str(tmp_path / "lake")))  # other tests count the runs of theirs
    words = ("--input", baseline.attempts, "--store", store.url, "--profile", "ci", "--shard_rows", "64")
    again = wait_for_exit(start_forked("run", "verify", *words))
    assert again.code == 0, again.err
    assert [line.split(maxsplit=1)[1] for line in again.err.splitlines()[2:]] == [
        "300 / 300 rows, 300 found done",
        *["297 / 297 rows, 297 found done"] * 5,  # verify, gold_doubts and its gate, attach_verdicts and its gate
    ]
    assert _objects(store) == before
    assert store.datasets.version_history("verified") == [baseline.manifest.version]


@pytest.mark.skipif(not SOLUTIONS.is_file(), reason=SKIP_REASON)
def test_recorded_solutions_of_real_models_get_the_verdict_they_were_recorded_with(
    command: Command, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    assert write_attempts(tmp_path / "solutions.jsonl") == 5276
    done = command("run", "verify", "--input", tmp_path / "solutions.jsonl", "--store", lake)
    assert done.code == 0, done.err
    figures = "avg(((verdict = 'correct') = is_correct)::INT), count(*), count(*) FILTER (verdict = 'timeout')"
    shown = command("query", f"SELECT {figures} FROM verified", "--store", lake, "--format", "csv")
    agreement, rows, timeouts = map(float, shown.out.splitlines()[1].split(","))
    assert agreement >= 0.999
    assert (rows, timeouts) == (5276, 0)


def test_rows_that_are_all_unusable_stop_at_the_gate(command: Command, tmp_path: Path) -> None:
    rows = [{"question": "?", "response": "A: 1", "answer": None}] * 5
    lake = tmp_path / "lake"
    done = command("run", "verify", "--input", write_jsonl(tmp_path / "a.jsonl", rows), "--store", lake)
    assert done.code == 3
    last = done.err.splitlines()[-1]
    assert "gate 'verified' stopped the run" in last
    assert "nothing was published" in last
    assert (Path(last.rsplit(" ", 1)[1])).read_text().count("| FAIL | critical |") == 1
    assert not (lake / "datasets").exists()
    status = command("status", "--store", lake).out
    assert "stopped by gate verified" in status
    assert "funnel of verified, of which nothing is published" in status and "5: null answer 5" in status


def test_a_copy_of_a_file_holds_rows_of_its_own(command: Command, tmp_path: Path) -> None:
    rows = [{"question": "?", "response": "A: 1", "answer": "1"}]
    files = [write_jsonl(tmp_path / f"{name}.jsonl", rows) for name in ("one", "copy")]
    lake = tmp_path / "lake"
    done = command("run", "verify", "--input", files[0], "--input", files[1], "--store", lake)
    assert done.code == 0, done.err
    assert query(Store(str(lake)), "SELECT count(DISTINCT row_id), count(*) FROM verified") == [(2, 2)]


def test_a_warning_is_reported_and_published(command: Command, tmp_path: Path) -> None:
    rows = [{"question": "?", "response": "I do not know.", "answer": "1"}] * 5
    lake = tmp_path / "lake"
    done = command("run", "verify", "--input", write_jsonl(tmp_path / "a.jsonl", rows), "--store", lake)
    assert done.code == 0, done.err
    assert "warning: verdict: values to not be in set: 5 of 5 do not, e.g. 'unparseable'" in done.err
    [report] = (lake / "reports/verified").glob("*.md")
    assert "| warn | warning |" in report.read_text()
    assert "verified" in command("status", "--store", lake).out


def test_golds_in_doubt_are_reported_with_the_evidence_and_stop_nothing(command: Command, tmp_path: Path) -> None:
    agreeing = [{"question": "2 + 3?", "response": f"{way}\nA: 5", "answer": "6"} for way in ("So", "Thus", "Hm")]
    prose = {"question": "How many?", "response": "A: 2", "answer": "There are many of them, as one can see"}
    unreadable = {"question": "How much?", "response": "A: 2", "answer": "\\frac{1}{"}
    right = {"question": "1 + 1?", "response": "A: 2", "answer": "2"}
    lake = ("--store", tmp_path / "lake")
    source = write_jsonl(tmp_path / "a.jsonl", [row | {"mine": 1} for row in (*agreeing, prose, unreadable, right)])
    done = command("run", "verify", "--input", source, *lake)
    assert done.code == 0, done.err
    assert (
        "3 of 4 golds are in doubt (disagreement 1, prose 1, unreadable 1), and responses agree with 0; questmill "
        "query \"SELECT * FROM gold_doubts WHERE dataset = 'verified'\" shows those in doubt"
    ) in done.err
    store = Store(str(tmp_path / "lake"))
    found = query(store, "SELECT doubt, gold, other_answer, agreeing, len(examples) FROM gold_doubts ORDER BY row_id")
    assert found == [
        ("disagreement", "6", "5", 3, 3),
        ("prose", prose["answer"], None, None, None),
        ("unreadable", unreadable["answer"], None, None, None),
    ]
    assert query(store, "SELECT count(*), count(mine) FROM verified") == [(6, 6)]
    assert "mine" not in [name for name, *_ in query(store, "DESCRIBE step.gold_doubts")]
    report = command("report", "verified", *lake, "--out", tmp_path / "report.html")
    assert report.code == 0, report.err
    page = (tmp_path / "report.html").read_text()
    assert "3 in doubt: disagreement 1, prose 1, unreadable 1." in page and "unreadable (gold_unparseable)" in page

    corrected = [row | {"answer": "5"} for row in agreeing] + [right]
    again = command("run", "verify", "--input", write_jsonl(tmp_path / "b.jsonl", corrected), *lake)
    assert again.code == 0 and "in doubt" not in again.err
    assert query(store, "SELECT * FROM gold_doubts") == [], "those of an earlier version are not shown"


def test_publish_refuses_a_dataset_that_lost_a_shard(api: str, tmp_path: Path) -> None:
    from prefect import flow

    from flows.run.dask_runner import dask_runner
    from flows.run.run import Run
    from flows.verify import Verification
    from schemas.tables import verdicts
    from tasks.verification.attach_verdicts import AttachVerdicts

    @flow(name="leaky", task_runner=dask_runner)
    def leaky(recipe: Verification) -> object:
        run = Run.open(recipe)
        attempted = run.seed(recipe, reserved=verdicts.VERDICT_SCHEMA.names)
        lossy = dataclasses.replace(attempted, shards=attempted.shards[:-1])
        judged = run.map(recipe.answer_match, lossy)
        return run.publish("leaky", run.merge(AttachVerdicts(), attempted, judged))

    error = _failure(leaky, tmp_path, rows=20, shard_rows=10)
    assert isinstance(error, LedgerError)
    assert str(error) == "step verify: 7 of the 17 rows of step seed were left out; nothing was published"
    assert not (tmp_path / "lake/datasets").exists()


def test_a_stage_that_loses_a_row_is_told_which(api: str, tmp_path: Path) -> None:
    from prefect import flow

    from flows.run.dask_runner import dask_runner
    from flows.run.run import Run
    from flows.verify import Verification
    from tasks.verification.verify import Verify

    class Careless(Verify):
        def rows(self, batch: Any, engine: Any) -> Any:
            yield from list(super().rows(batch, engine))[:-1]

    @flow(name="careless", task_runner=dask_runner)
    def careless(recipe: Verification) -> object:
        run = Run.open(recipe)
        return run.publish("careless", run.map(Careless(), run.seed(recipe, reserved=[])))

    error = _failure(careless, tmp_path, rows=20, shard_rows=20)
    assert isinstance(error, LedgerError)
    assert "stage careless lost row" in str(error)
    assert not (tmp_path / "lake/datasets").exists()


def _failure(flow: Any, folder: Path, rows: int, shard_rows: int) -> BaseException:
    from flows.verify import Verification

    path = write_jsonl(folder / "attempts.jsonl", make_attempts(rows))
    before = dict(os.environ)
    os.environ |= {"QUESTMILL_STORE": str(folder / "lake"), "QUESTMILL_PROFILE": "ci"}
    try:
        flow(Verification(input=(str(path),), shard_rows=shard_rows))
    except Exception as error:
        return error
    finally:
        os.environ.clear()
        os.environ.update(before)
    raise AssertionError("the flow did not fail")


def _objects(store: Store) -> list[str]:
    return [p for p in store.list_paths("") if not p.startswith("runs/")]
