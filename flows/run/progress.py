"""What a person sees while a run works: one line a step on a terminal, plain lines everywhere else."""

import threading
import time
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

Error = TypeVar("Error", bound=BaseException)

CONSOLE = Console(stderr=True)
INTERVAL = 0.2
"""Seconds between two looks at the futures."""


def tell(line: str) -> None:
    """Print one line about long work that has no shards."""
    CONSOLE.print(time.strftime("%H:%M:%S"), line, highlight=False, soft_wrap=True)


class Progress:
    """Follows futures of receipts. Rows count as done when their shard is committed."""

    def __init__(self, run: str) -> None:
        self.console = CONSOLE
        self.bars = Bars(
            TextColumn("{task.description:<14}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[line]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.steps: list[_Step] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.note(f"run {run}")
        self.bars.start()
        self.thread = threading.Thread(target=self._watch, daemon=True, name="progress")
        self.thread.start()

    def start(self, step: str, rows: int, futures: list[Any], shards: int) -> None:
        """Follow one more step of `rows` rows; `futures` may still grow, to one for each of `shards`."""
        with self.lock:
            bar = self.bars.add_task(step, total=max(rows, 1), line="")
            self.steps.append(_Step(step, rows, futures, shards, bar))

    def note(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, style="dim", highlight=False, soft_wrap=True)

    def wait(self) -> None:
        """Wait until every future has ended, in whatever way."""
        with self.lock:
            futures = [future for step in self.steps for future in step.futures]
        for future in futures:
            future.wait()

    def errors(self, kind: type[Error]) -> list[Error]:
        """Errors of this kind among the futures that have ended."""
        with self.lock:
            ended = [f for step in self.steps for f in step.futures if f.wrapped_future.status == "finished"]
        return [result for result in map(_result, ended) if isinstance(result, kind)]

    def owed(self) -> str:
        """What is left to do, e.g. `verify 1,024 of 5,276 rows`; a step that was not begun is not known."""
        self._look()
        left = [f"{s.name} {s.rows - s.done:,} of {s.rows:,} rows" for s in self.steps if s.done < s.rows]
        return ", ".join(left)

    def close(self) -> None:
        """Show the end of every step and stop."""
        if not self.ended.is_set():
            self.ended.set()
            self.thread.join()
            self._look()
            self.bars.stop()

    def _watch(self) -> None:
        while not self.ended.wait(INTERVAL):
            self._look()

    def _look(self) -> None:
        with self.lock:
            for step in self.steps:
                if step.look():
                    self.bars.update(step.bar, completed=step.done, line=step.line())
                    if step.complete and not self.console.is_terminal:
                        self.note(f"{step.name:<14} {step.line()}")


def _result(future: Any) -> Any:
    """What a future that has ended gave: a receipt or an error, also where it never began for want of its input."""
    try:
        return future.result(raise_on_failure=False)
    except Exception as error:
        return error


class _Step:
    def __init__(self, name: str, rows: int, futures: list[Any], shards: int, bar: TaskID) -> None:
        self.name, self.rows, self.futures, self.shards, self.bar = name, rows, futures, shards, bar
        self.started = time.monotonic()
        self.settled: set[int] = set()
        self.done = self.found = 0
        self.complete = False

    def look(self) -> bool:
        """Count what was committed since the last look; True where there is something to show."""
        if self.complete:
            return False
        for number, future in enumerate(list(self.futures)):
            if number not in self.settled and future.wrapped_future.done():
                self.settled.add(number)
                self._count(future)
        self.complete = len(self.settled) == self.shards
        return True

    def _count(self, future: Any) -> None:
        if future.wrapped_future.status != "finished":  # lost with its workers, or cancelled with its run
            return
        receipt = _result(future)
        if not isinstance(receipt, Exception):
            self.done += receipt.rows_in
            self.found += receipt.rows_in if receipt.found else 0

    def line(self) -> str:
        """`4,608 / 5,276 rows, 812 rows/s, 1 s left` while it works; what was found done is said."""
        seconds = time.monotonic() - self.started
        rate = (self.done - self.found) / seconds if seconds else 0.0
        text = f"{self.done:,} / {self.rows:,} rows"
        if self.found:
            text += f", {self.found:,} found done"
        if rate:
            text += f", {rate:,.0f} rows/s"
        if rate and not self.complete:
            text += f", {(self.rows - self.done) / rate:,.0f} s left"
        return text
