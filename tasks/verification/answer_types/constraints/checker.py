"""Checks responses against a list of constraints: correct if all hold, wrong if one surely fails."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import Field, ValidationError

from tasks.verification.answer_types.checker import AnswerCase, AnswerChecker
from tasks.verification.answer_types.constraints import formats, keywords, lengths, wordings
from tasks.verification.answer_types.constraints.base import (
    CheckTimeout,
    Constraint,
    ConstraintFault,
    Counted,
    make_constraint_text,
)
from tasks.verification.answer_types.constraints.ifeval import translate_instructions
from tasks.verification.answer_types.limited_process import CPU_SECONDS
from tasks.verification.answer_types.strict_json import JsonFault, parse_json
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict

MAX_CHARACTERS = 1_000_000
"""Characters of a response that is checked."""
MAX_CONSTRAINTS = 100
"""Constraints of one row."""
KINDS: Mapping[str, type[Constraint]] = {
    kind.kind: kind
    for module in (lengths, keywords, formats, wordings)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Constraint) and kind not in (Constraint, Counted)
}
"""All kinds of constraints by their names."""


class ConstraintsChecker(AnswerChecker):
    """Checks a response against the constraints of the row, in the gold or in `details["constraints"]`.

    They are a JSON list of objects with `kind` and its arguments, or IFEval's `instruction_id_list` and `kwargs`. The
    verdict is `wrong` with the first constraint that surely fails; where a constraint holds by one way to count and
    fails by another, and none fails, it is `unparseable`.
    """

    answer_type: ClassVar[str] = "constraints"

    deadline: float = Field(default=CPU_SECONDS, gt=0, le=3600)
    """Seconds of CPU time that a regular expression may take. One that takes more is repeated with four times as many
    before its verdict is `timeout`."""

    def check(self, case: AnswerCase) -> Verdict:
        """The verdict on one case."""
        try:
            constraints = read_constraints(case)
        except (JsonFault, ValidationError, ValueError, TypeError):
            return Verdict("unparseable", "gold_unparseable", _shorten(case.gold))
        text = make_constraint_text(case.response, case.question)
        if not text.visible.strip():
            return Verdict("unparseable", "no_answer")
        if len(text.text) > MAX_CHARACTERS:
            return Verdict("unparseable", "too_long")
        late: Verdict | None = None
        for constraint in constraints:
            try:
                outcome = constraint.check(text, self.deadline)
            except ConstraintFault:
                return Verdict("unparseable", "gold_unparseable", _describe(constraint))
            except CheckTimeout as timeout:
                verdict = "timeout" if timeout.rule == "deadline" else "unparseable"
                late = late or Verdict(verdict, timeout.rule, _describe(constraint))
                continue
            if outcome.holds is False:
                return Verdict("wrong", constraint.kind, _describe(constraint), _shorten(outcome.measured))
            if outcome.holds is None:
                unclear = f"{constraint.kind}_unclear"
                late = late or Verdict("unparseable", unclear, _describe(constraint), _shorten(outcome.measured))
        return late or Verdict("correct", "constraints")


def read_constraints(case: AnswerCase) -> list[Constraint]:
    """The constraints of a row, of its details or else of its gold. Raises `ValueError`."""
    details = case.details
    stated: Any = details.get("constraints")
    if stated is None:
        stated = details if details.get("instruction_id_list") is not None else case.gold or ""
    if isinstance(stated, str):
        stated = parse_json(stated.strip())
    if isinstance(stated, Mapping) and "instruction_id_list" in stated:
        stated = translate_instructions(stated["instruction_id_list"], stated.get("kwargs"))
    if not isinstance(stated, list | tuple) or not 0 < len(stated) <= MAX_CONSTRAINTS:
        raise ValueError(f"constraints are a list of 1 to {MAX_CONSTRAINTS} objects, each with a `kind`")
    return [_read_constraint(each) for each in stated]


def _read_constraint(stated: Any) -> Constraint:
    if not isinstance(stated, Mapping) or stated.get("kind") not in KINDS:
        raise ValueError(f"{stated!r} has no known `kind`; give one of {', '.join(sorted(KINDS))}")
    return KINDS[stated["kind"]].model_validate(
        {name: _read_whole_number(value) for name, value in stated.items() if name != "kind" and value is not None}
    )


def _read_whole_number(value: Any) -> Any:
    """15.0 as the integer 15, since a column with empty cells holds its numbers as floats."""
    is_whole = isinstance(value, float | Decimal) and 0 <= value <= MAX_CHARACTERS and value == int(value)
    return int(value) if is_whole else value


def _describe(constraint: Constraint) -> str:
    facts = {"kind": constraint.kind, **constraint.model_dump(exclude_none=True)}
    return _shorten(json.dumps(facts, ensure_ascii=False))


def _shorten(text: str | None) -> str:
    return (text or "")[:FORM_CHARACTERS].encode(errors="replace").decode()
