"""Problems of the proving ground: a question whose exact answer, or unsolvability, is computed and not judged."""

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("question", pa.string()),
        optional("answer", pa.string()),  # exact, as a verifier reads it; null where the problem is unsolvable
        required("solution", pa.string()),  # worked steps and a last line `#### answer`; empty where unsolvable
        optional("second", pa.string()),  # the same by another method, where the template has one
        required("template", pa.string()),
        required("topic", pa.string()),
        required("difficulty", pa.float64()),  # steps x operation size; 0 where unsolvable
        optional("unsolvable", pa.string()),  # missing_condition, contradiction or non_integer
        required("seed", pa.int64()),  # draws the same problem again
    ]
)


def expectations() -> list[Expectation]:
    """What a table of problems promises."""
    return [
        Expectation(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(kind="expect_column_values_to_match_regex", arguments={"column": "question", "regex": r"\?"}),
        Expectation(
            kind="expect_column_values_to_be_unique",
            severity="warning",
            arguments={"column": "question", "mostly": 0.98},
        ),
    ]
