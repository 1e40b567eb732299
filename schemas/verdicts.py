"""Verdicts: what a verifier found about an attempt, and why; kept beside the attempts, one row for each."""

import pyarrow as pa

from schemas.arrow import measured, optional, required
from schemas.work import Expect

VERDICTS = ("correct", "wrong", "unparseable", "timeout")

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("verdict", pa.string()),  # one of VERDICTS
        required("rule", pa.string()),  # what decided: `number`, `math_verify`, `no_answer`, `deadline` ...
        optional("found_by", pa.string()),  # how the answer was found in the response: `boxed`, `hash`, `marker` ...
        optional("gold_parsed", pa.string()),  # both parsed forms, as text
        optional("answer_parsed", pa.string()),
        required("verifier", pa.string()),
        required("verifier_version", pa.string()),
        measured("milliseconds", pa.float32()),
    ]
)


def expectations() -> list[Expect]:
    """What a table of verdicts promises; a share of timeouts or unparseable answers is worth a look, not a stop."""
    return [
        Expect(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expect(kind="expect_column_values_to_be_in_set", arguments={"column": "verdict", "value_set": list(VERDICTS)}),
        Expect(
            kind="expect_column_values_to_not_be_in_set",
            severity="warning",
            arguments={"column": "verdict", "value_set": ["timeout"], "mostly": 0.99},
        ),
        Expect(
            kind="expect_column_values_to_not_be_in_set",
            severity="warning",
            arguments={"column": "verdict", "value_set": ["unparseable"], "mostly": 0.9},
        ),
    ]
