"""Wrong solutions with their located error: what a student or an injection got wrong, and where."""

import pyarrow as pa

from schemas.arrow import required

LOCATED_ERRORS = pa.schema(
    [
        required("row_id", pa.string()),
        required("question_id", pa.string()),
        required("question", pa.string()),
        required("answer", pa.string()),
        required("reference", pa.string()),
        required("response", pa.string()),  # the whole wrong solution
        required("source", pa.string()),
        required("student", pa.string()),
        required("type", pa.string()),  # as asked for where it was injected, else as found
        required("found_type", pa.string()),
        required("step", pa.int32()),  # the first wrong step, from 1
        required("prefix", pa.string()),  # the response up to the end of that step, without the blanks behind it
        required("wrong_start", pa.int32()),  # that step: characters of the prefix
        required("wrong_end", pa.int32()),
        required("votes", pa.int32()),
        required("asked", pa.int32()),
        required("wrong_rule", pa.string()),  # the rung that found the response wrong
    ]
)
