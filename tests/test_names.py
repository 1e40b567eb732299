"""Names are the field's terms: the words of an earlier vocabulary stay out of modules, classes and functions."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.cli import recipe_arguments
from tests.support.steps import find_steps

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "schemas", "infra")
METAPHORS = frozenset(
    {
        *("till", "desk", "umpire", "warden", "referee", "ladder", "rung", "rungs", "walls", "cell", "room", "story"),
        *("stories", "lesson", "lessons", "schooling", "exam", "muddle", "panel", "stub", "rival", "rivals"),
        *("umpires", "canary", "habit", "habits", "dress", "dresses", "keeper", "teller", "book", "pulse", "fates"),
    }
)
"""Words that said nothing of what a thing is; each has a term of the field instead."""
PARTICIPLES = frozenset(
    {
        *("told", "said", "heard", "made", "found", "posed", "drawn", "written", "judged", "rated", "joined", "given"),
        *("squeezed", "apart", "beside", "whole", "alone", "offered", "played", "kept", "owed", "asked"),
        *("decided", "wanted", "taught", "spelt", "shut", "tell"),
    }
)
"""Words that are no name by themselves: a function is a verb with its object, a class a noun."""
KEPT = {
    "stories": "tasks/proving_ground/topics/stories.py holds story problems, a term of mathematics teaching",
    "canary": "a canary pair is the field's term for a known input that guards a checker",
    "PairWithRival": "the rival is the other response of a pair in pairwise judging",
    "tell": "the method of Python's own file protocol that says where a stream stands",
    "lessons": "a key of the data set description that lies beside every trained pupil",
    "kept": "a column and a count of every ledger: rows in = kept + rejected + quarantined",
    "asked": "a column of `answers`, `diagnoses` and `located_errors`: samples that were asked for",
    "drawn": "a column of `error_types`: types that were drawn for injection",
    "made": "a column of `error_types`: wrong solutions that were made of a type",
}
"""Old words that stay, each with its reason; at most ten."""


def words_of(name: str) -> list[str]:
    """`_LaTeXWriter` and `read_till_end` as lower-case words."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[\W_]+", spaced.lower()) if word]


def names() -> Iterator[tuple[str, str]]:
    """Every module, class, function and annotated field of our packages, with where it stands."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            where = str(path.relative_to(ROOT))
            yield where, path.stem
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    yield where, node.name
                if isinstance(node, ast.ClassDef):
                    fields = (f.target for f in node.body if isinstance(f, ast.AnnAssign))
                    yield from ((where, target.id) for target in fields if isinstance(target, ast.Name))


def headings() -> Iterator[tuple[str, str]]:
    """Titles of the report's sections."""
    where = "flows/report/sections.py"
    for node in ast.walk(ast.parse((ROOT / where).read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Section":
            yield from ((where, arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant))


def labels_and_flags() -> Iterator[tuple[str, str]]:
    """Labels of steps, which are views of every lake, and the recipes."""
    yield from ((kind.__module__, kind.label) for kind in find_steps())
    yield from (("flows", name) for name in recipe_arguments.list_recipes())


def test_no_name_is_a_metaphor_of_the_earlier_vocabulary() -> None:
    excused = {*KEPT, "pair_with_rival"}
    found = {
        (where, name)
        for where, name in [*names(), *headings(), *labels_and_flags()]
        if name not in excused and METAPHORS & {*words_of(name)} - excused
    }
    assert not found, sorted(found)


def test_no_function_class_or_module_is_a_bare_participle() -> None:
    found = {(where, name) for where, name in names() if {*words_of(name)} <= PARTICIPLES and name not in KEPT}
    assert not found, sorted(found)


def test_few_old_words_are_kept_and_each_has_its_reason() -> None:
    assert len(KEPT) <= 10 and all(len(reason.split()) >= 8 for reason in KEPT.values())


@pytest.mark.parametrize(
    ("name", "words"), [("_LaTeXWriter", ["la", "te", "xwriter"]), ("read_till", ["read", "till"])]
)
def test_a_name_is_taken_apart_at_its_capitals_and_underscores(name: str, words: list[str]) -> None:
    assert words_of(name) == words
