"""Every row that goes into a step comes out once: kept, rejected, quarantined, or the step fails and names it."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pyarrow as pa
import pytest

from infra import engines
from infra.cluster import merge_writer, worker
from infra.cluster.stall_watch import WATCH
from infra.lake.store import open_store
from schemas.arrow import is_measured, measured, required
from schemas.engine_specs import EmbeddedSpec
from schemas.errors import LedgerError, SchemaError, VerifierBroken
from schemas.identity import NotIdentity
from schemas.input import Source
from schemas.outcomes import Quarantine, Reject, Row
from schemas.prompts import Sampling
from schemas.receipts import Receipt
from schemas.steps import Filter, Merge, Stage
from schemas.tables import verdicts
from tasks.answers.solve import Solve
from tasks.questions.write import WriteQuestion
from tasks.verification.attach_verdicts import AttachVerdicts
from tests.support.pipeline import Compare, make_attempt, read_rows, run_stage, seed, write_jsonl

LENGTH = pa.schema([required("row_id", pa.string()), required("n", pa.int64()), measured("milliseconds", pa.float32())])


def length(row: Row, n: int | None = None) -> Row:
    return {"row_id": row["row_id"], "n": len(row["question"]) if n is None else n, "milliseconds": 0.5}


class Told(Stage):
    """A stage that does what a function says."""

    table: ClassVar[pa.Schema] = LENGTH

    variant: str = "told"
    """Part of the identity, as every field."""
    behaviour: Annotated[Callable[[Row], list[Any]], NotIdentity]
    """Outcomes of a row."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Any]:
        for row in batch:
            yield from self.behaviour(row)


@pytest.fixture
def attempts(tmp_path: Path, lake: str) -> Receipt:
    """One shard of twelve rows."""
    path = write_jsonl(tmp_path / "a.jsonl", [make_attempt(n) for n in range(12)])
    (receipt,) = seed(Source(input=(path,)), lake)
    return receipt


def tell(behaviour: Callable[[Row], list[Any]], upstream: Receipt, lake: str) -> Receipt:
    return worker.run_shard(Told(behaviour=behaviour), None, upstream.parts[0], lake)


def is_row(row: Row, *numbers: int) -> bool:
    return int(row["response"]) in numbers


def test_each_row_may_be_kept_rejected_or_quarantined(attempts: Receipt, lake: str) -> None:
    def behaviour(row: Row) -> list[Any]:
        if is_row(row, 1, 2):
            return [Reject(row, "short")]
        return [Quarantine(row, "silent", "no reply", 3)] if is_row(row, 3) else [length(row)]

    receipt = tell(behaviour, attempts, lake)
    assert (receipt.rows_in, receipt.kept, receipt.rejected) == (12, 9, {"short": 2})
    assert receipt.quarantined == {"silent": 1} and receipt.is_balanced
    store = open_store(lake)
    assert receipt.rejects is not None and receipt.quarantine is not None
    first, _ = store.get(receipt.rejects).to_pylist()
    assert (first["stage"], first["reason"], json.loads(first["row"])["response"]) == ("told", "short", "1")
    (failed,) = store.get(receipt.quarantine).to_pylist()
    assert (failed["reason"], failed["error"], failed["attempts"]) == ("silent", "no reply", 3)


def test_a_lost_row_is_named(attempts: Receipt, lake: str) -> None:
    with pytest.raises(
        LedgerError, match=r"stage told lost row '\w{12}:00000003': yield it, or a Reject with a reason"
    ):
        tell(lambda row: [] if is_row(row, 2) else [length(row)], attempts, lake)
    assert [r.step for r in open_store(lake).read_receipts()] == ["seed"], "nothing is committed"


def test_an_invented_row_is_named(attempts: Receipt, lake: str) -> None:
    with pytest.raises(LedgerError, match="stage told yielded row 'new', but was not given it: keep the `row_id`"):
        tell(lambda row: [length(row), length({**row, "row_id": "new"})], attempts, lake)
    with pytest.raises(LedgerError, match="stage told yielded row None, but was not given it"):
        tell(lambda row: [{"n": 1}], attempts, lake)


def test_a_row_that_makes_the_stage_raise_is_quarantined_and_the_others_are_kept(attempts: Receipt, lake: str) -> None:
    def behaviour(row: Row) -> list[Any]:
        return [length(row)] if not is_row(row, 5) else [1 / 0]

    receipt = tell(behaviour, attempts, lake)
    assert (receipt.kept, receipt.quarantined) == (11, {"stage failed": 1}) and receipt.quarantine is not None
    (failed,) = open_store(lake).get(receipt.quarantine).to_pylist()
    assert failed["error"] == "ZeroDivisionError: division by zero" and failed["row_id"].endswith("00000006")


@pytest.mark.parametrize("excess", [0, 1])
def test_a_shard_is_given_up_if_more_rows_fail_than_may(attempts: Receipt, lake: str, excess: int) -> None:
    def behaviour(row: Row) -> list[Any]:
        return [length(row)] if int(row["response"]) >= worker.MAX_FAILED_ROWS + excess else [1 / 0]

    with pytest.raises(ZeroDivisionError) if excess else contextlib.nullcontext():
        receipt = tell(behaviour, attempts, lake)
        assert (receipt.kept, receipt.quarantined) == (4, {"stage failed": worker.MAX_FAILED_ROWS})


def test_a_stage_that_always_raises_fails_with_its_own_error(attempts: Receipt, lake: str) -> None:
    with pytest.raises(ZeroDivisionError):
        tell(lambda row: [1 / 0], attempts, lake)
    assert [r.step for r in open_store(lake).read_receipts()] == ["seed"]


def test_an_error_of_ours_is_never_taken_for_a_bad_row(attempts: Receipt, lake: str) -> None:
    def behaviour(row: Row) -> list[Any]:
        if is_row(row, 5):
            raise VerifierBroken("1 is not 1")
        return [length(row)]

    with pytest.raises(VerifierBroken, match="1 is not 1"):
        tell(behaviour, attempts, lake)


def test_wrong_columns_are_named(attempts: Receipt, lake: str) -> None:
    with pytest.raises(SchemaError, match=r"step told: row '.*' has unknown columns \['m'\] and lacks \[\]"):
        tell(lambda row: [length(row) | {"m": 1}], attempts, lake)
    with pytest.raises(SchemaError, match=r"step told: column 'n' does not hold int64 in row '\w{12}:00000001'"):
        tell(lambda row: [length(row) | {"n": "many"}], attempts, lake)


def test_one_row_may_become_several(attempts: Receipt, lake: str) -> None:
    receipt = tell(lambda row: [length(row, n) for n in range(3)], attempts, lake)
    assert (receipt.rows_in, receipt.kept, receipt.parts[0].rows) == (12, 12, 36)


def test_a_row_with_some_samples_kept_counts_as_kept_and_its_rejects_are_told(attempts: Receipt, lake: str) -> None:
    receipt = tell(lambda row: [Reject(row, "cut_off"), length(row), Reject(row, "no_answer")], attempts, lake)
    assert (receipt.kept, receipt.rejected) == (12, {}) and receipt.rejects is not None and receipt.rejects.rows == 24


def test_a_row_whose_samples_are_all_rejected_counts_once_by_its_first_reason(attempts: Receipt, lake: str) -> None:
    receipt = tell(lambda row: [Reject(row, "cut_off"), Reject(row, "no_answer")], attempts, lake)
    assert (receipt.kept, receipt.rejected, receipt.parts[0].rows) == (0, {"cut_off": 12}, 0) and receipt.is_balanced


def test_an_empty_shard_is_work_done(attempts: Receipt, lake: str) -> None:
    nothing = tell(lambda row: [Reject(row, "all")], attempts, lake)
    receipt = worker.run_shard(Told(variant="next", behaviour=lambda row: []), None, nothing.parts[0], lake)
    assert (receipt.rows_in, receipt.kept) == (0, 0) and receipt.parts[0].rows == 0


def test_a_shard_that_is_done_is_not_worked_again(attempts: Receipt, lake: str) -> None:
    worked: list[Row] = []
    first = tell(lambda row: [worked.append(row), length(row)][1:], attempts, lake)
    again = tell(lambda row: [worked.append(row), length(row)][1:], attempts, lake)
    assert (
        len(worked) == 12
        and (first.was_cached, again.was_cached) == (False, True)
        and again == first.model_copy(update={"was_cached": True})
    )


def test_every_field_counts_for_the_key_except_where(attempts: Receipt, lake: str) -> None:
    def key(**fields: Any) -> str:
        return worker.run_shard(Told(behaviour=lambda row: [length(row)], **fields), None, attempts.parts[0], lake).key

    assert key() == key(role="solver") != key(variant="other")


# -- merges -----------------------------------------------------------------------------------------------------------


class Select(Merge):
    """A merge of one table that runs the SQL it is given."""

    inputs: ClassVar[tuple[str, ...]] = ("given",)
    query: str

    def sql(self) -> str:
        return self.query


def merged(query: str, tables: list[Receipt], lake: str, shard_rows: int = 5) -> Receipt:
    return worker.run_merge(Select(query=query), [tables], shard_rows, lake)


@pytest.fixture
def lengths(attempts: Receipt, lake: str) -> list[Receipt]:
    return run_stage(Told(behaviour=lambda row: [length(row)]), [attempts], lake)


def test_a_merge_cuts_its_rows_into_shards_in_order(lengths: list[Receipt], lake: str) -> None:
    receipt = merged("SELECT * FROM given ORDER BY row_id DESC", lengths, lake)
    assert [part.rows for part in receipt.parts] == [5, 5, 2] and receipt.is_balanced
    ids = [row["row_id"] for row in read_rows(open_store(lake), [receipt])]
    assert ids == sorted(ids, reverse=True) and len(ids) == 12


def test_an_input_a_stage_and_a_merge_note_their_progress(
    tmp_path: Path, lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a long one would be reported to make none."""
    noted: list[str] = []
    monkeypatch.setattr(WATCH, "note_progress", lambda: noted.append("row"))
    path = write_jsonl(tmp_path / "a.jsonl", [make_attempt(n) for n in range(12)])
    [attempts] = seed(Source(input=(path,)), lake)
    assert len(noted) == 12
    told = run_stage(Told(behaviour=lambda row: [length(row)]), [attempts], lake)
    assert len(noted) == 24
    merged("SELECT * FROM given ORDER BY row_id", told, lake)
    assert len(noted) == 27, "once for each batch of five rows"


def test_the_column_reject_turns_rows_down(lengths: list[Receipt], lake: str) -> None:
    query = "SELECT *, CASE WHEN row_id LIKE '%2' THEN 'two' END AS reject FROM given ORDER BY row_id"
    receipt = merged(query, lengths, lake)
    assert (receipt.kept, receipt.rejected) == (10, {"two": 2})
    assert all("reject" not in row for row in read_rows(open_store(lake), [receipt]))


def test_a_merge_that_loses_or_doubles_rows_fails(lengths: list[Receipt], lake: str) -> None:
    with pytest.raises(LedgerError, match="step select: 12 rows in, but 11 kept"):
        merged("SELECT * FROM given ORDER BY row_id LIMIT 11", lengths, lake)
    with pytest.raises(LedgerError, match="step select: 12 rows in, but 24 kept"):
        merged("SELECT given.* REPLACE (row_id || i AS row_id) FROM given, (VALUES (1), (2)) t(i)", lengths, lake)


@pytest.mark.parametrize("order", ["", "DESC"])
def test_rejects_are_counted_by_reason_in_whatever_order_the_rows_come(
    lengths: list[Receipt], lake: str, order: str
) -> None:
    query = (
        "SELECT *, CASE WHEN row_id LIKE '%2' THEN 'two' WHEN row_id LIKE '%3' THEN 'three' END AS reject FROM given"
    )
    receipt = merged(f"{query} ORDER BY row_id {order}", lengths, lake)
    assert (receipt.kept, receipt.rejected) == (9, {"three": 1, "two": 2}) and receipt.rejects is not None
    told = open_store(lake).get(receipt.rejects).to_pylist()
    assert sorted(row["reason"] for row in told) == ["three", "two", "two"]
    assert [json.loads(row["row"])["row_id"] for row in told] == [row["row_id"] for row in told]


def test_a_row_that_a_merge_keeps_and_rejects_counts_once(lengths: list[Receipt], lake: str) -> None:
    query = "SELECT *, CASE WHEN i = 2 THEN 'again' END AS reject FROM given, (VALUES (1), (2)) t(i) ORDER BY row_id, i"
    receipt = merged(query, lengths, lake)
    assert (receipt.kept, receipt.rejected) == (12, {})


def test_many_rejects_are_one_object(lengths: list[Receipt], lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_writer, "REJECTS_PER_GROUP", 5)
    receipt = merged("SELECT *, 'all' AS reject FROM given ORDER BY row_id", lengths, lake)
    assert (receipt.kept, receipt.rejected, [part.rows for part in receipt.parts]) == (0, {"all": 12}, [0])
    assert receipt.rejects is not None and receipt.rejects.rows == 12
    assert len(set(open_store(lake).get(receipt.rejects)["row_id"].to_pylist())) == 12


def test_measurements_stay_measurements_through_a_merge(lengths: list[Receipt], lake: str) -> None:
    receipt = merged("SELECT * FROM given ORDER BY row_id", lengths, lake)
    fields = open_store(lake).read_schema(receipt.parts[0])
    assert [field.name for field in fields if is_measured(field)] == ["milliseconds"]


def test_a_merge_that_is_done_is_not_done_again(lengths: list[Receipt], lake: str) -> None:
    query = "SELECT * FROM given ORDER BY row_id"
    assert [merged(query, lengths, lake).was_cached for _ in range(2)] == [False, True]
    assert not merged(query, lengths, lake, shard_rows=4).was_cached


def test_verdicts_join_their_attempts_and_what_has_none_is_rejected(tmp_path: Path, lake: str) -> None:
    table = [make_attempt(n, verdict="theirs", reject="theirs") for n in range(6)] + [
        make_attempt(9, response="broken")
    ]
    attempted = seed(Source(input=(write_jsonl(tmp_path / "a.jsonl", table),), shard_rows=3), lake, Compare.table.names)
    judged = run_stage(Compare(), attempted, lake)
    receipt = worker.run_merge(AttachVerdicts(), [attempted, judged], 4, lake)
    assert (receipt.kept, receipt.rejected) == (6, {"no verdict": 1})
    assert receipt.other_inputs == tuple(part.digest for r in judged for part in r.parts)
    first = read_rows(open_store(lake), [receipt])[0]
    assert (first["verdict"], first["input_verdict"], first["input_reject"]) == ("correct", "theirs", "theirs")


def test_a_row_that_becomes_several_is_kept_once_in_the_ledger_and_so_are_its_children(lake: str) -> None:
    def three(row: Row) -> list[Any]:
        kept = [{"row_id": f"{row['row_id']}/{n}", "n": n, "milliseconds": 0.5} for n in range(2)]
        return [*kept, Reject({**row, "row_id": f"{row['row_id']}/2"}, "one too many")]

    stage = Told(behaviour=three)
    first = worker.run_shard(stage, None, worker.run_empty_rows(3, 10, lake).parts[0], lake)
    assert (first.rows_in, first.kept, first.parts[0].rows, first.rejected) == (3, 3, 6, {})
    second = worker.run_shard(stage, None, first.parts[0], lake)
    assert (second.rows_in, second.kept, second.parts[0].rows) == (6, 6, 12)
    ids = open_store(lake).get(second.parts[0])["row_id"].to_pylist()
    assert len(set(ids)) == 12
    assert ids[0] == "000000000/0/0"


ADDED = pa.schema([required("length", pa.int64())])


class Measure(Stage):
    """Adds the length of the question."""

    adds: ClassVar[pa.Schema] = ADDED
    needs: ClassVar[tuple[str, ...]] = ("question",)

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row]:
        for row in batch:
            yield row | {"length": len(row["question"])}


class Rewrite(Told):
    """Makes new rows, which take the place of its input's."""

    carries_user_columns: ClassVar[bool] = True


class KeepShort(Filter):
    """Keeps the rows whose response is short."""

    needs: ClassVar[tuple[str, ...]] = ("response",)

    def reject_reason(self, row: Row) -> str | None:
        return None if len(row["response"]) < 2 else "long"


class Shorten(Merge):
    """A merge that names its columns, and leaves out those of users."""

    inputs: ClassVar[tuple[str, ...]] = ("attempts",)

    def sql(self) -> str:
        return "SELECT row_id, question FROM attempts ORDER BY row_id DESC"


def test_a_users_column_passes_every_kind_of_step_with_its_type_and_stands_last(tmp_path: Path, lake: str) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [make_attempt(n) | {"level": n * 1.5} for n in range(12)])
    (attempts,) = seed(Source(input=(path,)), lake)
    store = open_store(lake)
    steps: list[Receipt] = [worker.run_shard(Measure(), None, attempts.parts[0], lake)]
    steps.append(worker.run_shard(KeepShort(), None, steps[-1].parts[0], lake))
    steps.append(worker.run_merge(Shorten(), [[steps[-1]]], 4, lake))
    steps.append(worker.run_shard(Rewrite(behaviour=lambda row: [length(row, 1)]), None, steps[-1].parts[0], lake))
    schemas = [store.read_schema(receipt.parts[0]) for receipt in steps]
    assert [schema.names[-1] for schema in schemas] == ["level"] * 4
    assert [schema.field("level").type for schema in schemas] == [pa.float64()] * 4
    assert schemas[1] == schemas[0] and "length" in schemas[1].names, "a filter changes no column"
    assert steps[1].rejected == {"long": 2} and schemas[2].names == ["row_id", "question", "level"]
    merged = [row for part in steps[2].parts for row in store.get(part).to_pylist()]
    assert [row["level"] for row in merged] == [n * 1.5 for n in reversed(range(10))]
    assert [row["level"] for row in store.get(steps[3].parts[0]).to_pylist()] == [n * 1.5 for n in range(9, 5, -1)]


class CarryingCompare(Compare):
    """Verdicts that keep the columns of users."""

    carries_user_columns: ClassVar[bool] = True


def test_a_users_column_that_both_inputs_of_a_merge_bring_is_there_once(tmp_path: Path, lake: str) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [make_attempt(n) | {"level": n * 1.5} for n in range(4)])
    attempted = seed(Source(input=(path,)), lake, verdicts.VERDICT_SCHEMA.names)
    merged = worker.run_merge(AttachVerdicts(), [attempted, run_stage(CarryingCompare(), attempted, lake)], 4, lake)
    table = open_store(lake).get(merged.parts[0])
    assert (table.schema.names.count("level"), table.schema.names[-1]) == (1, "level")
    assert table["level"].to_pylist() == [0.0, 1.5, 3.0, 4.5]


def test_a_stage_names_the_column_that_its_input_lacks(attempts: Receipt, lake: str) -> None:
    told = tell(lambda row: [length(row)], attempts, lake)
    with pytest.raises(SchemaError, match="stage keep_short needs the column 'response'; its input has row_id, n"):
        worker.run_shard(KeepShort(), None, told.parts[0], lake)


def test_a_filter_that_would_add_a_column_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="KeepAndAdd is a filter, which keeps its input's columns"):
        type("KeepAndAdd", (KeepShort,), {"adds": ADDED, "__annotations__": {"adds": ClassVar[pa.Schema]}})


def test_what_a_model_wrote_is_kept_with_the_rows_that_are_lost(lake: str) -> None:
    spec = engines.pin_model(EmbeddedSpec())
    blanks = worker.run_empty_rows(3, 3, lake)
    receipt = worker.run_shard(WriteQuestion(sampling=Sampling(max_tokens=4)), spec, blanks.parts[0], lake)
    assert receipt.kept == 0 and receipt.rejects is not None
    lost = open_store(lake).get(receipt.rejects).to_pylist()
    assert [row["reason"] for row in lost] == ["cut_off"] * 3
    for row in lost:
        (reply,) = row["replies"]
        assert reply["text"] and (reply["reasoning"], reply["finish_reason"]) == (None, "length")
    engines.unload()


def test_the_replies_about_a_row_are_kept_once(lake: str) -> None:
    stage = Solve(sampling=Sampling(n=2, temperature=0.7, max_tokens=3))
    table = pa.table({"row_id": ["q"], "question": ["What is 2 + 2?"]})
    part = open_store(lake).put(table)
    given = Receipt(step="s", key="k", inputs=(), rows_in=1, kept=1, parts=(part,))
    receipt = worker.run_shard(stage, engines.pin_model(EmbeddedSpec()), given.parts[0], lake)
    assert receipt.rejects is not None
    first, second = open_store(lake).get(receipt.rejects).to_pylist()
    assert len(first["replies"]) == 2 and second["replies"] is None
    engines.unload()
