"""Verdicts: a verifier's decision on each attempt and the reason for it, one row for each attempt."""

import pyarrow as pa

from schemas.arrow import measured, optional, required
from schemas.steps import Expectation

DECISIVE_VERDICTS = ("correct", "wrong")
"""Verdicts that say whether the answer is right. The others leave it open and never count as a pass."""
VERDICT_VALUES = (*DECISIVE_VERDICTS, "unparseable", "timeout", "unverifiable")
"""All verdicts. `unparseable`: there is no answer, or it cannot be read; `timeout`: the verifier took too long;
`unverifiable`: the verifier cannot decide, e.g. because votes are tied, judges disagree, or the oracle does not know
the question."""

VERDICT_SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("verdict", pa.string()),  # one of VERDICT_VALUES
        required("rule", pa.string()),  # the rule that decided, e.g. `number` or `unit`, or why none did: `no_answer`
        optional("found_by", pa.string()),  # how the answer was found in the response: `boxed`, `hash`, `marker` ...
        optional("gold_parsed", pa.string()),  # the gold answer as parsed, as text
        optional("answer_parsed", pa.string()),  # the response's answer as parsed, as text
        required("verifier", pa.string()),
        required("verifier_version", pa.string()),
        measured("milliseconds", pa.float32()),
    ]
)


def expectations() -> list[Expectation]:
    """The checks of a published table of verdicts. Many timeouts or unparseable answers cause a warning only."""
    return [
        Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"}),
        Expectation(
            kind="expect_column_values_to_be_in_set", arguments={"column": "verdict", "value_set": list(VERDICT_VALUES)}
        ),
        Expectation(
            kind="expect_column_values_to_not_be_in_set",
            severity="warning",
            arguments={"column": "verdict", "value_set": ["timeout"], "mostly": 0.99},
        ),
        Expectation(
            kind="expect_column_values_to_not_be_in_set",
            severity="warning",
            arguments={"column": "verdict", "value_set": ["unparseable"], "mostly": 0.9},
        ),
        Expectation(
            kind="expect_column_values_to_not_be_in_set",
            severity="warning",
            arguments={"column": "verdict", "value_set": ["unverifiable"], "mostly": 0.9},
        ),
    ]
