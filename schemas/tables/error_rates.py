"""Noise: what the labels of a dataset are worth, measured: a rate, its interval, and the rows that it was counted on.

A dataset of this shape, published under the name `error_rates`, is shown in every report of its lake.
"""

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

SCHEMA = pa.schema(
    [
        required("figure", pa.string()),  # what was measured, e.g. `verifier: false accepts`
        required("value", pa.float64()),  # a rate in [0, 1]
        required("low", pa.float64()),  # of its 95 % interval
        required("high", pa.float64()),
        required("n", pa.int64()),  # rows that could have been wrong
        optional("note", pa.string()),  # on what, and how
    ]
)


def expectations() -> list[Expectation]:
    """What a table of measured error rates promises."""
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
