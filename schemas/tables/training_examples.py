"""Training examples: the reply that a student is trained to write, and the part that is left out of the loss."""

import pyarrow as pa

from schemas.arrow import required

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("question", pa.string()),
        required("text", pa.string()),  # the whole reply
        required("masked_start", pa.int32()),  # character offset in `text` where the part without loss starts
        required("masked_end", pa.int32()),  # character offset where it ends; equal to `masked_start`: no such part
    ]
)
