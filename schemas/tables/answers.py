"""Sampled solutions of questions with their final answers, and the rewards of a reward model."""

import pyarrow as pa

from schemas.arrow import optional, required

ANSWERS = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the question>/<sample, from 0>
        required("question_id", pa.string()),  # row_id of the question
        required("question", pa.string()),
        required("solution", pa.string()),
        optional("reasoning", pa.string()),  # what the solver thought before it wrote the solution; null if unknown
        required("answer", pa.string()),  # the final answer of the solution, as written
        required("asked", pa.int32()),  # samples drawn for the question, with and without an answer
        required("answer_key", pa.string()),  # normalized for comparison: `1.50`, `3/2` and `$1.5` have one key
    ]
)

REWARDS = pa.schema(
    [
        required("row_id", pa.string()),  # row_id of the solution
        required("reward", pa.float64()),  # P(yes), in [0, 1]
    ]
)
