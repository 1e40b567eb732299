"""A skipped test fails the run unless a list allows it for its reason: under CI, and wherever a list is given."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ALLOWED = Path(__file__).parents[1] / "allowed_skips.txt"
BETWEEN = " — "
"""Parts a line into node id and reason. A node id without brackets stands for the test with each of its parameters, a
file alone for each of its tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--allowed-skips", type=Path, help=f"fail on other skips than these (under CI: tests/{ALLOWED.name})"
    )


def pytest_configure(config: pytest.Config) -> None:
    given = config.getoption("allowed_skips")
    if hasattr(config, "workerinput") or not (given or os.environ.get("CI")):
        return  # the process that started this one hears of every skip
    config.pluginmanager.register(Skips(set(allowed(given or ALLOWED))))


def allowed(path: Path) -> Iterator[tuple[str, str]]:
    """Node id and reason of each line."""
    for line in path.read_text().splitlines():
        node, _, reason = line.partition(BETWEEN)
        if not node or not reason:
            raise pytest.UsageError(f"{path}: {line!r} is not 'node id{BETWEEN}reason'; name both")
        yield node, reason


class Skips:
    """What was skipped without being allowed."""

    def __init__(self, allowed: set[tuple[str, str]]) -> None:
        self.allowed = allowed
        self.others: set[str] = set()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = " ".join(report.longrepr[2].removeprefix("Skipped: ").split())
        nodes = (report.nodeid, report.nodeid.partition("[")[0], report.nodeid.partition("::")[0])
        if self.allowed.isdisjoint((node, reason) for node in nodes):
            self.others.add(f"{report.nodeid}{BETWEEN}{reason}")

    pytest_collectreport = pytest_runtest_logreport

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.others and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.others:
            terminalreporter.section("skipped, and not allowed to be")
            terminalreporter.write_line("\n".join(sorted(self.others)))
            terminalreporter.write_line("let each run, or allow it: add its line to the list of allowed skips")
