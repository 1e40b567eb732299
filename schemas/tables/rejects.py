"""Rejects: rows that a stage rejected, each with its reason. They are kept as data."""

import pyarrow as pa

from schemas.arrow import optional, required

REPLIES = pa.list_(pa.struct([("text", pa.string()), ("reasoning", pa.string()), ("finish_reason", pa.string())]))
"""What a model wrote about a row, one entry a sample. `reasoning` is its thought, null if it had none."""

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("stage", pa.string()),
        required("reason", pa.string()),
        required("row", pa.string()),  # the row as JSON text, because rejected rows have many shapes
        optional("replies", REPLIES),  # with the first reject of an input row; null if no model was asked about it
    ]
)
