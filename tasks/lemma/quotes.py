"""Finds what a model quotes, and which of several texts a quote fits."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

LEAST_LIKENESS = 0.75
"""Least likeness of a quote and the words that it quotes, in [0, 1]; models change signs and skip words."""
LIKENESS_MARGIN = 0.05
"""Texts whose likeness is within this of the best one fit as well as that one."""
MAX_QUOTE_WORDS = 60
"""Words of a quote that are compared."""
# matches '"We add."', "`We add.`", " 'We add.'", "\u00abWe add.\u00bb", not "'s", "We add."
_QUOTED = re.compile(
    r"\"([^\"\n]{2,})\"|`([^`\n]{2,})`|(?<![\w'])'([^'\n]{4,})'(?!\w)|\u00ab([^\u00bb\n]{2,})\u00bb"
    r"|``([^`'\n]{2,})''"
)
_STRAIGHT_QUOTES = str.maketrans({**dict.fromkeys("\u201c\u201d\u201e", '"'), **dict.fromkeys("\u2018\u2019", "'")})
_PLAIN_SIGNS = str.maketrans({**dict.fromkeys("\u2212\u2013\u2014", "-"), "\u00f7": "/"})
_LATEX_SIGNS = (("\\times", " "), ("\\cdot", " "), ("\\div", "/"), ("\\left", ""), ("\\right", ""), ("\\text", ""))
# matches r"\frac{3}{4}", r"\dfrac{a}{b}", not r"\frac34"
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_ELLIPSIS = re.compile(r"\.{3,}|\u2026|\[\.+\]")
# matches "cats", "12", "=", not " ", ".", "$", "*"
_WORD = re.compile(r"[^\W\d_]+|[0-9]+|[-+/=<>%^]")
"""A word, a number or a sign, but no `*`, because that is also bold type."""


def find_quotes(text: str) -> list[str]:
    """The quoted parts of a text, in their order."""
    return ["".join(filter(None, match.groups())) for match in _QUOTED.finditer(text.translate(_STRAIGHT_QUOTES))]


def drop_quotes(text: str) -> str:
    """The text without its quoted parts."""
    return _QUOTED.sub(" ", text.translate(_STRAIGHT_QUOTES))


def split_words(text: str) -> list[str]:
    """Words, numbers and signs of a text in lower case, without dress, points and brackets."""
    text = text.translate(_STRAIGHT_QUOTES).translate(_PLAIN_SIGNS)
    text = _FRACTION.sub(r"\1/\2", text)
    for command, sign in _LATEX_SIGNS:
        text = text.replace(command, sign)
    return _WORD.findall(text.lower())


def find_quoted(quote: str, texts: Sequence[str], least: float = LEAST_LIKENESS) -> set[int]:
    """The indices of the texts that a quote fits best; empty if it fits none. Dots stand for words left out."""
    parts = [words for part in _ELLIPSIS.split(quote) if (words := split_words(part)[:MAX_QUOTE_WORDS])]
    if not parts:
        return set()
    likeness = [min(_measure_likeness(part, split_words(text)) for part in parts) for text in texts]
    best = max(likeness, default=0.0)
    return {at for at, each in enumerate(likeness) if each >= max(least, best - LIKENESS_MARGIN)}


def _measure_likeness(quote: list[str], text: list[str]) -> float:
    """How like a quote is to the beginning of a text, or to any part of it; 1.0 if it is there word by word."""
    if not text:
        return 0.0
    if _holds(text, quote):
        return 1.0
    if len(text) >= 3 and _holds(quote, text):
        return 1.0
    if len(quote) < 3:
        return 0.0
    matcher = SequenceMatcher(None, quote, text[: len(quote) + 2], autojunk=False)
    return max(matcher.ratio(), SequenceMatcher(None, quote, text[: len(quote)], autojunk=False).ratio())


def _holds(text: list[str], words: list[str]) -> bool:
    return any(text[at : at + len(words)] == words for at in range(len(text) - len(words) + 1))
