"""Overlaps: a question that shares its text with an item of a benchmark, and the words that they share."""

from typing import Literal

import pyarrow as pa

from schemas.arrow import required

OverlapRule = Literal["whole", "gram", "coverage", "order", "numbers"]
"""How a question matches an item. `whole`: all of its letters, figures and signs. `gram`: n words in a row. `coverage`:
nearly all n-grams of the item. `order`: the same words in another order. `numbers`: `whole` or `coverage`, but for the
numbers."""

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the question>/<match, from 0>
        required("question_id", pa.string()),  # row_id of the question
        required("benchmark", pa.string()),
        required("item", pa.int64()),  # line of the benchmark's file, from 0
        required("rule", pa.string()),  # an OverlapRule
        required("ngram", pa.string()),  # the longest stretch of the question that the item shares, as compared
        required("coverage", pa.float64()),  # share of the item's n-grams that the question has, in (0, 1]
    ]
)
