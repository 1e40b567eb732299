"""Error types to inject: drawn for each question from the types that were found in the attempts at it."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation
from schemas.tables.student_solutions import PROBLEMS_WITH_REFERENCE

ERROR_DRAWS = pa.schema(
    [
        *PROBLEMS_WITH_REFERENCE,
        required("question_id", pa.string()),
        required("student", pa.string()),  # role of the student whose errors are imitated
        required("type", pa.string()),  # the type that was drawn
        required("types", pa.list_(pa.string())),  # the types to draw from
        required("shares", pa.list_(pa.float64())),  # probability of each of `types` for this question
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of error distributions by question."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(
            kind="expect_column_values_to_be_between",
            arguments={"column": "failure", "min_value": 0, "max_value": 1},
        ),
    ]
