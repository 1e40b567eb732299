"""Drops questions that are near-duplicates of published ones."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from schemas.names import DatasetName
from tasks.dedup.exact import PLAIN
from tasks.dedup.minhash import Sketch, buckets, distinct
from tasks.dedup.near import Near


class DropPublished(Near):
    """Drops what a published dataset has already: the same texts, and near-duplicates of a published question."""

    label: ClassVar[str] = "drop_published"
    version: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("questions", "published")

    dataset: DatasetName
    """Name of the published dataset, for the reasons; it has the columns `row_id` and `question`."""

    def prepare(self, con: Any) -> None:
        """`known(row_id, known_as)`: the published row that a question is like, the most like one, then the first.

        Memory: 0.6 kB a row of either table, and 0.3 kB more for each whose numbers are in the other one too.
        """
        (old_ids, old), (ids, new) = self._read(con, "published"), self._read(con, "questions")
        both = Sketch.joined([old, new])
        met = np.intersect1d(distinct(old.numbers), distinct(new.numbers), assume_unique=True)
        rows = np.flatnonzero(np.isin(both.numbers, met))
        known = int(np.searchsorted(rows, len(old)))
        one, other = buckets(both.bands(rows, self.bands), both.content(rows), known)
        old_rows, new_rows = rows[one], rows[other]
        likeness = both.alike(old_rows, new_rows)
        best = np.lexsort((old_rows, -likeness, new_rows))
        best = best[likeness[best] >= self.threshold]
        best = best[np.unique(new_rows[best], return_index=True)[1]]
        columns = [ids.take(pa.array(new_rows[best] - len(old))), old_ids.take(pa.array(old_rows[best]))]
        con.register("known", pa.table(columns, ["row_id", "known_as"]))

    def sql(self) -> str:
        """`known_as`: the published row; null for a question that is kept."""
        return f"""
            WITH texts AS (
                SELECT {PLAIN.format("published")} AS plain, min(row_id) AS same FROM published GROUP BY ALL
            ),
            given AS (SELECT COLUMNS(lambda c: c <> 'known_as') FROM questions)
            SELECT given.*, coalesce(same, known_as) AS known_as, CASE
                WHEN same IS NOT NULL THEN 'published in {self.dataset}'
                WHEN known_as IS NOT NULL THEN 'near duplicate of one in {self.dataset}'
            END AS reject
            FROM given LEFT JOIN known USING (row_id) LEFT JOIN texts ON plain = {PLAIN.format("given")}
            ORDER BY row_id
        """
