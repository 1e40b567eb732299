"""Rejects: rows that a stage rejected, each with its reason. They are kept as data."""

import pyarrow as pa

from schemas.arrow import required

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("stage", pa.string()),
        required("reason", pa.string()),
        required("row", pa.string()),  # the row as JSON text, because rejected rows have many shapes
    ]
)
