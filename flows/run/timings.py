"""Records where the seconds of a run go: what `questmill run ... --timings` shows."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TABLE_COLUMNS, CHART_COLUMNS = 80, 34
"""Width of the table, and of the chart in it, in characters."""
START_TIME_FIELD = 19
"""Field of /proc/PID/stat after the name: the clock ticks from the boot of the machine to the start of the process."""


class Span(NamedTuple):
    """Something that took time, by the clock of `time.time`."""

    name: str
    began: float
    ended: float


class Timings:
    """The spans of one process. Thread-safe."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.open_spans: dict[str, float] = {}
        self.lock = threading.Lock()

    def forget(self) -> None:
        """Forget an earlier run of this process."""
        self.spans.clear()
        self.open_spans.clear()

    def begin(self, name: str) -> None:
        """Begin a span that `end` ends, perhaps in another module."""
        self.open_spans[name] = time.time()

    def end(self, name: str) -> None:
        """End a span; nothing if it was not begun."""
        if (began := self.open_spans.pop(name, None)) is not None:
            self.record(name, began)

    def record(self, name: str, began: float) -> None:
        """Record a span that ends now."""
        with self.lock:
            self.spans.append(Span(name, began, time.time()))

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measure what happens inside `with`."""
        began = time.time()
        try:
            yield
        finally:
            self.record(name, began)

    def format_table(self, process_began: float) -> str:
        """Format the spans in their order, with the seconds since the process began and a chart. They may overlap."""
        total = max((span.ended for span in self.spans), default=process_began) - process_began
        name_columns = TABLE_COLUMNS - CHART_COLUMNS - 18
        lines = [f"{'seconds of':<{name_columns}} {'begins':>7} {'takes':>7}"]
        for span in sorted(self.spans, key=lambda span: span.began):
            name = span.name if len(span.name) <= name_columns else f"{span.name[: name_columns - 1]}…"
            begins, takes = span.began - process_began, span.ended - span.began
            bar = _draw_bar(begins / total, takes / total) if total else ""
            lines.append(f"{name:<{name_columns}} {begins:>7.2f} {takes:>7.2f}  {bar}".rstrip())
        lines.append(f"{'all but the end of Python':<{name_columns}} {0:>7.2f} {total:>7.2f}")
        return "\n".join(lines)


def _draw_bar(begins: float, takes: float) -> str:
    """Draw a span as a bar; both are shares of the whole."""
    start = min(int(begins * CHART_COLUMNS), CHART_COLUMNS - 1)
    return " " * start + "=" * max(1, min(round(takes * CHART_COLUMNS), CHART_COLUMNS - start))


TIMINGS = Timings()
"""What this process has done."""


def show_timings() -> str:
    """Format the spans of this process."""
    return TIMINGS.format_table(_process_began())


def _process_began() -> float:
    """When this process began, by the clock of `time.time`; without /proc, when its first span did."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return min((span.began for span in TIMINGS.spans), default=time.time())
    since_boot = int(fields[START_TIME_FIELD]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot
