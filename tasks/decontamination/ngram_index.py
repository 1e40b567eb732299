"""Which texts share words with which items: hashes find the pairs, the words themselves decide."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]
NGram = tuple[str, ...]

NUMBER_PLACEHOLDER = "#"
"""Stands for any number."""
_ODD_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SIGNS = str.maketrans(
    dict.fromkeys("{}()[]$\\", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\xad")  # without width
    | {"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{MULTIPLICATION SIGN}": "*", "\N{MIDDLE DOT}": "*"}
    | {"\N{DIVISION SIGN}": "/", "\N{FRACTION SLASH}": "/"}
)
_POWER = re.compile(r"(?=[²³¹⁰⁴-⁹])")
# matches r"\dfrac{1}{2}", r"\left(", not r"\frac{1}{2}", r"\leftarrow"
_LAYOUT_COMMAND = re.compile(r"\\(?:([dtc]frac)|left|right|bigg?[lr]?|(?:display|text)style|[,;: ]|q?quad)(?![A-Za-z])")
"""Commands that only say how a formula is set."""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# matches all of "-3", "= 0.5", "cats", not of "well-known", "7 cats"
_WORD = re.compile(r"(?:[+*/=<>^]\s*|-\s*(?=[\d.]|[^\W\d_]\b))*(?:[^\W\d_]+|\d*\.?\d+)")
"""A word or a number with the signs before it; a hyphen between words is none."""
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TENS_AND_MORE = (
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million"
)
_NUMBER_WORDS = dict.fromkeys([*_ONES.split(), *_TENS_AND_MORE.split()], NUMBER_PLACEHOLDER)
_DIGITS = "0123456789."


def normalize_words(text: str) -> list[str]:
    """The words of a text as they are compared: no case, blanks, brackets and punctuation; `1,000` is `1000`.

    Signs of mathematics belong to the word after them, `x^2 - 1` is `x`, `^2`, `-1`: a formula has few words, so that
    13 of them in a row say as much as 13 words of a story.
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", _POWER.sub("^", text))
    plain = _LAYOUT_COMMAND.sub(lambda found: "\\frac" if found[1] else " ", plain.lower())
    plain = plain.replace(",\\!", ",").translate(_SIGNS)
    tokens = _WORD.findall(_THOUSANDS.sub("", plain))
    return [word if word.isalnum() else "".join(word.split()) for word in tokens]


def without_numbers(words: Sequence[str]) -> list[str]:
    """Words with `#` for each number, in figures or spelt, and for several in a row: `+25` and `+7` are `+#`."""
    masked_words = [
        word.rstrip(_DIGITS) + NUMBER_PLACEHOLDER if word[-1] in _DIGITS else _NUMBER_WORDS.get(word, word)
        for word in words
    ]
    previous = ["", *masked_words][: len(masked_words)]
    return [
        word
        for word, previous_word in zip(masked_words, previous, strict=True)
        if word != NUMBER_PLACEHOLDER or not previous_word.endswith(NUMBER_PLACEHOLDER)
    ]


def letters_only(words: Sequence[str]) -> str:
    """Letters, figures and signs alone: texts that differ in blanks alone are equal, `80, 000` and `80,000` too."""
    return "".join(words)


def ngrams(words: Sequence[str], n: int) -> list[NGram]:
    """The n-grams of a text, in order; none where it has fewer than n words."""
    return list(zip(*(words[step:] for step in range(n)), strict=False))


def find_longest_stretch(words: Sequence[str], shared: set[NGram], n: int) -> list[str]:
    """The longest stretch of a text all of whose n-grams are `shared`."""
    best, begin = range(0), -1
    for place, gram in enumerate(ngrams(words, n)):
        if gram not in shared:
            begin = -1
            continue
        begin = place if begin < 0 else begin
        best = max(best, range(begin, place + n), key=len)
    return list(words[best.start : best.stop])


@dataclass(frozen=True)
class HashedTexts:
    """The words of many texts, one after the other."""

    word_hashes: Hashes
    text_indices: Indices
    """For each word, the text that it is of; ascending."""

    @classmethod
    def from_texts(cls, texts: Sequence[Sequence[str]]) -> "HashedTexts":
        """Hash the words of `text_indices`; the same word has the same hash in every process."""
        sizes = np.array([len(text) for text in texts], np.int64)
        flat = itertools.chain.from_iterable(RMinHash.hash_token_sets(list(texts)))
        return cls(np.fromiter(flat, np.uint64, int(sizes.sum())), np.repeat(np.arange(len(texts)), sizes))

    def ngram_hashes(self, n: int) -> tuple[Hashes, Indices]:
        """A hash for each n-gram, and the text that it is of."""
        count = max(0, len(self.word_hashes) - n + 1)
        hashes = self.word_hashes[:count]
        for step in range(1, n):
            hashes = hashes * _ODD_MULTIPLIER ^ self.word_hashes[step : step + count]
        within = self.text_indices[:count] == self.text_indices[n - 1 :]
        return hashes[within], self.text_indices[:count][within]

    def bag_hashes(self) -> tuple[Hashes, Indices]:
        """A hash for each text that has words, whatever their order, and the text."""
        starts = np.flatnonzero(np.diff(self.text_indices, prepend=-1))
        sums = np.add.reduceat(self.word_hashes, starts) if len(starts) else self.word_hashes
        return sums, self.text_indices[starts]


class InvertedIndex:
    """For each hash, the items that have it."""

    def __init__(self, hashes: Hashes, items: Indices) -> None:
        """`hashes[i]` is of item `items[i]`; a hash that an item has twice counts once."""
        order = np.lexsort((items, hashes))
        hashes, items = hashes[order], items[order]
        first = np.ones(len(hashes), bool)
        first[1:] = (hashes[1:] != hashes[:-1]) | (items[1:] != items[:-1])
        hashes, self.items = hashes[first], items[first]
        self.hashes, self.starts, self.sizes = np.unique(hashes, return_index=True, return_counts=True)
        self.item_count = int(items.max(initial=-1)) + 1
        self.hash_counts = np.bincount(self.items, minlength=self.item_count)
        """Hashes of each item."""

    def count_shared(self, hashes: Hashes, texts: Indices) -> tuple[Indices, Indices, Indices]:
        """Every text and item that have a hash in common, and how many different ones."""
        if not len(self.hashes):
            return texts[:0], texts[:0], texts[:0]
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        hit = self.hashes[at] == hashes
        pairs = np.unique(texts[hit] * len(self.hashes) + at[hit])
        texts, at = np.divmod(pairs, len(self.hashes))
        sizes = self.sizes[at]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        items = self.items[np.repeat(self.starts[at], sizes) + within]
        matches, shared = np.unique(np.repeat(texts, sizes) * self.item_count + items, return_counts=True)
        return *np.divmod(matches, self.item_count), shared
