"""Questions: a text, and in its id the row and sample that it comes from."""

import pyarrow as pa

from schemas.arrow import required

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the input>/<sample, from 0> where it was written
        required("question", pa.string()),
    ]
)
