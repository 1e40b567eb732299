"""Reads from a question how its answers must be compared: percent, rounding, order and base."""

import re
from collections import deque
from functools import lru_cache
from typing import NamedTuple

# matches "5%", "what percentage", "5 per cent", not "5 cents"
_PERCENT = re.compile(r"%|\bper\s?cent(?:age)?s?\b", re.IGNORECASE)
_NUMBER_WORD = (
    r"(?:zero|half|halves|quarters?|thirds?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand)"
)
# matches "raised by 5", "twenty ", "the same ", not "what "
_GIVEN_PERCENT = re.compile(
    rf"(?:[0-9.)}}\]]|\b{_NUMBER_WORD}|\b(?:of\s+an?|same|certain|this|that|given|these|those|such|few|several))"
    r"(?:[\s$~-]|\\[,;:! ()])*+\Z",
    re.IGNORECASE,
)
"""Text before a percent sign or word that gives the number, or says that it is known."""
# matches "What ", "Write it as a ", "Find how many", not "If it falls by 5", "What is it if 5"
_ASKED_PERCENT = re.compile(
    r"\b(?:what|which|how\s+(?:many|much|large|great)|find|compute|calculate|determine|express|give|state|write|estimate)\b"
    r"(?:(?!\b(?:if|when|given|assuming|suppose|knowing)\b)[^.?!]){0,200}\Z"
    r"|\b(?:as|in|into)\s+(?:an?\s+|the\s+)?(?:whole\s+|decimal\s+)?\Z"
    r"|(?<![A-Za-z\\])(?:[A-Za-z]\\?\)?\s?|[A-Za-z]\$\s?|_\$?\s?)\Z",
    re.IGNORECASE,
)
"""Text before a percent sign or word without a number that asks for it, or a letter for the number."""
# matches "to the nearest ", "nearest tenth of a ", not "nearest cent or "
_NEAREST_PERCENT = re.compile(
    r"\bnearest\s+\$?(?:[0-9.]+\s?|(?:whole|integer|one|half|(?:one[\s-])?(?:ten|hundred|thousand)th)\s+)?\$?"
    r"(?:of\s+(?:an?|one)\s+)?\Z",
    re.IGNORECASE,
)
MAX_SIGNS = 100
"""Percent signs and words of a question that are examined, counted from the last one."""
_CONTEXT_CHARACTERS = 250
"""Characters before a percent sign that are searched for a request."""
_PLACES_OF_NAME = {
    **{
        "thousand": -3,
        "hundred": -2,
        "ten": -1,
        "tens": -1,
        "integer": 0,
        "whole": 0,
        "unit": 0,
        "one": 0,
        "dollar": 0,
    },
    **{"degree": 0, "percent": 0, "day": 0, "year": 0, "inch": 0, "mile": 0, "foot": 0, "hour": 0, "minute": 0},
    **{"million": -6, "ten thousand": -4, "hundred thousand": -5, "ten-thousandth": 4, "penny": 2, "second": 0},
    **{"tenth": 1, "hundredth": 2, "cent": 2, "thousandth": 3},
}
# matches "the nearest hundredth", not "the nearest 10"
_NEAREST_NAME = re.compile(
    r"\bnearest\s+\$?((?:ten|hundred)[- ]thousandth|(?:ten|hundred) thousand|[a-z]+)\b", re.IGNORECASE
)
# matches "two decimal places", "3 decimals", not "two places", "a decimal"
_DECIMAL_PLACES = re.compile(
    r"\b(one|two|three|four|five|six|[1-9])\s+(?:decimal\s+(?:place|digit|point)|decimals\b)", re.IGNORECASE
)
_COUNT_OF_WORD = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
# matches "in increasing order", "respectively", not "order them", "increasing"
_ORDER_REQUEST = re.compile(
    r"\b(?:(?:in|de)creasing|ascending|descending|numerical|alphabetical)\s+order|\brespectively\b|\bordered\b"
    r"|\bin order\s+from"
    r"|\bfrom\s+(?:the\s+)?(?:least|smallest|lowest|greatest|largest|highest|shortest|longest)\b",
    re.IGNORECASE,
)
# matches "in base 5", "binary", "101_2", not "the base of a triangle"
_BASE_NAME = re.compile(
    r"\bbase[- ]?\$?_?\{?(?:[0-9]|two|three|four|five|six|seven|eight|nine|ten)|\bbinary\b|[0-9]_\{?[0-9]",
    re.IGNORECASE,
)


class QuestionHints(NamedTuple):
    """How the comparison is relaxed or tightened, by the question or by the recipe (`tolerance`)."""

    asks_percent: bool = False
    """Whether the question asks for a percentage, so that 20 and 20% may be the same answer."""
    decimal_places: int | None = None
    """Decimal places that the question asks for: 2 for the nearest cent, -1 for the nearest ten. None: not asked."""
    asks_order: bool = False
    """Whether the question asks for a list in a certain order."""
    names_base: bool = False
    """Whether the question names a base, so that `101` may stand for `101_2`."""
    tolerance: float = 0.0
    """Largest relative difference from the gold number."""


@lru_cache(maxsize=4096)
def parse_hints(question: str, tolerance: float = 0.0) -> QuestionHints:
    """The hints in `question`. If it asks for several roundings, the last one counts."""
    if not question:
        return QuestionHints(tolerance=tolerance)
    text = question[-20_000:]
    return QuestionHints(
        asks_percent=_asks_percent(text.replace("\\%", "%")),
        decimal_places=_find_places(text),
        asks_order=_ORDER_REQUEST.search(text) is not None,
        names_base=_BASE_NAME.search(text) is not None,
        tolerance=tolerance,
    )


def _asks_percent(text: str) -> bool:
    """Whether a percentage is asked for: `what percent`, `as a percentage`, `x%`; in `20% of 50` it is given."""
    for sign in deque(_PERCENT.finditer(text), maxlen=MAX_SIGNS):
        before = text[max(0, sign.start() - _CONTEXT_CHARACTERS) : sign.start()]
        if _NEAREST_PERCENT.search(before) or (not _GIVEN_PERCENT.search(before) and _ASKED_PERCENT.search(before)):
            return True
    return False


def _find_places(text: str) -> int | None:
    places_at = dict[int, int]()
    for match in _NEAREST_NAME.finditer(text):
        name = match[1].lower().replace(" thousandth", "-thousandth")
        if name in _PLACES_OF_NAME:
            places_at[match.start()] = _PLACES_OF_NAME[name]
    for match in _DECIMAL_PLACES.finditer(text):
        places_at[match.start()] = _COUNT_OF_WORD.get(match[1].lower()) or int(match[1])
    return places_at[max(places_at)] if places_at else None
