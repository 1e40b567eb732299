"""Preferences among questions: a question that was improved, and the pair that a training learns from."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation

DIRECTIONS = ("solvability", "difficulty")

QUESTION_REWRITES = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the question>/<sample>
        required("question", pa.string()),  # the rewrite, under the name by which it can be judged like any question
        required("original", pa.string()),
        required("direction", pa.string()),  # one of DIRECTIONS
    ]
)

QUESTION_PAIRS = pa.schema(
    [
        required("row_id", pa.string()),
        required("prompt", pa.string()),  # what follows the model's own bare prefix: nothing, so it is empty
        required("chosen", pa.string()),
        required("rejected", pa.string()),
        required("direction", pa.string()),
    ]
)


def expectations() -> list[Expectation]:
    """What a table of pairs promises."""
    return [
        Expectation(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "chosen", "min_value": 10}),
        Expectation(
            kind="expect_column_values_to_be_in_set",
            arguments={"column": "direction", "value_set": list(DIRECTIONS)},
        ),
    ]
