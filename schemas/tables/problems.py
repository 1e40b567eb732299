"""Problems of the proving ground: questions whose exact answer, or unsolvability, is computed."""

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("question", pa.string()),
        optional("answer", pa.string()),  # exact, as a verifier reads it; null if the problem is unsolvable
        required("solution", pa.string()),  # worked steps and a last line `#### answer`; empty if unsolvable
        optional("second", pa.string()),  # a solution by another method; null if the template has none
        required("template", pa.string()),
        required("topic", pa.string()),
        required("difficulty", pa.float64()),  # steps x operation size; 0 if unsolvable
        optional("unsolvable", pa.string()),  # missing_condition, contradiction or non_integer; null if solvable
        required("seed", pa.int64()),  # the seed that draws this problem again
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of problems."""
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
