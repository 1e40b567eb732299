"""Shows the progress of a run: one live line for each step on a terminal, plain lines elsewhere."""

import threading
import time
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

Error = TypeVar("Error", bound=BaseException)

CONSOLE = Console(stderr=True)
REFRESH_SECONDS = 0.2
"""Seconds between two polls of the futures."""


def log_line(line: str) -> None:
    """Print one line, with the time, about long work that has no shards."""
    CONSOLE.print(time.strftime("%H:%M:%S"), line, highlight=False, soft_wrap=True)


class Progress:
    """Displays the progress of a run, from its futures. Rows count as done when their shard is committed."""

    def __init__(self, run: str) -> None:
        self.console = CONSOLE
        self.bars = Bars(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[line]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.steps: list[_StepProgress] = []
        self.lock = threading.Lock()
        self.closed = threading.Event()
        self.print_line(f"run {run}")
        self.bars.start()
        self.thread = threading.Thread(target=self._watch, daemon=True, name="progress")
        self.thread.start()

    def add_step(self, step: str, rows: int, futures: list[Any], shards: int) -> None:
        """Show another step of `rows` rows. `futures` may still grow, up to one future for each of `shards` shards."""
        with self.lock:
            bar = self.bars.add_task(step, total=max(rows, 1), line="")
            self.steps.append(_StepProgress(step, rows, futures, shards, bar))

    def print_line(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, style="dim", highlight=False, soft_wrap=True)

    def wait(self) -> None:
        """Wait until every future has succeeded or failed."""
        with self.lock:
            futures = [future for step in self.steps for future in step.futures]
        for future in futures:
            future.wait()

    def errors(self, kind: type[Error]) -> list[Error]:
        """Return the errors of this kind among the futures that have ended."""
        with self.lock:
            ended = [f for step in self.steps for f in step.futures if f.wrapped_future.status == "finished"]
        return [result for result in map(_result_or_error, ended) if isinstance(result, kind)]

    def remaining(self) -> str:
        """Describe the rows left to do, e.g. `verify 1,024 of 5,276 rows`. Steps that have not begun are left out."""
        self._refresh()
        left = [f"{s.name} {s.rows - s.done:,} of {s.rows:,} rows" for s in self.steps if s.done < s.rows]
        return ", ".join(left)

    def close(self) -> None:
        """Show the final state of every step, and stop the display."""
        if not self.closed.is_set():
            self.closed.set()
            self.thread.join()
            self._refresh()
            self.bars.stop()

    def _watch(self) -> None:
        while not self.closed.wait(REFRESH_SECONDS):
            self._refresh()

    def _refresh(self) -> None:
        with self.lock:
            for step in self.steps:
                if step.refresh():
                    self.bars.update(step.bar, completed=step.done, line=step.format_line())
                    if step.is_complete and not self.console.is_terminal:
                        self.print_line(f"{step.name:<18} {step.format_line()}")


def _result_or_error(future: Any) -> Any:
    """Return the receipt or the error of a finished future, also if it never ran because its input failed."""
    try:
        return future.result(raise_on_failure=False)
    except Exception as error:
        return error


def finished_result(future: Any) -> Any:
    """Return the receipt or the error of a future that has ended; None if it has not, or was lost with its worker."""
    wrapped = future.wrapped_future
    return _result_or_error(future) if wrapped.done() and wrapped.status == "finished" else None


class _StepProgress:
    def __init__(self, name: str, rows: int, futures: list[Any], shards: int, bar: TaskID) -> None:
        self.name, self.rows, self.futures, self.shards, self.bar = name, rows, futures, shards, bar
        self.started = time.monotonic()
        self.counted: set[int] = set()
        self.done = self.cached = 0
        self.is_complete = False

    def refresh(self) -> bool:
        """Count the shards committed since the last call; return True if there is something to show."""
        if self.is_complete:
            return False
        for number, future in enumerate(list(self.futures)):
            if number not in self.counted and future.wrapped_future.done():
                self.counted.add(number)
                self._count(future)
        self.is_complete = len(self.counted) == self.shards
        return True

    def _count(self, future: Any) -> None:
        if future.wrapped_future.status != "finished":  # lost with its workers, or cancelled with its run
            return
        receipt = _result_or_error(future)
        if not isinstance(receipt, Exception):
            self.done += receipt.rows_in
            self.cached += receipt.rows_in if receipt.was_cached else 0

    def format_line(self) -> str:
        """Format the state, e.g. `4,608 / 5,276 rows, 1,024 found done, 812 rows/s, 1 s left`."""
        seconds = time.monotonic() - self.started
        rate = (self.done - self.cached) / seconds if seconds else 0.0
        text = f"{self.done:,} / {self.rows:,} rows"
        if self.cached:
            text += f", {self.cached:,} found done"
        if rate:
            text += f", {rate:,.0f} rows/s"
        if rate and not self.is_complete:
            text += f", {(self.rows - self.done) / rate:,.0f} s left"
        return text
