"""Finds similar questions: MinHash proposes pairs, and the Jaccard similarity of their n-grams decides."""

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rensa import RMinHash

Hashes = NDArray[np.uint64]
"""Arrays are one-dimensional unless a shape is given."""
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Number = TypeVar("Number", np.int64, np.uint64)

PAIRS_PER_BATCH = 50_000
"""Pairs of questions that are compared at once; takes some 40 MB."""
DIGESTS_PER_BATCH = 10_000
"""Questions whose MinHash digests are held as Python numbers at once; takes some 20 MB."""
_ODD_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MINUS = (
    r"-(?=\.?\d)|(?<![\w)\].-])-(?=[a-z\\(])|-(?=\()|(?<=[)\]}])-(?=[a-z\\])"
    r"|(?:(?<=\b[a-z])|(?<=\d))-(?=[a-z]\b)|(?<!\S)-(?!\S)"
)
"""A minus sign: before a number, a formula or a variable, or alone between blanks. A hyphen does not match."""
# matches all of "1,234.5", "cats", "<", not of "3 cats", "?"
_TOKEN = re.compile(rf"[^\W\d_]+|\d+(?:,\d{{3}})*(?:\.\d+)?|\.\d+|{_MINUS}|(?<=[\d)])!|[+*/=<>^%≤≥≠√]")
"""A word, a number or a mathematical sign."""
_POWER = re.compile(r"(?=[²³¹⁰⁴-⁹])")
_SIGNS = str.maketrans("\N{MINUS SIGN}\N{MULTIPLICATION SIGN}\N{DIVISION SIGN}\N{FRACTION SLASH}", "-*//")
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBER_WORDS = {word: str(n) for n, word in enumerate([*_ONES.split(), "seventeen", "eighteen", "nineteen"])}
_NUMBER_WORDS |= {word: f"{n}0" for n, word in enumerate(_TENS.split(), start=2)}
_NUMBER_WORDS |= {"dozen": "12", "hundred": "100", "thousand": "1000", "million": "1000000", "percent": "%"}
_NUMBER_WORDS |= {"billion": "1000000000", "trillion": "1000000000000"}
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth hundredth thousandth"
_MULTIPLES = "half halve quarter once twice thrice double triple quadruple treble single squared cubed square cube"
_INFLECTED = [*_ORDINALS.split(), *_MULTIPLES.split(), "halv", "tripl"]
_QUANTITY_WORDS = frozenset(word + end for word in _INFLECTED for end in ("", "s", "d", "es", "ed"))
_QUANTITY_WORDS |= {"le", "leq", "ge", "geq", "ne", "neq", "lt", "gt", "sqrt"}
"""Words that count, divide or multiply, and the TeX names of signs. They are compared as numbers are."""
_NEGATIONS = "no not never none nor neither except without"
_COMPARATIVES = "more less fewer most least greater greatest larger largest smaller smallest"
_EXTREMES = "maximum minimum maximal minimal maximize minimize max min positive negative nonnegative even odd"
_MEASURES = "sum difference product quotient remainder mean median mode perimeter circumference area volume radius"
_FUNCTIONS = "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sine cosine tangent log ln exp"
_SHAPES = "pentagon hexagon heptagon octagon nonagon decagon diameter altitude bisector"
_ANSWER_CHANGING_WORDS = frozenset(
    " ".join([_NEGATIONS, _COMPARATIVES, _EXTREMES, _MEASURES, _FUNCTIONS, _SHAPES]).split()
)
"""Words that change the answer, however much else two questions share."""


@dataclass(frozen=True)
class QuestionSketches:
    """The hashes by which n questions are compared, in the order of the questions. m is the number of all n-grams."""

    ngram_hashes: Hashes
    """(m,) uint64: the hashed n-grams of all questions, one question after the other."""
    ngram_ends: Indices
    """(n,) int64: where the n-grams of each question end in `ngram_hashes`. Each question has at least one."""
    number_hashes: Hashes
    """(n,) uint64: a hash of the numbers and signs of each question in their order, and of its answer-changing words in
    any order. Questions whose hashes differ are not duplicates."""
    template_hashes: Hashes
    """(n,) uint64: a hash of the words and signs of each question in their order, with all numbers made equal."""

    @classmethod
    def from_texts(cls, texts: pa.Array, ngram: int) -> "QuestionSketches":
        """Hash a string array of n questions into n-grams of `ngram` words. Each distinct word is parsed only once."""
        tokens, ends, number, sign, deciding = _tokenize(texts)
        starts = np.concatenate([[0], ends])[:-1]
        sizes = ends - starts
        place = np.arange(len(tokens)) - np.repeat(starts, sizes)
        counted = np.concatenate([[0], np.cumsum(number | sign)])
        rank = counted[:-1] - np.repeat(counted[starts], sizes)
        powers = np.cumprod(np.full(int(sizes.max(initial=0)) + 1, _ODD_MULTIPLIER))
        # One zero before each question and enough after it: short ones have n-grams too, and none reaches the next one.
        padded = np.zeros(len(tokens) + ngram * len(ends), np.uint64)
        padded[np.arange(len(tokens)) + 1 + ngram * np.repeat(np.arange(len(ends)), sizes)] = tokens
        grams, within = padded, np.ones(len(padded), bool)
        for step in range(1, ngram):
            grams = grams * _ODD_MULTIPLIER ^ np.roll(padded, -step)
            within[ends + ngram * np.arange(1, len(ends) + 1) - step] = False
        return cls(
            ngram_hashes=grams[within],
            ngram_ends=ends + np.arange(1, len(ends) + 1),
            number_hashes=_segment_sums(np.where(number | sign, tokens, 0) * powers[rank], starts, ends)
            ^ _segment_sums(np.where(deciding, tokens, 0), starts, ends),
            template_hashes=_segment_sums(np.where(number, np.uint64(1), tokens) * powers[place], starts, ends),
        )

    @classmethod
    def concatenate(cls, parts: Sequence["QuestionSketches"]) -> "QuestionSketches":
        """Join the questions of all `parts`, in order. There must be at least one part."""
        before = np.cumsum([0, *(len(part.ngram_hashes) for part in parts)])
        return cls(
            ngram_hashes=np.concatenate([part.ngram_hashes for part in parts]),
            ngram_ends=np.concatenate([part.ngram_ends + start for part, start in zip(parts, before, strict=False)]),
            number_hashes=np.concatenate([part.number_hashes for part in parts]),
            template_hashes=np.concatenate([part.template_hashes for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.ngram_ends)

    def gather(self, rows: Indices) -> tuple[Hashes, Indices]:
        """The n-grams of the questions `rows` (r,): their hashes, (k,) uint64, and how many each has, (r,) int64."""
        starts = np.concatenate([[0], self.ngram_ends])[rows]
        sizes = self.ngram_ends[rows] - starts
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.ngram_hashes[np.repeat(starts, sizes) + within], sizes

    def band_keys(self, rows: Indices, count: int) -> Hashes:
        """The keys of the questions `rows` (r,) in `count` bands of two MinHash values each: (r, count) uint64."""
        keys = np.empty((len(rows), count), np.uint64)
        for first in range(0, len(rows), DIGESTS_PER_BATCH):
            chunk = rows[first : first + DIGESTS_PER_BATCH]
            grams, sizes = self.gather(chunk)
            offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)
            matrix = RMinHash.digest_matrix_from_flat_token_hashes(grams, offsets, 2 * count, 1)
            flat = itertools.chain.from_iterable(matrix.to_rows())
            digests = np.fromiter(flat, np.uint64, 2 * count * len(chunk)).reshape(len(chunk), -1)
            pairs = (digests[:, 0::2] * _ODD_MULTIPLIER + digests[:, 1::2]) * _ODD_MULTIPLIER
            keys[first : first + DIGESTS_PER_BATCH] = (pairs ^ self.number_hashes[chunk, None]) * _ODD_MULTIPLIER
        return keys

    def tie_break_hash(self, rows: Indices) -> Hashes:
        """A hash for each of the questions `rows` (r,), equal for equal n-grams and numbers: (r,) uint64.

        It orders questions by their texts alone, whatever their row ids.
        """
        grams, sizes = self.gather(rows)
        ends = np.cumsum(sizes)
        return (
            _segment_sums(grams * _ODD_MULTIPLIER ^ grams >> np.uint64(29), ends - sizes, ends)
            ^ self.number_hashes[rows]
        )

    def jaccard(self, left_rows: Indices, right_rows: Indices) -> NDArray[np.float64]:
        """Jaccard similarity of the n-grams of each pair, 0 where `number_hashes` differ.

        `left_rows` and `right_rows` are (p,) int64; the result is (p,) float64, in [0, 1].
        """
        similarity = np.zeros(len(left_rows))
        same_numbers = np.flatnonzero(self.number_hashes[left_rows] == self.number_hashes[right_rows])
        for first in range(0, len(same_numbers), PAIRS_PER_BATCH):
            chunk = same_numbers[first : first + PAIRS_PER_BATCH]
            left, right = self._ngram_sets(left_rows[chunk]), self._ngram_sets(right_rows[chunk])
            shared = np.intersect1d(left, right, assume_unique=True)
            both = np.bincount(shared >> 32, minlength=len(chunk))
            similarity[chunk] = both / (np.bincount(np.concatenate([left, right]) >> 32) - both)
        return similarity

    def _ngram_sets(self, rows: Indices) -> Indices:
        """The distinct n-grams of the questions `rows`, ascending: the place in `rows` above 31 bits of the hash."""
        grams, sizes = self.gather(rows)
        places = np.repeat(np.arange(len(rows), dtype=np.int64) << 32, sizes)
        return sort_unique(places + (grams >> np.uint64(33)).astype(np.int64))


def candidate_pairs(keys: Hashes, tie_break: Hashes, known_count: int = 0) -> Iterator[tuple[Indices, Indices]]:
    """Find the pairs of rows that may be similar, because they share a key in the same band; yields those of each band.

    The rows that share a key in a band are a bucket, ordered by `tie_break`; rows with the same value there are equal.
    Each row is paired with the first row of its bucket and with the row before it. If the first `known_count` rows are
    another table, each later row is paired with the first and the last row of that table in its bucket instead. So the
    pairs of a bucket depend on the rows of the bucket alone, and not on the rows of other buckets.

    `keys` is (n, bands) uint64 and `tie_break` (n,) uint64. Both arrays of a band are (pairs,) int64: a pair is one row
    of each, the row that is earlier in the order first. It may come in several bands, but in each only once. With three
    rows, of which 0 and 1 share a key in the first band, and 1 and 2 in the second:

    >>> keys = np.array([[7, 1], [7, 2], [8, 2]], np.uint64)
    >>> tie_break = np.array([30, 10, 20], np.uint64)
    >>> list(candidate_pairs(keys, tie_break))
    [(array([1]), array([0])), (array([1]), array([2]))]

    If row 0 is a table of its own, only the pair that contains it is left:

    >>> [pairs for pairs in candidate_pairs(keys, tie_break, known_count=1) if len(pairs[0])]
    [(array([0]), array([1]))]
    """
    rows = np.concatenate(
        [
            np.argsort(tie_break[:known_count], kind="stable"),
            known_count + np.argsort(tie_break[known_count:], kind="stable"),
        ]
    )
    positions = np.arange(len(rows))
    for band in keys.T:
        bucket, place = _sort_buckets(band[rows])
        starts_bucket = np.concatenate([[True], bucket[1:] != bucket[:-1]])
        first = np.maximum.accumulate(np.where(starts_bucket, positions, 0))
        last = (
            np.maximum.accumulate(np.where(starts_bucket | (place < known_count), positions, 0))
            if known_count
            else positions - 1
        )
        later = np.flatnonzero(~starts_bucket & (place >= known_count))
        pairs = []
        for partner in (first[later], last[later]):
            is_pair = place[partner] < known_count if known_count else np.ones(len(later), bool)
            pairs.append(rows[place[partner[is_pair]]] * len(rows) + rows[place[later[is_pair]]])
        one, other = np.divmod(sort_unique(np.concatenate(pairs)), max(1, len(rows)))
        yield one, other


def _sort_buckets(keys: Hashes) -> tuple[Indices, Indices]:
    """Number the buckets of equal keys: the bucket and the place in `keys` (n,) of each row, ascending; (n,) int64."""
    order = np.argsort(keys)  # not stable, which is three times as fast; a second sort orders the places in each bucket
    bits = max(1, int(len(keys) - 1).bit_length())
    is_new = np.concatenate([np.zeros(min(1, len(keys)), bool), keys[order[1:]] != keys[order[:-1]]])
    mixed = np.sort(np.cumsum(is_new) << bits | order)
    return mixed >> bits, mixed & ((1 << bits) - 1)


def sort_unique(values: NDArray[Number]) -> NDArray[Number]:
    """The distinct values of a one-dimensional array, ascending, with its dtype."""
    values = np.sort(values)  # NumPy's own `unique` hashes: 13 s for what sorts in half a second
    unique: NDArray[Number] = values[np.concatenate([np.ones(min(1, len(values)), bool), values[1:] != values[:-1]])]
    return unique


def _tokenize(texts: pa.Array) -> tuple[Hashes, Indices, Flags, Flags, Flags]:
    """The tokens of n texts, t in all: their hashes, (t,) uint64; where each text ends, (n,) int64; and three flags of
    each token, (t,) bool: whether it is a number, a sign, an answer-changing word."""
    split = pc.utf8_split_whitespace(texts)
    coded = split.flatten().dictionary_encode()
    token_lists = [_split_tokens(word) for word in coded.dictionary.to_pylist()]
    sizes = np.array([len(each) for each in token_lists], np.int64)
    flat = list(itertools.chain.from_iterable(token_lists))
    hashed = np.fromiter(itertools.chain.from_iterable(RMinHash.hash_token_sets([flat])), np.uint64, len(flat))
    number = np.array([each[0].isdigit() or each in _QUANTITY_WORDS for each in flat], bool)
    sign = np.array([not each[0].isalnum() for each in flat], bool)
    deciding = np.array([each in _ANSWER_CHANGING_WORDS for each in flat], bool)
    codes = coded.indices.to_numpy()
    token_counts = sizes[codes]
    ends = np.concatenate([[0], np.cumsum(token_counts)])
    token_indices = (
        np.arange(ends[-1])
        - np.repeat(ends[:-1], token_counts)
        + np.repeat((np.cumsum(sizes) - sizes)[codes], token_counts)
    )
    offsets = split.offsets.to_numpy()
    return (
        hashed[token_indices],
        ends[offsets[1:] - offsets[0]],
        number[token_indices],
        sign[token_indices],
        deciding[token_indices],
    )


def _split_tokens(word: str) -> list[str]:
    """The tokens of a text without blanks, in lower case. Numbers have one form: `1,000.50` is `1000.5`."""
    plain = word if word.isascii() else unicodedata.normalize("NFKC", _POWER.sub("^", word)).translate(_SIGNS)
    return [_NUMBER_WORDS.get(token) or _normalize_number(token) for token in _TOKEN.findall(plain.lower())]


def _normalize_number(token: str) -> str:
    if not token[-1].isdigit():
        return token
    integer, _, decimals = token.replace(",", "").partition(".")
    integer, decimals = integer.lstrip("0") or "0", decimals.rstrip("0")
    return f"{integer}.{decimals}" if decimals else integer


def _segment_sums(values: Hashes, starts: Indices, ends: Indices) -> Hashes:
    """The sums of `values[starts[i]:ends[i]]` modulo 2^64; starts, ends and the result are (n,)."""
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)])
    sums: Hashes = total[ends] - total[starts]
    return sums
