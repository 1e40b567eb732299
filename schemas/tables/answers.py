"""Answers: solutions of a question, and the rewards that a judge gives them."""

import pyarrow as pa

from schemas.arrow import required

ANSWERS = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the question>/<sample, from 0>
        required("question_id", pa.string()),  # row_id of the question
        required("question", pa.string()),
        required("solution", pa.string()),
        required("answer", pa.string()),  # what the solution states in the end, as written
        required("asked", pa.int32()),  # samples of the question, whether or not they state an answer
        required("answer_key", pa.string()),  # the same as it is compared: `1.50`, `3/2` and `$1.5` have one key
    ]
)

REWARDS = pa.schema(
    [
        required("row_id", pa.string()),  # of the solution
        required("reward", pa.float64()),  # P(yes), in [0, 1]
    ]
)
