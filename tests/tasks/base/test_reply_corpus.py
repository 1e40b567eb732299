"""Realistic replies of every stage in every form are read as a careful person reads them."""

from collections import Counter

import pytest

from tests.support.reply_corpus import half_of, load_entries, outcome_of

ENTRIES = load_entries()
FORMS = {
    *("plain", "bold", "headed", "fenced", "prefaced", "think_closed", "think_open", "think_template", "json"),
    *("latex", "truncated"),
}


def test_the_corpus_holds_every_stage_in_every_form() -> None:
    cells = {(entry["stage"], entry["form"]) for entry in ENTRIES}
    assert cells == {(stage, form) for stage, _ in cells for form in FORMS} and len(ENTRIES) >= 400
    assert len({entry["id"] for entry in ENTRIES}) == len(ENTRIES)
    assert sum(entry["writer"] == "real" for entry in ENTRIES) >= 150


@pytest.mark.parametrize("half", ["first", "second"])
def test_replies_are_read_right_and_never_taken_for_something_else(half: str) -> None:
    outcomes = {entry["id"]: outcome_of(entry) for entry in ENTRIES if half_of(entry) == half}
    counts = Counter(outcomes.values())
    assert [name for name, outcome in outcomes.items() if outcome == "misread"] == []
    lost = [name for name, outcome in outcomes.items() if outcome == "lost"]
    assert counts["right"] >= 0.98 * len(outcomes), lost
