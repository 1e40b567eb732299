"""Units by name: told from words that change a number, made singular, and never converted into another."""

import re
from collections.abc import Sequence

NOT_UNITS = re.compile(
    r"""\b(?:and|or|but|nor|to|by|over|under|of|plus|minus|negative|positive|times|twice|thrice|double|triple|divided|mod
        |pi|half|halves|thirds?|quarters?|hundreds?|thousands?|millions?|billions?|trillions?|lakhs?|crores?|dozens?
        |(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|[a-z]+teen|[a-z]+tie|hundred|thousand|million|billion)ths?
        |one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|score|squared|cubed|root|sqrt|factorial
        |percent|percentage|infinity|more|less|fewer|least|most|than|above|below|between|not|no|never|cannot|[a-z]+n't
        |neither|without|except|wrong|incorrect|false|unless|if|increased?|decreased?|off|discount|loss|debt|deficit
        |bn|mn|ppm|ppb|gross|couples?|bps|basis|pct|per\ cents?
        |short|base|step|problem|question|exercise|page|january|february|march|april|may|june|july|august|september
        |october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|[ap]m|o'clock|(?:mon|tues|wednes|thurs
        |fri|satur|sun)day)(?![A-Za-z'])""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words beside a number that change it, `5 million`: not read, and not guessed. Behind it, others are its unit."""
_SENSELESS = frozenset({"a", "an", "the", "in", "total", "altogether", "overall", "left", "remaining", "now", "only"})
_UNITS = {
    **{"$": "dollar", "usd": "dollar", "€": "euro", "eur": "euro", "£": "pound", "gbp": "pound", "¥": "yen"},
    **{"₹": "rupee", "inr": "rupee", "feet": "foot", "ft": "foot", "inches": "inch", "hr": "hour", "min": "minute"},
    **{"sec": "second", "s": "second", "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer"},
    **{"metre": "meter", "kilometre": "kilometer", "centimetre": "centimeter", "g": "gram", "kg": "kilogram"},
    **{"lb": "pound", "oz": "ounce", "l": "liter", "litre": "liter"},
}
"""Other ways to write a unit. None is converted into another."""
_RATE = re.compile(r"\b(dollars?|euros?|pounds?|yen|rupees?) (?:an?|each|every) ")
_MONEY = frozenset({"dollar", "euro", "pound", "yen", "rupee"})


def money(words: Sequence[str]) -> str:
    """The currency named before a number, `USD 18`; empty if there is none."""
    return next((word for word in words if _UNITS.get(word, word) in _MONEY and len(word) == 3), "")


def unit(words: str, currency: str = "") -> str:
    """A unit in one of the ways to write it. What follows money says what it is for, unless it is a rate."""
    if words.strip().casefold() == "in":
        return "inch"
    words = _RATE.sub(r"\1 per ", words.casefold())
    names = [singular(word) for word in words.split() if word not in _SENSELESS]
    for prefix, power in (("square", "²"), ("sq", "²"), ("cubic", "³")):
        if len(names) > 1 and names[0] == prefix:
            names = [names[1] + power, *names[2:]]
    if currency and not (names and names[0] in _MONEY):
        names = [_UNITS[currency], *names]
    if names and names[0] in _MONEY:
        names = [names[0], *names[names.index("per") :]] if "per" in names else names[:1]
    return " ".join(names)


def singular(word: str) -> str:
    """`word` without power sign and plural s, by the name in `_UNITS` if it has one."""
    stem = word.rstrip("²³")
    if stem not in _UNITS and len(stem) > 2 and stem.endswith("s") and not stem.endswith("ss"):
        stem = stem[:-1]
    return _UNITS.get(stem, stem) + word[len(word.rstrip("²³")) :]
