"""Stages and merges one after the other, without a scheduler: tables in, tables out, and no row without a fate."""

from collections import Counter
from typing import Any

import duckdb
import pyarrow as pa

from schemas.arrow import conform
from schemas.engine import Generator
from schemas.outcomes import Quarantine, Reject, Row
from schemas.steps import Merge, Stage

Table = pa.Table


class StageRunner:
    """Works tables, and remembers what became of the rows by step."""

    def __init__(self, engine: Generator) -> None:
        self.engine = engine
        self.kept: Counter[str] = Counter()
        self.rejected: Counter[tuple[str, str]] = Counter()
        """Rows by step and reason."""

    def map(self, stage: Stage, table: Table) -> Table:
        """What a stage keeps; fails where it loses or invents a row."""
        given = table.to_pylist()
        outcomes = list(stage.rows(given, self.engine))
        kept: list[Row] = []
        for outcome in outcomes:
            if isinstance(outcome, Reject | Quarantine):
                self.rejected[stage.label, outcome.reason] += 1
            else:
                kept.append(outcome)
        origins = {row["row_id"] for row in given}
        assert {_input_row_id(outcome, origins) for outcome in outcomes} == origins, (
            f"{stage.label} lost or invented a row"
        )
        self.kept[stage.label] += len(kept)
        return conform(kept, stage.table, stage.label)

    def merge(self, merge: Merge, *tables: Table) -> Table:
        """What a merge keeps of its first table; fails where it loses or invents a row."""
        con = duckdb.connect()
        for name, table in zip(merge.inputs, tables, strict=True):
            con.register(name, table)
        merge.prepare(con)
        merged = con.sql(merge.sql()).to_arrow_table()
        assert sorted(merged["row_id"].to_pylist()) == sorted(tables[0]["row_id"].to_pylist())
        if "reject" not in merged.column_names:
            return merged
        merged_rows = merged.to_pylist()
        self.rejected.update((merge.label, row["reject"]) for row in merged_rows if row["reject"])
        return merged.filter(pa.array([row["reject"] is None for row in merged_rows])).drop_columns(["reject"])


def _input_row_id(outcome: Any, given: set[str]) -> str | None:
    row_id = (outcome.row if isinstance(outcome, Reject | Quarantine) else outcome)["row_id"]
    while row_id not in given and "/" in row_id:
        row_id = row_id.rpartition("/")[0]
    return row_id


def make_empty_rows(count: int) -> Table:
    """Blank rows, as `Run.make_empty_rows` makes them."""
    return pa.table({"row_id": [f"{n:09}" for n in range(count)], "number": range(count)})
