r"""Other ways to read an answer: two answers that are equal in one of them are not `wrong`, but `unparseable`.

`7,5` may be a decimal, `C(9,2)` a number of combinations, `3+4j` a complex number, and `\ln 2\, m` a product.
"""

import re
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from tasks.verification.equivalence.question_hints import QuestionHints

# matches "7,5", "0,333", "-2,74", r"1{,}5", "12,5%", not "1,2,3", "1, 2", "1,234"
_DECIMAL_COMMA = re.compile(
    r"(?<![0-9.,])(?![1-9][0-9]{0,2}(?:,|\{,\})[0-9]{3}(?![0-9]))([0-9]+)(?:,|\{,\})([0-9]+)(?![0-9,.])"
)
# matches "1.000,50", not "1.000", "1,000.50"
_EUROPEAN = re.compile(r"(?<![0-9.,])([0-9]{1,3}(?:\.[0-9]{3})+),([0-9]+)(?![0-9,.])")
# matches all of "1.234.567", not of "1.234", "1.23.456"
_POINTS = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{3}){2,}")
# matches all of "1,23,456", "12,34,567", not of "1,234", "1,234,567", "1,2,3"
_INDIAN = re.compile(r"-?[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?")
# matches "C(9,2)", "P(5, 3)", not "C(x)", "AC(9,2)"
_COMBINATIONS = re.compile(r"(?<![A-Za-z])([CP])\s*\(\s*([0-9]+)\s*,\s*([0-9]+)\s*\)")
# matches "C_{8}^{3}", "A_5^2", not "C_8", "c^3"
_COMBINATIONS_IN_INDICES = re.compile(r"([CAP])\s*_\s*\{?\s*([0-9]+)\s*\}?\s*\^\s*\{?\s*([0-9]+)\s*\}?")
# matches "3+4j", "-1j", not "3j_1", "ij"
_PYTHON_IMAGINARY = re.compile(r"(?<=[0-9])j(?![A-Za-z_0-9])")
# matches all of "0x1F", "0b101", not of "0", "x1F"
_PREFIXED = re.compile(r"0x[0-9a-fA-F]{1,15}|0b[01]{1,60}|0o[0-7]{1,20}")
# matches r"\ln 2\, m", r"\sin x \ y", not r"\ln 2m", r"\ln(2) m"
_SPACED_ARGUMENT = re.compile(r"(\\(?:ln|log|lg|sin|cos|tan))\s*([A-Za-z0-9]+)\s*(?:\\[,;: ]|~)\s*(?=[A-Za-z0-9\\])")
# matches r"5\Omega", r"12m^2", r"8 \frac{m}{s^2}", not r"\Omega", r"x\Omega y", r"8\frac{m}{n}"
_UNIT_SIGN = re.compile(
    r"(?<=[0-9}])(?:\s|\\[,;: ])*(?:\\Omega|(?:m|s|g|L|N|J|W|V)(?:\s*\^\s*\{?[23]\}?)?"
    r"|(?:[A-Za-z]{1,3}[\s·]+)+[A-Za-z]{1,3}\s*\^\s*\{?-[1-3]\}?"
    r"|\\[dt]?frac\s*\{\s*(?:m|km|g|kg|J|N)\s*\}\s*\{\s*(?:s|h|L|m|cm|kg)(?:\s*\^\s*\{?[23]\}?)?\s*\})\s*\Z"
)
"""Letters behind a number that are usually a unit, but may be quantities."""
# matches r"\binom{3}{4}", not r"\binom", r"\binom 34"
_BINOMIAL = re.compile(r"\\[dt]?binom\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
# matches "_", "^", r"\mathrm", " ", not "x", r"\pi"
_LAYOUT = re.compile(r"\\(?:mathrm|text|ce|rm)(?![A-Za-z])|[_^{}\s$]|\\[,;:! ]")
# matches all of r"\overline{AB}", r"\overline {PQ}", not of r"\vec{AB}", r"\overline{3}"
_SEGMENT = re.compile(r"\\overline\s*\{\s*([A-Z])\s*([A-Z])\s*\}")
# matches "A(1,3)", "P (2, 5)", not "f(1,3)", "AB(1,3)", "C(9)"
_POINT_NAME = re.compile(r"(?<![A-Za-z\\])[ABD-OQ-Z]\s*(?=\([^()]*,[^()]*\))|\AP\s*(?=\()")
# matches "(1,2), (3,4)", "[1,2) and (3,4]", not "(1,2)", "1,2"
_BETWEEN_INTERVALS = re.compile(r"(?<=[)\]])\s*(?:,|\band\b|,\s*and\b)\s*(?=[(\[])")
# matches " and ", ", ", not "band"
_AND = re.compile(r"\s*,?\s*\band\b\s*|\s*,\s*")
_LETTER = re.compile("[A-Za-z]")
MAX_SHIFT = 12
"""Largest number of digits before and after the point of a number that is rounded."""


def find_readings(text: str) -> Iterator[tuple[str, str]]:
    """The other readings of an answer: the name of each, and the text that says it in the usual way."""
    for rule, read in _READERS:
        other = read(text)
        if other is not None and other != text:
            yield rule, other


def _read_decimal_comma(text: str) -> str | None:
    if "," not in text or (text[:1] in "([" and ";" not in text):
        return None
    if match := _EUROPEAN.search(text):
        return text[: match.start()] + match[1].replace(".", "") + "." + match[2] + text[match.end() :]
    matches = list(_DECIMAL_COMMA.finditer(text))
    if len(matches) != 1 and ";" not in text:
        return None
    return _DECIMAL_COMMA.sub(r"\1.\2", text).replace(";", ",")


def _read_combinations(text: str) -> str | None:
    text = _COMBINATIONS.sub(_format_combinations, text)
    return _COMBINATIONS_IN_INDICES.sub(_format_combinations, text)


def _format_combinations(match: re.Match[str]) -> str:
    n, k = match[2], match[3]
    permutations = f"\\frac{{{n}!}}{{({n}-{k})!}}"
    return f"\\binom{{{n}}}{{{k}}}" if match[1] == "C" else permutations


def _read_prefixed(text: str) -> str | None:
    return str(int(text, 0)) if _PREFIXED.fullmatch(text) else None


_READERS: tuple[tuple[str, Callable[[str], str | None]], ...] = (
    ("decimal_comma", _read_decimal_comma),
    ("thousands", lambda text: text.replace(".", "") if _POINTS.fullmatch(text) else None),
    ("thousands", lambda text: text.replace(",", "") if _INDIAN.fullmatch(text) else None),
    ("set", lambda text: text[2:-2].strip() if text.startswith("\\{(") and text.endswith(")\\}") else None),
    ("combinations", _read_combinations),
    ("imaginary_unit", lambda text: _PYTHON_IMAGINARY.sub("i", text)),
    ("base", _read_prefixed),
    ("argument", lambda text: _SPACED_ARGUMENT.sub(r"\1(\2) \\cdot ", text)),
    ("point", lambda text: _POINT_NAME.sub("", text)),
    ("interval_or_point", lambda text: _BETWEEN_INTERVALS.sub(r"\\cup ", text)),
    ("and_or", lambda text: _AND.sub(" or ", text) if "<" in text or ">" in text else None),
    ("column", lambda text: _BINOMIAL.sub(r"\\begin{pmatrix}\1\\\\\2\\end{pmatrix}", text)),
)


def drop_unit_sign(text: str) -> str:
    """The number in front of letters that are usually a unit."""
    return _UNIT_SIGN.sub("", text)


def differ_in_layout_only(gold: str, answer: str) -> bool:
    """Whether two texts with letters are the same but for indices, exponents, blanks and case: `CO2` and `CO_2`."""
    one, other = (_LAYOUT.sub("", text) for text in (gold, answer))
    return one.casefold() == other.casefold() and _LETTER.search(one) is not None and gold != answer


def are_same_segment(gold: str, answer: str) -> bool:
    r"""Whether both are the same segment, named from either end: `\overline{AB}` and `\overline{BA}`."""
    one, other = _SEGMENT.fullmatch(gold), _SEGMENT.fullmatch(answer)
    return bool(one and other and one.group(1, 2) == other.group(2, 1))


def differ_by_rounding(gold: Decimal, answer: Decimal, hints: QuestionHints) -> bool:
    """Whether the answer is the gold, rounded as the question asks; with significant figures also the reverse."""
    is_reverse = hints.significant_figures is not None and _is_rounded(answer, gold, hints)
    return is_reverse or _is_rounded(gold, answer, hints)


def _is_rounded(exact: Decimal, rounded: Decimal, hints: QuestionHints) -> bool:
    places = [] if hints.decimal_places is None else [hints.decimal_places]
    if hints.significant_figures is not None and exact:
        places.append(hints.significant_figures - exact.adjusted() - 1)
    if exact.adjusted() > MAX_SHIFT:
        return False
    steps = [Decimal(1).scaleb(-each) for each in places if -MAX_SHIFT <= each <= MAX_SHIFT]
    return any(exact.quantize(step, way) == rounded for step in steps for way in (ROUND_HALF_UP, ROUND_HALF_EVEN))
