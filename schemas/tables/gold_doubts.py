"""Golds in doubt: which golds cannot be read, are prose, or have several responses that agree against them.

There is one row for each attempt that was verified. The first attempt of each gold says whether the gold is in doubt,
and why; the rows of the others are empty, so that counts of `doubt` are counts of golds.
"""

from typing import Literal

import pyarrow as pa

from schemas.arrow import optional, required
from schemas.steps import Expectation

Doubt = Literal["unreadable", "prose", "disagreement"]
"""Why a gold is in doubt. `unreadable`: the verifier cannot read it, so that no answer is ever equal to it; `prose`: it
is a text and no answer; `disagreement`: several responses have the same other answer."""
DOUBTS: tuple[Doubt, ...] = ("unreadable", "prose", "disagreement")
STEP = "gold_doubts"
"""Label of the step that writes the table."""
CONFIRMED, NO_DOUBT = "confirmed", "none"
"""The `doubt` of a gold that as many responses have as would put it in doubt if they had another; and of the others."""

SCHEMA = pa.schema(
    [
        required("row_id", pa.string()),  # row_id of the attempt
        required("dataset", pa.string()),  # the dataset that the run publishes
        optional(
            "doubt", pa.string()
        ),  # one of DOUBTS, CONFIRMED, NO_DOUBT; null for all but the first attempt of a gold
        optional("reason", pa.string()),  # of unreadable and prose: the verifier's rule, e.g. gold_unparseable
        optional("question", pa.string()),  # this and the columns below are null where there is no doubt
        optional("gold", pa.string()),
        optional("attempts", pa.int32()),  # attempts at the question with this gold that got a verdict
        optional("correct", pa.int32()),  # those of them that are correct
        optional("other_answer", pa.string()),  # the wrong answer of most responses; null if too few agree
        optional("agreeing", pa.int32()),  # responses that have it
        optional("distinct_responses", pa.int32()),  # different texts among these
        optional("examples", pa.list_(pa.string())),  # row_ids of some of them
    ]
)


def expectations(dataset: str) -> list[Expectation]:
    """The check of golds. It only warns, because a gold in doubt may be right."""
    query = f"questmill query \"SELECT * FROM gold_doubts WHERE dataset = '{dataset}'\""
    arguments = {"column": "doubt", "doubts": DOUBTS, "confirmed": CONFIRMED, "query": query}
    return [Expectation(kind="expect_column_golds_to_be_in_no_doubt", severity="warning", arguments=arguments)]
