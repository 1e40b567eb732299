"""The figures of a published version are those of its rows: of each column, of each generator, of what was dropped."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa
import pytest

from flows.lemma import Lemma
from flows.report.document import Paragraph
from flows.report.sections import build_report
from flows.verify import Verification
from infra.cluster import worker
from infra.lake.publish import run_publish
from infra.lake.store import Store, open_store
from infra.report_data import column_profiles, dataset_summary
from schemas.arrow import required
from schemas.errors import QuestmillError
from schemas.input import Source
from schemas.outcomes import Quarantine, Reject, Row
from schemas.receipts import Manifest, Receipt, Usage
from schemas.steps import Merge, Stage
from schemas.tables import error_rates
from tasks.answers.select import SelectAnswer
from tasks.lemma.student_attempts import KeepDecided
from tasks.lemma.validate import ValidateCorrection
from tasks.verification.code_execution.execute import Execute
from tasks.verification.combine import CombineVerdicts
from tasks.verification.llm_judge import JudgeResponse
from tasks.verification.majority_vote import MajorityVote, WeightedVote
from tasks.verification.oracle import VerifyByOracle
from tasks.verification.pairwise_judge import VerdictFromPairs
from tasks.verification.reward_model import RewardThreshold
from tasks.verification.verify import Verify
from tests.support.pipeline import Compare, make_attempt, run_stage, verify, write_jsonl

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning")]


# -- columns ----------------------------------------------------------------------------------------------------------


def described(**values: list[Any]) -> dict[str, column_profiles.Distribution | column_profiles.TopValues]:
    with duckdb.connect() as con:
        con.register("t", pa.table({name.replace("_", " "): column for name, column in values.items()}))
        return {found.column: found for found in column_profiles.profile_columns(con, "t")}


def bars(values: list[Any]) -> list[tuple[str, int]]:
    found = described(n=values)["n"]
    assert isinstance(found, column_profiles.Distribution)
    assert sum(bar.rows for bar in found.bins) == len(values) - found.nulls
    return [(bar.label, bar.rows) for bar in found.bins]


def test_small_whole_numbers_have_a_bar_each() -> None:
    assert bars([1, 2, 2, 5]) == [("1", 1), ("2", 2), ("3", 0), ("4", 0), ("5", 1)]


def test_large_whole_numbers_share_bars_of_round_width() -> None:
    found = bars([7, 8, 93, 104, 104])
    assert found[0] == ("5 to 9", 2) and found[-1] == ("100 to 104", 2) and len(found) == 20


def test_the_highest_share_is_in_the_last_bar_and_edges_are_not_missed_by_a_rounding_error() -> None:
    found = bars([k / 10 for k in range(11)] * 3)
    assert found[0] == ("0 to 0.05", 3) and found[-1] == ("0.95 to 1", 3)
    assert [n for _, n in found[:-1:2]] == [3] * 10


def test_a_few_rows_far_out_do_not_press_the_rest_flat() -> None:
    found = bars([*range(100, 200), *range(100, 200), *range(100, 200), 1_000_000])
    assert found[0] == ("100 to 104", 15) and found[-1] == ("195 and more", 16)
    found = bars([-50, *range(100, 200), *range(100, 200), *range(100, 200)])
    assert found[0] == ("up to 104", 16) and found[-1] == ("195 to 199", 15)


def test_what_is_not_finite_counts_as_nothing() -> None:
    found = described(x=[0.5, float("nan"), float("inf"), None, 0.5])["x"]
    assert isinstance(found, column_profiles.Distribution)
    assert (found.nulls, found.low, found.high, found.bins) == (3, 0.5, 0.5, (column_profiles.Bin("0 to 1", 2),))


def test_the_number_of_a_row_and_its_name_are_no_figures() -> None:
    many = 200
    found = described(serial=list(range(many)), row_id=[f"a:{n:08}" for n in range(many)], empty=[None] * many)
    assert found == {}


def test_texts_are_told_by_their_values_while_these_are_short_and_come_again() -> None:
    found = described(a_topic=["x", "y", "x", None], text=["long " * n for n in (20, 30, 40, 40)], ok=[True] * 4)
    assert found["a topic"] == column_profiles.TopValues("a topic", 1, 2, (("x", 2), ("y", 1)), 0)
    assert found["ok"] == column_profiles.TopValues("ok", 0, 1, (("true", 4),), 0)
    text = found["text"]
    assert isinstance(text, column_profiles.Distribution) and text.of_lengths
    assert (text.low, text.median, text.mean, text.high) == (100, 175, 162.5, 200)


def test_a_few_long_texts_among_short_ones_count_as_others() -> None:
    found = described(v=["x"] * 500 + ["y" * 61])["v"]
    assert found == column_profiles.TopValues("v", 0, 1, (("x", 500),), 1)


def test_values_beyond_the_most_frequent_are_counted_together() -> None:
    found = described(v=[f"value {n % 50}" for n in range(1000)] + ["value 7"])["v"]
    assert isinstance(found, column_profiles.TopValues)
    assert (found.distinct, len(found.values), found.values[0], found.other_rows) == (50, 12, ("value 7", 21), 760)


# -- the whole --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "folder", pytest.param("s3", marks=pytest.mark.system)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "a lake [1] of 'é' #5%")
    return str(request.getfixturevalue({"memory": "lake", "s3": "s3_lake"}[request.param]))


def test_a_run_is_told_on_every_kind_of_store(url: str, tmp_path: Path) -> None:
    table = [make_attempt(n) for n in range(20)] + [make_attempt(20, response="broken"), make_attempt(21, answer=None)]
    manifest = verify(Source(input=(write_jsonl(tmp_path / "a.jsonl", table),), shard_rows=4), Compare(), url)
    found = dataset_summary.read_summary(open_store(url), manifest)
    assert [(d.step, d.reason, d.failed, d.outcomes) for d in found.dropped] == [
        ("seed", "null answer", True, 1),
        ("compare", "stage failed", True, 1),
        ("attach_verdicts", "no verdict", False, 1),
    ]
    assert "cannot be compared" in found.dropped[1].examples[0]["error"]
    assert '"response": "broken"' in found.dropped[2].examples[0]["row"]
    assert found.generators == {}, "rows of a file are no generator's"
    verdict = next(column for column in found.columns if column.column == "verdict")
    assert isinstance(verdict, column_profiles.TopValues) and verdict.values == (("correct", 10), ("wrong", 10))
    assert len(found.samples) == 8 and found.samples == dataset_summary.read_summary(open_store(url), manifest).samples
    serials = [row["row_id"] for row in found.samples]
    assert serials == sorted(set(serials)), "in the order of the table, none twice"


def test_columns_that_make_a_mix_are_crossed() -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t AS SELECT n % 2 = 0 AS source, n, n % 3 AS type FROM range(10) AS r(n)")
        con.execute("CREATE TABLE alone AS SELECT source FROM t")
        found = dataset_summary._count_mix(con, "t")
        assert dataset_summary._count_mix(con, "alone") == []
        con.execute("CREATE TABLE many AS SELECT n AS source, n AS type FROM range(51) AS r(n)")
        assert dataset_summary._count_mix(con, "many") == []
    assert found[0] == {"source": False, "type": 0, "rows": 2}
    assert len(found) == 6 and sum(row["rows"] for row in found) == 10


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    manifest = verify(
        Source(input=(write_jsonl(tmp_path / "a.jsonl", [make_attempt(1)]),)), Compare(), str(tmp_path / "lake")
    )
    [file] = (tmp_path / "lake/datasets/verified").glob("*/*.parquet")
    file.unlink()
    with pytest.raises(QuestmillError, match=rf"^view published cannot be read: .*{file.name}.*; restore the file"):
        dataset_summary.read_summary(Store(str(tmp_path / "lake")), manifest)


def test_two_examples_a_reason_are_enough(lake: str) -> None:
    manifest = published(lake, {"a": 9}, Halve())
    odd, four, broken = dataset_summary.read_summary(open_store(lake), manifest).dropped
    assert (odd.reason, odd.outcomes, len(odd.examples)) == ("odd", 3, 2)
    assert (four.reason, four.outcomes, [each["row_id"] for each in four.examples]) == ("four", 1, ["a:000000004/0"])
    assert (broken.reason, broken.failed, broken.examples[0]["error"]) == ("odd luck", True, "seven")


# -- generators -------------------------------------------------------------------------------------------------------

QUESTIONS = pa.schema([required("row_id", pa.string()), required("n", pa.int64())])


class Halve(Stage):
    """Two rows of an even one, none of an odd one; the first of the two is turned down where the number is 4."""

    table: ClassVar[pa.Schema] = QUESTIONS

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject | Quarantine]:
        for row in batch:
            n, row_id = row["number"], row["row_id"]
            if n == 7:
                yield Quarantine(row, "odd luck", "seven")
            elif n % 2:
                yield Reject(row, "odd")
            else:
                first = {"row_id": f"{row_id}/0", "n": n}
                yield Reject(first, "four") if n == 4 else first
                yield {"row_id": f"{row_id}/1", "n": n}


class Small(Merge):
    """Keeps what is below 6."""

    inputs: ClassVar[tuple[str, ...]] = ("halves",)

    def sql(self) -> str:
        return "SELECT *, CASE WHEN n >= 6 THEN 'large' END AS reject FROM halves ORDER BY row_id"


def published(lake: str, generators: dict[str, int], *stages: Stage, shard_rows: int = 4) -> Manifest:
    """Blank rows of each generator, worked by `stages`, published as `halves`."""
    tables = [[worker.run_empty_rows(rows, shard_rows, lake, f"{name}:") for name, rows in generators.items()]]
    for stage in stages:
        tables.append(run_stage(stage, tables[-1], lake))
    return run_publish("halves", tables, {}, None, lake)


def lines(found: dataset_summary.DatasetSummary, name: str) -> dict[str, tuple[int, int, dict[str, int], int, int]]:
    counts = found.generators[name]
    return {c.step: (c.rows_in, c.kept, c.rejected, sum(c.quarantined.values()), c.rows_out) for c in counts}


def test_each_generator_has_a_funnel_of_its_own(lake: str) -> None:
    found = dataset_summary.read_summary(open_store(lake), published(lake, {"ann": 9, "bob": 3}, Halve()))
    assert list(found.generators) == ["ann", "bob"]
    assert lines(found, "ann") == {"empty_rows": (9, 9, {}, 0, 9), "halve": (9, 5, {"odd": 3}, 1, 9)}
    assert lines(found, "bob") == {"empty_rows": (3, 3, {}, 0, 3), "halve": (3, 2, {"odd": 1}, 0, 4)}


def test_a_wide_step_over_two_generators_is_told_apart(lake: str) -> None:
    blanks = [worker.run_empty_rows(rows, 4, lake, f"{name}:") for name, rows in (("ann", 9), ("bob", 7))]
    halves = run_stage(Halve(), blanks, lake)
    small = worker.run_merge(Small(), [halves], 4, lake)
    manifest = run_publish("halves", [blanks, halves, [small]], {}, None, lake)
    found = dataset_summary.read_summary(open_store(lake), manifest)
    assert lines(found, "ann")["small"] == (9, 5, {"large": 4}, 0, 5)
    assert lines(found, "bob")["small"] == (7, 5, {"large": 2}, 0, 5)
    for number, count in enumerate(manifest.ledger):
        assert sum(funnel[number].kept for funnel in found.generators.values()) == count.kept


def test_a_shard_of_two_generators_counts_each_input_row_once_and_shares_its_costs(lake: str) -> None:
    store = open_store(lake)
    both = [{"row_id": f"{name}:{n}", "number": n} for name, rows in (("ann", 6), ("bob", 2)) for n in range(rows)]
    part = store.put(pa.Table.from_pylist(both))
    blanks = store.commit(Receipt(step="empty_rows", key="k", inputs=(), rows_in=8, kept=8, parts=(part,)))
    [halves] = run_stage(Halve(), [blanks], lake)
    priced = halves.model_copy(update={"usage": Usage(prompt_tokens=80, completion_tokens=8, gpu_seconds=4.0)})
    store.remove("receipts/halve")
    store.commit(priced)
    found = dataset_summary.read_summary(store, run_publish("halves", [[blanks], [priced]], {}, None, lake))
    assert lines(found, "ann")["halve"] == (6, 3, {"odd": 3}, 0, 5)
    assert lines(found, "bob")["halve"] == (2, 1, {"odd": 1}, 0, 2)
    spent = {name: found.generators[name][1].usage for name in ("ann", "bob")}
    assert spent["ann"] == Usage(prompt_tokens=60, completion_tokens=6, gpu_seconds=3.0)
    assert spent["bob"] == Usage(prompt_tokens=20, completion_tokens=2, gpu_seconds=1.0)


# -- noise ------------------------------------------------------------------------------------------------------------

RATE: Row = {"figure": "false accepts", "value": 0.01, "low": 0.005, "high": 0.02, "n": 1000, "note": None}


def test_measured_noise_is_taken_from_the_dataset_of_that_name(lake: str) -> None:
    store = open_store(lake)
    manifest = published(lake, {"ann": 9}, Halve())
    assert dataset_summary.read_summary(store, manifest).error_rates == ()
    rates = pa.Table.from_pylist([RATE], schema=error_rates.SCHEMA)
    measured = store.commit(Receipt(step="measure", key="k", inputs=(), rows_in=1, kept=1, parts=(store.put(rates),)))
    run_publish("error_rates", [[measured]], {}, None, lake)
    assert dataset_summary.read_summary(store, manifest).error_rates == (RATE,)
    assert dataset_summary.read_summary(store, manifest, measured_rates=[]).error_rates == ()


def test_what_the_ladder_judged_says_what_the_ladder_is_worth(lake: str) -> None:
    class Grade(Halve):
        """A step of that name."""

        label: ClassVar[str] = "keep_decided"

    told = dataset_summary.read_summary(open_store(lake), published(lake, {"ann": 9}, Grade())).error_rates
    assert [row["figure"] for row in told[:2]] == ["verifier: false accepts", "verifier: false rejects"]
    assert {f"verifier, real golds: false {what}" for what in ("accepts", "rejects")} <= {row["figure"] for row in told}
    assert all(row["low"] <= row["value"] <= row["high"] for row in told)
    assert all(row["high"] < 0.01 for row in told[:2])


def judged_by(lake: str, *steps: str, recipe: Row | None = None) -> dataset_summary.DatasetSummary:
    """The figures of a version whose ledger has these steps beside others."""
    manifest = published(lake, {"ann": 9}, Halve())
    (count, *_) = manifest.ledger
    ledger = (*manifest.ledger, *(count.model_copy(update={"step": step}) for step in steps))
    told = manifest.model_copy(update={"ledger": ledger, "recipe": recipe or {}})
    return dataset_summary.DatasetSummary(
        **dict.fromkeys(("columns", "mix", "dropped", "warnings", "samples"), ()),
        **{"manifest": told, "run": {}, "generators": {}},
        error_rates=tuple(dataset_summary._verifier_error_rates(told)),
        unmeasured_verifiers=tuple(dataset_summary._explain_unmeasured(told)),
    )


@pytest.mark.parametrize("step", ["verify", "keep_decided", "validate_correction", *dataset_summary.UNMEASURED_STEPS])
def test_a_report_tells_the_rates_of_every_verifier_or_why_there_are_none(lake: str, step: str) -> None:
    found = judged_by(lake, step)
    rates, lines = [row["figure"] for row in found.error_rates], list(found.unmeasured_verifiers)
    assert bool(rates) == (step in dataset_summary.ANSWER_MATCH_STEPS) and bool(lines) == (
        step in dataset_summary.UNMEASURED_STEPS
    )
    assert rates or "no rates were measured for" in lines[0]
    assert all(line.startswith(f"{step}: ") and line.endswith(".") and "\n" not in line for line in lines)
    (section,) = [each for each in build_report(found).sections if each.title == "Measured error rates"]
    assert section.blocks[-len(lines) :] == [Paragraph(line) for line in lines] if lines else len(section.blocks) == 1


def test_a_report_of_rows_that_nobody_judged_says_so(lake: str) -> None:
    assert dataset_summary.read_summary(
        open_store(lake), published(lake, {"ann": 9}, Halve())
    ).unmeasured_verifiers == (dataset_summary.NO_VERIFIER,)


def test_the_steps_that_judge_are_those_of_the_verifiers() -> None:
    ladder = (Verify, KeepDecided, ValidateCorrection, Execute, VerifyByOracle)
    others = (
        Execute,
        VerifyByOracle,
        MajorityVote,
        WeightedVote,
        RewardThreshold,
        JudgeResponse,
        VerdictFromPairs,
        CombineVerdicts,
        SelectAnswer,
    )
    assert {step.label for step in ladder} == {*dataset_summary.ANSWER_MATCH_STEPS}
    assert {step.label for step in (*others, SelectAnswer)} == {*dataset_summary.UNMEASURED_STEPS}
    recipe = Verification(input=("a.jsonl",)).model_dump()
    recipe |= {
        name: value for name, value in Lemma().model_dump().items() if name in ("keep_decided", "validate_corrections")
    }
    for path in dataset_summary.ANSWER_MATCH_STEPS.values():
        part = recipe
        for name in path:
            part = part[name]
        assert part["tolerance"] == 0


def test_rates_say_that_they_were_measured_without_the_tolerance_of_the_recipe(lake: str) -> None:
    recipe = {"answer_match": {"tolerance": 0.05}, "execute": {"answer_match": {"tolerance": 0.0}}}
    for row in judged_by(lake, "verify", "execute", recipe=recipe).error_rates:
        assert row["note"].endswith("; measured without a tolerance, but verify allowed 0.05")
    for steps in (("execute",), ("keep_decided",)):
        assert not any("tolerance" in row["note"] for row in judged_by(lake, *steps, recipe=recipe).error_rates)


def test_a_dataset_called_noise_of_another_shape_is_none(lake: str) -> None:
    store = open_store(lake)
    part = store.put(pa.table({"row_id": ["hiss"]}))
    receipt = store.commit(Receipt(step="record", key="k", inputs=(), rows_in=1, kept=1, parts=(part,)))
    manifest = run_publish("error_rates", [[receipt]], {}, None, lake)
    assert dataset_summary.read_summary(store, manifest).error_rates == ()
