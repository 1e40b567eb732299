"""Checks a response with a Python function of the user's: `module:name`, called with question, response, gold and row.

    def check(question: str, response: str, gold: str, row: dict) -> bool:
        return response.strip().endswith(gold)

The function gives a truth value, a score, or the name of a verdict. It runs in the sandbox: its module is one file,
which may import the standard library and the checker's `libraries`. The file's digest is part of the identity.
"""

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from tasks.verification.answer_types.checker import AnswerCase
from tasks.verification.answer_types.sandboxed_checker import SandboxedChecker, explain_failure
from tasks.verification.answer_types.scoring import read_decision, refuse_decision
from tasks.verification.code_execution.sandbox import sandbox
from tasks.verification.code_execution.sandbox.plain_data import NotPlain, read_plain, write_plain
from tasks.verification.code_execution.sandbox.results import SandboxFailure
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict


class FunctionChecker(SandboxedChecker):
    """The verdict of a Python function."""

    answer_type: ClassVar[str] = "function"

    function: str = ""
    """The function, as `module:name`. Its module must be importable where the run is started. Without one, rows of this
    type are `unparseable` by the rule `no_function`."""
    threshold: float = Field(default=1.0, gt=0)
    """Least score that is correct."""
    may_evaluate: bool = False
    """Whether the function may run text as Python. A response that it evaluates can then forge the verdict."""
    source_digest: str = Field(default_factory=lambda fields: digest_source(fields["function"]), validate_default=True)
    """The sha256 of the module's file, so that another version of the function is another identity."""

    @field_validator("function")
    @classmethod
    def _check_function(cls, function: str) -> str:
        digest_source(function)
        return function

    @field_validator("source_digest")
    @classmethod
    def _check_digest(cls, digest: str, info: ValidationInfo) -> str:
        if "function" in info.data and digest != digest_source(info.data["function"]):
            raise ValueError(f"{info.data['function']} has changed; start anew, or bring the former version back")
        return digest

    @cached_property
    def _source(self) -> str:
        return _find_file(self.function).read_text()

    def check(self, case: AnswerCase) -> Verdict:
        """The verdict that the function gives. A function that fails says nothing: `checker_failed`."""
        if not self.function:
            return Verdict("unparseable", "no_function")
        try:
            row = write_plain(json.loads(json.dumps(dict(case.details), default=str)))
        except (NotPlain, ValueError, TypeError, RecursionError):
            return Verdict("unparseable", "gold_unparseable", answer_parsed="a row that is no plain data")
        request = {
            "target": {"name": self.function.partition(":")[2]},
            "action": "call",
            "arguments": [case.question, case.response, case.gold, row],
            "named": {},
        }
        work = sandbox.Work("calls", json.dumps(request) + "\n", guarded=not self.may_evaluate)
        result = self._run(self._source, work)
        if isinstance(result, SandboxFailure) or result.reason not in ("ok", "no_output"):
            return explain_failure(result, "checker_failed")
        try:
            [line] = result.replies.splitlines()
            reply = json.loads(line)
            if "raised" in reply:
                return _explain_error(reply)
            value = read_plain(reply["value"])
        except (ValueError, TypeError, LookupError, RecursionError, NotPlain):
            return refuse_decision(result.replies)
        return read_decision(value, self.threshold, "function") or refuse_decision(repr(value)[:FORM_CHARACTERS])


def digest_source(function: str) -> str:
    """The sha256, in hex, of the file that holds `module:name`; empty without a function. Raises `ValueError`."""
    if not function:
        return ""
    return hashlib.sha256(_find_file(function).read_bytes()).hexdigest()


def _find_file(function: str) -> Path:
    module, _, name = function.partition(":")
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ValueError(f"{function!r} names no function; write `module:name`")
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError) as error:
        raise ValueError(f"module {module!r} cannot be found: {error}; put its folder on PYTHONPATH") from None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise ValueError(f"module {module!r} is no Python file on the path; put its folder on PYTHONPATH")
    return Path(spec.origin)


def _explain_error(reply: Mapping[str, Any]) -> Verdict:
    first = str(reply["raised"][0])
    rule = "memory" if first == "MemoryError" else "checker_failed"
    return Verdict("unparseable", rule, answer_parsed=f"{first}: {reply.get('message')}"[:FORM_CHARACTERS])
