"""Where the seconds of a run went: a table that fits a terminal, with a line for each step."""

import time
from pathlib import Path

from flows.run.timings import TABLE_COLUMNS, Span, Timings
from tests.support.runs import Command


def test_spans_are_told_in_their_order_with_their_seconds_and_a_chart() -> None:
    timings = Timings()
    timings.spans = [Span("later, with a name that is longer than its column", 107.5, 110.0), Span("first", 100.5, 105)]
    lines = timings.format_table(process_began=100.0).splitlines()
    assert [line.split()[0] for line in lines] == ["seconds", "first", "later,", "all"]
    assert [line[30:46].split() for line in lines[1:]] == [["0.50", "4.50"], ["7.50", "2.50"], ["0.00", "10.00"]]
    assert max(map(len, lines)) <= TABLE_COLUMNS
    assert (lines[1].index("="), lines[1].count("=")) == (47, 15)
    assert (lines[2].index("="), lines[2].count("=")) == (71, 8)


def test_what_was_begun_and_ended_is_measured_and_what_was_not_begun_is_none() -> None:
    timings = Timings()
    timings.begin("flow")
    timings.end("flow")
    timings.end("cluster")
    [span] = timings.spans
    assert span.name == "flow" and 0 <= time.time() - span.ended < 60
    timings.forget()
    assert timings.format_table(time.time()).count("\n") == 1, "a heading and a sum"


def test_a_run_tells_its_timings_only_if_asked(command: Command, tmp_path: Path) -> None:
    words = ("run", "templates", "--n", "10", "--store", tmp_path / "lake")
    first, second, third = command(*words, "--timings"), command(*words, "--timings"), command(*words)
    assert (first.code, second.code, third.code) == (0, 0, 0)
    table = first.err[first.err.index("seconds of") :].splitlines()
    for name in ("imports", "cluster", "draw_problem", "gate", "publish problems", "report problems", "end of"):
        assert sum(line.startswith(name) for line in table) >= 1, name
    assert max(map(len, table)) <= TABLE_COLUMNS
    looked_up = second.err[second.err.index("seconds of") :].splitlines()
    assert [line.split("  ")[0] for line in looked_up[1:-1]] == ["imports", "look-up of what is done"]
    assert "seconds of" not in third.err and first.out == second.out == third.out
