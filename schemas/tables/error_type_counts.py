"""Error types of a run: how often each was found, drawn, injected and published, with a row for each of the twelve."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("type", pa.string()),
        required("student", pa.int64()),  # the student's own errors of this type
        required("student_share", pa.float64()),
        required("target_share", pa.float64()),  # share of the injections, by the distributions of their questions
        required("drawn", pa.int64()),  # injections that were requested
        required("made", pa.int64()),  # injections that succeeded: a new error, verified and located
        required("published", pa.int64()),  # injected errors with a published correction
        required("published_share", pa.float64()),
        required(
            "distance", pa.float64()
        ),  # total variation distance of published and target shares, equal in all rows
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of error types. A mix far from its target causes a warning."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "type"}),
        Expectation(
            kind="expect_column_values_to_be_between",
            severity="warning",
            arguments={"column": "distance", "min_value": 0, "max_value": 0.1},
        ),
    ]
