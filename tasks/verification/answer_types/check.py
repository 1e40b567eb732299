"""Gives every attempt a verdict by the type of its answer: mathematics, a choice, a text, a number and so on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import pyarrow as pa
from pydantic import Field, field_validator

from schemas.errors import SchemaError
from schemas.identity import fingerprint
from schemas.outcomes import Quarantine, Row
from schemas.steps import Stage
from schemas.tables import verdicts
from tasks.verification.answer_types.auto import choose_type
from tasks.verification.answer_types.checker import AnswerCase, AnswerChecker
from tasks.verification.answer_types.checkers import ANSWER_TYPES, AUTO, COLUMN, MATH, AnswerCheckers
from tasks.verification.math_verify.verdict import Verdict
from tasks.verification.verify import OPEN_THOUGHT, Verify, read_response

OWN_COLUMNS = frozenset({"row_id", "question", "response", "reasoning", "answer", "answer_type", "answer_details"})
"""Columns that are no details."""
MAX_DETAIL_CHARACTERS = 20_000_000
"""Longest text of details that is read."""


class _TypedRow(NamedTuple):
    """A row with its type and, if the type was chosen, the reason."""

    row: Row
    answer_type: str
    details: Mapping[str, Any] | None
    """None if they cannot be read."""
    reason: str = ""


class CheckAnswerType(Stage):
    """One verdict for each attempt by the checker of its answer type. `math` is judged as `Verify` does.

    The type is the recipe's, or that of the row's column `answer_type`. What a checker needs beyond the gold comes from
    the column `answer_details`, a JSON object, and from columns of its own, such as `options`. A type that does not
    exist makes its row `unparseable`.
    """

    label: ClassVar[str] = "check_answer_type"
    table: ClassVar[pa.Schema] = verdicts.VERDICT_SCHEMA
    version: ClassVar[int] = 1

    answer_type: str = MATH
    """Type of the answers: one of `ANSWER_TYPES`, or `column` if the rows name it. `auto` chooses by the gold."""
    math: Verify = Field(default_factory=Verify)
    """How answers of the type `math` are compared."""
    checkers: AnswerCheckers = AnswerCheckers()
    """How answers of the other types are checked."""

    @field_validator("answer_type")
    @classmethod
    def _check_answer_type(cls, answer_type: str) -> str:
        return check_answer_type(answer_type)

    def output_schema(self, given: pa.Schema) -> pa.Schema:
        """The columns of a verdict. Raises `SchemaError` if rows must name their type and have no column for it."""
        if self.answer_type == COLUMN and "answer_type" not in given.names:
            raise SchemaError(
                f"stage {self.label} needs the column 'answer_type'; name the column that holds the type with "
                f"--columns.answer_type NAME, or one type for all rows with --answer_type (there are: "
                f"{', '.join(given.names)})"
            )
        return super().output_schema(given)

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Quarantine]:
        """One verdict for each row, in the order of `batch`. Rows of one type are checked together."""
        checkers = self.checkers.checkers()
        typed_rows = [self._find_type(row, checkers) for row in batch]
        by_type = dict[str, list[_TypedRow]]()
        for typed in typed_rows:
            by_type.setdefault(typed.answer_type, []).append(typed)
        outcomes = {
            answer_type: self._check_rows(answer_type, rows, checkers.get(answer_type))
            for answer_type, rows in by_type.items()
        }
        for typed in typed_rows:
            outcome = next(outcomes[typed.answer_type])
            if typed.reason and not isinstance(outcome, Quarantine):
                outcome = outcome | {"rule": f"auto:{typed.reason}:{outcome['rule']}"}
            yield outcome

    def _find_type(self, row: Row, checkers: Mapping[str, AnswerChecker]) -> _TypedRow:
        given = row.get("answer_type") if self.answer_type == COLUMN else self.answer_type
        answer_type = MATH if given is None or not str(given).strip() else str(given).strip().casefold()
        details = read_details(row) if answer_type != MATH else {}
        if answer_type != AUTO:
            return _TypedRow(row, answer_type, details)
        chosen = choose_type(row["question"], row["answer"], details or {}, checkers)
        return _TypedRow(row, chosen.answer_type, details, chosen.reason)

    def _check_rows(self, answer_type: str, rows: list[_TypedRow], checker: AnswerChecker | None) -> Iterator[Any]:
        """The outcomes of rows of one type, in their order."""
        if answer_type == MATH:
            return iter(self.math.rows([typed.row for typed in rows], None))
        if checker is None:
            unknown = Verdict("unparseable", "unknown_answer_type")
            return (make_row(typed.row, unknown, "type", self._identity(None)) for typed in rows)
        return self._check_cases(rows, checker)

    def _check_cases(self, rows: list[_TypedRow], checker: AnswerChecker) -> Iterator[Row]:
        responses = [read_response(typed.row["response"]) for typed in rows]
        cases = [
            AnswerCase(typed.row["question"], response, typed.row["answer"], typed.details, typed.row["row_id"])
            for typed, response in zip(rows, responses, strict=True)
            if response is not None and typed.details is not None
        ]
        checked = iter(checker.check_many(cases))
        for typed, response in zip(rows, responses, strict=True):
            if typed.details is None:
                verdict = Verdict("unparseable", "details_unreadable")
            elif response is None:
                verdict = Verdict("unparseable", OPEN_THOUGHT)
            else:
                verdict = next(checked)
            yield make_row(typed.row, verdict, checker.answer_type, self._identity(checker))

    def _identity(self, checker: AnswerChecker | None) -> str:
        """The verifier's version for the rows: the checker's version and a fingerprint of its settings."""
        return f"{checker.version} {fingerprint(checker)[:12]}" if checker else str(self.version)


def check_answer_type(answer_type: str) -> str:
    """Return the type. Raises `ValueError` if there is none of that name."""
    if answer_type not in (*ANSWER_TYPES, COLUMN):
        raise ValueError(
            f"there is no answer type {answer_type!r}; there are: {', '.join(ANSWER_TYPES)}, and {COLUMN}, with which "
            "the column answer_type of each row names its type"
        )
    return answer_type


def read_details(row: Row) -> dict[str, Any] | None:
    """What a row says beyond its gold: its other columns, below the keys of `answer_details`; None if unreadable."""
    details = {name: _read_column(value) for name, value in row.items() if name not in OWN_COLUMNS}
    given = row.get("answer_details")
    if given is None or given == "":
        return details
    for _ in range(2):  # the text of an object, which is once more a text where the column has several types
        if not isinstance(given, str):
            break
        if len(given) > MAX_DETAIL_CHARACTERS:
            return None
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return None
    return details | given if isinstance(given, dict) else None


def _read_column(value: Any) -> Any:
    """The value of a column; a text that is a JSON list or object is one."""
    if not isinstance(value, str) or value[:1] not in ("[", "{") or len(value) > MAX_DETAIL_CHARACTERS:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def make_row(row: Row, verdict: Verdict, answer_type: str, version: str) -> Row:
    """The row of a verdict."""
    return {
        "row_id": row["row_id"],
        "verdict": verdict.verdict,
        "rule": verdict.rule,
        "found_by": verdict.found_by,
        "gold_parsed": verdict.gold_parsed,
        "answer_parsed": verdict.answer_parsed,
        "verifier": f"questmill.{answer_type}",
        "verifier_version": version,
        "milliseconds": verdict.milliseconds,
    }
