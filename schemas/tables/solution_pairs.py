"""Preference pairs of solutions: one verified right and one verified wrong, of the same question."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation

CHOSEN_BY = ("attempt", "correction")

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # row_id of the located error
        required("question_id", pa.string()),
        required("question", pa.string()),
        required("answer", pa.string()),
        required("chosen", pa.string()),  # verified right
        required("rejected", pa.string()),  # verified wrong
        required("chosen_by", pa.string()),  # one of CHOSEN_BY: the student's attempt or the teacher's correction
        required("source", pa.string()),  # where `rejected` comes from: student or injected
        required("type", pa.string()),  # the type of its error
        required("wrong_start", pa.int32()),  # character offset in `rejected` where its first wrong step starts
        required("wrong_end", pa.int32()),  # character offset where that step ends
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of pairs."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(
            kind="expect_column_values_to_be_in_set", arguments={"column": "chosen_by", "value_set": [*CHOSEN_BY]}
        ),
        Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "chosen", "min_value": 1}),
        Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "rejected", "min_value": 1}),
    ]
