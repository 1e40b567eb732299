"""Attempts: a question, one response to it, and the gold answer that the response is compared with."""

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("question", pa.string()),
        required("response", pa.string()),
        optional("reasoning", pa.string()),  # what the model thought before it responded; null if no thought was seen
        required("answer", pa.string()),
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of attempts."""
    return [
        Expectation(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
    ]
