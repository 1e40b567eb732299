"""The document model of a report, independent of its format: sections of paragraphs, tables, charts and details."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table of formatted cells. Columns in `text_columns` are left-aligned; all others hold numbers."""

    columns: list[str]
    rows: list[list[str]]
    text_columns: frozenset[str] = frozenset()


@dataclass(frozen=True)
class BarChart:
    """Horizontal bars on one scale. Each line has a label, one amount for each of `series`, and a text at its end."""

    title: str
    series: tuple[str, ...]
    lines: Sequence[tuple[str, tuple[float, ...], str]]
    note: str = ""


@dataclass(frozen=True)
class ColumnChart:
    """Vertical bars in the given order, as (label, height) pairs. `note` states the same in figures."""

    title: str
    bars: list[tuple[str, int]]
    note: str


@dataclass(frozen=True)
class Details:
    """Named texts under a summary line that a reader can open."""

    title: str
    texts: list[tuple[str, str]]
    is_open: bool = False


@dataclass(frozen=True)
class CodeBlock:
    """Lines of code to copy."""

    text: str


Block = Paragraph | Table | BarChart | ColumnChart | Details | CodeBlock


@dataclass(frozen=True)
class Section:
    """A heading and its blocks. If `side_by_side` is true, they are set in columns where there is room."""

    title: str
    blocks: list[Block]
    side_by_side: bool = False


@dataclass(frozen=True)
class Report:
    """The report of one published version."""

    title: str
    subtitle: str
    tiles: list[tuple[str, str]]
    """The key figures at the top, as (name, amount) pairs."""
    sections: list[Section] = field(default_factory=list)
