"""Keeps questions in given languages. Numbers and formulas are removed before the language is identified."""

import functools
import re
from typing import Any, ClassVar

from pydantic import Field, field_validator

from schemas.outcomes import Row
from schemas.steps import Filter

_LANGUAGE_CODES = """
    af am an ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fo fr fy ga gd gl gu ha he hi hr ht hu
    hy id ig is it ja jv ka kk km kn ko ku ky la lb lg ln lo lt lv mg mk ml mn mr ms mt my ne nl nn no oc om or pa pl ps
    pt qu ro ru rw sa se si sk sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz vi vo wa xh yo zh zu
"""
KNOWN_LANGUAGES = frozenset(_LANGUAGE_CODES.split())
"""ISO 639-1 codes that the identifier knows, listed here so that a recipe can be checked without loading it."""
SEGMENT_BYTES = 40
"""Least length of a segment that is identified, in bytes of its words: some 8 English words or 13 Chinese characters.

At 40, a sentence of 12 to 17 words in another language after an English question was detected in 94 % of 240 cases; at
60, in 72 %. Shorter segments cost English questions: 6 of 7,473 are lost at 40 (lists of months, and degrees
Fahrenheit), none at 80.
"""
NAMED_FROM_PROBABILITY = 0.5
"""Least probability for naming a foreign language in the reject reason. Below it the reason is `unclear`, as for
romanised Hindi, for which the identifier has no language."""
_ASY_FIGURE = re.compile(r"\[asy\].*?(?:\[/asy\]|\Z)", re.DOTALL)
# A run of characters without blanks that contains a TeX sign. Not all from one $ to the next: "$5 and then $7" are
# dollars. The look-behind makes a run match only from its beginning; otherwise a million letters would take hours.
# matches "what is x^2", not "5", "what is x?"
_FORMULA = re.compile(r"(?<![!-~])[!-~]*?[$\\^_={}][!-~]*")
# The end of a sentence; in Chinese and Japanese no blank follows.
# matches "How many? Say it.", "你好。", not "3.5", "the end."
_SENTENCE_END = re.compile(r"[.!?:;]\s|[\n\u3002\uff01\uff1b\uff1f]")
# matches all of "3 + 4 = 7?", not of "it's", "3 cats"
_NO_LETTERS = re.compile(r"[\x00-&(-@\[-`{-\xbf\xd7\xf7\u2000-\u2bff\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]+")


class KeepLanguage(Filter):
    """Rejects questions that are not in one of `languages`. A test for ASCII would keep romanised text.

    A text is identified in segments of whole sentences, and each must pass. So a question with its translation below it
    is rejected, and one with a foreign name or phrase is not. A text of formulas only has no language, and is kept.
    Speed: 2,000 to 4,000 questions per second on one core, depending on the core. The identifier takes a second to
    load, once per process.
    """

    label: ClassVar[str] = "keep_language"
    version: ClassVar[int] = 2
    needs: ClassVar[tuple[str, ...]] = ("question",)

    languages: tuple[str, ...] = Field(default=("en",), min_length=1)
    """Languages to keep, as ISO 639-1 codes. Hindi is known in its own script only: romanised, it is rejected even if
    `hi` is given."""
    least_relative_probability: float = Field(default=0.35, gt=0, le=1)
    """Least probability of a wanted language, as a share of the likeliest one's. At 1 it must be the likeliest itself.
    Calibrated for English on GSM8K train, MATH test and 331 questions in six other languages. At 0.35, 99.92 % of GSM8K
    train and 99.84 % of MATH test pass, and none of the others. At 0.25, two of the others pass too (`ke kitne
    gunankhand hote hain`). At 0.5, 99.6 % of MATH pass; most of those lost have no word but `Calculate` beside a
    formula."""

    @field_validator("languages")
    @classmethod
    def _check_languages(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for code in languages:
            if code not in KNOWN_LANGUAGES:
                raise ValueError(
                    f"{code!r} is no language that can be identified; give some of {' '.join(sorted(KNOWN_LANGUAGES))}"
                )
        return languages

    def reject_reason(self, row: Row) -> str | None:
        """`language: fr` or `language: unclear`; None if every segment is in a wanted language."""
        language = self.detect_foreign(row["question"])
        return f"language: {language}" if language else None

    def detect_foreign(self, text: str) -> str | None:
        """The language code of the first unwanted segment, or `unclear`; None if every segment is wanted."""
        for segment in text_segments(text):
            best, probability = load_identifier().classify(" ".join(segment))
            if best in self.languages:
                continue
            ranked = dict(load_identifier().rank(" ".join(segment)))
            wanted = max(ranked[code] for code in self.languages)
            if wanted < probability * self.least_relative_probability:
                return str(best) if probability >= NAMED_FROM_PROBABILITY else "unclear"
        return None


def text_segments(text: str) -> list[list[str]]:
    """The words of a question, in segments of whole sentences; empty if it has no words."""
    segments: list[list[str]] = []
    segment_bytes = SEGMENT_BYTES
    plain = _FORMULA.sub(" ", _ASY_FIGURE.sub(" ", text))
    # The identifier takes text in capitals for English, and `split_words` takes short words in capitals for points.
    if plain.isupper() and split_words(plain):
        plain = plain.lower()
    for sentence in _SENTENCE_END.split(plain):
        sentence_words = split_words(sentence)
        if sentence_words and sentence.isupper() and len(sentence) >= SEGMENT_BYTES:
            sentence_words = split_words(sentence.lower())
        if sentence_words:
            if segment_bytes >= SEGMENT_BYTES:
                segments.append([])
                segment_bytes = 0
            segments[-1] += sentence_words
            segment_bytes += sum(map(_byte_count, sentence_words))
    if len(segments) > 1 and segment_bytes < SEGMENT_BYTES:
        short_segment = segments.pop()
        segments[-1] += short_segment
    return segments


def split_words(sentence: str) -> list[str]:
    """The words of a sentence as written, without numbers, variables and names of points."""
    return [word for word in _NO_LETTERS.sub(" ", sentence).split() if not (word.isascii() and _is_symbol(word))]


def _byte_count(word: str) -> int:
    return len(word.encode(errors="surrogatepass"))


def _is_symbol(word: str) -> bool:
    """Whether a word is a variable (`x`) or names the corners of a figure (`ABCD`)."""
    return len(word) == 1 or (len(word) <= 4 and word.isupper())


@functools.cache
def load_identifier() -> Any:
    """Load py3langid: naive Bayes over byte n-grams of 140 languages, from a file of 4.6 MB in its package."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
