"""Drops questions that repeat a published dataset, or nearly so."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from schemas.names import DatasetName
from tasks.dedup.exact import NORMALIZED
from tasks.dedup.minhash import QuestionSketches, candidate_pairs, sort_unique
from tasks.dedup.near import NearDuplicates


class DropPublished(NearDuplicates):
    """Drops questions that a published dataset contains already, as the same text or as a near-duplicate."""

    label: ClassVar[str] = "drop_published"
    version: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("questions", "published")

    dataset: DatasetName
    """Name of the published dataset, as reject reasons give it. It needs the columns `row_id` and `question`."""

    def prepare_partition(self, con: Any) -> pa.Table:
        """For each near-duplicate its `row_id` and `known_as`, the most similar published row (the first of several).

        It takes 0.6 kB of memory per row of either table, and another 0.3 kB for each whose numbers occur in both.
        """
        (old_ids, old), (ids, new) = self._load_sketches(con, "published"), self._load_sketches(con, "questions")
        sketches = QuestionSketches.concatenate([old, new])
        shared_numbers = np.intersect1d(
            sort_unique(old.number_hashes), sort_unique(new.number_hashes), assume_unique=True
        )
        rows = np.flatnonzero(np.isin(sketches.number_hashes, shared_numbers))
        known_count = int(np.searchsorted(rows, len(old)))
        keys, tie_break = sketches.band_keys(rows, self.bands), sketches.tie_break_hash(rows)
        codes = [one * len(rows) + other for one, other in candidate_pairs(keys, tie_break, known_count)]
        one, other = np.divmod(sort_unique(np.concatenate(codes)), max(1, len(rows)))
        old_rows, new_rows = rows[one], rows[other]
        similarity = sketches.jaccard(old_rows, new_rows)
        best = np.lexsort((old_rows, -similarity, new_rows))
        best = best[similarity[best] >= self.threshold]
        best = best[np.unique(new_rows[best], return_index=True)[1]]
        columns = [ids.take(pa.array(new_rows[best] - len(old))), old_ids.take(pa.array(old_rows[best]))]
        return pa.table(columns, ["row_id", "known_as"])

    def combine_partitions(self, con: Any) -> None:
        """Create the view `known(row_id, known_as)`, with a row for each near-duplicate."""
        con.execute("CREATE OR REPLACE TEMP VIEW known AS SELECT * FROM partitions")

    def sql(self) -> str:
        """`known_as` is the row id of the published question; null for a question that is kept."""
        return f"""
            WITH texts AS (
                SELECT {NORMALIZED.format("published")} AS plain, min(row_id) AS same FROM published GROUP BY ALL
            ),
            given AS (SELECT COLUMNS(lambda c: c <> 'known_as') FROM questions)
            SELECT given.*, coalesce(same, known_as) AS known_as, CASE
                WHEN same IS NOT NULL THEN 'published in {self.dataset}'
                WHEN known_as IS NOT NULL THEN 'near duplicate of one in {self.dataset}'
            END AS reject
            FROM given LEFT JOIN known USING (row_id) LEFT JOIN texts ON plain = {NORMALIZED.format("given")}
            ORDER BY row_id
        """
