"""How realistic replies are read, by stage and by form: right, lost, or taken for something else."""

from collections import Counter
from collections.abc import Iterator

from schemas.markdown_table import format_table
from tests.bench.support.results import Figure
from tests.support.reply_corpus import OUTCOMES, Entry, count_outcomes, half_of, load_entries, outcome_of


def measure() -> Iterator[Figure]:
    """The shares of all replies, and of the half that was put aside until the readers were written."""
    entries = load_entries()
    cells = {(stage, form): counts for stage, form, counts in count_outcomes(entries)}
    forms = sorted({form for _, form in cells if form != "all"})
    stages = sorted({stage for stage, _ in cells})
    print("right / lost / misread\n")
    rows = [[stage, *(_show(cells.get((stage, form), Counter())) for form in (*forms, "all"))] for stage in stages]
    print(format_table(["", *forms, "all"], rows))
    for name, chosen in _halves(entries).items():
        counts = Counter(outcome_of(each) for each in chosen)
        right = 100 * counts["right"] / len(chosen)
        yield Figure(f"right_{name}", round(right, 1), "%", ">= 98", f"{len(chosen)} replies, {counts['lost']} lost")
        yield Figure(f"misread_{name}", counts["misread"], "replies", "0")


def _halves(entries: list[Entry]) -> dict[str, list[Entry]]:
    return {"all": entries, "second_half": [each for each in entries if half_of(each) == "second"]}


def _show(counts: Counter[str]) -> str:
    return " / ".join(str(counts[name]) for name in OUTCOMES) if counts else ""
