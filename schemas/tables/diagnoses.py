"""Diagnoses: which step of a wrong solution is the first wrong one, and what kind of error it is."""

import pyarrow as pa

from schemas.arrow import required
from schemas.tables.student_solutions import SOLUTIONS_SEGMENTED

SCHEMA = pa.schema(
    [
        *SOLUTIONS_SEGMENTED,
        required("found_type", pa.string()),  # one of tasks.lemma.error_types.TYPES
        required("found_step", pa.int32()),  # the first wrong step, from 1
        required("votes", pa.int32()),  # replies that say so
        required("asked", pa.int32()),  # of how many
    ]
)
