"""Recognizes and normalizes units of numbers, apart from words that change a number. Units are never converted."""

import re
from collections.abc import Sequence
from fractions import Fraction

# matches "5 million", "isn't", "two thirds", not "5 cats", "moral"
NON_UNIT_WORDS = re.compile(
    r"""\b(?:and|or|but|nor|to|by|over|under|of|plus|minus|negative|positive|times|twice|thrice|double|triple|divided|mod
        |pi|half|halves|thirds?|quarters?|hundreds?|thousands?|millions?|billions?|trillions?|lakhs?|crores?|dozens?
        |(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|[a-z]+teen|[a-z]+tie|hundred|thousand|million|billion)ths?
        |one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|score|squared|cubed|root|sqrt|factorial
        |percent|percentage|infinity|more|less|fewer|least|most|than|above|below|between|not|no|never|cannot|[a-z]+n't
        |neither|without|except|wrong|incorrect|false|unless|if|increased?|decreased?|off|discount|loss|debt|deficit
        |bn|mn|ppm|ppb|gross|couples?|bps|basis|pct|per\ cents?|[a-z]*illions?|[a-z]*illionths?|grand|googols?|myriads?
        |exclud(?:es?|ed|ing)|excepting|besides|barring|exceed(?:s|ed|ing)?|beyond|max|reject(?:s|ed)?|thou|tens|discards?
        |discarded|dismissed|avoid(?:s|ed|ing)?|fails
        |surpass(?:es|ing)?|outside|recurring|repeating|repeated|inverse|transposed?
        |extraneous|invalid|impossible|omitted|ignored|refuted|untrue|inadmissible|undefined|maybe|perhaps|possibly|hardly
        |too|divid(?:es?|ing)|approach(?:es|ing)?|tends|versus|vs|modulo|complement|reciprocal|logarithm|sine|cosine|tangent
        |short|base|step|problem|question|exercise|page|january|february|march|april|may|june|july|august|september
        |october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|[ap]m|o'clock|(?:mon|tues|wednes|thurs
        |fri|satur|sun)day)(?![A-Za-z'])""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words next to a number that change it, as in `5 million`, so it is not read. Other words after it are its unit."""
# matches all of "square", "towards", not of "squares", "the"
MODIFIERS_BEFORE = re.compile(
    r"(?:square|cube|inverse|opposite|exponential|modulus|option|case|equation|chapter|section|figure|against|towards?"
    r"|ceil|ceiling|floor|sgn|absolute|inequality|from|follows|following|precedes|preceding)",
    re.IGNORECASE,
)
"""Words that change the meaning of a number right after them."""
_SHORT_WORDS = """
    a am an as at by do he hr id if in is it me mr my no of on or pi so tv tvs up us we
    act ads age air all ant ape arm art ash axe bag bar bat bay bed bee bet bib bid big bin bit box boy bud bug bun bus
    buy bye cab can cap car cat cod cow cry cub cup cut dad day den did die dog dot dry due dye ear eel egg egs elf elk
    end era eve ewe eye fan far fat fee few fig fin fir fit fix fly foe fog for fox fun fur gap gas gem get gin gum gun
    guy gym had ham has hat hay hen her hid him his hit hog hop hot how hub hug hut ice ink inn its jam jar jet job jug
    key kid kin kit lab lap law leg let lid lie lip log lot low man map mat men met mix mob mom mop mud mug net new nil
    nor now nun nut oak oar oat odd oil old one ore our out owl own pad pan pat paw pay pea pen per pet pie pig pin pit
    pod pop pot pub pup put rag ram ran rap rat ray red rep rib rid rim rip rod row rug rum run saw say sea see set she
    shy sip sir sit six ski sky sob son sow soy spa spy sub sum sun tab tag tan tax tea ten the tie tin tip toe ton too
    top toy try tub tug two use van vat vet via vow was wax way web wet who why wig win won yak yam yes yet you zip zoo
    km cm mm nm kg mg ml cl dl lb lbs oz ft yd mi sq cu mph kph kmh rpm wpm fps bpm mpg psi kw kwh wh mw gw hz khz mhz
    ghz kb mb gb tb mbps gbps ms ns hrs min mins sec secs wk wks mo yr yrs pt pts qt qts gal kgs kms cms mms pcs pc kcal
    gm gms tsp hp ha dm sqm yds ltr
    cal amp ohm bar atm kpa mpa mol rad deg pkg cc kn kj mj ev usd eur gbp inr jpy cad aud"""
_REAL_SHORT_WORDS = frozenset(_SHORT_WORDS.split())
"""Words of two and three letters. Other such letters after a number are a product, as in `5 xy`."""
# matches all of "kilometers", "cm", "m²", not of "cats", "kilofeet"
_KNOWN_UNITS = re.compile(
    r"""(?:square|cubic|sq|cu|per|units?|degrees?|radians?|deg|rad|(?:kilo|centi|milli|nano|micro)?(?:met(?:er|re)|gram)s?
        |(?:milli|centi)?lit(?:er|re)s?|inch(?:es)?|foot|feet|ft|yards?|yd|miles?|mi|seconds?|minutes?|hours?|days?|weeks?
        |months?|years?|cents?|dollars?|euros?|pounds?|ounces?|tons?|tonnes?|gallons?|quarts?|pints?|cups?|mph|rpm
        |ms|(?:milli|micro|nano)seconds?|celsius|fahrenheit|kelvin|kph|kmh|[kcm]m|[km]g|ml|lbs?|oz|hrs?|mins?|secs?|yrs?|in|m|g|s|L|m/s|km/h)[²³]?""",
    re.VERBOSE | re.IGNORECASE,
)
# matches "degrees celsius", "degreesc", "degree f", not "degrees", "celsius"
_TEMPERATURE = re.compile(r"\bdegrees? ?(c|f|celsius|fahrenheit|centigrade)\b")
_SCALES = {"c": "celsius", "f": "fahrenheit", "centigrade": "celsius"}
GENERIC_UNITS = frozenset({"unit", "unit²", "unit³"})
"""Units that stand for any other."""
_FILLER_WORDS = frozenset(
    {"a", "an", "the", "in", "total", "altogether", "overall", "left", "remaining", "now", "only"}
)
_RATES = {"mph": "mile per hour", "kph": "kilometer per hour", "kmh": "kilometer per hour"}
_UNIT_NAMES = {
    **{"$": "dollar", "usd": "dollar", "€": "euro", "eur": "euro", "£": "sterling", "gbp": "sterling", "¥": "yen"},
    **{"₹": "rupee", "inr": "rupee", "feet": "foot", "ft": "foot", "inches": "inch", "hr": "hour", "min": "minute"},
    **{"sec": "second", "s": "second", "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer"},
    **{"metre": "meter", "kilometre": "kilometer", "centimetre": "centimeter", "g": "gram", "kg": "kilogram"},
    **{
        "lb": "lb",
        "oz": "ounce",
        "l": "liter",
        "litre": "liter",
        "h": "hour",
        "ms": "millisecond",
        "celsius": "celsius",
    },
}
"""Other ways to write a unit. None is converted into another unit."""
# matches "5 dollars an hour", not "5 dollars for an hour"
_RATE = re.compile(r"\b(dollars?|euros?|pounds?|sterling|yen|rupees?) (?:an?|each|every) ")
_MONEY = frozenset({"dollar", "euro", "pound", "sterling", "yen", "rupee"})
_AMBIGUOUS_POUNDS = frozenset({("pound", "sterling"), ("pound", "lb"), ("lb", "pound"), ("sterling", "pound")})
"""A pound may be money or a weight."""


def find_currency(words: Sequence[str]) -> str:
    """The currency code before a number, as in `USD 18`; empty if there is none."""
    return next((word for word in words if _UNIT_NAMES.get(word, word) in _MONEY and len(word) == 3), "")


def normalize_unit(words: str, currency: str = "") -> str:
    """A unit in its normal form. Words after an amount of money are dropped unless they make it a rate."""
    words = words.strip().casefold()
    if words.rstrip("²³") == "in":
        return "inch" + words[2:]
    words = _TEMPERATURE.sub(lambda match: _SCALES.get(match[1], match[1]), _RATE.sub(r"\1 per ", words))
    words = " ".join(_RATES.get(word, word) for word in words.replace("/", " per ").split())
    names = [to_singular(word) for word in words.split() if word not in _FILLER_WORDS]
    for prefix, power in (("square", "²"), ("sq", "²"), ("cubic", "³")):
        if len(names) > 1 and names[0] == prefix:
            names = [names[1] + power, *names[2:]]
    if currency and not (names and names[0] in _MONEY):
        names = [_UNIT_NAMES[currency], *names]
    if names and names[0] in _MONEY:
        names = [names[0], *names[names.index("per") :]] if "per" in names else names[:1]
    return " ".join(names)


def has_letter_product(words: str) -> bool:
    """Whether one of the words after a number is a product of letters instead."""
    parts = words.replace("²", "").replace("³", "").rstrip(".").split()
    return any(
        1 < len(part) < 4 and part.isascii() and part.casefold() not in _REAL_SHORT_WORDS
        for word in parts
        for part in word.split("/")
    )


def is_known_unit(words: str) -> bool:
    """Whether all of the words name a common unit."""
    return all(_KNOWN_UNITS.fullmatch(word) for word in words.rstrip(".").split())


UNIT_SIZES = {
    **{"kilometer": ("length", "1000"), "meter": ("length", "1"), "decimeter": ("length", "1/10")},
    **{"centimeter": ("length", "1/100"), "millimeter": ("length", "1/1000"), "inch": ("length", "254/10000")},
    **{"foot": ("length", "3048/10000"), "yard": ("length", "9144/10000"), "mile": ("length", "1609344/1000")},
    **{
        "kilogram": ("mass", "1000"),
        "gram": ("mass", "1"),
        "milligram": ("mass", "1/1000"),
        "ton": ("mass", "1000000"),
    },
    **{"week": ("time", "604800"), "day": ("time", "86400"), "hour": ("time", "3600"), "minute": ("time", "60")},
    **{
        "second": ("time", "1"),
        "millisecond": ("time", "1/1000"),
        "year": ("years", "12"),
        "month": ("years", "1"),
        "dollar": ("money", "100"),
    },
    **{"cent": ("money", "1"), "liter": ("volume", "1000"), "milliliter": ("volume", "1"), "ml": ("volume", "1")},
    **{"degree": ("angle", "1")},
}
"""Dimension and size of units. They only tell whether two answers in different units may be the same."""


def find_ratio(unit: str, other: str) -> Fraction | None:
    """How many of `other` one `unit` is, 0 if they measure different things; None if that is unknown."""
    one, two = _measure(unit), _measure(other)
    if one is None or two is None:
        known = one or two
        return Fraction(0) if known and known[0] in ("money", "angle") else None
    return one[1] / two[1] if one[0] == two[0] else Fraction(0)


def _measure(unit: str) -> tuple[str, Fraction] | None:
    """What a unit measures, and its size; None if that is unknown."""
    power = {"²": 2, "³": 3}.get(unit[-1:], 1)
    known = UNIT_SIZES.get(unit.rstrip("²³"))
    return (known[0] + unit[-1:] * (power > 1), Fraction(known[1]) ** power) if known else None


def units_differ(one: str, other: str) -> bool:
    """Whether two units differ; false if one of them is missing."""
    if one == other or not one or not other:
        return False
    names, others = one.split(), other.split()
    return len(names) != len(others) or any(
        pair[0] != pair[1] and pair not in _AMBIGUOUS_POUNDS for pair in zip(names, others, strict=True)
    )


def to_singular(word: str) -> str:
    """`word` in the singular, replaced by its name in `_UNIT_NAMES` if it has one; a power sign is kept."""
    stem = word.rstrip("²³")
    if stem == "yes" or "/" in stem:
        return word
    if stem not in _UNIT_NAMES and len(stem) > 2 and stem.endswith("s") and not stem.endswith("ss"):
        stem = stem[:-1]
    return _UNIT_NAMES.get(stem, stem) + word[len(word.rstrip("²³")) :]
