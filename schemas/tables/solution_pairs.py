"""Pairs of solutions to learn a preference from: both verified, one right and one wrong, of the same question."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation

CHOSEN_BY = ("attempt", "correction")

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # of the error
        required("question_id", pa.string()),
        required("question", pa.string()),
        required("answer", pa.string()),
        required("chosen", pa.string()),  # verified right
        required("rejected", pa.string()),  # verified wrong
        required("chosen_by", pa.string()),  # one of CHOSEN_BY: an attempt of the student, or what a teacher wrote
        required("source", pa.string()),  # of the wrong one: student or injected
        required("type", pa.string()),
        required("wrong_start", pa.int32()),  # its first wrong step: characters of `rejected`
        required("wrong_end", pa.int32()),
    ]
)


def expectations() -> list[Expectation]:
    """What a table of pairs promises."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(
            kind="expect_column_values_to_be_in_set", arguments={"column": "chosen_by", "value_set": [*CHOSEN_BY]}
        ),
        Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "chosen", "min_value": 1}),
        Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "rejected", "min_value": 1}),
    ]
