"""Question preferences: questions that a model rewrote, and the pairs that a training learns from."""

import pyarrow as pa

from schemas.arrow import required

QUESTION_REWRITES = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the question>/<sample>
        required("question", pa.string()),  # the rewrite; named so that filters of questions can read it
        required("original", pa.string()),
        required("direction", pa.string()),  # what was improved: solvability or difficulty
    ]
)

QUESTION_PAIRS = pa.schema(
    [
        required("row_id", pa.string()),
        required("prompt", pa.string()),  # empty, because nothing follows the model's own bare prefix
        required("chosen", pa.string()),
        required("rejected", pa.string()),
        required("direction", pa.string()),
    ]
)
