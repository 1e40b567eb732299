"""What another verifier changes, row by row."""

import pyarrow as pa

from schemas.arrow import conform
from schemas.tables import verdict_changes, verdicts
from tasks.verification.compare_verdicts import CompareVerdicts
from tests.support.merging import run_merge


def test_every_attempt_is_compared_also_where_it_had_no_verdict_or_has_none_now() -> None:
    pairs = ["cc", "cw", "wc", "wp", "-c", "c-", "--", "-w"]
    words = {"c": "correct", "w": "wrong", "p": "unparseable", "-": None}
    sides = []
    for side in (0, 1):
        rows = [
            dict.fromkeys(verdicts.VERDICT_SCHEMA.names)
            | {"row_id": f"r{i}", "verdict": words[pair[side]], "rule": "number", "verifier": "v"}
            | {"verifier_version": str(side), "milliseconds": 0.0}
            for i, pair in enumerate(pairs)
            if words[pair[side]]
        ]
        sides.append(pa.Table.from_pylist(rows, schema=verdicts.VERDICT_SCHEMA))
    attempts = [{"row_id": f"r{i}", "response": "long", "verdict": "theirs"} for i in range(len(pairs))]
    found = list(run_merge(CompareVerdicts(), attempts, *sides).values())
    conform(found, verdict_changes.SCHEMA, "changes")
    assert [row["change"] for row in found] == ["same", "lost", "gained", "other", "gained", "lost", "same", "other"]
    assert (found[1]["verifier_before"], found[1]["verifier_after"]) == ("v 0", "v 1")
    assert found[4]["verdict_before"] is None
