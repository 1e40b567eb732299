"""Drops questions that are equal but for case and white space."""

from typing import ClassVar

from schemas.steps import Merge

NORMALIZED = "lower(trim(regexp_replace({}.question, '\\s+', ' ', 'g')))"
"""SQL: a question without what makes no difference to a repeat."""


class DropExactDuplicates(Merge):
    """Keeps the first of the questions that are the same text but for case and blanks."""

    label: ClassVar[str] = "drop_exact_duplicates"
    inputs: ClassVar[tuple[str, ...]] = ("questions",)

    def sql(self) -> str:
        """First by row id: blank rows are numbered, so a longer run keeps what a shorter one kept."""
        return f"""
            SELECT questions.*, CASE WHEN row_number() OVER (
                PARTITION BY {NORMALIZED.format("questions")} ORDER BY row_id
            ) > 1 THEN 'duplicate' END AS reject
            FROM questions ORDER BY row_id
        """
