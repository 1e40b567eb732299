"""Checks answers that are function calls: the functions, their arguments and the types of these."""

from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from tasks.verification.answer_types.call_json import read_calls
from tasks.verification.answer_types.call_python import Parameters
from tasks.verification.answer_types.call_reply import LOOKS_LIKE_CALL, CallReading, read_reply
from tasks.verification.answer_types.call_values import MAX_CALLS, Call, Rules, ValueForm, find_difference
from tasks.verification.answer_types.checker import AnswerCase, AnswerChecker
from tasks.verification.answer_types.strict_json import JsonFault, parse_json
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict


class CallChecker(AnswerChecker):
    """Compares the function calls of a response with the gold's, a JSON list of calls; `[]` wants no call.

    A gold call is `{"name": ..., "arguments": {...}}`, or `{"name of the function": {...}}` with lists of allowed
    values as the Berkeley leaderboard writes it. Details: `values` says what stands for each argument (`one`, `any_of`
    or `bfcl`); `ordered` makes the order of calls count; `optional` names arguments that may be left out; `fold`
    ignores case and blanks in texts; `tools` (or `functions`) are the functions' definitions, which name arguments
    given by position.
    Nothing of a response is ever evaluated.
    """

    answer_type: ClassVar[str] = "call"

    def check(self, case: AnswerCase) -> Verdict:
        """The verdict on one case."""
        try:
            golds, rules = _read_gold(case)
            parameters = _read_parameters(case.details.get("tools") or case.details.get("functions"))
        except (JsonFault, ValueError):
            return Verdict("unparseable", "gold_unparseable", _shorten(case.gold))
        if not case.response.strip():
            return Verdict("unparseable", "no_answer", _shorten(case.gold))
        reading = read_reply(case.response, parameters)
        if reading.calls is None:
            verdict = _decide_without_calls(reading, golds, case.response)
            return verdict._replace(gold_parsed=_shorten(case.gold))
        difference = find_difference(reading.calls, golds, rules)
        return Verdict(
            "wrong" if difference else "correct",
            difference or "calls",
            _shorten(case.gold),
            _shorten(_describe_calls(reading.calls)),
        )


def _decide_without_calls(reading: CallReading, golds: list[Call], response: str) -> Verdict:
    if reading.fault:
        return Verdict("unparseable", reading.fault)
    if golds or LOOKS_LIKE_CALL.search(response):
        return Verdict("unparseable", "no_answer")
    return Verdict("correct", "no_call")


def _read_gold(case: AnswerCase) -> tuple[list[Call], Rules]:
    """The gold's calls and how they are compared. Raises `ValueError` where that cannot be read."""
    value = parse_json((case.gold or "").strip())
    golds = read_calls(value)
    if golds is None or len(golds) > MAX_CALLS:
        raise ValueError("the gold is no list of calls; write [{'name': ..., 'arguments': {...}}]")
    details = case.details
    form: Any = details.get("values") or ("one" if read_calls(value, allow_name_keys=False) is not None else "bfcl")
    if form not in get_args(ValueForm):
        raise ValueError(f"values is {form!r}; give one of {', '.join(get_args(ValueForm))}")
    lists = all(isinstance(each, list) for gold in golds for each in gold.arguments.values())
    if form != "one" and not lists:
        raise ValueError(f"values is {form!r}, and an argument of the gold is no list of allowed values")
    optional = details.get("optional") or ()
    if not isinstance(optional, list | tuple) or not all(isinstance(each, str) for each in optional):
        raise ValueError(f"optional is {optional!r}; give a list of names of arguments")
    flags = {name: details.get(name) or False for name in ("fold", "ordered")}
    if not all(isinstance(flag, bool) for flag in flags.values()):
        raise ValueError("fold and ordered are true or false")
    return golds, Rules(form, frozenset(optional), **flags)


def _read_parameters(tools: Any) -> Parameters:
    """The names of the parameters of each tool, in their order. Raises `ValueError`."""
    if tools is None:
        return {}
    if isinstance(tools, str):
        tools = parse_json(tools)
    if not isinstance(tools, list | tuple):
        raise ValueError("tools is no list; give the definitions of the functions")
    functions = [tool.get("function", tool) if isinstance(tool, Mapping) else {} for tool in tools]
    return {
        str(function.get("name")): tuple(((function.get("parameters") or {}).get("properties") or {}).keys())
        for function in functions
        if isinstance(function, Mapping)
    }


def _describe_calls(calls: list[Call]) -> str:
    return ", ".join(f"{call.name}({', '.join(f'{k}={v!s}' for k, v in call.arguments.items())})" for call in calls)


def _shorten(text: str | None) -> str:
    return (text or "")[:FORM_CHARACTERS].encode(errors="replace").decode()
