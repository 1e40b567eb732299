"""Examples: what a student is trained to write, and the part of it that does not count for the loss."""

import pyarrow as pa

from schemas.arrow import required

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("question", pa.string()),
        required("text", pa.string()),  # the whole reply
        required("masked_start", pa.int32()),  # characters of `text` that are read and not learnt; equal: none
        required("masked_end", pa.int32()),
    ]
)
