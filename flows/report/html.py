"""Renders a report as one self-contained HTML file: no scripts, nothing fetched, charts as inline SVG."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from flows.report.document import BarChart, Block, ColumnChart, Report
from infra.report_data.column_profiles import format_number

TEMPLATE = "report.html.j2"
VIEWBOX_WIDTH = 1000
"""Width of a chart in SVG units; the browser stretches it to the space available."""
VIEWBOX_HEIGHT = 100
"""Height of a chart in SVG units."""
MIN_BAR_HEIGHT = 1.5
"""Least height of a bar in SVG units, so that one row among thousands remains visible."""


@dataclass(frozen=True)
class Rectangle:
    """A bar or a segment of one. Positions and sizes are formatted numbers in SVG units."""

    colour: int
    x: str
    y: str
    width: str
    height: str
    tooltip: str


def render_html(report: Report) -> str:
    """Return `report` as a complete HTML document."""
    return _environment().get_template(TEMPLATE).render(report=report)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("flows.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        finalize=_replace_control_characters,
    )
    environment.globals |= {"viewbox_width": VIEWBOX_WIDTH, "viewbox_height": VIEWBOX_HEIGHT}
    environment.filters |= {
        "kind": _kind,
        "bars": _draw_bars,
        "legend": _legend,
        "columns": _draw_columns,
        "tallest": lambda chart: f"{max((n for _, n in chart.bars), default=0) or 1:,}",
    }
    return environment


def _kind(block: Block) -> str:
    return type(block).__name__


def _replace_control_characters(value: Any) -> Any:
    """Replace control characters, which HTML forbids, by U+FFFD. Our own markup is left as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    shown = "".join(c if c.isprintable() or c in "\n\t" or ord(c) > 159 else "\N{REPLACEMENT CHARACTER}" for c in value)
    return shown.replace("\r\n", "\n")


def _draw_bars(chart: BarChart) -> list[list[Rectangle]]:
    """Return the segments of each line, all on one scale."""
    most = max((sum(amounts) for _, amounts, _ in chart.lines), default=0) or 1
    return [
        [
            _rectangle(
                number,
                start / most * VIEWBOX_WIDTH,
                0,
                amount / most * VIEWBOX_WIDTH,
                VIEWBOX_HEIGHT,
                f"{name} {format_number(amount)}",
            )
            for number, (name, amount, start) in enumerate(
                zip(chart.series, amounts, [0, *accumulate(amounts)], strict=False)
            )
            if amount
        ]
        for _, amounts, _ in chart.lines
    ]


def _legend(chart: BarChart) -> list[tuple[int, str]]:
    """Return (colour, name) of each series that occurs; an empty list if there is only one series."""
    shown = [(i, name) for i, name in enumerate(chart.series) if any(amounts[i] for _, amounts, _ in chart.lines)]
    return shown if len(chart.series) > 1 else []


def _draw_columns(chart: ColumnChart) -> list[Rectangle]:
    most = max((n for _, n in chart.bars), default=0) or 1
    width = VIEWBOX_WIDTH / max(1, len(chart.bars))
    heights = [max(MIN_BAR_HEIGHT, n / most * VIEWBOX_HEIGHT) for _, n in chart.bars]
    return [
        _rectangle(0, i * width + width * 0.06, VIEWBOX_HEIGHT - height, width * 0.88, height, f"{label}: {n:,}")
        for i, ((label, n), height) in enumerate(zip(chart.bars, heights, strict=True))
        if n
    ]


def _rectangle(colour: int, x: float, y: float, width: float, height: float, tooltip: str) -> Rectangle:
    return Rectangle(colour, f"{x:.1f}", f"{y:.1f}", f"{width:.1f}", f"{height:.1f}", tooltip)
