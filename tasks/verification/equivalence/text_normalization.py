r"""Normalizes answers as texts: removes formatting, and distinguishes words from products of letters.

Math-Verify reads `yes` as a product of three letters, so that an anagram is equal. Here words are compared as words.
"""

import re

from tasks.verification.equivalence.notation import detach_unit, unify_commands, unify_signs, unify_systems
from tasks.verification.equivalence.units import to_singular
from tasks.verification.math_verify.verdict import LATEX_THOUSANDS

_WRAPPINGS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"))
# matches all of "$5$%", r"\(5\)\%", not of "$5%$", "5%"
_PERCENT_AFTER = re.compile(r"(?:\$([^$]++)\$|\\\(((?:[^\\]|\\[^)])++)\\\)) ?\\?%")
# matches r"3\,000", r"x \quad y", not r"3\\,4", r"\quadx"
_SPACING = re.compile(r"(?<!\\)\\[!,;: ]|~|\\q?quad(?![A-Za-z])")
# matches r"\text{cats}", r"\mathrm {cm}", not r"\text{a{b}}", r"\sqrt{2}"
_TEXT_COMMAND = re.compile(r"\\(?:text|textrm|textbf|textit|mathrm|mbox)\s*+\{([^{}]*+)\}")
# matches r"30^\circ", r"30^{\circ}", not r"f \circ g", "30^2"
DEGREE_SIGN = re.compile(r"\^ ?(?:\\circ\b|\{ ?\\circ ?\})|°")
# matches "12 cm^2", "12 m^{3}.", not "x^2", "12 cm^4"
_UNIT_POWER = re.compile(r"(?<=[0-9})] )([A-Za-z]++) ?\^ ?(?:([23])|\{([23])\}) ?\.?$")
_LETTER_UNITS = {"m": "meter", "g": "gram", "s": "second", "L": "liter", "l": "liter"}
"""Letters that are units in text commands, and variables in mathematics."""
_UNIT_ENDS = frozenset("mgtinLl23}. ")
"""Last characters of a unit that may be glued to its number."""
# matches r"\sqrt", r"\begin{align*}", not "sqrt", r"\{"
_COMMAND = re.compile(r"\\(?:begin|end)\{[a-z*]*+\}|\\[A-Za-z]++")
_PLAIN_WORD = re.compile(r"[A-Za-z]{3,}+|\bno\b", re.IGNORECASE)
# matches "7 p.m.", r"7\text{ am}", not "7 amps", "pm"
_HOUR = re.compile(r"[0-9] ?(?:\\text\{)? ?[ap]\.? ?m\b", re.IGNORECASE)
_BLANK = re.compile(r"(?<![0-9]) | (?![0-9])")
"""A blank that can be dropped; between two digits it separates numbers."""
# matches r"\frac 1 2", not r"\frac12", r"\frac{1}{2}"
_FRACTION = re.compile(r"(\\[dt]?frac) ?([0-9]) ([0-9])")
_ONLY_WORDS = re.compile(r"[A-Za-z',;:! -]++")
MATH_NAMES = frozenset(
    {
        *("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "arccot", "arcsec", "arccsc", "sinh"),
        *("cosh", "tanh", "log", "exp", "lim", "max", "min", "sup", "inf", "gcd", "lcm", "det", "mod", "sqrt", "frac"),
        *("alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "sigma", "omega", "phi", "psi", "abs"),
        *("infinity", "infty", "and"),
    }
)
"""Runs of three or more letters that Math-Verify does not read as a product of variables."""
NON_UNIT_NAMES = (MATH_NAMES | {"ln", "lg", "pi"}) - {
    "sec",
    "min",
    "max",
    "sup",
    "inf",
    "det",
    "abs",
    "mod",
    "psi",
    "and",
}
"""Names that are no words or units after a number, including those with two letters."""
NEGATIVE_WORDS = frozenset(
    {"no", "not", "none", "never", "nothing", "undefined", "empty", "impossible", "nonexistent", "dne", "false", "null"}
)
AFFIRMATIVE_WORDS = frozenset({"yes", "true", "correct", "right"})
MAX_DATE_WORDS = 5
"""Longer texts are sentences, in which `sun` and `mar` are no names of days and months."""
_CALENDAR = (
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    *(
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ),
)
_ABBREVIATIONS = {
    **{name[:3]: name for name in _CALENDAR},
    **{"tues": "tuesday", "wednes": "wednesday", "thur": "thursday", "thurs": "thursday", "sept": "september"},
}
"""Short names of days and months: `Sat.` and `Saturday` are the same."""
CHOICE_LETTER = re.compile(r"\(?([A-Za-z])\)?")
"""A letter that names a choice."""


def has_words(text: str) -> bool:
    r"""Whether it contains a word: three letters outside of commands, two inside of `\text{}`, or a time of day."""
    words = [word for inside in _TEXT_COMMAND.findall(text) for word in re.findall("[A-Za-z]{2,}", inside)]
    if _HOUR.search(text):
        return True
    words += _PLAIN_WORD.findall(_COMMAND.sub(" ", _TEXT_COMMAND.sub(" ", text)))
    return any(word.casefold() not in MATH_NAMES and word.casefold() not in ("pi", "or", "ln") for word in words)


def drop_text_commands(text: str) -> str:
    r"""`text` without `\text{}` and similar commands and their contents."""
    return _TEXT_COMMAND.sub(" ", text)


def is_only_words(text: str) -> bool:
    """Whether it consists of words only."""
    return _ONLY_WORDS.fullmatch(strip_formatting(text).rstrip(". ")) is not None


def normalize(text: str) -> str:
    """The form compared as text: words without case, plural, articles and punctuation; anything else without blanks."""
    plain = strip_formatting(text).rstrip(". ")
    if choice := CHOICE_LETTER.fullmatch(plain):
        return choice[1]
    if not has_words(text):
        return _BLANK.sub("", plain)
    words = [word.strip(",;:!").casefold() for word in plain.split()]
    words = [_ABBREVIATIONS.get(word.rstrip("."), word) for word in words] if len(words) < MAX_DATE_WORDS else words
    return " ".join(to_singular(word) for word in words if word not in ("a", "an", "the"))


def strip_formatting(text: str) -> str:
    """`text` without formatting signs around and inside a number, and without double blanks."""
    text = _drop_final_stop(unify_signs(text.strip()))
    if text.endswith("%") and (match := _PERCENT_AFTER.fullmatch(text)):
        text = f"{match[1] or match[2]}%"
    for left, right in _WRAPPINGS:
        if len(text) > len(left + right) and text.startswith(left) and text.endswith(right):
            text = text[len(left) : -len(right)].strip()
    if "\\" in text or text[-1:] == "2":
        text = unify_commands(unify_systems(text))
    text = LATEX_THOUSANDS.sub(",", text).replace("\\$", "$").replace("\\%", "%").replace("\N{MINUS SIGN}", "-")
    text = DEGREE_SIGN.sub(" degrees", _SPACING.sub(" ", _TEXT_COMMAND.sub(_expand_unit, text)))
    text = detach_unit(text) if text[-1:] in _UNIT_ENDS else text
    return _FRACTION.sub(r"\1\2\3", _UNIT_POWER.sub(_format_power, " ".join(text.split())))


def _drop_final_stop(text: str) -> str:
    """`$5$` of `$5$.`: a stop behind a closing sign would hide that the signs belong together."""
    if text[-1:] in (".", ",", ";", ":"):
        before = text.rstrip(" .,;:")
        if before.endswith(("$", r"\)", r"\]", "**")):
            return before
    return text


def _expand_unit(match: re.Match[str]) -> str:
    return " " + _LETTER_UNITS.get(match[1].strip(), match[1])


def _format_power(match: re.Match[str]) -> str:
    return match[1] + ("²" if "2" in (match[2], match[3]) else "³")
