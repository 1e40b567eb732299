"""A story as one HTML file that needs nothing else: no script, nothing fetched, pictures drawn here as SVG."""

from html import escape
from itertools import accumulate

from flows.report.document import Bars, Block, Code, Columns, Fold, Grid, Section, Story, Text
from flows.report.style import STYLE
from infra.report_data.column_profiles import number_text

SCALE = 1000
"""Units of a picture's width; it is stretched to the place that it has."""
HEIGHT = 100

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
"""
"""The policy lets a browser load and run nothing, whatever a row may hold."""


def page(story: Story) -> str:
    """The whole file."""
    tiles = "".join(f"<div><b>{_text(n)}</b><span>{_text(what)}</span></div>" for what, n in story.tiles)
    return (
        f"{HEAD}<title>{_text(story.title)}: {_text(story.line)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header><h1>{_text(story.title)}</h1><p>{_text(story.line)}</p>\n<div class="tiles">{tiles}</div></header>\n'
        f"<main>\n{''.join(map(_section, story.sections))}</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    beside = ' class="beside"' if section.side_by_side else ""
    blocks = "\n".join(map(_block, section.blocks))
    return f"<section><h2>{_text(section.title)}</h2>\n<div{beside}>\n{blocks}\n</div></section>\n"


def _block(block: Block) -> str:
    match block:
        case Text(text):
            return f"<p>{_text(text)}</p>"
        case Code(text):
            return f"<pre><code>{_text(text)}</code></pre>"
        case Grid():
            return _grid(block)
        case Bars():
            return _bars(block)
        case Columns():
            return _columns(block)
        case Fold(title, texts, is_open):
            inner = "".join(f"<dt>{_text(name)}</dt><dd>{_text(text)}</dd>" for name, text in texts)
            mark = " open" if is_open else ""
            return f"<details{mark}><summary>{_text(title)}</summary><dl>{inner}</dl></details>"


def _grid(grid: Grid) -> str:
    kinds = ["" if name in grid.left else ' class="n"' for name in grid.columns]
    head = "".join(f"<th{k}>{_text(name)}</th>" for name, k in zip(grid.columns, kinds, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{k}>{_text(cell)}</td>" for cell, k in zip(row, kinds, strict=True)) + "</tr>\n"
        for row in grid.rows
    )
    # What scrolls must be reached by keyboard too.
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>'


def _bars(bars: Bars) -> str:
    """Each line a picture of its own, so that labels keep their size however narrow the window is."""
    most = max((sum(amounts) for _, amounts, _ in bars.lines), default=0) or 1
    lines = []
    for label, amounts, told in bars.lines:
        starts = [0, *accumulate(amounts)]
        rects = "".join(
            _rect(number, start / most * SCALE, 0, amount / most * SCALE, HEIGHT, f"{kind} {number_text(amount)}")
            for number, (kind, amount, start) in enumerate(zip(bars.kinds, amounts, starts, strict=False))
            if amount
        )
        lines.append(f"<span>{_text(label)}</span>{_picture(rects, f'{label}: {told}')}<span>{_text(told)}</span>")
    shown = [(i, kind) for i, kind in enumerate(bars.kinds) if any(amounts[i] for _, amounts, _ in bars.lines)]
    key = "".join(f'<i class="c{i}"></i>{_text(kind)} ' for i, kind in shown) if len(bars.kinds) > 1 else ""
    caption = f"<figcaption>{_text(bars.title)} {key}</figcaption>"
    note = f"<p>{_text(bars.note)}</p>" if bars.note else ""
    return f'<figure>{caption}<div class="bars">{"".join(lines)}</div>{note}</figure>'


def _columns(columns: Columns) -> str:
    most = max((n for _, n in columns.bars), default=0) or 1
    width = SCALE / max(1, len(columns.bars))
    rects = "".join(
        _rect(0, i * width + width * 0.06, HEIGHT - tall, width * 0.88, tall, f"{label}: {n:,}")
        for i, (label, n) in enumerate(columns.bars)
        # A bar of one row among thousands is still to be seen.
        if n and (tall := max(1.5, n / most * HEIGHT))
    )
    ends = [label for label, _ in (columns.bars[:1] + columns.bars[-1:] if len(columns.bars) > 1 else columns.bars)]
    axis = "".join(f"<span>{_text(label)}</span>" for label in ends)
    return (
        f"<figure><figcaption>{_text(columns.title)}</figcaption>"
        f'<div class="tall">{_picture(rects, f"{columns.title}: {columns.note}")}</div>'
        f'<div class="axis">{axis}</div><p>{_text(columns.note)}; tallest bar {most:,} rows</p></figure>'
    )


def _rect(colour: int, x: float, y: float, width: float, height: float, told: str) -> str:
    box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="c{colour}" {box}><title>{_text(told)}</title></rect>'


def _picture(inner: str, told: str) -> str:
    box = f'viewBox="0 0 {SCALE} {HEIGHT}" preserveAspectRatio="none"'
    return f'<svg {box} role="img" aria-label="{_text(told)}">{inner}</svg>'


def _text(text: str) -> str:
    """Escaped; control characters, which HTML forbids, as the sign for what cannot be shown."""
    shown = "".join(c if c.isprintable() or c in "\n\t" or ord(c) > 159 else "\N{REPLACEMENT CHARACTER}" for c in text)
    return escape(shown.replace("\r\n", "\n"))
