"""Corrections: solutions that make an error, notice it and reach the right answer, with the span of each part."""

from typing import Literal

import pyarrow as pa

from schemas.arrow import required
from schemas.steps import Expectation
from schemas.tables.located_errors import LOCATED_ERRORS
from schemas.tables.student_solutions import SOLUTION_SOURCES

Strategy = Literal["fix_continue", "fresh_restart"]
STRATEGIES: tuple[Strategy, ...] = ("fix_continue", "fresh_restart")

CORRECTION_DRAFTS = pa.schema(
    [
        *LOCATED_ERRORS,
        required("strategy", pa.string()),  # one of STRATEGIES
        required("teacher", pa.string()),  # role that wrote the text after the prefix
        required("trajectory", pa.string()),  # prefix, reflection and correction, each on its own lines
        required("reflection_start", pa.int32()),  # character offset in `trajectory`, as are all offsets here
        required("reflection_end", pa.int32()),
        required("correction_start", pa.int32()),
        required("correction_end", pa.int32()),
    ]
)

CORRECTIONS = pa.schema(
    [
        *CORRECTION_DRAFTS,
        required("right_rule", pa.string()),  # the rule of the verifier that accepted the correction
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of corrections."""
    return [
        Expectation(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(
            kind="expect_column_values_to_be_in_set",
            arguments={"column": "source", "value_set": list(SOLUTION_SOURCES)},
        ),
        Expectation(
            kind="expect_column_values_to_be_in_set", arguments={"column": "strategy", "value_set": list(STRATEGIES)}
        ),
        *(
            Expectation(
                kind="expect_column_pair_values_a_to_be_greater_than_b",
                arguments={"column_A": later, "column_B": earlier},
            )
            for earlier, later in (
                ("wrong_start", "wrong_end"),
                ("wrong_end", "reflection_start"),
                ("reflection_start", "reflection_end"),
                ("reflection_end", "correction_start"),
                ("correction_start", "correction_end"),
            )
        ),
        Expectation(
            kind="expect_column_values_to_be_unique",
            severity="warning",
            arguments={"column": "trajectory", "mostly": 0.98},
        ),
    ]
