"""Overlaps: a question that shares its text with an item of a benchmark, and the words that they share."""

from typing import Literal

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation

OverlapRule = Literal["whole", "gram", "coverage", "order", "numbers"]
"""How a question matches an item. `whole`: all of its letters, figures and signs. `gram`: n words in a row. `coverage`:
nearly all n-grams of the item. `order`: the same words in another order. `list_call_numbers`: `whole` or `coverage`,
but for the
numbers."""

OVERLAP_RULES: tuple[OverlapRule, ...] = ("whole", "gram", "coverage", "order", "numbers")

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the question>/<match, from 0>
        required("question_id", pa.string()),  # row_id of the question
        required("benchmark", pa.string()),
        required("item", pa.int64()),  # line of the benchmark's file, from 0
        required("rule", pa.string()),  # one of RULES
        required("ngram", pa.string()),  # the longest stretch of the question that the item shares, as compared
        required("coverage", pa.float64()),  # share of the item's n-grams that the question has, in (0, 1]
    ]
)


def expectations() -> list[Expectation]:
    """What a table of overlaps promises; none at all is the best table."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(
            kind="expect_column_values_to_be_in_set", arguments={"column": "rule", "value_set": list(OVERLAP_RULES)}
        ),
        Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "ngram", "min_value": 1}),
        Expectation(
            kind="expect_column_values_to_be_between", arguments={"column": "coverage", "min_value": 0, "max_value": 1}
        ),
    ]
