"""Finds the units in which a question asks for its answer: `how many meters`, `in square feet`."""

import re

from tasks.verification.equivalence.units import is_known_unit, normalize_unit

_PHRASE = r"(degrees\s+(?:celsius|fahrenheit)|(?:(?:square|cubic)\s+)?[a-z]+(?:\s+per\s+[a-z]+|/[a-z]+)?)"
# matches "how many meters", "How many square feet", "how many more total hours", not "how much", "many meters"
_HOW_MANY = re.compile(
    r"\bhow\s+many\s+(?:(?:more|fewer|less|total|additional|extra|combined|full|whole|remaining|other)\s+)*" + _PHRASE,
    re.IGNORECASE,
)
# matches "in seconds", "in square feet", "in km/h", not "inside", "in 5"
_IN_UNITS = re.compile(rf"\b(?:in|as|number\s+of)\s+{_PHRASE}", re.IGNORECASE)
MAX_PHRASES = 20
"""Phrases of a question that are looked at, counted from the last one."""
# matches "in radians", not "radius"
_ANGLE = re.compile(r"\b(degrees?|radians?)\b", re.IGNORECASE)


def find_units(question: str) -> frozenset[str]:
    """The known units that the question asks for, in their normal form. Those after `how many` count before others."""
    for pattern in (_HOW_MANY, _IN_UNITS):
        phrases = [match[1] for match in pattern.finditer(question)][-MAX_PHRASES:]
        units = {unit for phrase in phrases if (unit := _read_unit(phrase))}
        if units:
            return frozenset(units)
    return frozenset()


def _read_unit(phrase: str) -> str:
    """The normal form of the known unit with which a phrase begins; empty if there is none."""
    words = phrase.casefold().split()
    for end in range(len(words), 0, -1):
        if (
            "in" not in words[:end]
            and words[:end] not in (["square"], ["cubic"])
            and is_known_unit(" ".join(words[:end]))
        ):
            return normalize_unit(" ".join(words[:end]))
    return ""


def find_angle_unit(question: str) -> str:
    """`degree` or `radian`, whichever the question names last; empty if none."""
    names = _ANGLE.findall(question)
    return names[-1].casefold().rstrip("s") if names else ""
