"""How nearly two questions say the same: MinHash finds the pairs, the exact share of common n-grams decides."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rensa import RMinHash

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
Number = TypeVar("Number", np.int64, np.uint64)

PAIRS = 50_000
"""Pairs compared at once, some 40 MB."""
DIGESTED = 10_000
"""Questions whose MinHash digests are Python numbers at once, some 20 MB."""
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MINUS = (
    r"-(?=\.?\d)|(?<![\w)\].-])-(?=[a-z\\(])|-(?=\()|(?<=[)\]}])-(?=[a-z\\])"
    r"|(?:(?<=\b[a-z])|(?<=\d))-(?=[a-z]\b)|(?<!\S)-(?!\S)"
)
"""Before a number, a formula or a variable, or alone between blanks; a hyphen is none."""
_TOKEN = re.compile(rf"[^\W\d_]+|\d+(?:,\d{{3}})*(?:\.\d+)?|\.\d+|{_MINUS}|(?<=[\d)])!|[+*/=<>^%≤≥≠√]")
"""Words, numbers and signs of mathematics."""
_POWER = re.compile(r"(?=[²³¹⁰⁴-⁹])")
_SIGNS = str.maketrans("\N{MINUS SIGN}\N{MULTIPLICATION SIGN}\N{DIVISION SIGN}\N{FRACTION SLASH}", "-*//")
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPELT = {word: str(n) for n, word in enumerate([*_ONES.split(), "seventeen", "eighteen", "nineteen"])}
_SPELT |= {word: f"{n}0" for n, word in enumerate(_TENS.split(), start=2)}
_SPELT |= {"dozen": "12", "hundred": "100", "thousand": "1000", "million": "1000000", "percent": "%"}
_SPELT |= {"billion": "1000000000", "trillion": "1000000000000"}
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth hundredth thousandth"
_TIMES = "half halve quarter once twice thrice double triple quadruple treble single squared cubed square cube"
_ENDED = [*_ORDINALS.split(), *_TIMES.split(), "halv", "tripl"]
_PORTIONS = frozenset(word + end for word in _ENDED for end in ("", "s", "d", "es", "ed"))
_PORTIONS |= {"le", "leq", "ge", "geq", "ne", "neq", "lt", "gt", "sqrt"}
"""Words that count, divide or multiply, and the names of signs in TeX."""
_DENYING = "no not never none nor neither except without"
_COMPARING = "more less fewer most least greater greatest larger largest smaller smallest"
_EXTREMES = "maximum minimum maximal minimal maximize minimize max min positive negative nonnegative even odd"
_MEASURES = "sum difference product quotient remainder mean median mode perimeter circumference area volume radius"
_FUNCTIONS = "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sine cosine tangent log ln exp"
_FIGURES = "pentagon hexagon heptagon octagon nonagon decagon diameter altitude bisector"
_DECIDING = frozenset(" ".join([_DENYING, _COMPARING, _EXTREMES, _MEASURES, _FUNCTIONS, _FIGURES]).split())
"""Words on which the answer hangs, whatever else two questions share."""


@dataclass(frozen=True)
class Sketch:
    """What is compared of some questions, in their order."""

    grams: Hashes
    """Hashed n-grams of all questions, one after the other."""
    ends: Rows
    """Where the n-grams of each question end; each has at least one."""
    numbers: Hashes
    """One hash a question over its numbers and signs in their order, and its deciding words in any: where they differ,
    so do the questions."""
    template: Hashes
    """One hash a question over its words and signs in their order, all numbers taken for the same."""

    @classmethod
    def of(cls, texts: pa.Array, gram: int) -> "Sketch":
        """Take n-grams of `gram` words; every different word is read once, so that long tables cost little."""
        tokens, ends, number, sign, deciding = _tokens(texts)
        starts = np.concatenate([[0], ends])[:-1]
        sizes = ends - starts
        place = np.arange(len(tokens)) - np.repeat(starts, sizes)
        counted = np.concatenate([[0], np.cumsum(number | sign)])
        rank = counted[:-1] - np.repeat(counted[starts], sizes)
        powers = np.cumprod(np.full(int(sizes.max(initial=0)) + 1, _ODD))
        # One blank before each question and enough behind it: short ones have n-grams too, and none reaches the next.
        padded = np.zeros(len(tokens) + gram * len(ends), np.uint64)
        padded[np.arange(len(tokens)) + 1 + gram * np.repeat(np.arange(len(ends)), sizes)] = tokens
        grams, within = padded, np.ones(len(padded), bool)
        for step in range(1, gram):
            grams = grams * _ODD ^ np.roll(padded, -step)
            within[ends + gram * np.arange(1, len(ends) + 1) - step] = False
        return cls(
            grams=grams[within],
            ends=ends + np.arange(1, len(ends) + 1),
            numbers=_sums(np.where(number | sign, tokens, 0) * powers[rank], starts, ends)
            ^ _sums(np.where(deciding, tokens, 0), starts, ends),
            template=_sums(np.where(number, np.uint64(1), tokens) * powers[place], starts, ends),
        )

    @classmethod
    def joined(cls, parts: Sequence["Sketch"]) -> "Sketch":
        """The questions of all `parts`, at least one, in their order."""
        before = np.cumsum([0, *(len(part.grams) for part in parts)])
        return cls(
            grams=np.concatenate([part.grams for part in parts]),
            ends=np.concatenate([part.ends + start for part, start in zip(parts, before, strict=False)]),
            numbers=np.concatenate([part.numbers for part in parts]),
            template=np.concatenate([part.template for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.ends)

    def gather(self, rows: Rows) -> tuple[Hashes, Rows]:
        """The n-grams of `rows`, one after the other, and how many each has."""
        starts = np.concatenate([[0], self.ends])[rows]
        sizes = self.ends[rows] - starts
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.grams[np.repeat(starts, sizes) + within], sizes

    def bands(self, rows: Rows, count: int) -> Hashes:
        """A key for each of `rows` and each band of two MinHash values, (rows, count)."""
        keys = np.empty((len(rows), count), np.uint64)
        for first in range(0, len(rows), DIGESTED):
            some = rows[first : first + DIGESTED]
            grams, sizes = self.gather(some)
            offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)
            matrix = RMinHash.digest_matrix_from_flat_token_hashes(grams, offsets, 2 * count, 1)
            flat = itertools.chain.from_iterable(matrix.to_rows())
            digests = np.fromiter(flat, np.uint64, 2 * count * len(some)).reshape(len(some), -1)
            pairs = (digests[:, 0::2] * _ODD + digests[:, 1::2]) * _ODD
            keys[first : first + DIGESTED] = (pairs ^ self.numbers[some, None]) * _ODD
        return keys

    def content(self, rows: Rows) -> Hashes:
        """One hash for each of `rows`, equal where n-grams and numbers are: an order that knows no row ids."""
        grams, sizes = self.gather(rows)
        ends = np.cumsum(sizes)
        return _sums(grams * _ODD ^ grams >> np.uint64(29), ends - sizes, ends) ^ self.numbers[rows]

    def alike(self, ones: Rows, others: Rows) -> NDArray[np.float64]:
        """Jaccard similarity of the n-grams of each pair, 0 where numbers differ."""
        found = np.zeros(len(ones))
        same = np.flatnonzero(self.numbers[ones] == self.numbers[others])
        for first in range(0, len(same), PAIRS):
            some = same[first : first + PAIRS]
            left, right = self._sets(ones[some]), self._sets(others[some])
            shared = np.intersect1d(left, right, assume_unique=True)
            both = np.bincount(shared >> 32, minlength=len(some))
            found[some] = both / (np.bincount(np.concatenate([left, right]) >> 32) - both)
        return found

    def _sets(self, rows: Rows) -> Rows:
        """Different n-grams of each of `rows`, 31 bits of them below the place in `rows`; ascending."""
        grams, sizes = self.gather(rows)
        places = np.repeat(np.arange(len(rows), dtype=np.int64) << 32, sizes)
        return distinct(places + (grams >> np.uint64(33)).astype(np.int64))


def buckets(keys: Hashes, order: Hashes, known: int = 0) -> tuple[Rows, Rows]:
    """Pairs of rows that share a key of the same band, each pair once.

    Each row is paired with the first of its bucket and with the one before it, in the order of `order`, whose ties
    are between equals. Where the first `known` rows are another table, only pairs of a row with one of these count:
    with the first and the last of them in its bucket.
    """
    rows = np.concatenate([np.argsort(order[:known], kind="stable"), known + np.argsort(order[known:], kind="stable")])
    bits = np.uint64(max(1, int(len(rows) - 1).bit_length()))
    low = (np.uint64(1) << bits) - np.uint64(1)
    pairs = [np.empty(0, np.int64)]
    for band in keys.T:
        # The place below the key: one sort of plain numbers. What is cut off of the key costs a comparison at worst.
        mixed = np.sort(band[rows] & ~low | np.arange(len(rows), dtype=np.uint64))
        bucket, place = mixed >> bits, (mixed & low).astype(np.int64)
        opens = np.concatenate([[True], bucket[1:] != bucket[:-1]])
        here = np.arange(len(rows))
        first = np.maximum.accumulate(np.where(opens, here, 0))
        last = np.maximum.accumulate(np.where(opens | (place < known), here, 0)) if known else here - 1
        later = np.flatnonzero(~opens & (place >= known))
        for partner in (first[later], last[later]):
            met = place[partner] < known if known else np.ones(len(later), bool)
            pairs.append(rows[place[partner[met]]] * len(rows) + rows[place[later[met]]])
    one, other = np.divmod(distinct(np.concatenate(pairs)), max(1, len(rows)))
    return one, other


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """The different ones, ascending."""
    values = np.sort(values)  # NumPy's own `unique` hashes, which took 13 s for what sorts in half a second
    different: NDArray[Number] = values[np.concatenate([np.ones(min(1, len(values)), bool), values[1:] != values[:-1]])]
    return different


def _tokens(texts: pa.Array) -> tuple[Hashes, Rows, Flags, Flags, Flags]:
    """Hashed tokens of all texts; where each text ends; which tokens are numbers; which are signs; which decide."""
    split = pc.utf8_split_whitespace(texts)
    coded = split.flatten().dictionary_encode()
    read = [_read(word) for word in coded.dictionary.to_pylist()]
    sizes = np.array([len(each) for each in read], np.int64)
    flat = list(itertools.chain.from_iterable(read))
    hashed = np.fromiter(itertools.chain.from_iterable(RMinHash.hash_token_sets([flat])), np.uint64, len(flat))
    number = np.array([each[0].isdigit() or each in _PORTIONS for each in flat], bool)
    sign = np.array([not each[0].isalnum() for each in flat], bool)
    deciding = np.array([each in _DECIDING for each in flat], bool)
    codes = coded.indices.to_numpy()
    many = sizes[codes]
    ends = np.concatenate([[0], np.cumsum(many)])
    taken = np.arange(ends[-1]) - np.repeat(ends[:-1], many) + np.repeat((np.cumsum(sizes) - sizes)[codes], many)
    offsets = split.offsets.to_numpy()
    return hashed[taken], ends[offsets[1:] - offsets[0]], number[taken], sign[taken], deciding[taken]


def _read(word: str) -> list[str]:
    """The tokens of what stands between two blanks: no case, numbers in one form, `1,000.50` as `1000.5`."""
    plain = word if word.isascii() else unicodedata.normalize("NFKC", _POWER.sub("^", word)).translate(_SIGNS)
    return [_SPELT.get(token) or _figures(token) for token in _TOKEN.findall(plain.lower())]


def _figures(token: str) -> str:
    if not token[-1].isdigit():
        return token
    whole, _, rest = token.replace(",", "").partition(".")
    whole, rest = whole.lstrip("0") or "0", rest.rstrip("0")
    return f"{whole}.{rest}" if rest else whole


def _sums(values: Hashes, starts: Rows, ends: Rows) -> Hashes:
    """Sums of stretches of `values`, modulo 2^64."""
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)])
    sums: Hashes = total[ends] - total[starts]
    return sums
