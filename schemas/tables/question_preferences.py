"""Preferences among questions: a question that was improved, and the pair that a training learns from."""

import pyarrow as pa

from schemas.arrow import required

QUESTION_REWRITES = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the question>/<sample>
        required("question", pa.string()),  # the rewrite, under the name by which it can be judged like any question
        required("original", pa.string()),
        required("direction", pa.string()),  # in which it was improved: solvability or difficulty
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
