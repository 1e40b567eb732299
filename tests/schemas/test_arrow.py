"""A row fits its table exactly, or its column and row are named."""

from typing import Any

import pyarrow as pa
import pytest

from schemas.arrow import conform, is_measured, measured, optional, required
from schemas.errors import SchemaError

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        optional("n", pa.int32()),
        optional("x", pa.float64()),
        optional("ok", pa.bool_()),
        measured("milliseconds", pa.float32()),
    ]
)


def row(row_id: Any = "a", **more: Any) -> dict[str, Any]:
    return {"row_id": row_id, "n": 1, "x": 0.5, "ok": True, "milliseconds": None} | more


def test_rows_that_fit_become_a_table_of_exactly_the_schema() -> None:
    table = conform([row(), row("b", n=None, x=2)], SCHEMA, "step s")
    assert table.schema.equals(SCHEMA, check_metadata=True) and table["x"].to_pylist() == [0.5, 2.0]
    assert [field.name for field in table.schema if is_measured(field)] == ["milliseconds"]


def test_no_rows_are_an_empty_table_of_the_schema() -> None:
    assert conform([], SCHEMA, "step s").schema.equals(SCHEMA)


def test_unknown_and_missing_columns_are_named() -> None:
    missing = row("b")
    del missing["n"]
    with pytest.raises(SchemaError, match=r"step s: row 'b' has unknown columns \[\] and lacks \['n'\]; yield exactly"):
        conform([row(), missing], SCHEMA, "step s")
    with pytest.raises(SchemaError, match=r"step s: row 'c' has unknown columns \['m'\] and lacks \[\]"):
        conform([row("c", m=1)], SCHEMA, "step s")


def test_a_null_where_none_may_be_is_named() -> None:
    with pytest.raises(SchemaError, match="step s: column 'row_id' is null in row None; it is required"):
        conform([row(), row(None)], SCHEMA, "step s")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("n", "1"),
        ("n", 1.5),
        ("n", True),
        ("n", 2**31),
        ("n", 2**70),
        ("x", "0.5"),
        ("x", True),
        ("x", 2**60 + 1),
        ("ok", 1),
        ("ok", "true"),
        ("row_id", 7),
        ("row_id", ["b"]),
        ("row_id", "half a character \ud800"),
    ],
)
def test_a_value_of_another_type_is_named_by_column_and_row(column: str, value: Any) -> None:
    bad = row("b", **{column: value}) if column != "row_id" else row(value)
    with pytest.raises(SchemaError, match=f"step s: column '{column}' does not hold .* in row ") as caught:
        conform([row(), bad, row("c")], SCHEMA, "step s")
    assert repr(bad["row_id"]) in str(caught.value)
