"""Verdict changes: how a second verifier's verdicts on the same attempts differ, with one row for each attempt."""

from typing import Literal

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

Change = Literal["same", "gained", "lost", "other"]
"""How a verdict changed. `same`: it did not; `gained`: it became correct; `lost`: it was correct before; `other`: it
changed, and neither verdict is correct."""
CHANGES: tuple[Change, ...] = ("same", "gained", "lost", "other")

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # row_id of the attempt
        required("change", pa.string()),  # one of CHANGES
        optional("verdict_before", pa.string()),  # null if there was none, because the row was quarantined
        optional("rule_before", pa.string()),
        optional("verifier_before", pa.string()),  # name and version
        optional("verdict_after", pa.string()),
        optional("rule_after", pa.string()),
        optional("verifier_after", pa.string()),
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of changes. It warns if one row in ten is lost."""
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
