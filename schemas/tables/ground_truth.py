"""Truths: what the oracle of the proving ground knows about a question."""

import pyarrow as pa

from schemas.arrow import optional, required

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # of the question
        required("solvable", pa.bool_()),  # a text that no template reads is no question, and not solvable
        optional("reason", pa.string()),  # missing_condition, contradiction, non_integer or unreadable
        optional("answer", pa.string()),  # exact
        optional("topic", pa.string()),
    ]
)
