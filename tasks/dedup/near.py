"""Duplicates among questions: dropped before anything that costs tokens is done about them."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from schemas.steps import Merge
from tasks.dedup.minhash import Indices, QuestionSketches, candidate_pairs, sort_unique

BATCH_ROWS = 10_000
"""Questions that are read at once."""


class NearDuplicates(Merge):
    """What near-duplicates are, for all merges that look for them.

    Two questions are near-duplicates where they have the same numbers and signs in the same order, the same deciding
    words (`more`, `not`, `maximum`, `sin`) in any, and at least `threshold` of their n-grams in common. Numbers may be
    spelt (`three`, `half`), and `1,000.50` is `1000.5`. So "same template, other numbers" is no duplicate, however much
    text is shared; the same numbers with a word or two exchanged is one, also where that word is a name, or decides
    what is asked for in a way that no list knows: of MATH's 5,000 test problems some 20 are dropped, three quarters of
    them with another answer.
    """

    label: ClassVar[str] = "near_duplicates"
    threshold: float = Field(default=0.5, gt=0, le=1)
    """Jaccard similarity of the n-gram sets from which two questions count as one."""
    ngram: int = Field(default=3, ge=1)
    """Words of an n-gram. Questions are short: with the usual 5, one edited word of 15 leaves 6 of 16 in common."""
    bands: int = Field(default=32, ge=1)
    """Bands of 2 hashes each: at a similarity of 0.5 all but one pair in 10,000 share a band."""

    def _load_sketches(self, con: Any, table: str) -> tuple[pa.ChunkedArray, QuestionSketches]:
        """The ids of a table in ascending order, and what is compared of its questions. Some 0.3 kB a question."""
        reader = con.sql(f"SELECT row_id, question FROM {table} ORDER BY row_id").to_arrow_reader(BATCH_ROWS)
        ids, parts = [], [QuestionSketches.from_texts(pa.array([], pa.string()), self.ngram)]
        for batch in reader:
            ids.append(batch.column("row_id"))
            parts.append(QuestionSketches.from_texts(batch.column("question"), self.ngram))
        return pa.chunked_array(ids, pa.string()), QuestionSketches.concatenate(parts)


class DropNearDuplicates(NearDuplicates):
    """Keeps the first of each cluster of near-duplicates, and counts what shares its template.

    Clusters are chains: of A like B and B like C only the first is kept, though A need not be like C. They depend on
    the texts alone; which row of a cluster is kept depends on the row ids: the lowest.
    """

    label: ClassVar[str] = "drop_near_duplicates"
    version: ClassVar[int] = 3
    inputs: ClassVar[tuple[str, ...]] = ("questions",)

    def prepare(self, con: Any) -> None:
        """`near(row_id, cluster, same_template)`, a row for each question.

        Memory: 0.3 kB a question, and 0.3 kB more for each that has the same numbers as another one.
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
        """`cluster`: the first row of its cluster, null for a question that is like no other.

        `same_template`: in how many versions the text is there that differ in nothing but numbers; 1: only in this
        one. Other names or things make another template.
        """
        return """
            SELECT questions.*, cluster, same_template, CASE WHEN cluster <> row_id THEN 'near duplicate' END AS reject
            FROM questions JOIN near USING (row_id) ORDER BY row_id
        """


def _cluster_leaders(count: int, left_rows: Indices, right_rows: Indices) -> Indices:
    """For each row the first one that it is joined to, over any number of pairs."""
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
    """For each row the number of different number sequences that its template is there with."""
    _, template = np.unique(sketches.template_hashes, return_inverse=True)
    _, numbers = np.unique(sketches.number_hashes, return_inverse=True)
    pairs = sort_unique(template.astype(np.int64) * len(sketches) + numbers)
    return np.bincount(pairs // max(1, len(sketches)), minlength=1)[template]
