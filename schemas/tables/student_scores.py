"""Students: what training on which rows did, measured on problems that none of them has seen."""

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation

SELF_CORRECTION_TRACES = pa.schema(
    [
        required("row_id", pa.string()),
        required("student", pa.string()),
        required("question_id", pa.string()),
        required("verdict", pa.string()),  # correct or wrong
        required("reflected", pa.bool_()),  # notices something on the way
        required("erred", pa.bool_()),  # goes wrong before it notices anything, or to the end
    ]
)

STUDENT_SCORES = pa.schema(
    [
        required("row_id", pa.string()),
        required("student", pa.string()),  # <rows it learnt from>_<seed>, or the role that all began from
        required("problems", pa.int64()),
        required("first_pass", pa.float64()),  # share of problems that its first, greedy attempt gets right
        required("low", pa.float64()),  # of its 95 % interval
        required("high", pa.float64()),
        required("unanswered", pa.int64()),  # attempts without an answer, cut off or not to be judged
        required("erred", pa.int64()),  # attempts with an error of its own in them, unanswered ones too
        required("reflected", pa.int64()),  # of those: that notice something
        required("corrected", pa.float64()),  # of those: share that ends right all the same
        required("corrected_low", pa.float64()),
        required("corrected_high", pa.float64()),
    ]
)


def expectations() -> list[Expectation]:
    """What a table of students promises."""
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
