"""Keeps a checker program from running text as Python: an audit hook refuses to compile it.

A checker gets a model's response, which may be written so that `eval(response)` ends the checker with a verdict of the
response's choice. The hook raises before any of that text has run.
"""

import sys
import sysconfig
from typing import Any

_MAY_COMPILE = ("ast.py", "collections/__init__.py", "dataclasses.py")
"""Files of the standard library that compile text which is not the response's: syntax trees only, or their own code."""
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_BEGUN: list[bool] = []


class EvaluationRefused(Exception):
    """A checker tried to run text as Python."""


def refuse_evaluation(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse `eval`, `exec` and `compile` of text, except of the program itself, which comes first, and by imports."""
    if event != "compile" or arguments[0] is None:
        return
    if not _BEGUN:
        _BEGUN.append(True)
        return
    caller = sys._getframe(1).f_code.co_filename
    if caller.startswith("<frozen importlib"):
        return
    if caller.startswith(_STANDARD_LIBRARY) and caller[len(_STANDARD_LIBRARY) + 1 :].startswith(_MAY_COMPILE):
        return
    raise EvaluationRefused(
        "text must not run as Python here; read it with `ast.parse` or `calculate`, or set may_evaluate=true"
    )
