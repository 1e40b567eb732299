"""A report as one HTML file that needs nothing else: no script, nothing fetched, charts drawn here as SVG."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from flows.report.document import BarChart, Block, ColumnChart, Report
from infra.report_data.column_profiles import format_number

TEMPLATE = "report.html.j2"
VIEWBOX_WIDTH = 1000
"""Units of a chart's width; it is stretched to the place that it has."""
VIEWBOX_HEIGHT = 100
MIN_BAR_HEIGHT = 1.5
"""Units of the smallest bar: one row among thousands is still to be seen."""


@dataclass(frozen=True)
class Rectangle:
    """One bar, or a piece of one; its sizes are texts in units of the view box."""

    colour: int
    x: str
    y: str
    width: str
    height: str
    tooltip: str


def render_html(report: Report) -> str:
    """The whole file."""
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
    """Control characters, which HTML forbids, as the sign for what cannot be shown; markup of our own as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    shown = "".join(c if c.isprintable() or c in "\n\t" or ord(c) > 159 else "\N{REPLACEMENT CHARACTER}" for c in value)
    return shown.replace("\r\n", "\n")


def _draw_bars(chart: BarChart) -> list[list[Rectangle]]:
    """The pieces of each line; all lines are of one scale."""
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
    """Colour and name of every series that some line has; none where there is only one series."""
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
