"""Every regular expression that is not obvious has an example beside it, and matches what the example says.

Directly above the pattern stands a comment of one of three forms, by how the code uses the pattern (`search`,
`fullmatch`, `match`); several texts are separated by commas, and several such lines may follow each other:

    # matches "3.5 km", not "km"
    # matches all of "3.5", not of "3.5 km"
    # matches the start of "3.5 km", not of "about 3.5"
"""

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "tasks", "infra", "flows")
OBVIOUS_CHARACTERS = 25
"""Characters of a pattern up to which it may be read without an example."""
_TEXT = r"""r?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
# matches all of '# matches r"a", "b", not "c"', '# matches all of "a", not of "b"', not of "# matches nothing"
_EXAMPLE = re.compile(
    rf"\s*# matches(?P<way> all of| the start of)? (?P<yes>{_TEXT}(?:, {_TEXT})*)"
    rf", not(?: of)? (?P<no>{_TEXT}(?:, {_TEXT})*)"
)
_WAYS: dict[str | None, Callable[[re.Pattern[str], str], Any]] = {
    None: re.Pattern.search,
    " all of": re.Pattern.fullmatch,
    " the start of": re.Pattern.match,
}


class Written(NamedTuple):
    """A pattern as it stands in a module."""

    name: str
    pattern: re.Pattern[str]
    examples: list[re.Match[str]]


def _read(path: Path) -> Iterator[Written]:
    """The patterns that a module holds when it is imported, by whatever function compiled them, with their examples."""
    lines = path.read_text().splitlines()
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for statement in ast.parse(path.read_text()).body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            continue
        calls = [n for n in ast.walk(statement) if isinstance(n, ast.Call) and ast.unparse(n.func) == "re.compile"]
        if not calls and isinstance(statement.value, ast.Call):
            calls = [statement.value]
        for call in calls:
            pattern = eval(compile(ast.Expression(call), str(path), "eval"), vars(module))
            if isinstance(pattern, re.Pattern):
                yield Written(f"{path.relative_to(ROOT)}:{call.lineno}", pattern, _find_examples(lines, call.lineno))


def _find_examples(lines: list[str], number: int) -> list[re.Match[str]]:
    """The examples in the comment that ends above line `number`."""
    above = number - 1
    while above and lines[above - 1].lstrip().startswith("#"):
        above -= 1
    return [match for line in lines[above : number - 1] if (match := _EXAMPLE.fullmatch(line))]


def _texts(written: str) -> list[str]:
    return [ast.literal_eval(text) for text in re.findall(_TEXT, written)]


PATTERNS = [
    written
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "re.compile" in path.read_text()
    for written in _read(path)
]


def test_there_are_patterns() -> None:
    assert len(PATTERNS) > 100


@pytest.mark.parametrize("written", PATTERNS, ids=lambda written: written.name)
def test_a_pattern_matches_what_its_examples_say(written: Written) -> None:
    assert written.examples or len(written.pattern.pattern) <= OBVIOUS_CHARACTERS, (
        f'{written.name} is hard to read; write above it what it matches: # matches "...", not "..."'
    )
    for example in written.examples:
        matches = _WAYS[example["way"]]
        for text in _texts(example["yes"]):
            assert matches(written.pattern, text), f"{written.name} does not match {text!r}"
        for text in _texts(example["no"]):
            assert not matches(written.pattern, text), f"{written.name} matches {text!r}"
