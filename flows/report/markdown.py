"""Renders a report as Markdown, for Prefect's artifacts and dataset cards. Bars are drawn with block characters."""

import re

from flows.report.document import BarChart, Block, CodeBlock, ColumnChart, Details, Paragraph, Report, Section, Table
from schemas.markdown_table import format_table

MAX_BAR_CHARACTERS = 24
"""Length of the longest bar, in characters."""
MAX_TEXT_CHARACTERS = 2_000
"""Characters shown of a text; the HTML report shows it completely."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$])")


def render_markdown(report: Report) -> str:
    """Return `report` as a complete Markdown document."""
    tiles = "".join(f"- {_escape_line(what)}: **{_escape_line(n)}**\n" for what, n in report.tiles)
    head = f"# {_escape_line(report.title)}\n\n{_escape_line(report.subtitle)}\n\n{tiles}"
    return "\n".join([head, *map(_render_section, report.sections)])


def _render_section(section: Section) -> str:
    return "\n".join(
        [f"## {_escape_line(section.title)}\n", *(f"{_render_block(block)}\n" for block in section.blocks)]
    )


def _render_block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return _escape_line(text)
        case CodeBlock(text):
            return _fence(text)
        case Table(columns, rows, left):
            return _render_table(columns, [number for number, name in enumerate(columns) if name not in left], rows)
        case BarChart(title, _, lines, note):
            most = max((sum(amounts) for _, amounts, _ in lines), default=0) or 1
            bar_rows = [[label, _draw_bar(amounts[0] / most), value_text] for label, amounts, value_text in lines]
            return _render_table([title, "", ""], [2], bar_rows) + (f"\n\n{_escape_line(note)}" if note else "")
        case ColumnChart(title, bars, note):
            most = max((n for _, n in bars), default=0) or 1
            bar_rows = [[label, _draw_bar(n / most), f"{n:,}"] for label, n in bars]
            return _render_table([title, "", "rows"], [0, 2], bar_rows) + f"\n\n{_escape_line(note)}"
        case Details(title, texts):
            return "\n\n".join(
                [f"**{_escape_line(title)}**", *(f"{_escape_line(name)}\n\n{_fence(text)}" for name, text in texts)]
            )


def _render_table(columns: list[str], right_aligned: list[int], rows: list[list[str]]) -> str:
    return format_table([*map(_escape_line, columns)], ([*map(_escape_line, cells)] for cells in rows), right_aligned)


def _draw_bar(share: float) -> str:
    """Draw a bar; a share above zero gets at least one character."""
    return "\N{FULL BLOCK}" * (max(1, round(share * MAX_BAR_CHARACTERS)) if share else 0)


def _escape_line(text: str) -> str:
    """Join the text into one line and escape all Markdown characters."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _fence(text: str) -> str:
    """Put the text unchanged into a fence that is longer than any run of backticks in it."""
    shown = (
        text
        if len(text) <= MAX_TEXT_CHARACTERS
        else f"{text[:MAX_TEXT_CHARACTERS]}\n... and {len(text) - MAX_TEXT_CHARACTERS:,} more characters"
    )
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}"
