"""Duplicates among questions: dropped before anything that costs tokens is done about them."""

import itertools
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from rensa import RMinHash

from schemas.work import Merge

BATCH = 10_000
"""Questions that are read at once."""
_WORD = re.compile(r"[^\W\d_]+|\d[\d,]*(?:\.\d+)?|[-+*/=<>^%$\\]")
"""Words, numbers and the signs of mathematics; other signs and capitals make no difference."""
_ODD = np.uint64(0x9E3779B97F4A7C15)


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


class DropNearRepeats(Merge):
    """Keeps the first of the questions whose words are nearly the same and whose numbers are the same.

    MinHash over word n-grams finds the candidates, the exact Jaccard similarity decides. Two questions of one template
    with other numbers are no duplicates, however much of their text they share.
    """

    inputs: ClassVar[tuple[str, ...]] = ("questions",)

    threshold: float = Field(default=0.5, gt=0, le=1)
    """Jaccard similarity of the n-gram sets from which two questions count as one."""
    gram: int = Field(default=3, ge=1)
    """Words of an n-gram. Questions are short: with the usual 5, one edited word of 15 leaves 6 of 16 in common."""
    bands: int = Field(default=32, ge=1)
    """Bands of 2 hashes each: at a similarity of 0.5 all but one pair in 10,000 share a band."""

    def prepare(self, con: Any) -> None:
        """`near(row_id, cluster)`: the first row of its cluster, for each row that is like another one.

        Memory: 0.6 kB a question, 1.2 GB for 2 M of them.
        """
        reader = con.sql("SELECT row_id, question FROM questions ORDER BY row_id").to_arrow_reader(BATCH)
        ids, keys, grams = list[str](), list[NDArray[np.uint64]](), list[NDArray[np.uint64]]()
        for batch in reader:
            ids += batch.column("row_id").to_pylist()
            found, made = self._sketch(batch.column("question").to_pylist())
            keys.append(found)
            grams += made
        leader = np.arange(len(ids))
        for one, other in _candidates(np.concatenate(keys)) if ids else ():
            first, second = _lead(leader, one), _lead(leader, other)
            if first != second and _jaccard(grams[one], grams[other]) >= self.threshold:
                leader[max(first, second)] = min(first, second)
        clusters = [_lead(leader, i) for i in range(len(ids))]
        grouped = np.isin(clusters, [c for i, c in enumerate(clusters) if c != i])
        rows = [(ids[i], ids[clusters[i]]) for i in np.flatnonzero(grouped)]
        schema = pa.schema([("row_id", pa.string()), ("cluster", pa.string())])
        columns = [pa.array([row[n] for row in rows], pa.string()) for n in range(2)]
        con.register("near", pa.Table.from_arrays(columns, schema=schema))

    def sql(self) -> str:
        """The survivor is the first by row id; rows that share all but their numbers are counted, and kept."""
        return """
            SELECT questions.*, cluster, count(*) OVER (
                    PARTITION BY lower(regexp_replace(question, '[0-9][0-9.,]*', '#', 'g'))
                ) AS same_template,
                CASE WHEN cluster <> row_id THEN 'near duplicate' END AS reject
            FROM questions LEFT JOIN near USING (row_id) ORDER BY row_id
        """

    def _sketch(self, texts: list[str]) -> tuple[NDArray[np.uint64], list[NDArray[np.uint64]]]:
        """A key for each question and band, (questions, bands); and the hashed n-grams of each question."""
        words = [_WORD.findall(text.lower()) or [""] for text in texts]
        words = [each + [""] * (self.gram - len(each)) for each in words]
        ends = np.cumsum([len(each) for each in words])
        hashed = np.fromiter(itertools.chain.from_iterable(RMinHash.hash_token_sets(words)), np.uint64, int(ends[-1]))
        grams = hashed
        for step in range(1, self.gram):
            grams = grams * _ODD ^ np.roll(hashed, -step)
        # The last words of a question begin no n-gram: one that did would reach into the next question.
        within = np.ones(len(hashed), bool)
        for step in range(1, self.gram):
            within[ends - step] = False
        offsets = np.concatenate([[0], ends - (self.gram - 1) * np.arange(1, len(ends) + 1)]).astype(np.uint64)
        flat = grams[within]
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, 2 * self.bands, 1)
        digests = np.array(matrix.to_rows(), np.uint64)
        numbers = np.array([hash(_numbers(each)) & 0xFFFFFFFFFFFFFFFF for each in words], np.uint64)
        keys = (digests[:, 0::2] * _ODD + digests[:, 1::2]) * _ODD ^ numbers[:, None]
        return keys, np.split(flat, offsets[1:-1].astype(np.int64))


def _numbers(words: list[str]) -> tuple[str, ...]:
    """The numbers of a question in their order, `1,000` as `1000`: swapped numbers make another question."""
    return tuple([word.replace(",", "") for word in words if word[:1].isdigit()])


def _candidates(keys: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Pairs of rows that share a band: each with the first of its bucket and with the one before it."""
    pairs: list[NDArray[np.int64]] = []
    for band in keys.T:
        order = np.argsort(band, kind="stable")
        same = np.flatnonzero(band[order][1:] == band[order][:-1]) + 1
        starts = np.maximum.accumulate(np.where(np.isin(np.arange(len(order)), same), 0, np.arange(len(order))))
        pairs.append(order[same - 1] * len(keys) + order[same])
        pairs.append(order[starts[same]] * len(keys) + order[same])
    for pair in np.unique(np.concatenate(pairs)):
        yield divmod(int(pair), len(keys))


def _lead(leader: NDArray[np.int64], row: int) -> int:
    """The first row of the cluster that `row` is in."""
    while leader[row] != row:
        leader[row] = leader[leader[row]]
        row = int(leader[row])
    return row


def _jaccard(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """Shared n-grams over all n-grams."""
    left, right = set(one.tolist()), set(other.tolist())
    return len(left & right) / len(left | right)
