"""A step whose code changed must say so: either its version is bumped, or somebody looked and refreshed this list.

Refresh `tests/golden/identities.json` with `make golden`.
"""

import ast
import json
from pathlib import Path
from typing import Any

from infra.cluster.code_digest import digest_of_module, digest_of_step, shape
from infra.lake import input_files
from tests.support.steps import find_steps

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "identities.json"


def identities() -> dict[str, dict[str, Any]]:
    """Version and code of every step, and of what reads input: its `version` is `SEED_VERSION`."""
    listed = {}
    for kind in find_steps():
        listed[f"{kind.__module__}.{kind.__name__}"] = {"version": kind.version, "code": digest_of_step(kind)}
    listed["infra.lake.input_files"] = {
        "version": input_files.SEED_VERSION,
        "code": digest_of_module("infra.lake.input_files"),
    }
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
