"""Questions: a text, and in its id the row and sample that it comes from."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the input>/<sample, from 0> where it was written
        required("question", pa.string()),
    ]
)


def expectations() -> list[Expectation]:
    """What a table of questions promises."""
    return [
        Expectation(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expectation(
            kind="expect_column_value_lengths_to_be_between", arguments={"column": "question", "min_value": 10}
        ),
    ]
