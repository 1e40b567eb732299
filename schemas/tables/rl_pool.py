"""Pools: problems for reinforcement learning, each with the rate at which a model passes it, and what verified that."""

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

POOL_ATTEMPTS = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the problem>/<model>/<sample, from 0>
        required("problem_id", pa.string()),  # row_id of the problem
        required("question", pa.string()),
        required("response", pa.string()),
        required("answer", pa.string()),  # the gold
        required("model", pa.string()),  # as the recipe calls it
        required("cut_off", pa.bool_()),  # ended by its limit of tokens and not by the model
        required("tokens", pa.int32()),  # of the response
    ]
)
"""Whole responses, whether or not they end in an answer."""

PASS_RATES = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the problem>/<model>
        required("problem_id", pa.string()),
        required("question", pa.string()),
        required("answer", pa.string()),
        required("model", pa.string()),
        required("samples", pa.int32()),  # that were verified
        required("passes", pa.int32()),
        required("unverified", pa.int32()),  # asked for, but failed, timed out or unverifiable: in no rate
        required("pass_rate", pa.float64()),  # passes / samples
        required("low", pa.float64()),  # Wilson interval of 95 % about the rate
        required("high", pa.float64()),
        required("tokens", pa.float64()),  # of a response, in the mean
        optional("verifier", pa.string()),  # null where no response got a verdict
        optional("verifier_version", pa.string()),
    ]
)
"""A row for each problem and model."""


def expectations() -> list[Expectation]:
    """What a pool promises; one in which all problems are equally hard teaches little."""
    between = "expect_column_values_to_be_between"
    return [
        Expectation(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "answer", "min_value": 1}),
        Expectation(kind=between, arguments={"column": "pass_rate", "min_value": 0, "max_value": 1}),
        Expectation(kind=between, arguments={"column": "samples", "min_value": 1}),
        Expectation(
            kind=between, severity="warning", arguments={"column": "unverified", "max_value": 0, "mostly": 0.95}
        ),
        Expectation(
            kind="expect_column_stdev_to_be_between",
            severity="warning",
            arguments={"column": "pass_rate", "min_value": 0.01},
        ),
    ]
