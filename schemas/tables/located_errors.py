"""Wrong solutions with a located error: the first wrong step and its type, from a student or an injection."""

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
        required("type", pa.string()),  # the requested type if the error was injected, else the diagnosed one
        required("found_type", pa.string()),
        required("step", pa.int32()),  # the first wrong step, from 1
        required("prefix", pa.string()),  # the response up to the end of that step, without trailing white space
        required("wrong_start", pa.int32()),  # character offset in `prefix` where that step starts
        required("wrong_end", pa.int32()),  # character offset where it ends
        required("votes", pa.int32()),
        required("asked", pa.int32()),
        required("wrong_rule", pa.string()),  # the rule of the verifier that rejected the response
    ]
)
