"""Tables in Markdown: every table that the program writes for people is written here."""

from collections.abc import Collection, Iterable, Sequence


def format_table(columns: Sequence[str], rows: Iterable[Iterable[object]], right_aligned: Collection[int] = ()) -> str:
    """A table without its last line break; cells are Markdown, `right_aligned` are numbers of columns from 0."""
    alignments = ["--:" if number in right_aligned else "---" for number in range(len(columns))]
    lines = [columns, alignments, *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)
