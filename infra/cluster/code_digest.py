"""Digests a step's code, so that receipts of other code are noticed; comments, docstrings and layout do not count.

The code is the syntax tree of the module that defines the step, and of every module of `tasks` that it imports,
directly or indirectly. A change in `schemas` or a library must be shown by a new version of the step.
"""

import ast
import contextlib
import functools
import hashlib
import importlib.util
import json
import sys
import threading
from pathlib import Path
from typing import Any

PACKAGE = "tasks"
"""The package whose modules count as code when a step imports them."""
DIGEST_CHARACTERS = 16
_PARSING = threading.Lock()
_PARSE_ATTEMPTS = 20


@functools.cache
def digest_of_step(kind: type) -> str:
    """Return the digest of a step class's code, cached at the first call; empty if its code is in no file."""
    trainer = str(getattr(kind, "trainer", "")).partition(":")[0]  # a training names its function and imports it late
    return digest_of_module(kind.__module__, *filter(None, [trainer]))


def digest_of_module(module: str, *others: str) -> str:
    """Return the digest, 16 hex digits, of a module's code and of `others`; empty if the module is in no file."""
    digests: dict[str, str] = {}
    waiting = [module, *others]
    while waiting:
        name = waiting.pop()
        if name not in digests and (source := _read_source(name)) is not None:
            digests[name], imported = _read_code(source)
            waiting += imported
    if module not in digests:
        return ""
    own = digests.pop(module)
    text = json.dumps([own, sorted(digests.values())])
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def shape(node: Any) -> Any:
    """Turn a syntax tree into lists without positions and docstrings, equal in every supported Python version."""
    if isinstance(node, ast.AST):
        fields = [(name, getattr(node, name, None)) for name in node._fields]
        return [type(node).__name__, *[[name, shape(value)] for name, value in fields if value not in (None, [])]]
    if isinstance(node, list):
        return [shape(n) for n in node if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    return repr(node)


def _read_source(module: str) -> bytes | None:
    """Return the source of a module without importing it, because it may import an optional dependency."""
    if module.startswith(f"{PACKAGE}."):
        relative = Path(*module.split(".")[1:]).with_suffix(".py")
        paths = [Path(folder) / relative for folder in _package_folders()]
    else:
        loaded = sys.modules.get(module)
        spec = None if loaded is not None or "." in module else importlib.util.find_spec(module)
        paths = [Path(file) for file in (getattr(loaded, "__file__", None), spec and spec.origin) if file]
    return next((path.read_bytes() for path in paths if path.suffix == ".py" and path.is_file()), None)


def _package_folders() -> list[str]:
    if (loaded := sys.modules.get(PACKAGE)) is not None:
        return list(loaded.__path__)
    spec = importlib.util.find_spec(PACKAGE)
    return list((spec and spec.submodule_search_locations) or ())


def _parse(source: bytes) -> ast.Module:
    """Call `ast.parse`, which on some Pythons raises `SystemError` if two threads parse at once (gh-106905)."""
    with _PARSING:
        for _ in range(_PARSE_ATTEMPTS):
            with contextlib.suppress(SystemError):  # a library was parsing in another thread
                return ast.parse(source)
    return ast.parse(source)


@functools.lru_cache(maxsize=1024)
def _read_code(source: bytes) -> tuple[str, tuple[str, ...]]:
    """Return a module's own digest, and the names that it imports from `tasks`: modules, or members of modules."""
    tree = _parse(source)
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names += [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    imported = tuple(sorted({name for name in names if name.startswith(f"{PACKAGE}.")}))
    return hashlib.sha256(json.dumps(shape(tree.body)).encode()).hexdigest(), imported
