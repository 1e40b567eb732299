"""Blanks: rows that hold nothing but their number; what a step that makes something from nothing starts from."""

import pyarrow as pa

from schemas.arrow import required

SCHEMA = pa.schema([required("row_id", pa.string()), required("number", pa.int64())])
