"""Ground truth: what the oracle of the proving ground knows about a question."""

import pyarrow as pa

from schemas.arrow import optional, required

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # row_id of the question
        required("solvable", pa.bool_()),  # false also for a text that no template can read
        optional("reason", pa.string()),  # missing_condition, contradiction, non_integer or unreadable
        optional("answer", pa.string()),  # the exact answer
        optional("topic", pa.string()),
    ]
)
