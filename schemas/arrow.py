"""Strict conversion of rows to Arrow tables: a row either fits its table exactly, or an error names the column.

`Table.from_pylist(schema=...)` drops unknown columns and fills missing ones with null; `conform` rejects both.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from schemas.errors import SchemaError
from schemas.outcomes import Row

MEASURED_METADATA = {b"questmill": b"measured"}
"""Field metadata of columns that differ from run to run (milliseconds). They are left out of a dataset's content
hash."""


USER = {b"questmill": b"user"}
"""Field metadata of columns that come from a user's file. Every step carries them to the end."""


def required(name: str, kind: pa.DataType) -> pa.Field:
    """A column that is never null."""
    return pa.field(name, kind, nullable=False)


def optional(name: str, kind: pa.DataType) -> pa.Field:
    """A column that may be null."""
    return pa.field(name, kind)


def measured(name: str, kind: pa.DataType) -> pa.Field:
    """A column that holds a measurement of the run, not a property of the row."""
    return pa.field(name, kind, metadata=MEASURED_METADATA)


def user_column(name: str, kind: pa.DataType) -> pa.Field:
    """A column from a user's file that the recipe itself does not read."""
    return pa.field(name, kind, metadata=USER)


def is_user_column(field: pa.Field) -> bool:
    """Whether `field` comes from a user's file."""
    return bool(field.metadata and field.metadata.get(b"questmill") == b"user")


def with_user_columns(own: pa.Schema, given: pa.Schema) -> pa.Schema:
    """The columns of `own`, followed by the user columns of `given` whose names `own` does not use."""
    return pa.schema([*own, *(field for field in given if is_user_column(field) and field.name not in own.names)])


def is_measured(field: pa.Field) -> bool:
    """Whether `field` is left out of content hashes."""
    return bool(field.metadata and field.metadata.get(b"questmill") == b"measured")


def conform(rows: Sequence[Row], schema: pa.Schema, owner: str) -> pa.Table:
    """Turn `rows` into a table of exactly `schema`. Raises `SchemaError`, which names owner, column and row id."""
    names = set(schema.names)
    for row in rows:
        if row.keys() != names:
            raise SchemaError(_describe_mismatch(row, names, owner))
    columns = []
    for field in schema:
        values = [row[field.name] for row in rows]
        if not field.nullable and None in values:
            row_id = rows[values.index(None)].get("row_id")
            raise SchemaError(f"{owner}: column {field.name!r} is null in row {row_id!r}; it is required")
        try:
            columns.append(_to_array(values, field.type))
        except (ValueError, TypeError, OverflowError) as error:
            row_id = next(r.get("row_id") for r in rows if not _fits(r[field.name], field.type))
            raise SchemaError(
                f"{owner}: column {field.name!r} does not hold {field.type} in row {row_id!r}: {error}"
            ) from error
    return pa.Table.from_arrays(columns, schema=schema)


def _to_array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Convert without losing anything: Arrow would turn 1.5 into 1 in an integer column, and True into 1.0."""
    lossy_type = float if pa.types.is_integer(kind) else bool if pa.types.is_floating(kind) else None
    if lossy_type is not None and (misfit := next((v for v in values if isinstance(v, lossy_type)), None)) is not None:
        raise TypeError(f"{misfit!r} is a {lossy_type.__name__}")
    return pa.array(values, kind)


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        _to_array([value], kind)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _describe_mismatch(row: Row, names: set[str], owner: str) -> str:
    extra, missing = sorted(row.keys() - names), sorted(names - row.keys())
    return (
        f"{owner}: row {row.get('row_id')!r} has unknown columns {extra} and lacks {missing}; "
        f"yield exactly {sorted(names)}"
    )
