"""Solutions that a student wrote or a teacher spoiled on purpose: as written, with a verdict, and with their steps."""

import pyarrow as pa

from schemas.arrow import optional, required

SOLUTION_SOURCES = ("student", "injected")

PROBLEMS_WITH_REFERENCE = pa.schema(
    [
        required("row_id", pa.string()),
        required("question", pa.string()),
        required("answer", pa.string()),  # the gold answer
        required("reference", pa.string()),  # a right solution
    ]
)

SOLUTIONS_WRITTEN = pa.schema(
    [
        required("row_id", pa.string()),  # <question_id>/<sample>; for an injection <question_id>/i<draw>/<sample>
        required("question_id", pa.string()),
        required("question", pa.string()),
        required("answer", pa.string()),
        required("reference", pa.string()),
        required("response", pa.string()),  # the solution
        optional("reasoning", pa.string()),  # what the student thought before it wrote; null if unknown or injected
        required("source", pa.string()),  # one of SOLUTION_SOURCES
        required("student", pa.string()),  # role that attempts the question
        optional("type", pa.string()),  # requested type of an injected error; else null
        optional("line", pa.int32()),  # line of an injected error, from 1, as the teacher reports it; else null
    ]
)

SOLUTIONS_GRADED = pa.schema(
    [
        *SOLUTIONS_WRITTEN,
        required("verdict", pa.string()),  # correct or wrong
        required("rule", pa.string()),  # the rule that decided, see schemas/tables/verdicts.py
    ]
)

STEP_SPAN = pa.struct([required("start", pa.int32()), required("end", pa.int32())])

SOLUTIONS_SEGMENTED = pa.schema(
    [
        *SOLUTIONS_GRADED,
        required("steps", pa.list_(pa.field("item", STEP_SPAN, nullable=False))),  # character offsets in `response`
    ]
)
