"""Drops near-duplicates among questions, before later steps spend tokens on them."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from schemas.steps import PartitionedMerge
from tasks.dedup.minhash import Indices, QuestionSketches, candidate_pairs

BATCH_ROWS = 10_000
"""Questions that are read from a table at once."""


class NearDuplicates(PartitionedMerge):
    """The base class of merges that look for near-duplicates.

    Two questions are near-duplicates if they have the same numbers and signs in the same order, the same
    answer-changing words (`more`, `not`, `maximum`, `sin`) in any order, and n-grams with a Jaccard similarity of at
    least `threshold`. Numbers may be spelt out (`three`, `half`), and `1,000.50` is `1000.5`. So the same template with
    other numbers is no duplicate, however much text is shared. The same numbers with a word or two exchanged are a
    duplicate, even if the word is a name, or changes the question in a way that the list of words does not cover: some
    20 of MATH's 5,000 test problems are dropped, three quarters of them with another answer.
    """

    label: ClassVar[str] = "near_duplicates"
    partition_columns: ClassVar[tuple[str, ...]] = ("row_id", "question")

    threshold: float = Field(default=0.5, gt=0, le=1)
    """Least Jaccard similarity, in (0, 1], of the n-gram sets of two near-duplicates."""
    ngram: int = Field(default=3, ge=1)
    """Number of words of an n-gram. Questions are short: with the usual 5, one edited word of 15 leaves 6 of 16 in
    common."""
    bands: int = Field(default=32, ge=1)
    """Number of MinHash bands of 2 hashes each. With 32, all but one in 10,000 pairs of similarity 0.5 share a band."""

    def hash_rows(self, rows: pa.RecordBatch) -> pa.Array:
        """A hash of the numbers, signs and answer-changing words of each question, which near-duplicates share."""
        return pa.array(QuestionSketches.from_texts(rows.column("question"), self.ngram).number_hashes)

    def _load_sketches(self, con: Any, table: str) -> tuple[pa.ChunkedArray, QuestionSketches]:
        """The ids of a table in ascending order, and the sketches of its questions; some 0.3 kB per question."""
        reader = con.sql(f"SELECT row_id, question FROM {table} ORDER BY row_id").to_arrow_reader(BATCH_ROWS)
        ids, parts = [], [QuestionSketches.from_texts(pa.array([], pa.string()), self.ngram)]
        for batch in reader:
            ids.append(batch.column("row_id"))
            parts.append(QuestionSketches.from_texts(batch.column("question"), self.ngram))
        return pa.chunked_array(ids, pa.string()), QuestionSketches.concatenate(parts)


class DropNearDuplicates(NearDuplicates):
    """Keeps the first of each cluster of near-duplicates, and counts the variants of each template.

    Clusters are chains: if A is like B and B is like C, only one of the three is kept, even if A is not like C.
    Clusters depend on the texts alone. The row with the lowest row id of a cluster is kept.
    """

    label: ClassVar[str] = "drop_near_duplicates"
    version: ClassVar[int] = 3
    inputs: ClassVar[tuple[str, ...]] = ("questions",)

    def prepare_partition(self, con: Any) -> pa.Table:
        """The columns `row_id`, `cluster`, `template` and `numbers` of each question; the last two are hashes.

        It takes 0.3 kB of memory per question, and another 0.3 kB for each with the same numbers as another one.
        """
        ids, sketches = self._load_sketches(con, "questions")
        _, group, sizes = np.unique(sketches.number_hashes, return_inverse=True, return_counts=True)
        rows = np.flatnonzero(sizes[group] > 1)
        leader = np.arange(len(sketches))
        for one, other in candidate_pairs(sketches.band_keys(rows, self.bands), sketches.tie_break_hash(rows)):
            left_rows, right_rows = rows[one], rows[other]
            is_apart = leader[left_rows] != leader[right_rows]
            left_rows, right_rows = left_rows[is_apart], right_rows[is_apart]
            is_near = sketches.jaccard(left_rows, right_rows) >= self.threshold
            _connect(leader, left_rows[is_near], right_rows[is_near])
        is_single = np.bincount(leader, minlength=len(sketches))[leader] == 1
        hashes = [each.view(np.int64) for each in (sketches.template_hashes, sketches.number_hashes)]  # DuckDB's joins
        # with an Arrow table fail on large unsigned numbers
        columns = [ids, ids.take(pa.array(leader, mask=is_single)), *hashes]
        return pa.table(columns, ["row_id", "cluster", "template", "numbers"])

    def combine_partitions(self, con: Any) -> None:
        """Create the view `near(row_id, cluster, same_template)`, with a row for each question."""
        con.execute("""
            CREATE OR REPLACE TEMP VIEW near AS SELECT row_id, cluster, same_template FROM partitions JOIN (
                SELECT template, count(*) AS same_template
                FROM (SELECT DISTINCT template, numbers FROM partitions) GROUP BY template
            ) USING (template)
        """)

    def sql(self) -> str:
        """`cluster` is the row id of the first row of the cluster; null for a question that is like no other.

        `same_template` is the number of versions of the question that differ only in their numbers, this one included;
        1 means that there are no others. Other names or things make another template.
        """
        return """
            SELECT questions.*, cluster, same_template, CASE WHEN cluster <> row_id THEN 'near duplicate' END AS reject
            FROM questions JOIN near USING (row_id) ORDER BY row_id
        """


def _connect(leader: Indices, left_rows: Indices, right_rows: Indices) -> None:
    """Join the clusters of each pair of rows, in place. `left_rows` and `right_rows` are (pairs,) int64.

    `leader` is (n,) int64: for each row the lowest row of its cluster.
    """
    while len(left_rows):
        left, right = leader[left_rows], leader[right_rows]
        is_apart = left != right
        left_rows, right_rows = left_rows[is_apart], right_rows[is_apart]
        np.minimum.at(leader, np.maximum(left, right), np.minimum(left, right))
        while not np.array_equal(leader, leader[leader]):
            leader[:] = leader[leader]
