"""Reads unit tests from a row, in the shapes that public sets of programming problems have."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# matches the start of "assert f(1) == 2", "def check(candidate):", "import math", not of "forty-two", "assertion"
_TEST_CODE = re.compile(r"(?m)\s*(?:assert |assert\(|def (?:check|test\w*)\(|import |from \w+ import |@)")


class InputOutput(NamedTuple):
    """A case of a program that reads standard input."""

    stdin: str
    expected: str


class FunctionCall(NamedTuple):
    """A case of a function that is called."""

    function: str
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    expected: Any
    is_in_place: bool = False
    """Whether the expected value is that of the first argument after the call."""


class AssertSuite(NamedTuple):
    """Tests that are Python code."""

    setup: tuple[str, ...]
    cases: tuple[str, ...]
    entries: tuple[str, ...]
    prompt: str = ""
    """The beginning of the program, which the response continues or repeats."""


UnitTests = list[InputOutput] | list[FunctionCall] | AssertSuite


class UnreadableTests(ValueError):
    """The row has no tests, or none in a known shape."""


def read_unit_tests(gold: str, details: Mapping[str, Any]) -> UnitTests:
    """The tests of a row, from its details or else its gold. Raises `UnreadableTests`."""
    if details.get("test") or details.get("test_list"):
        return _read_code(details, details.get("test") or details["test_list"])
    tests = details.get("tests") or gold
    if isinstance(tests, str):
        if _TEST_CODE.match(tests):
            return _read_code(details, tests)
        try:
            tests = json.loads(tests)
        except (ValueError, RecursionError):
            raise UnreadableTests("neither JSON nor asserts") from None
    if isinstance(tests, dict) and (tests.get("test") or tests.get("test_list")):
        return _read_code({**details, **tests}, tests.get("test") or tests["test_list"])
    if isinstance(tests, dict):
        tests = _zip_columns(tests, details)
    if not isinstance(tests, list | tuple) or not tests:
        raise UnreadableTests("no list of cases")
    if all(isinstance(case, str) for case in tests):
        return _read_code(details, tests)
    cases = [_read_case(case, details) for case in tests]
    calls = [case for case in cases if isinstance(case, FunctionCall)]
    texts = [case for case in cases if isinstance(case, InputOutput)]
    if calls and texts:
        raise UnreadableTests("cases of two kinds")
    return calls or texts


def _read_code(details: Mapping[str, Any], tests: Any) -> AssertSuite:
    setup = (*_texts(details, "test_imports"), *_texts(details, "test_setup_code"), *_texts(details, "setup"))
    cases = (tests,) if isinstance(tests, str) else tuple(tests) if isinstance(tests, list | tuple) else ()
    if not cases or not all(isinstance(case, str) for case in cases):
        raise UnreadableTests("tests that are no text")
    return AssertSuite(setup, cases, _texts(details, "entry_point"), "".join(_texts(details, "prompt")[:1]))


def _texts(details: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = details.get(key) or ()
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise UnreadableTests(f"{key} is neither text nor a list of texts")
    return tuple(text for text in texts if text.strip())


def _zip_columns(tests: Mapping[str, Any], details: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cases of two lists, as in APPS (`inputs`, `outputs`, `fn_name`) and CodeContests (`input`, `output`)."""
    inputs, outputs = (tests.get(f"{name}s", tests.get(name)) for name in ("input", "output"))
    function = tests.get("fn_name") or details.get("function")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise UnreadableTests("no two lists of one length")
    if not function:
        return [{"input": given, "output": expected} for given, expected in zip(inputs, outputs, strict=True)]
    return [{"function": function, "args": a, "expected": b} for a, b in zip(inputs, outputs, strict=True)]


def _read_case(case: Any, details: Mapping[str, Any]) -> InputOutput | FunctionCall:
    if not isinstance(case, dict):
        raise UnreadableTests("a case that is no object")
    if "expected" in case:
        function = case.get("function") or details.get("function") or details.get("entry_point")
        arguments, named = case.get("args", []), case.get("kwargs", {})
        if not isinstance(function, str) or not isinstance(arguments, list | tuple) or not isinstance(named, dict):
            raise UnreadableTests("a call without a function or a list of arguments")
        return FunctionCall(function, tuple(arguments), named, case["expected"], case.get("result") == "argument")
    given, expected = case.get("input"), case.get("output")
    if isinstance(given, list) and isinstance(expected, list | str):  # APPS has some cases as lists of lines
        given = "\n".join(map(str, given))
        expected = expected if isinstance(expected, str) else "\n".join(map(str, expected))
    if not isinstance(given, str) or not isinstance(expected, str):
        raise UnreadableTests("a case without text for `input` and `output`")
    return (
        _read_functional(given, expected, details)
        if case.get("testtype") == "functional"
        else InputOutput(given, expected)
    )


def _read_functional(given: str, expected: str, details: Mapping[str, Any]) -> FunctionCall:
    """A call in LiveCodeBench's shape: each line of the input is an argument in JSON."""
    function: Any = details.get("function") or details.get("entry_point")
    try:
        if not function and (metadata := details.get("metadata")):
            metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
            function = metadata.get("func_name") if isinstance(metadata, dict) else None
        arguments = [json.loads(line) for line in given.splitlines() if line.strip()]
        value = json.loads(expected)
    except (ValueError, RecursionError):
        raise UnreadableTests("a call whose arguments are no JSON") from None
    if not isinstance(function, str):
        raise UnreadableTests("calls without the name of a function")
    return FunctionCall(function, tuple(arguments), {}, value)


def describe_tests(tests: UnitTests) -> str:
    """The number of cases, as far as it is known before they run."""
    return f"{len(tests.cases)} tests" if isinstance(tests, AssertSuite) else f"{len(tests)} cases"


def lines_of(text: str) -> Sequence[str]:
    """Lines without the blanks at their ends, and without blank lines at the end."""
    return [line.rstrip() for line in text.rstrip().splitlines()]
