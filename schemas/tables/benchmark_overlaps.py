"""Overlaps of questions with benchmark items, and the words that they share."""

from typing import Literal

import pyarrow as pa

from schemas.arrow import required

OverlapRule = Literal["whole", "gram", "coverage", "order", "numbers"]
"""How a question matches an item. `whole`: all letters, digits and signs are equal. `gram`: both share n words in a
row. `coverage`: the question has nearly all n-grams of the item. `order`: the same words in another order. `numbers`:
as `whole` or `coverage`, except for the numbers."""

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the question>/<match, from 0>
        required("question_id", pa.string()),  # row_id of the question
        required("benchmark", pa.string()),
        required("item", pa.int64()),  # line of the benchmark's file, from 0
        required("rule", pa.string()),  # an OverlapRule
        required("ngram", pa.string()),  # the longest shared run of words, normalized for comparison
        required("coverage", pa.float64()),  # share of the item's n-grams that occur in the question, in (0, 1]
    ]
)
