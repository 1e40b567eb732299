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
Places = NDArray[np.int64]
Gram = tuple[str, ...]

NUMBER = "#"
"""Stands for any number."""
_ODD = np.uint64(0x9E3779B97F4A7C15)
_SIGNS = str.maketrans(
    dict.fromkeys("{}()[]$\\", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\xad")  # without width
    | {"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{MULTIPLICATION SIGN}": "*", "\N{MIDDLE DOT}": "*"}
    | {"\N{DIVISION SIGN}": "/", "\N{FRACTION SLASH}": "/"}
)
_POWER = re.compile(r"(?=[²³¹⁰⁴-⁹])")
_SET = re.compile(r"\\(?:([dtc]frac)|left|right|bigg?[lr]?|(?:display|text)style|[,;: ]|q?quad)(?![A-Za-z])")
"""Commands that only say how a formula is set."""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_WORD = re.compile(r"(?:[+*/=<>^]\s*|-\s*(?=[\d.]|[^\W\d_]\b))*(?:[^\W\d_]+|\d*\.?\d+)")
"""A word or a number with the signs before it; a hyphen between words is none."""
_SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_LARGE = "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million"
_SPELT = dict.fromkeys([*_SMALL.split(), *_LARGE.split()], NUMBER)
_FIGURES = "0123456789."


def words(text: str) -> list[str]:
    """The words of a text as they are compared: no case, blanks, brackets and punctuation; `1,000` is `1000`.

    Signs of mathematics belong to the word after them, `x^2 - 1` is `x`, `^2`, `-1`: a formula has few words, so that
    13 of them in a row say as much as 13 words of a story.
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", _POWER.sub("^", text))
    plain = _SET.sub(lambda found: "\\frac" if found[1] else " ", plain.lower())
    plain = plain.replace(",\\!", ",").translate(_SIGNS)
    found = _WORD.findall(_THOUSANDS.sub("", plain))
    return [word if word.isalnum() else "".join(word.split()) for word in found]


def masked(found: Sequence[str]) -> list[str]:
    """Words with `#` for each number, in figures or spelt, and for several in a row: `+25` and `+7` are `+#`."""
    made = [word.rstrip(_FIGURES) + NUMBER if word[-1] in _FIGURES else _SPELT.get(word, word) for word in found]
    before = ["", *made][: len(made)]
    return [word for word, last in zip(made, before, strict=True) if word != NUMBER or not last.endswith(NUMBER)]


def squeezed(found: Sequence[str]) -> str:
    """Letters, figures and signs alone: texts that differ in blanks alone are equal, `80, 000` and `80,000` too."""
    return "".join(found)


def grams(found: Sequence[str], n: int) -> list[Gram]:
    """The n-grams of a text, in order; none where it has fewer than n words."""
    return list(zip(*(found[step:] for step in range(n)), strict=False))


def longest(found: Sequence[str], wanted: set[Gram], n: int) -> list[str]:
    """The longest stretch of a text all of whose n-grams are `wanted`."""
    best, begin = range(0), -1
    for place, gram in enumerate(grams(found, n)):
        if gram not in wanted:
            begin = -1
            continue
        begin = place if begin < 0 else begin
        best = max(best, range(begin, place + n), key=len)
    return list(found[best.start : best.stop])


@dataclass(frozen=True)
class Hashed:
    """The words of many texts, one after the other."""

    words: Hashes
    texts: Places
    """For each word, the text that it is of; ascending."""

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]]) -> "Hashed":
        """Hash the words of `texts`; the same word has the same hash in every process."""
        sizes = np.array([len(text) for text in texts], np.int64)
        flat = itertools.chain.from_iterable(RMinHash.hash_token_sets(list(texts)))
        return cls(np.fromiter(flat, np.uint64, int(sizes.sum())), np.repeat(np.arange(len(texts)), sizes))

    def grams(self, n: int) -> tuple[Hashes, Places]:
        """A hash for each n-gram, and the text that it is of."""
        count = max(0, len(self.words) - n + 1)
        made = self.words[:count]
        for step in range(1, n):
            made = made * _ODD ^ self.words[step : step + count]
        within = self.texts[:count] == self.texts[n - 1 :]
        return made[within], self.texts[:count][within]

    def bags(self) -> tuple[Hashes, Places]:
        """A hash for each text that has words, whatever their order, and the text."""
        starts = np.flatnonzero(np.diff(self.texts, prepend=-1))
        sums = np.add.reduceat(self.words, starts) if len(starts) else self.words
        return sums, self.texts[starts]


class Postings:
    """For each hash, the items that have it."""

    def __init__(self, hashes: Hashes, items: Places) -> None:
        """`hashes[i]` is of item `items[i]`; a hash that an item has twice counts once."""
        order = np.lexsort((items, hashes))
        hashes, items = hashes[order], items[order]
        first = np.ones(len(hashes), bool)
        first[1:] = (hashes[1:] != hashes[:-1]) | (items[1:] != items[:-1])
        hashes, self.items = hashes[first], items[first]
        self.hashes, self.starts, self.sizes = np.unique(hashes, return_index=True, return_counts=True)
        self.count = int(items.max(initial=-1)) + 1
        self.each = np.bincount(self.items, minlength=self.count)
        """Hashes of each item."""

    def shared(self, hashes: Hashes, texts: Places) -> tuple[Places, Places, Places]:
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
        found, shared = np.unique(np.repeat(texts, sizes) * self.count + items, return_counts=True)
        return *np.divmod(found, self.count), shared
