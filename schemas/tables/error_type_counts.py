"""Error types of a run: how often each was found, asked for, made and published; a row for each of the twelve."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("type", pa.string()),
        required("student", pa.int64()),  # errors of the student that were diagnosed so
        required("student_share", pa.float64()),
        required("target_share", pa.float64()),  # of the injections, by the distributions of their questions
        required("drawn", pa.int64()),  # injections that were asked for
        required("made", pa.int64()),  # and are errors of their own, verified and located
        required("published", pa.int64()),  # injected errors with a published correction
        required("published_share", pa.float64()),
        required("distance", pa.float64()),  # total variation distance of published and target shares, in every row
    ]
)


def expectations() -> list[Expectation]:
    """What a table of error types promises; a mix far from its target is worth a look."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "type"}),
        Expectation(
            kind="expect_column_values_to_be_between",
            severity="warning",
            arguments={"column": "distance", "min_value": 0, "max_value": 0.1},
        ),
    ]
