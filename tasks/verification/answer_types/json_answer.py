"""Checks answers that are JSON: whether they equal the gold, fit a JSON schema, or both."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from pydantic import Field

from tasks.verification.answer_types.checker import AnswerCase, AnswerChecker
from tasks.verification.answer_types.limited_process import CPU_SECONDS, CheckEnded, run_limited
from tasks.verification.answer_types.reply_places import agree, find_json
from tasks.verification.answer_types.strict_json import JsonFault, Path, canonical_text, parse_json
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict

# Text of a gold that is a fenced block.
_FENCE_SIGNS = "`~"


class _Expectation(NamedTuple):
    """What a row wants: the gold's value and text if it has a gold, and the schema's text if it has one."""

    has_gold: bool
    gold: Any
    schema: str | None
    fold: bool
    unordered: bool | tuple[Path, ...]
    formats: bool


class JsonChecker(AnswerChecker):
    """Compares the JSON of a response with the gold's, checks it against a JSON schema, or does both.

    The schema is the detail `schema` (or `json_schema`). The order of keys and the spelling of numbers do not count; 1
    is not true, and texts are exact. Other details: `fold` ignores case and blanks in texts; `unordered` ignores the
    order of all lists (true) or of those at JSON pointers in which `*` stands for any index; `formats` checks the
    schema's formats too.
    """

    answer_type: ClassVar[str] = "json"

    deadline: float = Field(default=CPU_SECONDS, gt=0, le=3600)
    """Seconds of CPU time that a check against a schema may take. One that takes more is repeated with four times as
    many before its verdict is `timeout`."""

    def check(self, case: AnswerCase) -> Verdict:
        """The verdict on one case."""
        try:
            wanted = _read_expectation(case)
        except (JsonFault, ValueError):
            return Verdict("unparseable", "gold_unparseable", _shorten(case.gold))
        if not case.response.strip():
            return Verdict("unparseable", "no_answer", _shorten(case.gold))
        found = find_json(case.response, case.question, prefers_objects=_prefers_objects(wanted))
        if not found:
            return Verdict("unparseable", "no_answer", _shorten(case.gold))
        faults = [each.fault for each in found if each.fault]
        if faults or not agree(found):
            return Verdict("unparseable", faults[0] if faults else "several_answers", _shorten(case.gold))
        verdict = self._decide(wanted, found[-1].value, found[-1].text)
        return verdict._replace(gold_parsed=_shorten(case.gold), answer_parsed=_shorten(found[-1].text.strip()))

    def _decide(self, wanted: _Expectation, value: Any, text: str) -> Verdict:
        try:
            is_equal = not wanted.has_gold or canonical_text(value, wanted.fold, wanted.unordered) == canonical_text(
                wanted.gold, wanted.fold, wanted.unordered
            )
        except UnicodeError:
            return Verdict("unparseable", "no_json")
        if not is_equal:
            return Verdict("wrong", "json")
        return self._check_schema(wanted, text) if wanted.schema is not None else Verdict("correct", "json")

    def _check_schema(self, wanted: _Expectation, text: str) -> Verdict:
        message = {"schema": wanted.schema, "instance": text.strip(), "formats": wanted.formats}
        try:
            result = run_limited("schema", message, self.deadline)
        except CheckEnded as ended:
            return Verdict("timeout" if ended.rule == "deadline" else "unparseable", ended.rule)
        if "fault" in result:
            return Verdict("unparseable", "gold_unparseable")
        if result["valid"]:
            return Verdict("correct", "json_schema")
        return Verdict("unparseable", "gold_unparseable") if wanted.has_gold else Verdict("wrong", "json_schema")


def _read_expectation(case: AnswerCase) -> _Expectation:
    """What the row wants. Raises `ValueError` where that cannot be read."""
    details = case.details
    gold = (case.gold or "").strip()
    if gold[:3] in ("```", "~~~"):
        gold = gold.strip(_FENCE_SIGNS).partition("\n")[2]
    schema = details.get("schema")
    schema = _read_schema(details.get("json_schema") if schema is None else schema)
    if not gold and schema is None:
        raise ValueError("there is neither a gold nor a schema; give one of them")
    return _Expectation(
        bool(gold),
        parse_json(gold) if gold else None,
        schema,
        _read_flag(details, "fold"),
        _read_paths(details.get("unordered")),
        _read_flag(details, "formats"),
    )


def _read_schema(schema: Any) -> str | None:
    """The schema as JSON text, whether the row holds it as text or as an object."""
    if schema is None:
        return None
    try:
        text = schema if isinstance(schema, str) else json.dumps(schema)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"the schema is no JSON: {error}") from None
    parse_json(text)
    return text


def _read_flag(details: Mapping[str, Any], name: str) -> bool:
    flag = details.get(name)
    if flag not in (None, True, False):
        raise ValueError(f"{name} is {flag!r}; give true or false")
    return bool(flag)


def _read_paths(unordered: Any) -> bool | tuple[Path, ...]:
    if unordered is None or isinstance(unordered, bool):
        return bool(unordered)
    if not isinstance(unordered, list | tuple) or not all(
        isinstance(each, str) and (not each or each.startswith("/")) for each in unordered
    ):
        raise ValueError(f"unordered is {unordered!r}; give true, false or JSON pointers such as /tags")
    return tuple(
        tuple(part.replace("~1", "/").replace("~0", "~") for part in each.split("/")[1:]) for each in unordered
    )


def _prefers_objects(wanted: _Expectation) -> bool:
    return isinstance(wanted.gold, dict) if wanted.has_gold else '"array"' not in (wanted.schema or "")


def _shorten(text: str | None) -> str:
    return (text or "")[:FORM_CHARACTERS].encode(errors="replace").decode()
