"""Drops questions that differ from an earlier one only in case and white space."""

from typing import ClassVar

from schemas.steps import Merge

NORMALIZED = "lower(trim(regexp_replace({}.question, '\\s+', ' ', 'g')))"
"""SQL of a question in lower case, with one blank for each run of white space. Format it with a table name."""


class DropExactDuplicates(Merge):
    """Keeps the first of the questions that are the same text, apart from case and white space."""

    label: ClassVar[str] = "drop_exact_duplicates"
    inputs: ClassVar[tuple[str, ...]] = ("questions",)

    def sql(self) -> str:
        """The first has the lowest row id. Empty rows are numbered, so a longer run keeps what a shorter one kept."""
        return f"""
            SELECT questions.*, CASE WHEN row_number() OVER (
                PARTITION BY {NORMALIZED.format("questions")} ORDER BY row_id
            ) > 1 THEN 'duplicate' END AS reject
            FROM questions ORDER BY row_id
        """
