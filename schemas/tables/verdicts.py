"""Verdicts: what a verifier found about an attempt, and why; kept beside the attempts, one row for each."""

import pyarrow as pa

from schemas.arrow import measured, optional, required
from schemas.steps import Expectation

DECISIVE_VERDICTS = ("correct", "wrong")
"""Verdicts that say whether the answer is right. The others are none, and least of all a pass."""
VERDICT_VALUES = (*DECISIVE_VERDICTS, "unparseable", "timeout", "unverifiable")
"""`unparseable`: no answer, or none that can be read; `timeout`: it took too long to say; `unverifiable`: this verifier
has no grounds to say, for votes are tied, judges disagree, or the oracle does not know the question."""

VERDICT_SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),
        required("verdict", pa.string()),  # one of VERDICTS
        required(
            "rule", pa.string()
        ),  # the rung that decided: `number`, `unit`, `load_comparator` ..., or why none did: `no_answer` ...
        optional("found_by", pa.string()),  # how the answer was found in the response: `boxed`, `hash`, `marker` ...
        optional("gold_parsed", pa.string()),  # both parsed forms, as text
        optional("answer_parsed", pa.string()),
        required("verifier", pa.string()),
        required("verifier_version", pa.string()),
        measured("milliseconds", pa.float32()),
    ]
)

EXTRACTED_ANSWERS = pa.schema(
    [
        required("row_id", pa.string()),
        required("answer", pa.string()),
        required("found_by", pa.string()),  # as above
        required("start", pa.int32()),  # characters of the response before the answer, and up to its end
        required("end", pa.int32()),
    ]
)


def expectations() -> list[Expectation]:
    """What a table of verdicts promises; a share of timeouts or unparseable answers is worth a look, not a stop."""
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
