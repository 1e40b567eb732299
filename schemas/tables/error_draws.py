"""Injections: how often each type of error was found in the attempts at a question, and the types drawn from that."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation
from schemas.tables.student_solutions import PROBLEMS_WITH_REFERENCE

ERROR_DRAWS = pa.schema(
    [
        *PROBLEMS_WITH_REFERENCE,
        required("question_id", pa.string()),
        required("student", pa.string()),  # whose errors are imitated: a role
        required("type", pa.string()),  # the type of error to make
        required("types", pa.list_(pa.string())),  # that could have been drawn
        required("shares", pa.list_(pa.float64())),  # and the probability of each for this question
    ]
)


def expectations() -> list[Expectation]:
    """What a table of each question's errors promises."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(
            kind="expect_column_values_to_be_between",
            arguments={"column": "failure", "min_value": 0, "max_value": 1},
        ),
    ]
