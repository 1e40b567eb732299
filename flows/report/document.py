"""A published version told to people: its figures as sections of text, tables, bars and folds, for any renderer."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table; columns named in `text_columns` hold texts, the others numbers."""

    columns: list[str]
    rows: list[list[str]]
    text_columns: frozenset[str] = frozenset()


@dataclass(frozen=True)
class BarChart:
    """Lying bars, one a line: its label, what it is made of, and what is said at its end; all of one scale."""

    title: str
    series: tuple[str, ...]
    lines: Sequence[tuple[str, tuple[float, ...], str]]
    note: str = ""


@dataclass(frozen=True)
class ColumnChart:
    """Standing bars in their order, each with a label; `note` says what they show in figures."""

    title: str
    bars: list[tuple[str, int]]
    note: str


@dataclass(frozen=True)
class Details:
    """Named texts behind one line that opens."""

    title: str
    texts: list[tuple[str, str]]
    is_open: bool = False


@dataclass(frozen=True)
class CodeBlock:
    """Lines to copy."""

    text: str


Block = Paragraph | Table | BarChart | ColumnChart | Details | CodeBlock


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; `side_by_side` where there is room."""

    title: str
    blocks: list[Block]
    side_by_side: bool = False


@dataclass(frozen=True)
class Report:
    """A whole report."""

    title: str
    subtitle: str
    tiles: list[tuple[str, str]]
    """The few figures that come first: what, and how much."""
    sections: list[Section] = field(default_factory=list)
