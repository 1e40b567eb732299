"""Questions: a text, whose row id names the row and the sample that it comes from."""

import pyarrow as pa

from schemas.arrow import required

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the input>/<sample, from 0> if a model wrote it
        required("question", pa.string()),
    ]
)
