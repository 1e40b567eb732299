"""Cuts wrong solutions off after their first wrong step, and keeps each error once."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from schemas.outcomes import Reject, Row
from schemas.steps import Merge, Stage
from schemas.tables import located_errors
from tasks.lemma.arithmetic import equations_hold
from tasks.lemma.prompt_leaks import admits_error, leaks_prompt


class Truncate(Stage):
    """Cuts a wrong solution off after its first wrong step. Code copies the prefix verbatim, rather than a model.

    Untruncated errors cost 8.4 points (table 5). An injection is kept only if the diagnosis names the line that the
    teacher named when injecting it. A calculation error is kept only if a calculation of the step does not hold.
    """

    label: ClassVar[str] = "truncate"
    version: ClassVar[int] = 3
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = located_errors.LOCATED_ERRORS

    same_type: bool = False
    """Whether to reject an injection also if the diagnosis names a type other than the one requested."""
    keep_whole_solution: bool = False
    """Whether to keep the whole wrong solution; all that follows its first wrong step then counts as wrong: an ablation
    (table 5)."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """One outcome for each row of `schemas.tables.diagnoses.SCHEMA`."""
        for row in batch:
            reason = self.find_fault(row)
            yield Reject(row, reason) if reason else truncate_at_error(row, self.keep_whole_solution)

    def find_fault(self, row: Row) -> str | None:
        """Why the diagnosis of a row cannot be trusted; None if there is no such reason."""
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
        """Whether the prefix of an injection talks about the task, or says that it is wrong."""
        prefix, problem_texts = row["response"][:end], (row["question"], row["reference"])
        return leaks_prompt(prefix, *problem_texts) or admits_error(prefix, *problem_texts)


def truncate_at_error(row: Row, keep_whole_solution: bool = False) -> Row:
    """Make an error of a diagnosed row: its prefix, and the character offsets of the wrong step.

    If `keep_whole_solution` is set, the prefix is the whole solution, and the wrong step lasts to its end.
    """
    step = row["steps"][row["found_step"] - 1]
    prefix = row["response"][: None if keep_whole_solution else step["end"]].rstrip()
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
    """The numbers, from 1, of the lines of `text[start:end]`, without leading and trailing blanks."""
    stretch = text[start:end]
    first = start + len(stretch) - len(stretch.lstrip())
    last = start + len(stretch.rstrip())
    return range(text.count("\n", 0, first) + 1, text.count("\n", 0, last) + 2)


class DropDuplicateErrors(Merge):
    """Keeps the first of the errors of a question that have the same calculations up to the wrong step.

    At a low temperature a student repeats its mistakes, and so does a teacher that is asked twice.
    """

    label: ClassVar[str] = "drop_duplicate_errors"
    inputs: ClassVar[tuple[str, ...]] = ("errors",)

    def sql(self) -> str:
        """Compares signs and numbers in their order, or the words if there is no calculation.

        The student's own errors come before injected ones, because they are what it really does.
        """
        signs_and_numbers = (
            r"regexp_extract_all(regexp_replace(prefix, '<<[^<>\n]*>>|,', '', 'g'), "
            r"'[0-9]+(?:\.[0-9]+)?|[-+*/=^\x{00d7}\x{00f7}]|\\times|\\cdot|\\div')"
        )
        words = r"lower(trim(regexp_replace(prefix, '\s+', ' ', 'g')))"
        return f"""
            WITH keyed AS (
                SELECT *, CASE
                    WHEN len({signs_and_numbers}) >= 4 AND list_contains({signs_and_numbers}, '=') THEN
                    array_to_string({signs_and_numbers}, ' ')
                    ELSE {words} END AS calculation_key
                FROM errors
            )
            SELECT * EXCLUDE (calculation_key), CASE WHEN row_number() OVER (
                PARTITION BY question_id, calculation_key ORDER BY source = 'injected', row_id
            ) > 1 THEN 'alike' END AS reject
            FROM keyed ORDER BY row_id
        """
