"""Measured error rates of a dataset's labels: each rate, its interval, and the number of rows it was measured on.

A dataset of this shape that is published as `error_rates` is shown in every report of its lake.
"""

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

SCHEMA = pa.schema(
    [
        required("figure", pa.string()),  # what was measured, e.g. `verifier: false accepts`
        required("value", pa.float64()),  # the rate, in [0, 1]
        required("low", pa.float64()),  # its 95 % interval
        required("high", pa.float64()),
        required("n", pa.int64()),  # rows that could have been wrong
        optional("note", pa.string()),  # how it was measured, and on what
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of measured error rates."""
    ordered = [("low", "value"), ("value", "high")]
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "figure"}),
        *(
            Expectation(
                kind="expect_column_values_to_be_between", arguments={"column": name, "min_value": 0, "max_value": 1}
            )
            for name in ("low", "value", "high")
        ),
        *(
            Expectation(
                kind="expect_column_pair_values_a_to_be_greater_than_b",
                arguments={"column_A": high, "column_B": low, "or_equal": True},
            )
            for low, high in ordered
        ),
    ]
