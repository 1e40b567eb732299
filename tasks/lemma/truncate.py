"""Errors as they are learned from: a wrong solution cut off behind its first wrong step, each error once."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from schemas.outcomes import Reject, Row
from schemas.steps import Merge, Stage
from schemas.tables import located_errors
from tasks.lemma.arithmetic import equations_hold
from tasks.lemma.prompt_leaks import admits_error, leaks_prompt


class Truncate(Stage):
    """The prefix of a wrong solution, up to and including its first wrong step, verbatim and by code.

    Untruncated errors cost 8.4 points (table 5). An injection stays only where the diagnosis points at the line that
    its maker named; and a calculation is wrong only where one does not add up.
    """

    label: ClassVar[str] = "truncate"
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = located_errors.LOCATED_ERRORS

    same_type: bool = False
    """Turn an injection down as well where the diagnosis names another type than the one that was asked for."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """One outcome for each row of `schemas.tables.diagnoses.SCHEMA`."""
        for row in batch:
            reason = self.find_fault(row)
            yield Reject(row, reason) if reason else truncate_at_error(row)

    def find_fault(self, row: Row) -> str | None:
        """Why the diagnosis of a row cannot be trusted; None: nothing speaks against it."""
        step = row["steps"][row["found_step"] - 1]
        if row["line"] is not None and row["line"] not in _line_range(row["response"], step["start"], step["end"]):
            return "injected elsewhere"
        if row["type"] is not None and self.same_type and row["type"] != row["found_type"]:
            return "another type"
        if row["source"] == "injected" and self._admits_error(row, step["end"]):
            return "meta talk"
        kind, text = row["type"] or row["found_type"], row["response"][step["start"] : step["end"]]
        return "calculation adds up" if kind == "calculation" and equations_hold(text) else None

    def _admits_error(self, row: Row, end: int) -> bool:
        """Whether the prefix of an injection talks of the task, or tells that it is wrong."""
        prefix, problem_texts = row["response"][:end], (row["question"], row["reference"])
        return leaks_prompt(prefix, *problem_texts) or admits_error(prefix, *problem_texts)


def truncate_at_error(row: Row) -> Row:
    """A diagnosed row, as an error."""
    step = row["steps"][row["found_step"] - 1]
    prefix = row["response"][: step["end"]].rstrip()
    leading_blanks = len(wrong := prefix[step["start"] :]) - len(wrong.lstrip())
    columns = ("row_id", "question_id", "question", "answer", "reference", "response", "source", "student")
    return {
        **{name: row[name] for name in (*columns, "found_type", "votes", "asked")},
        "type": row["type"] or row["found_type"],
        "step": row["found_step"],
        "prefix": prefix,
        "wrong_start": step["start"] + leading_blanks,
        "wrong_end": len(prefix),
        "wrong_rule": row["rule"],
    }


def _line_range(text: str, start: int, end: int) -> range:
    """The lines, from 1, on which `text[start:end]` stands, blanks left out."""
    stretch = text[start:end]
    first = start + len(stretch) - len(stretch.lstrip())
    last = start + len(stretch.rstrip())
    return range(text.count("\n", 0, first) + 1, text.count("\n", 0, last) + 2)


class DropDuplicateErrors(Merge):
    """Keeps the first of the errors of a question that calculate the same numbers up to the wrong step.

    At a low temperature a student makes one mistake many times, and a teacher who is asked twice makes one twice.
    """

    label: ClassVar[str] = "drop_duplicate_errors"
    inputs: ClassVar[tuple[str, ...]] = ("errors",)

    def sql(self) -> str:
        """Signs and numbers in their order are what is compared, and the words where there is no calculation.

        First are the student's own, for those are what it does.
        """
        signs_and_numbers = (
            r"regexp_extract_all(regexp_replace(prefix, '<<[^<>\n]*>>|,', '', 'g'), "
            r"'[0-9]+(?:\.[0-9]+)?|[-+*/=^\x{00d7}\x{00f7}]|\\times|\\cdot|\\div')"
        )
        words = r"lower(trim(regexp_replace(prefix, '\s+', ' ', 'g')))"
        return f"""
            WITH told AS (
                SELECT *, CASE
                    WHEN len({signs_and_numbers}) >= 4 AND list_contains({signs_and_numbers}, '=') THEN
                    array_to_string({signs_and_numbers}, ' ')
                    ELSE {words} END AS told
                FROM errors
            )
            SELECT * EXCLUDE (told), CASE WHEN row_number() OVER (
                PARTITION BY question_id, told ORDER BY source = 'injected', row_id
            ) > 1 THEN 'alike' END AS reject
            FROM told ORDER BY row_id
        """
