"""Checks a response that is a program by unit tests: standard input and output, calls of a function, or asserts.

The process of the program never holds an expected value. What it prints or returns is compared here, by value, and
asserts run in another process than the program that they call (`sandbox/test_runner.py`). So a program gains nothing
by reading its surroundings, by patching Python, by an object that equals everything or by ending early.

A program that raises, or ends early, in a case has not passed it and is wrong. A time limit is a `timeout`. What only
shows a limit of the sandbox is `unparseable`: memory, a refused system call such as one for a thread, a library that
is not installed.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from pydantic import Field

from tasks.verification.answer_types.checker import AnswerCase
from tasks.verification.answer_types.output_equality import compare_texts, compare_values
from tasks.verification.answer_types.sandboxed_checker import SandboxedChecker, explain_failure
from tasks.verification.answer_types.unit_tests import (
    AssertSuite,
    FunctionCall,
    InputOutput,
    UnreadableTests,
    describe_tests,
    read_unit_tests,
)
from tasks.verification.code_execution.program_extraction import find_named_files, find_program, has_block, is_cut_off
from tasks.verification.code_execution.sandbox import sandbox
from tasks.verification.code_execution.sandbox.plain_data import NotPlain, read_plain, write_plain
from tasks.verification.code_execution.sandbox.program_process import INPUT_FILE, PROGRAM_FILE
from tasks.verification.code_execution.sandbox.results import ExecutionResult, SandboxFailure, TestedResult
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict

# matches "import os", "x = 1", "    return n", not "The answer is 9.", "42"
_LOOKS_LIKE_CODE = re.compile(
    r"(?m)^(?:import |from \w+ import|def |class |@\w|if .*:|for .*:|while .*:|with .*:|try:|print\("
    r"|[A-Za-z_][\w, .\[\]]* ?[-+*/]?= ?\S| {4}\S)"
)
MAIN_FILES = ("main.py", "solution.py")
"""Names of the file that is run where a response has several."""
LIMIT_OUTCOMES = ("sandbox_died", "missing_library", "memory", "forbidden", "too_much_output", "near", "layout")
"""Outcomes of a case that leave it open whether the program is right."""
_LIMIT_EXCEPTIONS = {
    "MemoryError": "memory",
    "PermissionError": "forbidden",
    "ModuleNotFoundError": "missing_library",
}
_SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")


class Program(NamedTuple):
    """A program, and the files beside it."""

    text: str
    files: Mapping[str, str]


class CaseResult(NamedTuple):
    """How one case ended: `passed`, `differs`, `timeout`, or one of `LIMIT_OUTCOMES`."""

    outcome: str
    detail: str = ""
    cpu_seconds: float = 0.0


class CodeChecker(SandboxedChecker):
    """The verdict of unit tests on a program.

    Details: `tests`, or `test` with `entry_point`, or `test_list`; and `test_setup_code`, `test_imports`, `prompt`,
    `function`, `files`, `tolerance`. Without tests in the details the gold holds them.
    """

    answer_type: ClassVar[str] = "code"

    libraries: tuple[str, ...] = ("numpy",)
    """Libraries that a program may import, besides the standard library and packages installed in the same folder."""
    tolerance: float = Field(default=0.0, ge=0, le=0.05)
    """Largest relative difference from an expected float that passes, absolute below 1. A row's `tolerance` comes
    before it."""
    total_cpu_seconds: float = Field(default=60.0, gt=0)
    """Seconds of CPU time for all cases of a row together. If they are used up, the verdict is `timeout`."""

    def check(self, case: AnswerCase) -> Verdict:
        """The verdict on one program. `answer_parsed` says how many cases it passed, and why the first failed."""
        try:
            tests = read_unit_tests(case.gold, case.details)
            files = _read_files(case.details)
            tolerance = _read_tolerance(case.details, self.tolerance)
        except UnreadableTests as error:
            return Verdict("unparseable", "gold_unparseable", answer_parsed=str(error)[:FORM_CHARACTERS])
        gold_parsed = describe_tests(tests)
        program = _find_files(case.response, files)
        if program is None:
            return Verdict("unparseable", "no_program", gold_parsed)
        if isinstance(tests, AssertSuite):
            verdict = self._check_asserts(_with_prompt(program, tests), tests)
        else:
            verdict = _decide(self._run_cases(program, tests, tolerance), len(tests))
        if verdict.rule == "unit_tests" and any(name in (verdict.answer_parsed or "") for name in _SYNTAX_ERRORS):
            if not has_block(case.response):
                verdict = verdict._replace(verdict="unparseable", rule="no_program")
            elif is_cut_off(case.response):
                verdict = verdict._replace(verdict="unparseable", rule="program_cut_off")
        return verdict._replace(gold_parsed=gold_parsed)

    def _run_cases(
        self, program: Program, tests: Sequence[InputOutput] | Sequence[FunctionCall], tolerance: float
    ) -> list[CaseResult]:
        """The results of the cases, up to the first timeout."""
        results: list[CaseResult] = []
        for test in tests:
            if isinstance(test, InputOutput):
                result = self._run_input(program, test, tolerance)
            else:
                result = self._run_call(program, test, tolerance)
            results.append(result)
            if result.outcome == "timeout" or sum(each.cpu_seconds for each in results) > self.total_cpu_seconds:
                break
        return results

    def _run_input(self, program: Program, test: InputOutput, tolerance: float) -> CaseResult:
        result = self._run(program.text, sandbox.Work(stdin=test.stdin, files=program.files))
        if failure := _find_failure(result, self.output_kib << 10):
            return failure
        assert isinstance(result, ExecutionResult)
        outcome = compare_texts(test.expected, result.printed, tolerance)
        return CaseResult(outcome, "" if outcome == "passed" else "other output", result.cpu_seconds)

    def _run_call(self, program: Program, test: FunctionCall, tolerance: float) -> CaseResult:
        target = {"name": test.function}
        try:
            request = {
                "target": target,
                "action": "call",
                "arguments": [write_plain(part) for part in test.arguments],
                "named": {str(name): write_plain(part) for name, part in test.named.items()},
            }
        except NotPlain as error:
            return CaseResult("near", str(error))
        work = sandbox.Work("calls", json.dumps(request) + "\n", program.files)
        result = self._run(program.text, work)
        if failure := _find_failure(result, self.output_kib << 10):
            return failure
        assert isinstance(result, ExecutionResult)
        try:
            [line] = result.replies.splitlines()
            reply = json.loads(line)
            if "raised" in reply:
                first = str(reply["raised"][0])
                return CaseResult(_LIMIT_EXCEPTIONS.get(first, "differs"), first, result.cpu_seconds)
            value = read_plain(reply["value"])
            if test.is_in_place:
                value = read_plain(reply["changed"][0]) if "changed" in reply else test.arguments[0]
        except (ValueError, TypeError, LookupError, RecursionError, NotPlain):
            return CaseResult("differs", "no readable value", result.cpu_seconds)
        outcome = compare_values(test.expected, value, tolerance)
        if outcome == "differs" and value is None and reply.get("changed"):
            return CaseResult("near", "it changes its argument and returns nothing", result.cpu_seconds)
        return CaseResult(outcome, "" if outcome == "passed" else "other value", result.cpu_seconds)

    def _check_asserts(self, program: Program, tests: AssertSuite) -> Verdict:
        verdict, has_changed = self._run_suite(program, tests, False)
        if verdict.verdict == "wrong" and has_changed and self._run_suite(program, tests, True)[0].verdict == "correct":
            return verdict._replace(verdict="unparseable", rule="argument_changed")
        return verdict

    def _run_suite(self, program: Program, tests: AssertSuite, copies_back: bool) -> tuple[Verdict, bool]:
        """The verdict of asserts, and whether the program changed an argument for which it also returned a value."""
        setup = (*tests.setup, *([_complete(tests.prompt)] if tests.prompt else []))
        suite = {"setup": setup, "cases": tests.cases, "entries": tests.entries, "copies_back": copies_back}
        limits = self.limits._replace(output=max(self.limits.output, 1 << 20))
        with sandbox.lend_sandbox(self.libraries, self.unsafe) as lent:
            result = lent.run_tests(program.text, json.dumps(suite), limits, program.files)
        if isinstance(result, SandboxFailure):
            return explain_failure(result, "sandbox_died"), False
        messages = _read_messages(result.tests.printed)
        if broken := next((message["broken"] for message in messages if "broken" in message), None):
            return Verdict("unparseable", "gold_unparseable", answer_parsed=str(broken)), False
        end = next((message for message in messages if "done" in message), {})
        results = [_read_assert(message, result) for message in messages if "passed" in message]
        if not end:
            reason = result.program.reason if result.tests.reason == "ok" else result.tests.reason
            results.append(CaseResult("timeout" if reason == "timeout" else "differs", f"the tests ended: {reason}"))
        verdict = _decide(results, len(results))
        if verdict.verdict == "correct" and end.get("doubt"):
            return verdict._replace(verdict="unparseable", rule="tests_undecided", answer_parsed=end["doubt"]), False
        if not results:
            rule = "tests_undecided" if end.get("doubt") else "gold_unparseable"
            verdict = Verdict("unparseable", rule, answer_parsed=end.get("doubt") or "no assert was reached")
        return verdict, bool(end.get("changed"))


def _find_failure(result: ExecutionResult | SandboxFailure, output_bytes: int) -> CaseResult | None:
    """The result of a case whose program did not end well; None if it did."""
    if isinstance(result, SandboxFailure):
        return CaseResult("sandbox_died", result.error)
    if result.reason in ("ok", "no_output"):
        return None
    detail = result.detail or result.reason
    outcome = {
        "timeout": "timeout",
        "memory": "memory",
        "forbidden": "forbidden",
        "output": "differs" if len(result.printed.encode()) >= output_bytes else "too_much_output",
    }.get(result.reason, _LIMIT_EXCEPTIONS.get(detail, "differs"))
    return CaseResult(outcome, detail, result.cpu_seconds)


def _read_assert(message: Mapping[str, Any], result: TestedResult) -> CaseResult:
    if message["passed"]:
        return CaseResult("passed")
    kind, error = str(message.get("kind")), str(message.get("error"))
    if kind == "ended":
        reason = result.program.reason
        return CaseResult(reason if reason in ("timeout", "memory", "forbidden") else "differs", f"it ended: {reason}")
    name = error.removeprefix("ProgramError: ").partition(":")[0]
    return CaseResult(_LIMIT_EXCEPTIONS.get(name if kind != "differs" else "", "differs"), error)


def _read_messages(printed: str) -> list[dict[str, Any]]:
    messages = []
    for line in printed.splitlines():
        try:
            message = json.loads(line)
        except ValueError:  # the last line may be cut off
            continue
        if isinstance(message, dict):
            messages.append(message)
    return messages


def _decide(results: Sequence[CaseResult], total: int) -> Verdict:
    """The verdict on all cases: wrong if one differs, else undecided if one is, else correct."""
    counts = Counter(result.outcome for result in results)
    failed = next((result for result in results if result.outcome == "differs"), None)
    failed = failed or next((result for result in results if result.outcome != "passed"), None)
    summary = f"{counts['passed']}/{total} cases"
    if failed:
        summary += f"; case {results.index(failed) + 1}: {failed.detail or failed.outcome}"
    summary = summary[:FORM_CHARACTERS]
    if counts["differs"]:
        return Verdict("wrong", "unit_tests", answer_parsed=summary)
    if counts["timeout"] or len(results) < total:
        return Verdict("timeout", "deadline", answer_parsed=summary)
    if failed:
        return Verdict("unparseable", failed.outcome, answer_parsed=summary)
    return Verdict("correct", "unit_tests", answer_parsed=summary)


def _find_files(response: str, files: Mapping[str, str]) -> Program | None:
    """The program of a response, with its own files and those of the row; None if there is none."""
    own = find_named_files(response)
    if len(own) > 1 and (main := next((own[name] for name in MAIN_FILES if name in own), None)):
        return Program(main, {**own, **files})
    text = find_program(response)
    if not text.strip() or (not has_block(response) and not _LOOKS_LIKE_CODE.search(text)):
        return None
    return Program(text, files)


def _with_prompt(program: Program, tests: AssertSuite) -> Program:
    """The program behind the prompt that it continues or repeats, whose helpers it may need."""
    if not tests.prompt or "from __future__" in program.text:
        return program
    if program.text.lstrip("\n")[:1].isspace():
        return program._replace(text=f"{tests.prompt.rstrip()}\n{program.text}")
    return program._replace(text=f"{_complete(tests.prompt)}\n\n{program.text}")


def _complete(prompt: str) -> str:
    """A prompt that compiles: a function without a body gets one."""
    return f"{prompt.rstrip()}\n    pass\n" if prompt.rstrip().endswith(":") else prompt


def _read_files(details: Mapping[str, Any]) -> dict[str, str]:
    files = details.get("files") or {}
    if not isinstance(files, Mapping) or not all(
        isinstance(name, str) and isinstance(text, str) and sandbox.FILE_NAME.fullmatch(name)
        for name, text in files.items()
    ):
        raise UnreadableTests("files that are not texts by name in one folder")
    if reserved := {PROGRAM_FILE, INPUT_FILE} & files.keys():
        raise UnreadableTests(f"a file named {min(reserved)}, which is the program's own")
    return dict(files)


def _read_tolerance(details: Mapping[str, Any], default: float) -> float:
    tolerance = details.get("tolerance")
    if tolerance is None:
        return default
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance <= 1:
        raise UnreadableTests("a tolerance that is no number from 0 to 1")
    return float(tolerance)
