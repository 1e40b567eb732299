"""A story as Markdown, for Prefect's artifacts and for a dataset card: bars are drawn with block characters."""

import re

from flows.report.document import Bars, Block, Code, Columns, Fold, Grid, Section, Story, Text

WIDTH = 24
"""Characters of the longest bar."""
MOST = 2_000
"""Characters of a text that are shown; the HTML report shows it whole."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")


def markdown(story: Story) -> str:
    """The whole text."""
    tiles = "".join(f"- {_line(what)}: **{_line(n)}**\n" for what, n in story.tiles)
    head = f"# {_line(story.title)}\n\n{_line(story.line)}\n\n{tiles}"
    return "\n".join([head, *map(_section, story.sections)])


def _section(section: Section) -> str:
    return "\n".join([f"## {_line(section.title)}\n", *(f"{_block(block)}\n" for block in section.blocks)])


def _block(block: Block) -> str:
    match block:
        case Text(text):
            return _line(text)
        case Code(text):
            return _fenced(text)
        case Grid(columns, rows, left):
            return _table(columns, ["---" if name in left else "--:" for name in columns], rows)
        case Bars(title, _, lines, note):
            most = max((sum(amounts) for _, amounts, _ in lines), default=0) or 1
            drawn = [[label, _bar(amounts[0] / most), told] for label, amounts, told in lines]
            return _table([title, "", ""], ["---", "---", "--:"], drawn) + (f"\n\n{_line(note)}" if note else "")
        case Columns(title, bars, note):
            most = max((n for _, n in bars), default=0) or 1
            drawn = [[label, _bar(n / most), f"{n:,}"] for label, n in bars]
            return _table([title, "", "rows"], ["--:", "---", "--:"], drawn) + f"\n\n{_line(note)}"
        case Fold(title, texts):
            return "\n\n".join([f"**{_line(title)}**", *(f"{_line(name)}\n\n{_fenced(text)}" for name, text in texts)])


def _table(columns: list[str], marks: list[str], rows: list[list[str]]) -> str:
    lines = [columns, marks, *rows]
    return "\n".join("| " + " | ".join(cells if cells is marks else map(_line, cells)) + " |" for cells in lines)


def _bar(share: float) -> str:
    """At least one character where there is anything at all."""
    return "\N{FULL BLOCK}" * (max(1, round(share * WIDTH)) if share else 0)


def _line(text: str) -> str:
    """One line in which nothing is markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _fenced(text: str) -> str:
    """As it is, in a fence that is longer than any in it."""
    shown = text if len(text) <= MOST else f"{text[:MOST]}\n... and {len(text) - MOST:,} more characters"
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}"
