"""Checkers that run programs: every case of `tests/data/answer_types` gets the verdict that it should."""

import json
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from schemas.identity import fingerprint
from tasks.verification.answer_types.checker import AnswerCase
from tasks.verification.answer_types.code import CodeChecker
from tasks.verification.answer_types.function import FunctionChecker
from tasks.verification.answer_types.program import ProgramChecker
from tasks.verification.answer_types.sandboxed_checker import SandboxedChecker
from tasks.verification.answer_types.sql import SqlChecker
from tasks.verification.code_execution.sandbox.arithmetic import calculate
from tasks.verification.code_execution.sandbox.plain_data import NotPlain, read_plain, write_plain

FOLDER = Path(__file__).parents[3] / "data" / "answer_types"
LIMITS: dict[str, Any] = {"deadline": 8.0, "cpu_seconds": 1, "memory_mib": 256}
"""Limits that end a hostile program soon. The wall time is generous, for loaded machines."""
FUNCTIONS = "tests.support.answer_functions"
PLAIN: list[Any] = [
    *(None, True, 0, -(2**70), 2**20_000, 1.5, "text", b"\x00", bytearray(b"x"), 1 + 2j, range(3)),
    *([1, (2, "x"), {3}], {"a": [1], 2: None}, frozenset({1, 2}), {(1, 2): {"x": [set()]}}),
]
"""Values that two processes can exchange."""


def read_cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def make_case(row: dict[str, Any]) -> AnswerCase:
    return AnswerCase(row["question"], row["response"], row["gold"], row["details"])


def find_mismatches(checker: SandboxedChecker, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Rows whose verdict is not the one that they expect."""
    for row, verdict in zip(rows, checker.check_many([make_case(row) for row in rows]), strict=True):
        expected, actual = row["expect"], verdict.verdict
        fits = actual != expected.removeprefix("not-") if expected.startswith("not-") else actual == expected
        if not fits:
            yield f"{row['why']}: {actual} ({verdict.rule}, {verdict.answer_parsed}), should be {expected}"


def is_slow(row: dict[str, Any]) -> bool:
    """Whether the row is there to reach a time limit."""
    return row["expect"] == "timeout"


@pytest.mark.system
def test_programs_are_judged_by_their_unit_tests() -> None:
    rows = [row for row in read_cases("code") if not is_slow(row)]
    assert len(rows) >= 150
    assert list(find_mismatches(CodeChecker(**LIMITS), rows)) == []


@pytest.mark.system
@pytest.mark.parametrize("name", ["code", "program"])
def test_what_never_ends_is_a_timeout(name: str) -> None:
    checker = (CodeChecker if name == "code" else ProgramChecker)(**LIMITS)
    assert list(find_mismatches(checker, [row for row in read_cases(name) if is_slow(row)])) == []


def test_checker_programs_decide() -> None:
    rows = [row for row in read_cases("program") if not is_slow(row)]
    assert len(rows) >= 150
    assert list(find_mismatches(ProgramChecker(**LIMITS), rows)) == []


@pytest.mark.early
def test_functions_decide() -> None:
    rows = sorted(read_cases("function"), key=lambda row: row["details"]["function"])
    assert len(rows) >= 150
    for name, group in groupby(rows, key=lambda row: row["details"]["function"]):
        checker = FunctionChecker(function=f"{FUNCTIONS}:{name}", **LIMITS)
        assert list(find_mismatches(checker, list(group))) == []


@pytest.mark.system
def test_queries_are_judged_by_their_rows() -> None:
    rows = read_cases("sql")
    assert len(rows) >= 150
    assert list(find_mismatches(SqlChecker(**LIMITS), rows)) == []


def test_the_pass_rate_and_the_first_failure_are_told() -> None:
    tests = [{"input": f"{n}\n", "output": f"{n * n}\n"} for n in range(10)]
    response = "```python\nn = int(input())\nprint(n * n if n < 7 else 0)\n```"
    verdict = CodeChecker(**LIMITS).check(AnswerCase("", response, "", {"tests": tests}))
    assert (verdict.verdict, verdict.rule, verdict.gold_parsed) == ("wrong", "unit_tests", "10 cases")
    assert verdict.answer_parsed == "7/10 cases; case 8: other output"


def test_a_response_of_a_gigabyte_of_output_takes_no_more_than_its_limit() -> None:
    began = time.monotonic()
    response = "```python\nimport sys\nwhile True: sys.stdout.write('9' * 2**20)\n```"
    verdict = CodeChecker(**LIMITS).check(AnswerCase("", response, "", {"tests": [{"input": "", "output": "9"}]}))
    assert verdict.verdict == "wrong" and time.monotonic() - began < LIMITS["deadline"] + 10


@pytest.mark.parametrize(
    "details",
    [
        {"tests": [{"input": "1", "output": "1"}], "files": {"../x.py": "1"}},
        {"tests": [{"input": "1", "output": "1"}], "files": 3},
        {"tests": [{"input": "1", "output": "1"}], "tolerance": "much"},
        {"tests": [{"function": "f", "args": 3, "expected": 1}]},
        {"tests": [{"input": "1", "output": "1"}, {"function": "f", "args": [], "expected": 1}]},
        {"test": 5, "entry_point": "f"},
        {"test": "assert f() == 1", "entry_point": 7},
        {"tests": "[" * 100_000},
        {"tests": [[[]]]},
    ],
)
def test_a_row_that_cannot_be_read_is_unparseable(details: dict[str, Any]) -> None:
    verdict = CodeChecker(**LIMITS).check(AnswerCase("", "```python\nprint(1)\n```", "", details))
    assert (verdict.verdict, verdict.rule) == ("unparseable", "gold_unparseable")


def test_several_fixtures_must_all_agree() -> None:
    fixtures = ["CREATE TABLE t AS SELECT 1 AS i", "CREATE TABLE t AS SELECT 2 AS i", "CREATE TABLE t (i INT)"]
    checker = SqlChecker(**LIMITS)
    assert (
        checker.check(AnswerCase("", "SELECT 1 FROM t", "SELECT i FROM t", {"fixtures": fixtures})).verdict == "wrong"
    )
    right = checker.check(AnswerCase("", "SELECT t.i FROM t", "SELECT i FROM t", {"fixtures": fixtures}))
    assert right.verdict == "correct"


def test_the_source_of_a_function_is_part_of_its_identity() -> None:
    checker = FunctionChecker(function=f"{FUNCTIONS}:equal")
    assert fingerprint(checker) != fingerprint(FunctionChecker(function=f"{FUNCTIONS}:sudoku"))
    with pytest.raises(ValueError, match="has changed"):
        FunctionChecker(function=f"{FUNCTIONS}:equal", source_digest="0" * 64)
    for name in ("no_colon", "no.such.module:f", "json:not an identifier", "sys:exit"):
        with pytest.raises(ValueError, match=r"PYTHONPATH|module:name"):
            FunctionChecker(function=name)


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: str(type(value)))
def test_plain_data_survives_the_way_through_json(value: Any) -> None:
    result = read_plain(json.loads(json.dumps(write_plain(value))))
    assert result == value and type(result) is type(value)


def test_what_is_no_plain_data_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for value in (object(), print, loop, iter([])):
        with pytest.raises(NotPlain):
            write_plain(value)
    for data in (
        {"unknown": 1},
        {"dict": [[{"list": []}, 1]]},
        {"int": "x"},
        {"a": 1, "b": 2},
        [1],
        {"range": [1, 2, 0]},
    ):
        with pytest.raises(NotPlain):
            read_plain(data)


@pytest.mark.parametrize("text", ["", "f(3)", "3 # x", "9**9**9", "1/0", "(" * 2000, "1 if 1 else 2", "0x10", "3;4"])
def test_only_arithmetic_is_calculated(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        calculate(text)


def test_arithmetic_is_exact() -> None:
    assert calculate("8 / (3 - 8/3)") == 24 and calculate("0.1 + 0.2") * 10 == 3 and calculate("2**10 - -1") == 1025
