"""Formats Markdown tables: every table that the program prints goes through here."""

from collections.abc import Collection, Iterable, Sequence


def format_table(columns: Sequence[str], rows: Iterable[Iterable[object]], right_aligned: Collection[int] = ()) -> str:
    """A table, without a line break at its end. Cells are Markdown; `right_aligned` holds column numbers from 0."""
    alignments = ["--:" if number in right_aligned else "---" for number in range(len(columns))]
    lines = [columns, alignments, *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)
