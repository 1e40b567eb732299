"""The tasks of Dask workers, but for training: each reads objects, writes objects and commits one receipt.

Each is safe to run twice, even at the same time: a receipt that is already there is returned at once, and if two
workers finish together, the first receipt counts.
"""

import json
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any, cast

import pyarrow as pa

from infra.cluster.earlier_work import find_merge_work, find_work
from infra.cluster.merge_writer import MergeWriter
from infra.cluster.partitioning import Partitioning, load_partitions
from infra.cluster.stall_watch import WATCH
from infra.lake import catalog, input_files
from infra.lake.store import Store, open_store
from schemas.arrow import conform, is_user_column, user_column
from schemas.budget import Account
from schemas.code_policy import CodePolicy
from schemas.errors import LedgerError, QuestmillError
from schemas.identity import fingerprint
from schemas.input import ColumnNames, Source, SourceFile
from schemas.outcomes import Quarantine, Reject, Row
from schemas.receipts import Committed, Part, Receipt, Usage
from schemas.row_ids import empty_row_id, file_row_id, parent_id
from schemas.steps import Merge, PartitionedMerge, Stage
from schemas.tables import attempts, empty_rows, quarantine, rejects

MAX_FAILED_ROWS = 8
"""Rows of one shard that may raise before the stage itself is considered to be at fault."""

NO_ACCOUNT, NO_USAGE, USE_EARLIER_WORK = Account(), Usage(), CodePolicy()

Outcome = Row | Reject | Quarantine


def check_source(url: str, source: Source, lake: str) -> SourceFile:
    """Check every row of one input file, unless equal bytes were checked before; writes nothing. Raises `BadInput`."""
    return input_files.check_once(open_store(lake), url, source)


def run_seed(file: SourceFile, types: dict[str, str], source: Source, reserved_names: list[str], lake: str) -> Receipt:
    """Split one checked file into shards of attempts; rows without question, response or answer are quarantined.

    `types`: types of the user's columns over all files, by name.
    """
    store, started = open_store(lake), time.monotonic()
    key = fingerprint(
        "seed",
        input_files.SEED_VERSION,
        file.digest,
        file.copy_number,
        ColumnNames.model_validate(source.columns.names_in(file.url)),
        *filter(None, [source.columns.renamed_in(file.url)]),
        source.shard_rows,
        types,
        reserved_names,
    )
    if done := store.read_receipt("seed", key):
        if done.rows_in == file.rows:
            input_files.remember_checked(store, file, source)
        return done
    store.begin_work("seed")
    own = {input_files.REASONING} if input_files.has_reasoning(types) else set()
    names = input_files.resolve_name_clashes([n for n in types if n not in own], [*reserved_names, "reject"])
    extra = [user_column(new, input_files.TYPE_OF_NAME.get(types[n], pa.string())) for n, new in names.items()]
    schema = pa.schema([*attempts.SCHEMA, *extra])
    writer = _OutcomeWriter(store, "seed", schema, source.shard_rows)
    for number, ours, others in input_files.read_rows(file, source, types):
        WATCH.note_progress()
        row = {"row_id": file_row_id(file.digest, file.copy_number, number)} | ours | dict.fromkeys(names.values())
        row |= {names[name]: value for name, value in others.items()}
        empty = [n for n in ("question", "response", "answer") if row[n] is None]
        writer.add(Quarantine(row, f"null {empty[0]}", f"column {empty[0]!r} is null", 1) if empty else row)
    input_files.remember_checked(store, file, source)
    return store.commit(writer.finish(key, (file.digest,), file.rows, started, {"source": file.url}))


def run_empty_rows(rows: int, shard_rows: int, lake: str, id_prefix: str = "") -> Receipt:
    """Make `rows` empty rows, numbered from 0, as the input of a step that generates without one.

    Their ids begin with `id_prefix`, so that two generators with the same model do not write the same questions.
    """
    store, started = open_store(lake), time.monotonic()
    key = fingerprint("empty_rows", str(empty_rows.SCHEMA), rows, shard_rows, id_prefix)
    if done := store.read_receipt("empty_rows", key):
        return done
    store.begin_work("empty_rows")
    parts = []
    for begin in range(0, max(rows, 1), shard_rows):
        numbers = range(begin, min(begin + shard_rows, rows))
        ids = [empty_row_id(id_prefix, number) for number in numbers]
        parts.append(store.put(pa.Table.from_arrays([pa.array(ids), pa.array(numbers)], schema=empty_rows.SCHEMA)))
    receipt = Receipt(
        step="empty_rows",
        key=key,
        inputs=(),
        rows_in=rows,
        kept=rows,
        parts=tuple(parts),
        seconds=round(time.monotonic() - started, 3),
    )
    return store.commit(receipt)


def run_shard(
    stage: Stage,
    spec: Any,
    part: Part,
    lake: str,
    account: Account = NO_ACCOUNT,
    policy: CodePolicy = USE_EARLIER_WORK,
) -> Receipt:
    """Run `stage` on the rows of `part`; `spec` is the engine of the stage's role, or None if it has none.

    A row that makes the stage raise is quarantined; a stage that raises on more than `MAX_FAILED_ROWS` rows of a
    shard fails. Replies that an earlier start received are not requested again.
    """
    store, started = open_store(lake), time.monotonic()
    work = find_work(store, stage, fingerprint(stage, spec, part.digest), policy)
    if work.done is not None:
        if journal_key := work.done.details.get("journal"):  # a process may have ended before it could remove it
            store.remove(f"journal/{journal_key}")
        return work.done
    store.begin_work(stage.label)
    table = store.get(part)
    writer = _OutcomeWriter(store, stage.label, stage.output_schema(table.schema), shard_rows=None)
    if spec is None:
        _record_outcomes(stage, table.to_pylist(), None, writer)
        return store.commit(work.sign(writer.finish(work.key, (part.digest,), part.rows, started)))
    from infra import engines
    from infra.cluster import budget, metered_engine
    from infra.lake import model_store, reply_journal  # late: only stages that ask a model need them

    rows = table.to_pylist()
    journal_key = stage.journal_key(rows, fingerprint(spec)) or work.key
    journal = reply_journal.Journal(store, journal_key)
    tracker = budget.tracker_for(account, store)
    with (
        engines.borrow(model_store.with_local_model(spec)) as engine,
        metered_engine.JournaledEngine(engine, spec, journal, tracker) as metered,
    ):
        writer.replies_about = metered.replies_about
        _record_outcomes(stage, rows, metered, writer)
    details = {"journal": journal_key, **metered.count_samples()}
    if (sampling := getattr(stage, "sampling", None)) is not None:
        details["max_tokens"] = str(sampling.max_tokens)
    receipt = work.sign(writer.finish(work.key, (part.digest,), part.rows, started, details, metered.usage))
    receipt = store.commit(receipt)
    journal.remove()
    return receipt


def _record_outcomes(stage: Stage, rows: list[Row], engine: Any, writer: "_OutcomeWriter") -> None:
    """Write the outcomes of all rows; raises `LedgerError` if the stage lost or invented a row."""
    input_ids = {row["row_id"]: row for row in rows}
    missing_ids, carried = set(input_ids), _user_columns(writer.schema)
    for outcome in _run_stage(stage, rows, engine, [MAX_FAILED_ROWS]):
        input_row_id = _find_input_row(_row_of(outcome).get("row_id"), input_ids)
        if input_row_id is None:
            row_id = _row_of(outcome).get("row_id")
            raise LedgerError(
                f"stage {stage.label} yielded row {row_id!r}, but was not given it: keep the `row_id`, "
                "or add to it: the second sample of row 7 is 7/1"
            )
        if not isinstance(outcome, Reject | Quarantine) and carried:
            outcome = {name: input_ids[input_row_id][name] for name in carried} | outcome
        writer.add(outcome, input_row_id)
        missing_ids.discard(input_row_id)
    if missing_ids:
        raise LedgerError(f"stage {stage.label} lost row {min(missing_ids)!r}: yield it, or a Reject with a reason")


def run_merge(
    merge: Merge,
    tables: Sequence[Sequence[Committed]],
    shard_rows: int,
    lake: str,
    policy: CodePolicy = USE_EARLIER_WORK,
    partitioning: Partitioning | None = None,
) -> Receipt:
    """Run the merge's SQL over whole tables; the result is split into shards as it streams out of DuckDB.

    `partitioning`: how the merge was prepared by other workers; None: it is prepared here.
    """
    store, started = open_store(lake), time.monotonic()
    parts, work = find_merge_work(store, merge, tables, shard_rows, policy)
    if work.done is not None:
        return work.done
    store.begin_work(merge.label)
    con = catalog.connect(store)
    for name, table in zip(merge.inputs, parts, strict=True):
        catalog.create_view(con, name, store, table)
    if partitioning is None:
        merge.prepare(con)
    elif not load_partitions(con, cast(PartitionedMerge, merge), partitioning, store):
        return cast(Receipt, store.read_receipt(merge.label, work.key))
    input_fields = {f.name: f for table in parts for f in store.read_schema(table[0])}
    query = _with_user_columns(con, merge, store.read_schema(parts[0][0]))
    result = con.sql(query).to_arrow_reader(shard_rows)
    columns = [_restore_metadata(f, input_fields) for f in result.schema]
    kept = [i for i, f in enumerate(columns) if not (is_user_column(f) and f.name in {g.name for g in columns[:i]})]
    writer = MergeWriter(store, merge.label, [columns[i] for i in kept], shard_rows)
    for batch in result:
        WATCH.note_progress()
        writer.add(batch.select(kept))
    first, *others = [tuple(p.digest for p in table) for table in parts]
    receipt = writer.finish(work.key, first, sum(p.rows for p in parts[0]), started, con, query)
    receipt = store.commit(work.sign(receipt.model_copy(update={"other_inputs": tuple(d for o in others for d in o)})))
    if partitioning is not None:
        store.remove(partitioning.folder)
    return receipt


def _user_columns(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if is_user_column(field)]


def _with_user_columns(con: Any, merge: Merge, first: pa.Schema) -> str:
    """Return the merge's SQL, extended by the user columns of its first input that it leaves out; keeps the order."""
    if not merge.carries_user_columns:
        return merge.sql()
    own = con.sql(f"DESCRIBE ({merge.sql()})").fetchall()
    left_out = [name for name in _user_columns(first) if name not in {column[0] for column in own}]
    if not left_out:
        return merge.sql()
    carried = ", ".join(f"given.{catalog.quote_identifier(name)}" for name in left_out)
    return f"""
        SELECT merged.* EXCLUDE (merged_order), {carried}
        FROM (SELECT *, row_number() OVER () AS merged_order FROM ({merge.sql()})) AS merged
            LEFT JOIN {merge.inputs[0]} AS given ON given.row_id = merged.row_id
        ORDER BY merged_order
    """


class _OutcomeWriter:
    """Writes kept, rejected and quarantined rows as objects, and makes a receipt that accounts for every row."""

    def __init__(self, store: Store, step: str, schema: pa.Schema, shard_rows: int | None) -> None:
        self.store, self.step, self.schema, self.shard_rows = store, step, schema, shard_rows
        self.kept_rows: list[Row] = []
        self.parts: list[Part] = []
        self.kept_ids: set[str] = set()
        self.rejects_by_id: dict[str, Reject] = {}
        self.quarantined_by_id: dict[str, Quarantine] = {}
        self.reject_rows: list[Row] = []
        self.quarantine_rows: list[Row] = []
        self.replies_about: Callable[[str], list[dict[str, str | None]]] = lambda row_id: []
        """What a model wrote about an input row; it is kept with the first reject of the row."""

    def add(self, outcome: Outcome, input_row_id: str | None = None) -> None:
        """Add one outcome of the input row `input_row_id`; None: the outcome's own row id."""
        row_id = input_row_id or _row_of(outcome)["row_id"]
        if isinstance(outcome, Reject):
            replies = None if row_id in self.rejects_by_id else self.replies_about(row_id) or None
            self.rejects_by_id.setdefault(row_id, outcome)
            self.reject_rows.append(self._make_reject_row(outcome) | {"replies": replies})
        elif isinstance(outcome, Quarantine):
            self.quarantined_by_id.setdefault(row_id, outcome)
            self.quarantine_rows.append(
                self._make_reject_row(outcome)
                | {"error": outcome.error, "attempts": outcome.attempts}
                | {"replies": self.replies_about(row_id) or None}
            )
        else:
            self.kept_ids.add(row_id)
            self.kept_rows.append(outcome)
            if self.shard_rows and len(self.kept_rows) == self.shard_rows:
                self._write_shard()

    def finish(
        self,
        key: str,
        inputs: tuple[str, ...],
        rows_in: int,
        started: float,
        details: dict[str, str] | None = None,
        usage: Usage = NO_USAGE,
    ) -> Receipt:
        """Make the receipt: a row counts as kept if one of its outcomes is, else as rejected, else as quarantined."""
        if self.kept_rows or not self.parts:
            self._write_shard()
        rejected = _count_reasons(r for i, r in self.rejects_by_id.items() if i not in self.kept_ids)
        accounted_ids = self.kept_ids | self.rejects_by_id.keys()
        receipt = Receipt(
            step=self.step,
            key=key,
            inputs=inputs,
            rows_in=rows_in,
            kept=len(self.kept_ids),
            rejected=rejected,
            quarantined=_count_reasons(q for i, q in self.quarantined_by_id.items() if i not in accounted_ids),
            parts=tuple(self.parts),
            rejects=self._write_table(self.reject_rows, rejects.SCHEMA),
            quarantine=self._write_table(self.quarantine_rows, quarantine.SCHEMA),
            seconds=round(time.monotonic() - started, 3),
            usage=usage,
            details=details or {},
        )
        if not receipt.is_balanced:
            raise LedgerError(f"step {self.step}: {rows_in} rows in, but {receipt.kept} kept, {rejected} rejected")
        return receipt

    def _write_shard(self) -> None:
        self.parts.append(self.store.put(conform(self.kept_rows, self.schema, f"step {self.step}")))
        self.kept_rows = []

    def _write_table(self, rows: list[Row], schema: pa.Schema) -> Part | None:
        return self.store.put(conform(rows, schema, f"step {self.step}")) if rows else None

    def _make_reject_row(self, outcome: Reject | Quarantine) -> Row:
        text = json.dumps(outcome.row, ensure_ascii=False, default=str)
        return {"row_id": outcome.row["row_id"], "stage": self.step, "reason": outcome.reason, "row": text}


def _run_stage(stage: Stage, rows: list[Row], engine: Any, failures_left: list[int]) -> Iterator[Outcome]:
    """Yield the stage's outcomes. A row that makes the stage raise is found by bisection and quarantined."""
    if not rows:
        return
    try:
        yield from [_note_progress(outcome) for outcome in stage.rows(rows, engine)]
    except QuestmillError:
        raise
    except Exception as error:
        if len(rows) > 1:
            middle = len(rows) // 2
            yield from _run_stage(stage, rows[:middle], engine, failures_left)
            yield from _run_stage(stage, rows[middle:], engine, failures_left)
            return
        failures_left[0] -= 1
        if failures_left[0] < 0:
            raise
        yield Quarantine(rows[0], "stage failed", f"{type(error).__name__}: {error}", 1)


def _note_progress(outcome: Outcome) -> Outcome:
    WATCH.note_progress()
    return outcome


def _row_of(outcome: Outcome) -> Row:
    return outcome.row if isinstance(outcome, Reject | Quarantine) else outcome


def _find_input_row(row_id: Any, input_ids: Container[str]) -> str | None:
    """Find the id of the input row of a yielded row: the same id, or a parent of it, such as `7` for `7/1`."""
    while isinstance(row_id, str) and row_id not in input_ids and "/" in row_id:
        row_id = parent_id(row_id)
    return row_id if row_id in input_ids else None


def _count_reasons(outcomes: Iterable[Reject | Quarantine]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.reason] = counts.get(outcome.reason, 0) + 1
    return dict(sorted(counts.items()))


def _restore_metadata(field: pa.Field, input_fields: dict[str, pa.Field]) -> pa.Field:
    """Copy a field's metadata from the input, because DuckDB drops the mark of measurement columns."""
    input_field = input_fields.get(field.name)
    return (
        field.with_metadata(input_field.metadata)
        if input_field is not None and input_field.type == field.type
        else field
    )
