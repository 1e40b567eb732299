"""Solutions with a verdict: what a student wrote, or a teacher made wrong on purpose, and in the end its steps."""

import pyarrow as pa

from schemas.arrow import optional, required

SOLUTION_SOURCES = ("student", "injected")

PROBLEMS_WITH_REFERENCE = pa.schema(
    [
        required("row_id", pa.string()),
        required("question", pa.string()),
        required("answer", pa.string()),  # gold
        required("reference", pa.string()),  # a right solution
    ]
)

SOLUTIONS_WRITTEN = pa.schema(
    [
        required("row_id", pa.string()),  # <question_id>/<sample>, of an injection <question_id>/i<draw>/<sample>
        required("question_id", pa.string()),
        required("question", pa.string()),
        required("answer", pa.string()),
        required("reference", pa.string()),
        required("response", pa.string()),  # the solution
        required("source", pa.string()),  # one of SOURCES
        required("student", pa.string()),  # role that attempts the question
        optional("type", pa.string()),  # of an injection: the type of error that was asked for
        optional("line", pa.int32()),  # and the line where the teacher says it is, from 1
    ]
)

SOLUTIONS_GRADED = pa.schema(
    [
        *SOLUTIONS_WRITTEN,
        required("verdict", pa.string()),  # correct or wrong
        required("rule", pa.string()),  # the rung that decided, see schemas/tables/verdicts.py
    ]
)

STEP_SPAN = pa.struct([required("start", pa.int32()), required("end", pa.int32())])

SOLUTIONS_SEGMENTED = pa.schema(
    [
        *SOLUTIONS_GRADED,
        required("steps", pa.list_(pa.field("item", STEP_SPAN, nullable=False))),
    ]  # characters of `response`
)
