"""Row ids are built and taken apart alike in Python and in SQL, and stay as published data has them."""

import duckdb
import pytest

from schemas import row_ids

DIGEST = "0123456789abcdef"


def test_ids_stay_as_published_data_has_them() -> None:
    assert row_ids.file_row_id(DIGEST, 0, 7) == "0123456789ab:00000007"
    assert row_ids.file_row_id(DIGEST, 2, 7) == "0123456789ab+2:00000007"
    assert row_ids.empty_row_id("", 7) == "000000007"
    assert row_ids.empty_row_id("questioner:", 7) == "questioner:000000007"
    assert row_ids.child_id("questioner:000000007", 0) == "questioner:000000007/0"
    assert row_ids.child_id("7", "solver", 3) == "7/solver/3" and row_ids.child_id("7", "i2") == "7/i2"


@pytest.mark.parametrize(
    ("row_id", "parent", "generator"),
    [
        ("7", "7", ""),
        ("7/1", "7", ""),
        ("/7", "", ""),
        ("questioner:000000007/0/3", "questioner:000000007/0", "questioner"),
        ("0123456789ab+2:00000007/solver/3", "0123456789ab+2:00000007/solver", "0123456789ab+2"),
    ],
)
def test_python_and_sql_take_an_id_apart_alike(row_id: str, parent: str, generator: str) -> None:
    ask = f"SELECT {row_ids.parent_id_sql()}, {row_ids.generator_sql()}, {row_ids.child_id_sql('row_id', 'x')}"
    assert duckdb.execute(f"{ask} FROM (SELECT ? AS row_id)", [row_id]).fetchone() == (
        parent,
        generator,
        row_ids.child_id(row_id, "x"),
    )
    assert row_ids.parent_id(row_id) == parent


def test_a_file_is_no_generator() -> None:
    assert row_ids.is_file_prefix("0123456789ab") and row_ids.is_file_prefix("0123456789ab+2")
    assert not row_ids.is_file_prefix("questioner") and not row_ids.is_file_prefix("")
