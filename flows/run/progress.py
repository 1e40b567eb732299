"""Shows the progress of a run: one live line for each step on a terminal, plain lines elsewhere."""

import threading
import time

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from infra.cluster.step_execution import StepExecution

CONSOLE = Console(stderr=True)
REFRESH_SECONDS = 0.2
"""Seconds between two looks at the steps."""


def log_line(line: str) -> None:
    """Print one line, with the time, about long work that has no shards."""
    CONSOLE.print(time.strftime("%H:%M:%S"), line, highlight=False, soft_wrap=True)


class StepProgress:
    """The progress of one step, in words. Rows count as done when their shard is committed."""

    def __init__(self, step: StepExecution) -> None:
        self.step, self.started = step, time.monotonic()

    @property
    def percent_done(self) -> float:
        """Share of the rows that are done, in percent."""
        return min(100.0, 100 * self.step.rows_done / max(self.step.rows, 1))

    def format_line(self) -> str:
        """Format the state, e.g. `4,608 / 5,276 rows, 1,024 found done, 812 rows/s, 1 s left`."""
        step, seconds = self.step, time.monotonic() - self.started
        rate = (step.rows_done - step.rows_found) / seconds if seconds else 0.0
        text = f"{step.rows_done:,} / {step.rows:,} rows"
        if step.rows_found:
            text += f", {step.rows_found:,} found done"
        if rate:
            text += f", {rate:,.0f} rows/s"
        if rate and not step.is_done:
            text += f", {(step.rows - step.rows_done) / rate:,.0f} s left"
        return text


class Progress:
    """Displays the progress of a run."""

    def __init__(self, run: str) -> None:
        self.console = CONSOLE
        self.bars = Bars(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[line]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.steps: list[tuple[StepProgress, TaskID]] = []
        self.shown_done: set[TaskID] = set()
        """Steps whose last line has been shown."""
        self.lock = threading.Lock()
        self.closed = threading.Event()
        self.print_line(f"run {run}")
        self.bars.start()
        self.thread = threading.Thread(target=self._watch, daemon=True, name="progress")
        self.thread.start()

    def add_step(self, step: StepExecution) -> None:
        """Show another step."""
        with self.lock:
            bar = self.bars.add_task(step.name, total=max(step.rows, 1), line="")
            self.steps.append((StepProgress(step), bar))

    def print_line(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, style="dim", highlight=False, soft_wrap=True)

    def remaining(self) -> str:
        """Describe the rows left to do, e.g. `verify 1,024 of 5,276 rows`. Steps that have not begun are left out."""
        steps = [progress.step for progress, _ in self.steps]
        left = [f"{s.name} {s.rows - s.rows_done:,} of {s.rows:,} rows" for s in steps if s.rows_done < s.rows]
        return ", ".join(left)

    def close(self) -> None:
        """Show the final state of every step, and stop the display."""
        if not self.closed.is_set():
            self.closed.set()
            self.thread.join()
            self.refresh()
            self.bars.stop()

    def _watch(self) -> None:
        while not self.closed.wait(REFRESH_SECONDS):
            self.refresh()

    def refresh(self) -> None:
        """Show the present state of every step."""
        with self.lock:
            for progress, bar in self.steps:
                if bar in self.shown_done:
                    continue
                is_done, line = progress.step.is_done, progress.format_line()
                self.bars.update(bar, completed=progress.step.rows_done, line=line)
                if is_done:
                    self.shown_done.add(bar)
                    if not self.console.is_terminal:
                        self.print_line(f"{progress.step.name:<18} {line}")
