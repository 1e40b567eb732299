"""Drops near-duplicates among questions, before later steps spend tokens on them."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from schemas.steps import Merge
from tasks.dedup.minhash import Indices, QuestionSketches, candidate_pairs, sort_unique

BATCH_ROWS = 10_000
"""Questions that are read from a table at once."""


class NearDuplicates(Merge):
    """The base class of merges that look for near-duplicates.

    Two questions are near-duplicates if they have the same numbers and signs in the same order, the same
    answer-changing words (`more`, `not`, `maximum`, `sin`) in any order, and n-grams with a Jaccard similarity of at
    least `threshold`. Numbers may be spelt out (`three`, `half`), and `1,000.50` is `1000.5`. So the same template with
    other numbers is no duplicate, however much text is shared. The same numbers with a word or two exchanged are a
    duplicate, even if the word is a name, or changes the question in a way that the list of words does not cover: some
    20 of MATH's 5,000 test problems are dropped, three quarters of them with another answer.
    """

    label: ClassVar[str] = "near_duplicates"
    threshold: float = Field(default=0.5, gt=0, le=1)
    """Least Jaccard similarity, in (0, 1], of the n-gram sets of two near-duplicates."""
    ngram: int = Field(default=3, ge=1)
    """Number of words of an n-gram. Questions are short: with the usual 5, one edited word of 15 leaves 6 of 16 in
    common."""
    bands: int = Field(default=32, ge=1)
    """Number of MinHash bands of 2 hashes each. With 32, all but one in 10,000 pairs of similarity 0.5 share a band."""

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

    def prepare(self, con: Any) -> None:
        """Register the table `near(row_id, cluster, same_template)`, with a row for each question.

        It takes 0.3 kB of memory per question, and another 0.3 kB for each with the same numbers as another one.
        """
        ids, sketches = self._load_sketches(con, "questions")
        _, group, sizes = np.unique(sketches.number_hashes, return_inverse=True, return_counts=True)
        rows = np.flatnonzero(sizes[group] > 1)
        one, other = candidate_pairs(sketches.band_keys(rows, self.bands), sketches.tie_break_hash(rows))
        is_near = sketches.jaccard(rows[one], rows[other]) >= self.threshold
        cluster = _cluster_leaders(len(sketches), rows[one[is_near]], rows[other[is_near]])
        is_single = np.bincount(cluster, minlength=len(sketches))[cluster] == 1
        columns = [ids, ids.take(pa.array(cluster, mask=is_single)), _count_variants(sketches)]
        con.register("near", pa.table(columns, ["row_id", "cluster", "same_template"]))

    def sql(self) -> str:
        """`cluster` is the row id of the first row of the cluster; null for a question that is like no other.

        `same_template` is the number of versions of the question that differ only in their numbers, this one included;
        1 means that there are no others. Other names or things make another template.
        """
        return """
            SELECT questions.*, cluster, same_template, CASE WHEN cluster <> row_id THEN 'near duplicate' END AS reject
            FROM questions JOIN near USING (row_id) ORDER BY row_id
        """


def _cluster_leaders(count: int, left_rows: Indices, right_rows: Indices) -> Indices:
    """For each of `count` rows, the lowest row that it is connected to by pairs: (count,) int64.

    `left_rows` and `right_rows` are (pairs,) int64.
    """
    leader = list(range(count))

    def find_leader(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]
            row = leader[row]
        return row

    for one, other in zip(left_rows.tolist(), right_rows.tolist(), strict=True):
        first, second = sorted((find_leader(one), find_leader(other)))
        leader[second] = first
    return np.array([find_leader(row) for row in range(count)], np.int64)


def _count_variants(sketches: QuestionSketches) -> NDArray[np.int64]:
    """For each of n questions, how many distinct number sequences occur with its template: (n,) int64."""
    _, template = np.unique(sketches.template_hashes, return_inverse=True)
    _, numbers = np.unique(sketches.number_hashes, return_inverse=True)
    pairs = sort_unique(template.astype(np.int64) * len(sketches) + numbers)
    return np.bincount(pairs // max(1, len(sketches)), minlength=1)[template]
