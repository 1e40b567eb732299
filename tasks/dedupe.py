"""Duplicates among questions: dropped before anything that costs tokens is done about them."""

from typing import ClassVar

from schemas.work import Merge


class DropRepeats(Merge):
    """Keeps the first of the questions that are the same text but for case and blanks."""

    inputs: ClassVar[tuple[str, ...]] = ("questions",)

    def sql(self) -> str:
        """First by row id: blank rows are numbered, so a longer run keeps what a shorter one kept."""
        return """
            SELECT questions.*, CASE WHEN row_number() OVER (
                PARTITION BY lower(trim(regexp_replace(question, '\\s+', ' ', 'g'))) ORDER BY row_id
            ) > 1 THEN 'duplicate' END AS reject
            FROM questions ORDER BY row_id
        """
