"""Errors as they are learned from: a wrong solution cut off behind its first wrong step, each error once."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from schemas.outcomes import Reject, Row
from schemas.steps import Merge, Stage
from schemas.tables import located_errors
from tasks.lemma.arithmetic import adds_up
from tasks.lemma.prompt_leaks import confessed, leaked


class Truncate(Stage):
    """The prefix of a wrong solution, up to and including its first wrong step, verbatim and by code.

    Untruncated errors cost 8.4 points (table 5). An injection stays only where the diagnosis points at the line that
    its maker named; and a calculation is wrong only where one does not add up.
    """

    label: ClassVar[str] = "truncate"
    table: ClassVar[pa.Schema] = located_errors.ERRORS

    same_type: bool = False
    """Turn an injection down as well where the diagnosis names another type than the one that was asked for."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """One outcome for each row of `schemas.tables.diagnoses.SCHEMA`."""
        for row in batch:
            reason = self.fault(row)
            yield Reject(row, reason) if reason else truncated(row)

    def fault(self, row: Row) -> str | None:
        """Why the diagnosis of a row cannot be trusted; None: nothing speaks against it."""
        step = row["steps"][row["found_step"] - 1]
        if row["line"] is not None and row["line"] not in _lines(row["response"], step["start"], step["end"]):
            return "injected elsewhere"
        if row["type"] is not None and self.same_type and row["type"] != row["found_type"]:
            return "another type"
        if row["source"] == "injected" and self._says_so(row, step["end"]):
            return "meta talk"
        kind, text = row["type"] or row["found_type"], row["response"][step["start"] : step["end"]]
        return "calculation adds up" if kind == "calculation" and adds_up(text) else None

    def _says_so(self, row: Row, end: int) -> bool:
        """Whether the prefix of an injection talks of the task, or tells that it is wrong."""
        prefix, given = row["response"][:end], (row["question"], row["reference"])
        return leaked(prefix, *given) or confessed(prefix, *given)


def truncated(row: Row) -> Row:
    """A diagnosed row, as an error."""
    step = row["steps"][row["found_step"] - 1]
    prefix = row["response"][: step["end"]].rstrip()
    lead = len(wrong := prefix[step["start"] :]) - len(wrong.lstrip())
    kept = ("row_id", "question_id", "question", "answer", "reference", "response", "source", "student")
    return {
        **{name: row[name] for name in (*kept, "found_type", "votes", "asked")},
        "type": row["type"] or row["found_type"],
        "step": row["found_step"],
        "prefix": prefix,
        "wrong_start": step["start"] + lead,
        "wrong_end": len(prefix),
        "wrong_rule": row["rule"],
    }


def _lines(text: str, start: int, end: int) -> range:
    """The lines, from 1, on which `text[start:end]` stands, blanks left out."""
    stands = text[start:end]
    first = start + len(stands) - len(stands.lstrip())
    last = start + len(stands.rstrip())
    return range(text.count("\n", 0, first) + 1, text.count("\n", 0, last) + 2)


class DropAlike(Merge):
    """Keeps the first of the errors of a question that calculate the same numbers up to the wrong step.

    At a low temperature a student makes one mistake many times, and a teacher who is asked twice makes one twice.
    """

    label: ClassVar[str] = "drop_alike"
    inputs: ClassVar[tuple[str, ...]] = ("errors",)

    def sql(self) -> str:
        """Signs and numbers in their order are what is compared, and the words where there is no calculation.

        First are the student's own, for those are what it does.
        """
        figures = (
            r"regexp_extract_all(regexp_replace(prefix, '<<[^<>\n]*>>|,', '', 'g'), "
            r"'[0-9]+(?:\.[0-9]+)?|[-+*/=^\x{00d7}\x{00f7}]|\\times|\\cdot|\\div')"
        )
        words = r"lower(trim(regexp_replace(prefix, '\s+', ' ', 'g')))"
        return f"""
            WITH told AS (
                SELECT *, CASE
                    WHEN len({figures}) >= 4 AND list_contains({figures}, '=') THEN array_to_string({figures}, ' ')
                    ELSE {words} END AS told
                FROM errors
            )
            SELECT * EXCLUDE (told), CASE WHEN row_number() OVER (
                PARTITION BY question_id, told ORDER BY source = 'injected', row_id
            ) > 1 THEN 'alike' END AS reject
            FROM told ORDER BY row_id
        """
