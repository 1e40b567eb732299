"""What the tests of flows share: attempts with known verdicts, and the command as a process that can be watched."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from infra.lake import catalog
from infra.lake.store import Store
from schemas.receipts import Manifest

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 300.0
"""Seconds until something that is awaited counts as lost; generous, for loaded machines."""


class Outcome(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


class Lake(NamedTuple):
    """A lake that a run has filled, and how to fill another."""

    store: Store
    attempts: Path
    outcome: Outcome

    @property
    def manifest(self) -> Manifest:
        """Of the current version of `verified`."""
        found = self.store.datasets.read_manifest("verified")
        assert found is not None
        return found


Command = Callable[..., Outcome]


class Process(Protocol):
    """What the tests use of a process, started or forked."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None: ...
    def communicate(self, timeout: float = ...) -> tuple[str, str]: ...


def make_attempts(rows: int) -> Iterator[dict[str, Any]]:
    """`rows` attempts; the column `expected` holds the verdict, or null where a row is none of the verifier's."""
    yield {"question": "null gold", "response": "A: 1", "answer": None}
    yield {"question": None, "response": "A: 1", "answer": "1"}
    yield {"question": "null response", "response": None, "answer": "1"}
    yield {"question": "a megabyte", "response": "so " * 350_000 + "\nA: 7", "answer": "7", "expected": "correct"}
    yield {"question": "never closed", "response": r"it is \boxed{7", "answer": "8"}
    yield {"question": "a tower", "response": "A: 10^10^10", "answer": "8"}
    yield {"question": "a number", "response": "A: 7", "answer": 7, "expected": "correct"}
    for n in range(rows - 7):
        row = {"question": f"What is {n}?", "response": f"Let me see.\nA: {n}", "answer": str(n), "expected": "correct"}
        if n % 4 == 1:
            row |= {"response": f"Let me see.\nA: {n + 1}", "expected": "wrong"}
        if n % 4 == 2:
            row |= {"response": rf"It is $\boxed{{\frac{{{n}}}{{4}}}}$.", "answer": str(n / 4)}
        if n % 40 == 3:
            row |= {"response": "I do not know.", "expected": "unparseable"}
        yield row | {"serial": n}


def write_jsonl(path: Path, rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Path:
    """Write `rows` as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def query(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """Rows that `sql` finds in the lake."""
    with contextlib.closing(catalog.open_catalog(store)) as con:
        return con.sql(sql).fetchall()


def wait_until(condition: Callable[[], object], timeout: float = TIMEOUT_SECONDS) -> None:
    """Return as soon as `condition()` is true."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"nothing came of it in {timeout} s"
        time.sleep(0.01)


def start_questmill(*words: str | Path, env: dict[str, str] | None = None, **more: Any) -> "subprocess.Popen[str]":
    """Start the command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "flows", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | (env or {}),
        start_new_session=True,
        **more,
    )


def wait_for_exit(process: Process) -> Outcome:
    """Wait for a process."""
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode is not None
    return Outcome(process.returncode, out, err)
