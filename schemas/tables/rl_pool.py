"""Pools of problems for reinforcement learning, with a model's pass rate on each and the verifier that measured it."""

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

POOL_ATTEMPTS = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the problem>/<model>/<sample, from 0>
        required("problem_id", pa.string()),  # row_id of the problem
        required("question", pa.string()),
        required("response", pa.string()),
        optional("reasoning", pa.string()),  # what the model thought before it responded; null if unknown
        required("answer", pa.string()),  # the gold answer
        required("model", pa.string()),  # as the recipe calls it
        required("cut_off", pa.bool_()),  # whether the token limit or the server ended the response, not the model
        required("tokens", pa.int32()),  # length of the response
    ]
)
"""Whole responses, with or without a final answer."""

PASS_RATES = pa.schema(
    [
        required("row_id", pa.string()),  # <row_id of the problem>/<model>
        required("problem_id", pa.string()),
        required("question", pa.string()),
        required("answer", pa.string()),
        required("model", pa.string()),
        required("samples", pa.int32()),  # verified samples
        required("passes", pa.int32()),  # verified samples that are correct
        required("unverified", pa.int32()),  # samples that failed, timed out or are unverifiable; not in the rate
        required("cut_off", pa.int32()),  # samples that were cut off; not in the rate either
        required("pass_rate", pa.float64()),  # passes / samples
        required("low", pa.float64()),  # 95 % Wilson interval of the rate
        required("high", pa.float64()),
        required("tokens", pa.float64()),  # mean length of a response
        optional("verifier", pa.string()),  # null if no response got a verdict
        optional("verifier_version", pa.string()),
    ]
)
"""One row for each problem and model."""


def expectations() -> list[Expectation]:
    """The checks of a published pool. It warns if all problems are equally hard, because such a pool teaches little."""
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
