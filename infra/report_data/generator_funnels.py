"""The funnel of each generator: whose rows went into a step, and what became of them.

A row's id begins with its generator's name and a colon, `questioner:000000012/0`; rows of a file begin with the first
12 digits of its digest instead, and are nobody's.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import duckdb

from infra.lake.catalog import unique
from infra.lake.store import Store
from schemas.receipts import Part, Receipt, Spent, StepCount

OF_A_FILE = re.compile(r"[0-9a-f]{12}(\+\d+)?")
MARK = "CASE WHEN contains(row_id, ':') THEN split_part(row_id, ':', 1) ELSE '' END"
NOBODY = ""
"""Stands for the rows that no generator has made."""

Count = Counter[str]
"""Rows by generator."""
Fates = Counter[tuple[str, int, str]]
"""Input rows by generator, what became of them (0 kept, 1 rejected, 2 quarantined), and why."""


def funnels(
    con: duckdb.DuckDBPyConnection, store: Store, receipts: list[Receipt], steps: Iterable[str]
) -> dict[str, tuple[StepCount, ...]]:
    """One funnel a generator, in the order of `steps`; none where no row id names a generator.

    A shard's costs are shared out among its generators by their rows.
    """
    if all(receipt.inputs for receipt in receipts):  # whatever was not made from nothing comes from files
        return {}
    parts = unique(part for receipt in receipts for part in receipt.parts)
    made = _made(con, store, parts)
    if not any(name for count in made.values() for name in count):
        return {}
    lines: dict[str, list[StepCount]] = defaultdict(list)
    for step in dict.fromkeys(steps):
        ours = [receipt for receipt in receipts if receipt.step == step]
        given = [_given(receipt, made) for receipt in ours]
        mixed = [receipt for receipt, count in zip(ours, given, strict=True) if len(count) > 1]
        fates = _told(ours, given) + (_fates(con, store, mixed, parts) if mixed else Counter())
        for name in sorted({name for count in given for name in count}):
            lines[name].append(_line(name, ours, given, made, fates))
    return {name: tuple(lines[name]) for name in sorted(lines, key=lambda name: (name == NOBODY, name))}


def _made(con: duckdb.DuckDBPyConnection, store: Store, parts: list[Part]) -> dict[str, Count]:
    """Rows by generator in each object, by its digest."""
    found: dict[str, Count] = {part.digest: Counter() for part in parts}
    if not parts:
        return found
    for path, mark, rows in con.execute(
        f"SELECT filename, {MARK} AS mark, count(*) FROM {_objects(store, parts)} GROUP BY ALL"
    ).fetchall():
        digest = path.rpartition("/")[2].removesuffix(".parquet")
        found[digest][_name(mark)] += rows
    return found


def _name(mark: str) -> str:
    return NOBODY if OF_A_FILE.fullmatch(mark) else mark


def _given(receipt: Receipt, made: dict[str, Count]) -> Count:
    """Whose rows went in; the rows of a step that reads no table are those of whoever it made them for."""
    if read := [made[digest] for digest in receipt.inputs if digest in made]:
        return sum(read, Counter())
    count = sum((made[part.digest] for part in receipt.parts), Counter[str]())
    return Counter(dict.fromkeys(count, receipt.rows_in)) if len(count) == 1 else count


def _told(receipts: list[Receipt], given: list[Count]) -> Fates:
    """What the receipts say of shards with rows of one generator."""
    fates: Fates = Counter()
    for receipt, count in zip(receipts, given, strict=True):
        if len(count) == 1:
            [name] = count
            fates[name, 0, ""] += receipt.kept
            fates.update({(name, 1, reason): n for reason, n in receipt.rejected.items()})
            fates.update({(name, 2, reason): n for reason, n in receipt.quarantined.items()})
    return fates


def _fates(con: duckdb.DuckDBPyConnection, store: Store, receipts: list[Receipt], parts: list[Part]) -> Fates:
    """What the rows themselves say, for shards with rows of several generators.

    An input row has the best of its outcomes' fates, as in a receipt. Its id is an outcome's own, or that without its
    last number.
    """
    kept = unique(part for receipt in receipts for part in receipt.parts)
    aside = [
        unique(part for r in receipts if (part := getattr(r, name)) is not None) for name in ("rejects", "quarantine")
    ]
    outcomes = " UNION ALL ".join(
        [f"SELECT row_id, 0 AS fate, '' AS reason, 0 AS place FROM {_objects(store, kept)}"]
        + [
            f"SELECT row_id, {fate} AS fate, reason, file_row_number AS place FROM {_objects(store, table)}"
            for fate, table in enumerate(aside, start=1)
            if table
        ]
    )
    if sum(part.rows for table in (kept, *aside) for part in table) != sum(receipt.rows_in for receipt in receipts):
        read = {digest for receipt in receipts for digest in receipt.inputs}
        given = [part for part in parts if part.digest in read]
        origin = "coalesce(given.row_id, regexp_replace(outcomes.row_id, '/[^/]*$', ''))"
        outcomes = (
            f"SELECT {origin} AS row_id, min(fate) AS fate, arg_min(reason, (fate, place)) AS reason FROM ({outcomes}) "
            f"AS outcomes LEFT JOIN (SELECT row_id FROM {_objects(store, given)}) AS given USING (row_id) GROUP BY 1"
        )
    fates: Fates = Counter()
    for found, fate, reason, n in con.execute(
        f"SELECT {MARK} AS mark, fate, reason, count(*) FROM ({outcomes}) GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        fates[_name(found), fate, reason] += n
    return fates


def _line(name: str, receipts: list[Receipt], given: list[Count], made: dict[str, Count], fates: Fates) -> StepCount:
    """One generator's line of one step."""
    spent, seconds = Spent(), 0.0
    for receipt, count in zip(receipts, given, strict=True):
        if share := count[name] / max(1, count.total()):
            spent += _share(receipt.spent, share)
            seconds += receipt.seconds * share
    return StepCount(
        step=receipts[0].step,
        shards=sum(name in made[part.digest] for receipt in receipts for part in receipt.parts),
        rows_in=sum(count[name] for count in given),
        kept=fates[name, 0, ""],
        rejected={reason: n for (who, fate, reason), n in fates.items() if (who, fate) == (name, 1)},
        quarantined={reason: n for (who, fate, reason), n in fates.items() if (who, fate) == (name, 2)},
        rows_out=sum(made[part.digest][name] for receipt in receipts for part in receipt.parts),
        seconds=round(seconds, 3),
        spent=spent,
    )


def _share(spent: Spent, share: float) -> Spent:
    return Spent(
        prompt_tokens=round(spent.prompt_tokens * share),
        completion_tokens=round(spent.completion_tokens * share),
        usd=spent.usd * share,
        gpu_seconds=spent.gpu_seconds * share,
    )


def _objects(store: Store, parts: list[Part]) -> str:
    """The rows of these objects, as SQL reads them."""
    listed = ", ".join("'" + store.object_url(part).replace("'", "''") + "'" for part in parts)
    return f"read_parquet([{listed}], filename = true, file_row_number = true, union_by_name = true)"
