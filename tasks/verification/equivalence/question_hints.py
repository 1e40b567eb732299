"""Reads from a question how its answers must be compared: percent, rounding, order, units, options, and its target.

Phrases are data: a language adds its words to the patterns here, and nothing else.
"""

import re
from collections import deque
from collections.abc import Container
from functools import lru_cache
from typing import NamedTuple

from tasks.verification.equivalence import question_target, question_units

# matches "5%", "what percentage", "5 per cent", not "5 cents"
_PERCENT = re.compile(r"%|\bper\s?cent(?:age)?s?\b", re.IGNORECASE)
# matches "le pourcentage de", "Welcher Prozentsatz", "求百分比", not "20 Prozent", "百分"
_PERCENT_IN_OTHER_LANGUAGES = re.compile(
    r"pourcentage|prozentsatz|wie\s+viel\s+prozent|porcentaje|porcentagem|percentagem|percentuale"
    r"|(?:какой|сколько)\s+процент|百分比|百分率|百分之几|百分之多少|何パーセント|몇\s*퍼센트|백분율|النسبة\s+المئوية",
    re.IGNORECASE,
)
# matches "The percentage increase is", "the percent error is:", not "the percentage is given"
_PERCENT_TO_COMPLETE = re.compile(
    r"\bpercent(?:age)?\b[^.?!]{0,60}\b(?:is|was|equals|=)\s*[:_.$\\(\)]*\s*\Z", re.IGNORECASE
)
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
# matches "3 significant figures", "4 s.f.", "two significant digits", "三位有效数字", not "significant 3"
_SIGNIFICANT_FIGURES = re.compile(
    r"\b(one|two|three|four|five|six|[1-9])\s+(?:significant\s+(?:figure|digit)|sig\.?\s*fig|s\.\s?f\.|sf\b)|([1-9一二两三四五六])\s*位有效数字",
    re.IGNORECASE,
)
# matches "2 d.p.", "保留两位小数", "auf zwei Nachkommastellen", "2 décimales", not "2 decimals"
_PLACES_IN_OTHER_WORDS = re.compile(
    r"\b([1-6])\s*d\.\s?p\.|保留([1-6一二两三四五六])位小数|([1-6]|eine|zwei|drei|vier)\s+nachkommastellen?|([1-6])\s+(?:décimales?|decimales|casas\s+decimais)",
    re.IGNORECASE,
)
# matches "4-bit code", "ZIP code", "phone number", "binary string", not "the code is written in", "barcode"
_CODE = re.compile(
    r"\b(?:[a-z0-9-]+[\s-](?:bit|digit|letter)\s+)?(?:code|password|passcode|pin)\b(?!\s+(?:is\s+written|in))"
    r"|\b(?:zip|postal|phone|telephone|serial|account)\s+(?:code|number)\b|\b(?:binary|bit|digit)\s+string\b",
    re.IGNORECASE,
)
# matches "At what time", "what time", "o'clock", not "how much time"
_TIME_OF_DAY = re.compile(r"\b(?:at\s+)?wh(?:at|ich)\s+time\b|\bo'clock\b|几点|什么时[候间刻]", re.IGNORECASE)
# matches "On which date", "what day", not "how many days", "update"
_DATE = re.compile(r"\b(?:which|what)\s+(?:date|day)\b|\bdate\b", re.IGNORECASE)
# matches "Enter only one of the foci", "not both", "any one of", not "the only number", "both"
_ONE_OF_SEVERAL = re.compile(r"\bonly\s+one\s+of\b|\bnot\s+both\b|\bany\s+one\s+of\b", re.IGNORECASE)
# matches "Solve the inequality", "the domain of", "interval notation", "solution set", "range of", not "set of points"
_REAL_SET = re.compile(
    r"\binequalit|\bdomain\b|\binterval|\bsolution\s+set\b|\brange\s+of\b|\bset\s+of\s+(?:all\s+)?real", re.IGNORECASE
)
_COUNT_OF_WORD = {
    **{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6},
    **{"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "eine": 1, "zwei": 2, "drei": 3, "vier": 4},
}
# matches "in increasing order", "in that order", "tallest first", "from oldest to youngest", not "in order to win"
# matches "Rank the teams", "respectively", not "in any order", "the order of the group", "all ordered pairs"
# matches "the first three terms", "按从小到大的顺序", not "first term", "the first two"
_ORDER_REQUEST = re.compile(
    r"""\bin\s+(?!any\b|some\b|no\b|either\b|order\b)(?:[a-z]+\s+){1,3}order\b(?!\s+to\b)
    |\bin\s+(?:the\s+)?order\b(?!\s+(?:to|that|for)\b)|\brespectively\b
    |\bin\s+(?:the\s+)?(?:correct\s+|right\s+)?sequence\b
    |\bordered\b(?!\s+(?:pair|triple|triplet|quadruple|quintuple|tuple|n-tuple|list\s+of\s+all))
    |\b(?!west|east|rest|test|best)[a-z]+est\s+(?:[a-z]+\s+)?(?:is\s+)?first\b
    |\b(?:larg|small|great|bigg|old|young|tall|short|light|heavi|low|high|fast|slow)er\s+(?:[a-z]+\s+)?first\b
    |\b(?:alphabetical|chronological)(?:ly)?\b
    |\bfrom\s+(?:the\s+)?(?:(?!west|east|test|rest|forest)[a-z]+est|most|least|first|low|high|small|large|left)\b
      [^.?]{0,40}?\bto\b
    |(?:\A|[.?!:;]\s+|\bplease\s+|\band\s+)(?:arrange|rank|sort|order)\b
    |\b(?:first|next|following|missing)\s+(?:[0-9]+|two|three|four|five|six|seven|eight|nine|ten|few|several)
      \s+[a-z\ ]{0,20}
      (?:terms|numbers|digits|elements)\b
    |顺序|順序|从小到大|从大到小|依次|排列|по\s+порядку|in\s+der\s+reihenfolge|par\s+ordre|en\s+orden""",
    re.VERBOSE | re.IGNORECASE,
)
# matches "in base 5", "binary", "101_2", not "the base of a triangle"
_BASE_NAME = re.compile(
    r"\bbase[- ]?\$?_?\{?(?:[0-9]|two|three|four|five|six|seven|eight|nine|ten)|\bbinary\b|[0-9]_\{?[0-9]",
    re.IGNORECASE,
)


_WORDS = {
    _PERCENT: ("%", "cent"),
    _NEAREST_NAME: ("nearest",),
    _DECIMAL_PLACES: ("decimal",),
    _BASE_NAME: ("base", "binary", "_"),
    _PERCENT_IN_OTHER_LANGUAGES: ("rcent", "prozent", "процент", "百分", "パーセント", "퍼센트", "백분", "المئوية"),
    _SIGNIFICANT_FIGURES: ("sig", "s.f", "s. f", " sf", "有效"),
    _PLACES_IN_OTHER_WORDS: ("d.p", "d. p", "小数", "nachkomma", "décimale", "decimales", "decimais"),
    _CODE: ("code", "pass", "pin", "zip", "postal", "phone", "serial", "account", "string"),
    _TIME_OF_DAY: ("time", "clock", "几点", "什么时"),
    _DATE: ("date", "day"),
    _ONE_OF_SEVERAL: (" one", "both"),
    _REAL_SET: ("inequal", "domain", "interval", "solution", "range", "real"),
    _ORDER_REQUEST: (
        *(
            "order",
            "sequence",
            "respectively",
            "first",
            "next",
            "following",
            "missing",
            "from",
            "arrange",
            "rank",
            "alphabet",
            "chronolog",
        ),
        *("sort", "顺序", "順序", "从小", "从大", "依次", "排列", "порядк", "reihenfolge", "ordre", "orden"),
    ),
}
"""Words of which one is in every match of a pattern: looking for them first is several times as fast."""
_ASCII_WORDS = {pattern: tuple(word for word in words if word.isascii()) for pattern, words in _WORDS.items()}
MAX_QUESTION_CHARACTERS = 20_000
"""Characters of a question that are read: the last ones."""


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
    significant_figures: int | None = None
    """Significant figures that the question asks for. None: not asked."""
    names_several: bool = False
    """Whether the question names several values, such as `p and q`, so that each may have its place in a list."""
    target: str = ""
    """The letter or formula that is asked for, as the question writes it."""
    units: frozenset[str] = frozenset()
    """The units that the question asks for, in their normal form."""
    angle_unit: str = ""
    """`degree` or `radian`, if the question names one."""
    options: tuple[tuple[str, str], ...] = ()
    """Letters and texts of the options of a choice."""
    letters: frozenset[str] = frozenset()
    """Single letters that stand as formulas in the question."""
    asks_expression: bool = False
    """Whether an expression in letters is asked for."""
    asks_code: bool = False
    """Whether a code is asked for, whose leading zeros count."""
    asks_time: bool = False
    """Whether a time of day is asked for."""
    asks_date: bool = False
    """Whether a date is asked for."""
    asks_one: bool = False
    """Whether one of several answers is enough."""
    asks_real_set: bool = False
    """Whether an interval or another set of real numbers is asked for."""


def parse_hints(question: str, tolerance: float = 0.0) -> QuestionHints:
    """The hints in `question`. If it asks for several roundings, the last one counts."""
    return _parse_hints(question[-MAX_QUESTION_CHARACTERS:], tolerance)  # a cache must not keep longer texts


@lru_cache(maxsize=4096)
def _parse_hints(text: str, tolerance: float) -> QuestionHints:
    if not text:
        return QuestionHints(tolerance=tolerance)
    found, names_several = _search_all(text), question_target.names_several(text)
    return QuestionHints(
        asks_percent=_PERCENT_IN_OTHER_LANGUAGES in found
        or (_PERCENT in found and _asks_percent(text.replace("\\%", "%"))),
        decimal_places=_find_places(text, found),
        asks_order=_ORDER_REQUEST in found,
        names_base=_BASE_NAME in found,
        tolerance=tolerance,
        significant_figures=_find_significant_figures(text) if _SIGNIFICANT_FIGURES in found else None,
        names_several=names_several or question_target.may_name_several(text),
        target="" if names_several else question_target.find_target(text),
        units=question_units.find_units(text),
        angle_unit=question_units.find_angle_unit(text),
        options=question_target.find_options(text),
        letters=question_target.find_letters(text),
        asks_expression=question_target.asks_expression(text),
        asks_code=_CODE in found and "how many" not in text.casefold(),
        asks_time=_TIME_OF_DAY in found,
        asks_date=_DATE in found,
        asks_one=_ONE_OF_SEVERAL in found,
        asks_real_set=_REAL_SET in found,
    )


def names_significant_figures(question: str) -> bool:
    """Whether the question asks for significant figures, with which whole numbers that differ may be equal."""
    text = question[-MAX_QUESTION_CHARACTERS:]
    return _occurs(_SIGNIFICANT_FIGURES, text, text.casefold())


def _search_all(text: str) -> set[re.Pattern[str]]:
    """The patterns of `_WORDS` that match somewhere in the text."""
    lowered = text.casefold()
    return {pattern for pattern in _WORDS if _occurs(pattern, text, lowered)}


def _occurs(pattern: re.Pattern[str], text: str, lowered: str) -> bool:
    """Whether a pattern of `_WORDS` matches somewhere in the text, which is given in lower case as well."""
    words = (_ASCII_WORDS if lowered.isascii() else _WORDS)[pattern]
    return any(map(lowered.__contains__, words)) and pattern.search(text) is not None


def _asks_percent(text: str) -> bool:
    """Whether a percentage is asked for: `what percent`, `as a percentage`, `x%`; in `20% of 50` it is given."""
    if _PERCENT_TO_COMPLETE.search(text):
        return True
    for sign in deque(_PERCENT.finditer(text), maxlen=MAX_SIGNS):
        before = text[max(0, sign.start() - _CONTEXT_CHARACTERS) : sign.start()]
        if _NEAREST_PERCENT.search(before) or (not _GIVEN_PERCENT.search(before) and _ASKED_PERCENT.search(before)):
            return True
    return False


def _find_places(text: str, found: Container[re.Pattern[str]]) -> int | None:
    """The decimal places that the question asks for last; `found` are the patterns that occur in it."""
    places_at = dict[int, int]()
    for match in _NEAREST_NAME.finditer(text) if _NEAREST_NAME in found else ():
        name = match[1].lower().replace(" thousandth", "-thousandth")
        if name in _PLACES_OF_NAME:
            places_at[match.start()] = _PLACES_OF_NAME[name]
    for match in _DECIMAL_PLACES.finditer(text) if _DECIMAL_PLACES in found else ():
        places_at[match.start()] = _read_count(match[1])
    for match in _PLACES_IN_OTHER_WORDS.finditer(text) if _PLACES_IN_OTHER_WORDS in found else ():
        places_at[match.start()] = _read_count(match[match.lastindex or 1])
    return places_at[max(places_at)] if places_at else None


def _find_significant_figures(text: str) -> int | None:
    matches = list(_SIGNIFICANT_FIGURES.finditer(text))
    return _read_count(matches[-1][matches[-1].lastindex or 1]) if matches else None


def _read_count(word: str) -> int:
    return _COUNT_OF_WORD.get(word.lower()) or int(word)
