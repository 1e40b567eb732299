"""The only functions that run on a Dask worker: each reads objects, works, writes objects, commits one receipt.

Every one is safe to run twice and at the same time as its twin: a receipt that is there already is returned at once,
and of two workers that finish together the first receipt counts.
"""

import json
import time
from collections.abc import Container, Iterable, Iterator
from typing import Any

import pyarrow as pa

from infra.lake import catalog, input_files
from infra.lake.store import Store, open_store
from schemas.arrow import conform, is_user_column, user_column
from schemas.budget import Account
from schemas.errors import LedgerError, QuestmillError
from schemas.identity import fingerprint
from schemas.input import Source, SourceFile
from schemas.outcomes import Quarantine, Reject, Row
from schemas.receipts import Part, Receipt, Spent
from schemas.steps import Merge, Stage
from schemas.tables import attempts, empty_rows, quarantine, rejects

BROKEN_AFTER = 8
"""Rows of one shard that may fail by exception before the stage, not the rows, is taken to be at fault."""

NOBODYS, NOTHING = Account(), Spent()

Outcome = Row | Reject | Quarantine


def scan_source(url: str, source: Source) -> SourceFile:
    """Check one input file to its last row; raises `BadInput`. Writes nothing."""
    return input_files.scan(url, source)


def run_seed(
    file: SourceFile, types: dict[str, str], copy: int, source: Source, reserved: list[str], lake: str
) -> Receipt:
    """Cut one checked file into shards of attempts; rows without question, response or answer are quarantined.

    `types`: the kept columns over all files; `copy`: 0, or how many files before this one have the same bytes.
    """
    store, started = open_store(lake), time.monotonic()
    key = fingerprint(
        "seed", input_files.SEED_VERSION, file.digest, copy, source.columns, source.shard_rows, types, reserved
    )
    if done := store.receipt("seed", key):
        return done
    names = input_files.free_names(list(types), [*reserved, "reject"])
    extra = [user_column(names[n], input_files.TYPES.get(kind, pa.string())) for n, kind in types.items()]
    schema = pa.schema([*attempts.SCHEMA, *extra])
    mark = file.digest[:12] + (f"+{copy}" if copy else "")
    book = _Book(store, "seed", schema, source.shard_rows)
    for number, ours, others in input_files.load(file, source, types):
        full = {"row_id": f"{mark}:{number:08}"} | ours | dict.fromkeys(names.values())
        full |= {names[name]: value for name, value in others.items()}
        empty = [n for n in ("question", "response", "answer") if full[n] is None]
        book.add(Quarantine(full, f"null {empty[0]}", f"column {empty[0]!r} is null", 1) if empty else full)
    return store.commit(book.close(key, (file.digest,), file.rows, started, {"source": file.url}))


def run_blanks(rows: int, shard_rows: int, lake: str, mark: str = "") -> Receipt:
    """Make `rows` blank rows, numbered from 0; what a step that makes something from nothing starts from.

    Their ids begin with `mark`: two generators that are one model must not write the same questions.
    """
    store, started = open_store(lake), time.monotonic()
    key = fingerprint("blanks", str(empty_rows.SCHEMA), rows, shard_rows, mark)
    if done := store.receipt("blanks", key):
        return done
    book = _Book(store, "blanks", empty_rows.SCHEMA, shard_rows)
    for number in range(rows):
        book.add({"row_id": f"{mark}{number:09}", "number": number})
    return store.commit(book.close(key, (), rows, started))


def run_shard(stage: Stage, spec: Any, upstream: Receipt, index: int, lake: str, account: Account = NOBODYS) -> Receipt:
    """Work one part of `upstream` by `stage`; `spec` is the engine that plays the stage's role, or None.

    A row that makes the stage raise is quarantined; a stage that raises on many rows of a shard fails. Replies of
    a model that an earlier start was given are not asked for again.
    """
    store, started = open_store(lake), time.monotonic()
    part = upstream.parts[index]
    key = fingerprint(stage, spec, part.digest)
    if done := store.receipt(stage.label, key):
        if spec is not None:  # left by a process that ended between the receipt and its last line
            store.remove(f"journal/{key}")
        return done
    table = store.get(part)
    book = _Book(store, stage.label, stage.output_schema(table.schema), shard_rows=None)
    if spec is None:
        _work(stage, table.to_pylist(), None, book)
        return store.commit(book.close(key, (part.digest,), part.rows, started))
    from infra import engines
    from infra.cluster import budget, metered_engine
    from infra.lake import model_store, reply_journal  # only a stage that asks a model pays for them

    replies = reply_journal.Journal(store, key)
    paid = budget.till(account, store)
    with engines.using(model_store.here(spec)) as engine, metered_engine.Desk(engine, spec, replies, paid) as asked:
        _work(stage, table.to_pylist(), asked, book)
    receipt = store.commit(book.close(key, (part.digest,), part.rows, started, spent=asked.spent))
    replies.remove()
    return receipt


def _work(stage: Stage, rows: list[Row], engine: Any, book: "_Book") -> None:
    """Book the outcomes of all rows; raises `LedgerError` where the stage lost or invented one."""
    given = {row["row_id"]: row for row in rows}
    owed, carried = set(given), _user_columns(book.schema)
    for outcome in _outcomes(stage, rows, engine, [BROKEN_AFTER]):
        origin = _origin(_row(outcome).get("row_id"), given)
        if origin is None:
            row_id = _row(outcome).get("row_id")
            raise LedgerError(
                f"stage {stage.label} yielded row {row_id!r}, but was not given it: keep the `row_id`, "
                "or add to it: the second sample of row 7 is 7/1"
            )
        if not isinstance(outcome, Reject | Quarantine) and carried:
            outcome = {name: given[origin][name] for name in carried} | outcome
        book.add(outcome, origin)
        owed.discard(origin)
    if owed:
        raise LedgerError(f"stage {stage.label} lost row {min(owed)!r}: yield it, or a Reject with a reason")


def run_merge(merge: Merge, tables: list[list[Receipt]], shard_rows: int, lake: str) -> Receipt:
    """Run the merge's SQL over whole tables; the result is cut into shards as it streams out of DuckDB."""
    store, started = open_store(lake), time.monotonic()
    parts = [catalog.unique(p for receipt in table for p in receipt.parts) for table in tables]
    key = fingerprint(merge, shard_rows, [[p.digest for p in table] for table in parts])
    if done := store.receipt(merge.label, key):
        return done
    con = catalog.connect(store)
    for name, table in zip(merge.inputs, parts, strict=True):
        catalog.view(con, name, store, table)
    merge.prepare(con)
    known = {f.name: f for table in parts for f in store.schema(table[0])}
    result = con.sql(_with_user_columns(con, merge, store.schema(parts[0][0]))).to_arrow_reader(shard_rows)
    fields = [_remember(f, known) for f in result.schema if f.name != "reject"]
    fields.sort(key=is_user_column)  # stable: behind the merge's own
    book = _Book(store, merge.label, pa.schema(fields), shard_rows)
    for batch in result:
        for row in batch.to_pylist():
            reason = row.pop("reject", None)
            book.add(Reject(row, reason) if reason else row)
    rows_in = sum(p.rows for p in parts[0])
    first, *others = [tuple(p.digest for p in table) for table in parts]
    receipt = book.close(key, first, rows_in, started)
    return store.commit(receipt.model_copy(update={"beside": tuple(d for other in others for d in other)}))


def _user_columns(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if is_user_column(field)]


def _with_user_columns(con: Any, merge: Merge, first: pa.Schema) -> str:
    """The merge's SQL with the user's columns of its first input that it leaves out; the order of its rows stays."""
    own = con.sql(f"DESCRIBE ({merge.sql()})").fetchall()
    left_out = [name for name in _user_columns(first) if name not in {column[0] for column in own}]
    if not left_out:
        return merge.sql()
    carried = ", ".join(f"given.{catalog.quoted(name)}" for name in left_out)
    return f"""
        SELECT merged.* EXCLUDE (merged_order), {carried}
        FROM (SELECT *, row_number() OVER () AS merged_order FROM ({merge.sql()})) AS merged
            LEFT JOIN {merge.inputs[0]} AS given ON given.row_id = merged.row_id
        ORDER BY merged_order
    """


class _Book:
    """Keeps a step's outcomes apart, writes them as objects, and makes the receipt that accounts for every row."""

    def __init__(self, store: Store, step: str, schema: pa.Schema, shard_rows: int | None) -> None:
        self.store, self.step, self.schema, self.shard_rows = store, step, schema, shard_rows
        self.kept: list[Row] = []
        self.parts: list[Part] = []
        self.kept_ids: set[str] = set()
        self.rejected: dict[str, Reject] = {}
        self.quarantined: dict[str, Quarantine] = {}
        self.turned_down: list[Row] = []
        self.failed: list[Row] = []

    def add(self, outcome: Outcome, origin: str | None = None) -> None:
        """Keep one outcome of the input row `origin`, which is the row itself where none is given."""
        row_id = origin or _row(outcome)["row_id"]
        if isinstance(outcome, Reject):
            self.rejected.setdefault(row_id, outcome)
            self.turned_down.append(self._aside(outcome))
        elif isinstance(outcome, Quarantine):
            self.quarantined.setdefault(row_id, outcome)
            self.failed.append(self._aside(outcome) | {"error": outcome.error, "attempts": outcome.attempts})
        else:
            self.kept_ids.add(row_id)
            self.kept.append(outcome)
            if self.shard_rows and len(self.kept) == self.shard_rows:
                self._cut()

    def close(
        self,
        key: str,
        inputs: tuple[str, ...],
        rows_in: int,
        started: float,
        detail: dict[str, str] | None = None,
        spent: Spent = NOTHING,
    ) -> Receipt:
        """The receipt: a row counts as kept where one of its outcomes was, else as rejected, else as quarantined."""
        if self.kept or not self.parts:
            self._cut()
        rejected = _reasons(r for i, r in self.rejected.items() if i not in self.kept_ids)
        settled = self.kept_ids | self.rejected.keys()
        receipt = Receipt(
            step=self.step,
            key=key,
            inputs=inputs,
            rows_in=rows_in,
            kept=len(self.kept_ids),
            rejected=rejected,
            quarantined=_reasons(q for i, q in self.quarantined.items() if i not in settled),
            parts=tuple(self.parts),
            rejects=self._put(self.turned_down, rejects.SCHEMA),
            quarantine=self._put(self.failed, quarantine.SCHEMA),
            seconds=round(time.monotonic() - started, 3),
            spent=spent,
            detail=detail or {},
        )
        if not receipt.balanced:
            raise LedgerError(f"step {self.step}: {rows_in} rows in, but {receipt.kept} kept, {rejected} rejected")
        return receipt

    def _cut(self) -> None:
        self.parts.append(self.store.put(conform(self.kept, self.schema, f"step {self.step}")))
        self.kept = []

    def _put(self, rows: list[Row], schema: pa.Schema) -> Part | None:
        return self.store.put(conform(rows, schema, f"step {self.step}")) if rows else None

    def _aside(self, outcome: Reject | Quarantine) -> Row:
        text = json.dumps(outcome.row, ensure_ascii=False, default=str)
        return {"row_id": outcome.row["row_id"], "stage": self.step, "reason": outcome.reason, "row": text}


def _outcomes(stage: Stage, rows: list[Row], engine: Any, patience: list[int]) -> Iterator[Outcome]:
    """The stage's outcomes. A row that makes the stage raise is found by halving and quarantined; the rest goes on."""
    if not rows:
        return
    try:
        yield from list(stage.rows(rows, engine))
    except QuestmillError:
        raise
    except Exception as error:
        if len(rows) > 1:
            middle = len(rows) // 2
            yield from _outcomes(stage, rows[:middle], engine, patience)
            yield from _outcomes(stage, rows[middle:], engine, patience)
            return
        patience[0] -= 1
        if patience[0] < 0:
            raise
        yield Quarantine(rows[0], "stage failed", f"{type(error).__name__}: {error}", 1)


def _row(outcome: Outcome) -> Row:
    return outcome.row if isinstance(outcome, Reject | Quarantine) else outcome


def _origin(row_id: Any, given: Container[str]) -> str | None:
    """The input row that a yielded row comes from: itself, or what its id begins with, `7` of `7/1`."""
    while isinstance(row_id, str) and row_id not in given and "/" in row_id:
        row_id = row_id.rpartition("/")[0]
    return row_id if row_id in given else None


def _reasons(outcomes: Iterable[Reject | Quarantine]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.reason] = counts.get(outcome.reason, 0) + 1
    return dict(sorted(counts.items()))


def _remember(field: pa.Field, known: dict[str, pa.Field]) -> pa.Field:
    """DuckDB forgets which columns are measurements; the tables it read have not."""
    origin = known.get(field.name)
    return field.with_metadata(origin.metadata) if origin is not None and origin.type == field.type else field
