"""The forms in which texts are compared: without case, accents, articles and punctuation, and never as a number."""

import re
import unicodedata

from tasks.verification.equivalence.number_parser import parse_number
from tasks.verification.equivalence.text_normalization import strip_formatting

ARTICLES = frozenset({"a", "an", "the"})
# matches "**Paris**", "_Paris_", "`Paris`", "\"Paris\"", not "Paris", "C++"
_DRESS = re.compile(r"\A(\*\*|__|\*|_|`|\"|')(?=\S)(.+?)(?<=\S)\1\Z", re.DOTALL)
_DRESS_SIGNS = ("*", "_", "`", '"', "'")
MAX_DRESSED_CHARACTERS = 2000
"""Longest text of which signs around it are taken off, in characters."""
MAX_LAYERS = 4
"""Signs around a text that are taken off, one within another."""
_QUOTES = dict.fromkeys(map(ord, "'\"`´«»“”„‟‘’‚‹›「」『』《》"))  # noqa: RUF001
# matches ". ", ", ", "a;", "a!", "。", not "3.5", "1,234", "C#", "!a"
_STOPS = re.compile(r"(?<![0-9])[.,](?=[0-9])|[.,](?![0-9])|(?<=\S)[;:!?]|[。，、；：！？¿¡…·・]")  # noqa: RUF001
# matches "a-b", "rock-and", not "5-3", "A-", "-5"
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u2010-\u2013](?=[^\W\d_])")
# matches "j.k.", "u.s.", not "3.5", "etc."
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.\s*){2,}")
# matches r"\frac", "x^2", "a=b", "{", not "C++", "A-"
_FORMULA = re.compile(r"\\[A-Za-z]|[\\^={}<>≤≥≠±√∞]")
_LETTER = re.compile(r"[^\W\d_]")
# matches "3\x00", "\u202e3", not "3\n"
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, direction marks and surrogates, which may hide or reverse parts of a text."""


def undress(text: str) -> str:
    """`text` without signs of bold, italic and code type, quotes, LaTeX text commands and a final stop.

    A text of more than `MAX_DRESSED_CHARACTERS` characters is left as it is.
    """
    if len(text) > MAX_DRESSED_CHARACTERS:
        return text.strip()
    text = strip_formatting(text).strip() if "\\" in text or "$" in text else text.strip()
    for _ in range(MAX_LAYERS):
        without_stop = text.rstrip(" .,;:")
        match = _DRESS.match(without_stop if without_stop.endswith(_DRESS_SIGNS) else text)
        if match is None:
            break
        text = match[2].strip()
    return text.strip().strip("“”„«»‘’").strip()  # noqa: RUF001


def normalize_text(
    text: str, ignore_case: bool = True, ignore_accents: bool = True, ignore_articles: bool = True
) -> str:
    """The words of `text` in the form that is compared, with one blank between them. Signs such as `+` and `#` stay."""
    text = unicodedata.normalize("NFKC", undress(text))
    text = _INITIALS.sub(lambda match: "".join(match[0].replace(".", "").split()) + " ", text)
    text = text.translate(_QUOTES).replace("&", " and ")
    text = _STOPS.sub(" ", _HYPHEN.sub(" ", text))
    if ignore_accents:
        text = _drop_accents(text)
    if ignore_case:
        text = text.casefold()
    words = text.split()
    kept = [word for word in words if word.casefold() not in ARTICLES] if ignore_articles else words
    return " ".join(kept or words)


def _drop_accents(text: str) -> str:
    """`text` without marks on Latin letters. In other scripts a mark makes another letter."""
    kept = list[str]()
    base = ""
    for sign in unicodedata.normalize("NFD", text):
        if unicodedata.combining(sign):
            if base.isascii() and base.isalpha():
                continue
        else:
            base = sign
        kept.append(sign)
    return unicodedata.normalize("NFC", "".join(kept))


def is_number(text: str) -> bool:
    """Whether a text is a number, in digits or words, or a quantity."""
    plain = undress(text)
    if len(plain) > 200:
        return False
    numeral = parse_number(plain, strip_formatting(plain))
    if numeral is None or (plain[:1].isalpha() and any(sign.isdigit() for sign in plain)):  # `Apollo 11`
        return False
    return numeral.value is not None or numeral.scaled is not None


def is_words(text: str) -> bool:
    """Whether a text is made of words, so that it is no number, no formula and not signs alone."""
    plain = undress(text)
    return bool(_LETTER.search(plain)) and not _FORMULA.search(plain) and not is_number(text)


def name_scripts(text: str) -> frozenset[str]:
    """The scripts of the letters, such as `LATIN`."""
    return frozenset(unicodedata.name(sign, "").partition(" ")[0] for sign in text if sign.isalpha())
