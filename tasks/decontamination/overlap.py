"""Questions that a benchmark asks too: each match is a row of its own, and the question is dropped."""

import functools
import threading
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from schemas.outcomes import Reject, Row
from schemas.steps import Merge, Stage
from schemas.tables import benchmark_overlaps
from schemas.tables.benchmark_overlaps import Rule
from tasks.decontamination.benchmark import Benchmark
from tasks.decontamination.ngram_index import (
    Gram,
    Hashed,
    Hashes,
    Places,
    Postings,
    grams,
    longest,
    masked,
    squeezed,
    words,
)

BATCH = 5_000
"""Questions that are compared at once."""
_INDEXING = threading.Lock()


class FindOverlaps(Stage):
    """A row for each rule by which a question matches an item of a benchmark; a question without one is `clean`.

    An item of fewer than `gram` words has no such n-gram, and one of fewer than `part` words none at all: it is matched
    as a whole, or not. That a longer question contains it says nothing: `What is 2 + 3?` is part of many.
    """

    label: ClassVar[str] = "find_overlaps"
    table: ClassVar[pa.Schema] = benchmark_overlaps.SCHEMA

    benchmarks: tuple[Benchmark, ...] = ()
    """What to compare with, e.g. `[{"name": "gsm8k_test", "path": "gsm8k/test.jsonl", "column": "question"}]`; none:
    nothing is compared, and the reason of every question says so."""
    gram: int = Field(default=13, ge=1)
    """Words in a row that no question may share with an item (ScaleQuest, table 6: 13)."""
    part: int = Field(default=8, ge=1)
    """Words of the n-grams of which a question may not have nearly all of an item's (FLAMES: 8)."""
    coverage: float = Field(default=0.95, gt=0, le=1)
    """Share of an item's n-grams, all different, that is nearly all (FLAMES: 0.95)."""

    @field_validator("benchmarks")
    @classmethod
    def _distinct(cls, benchmarks: tuple[Benchmark, ...]) -> tuple[Benchmark, ...]:
        names = [benchmark.name for benchmark in benchmarks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two benchmarks are called {twice[0]!r}; give each a name of its own")
        return benchmarks

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """The rejected rows hold the id alone: their questions stay in the table that was read."""
        if not self.benchmarks:
            yield from (Reject({"row_id": row["row_id"]}, "no benchmark given") for row in batch)
            return
        with _INDEXING:
            index = _index(self.benchmarks, self.gram, self.part)
        for start in range(0, len(batch), BATCH):
            chunk = batch[start : start + BATCH]
            found = self._matches([words(row["question"]) for row in chunk], index)
            for place, row in enumerate(chunk):
                if place not in found:
                    yield Reject({"row_id": row["row_id"]}, "clean")
                for n, match in enumerate(found.get(place, ())):
                    benchmark, line = index.names[match.item]
                    yield {
                        "row_id": f"{row['row_id']}/{n}",
                        "question_id": row["row_id"],
                        "benchmark": benchmark,
                        "item": line,
                        "rule": match.rule,
                        "ngram": " ".join(match.shared),
                        "coverage": match.coverage,
                    }

    def _matches(self, texts: list[list[str]], index: "Index") -> dict[int, list["Match"]]:
        """For the place of each text that matches: its matches, by item."""
        found: dict[int, list[Match]] = {}
        for text, item in index.candidates(texts, self.coverage):
            matches = list(self._compare(texts[text], index.words[item], item))
            if matches:
                found.setdefault(text, []).extend(matches)
        return found

    def _compare(self, text: list[str], item: list[str], number: int) -> Iterator["Match"]:
        """Every rule by which `text` matches, decided by the words and not by their hashes."""
        if whole := squeezed(text) == squeezed(item):
            yield Match(number, "whole", text, 1.0)
        elif sorted(text) == sorted(item):
            yield Match(number, "order", text, 1.0)
        shared, share = _share(text, item, self.gram)
        if shared:
            yield Match(number, "gram", longest(text, shared, self.gram), share)
        shared, share = _share(text, item, self.part)
        if share >= self.coverage:
            yield Match(number, "coverage", longest(text, shared, self.part), share)
        elif not whole:
            yield from self._unnumbered(masked(text), masked(item), number)

    def _unnumbered(self, text: list[str], item: list[str], number: int) -> Iterator["Match"]:
        shared, share = _share(text, item, self.part)
        if squeezed(text) == squeezed(item):
            yield Match(number, "numbers", text, 1.0)
        elif share >= self.coverage:
            yield Match(number, "numbers", longest(text, shared, self.part), share)


class DropOverlaps(Merge):
    """Keeps the questions that no benchmark asks too."""

    label: ClassVar[str] = "drop_overlaps"
    inputs: ClassVar[tuple[str, ...]] = ("questions", "matches")

    rules: tuple[Rule, ...] = ("whole", "gram", "coverage", "order")
    """Rules that drop a question. By default `numbers` is told and drops none: the same story with other numbers is
    another question, and short ones (`What is 2 + 3?`) are many."""

    def sql(self) -> str:
        """A question that two benchmarks ask is dropped for the one whose name comes first."""
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
    rule: Rule
    shared: list[str]
    coverage: float


class Index:
    """The items of all benchmarks, found by what they share with a text."""

    def __init__(self, benchmarks: tuple[Benchmark, ...], gram: int, part: int) -> None:
        """Reads every file; raises `QuestmillError` where one is not what it was when the recipe was opened."""
        texts = [(each.name, line, words(text)) for each in benchmarks for line, text in enumerate(each.texts())]
        self.names = [(name, line) for name, line, _ in texts]
        self.words = [found for *_, found in texts]
        self.gram, self.part = gram, part
        self.postings = [Postings(*keys) for keys in self._keys(self.words)]

    def candidates(self, texts: list[list[str]], coverage: float) -> Iterator[tuple[int, int]]:
        """Places of a text and of an item that match by their hashes, by text and item; each pair once."""
        pairs = []
        least = (0.0, 0.0, 0.0, 0.0, coverage, coverage)
        for postings, keys, share in zip(self.postings, self._keys(texts), least, strict=True):
            found, items, shared = postings.shared(*keys)
            enough = shared >= share * postings.each[items] - 1e-9
            pairs.append(found[enough] * len(self.words) + items[enough])
        for pair in np.unique(np.concatenate(pairs)):
            yield divmod(int(pair), len(self.words))

    def _keys(self, texts: list[list[str]]) -> list[tuple[Hashes, Places]]:
        """What is looked up: each text as a whole, in any order, and without its numbers; then the n-grams."""
        bare = [masked(text) for text in texts]
        plain, unnumbered = Hashed.of(texts), Hashed.of(bare)
        wholes = [Hashed.of([[squeezed(text)] for text in each]).bags() for each in (texts, bare)]
        parts = [plain.grams(self.part), unnumbered.grams(self.part)]
        return [*wholes, plain.bags(), plain.grams(self.gram), *parts]


def _share(text: list[str], item: list[str], n: int) -> tuple[set[Gram], float]:
    """The n-grams that both have, and the share of the item's; 0 where it has none."""
    wanted = set(grams(item, n))
    shared = wanted.intersection(grams(text, n))
    return shared, len(shared) / len(wanted) if wanted else 0.0


@functools.lru_cache(maxsize=2)
def _index(benchmarks: tuple[Benchmark, ...], gram: int, part: int) -> Index:
    """Built once a process."""
    return Index(benchmarks, gram, part)
