"""Attempts: a question, one response to it, and the gold answer the response is held against."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expect

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("question", pa.string()),
        required("response", pa.string()),
        required("answer", pa.string()),
    ]
)


def expectations() -> list[Expect]:
    """What a table of attempts promises."""
    return [
        Expect(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expect(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
    ]
