"""A story as one HTML file that needs nothing else: no script, nothing fetched, pictures drawn here as SVG."""

from html import escape
from itertools import accumulate

from flows.report.document import BarChart, Block, CodeBlock, ColumnChart, Details, Paragraph, Report, Section, Table
from flows.report.style import STYLESHEET
from infra.report_data.column_profiles import format_number

VIEWBOX_WIDTH = 1000
"""Units of a picture's width; it is stretched to the place that it has."""
VIEWBOX_HEIGHT = 100

HTML_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
"""
"""The policy lets a browser load and run nothing, whatever a row may hold."""


def render_html(report: Report) -> str:
    """The whole file."""
    tiles = "".join(f"<div><b>{_escape_text(n)}</b><span>{_escape_text(what)}</span></div>" for what, n in report.tiles)
    return (
        f"{HTML_HEAD}<title>{_escape_text(report.title)}: {_escape_text(report.subtitle)}</title>\n"
        f"<style>{STYLESHEET}</style>\n</head>\n<body>\n"
        f"<header><h1>{_escape_text(report.title)}</h1><p>{_escape_text(report.subtitle)}</p>\n"
        f'<div class="tiles">{tiles}</div></header>\n'
        f"<main>\n{''.join(map(_render_section, report.sections))}</main>\n</body>\n</html>\n"
    )


def _render_section(section: Section) -> str:
    attribute = ' class="beside"' if section.side_by_side else ""
    blocks = "\n".join(map(_render_block, section.blocks))
    return f"<section><h2>{_escape_text(section.title)}</h2>\n<div{attribute}>\n{blocks}\n</div></section>\n"


def _render_block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{_escape_text(text)}</p>"
        case CodeBlock(text):
            return f"<pre><code>{_escape_text(text)}</code></pre>"
        case Table():
            return _render_table(block)
        case BarChart():
            return _render_bar_chart(block)
        case ColumnChart():
            return _render_column_chart(block)
        case Details(title, texts, is_open):
            inner = "".join(f"<dt>{_escape_text(name)}</dt><dd>{_escape_text(text)}</dd>" for name, text in texts)
            mark = " open" if is_open else ""
            return f"<details{mark}><summary>{_escape_text(title)}</summary><dl>{inner}</dl></details>"


def _render_table(table: Table) -> str:
    kinds = ["" if name in table.text_columns else ' class="n"' for name in table.columns]
    head = "".join(f"<th{k}>{_escape_text(name)}</th>" for name, k in zip(table.columns, kinds, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{k}>{_escape_text(cell)}</td>" for cell, k in zip(row, kinds, strict=True)) + "</tr>\n"
        for row in table.rows
    )
    # What scrolls must be reached by keyboard too.
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>'


def _render_bar_chart(chart: BarChart) -> str:
    """Each line a picture of its own, so that labels keep their size however narrow the window is."""
    most = max((sum(amounts) for _, amounts, _ in chart.lines), default=0) or 1
    lines = []
    for label, amounts, value_text in chart.lines:
        starts = [0, *accumulate(amounts)]
        rects = "".join(
            _render_rect(
                number,
                start / most * VIEWBOX_WIDTH,
                0,
                amount / most * VIEWBOX_WIDTH,
                VIEWBOX_HEIGHT,
                f"{kind} {format_number(amount)}",
            )
            for number, (kind, amount, start) in enumerate(zip(chart.series, amounts, starts, strict=False))
            if amount
        )
        lines.append(
            f"<span>{_escape_text(label)}</span>{_render_svg(rects, f'{label}: {value_text}')}"
            f"<span>{_escape_text(value_text)}</span>"
        )
    shown = [(i, kind) for i, kind in enumerate(chart.series) if any(amounts[i] for _, amounts, _ in chart.lines)]
    key = "".join(f'<i class="c{i}"></i>{_escape_text(kind)} ' for i, kind in shown) if len(chart.series) > 1 else ""
    caption = f"<figcaption>{_escape_text(chart.title)} {key}</figcaption>"
    note = f"<p>{_escape_text(chart.note)}</p>" if chart.note else ""
    return f'<figure>{caption}<div class="bars">{"".join(lines)}</div>{note}</figure>'


def _render_column_chart(chart: ColumnChart) -> str:
    most = max((n for _, n in chart.bars), default=0) or 1
    width = VIEWBOX_WIDTH / max(1, len(chart.bars))
    rects = "".join(
        _render_rect(
            0, i * width + width * 0.06, VIEWBOX_HEIGHT - bar_height, width * 0.88, bar_height, f"{label}: {n:,}"
        )
        for i, (label, n) in enumerate(chart.bars)
        # A bar of one row among thousands is still to be seen.
        if n and (bar_height := max(1.5, n / most * VIEWBOX_HEIGHT))
    )
    ends = [label for label, _ in (chart.bars[:1] + chart.bars[-1:] if len(chart.bars) > 1 else chart.bars)]
    axis = "".join(f"<span>{_escape_text(label)}</span>" for label in ends)
    return (
        f"<figure><figcaption>{_escape_text(chart.title)}</figcaption>"
        f'<div class="tall">{_render_svg(rects, f"{chart.title}: {chart.note}")}</div>'
        f'<div class="axis">{axis}</div><p>{_escape_text(chart.note)}; tallest bar {most:,} rows</p></figure>'
    )


def _render_rect(colour: int, x: float, y: float, width: float, height: float, tooltip: str) -> str:
    box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="c{colour}" {box}><title>{_escape_text(tooltip)}</title></rect>'


def _render_svg(inner: str, description: str) -> str:
    box = f'viewBox="0 0 {VIEWBOX_WIDTH} {VIEWBOX_HEIGHT}" preserveAspectRatio="none"'
    return f'<svg {box} role="img" aria-label="{_escape_text(description)}">{inner}</svg>'


def _escape_text(text: str) -> str:
    """Escaped; control characters, which HTML forbids, as the sign for what cannot be shown."""
    shown = "".join(c if c.isprintable() or c in "\n\t" or ord(c) > 159 else "\N{REPLACEMENT CHARACTER}" for c in text)
    return escape(shown.replace("\r\n", "\n"))
