"""Rejects: rows that a stage turned down, each with its reason. A dropped row with a reason is data."""

import pyarrow as pa

from schemas.arrow import required

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("stage", pa.string()),
        required("reason", pa.string()),
        required("row", pa.string()),  # the row as JSON text: stages turn down rows of many shapes
    ]
)
