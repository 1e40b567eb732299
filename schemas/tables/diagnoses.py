"""Diagnoses: the first wrong step of each wrong solution, and the type of its error."""

import pyarrow as pa

from schemas.arrow import required
from schemas.tables.student_solutions import SOLUTIONS_SEGMENTED

SCHEMA = pa.schema(
    [
        *SOLUTIONS_SEGMENTED,
        required("found_type", pa.string()),  # one of tasks.lemma.error_types.TYPES
        required("found_step", pa.int32()),  # the first wrong step, from 1
        required("votes", pa.int32()),  # replies that agree with this diagnosis
        required("asked", pa.int32()),  # replies in total
    ]
)
