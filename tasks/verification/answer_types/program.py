"""Checks a response with a checker program of the user's, for questions with many right answers, such as a Sudoku.

The program runs in the sandbox. It reads one JSON object from standard input, with `question`, `response`, `answer`
and `details`, and prints on its last line, as JSON, a truth value, a score, `"correct"`, `"wrong"` or `"unparseable"`,
or an object with `verdict` or `score`:

    import json, sys
    case = json.load(sys.stdin)
    print(json.dumps(calculate(case["response"]) == int(case["answer"])))

The response is data for it: unless `may_evaluate` is set, `eval`, `exec` and `compile` are refused, since a response
could be written so that it prints a verdict. `calculate` gives the exact value of an arithmetic expression instead.
"""

import json
from typing import ClassVar

from pydantic import Field

from tasks.verification.answer_types.checker import AnswerCase
from tasks.verification.answer_types.sandboxed_checker import SandboxedChecker, explain_failure
from tasks.verification.answer_types.scoring import read_decision, refuse_decision
from tasks.verification.code_execution.program_extraction import find_last_line
from tasks.verification.code_execution.sandbox import sandbox
from tasks.verification.code_execution.sandbox.results import SandboxFailure
from tasks.verification.math_verify.verdict import Verdict


class ProgramChecker(SandboxedChecker):
    """The verdict of a checker program. Details: `checker`, its source, which comes before the field."""

    answer_type: ClassVar[str] = "program"

    checker: str = ""
    """Python source of the checker program, for rows without one of their own."""
    threshold: float = Field(default=1.0, gt=0)
    """Least score that is correct."""
    may_evaluate: bool = False
    """Whether the checker program may run text as Python. A response that it evaluates can then forge the verdict."""

    def check(self, case: AnswerCase) -> Verdict:
        """The verdict that the checker program prints. A program that fails says nothing: `checker_failed`."""
        source = case.details.get("checker") or self.checker
        if not isinstance(source, str) or not source.strip():
            return Verdict("unparseable", "gold_unparseable", answer_parsed="the row has no checker program")
        details = {key: value for key, value in case.details.items() if key != "checker"}
        fields = {"question": case.question, "response": case.response, "answer": case.gold, "details": details}
        result = self._run(source, sandbox.Work(stdin=json.dumps(fields, default=str), guarded=not self.may_evaluate))
        if isinstance(result, SandboxFailure) or result.reason not in ("ok", "no_output"):
            return explain_failure(result, "checker_failed")
        line = find_last_line(result.printed)
        try:
            decision = read_decision(json.loads(line), self.threshold, "program")
        except (ValueError, RecursionError):
            decision = None
        return decision or refuse_decision(line)
