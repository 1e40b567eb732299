"""Reports the error types of a run, from the student's own to the published ones, against the target."""

from typing import Any, ClassVar

import pyarrow as pa

from schemas.steps import Merge
from tasks.lemma.error_types import ERROR_TYPES
from tasks.lemma.select_corrections import ERROR_ID, target_shares


class MeasureErrorTypes(Merge):
    """Makes a row of counts and shares for each of the twelve types; see `schemas/tables/error_type_counts.py`.

    The first input has an empty row for each type, because a merge returns the rows of its first input.
    """

    label: ClassVar[str] = "measure_error_types"
    inputs: ClassVar[tuple[str, ...]] = ("empty_rows", "diagnosed", "drawn", "errors", "corrections")

    def prepare(self, con: Any) -> None:
        """Register the table `wanted(number, type, target_share)`."""
        target = target_shares(con)
        shares = [float(target.get(kind, 0.0)) for kind in ERROR_TYPES]
        numbers = pa.array(range(len(ERROR_TYPES)), pa.int64())
        con.register("wanted", pa.table({"number": numbers, "type": [*ERROR_TYPES], "target_share": shares}))

    def sql(self) -> str:
        """A share is 0 if there is nothing to share."""
        return f"""
            WITH published AS (
                SELECT type, count(DISTINCT {ERROR_ID}) AS n
                FROM corrections WHERE source = 'injected' GROUP BY type
            ),
            counted AS (
                SELECT *,
                    (SELECT count(*) FROM diagnosed WHERE found_type = wanted.type) AS student,
                    (SELECT count(*) FROM drawn WHERE drawn.type = wanted.type) AS drawn,
                    (SELECT count(*) FROM errors WHERE errors.type = wanted.type AND source = 'injected') AS made,
                    coalesce((SELECT n FROM published WHERE published.type = wanted.type), 0) AS published
                FROM wanted
            ),
            shared AS (
                SELECT *, (student / greatest(sum(student) OVER (), 1))::DOUBLE AS student_share,
                    (published / greatest(sum(published) OVER (), 1))::DOUBLE AS published_share
                FROM counted
            )
            SELECT row_id, type, student, student_share, target_share, drawn, made, published, published_share,
                sum(abs(published_share - target_share)) OVER () / 2 AS distance
            FROM empty_rows JOIN shared USING (number) ORDER BY row_id
        """
