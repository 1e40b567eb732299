"""Changes: what another verifier says about attempts that were judged before, one row for each attempt."""

from typing import Literal

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

Change = Literal["same", "gained", "lost", "other"]
"""`gained`: correct now, and was not; `lost`: was correct, and is not; `other`: another verdict, neither a pass."""
CHANGES: tuple[Change, ...] = ("same", "gained", "lost", "other")

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # of the attempt
        required("change", pa.string()),  # one of CHANGES
        optional("verdict_before", pa.string()),  # null where there was none: it was in quarantine
        optional("rule_before", pa.string()),
        optional("verifier_before", pa.string()),  # with its version
        optional("verdict_after", pa.string()),
        optional("rule_after", pa.string()),
        optional("verifier_after", pa.string()),
    ]
)


def expectations() -> list[Expectation]:
    """What a table of changes promises; that one row in ten is lost wants a look."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(
            kind="expect_column_values_to_be_in_set", arguments={"column": "change", "value_set": list(CHANGES)}
        ),
        Expectation(
            kind="expect_column_values_to_not_be_in_set",
            severity="warning",
            arguments={"column": "change", "value_set": ["lost"], "mostly": 0.9},
        ),
    ]
