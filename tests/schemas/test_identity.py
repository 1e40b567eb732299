"""A step whose code changed must say so: either its version is bumped, or somebody looked and refreshed this list.

Refresh `tests/golden/identities.json` with `make golden`.
"""

import ast
import functools
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from infra.lake import input_files
from tests.support.steps import find_steps

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "identities.json"


def shape(node: Any) -> Any:
    """A syntax tree as lists, without positions and docstrings: the same for every Python version that we support."""
    if isinstance(node, list):
        return [shape(n) for n in node if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, shape(value)) for name, value in ast.iter_fields(node) if value not in (None, []))
    return [type(node).__name__, *fields]


@functools.cache
def read_module(module: str) -> tuple[str, tuple[str, ...]]:
    """The shape of a module as JSON, and the names of all that it imports from `tasks`, in their order."""
    spec = importlib.util.find_spec(module)  # found, not imported: what it imports may be an extra
    tree = ast.parse(Path(str(spec and spec.origin)).read_text())
    imported: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            imported += (f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names))
    ours = (n for n in imported if n.startswith("tasks.") and (ROOT / f"{n.replace('.', '/')}.py").is_file())
    return json.dumps(shape(tree.body)), tuple(ours)


def code(module: str, seen: set[str] | None = None) -> list[str]:
    """The code of a module of tasks, and of those that it imports from there."""
    seen = {module} if seen is None else seen | {module}
    shown, imported = read_module(module)
    found = [shown]
    for name in imported:
        if name not in seen:
            seen.add(name)
            found += code(name, seen)
    return found


@functools.cache
def digest(module: str) -> str:
    """The first 16 hex digits of what names the code of a module."""
    return hashlib.sha256(f"[{', '.join(code(module))}]".encode()).hexdigest()[:16]


def identities() -> dict[str, dict[str, Any]]:
    """Version and code of every step, and of what reads input: its `version` is `SEED_VERSION`."""
    listed = {}
    for kind in find_steps():
        listed[f"{kind.__module__}.{kind.__name__}"] = {"version": kind.version, "code": digest(kind.__module__)}
    listed["infra.lake.input_files"] = {"version": input_files.SEED_VERSION, "code": digest("infra.lake.input_files")}
    return dict(sorted(listed.items()))


def test_no_step_changed_without_a_new_version() -> None:
    golden, now = json.loads(GOLDEN.read_text()), identities()
    refresh = "refresh with `make golden`"
    assert now.keys() == golden.keys(), f"steps came or went; {refresh}"
    for name, step in now.items():
        assert step["version"] >= golden[name]["version"], f"{name} went back to an older version"
        if step["version"] == golden[name]["version"]:
            assert step["code"] == golden[name]["code"], (
                f"the code of {name} changed: bump its `version`, or if behaviour is unchanged {refresh}"
            )
        else:
            assert step == golden[name], f"{name} has a new version; {refresh}"


def test_docstrings_and_comments_are_no_code() -> None:
    plain, told = "def f(x):\n    return x", "def f(x):\n    'Doc.'\n    return  x  # why"
    assert shape(ast.parse(plain)) == shape(ast.parse(told)) != shape(ast.parse("def f(x):\n    return -x"))


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(identities(), indent=1) + "\n")
