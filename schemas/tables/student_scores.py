"""Student scores: the effect of training on different rows, measured on problems that no student has seen."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation

SELF_CORRECTION_TRACES = pa.schema(
    [
        required("row_id", pa.string()),
        required("student", pa.string()),
        required("question_id", pa.string()),
        required("verdict", pa.string()),  # correct or wrong
        required("reflected", pa.bool_()),  # whether the attempt contains a reflection
        required("erred", pa.bool_()),  # whether it has an error before any reflection, or ends wrong
    ]
)

STUDENT_SCORES = pa.schema(
    [
        required("row_id", pa.string()),
        required("student", pa.string()),  # <rows it was trained on>_<seed>, or the role that all started from
        required("problems", pa.int64()),
        required("first_pass", pa.float64()),  # share of problems that the first, greedy attempt gets right
        required("low", pa.float64()),  # its 95 % interval
        required("high", pa.float64()),
        required("unanswered", pa.int64()),  # attempts without an answer, cut off, or without a verdict
        required("erred", pa.int64()),  # attempts with an error, unanswered ones included
        required("reflected", pa.int64()),  # attempts with an error that contain a reflection
        required("corrected", pa.float64()),  # share of the attempts with an error that end right
        required("corrected_low", pa.float64()),
        required("corrected_high", pa.float64()),
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of student scores."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "student"}),
        *(
            Expectation(
                kind="expect_column_values_to_be_between", arguments={"column": name, "min_value": 0, "max_value": 1}
            )
            for name in ("first_pass", "corrected")
        ),
        *(
            Expectation(kind="expect_column_values_to_be_between", arguments={"column": name, "min_value": 0})
            for name in ("unanswered", "erred", "reflected")
        ),
        *(
            Expectation(
                kind="expect_column_pair_values_a_to_be_greater_than_b",
                arguments={"column_A": most, "column_B": part, "or_equal": True},
            )
            for most, part in (("problems", "unanswered"), ("problems", "erred"), ("erred", "reflected"))
        ),
    ]
