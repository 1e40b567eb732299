"""Finds which texts share n-grams with which benchmark items: hashes propose pairs, and the words decide."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

Hashes = NDArray[np.uint64]
"""All arrays here are one-dimensional."""
Indices = NDArray[np.int64]
NGram = tuple[str, ...]

NUMBER_PLACEHOLDER = "#"
"""Replaces every number."""
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
"""TeX commands that change only the layout of a formula."""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# matches all of "-3", "= 0.5", "cats", not of "well-known", "7 cats"
_WORD = re.compile(r"(?:[+*/=<>^]\s*|-\s*(?=[\d.]|[^\W\d_]\b))*(?:[^\W\d_]+|\d*\.?\d+)")
"""A word or a number with the signs before it. A hyphen between words is not a sign."""
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TENS_AND_MORE = (
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million"
)
_NUMBER_WORDS = dict.fromkeys([*_ONES.split(), *_TENS_AND_MORE.split()], NUMBER_PLACEHOLDER)
_DIGITS = "0123456789."


def normalize_words(text: str) -> list[str]:
    """The words of a text for comparison: in lower case, without brackets and punctuation; `1,000` is `1000`.

    Mathematical signs belong to the word after them: `x^2 - 1` is `x`, `^2`, `-1`. So a formula has few words, and 13
    of them in a row say as much as 13 words of plain text.
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", _POWER.sub("^", text))
    plain = _LAYOUT_COMMAND.sub(lambda found: "\\frac" if found[1] else " ", plain.lower())
    plain = plain.replace(",\\!", ",").translate(_SIGNS)
    tokens = _WORD.findall(_THOUSANDS.sub("", plain))
    return [word if word.isalnum() else "".join(word.split()) for word in tokens]


def without_numbers(words: Sequence[str]) -> list[str]:
    """Replace each number, in figures or spelt out, by `#`, and several in a row by one: `+25` and `+7` are `+#`."""
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
    """Join words without blanks, so that texts that differ only in blanks are equal, as `80, 000` and `80,000` are."""
    return "".join(words)


def ngrams(words: Sequence[str], n: int) -> list[NGram]:
    """The n-grams of a text, in order; empty if it has fewer than n words."""
    return list(zip(*(words[step:] for step in range(n)), strict=False))


def find_longest_stretch(words: Sequence[str], shared: set[NGram], n: int) -> list[str]:
    """The longest run of words of which every n-gram is in `shared`; empty if there is none."""
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
    """The hashed words of many texts, one text after the other; w words in all."""

    word_hashes: Hashes
    """(w,) uint64: a hash of each word."""
    text_indices: Indices
    """(w,) int64, ascending: the index of the text that each word belongs to."""

    @classmethod
    def from_texts(cls, texts: Sequence[Sequence[str]]) -> "HashedTexts":
        """Hash the words of `texts`. A word has the same hash in every process."""
        sizes = np.array([len(text) for text in texts], np.int64)
        flat = itertools.chain.from_iterable(RMinHash.hash_token_sets(list(texts)))
        return cls(np.fromiter(flat, np.uint64, int(sizes.sum())), np.repeat(np.arange(len(texts)), sizes))

    def ngram_hashes(self, n: int) -> tuple[Hashes, Indices]:
        """A hash of each n-gram, (k,) uint64, and the index of its text, (k,) int64."""
        count = max(0, len(self.word_hashes) - n + 1)
        hashes = self.word_hashes[:count]
        for step in range(1, n):
            hashes = hashes * _ODD_MULTIPLIER ^ self.word_hashes[step : step + count]
        within = self.text_indices[:count] == self.text_indices[n - 1 :]
        return hashes[within], self.text_indices[:count][within]

    def bag_hashes(self) -> tuple[Hashes, Indices]:
        """A hash of the words of each text in any order, (t,) uint64, and the index of the text, (t,) int64.

        Texts without words are left out.
        """
        starts = np.flatnonzero(np.diff(self.text_indices, prepend=-1))
        sums = np.add.reduceat(self.word_hashes, starts) if len(starts) else self.word_hashes
        return sums, self.text_indices[starts]


class InvertedIndex:
    """Looks up the items that have a hash."""

    def __init__(self, hashes: Hashes, items: Indices) -> None:
        """`hashes[i]` belongs to item `items[i]`; (k,) uint64 and (k,) int64. A hash counts once per item."""
        order = np.lexsort((items, hashes))
        hashes, items = hashes[order], items[order]
        first = np.ones(len(hashes), bool)
        first[1:] = (hashes[1:] != hashes[:-1]) | (items[1:] != items[:-1])
        hashes, self.items = hashes[first], items[first]
        self.hashes, self.starts, self.sizes = np.unique(hashes, return_index=True, return_counts=True)
        self.item_count = int(items.max(initial=-1)) + 1
        self.hash_counts = np.bincount(self.items, minlength=self.item_count)
        """(items,) int64: the number of distinct hashes of each item."""

    def count_shared(self, hashes: Hashes, texts: Indices) -> tuple[Indices, Indices, Indices]:
        """Every pair of text and item that share hashes: texts, items and numbers of distinct shared hashes.

        `hashes[i]`, (k,) uint64, belongs to text `texts[i]`, (k,) int64. All results are (pairs,) int64.
        """
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
