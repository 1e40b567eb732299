"""Quarantine: rows that failed for good, with the error and the number of attempts."""

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.tables.rejects import REPLIES

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("stage", pa.string()),
        required("reason", pa.string()),
        required("error", pa.string()),
        required("attempts", pa.int32()),
        required("row", pa.string()),  # the row as JSON text
        optional("replies", REPLIES),  # as in `schemas.tables.rejects`
    ]
)
