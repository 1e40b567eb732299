"""A published version told to people: its figures as sections of text, tables, bars and folds, for any renderer."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table; columns named in `left` hold texts, the others numbers."""

    columns: list[str]
    rows: list[list[str]]
    left: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bars:
    """Lying bars, one a line: its label, what it is made of, and what is said at its end; all of one scale."""

    title: str
    kinds: tuple[str, ...]
    lines: Sequence[tuple[str, tuple[float, ...], str]]
    note: str = ""


@dataclass(frozen=True)
class Columns:
    """Standing bars in their order, each with a label; `note` says what they show in figures."""

    title: str
    bars: list[tuple[str, int]]
    note: str


@dataclass(frozen=True)
class Fold:
    """Named texts behind one line that opens."""

    title: str
    texts: list[tuple[str, str]]
    open: bool = False


@dataclass(frozen=True)
class Code:
    """Lines to copy."""

    text: str


Block = Text | Grid | Bars | Columns | Fold | Code


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; `side_by_side` where there is room."""

    title: str
    blocks: list[Block]
    side_by_side: bool = False


@dataclass(frozen=True)
class Story:
    """A whole report."""

    title: str
    line: str
    tiles: list[tuple[str, str]]
    """The few figures that come first: what, and how much."""
    sections: list[Section] = field(default_factory=list)
