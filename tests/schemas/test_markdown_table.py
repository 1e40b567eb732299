"""Tables in Markdown."""

from schemas.markdown_table import format_table


def test_numbers_are_aligned_to_the_right_and_every_row_is_a_line() -> None:
    assert format_table(["step", "rows"], [("seed", 3), ("verify", "1,000")], right_aligned=[1]).splitlines() == [
        "| step | rows |",
        "| --- | --: |",
        "| seed | 3 |",
        "| verify | 1,000 |",
    ]
