"""Merges for tests: tables as lists of rows in, rows by id out, as a worker's DuckDB makes them."""

from typing import Any

import duckdb
import pyarrow as pa

from schemas.steps import Merge

Table = list[dict[str, Any]] | pa.Table


def run_merge(merge: Merge, *tables: Table) -> dict[str, Any]:
    """The rows of a merge by their id; a column `reject` holds null for a kept row."""
    con = duckdb.connect()
    for name, table in zip(merge.inputs, tables, strict=True):
        con.register(name, table if isinstance(table, pa.Table) else pa.Table.from_pylist(table))
    merge.prepare(con)
    return {row["row_id"]: row for row in con.sql(merge.sql()).to_arrow_table().to_pylist()}
