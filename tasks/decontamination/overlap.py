"""Finds questions that overlap with benchmark items, one row per match, and drops them."""

import functools
import threading
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from schemas.outcomes import Reject, Row
from schemas.row_ids import child_id
from schemas.steps import Merge, Stage
from schemas.tables import benchmark_overlaps
from schemas.tables.benchmark_overlaps import OverlapRule
from tasks.decontamination.benchmark import Benchmark
from tasks.decontamination.ngram_index import (
    HashedTexts,
    Hashes,
    Indices,
    InvertedIndex,
    NGram,
    find_longest_stretch,
    letters_only,
    ngrams,
    normalize_words,
    without_numbers,
)

BATCH_ROWS = 5_000
"""Questions that are compared with the benchmarks at once."""
_INDEX_LOCK = threading.Lock()


class FindOverlaps(Stage):
    """Makes a row for each rule by which a question matches a benchmark item; rejects other questions as `clean`.

    An item of fewer than `contamination_ngram` words has no n-gram of that length. One of fewer than `coverage_ngram`
    words has none at all, and matches only as a whole: that a longer question contains it says nothing, because a text
    like `What is 2 + 3?` is part of many.
    """

    label: ClassVar[str] = "find_overlaps"
    table: ClassVar[pa.Schema] = benchmark_overlaps.SCHEMA

    benchmarks: tuple[Benchmark, ...] = ()
    """Benchmarks to compare questions with. Example: `[{"name": "gsm8k_test", "path": "gsm8k/test.jsonl", "column":
    "question"}]`. Empty: nothing is compared, and every question gets the reason `no benchmark given`."""
    contamination_ngram: int = Field(default=13, ge=1)
    """Number of words in a row that no question may share with a benchmark item (ScaleQuest, table 6: 13)."""
    coverage_ngram: int = Field(default=8, ge=1)
    """Number of words of the n-grams by which the coverage of a benchmark item is measured (FLAMES: 8)."""
    coverage: float = Field(default=0.95, gt=0, le=1)
    """Share of a benchmark item's distinct n-grams that a question must contain to match the item (FLAMES: 0.95)."""

    @field_validator("benchmarks")
    @classmethod
    def _check_names(cls, benchmarks: tuple[Benchmark, ...]) -> tuple[Benchmark, ...]:
        names = [benchmark.name for benchmark in benchmarks]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two benchmarks are called {repeated[0]!r}; give each a name of its own")
        return benchmarks

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """Rejected rows hold only the id; their questions are in the input table."""
        if not self.benchmarks:
            yield from (Reject({"row_id": row["row_id"]}, "no benchmark given") for row in batch)
            return
        with _INDEX_LOCK:
            index = _cached_index(self.benchmarks, self.contamination_ngram, self.coverage_ngram)
        for start in range(0, len(batch), BATCH_ROWS):
            chunk = batch[start : start + BATCH_ROWS]
            matches = self._find_matches([normalize_words(row["question"]) for row in chunk], index)
            for place, row in enumerate(chunk):
                if place not in matches:
                    yield Reject({"row_id": row["row_id"]}, "clean")
                for n, match in enumerate(matches.get(place, ())):
                    benchmark, line = index.sources[match.item]
                    yield {
                        "row_id": child_id(row["row_id"], n),
                        "question_id": row["row_id"],
                        "benchmark": benchmark,
                        "item": line,
                        "rule": match.rule,
                        "ngram": " ".join(match.shared_words),
                        "coverage": match.coverage,
                    }

    def _find_matches(self, texts: list[list[str]], index: "BenchmarkIndex") -> dict[int, list["Match"]]:
        """The matches of each text that has some, by the text's place; in the order of the items."""
        matches_by_text: dict[int, list[Match]] = {}
        for text, item in index.find_candidates(texts, self.coverage):
            matches = list(self._compare(texts[text], index.item_words[item], item))
            if matches:
                matches_by_text.setdefault(text, []).extend(matches)
        return matches_by_text

    def _compare(self, text: list[str], item: list[str], item_number: int) -> Iterator["Match"]:
        """Every rule by which `text` matches `item`, decided by words rather than hashes."""
        if is_same := letters_only(text) == letters_only(item):
            yield Match(item_number, "whole", text, 1.0)
        elif sorted(text) == sorted(item):
            yield Match(item_number, "order", text, 1.0)
        shared, share = _shared_ngrams(text, item, self.contamination_ngram)
        if shared:
            yield Match(item_number, "gram", find_longest_stretch(text, shared, self.contamination_ngram), share)
        shared, share = _shared_ngrams(text, item, self.coverage_ngram)
        if share >= self.coverage:
            yield Match(item_number, "coverage", find_longest_stretch(text, shared, self.coverage_ngram), share)
        elif not is_same:
            yield from self._compare_without_numbers(without_numbers(text), without_numbers(item), item_number)

    def _compare_without_numbers(self, text: list[str], item: list[str], item_number: int) -> Iterator["Match"]:
        shared, share = _shared_ngrams(text, item, self.coverage_ngram)
        if letters_only(text) == letters_only(item):
            yield Match(item_number, "numbers", text, 1.0)
        elif share >= self.coverage:
            yield Match(item_number, "numbers", find_longest_stretch(text, shared, self.coverage_ngram), share)


class DropOverlaps(Merge):
    """Drops the questions that match a benchmark item by one of `rules`."""

    label: ClassVar[str] = "drop_overlaps"
    inputs: ClassVar[tuple[str, ...]] = ("questions", "matches")

    rules: tuple[OverlapRule, ...] = ("whole", "gram", "coverage", "order")
    """Rules by which a question is dropped. By default `numbers` is only reported: the same text with other numbers is
    another question, and short ones (`What is 2 + 3?`) are common."""

    def sql(self) -> str:
        """A question that matches two benchmarks is rejected with the name that sorts first."""
        rules = ", ".join(f"'{rule}'" for rule in self.rules) or "''"
        return f"""
            WITH found AS (
                SELECT question_id, min(benchmark) AS benchmark
                FROM matches WHERE rule IN ({rules}) GROUP BY question_id
            )
            SELECT questions.*, 'contaminated: ' || benchmark AS reject
            FROM questions LEFT JOIN found ON question_id = row_id ORDER BY row_id
        """


class Match(NamedTuple):
    """One rule by which a text matches an item."""

    item: int
    rule: OverlapRule
    shared_words: list[str]
    coverage: float


class BenchmarkIndex:
    """The items of all benchmarks, indexed by what they may share with a text."""

    def __init__(self, benchmarks: tuple[Benchmark, ...], contamination_ngram: int, coverage_ngram: int) -> None:
        """Reads every file. Raises `QuestmillError` if one has changed since the recipe was opened."""
        texts = [
            (each.name, line, normalize_words(text))
            for each in benchmarks
            for line, text in enumerate(each.load_texts())
        ]
        self.sources = [(name, line) for name, line, _ in texts]
        self.item_words = [words_of_item for *_, words_of_item in texts]
        self.contamination_ngram, self.coverage_ngram = contamination_ngram, coverage_ngram
        self.indexes = [InvertedIndex(*keys) for keys in self._lookup_keys(self.item_words)]

    def find_candidates(self, texts: list[list[str]], coverage: float) -> Iterator[tuple[int, int]]:
        """The places of text and item of each pair that matches by hashes, ascending; each pair once."""
        pairs = []
        least_shares = (0.0, 0.0, 0.0, 0.0, coverage, coverage)
        for postings, keys, share in zip(self.indexes, self._lookup_keys(texts), least_shares, strict=True):
            text_indices, items, shared = postings.count_shared(*keys)
            is_candidate = shared >= share * postings.hash_counts[items] - 1e-9
            pairs.append(text_indices[is_candidate] * len(self.item_words) + items[is_candidate])
        for pair in np.unique(np.concatenate(pairs)):
            yield divmod(int(pair), len(self.item_words))

    def _lookup_keys(self, texts: list[list[str]]) -> list[tuple[Hashes, Indices]]:
        """The hashes to look up, each with its text: of whole texts as written, without numbers, and with words in any
        order; then of n-grams."""
        masked_texts = [without_numbers(text) for text in texts]
        plain, unnumbered = HashedTexts.from_texts(texts), HashedTexts.from_texts(masked_texts)
        whole_keys = [
            HashedTexts.from_texts([[letters_only(text)] for text in each]).bag_hashes()
            for each in (texts, masked_texts)
        ]
        coverage_keys = [plain.ngram_hashes(self.coverage_ngram), unnumbered.ngram_hashes(self.coverage_ngram)]
        return [*whole_keys, plain.bag_hashes(), plain.ngram_hashes(self.contamination_ngram), *coverage_keys]


def _shared_ngrams(text: list[str], item: list[str], n: int) -> tuple[set[NGram], float]:
    """The n-grams that both have, and the share of the item's n-grams that they are; 0 if the item has none."""
    item_ngrams = set(ngrams(item, n))
    shared = item_ngrams.intersection(ngrams(text, n))
    return shared, len(shared) / len(item_ngrams) if item_ngrams else 0.0


@functools.lru_cache(maxsize=2)
def _cached_index(benchmarks: tuple[Benchmark, ...], contamination_ngram: int, coverage_ngram: int) -> BenchmarkIndex:
    """Build the index once per process."""
    return BenchmarkIndex(benchmarks, contamination_ngram, coverage_ngram)
