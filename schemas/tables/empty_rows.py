"""Empty rows: the numbered rows that a step without any other input starts from."""

import pyarrow as pa

from schemas.arrow import required

SCHEMA = pa.schema([required("row_id", pa.string()), required("number", pa.int64())])
