"""Labels a pair of answers as equal or different by an evaluator of its own, which shares no code with the verifier.

It reads a small part of LaTeX and evaluates with some hundred digits, at random points where there are letters. What
it cannot read for certain it does not label: every doubtful reading (mixed number or product, `i` and `e` as constants
or as letters) must lead to the same label.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import mpmath

Label = Literal["equal", "different"]
Value = Any
"""A number of mpmath, real or complex."""
World = tuple[bool, bool]
"""One way to read a text: whether `2\\frac12` is a mixed number, and whether `i` and `e` are constants."""

DIGITS = 120
"""Decimal digits of every evaluation, in addition to those of the text."""
MAX_EXPONENT = 10_000
_FACTORS: dict[str, tuple[str, Fraction]] = {
    "mm": ("length", Fraction(1)),
    "cm": ("length", Fraction(10)),
    "m": ("length", Fraction(1000)),
    "km": ("length", Fraction(1000000)),
    "inch": ("length", Fraction(254, 10)),
    "foot": ("length", Fraction(3048, 10)),
    "yard": ("length", Fraction(9144, 10)),
    "mile": ("length", Fraction(1609344)),
    "second": ("time", Fraction(1)),
    "minute": ("time", Fraction(60)),
    "hour": ("time", Fraction(3600)),
    "day": ("time", Fraction(86400)),
    "week": ("time", Fraction(604800)),
    "cent": ("money", Fraction(1)),
    "dollar": ("money", Fraction(100)),
    "ounce": ("mass", Fraction(28349523125, 1000000000)),
    "pound": ("mass", Fraction(45359237, 100000)),
    "gram": ("mass", Fraction(1)),
    "kg": ("mass", Fraction(1000)),
    "ton": ("mass", Fraction(1000000)),
    "degree": ("angle", Fraction(1)),
    "percent": ("share", Fraction(1, 100)),
}
"""Units of measure: dimension, and size in a common unit."""
_SPELLINGS = {
    "inches": "inch",
    "in": "inch",
    "feet": "foot",
    "ft": "foot",
    "meter": "m",
    "metre": "m",
    "kilometer": "km",
    "centimeter": "cm",
    "millimeter": "mm",
    "kilogram": "kg",
    "hr": "hour",
    "min": "minute",
    "sec": "second",
    "lb": "pound",
    "oz": "ounce",
    "g": "gram",
}
# matches "1,234", "12,345,678.5", not "1,23", "01,234"
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:(?:,|\{,\})[0-9]{3})+(?:\.[0-9]+)?")
# matches "12", "0.5", ".5", r"\frac", "x", "(", not " "
_TOKEN = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)|(?P<command>\\[A-Za-z]+)|(?P<sign>.)", re.DOTALL)
# matches r"\text{ cm}^2", r"\mbox{ feet}", "cm", "square inches", not "xy", r"\pi"
_UNIT_TAIL = re.compile(
    r"(?:\\(?:text|mbox|mathrm|textrm)\s*\{\s*([A-Za-z .]+?)\s*\}|(?<![A-Za-z\\{])\s([A-Za-z]{2,}))"
    r"\s*(?:\^\{?([23])\}?)?\s*\Z"
)
# matches r"\text{Evelyn}", "even", "odd function", not "x", "xy", "2 cm"
_WORDS = re.compile(r"(?:\\(?:text|mbox|textbf|mathrm)\{([A-Za-z][A-Za-z ]+)\}|([A-Za-z][a-z]{2,}(?: [A-Za-z]+)*))")
# matches r"\text{(A)}", "(B)", r"\textbf{(C)}", r"\text{D}", not "A", "(AB)"
_CHOICE = re.compile(r"(?:\\(?:text|textbf|mathrm)\{)?\(([A-J])\)\}?|\\text\{([A-J])\}")
# matches r"\begin{pmatrix}1\\2\end{pmatrix}", not r"\begin{cases}1\\2\end{cases}"
_MATRIX = re.compile(r"\\begin\{([pbv]matrix)\}(.*)\\end\{\1\}", re.DOTALL)
# matches "y = 2x+1", "x=4", not "2x = 4", "x = y = 1"
_NAMED = re.compile(r"([A-Za-z]) *= *([^=<>]+)")
# matches "506_7", "152A_{11}", not "x_1"
_BASE = re.compile(r"([0-9][0-9A-Z]*)_\{?([0-9]{1,2})\}?")
_INTERVAL_QUESTION = re.compile(r"interval|range|domain|inequalit", re.IGNORECASE)
_ASKED_UNIT = re.compile(
    r"how many (?:more |total |whole )?(mm|cm|meters|kilometers|inches|feet|yards|miles|seconds|minutes|hours|days|"
    r"weeks|cents|dollars|ounces|pounds|grams|kilograms|tons)\b",
    re.IGNORECASE,
)
# matches "percent", "percentage", "%", not "per cent of"
PERCENT_QUESTION = re.compile(r"percent|%", re.IGNORECASE)


class Unreadable(Exception):
    """The text cannot be read for certain."""


class Answer(NamedTuple):
    """An answer as it was read."""

    kind: Literal["scalar", "tuple", "list", "set", "union", "matrix", "equation", "text", "choice"]
    parts: tuple[str, ...]
    """Texts of the numbers, in order; the words or the letter of the others."""
    frame: str = ""
    """Brackets of a tuple, rows of a matrix, or the name before an equals sign."""
    unit: str = ""
    power: int = 1
    """Power of the unit."""


def asked_unit(question: str) -> str:
    """The unit that `How many hours ...` asks for, as it is written; empty if none or several are asked for."""
    units = {match[1].lower() for match in _ASKED_UNIT.finditer(question)}
    return units.pop() if len(units) == 1 else ""


def label(gold: str, answer: str, question: str) -> Label | None:
    """Whether two answers to `question` are equal or different; None: not certain."""
    try:
        one, other = read(gold), read(answer)
    except Unreadable:
        return None
    if one.kind != other.kind:
        return _label_kinds(one, other, question)
    if one.kind in ("text", "choice"):
        return "equal" if one.parts == other.parts else "different"
    if one.kind == "scalar":
        return _label_scalars(one, other, question)
    if one.kind in ("list", "set", "union"):
        return _label_lists(one, other, _label_tuples if one.kind == "union" else _label_texts)
    if one.kind == "equation" and one.frame != other.frame:
        return None
    if len(one.parts) != len(other.parts):
        return "different"
    if one.frame != other.frame:
        is_interval = bool(_INTERVAL_QUESTION.search(question)) or one.frame in ("(]", "[)") or "\\infty" in gold
        return "different" if is_interval and len(one.parts) == 2 and one.kind == "tuple" else None
    return _label_in_order(one, other)


def _label_in_order(one: Answer, other: Answer) -> Label | None:
    labels = [_label_texts(*pair) for pair in zip(one.parts, other.parts, strict=True)]
    if "different" in labels:
        return "different"
    return "equal" if all(each == "equal" for each in labels) else None


def _label_tuples(left: str, right: str) -> Label | None:
    one, other = read(left), read(right)
    return "different" if one.frame != other.frame else _label_in_order(one, other)


def _label_kinds(one: Answer, other: Answer, question: str) -> Label | None:
    """A list of which all but one are missing is another answer, unless one of them is asked for."""
    if one.kind in ("list", "tuple") and other.kind == "scalar" and not other.unit:
        inside = {_label_texts(part, other.parts[0]) for part in one.parts}
        asks_one = re.search(r"\b(?:one|any|an?|possible|either)\b", question)
        if one.kind == "list" and asks_one and inside != {"different"}:
            return None
        return "different" if None not in inside and len(one.parts) > 1 and "different" in inside else None
    return None


def _label_lists(one: Answer, other: Answer, compare: Callable[[str, str], Label | None]) -> Label | None:
    rest = list(other.parts)
    for part in one.parts:
        labels = [compare(part, each) for each in rest]
        if "equal" in labels:
            del rest[labels.index("equal")]
        elif None in labels:
            return None
        else:
            return "different"
    if not rest:
        return "equal"
    return "different" if all(compare(part, rest[0]) == "different" for part in one.parts) else None


def _label_scalars(one: Answer, other: Answer, question: str) -> Label | None:
    (left,), (right,) = one.parts, other.parts
    if (one.unit, one.power) == (other.unit, other.power):
        return _label_texts(left, right)
    if "percent" in (one.unit, other.unit) and PERCENT_QUESTION.search(question):
        return None
    if not one.unit and other.unit and (asked := asked_unit(question)):
        one = one._replace(unit=_name_unit(asked))
    if any(each.unit and each.unit not in _FACTORS for each in (one, other)):
        return None
    if one.unit and other.unit:
        sizes = [_size_of(each) for each in (one, other)]
        if sizes[0][0] != sizes[1][0]:
            return "different"
        return _label_ratio(left, right, {sizes[1][1] / sizes[0][1]})
    if "percent" in (one.unit, other.unit):
        factor = Fraction(1, 100) if other.unit else Fraction(100)
        return _label_ratio(left, right, {factor})
    known = one if one.unit else other
    dimension, size = _size_of(known)
    factors = {size / (each**known.power) for name, each in _FACTORS.values() if name == dimension.split("^")[0]}
    said = _label_ratio(left, right, factors | {1 / factor for factor in factors} | {Fraction(1)})
    return "different" if said == "different" else None


def _label_ratio(left: str, right: str, factors: set[Fraction]) -> Label | None:
    """Different if `right` times no factor is `left`; equal if there is one factor and it fits."""
    labels = {_label_texts(left, f"({right})*{factor.numerator}/{factor.denominator}") for factor in factors}
    if labels == {"different"}:
        return "different"
    return "equal" if labels == {"equal"} else None


def _size_of(answer: Answer) -> tuple[str, Fraction]:
    dimension, size = _FACTORS[answer.unit]
    return f"{dimension}^{answer.power}", size**answer.power


@lru_cache(maxsize=65536)
def read(text: str) -> Answer:
    """Read an answer. Raises `Unreadable`."""
    plain = text.strip()
    if plain.startswith("$") and plain.endswith("$") and len(plain) > 2:
        plain = plain[1:-1].strip()
    if "$" in plain.replace("\\$", ""):
        raise Unreadable(text)
    plain = plain.replace("\\left", "").replace("\\right", "").replace("\\!", "")
    if match := _MATRIX.fullmatch(plain):
        rows = [[cell.strip() for cell in row.split("&")] for row in re.split(r"\\\\", match[2]) if row.strip()]
        if len({len(row) for row in rows}) != 1:
            raise Unreadable(text)
        return _checked(Answer("matrix", tuple(itertools.chain(*rows)), f"{match[1]} {len(rows)}"))
    plain = re.sub(r"\\[,;:]|\\ |~", " ", plain).strip()
    if match := _CHOICE.fullmatch(plain):
        return Answer("choice", (match[1] or match[2],))
    if match := _WORDS.fullmatch(plain):
        return Answer("text", (" ".join((match[1] or match[2]).casefold().split()),))
    if "\\cup" in plain:
        intervals = [read(part) for part in plain.split("\\cup")]
        if any(each.kind != "tuple" or len(each.parts) != 2 for each in intervals):
            raise Unreadable(text)
        return Answer("union", tuple(part.strip() for part in plain.split("\\cup")))
    if match := _NAMED.fullmatch(plain):
        if match[1] in re.sub(r"\\[A-Za-z]+", "", match[2]):
            raise Unreadable(text)
        return _checked(Answer("equation", (match[2],), match[1]))
    if match := _BASE.fullmatch(plain):
        base = int(match[2])
        if not 2 <= base <= 36 or not all(int(digit, 36) < base for digit in match[1]):
            raise Unreadable(text)
        return Answer("scalar", (str(int(match[1], base)),), unit="base", power=base)
    unit, power = "", 1
    if plain.startswith("\\$"):
        plain, unit = plain[2:].strip(), "dollar"
    for sign, name in (("\\%", "percent"), ("%", "percent"), ("^\\circ", "degree"), ("^{\\circ}", "degree")):
        if plain.endswith(sign) and not unit:
            plain, unit = plain.removesuffix(sign).strip(), name
    if not unit and (match := _UNIT_TAIL.search(plain)):
        unit, power = _read_unit(match)
        plain = plain[: match.start()].strip()
    if _THOUSANDS.fullmatch(plain.lstrip("-")):
        return Answer("scalar", (plain.replace("{,}", "").replace(",", ""),), unit=unit, power=power)
    items = _split(plain, ",")
    if len(items) > 1:
        if unit or any(re.fullmatch(r"[0-9]{3}(?:\.[0-9]+)?", item) for item in items[1:]):
            raise Unreadable(text)  # `1,000` in a list
        return _checked(Answer("list", tuple(items)))
    first, last = plain[:1], plain[-1:]
    if first in "([" and last in ")]" and first and (inner := _inside(plain)) is not None:
        items = _split(inner, ",")
        if len(items) > 1 and not unit:
            if any(re.fullmatch(r"[0-9]{3}(?:\.[0-9]+)?", item.strip()) for item in items[1:]):
                raise Unreadable(text)
            return _checked(Answer("tuple", tuple(items), first + last))
    if plain.startswith("\\{") and plain.endswith("\\}"):
        return _checked(Answer("set", tuple(_split(plain[2:-2], ","))))
    return _checked(Answer("scalar", (plain,), unit=unit, power=power))


def _read_unit(match: "re.Match[str]") -> tuple[str, int]:
    words = (match[1] or match[2]).casefold().replace(".", "").split()
    power = int(match[3] or 1)
    if words and words[0] in ("square", "sq", "cubic", "cu"):
        power = 2 if words[0].startswith("s") else 3
        del words[0]
    if len(words) != 1:
        return " ".join(words), power
    return _name_unit(words[0]), power


def _name_unit(word: str) -> str:
    name = _SPELLINGS.get(word, word)
    return name if name in _FACTORS else _SPELLINGS.get(name.removesuffix("s"), name.removesuffix("s"))


def _checked(answer: Answer) -> Answer:
    for part in answer.parts:
        _worlds_of(part)
    return answer


def _inside(text: str) -> str | None:
    """What stands between the first and the last bracket, if they belong together."""
    depth = 0
    for at, sign in enumerate(text):
        depth += sign in "([{"
        depth -= sign in ")]}"
        if depth == 0:
            return text[1:-1] if at == len(text) - 1 else None
    return None


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators outside of brackets. Raises `Unreadable` if the brackets do not match."""
    parts, depth, start = list[str](), 0, 0
    for at, sign in enumerate(text):
        depth += sign in "([{"
        depth -= sign in ")]}"
        if depth < 0:
            raise Unreadable(text)
        if sign == separator and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    if depth:
        raise Unreadable(text)
    return [*parts, text[start:].strip()]


@lru_cache(maxsize=65536)
def _label_texts(left: str, right: str) -> Label | None:
    """Whether two numbers or expressions are equal in every reading, or different in every reading."""
    try:
        ones, others = _worlds_of(left), _worlds_of(right)
    except Unreadable:
        return None
    labels: set[Label | None] = set()
    for world in {*ones, *others}:
        labels.add(_label_values(_pick(ones, world), _pick(others, world), len(left) + len(right)))
    return labels.pop() if len(labels) == 1 else None


def _pick(worlds: dict[World, list[Value]], world: World) -> list[Value]:
    return worlds[world]


def _label_values(left: list[Value], right: list[Value], size: int) -> Label | None:
    with mpmath.workdps(DIGITS + size):
        gaps = []
        for one, other in zip(left, right, strict=True):
            if one is None or other is None:
                return "equal" if one is other is None else "different" if mpmath.isfinite(one or other) else None
            if mpmath.isinf(one) or mpmath.isinf(other):
                gaps.append(mpmath.mpf(0) if one == other else mpmath.mpf(1))
                continue
            scale = max(abs(one), abs(other), mpmath.mpf(10) ** -30)
            gaps.append(abs(one - other) / scale)
        if any(gap > mpmath.mpf(10) ** -25 for gap in gaps):
            return "different"
        return "equal" if all(gap < mpmath.mpf(10) ** -(DIGITS // 2) for gap in gaps) else None


POINTS = 3


@lru_cache(maxsize=65536)
def _worlds_of(text: str) -> dict[World, list[Value]]:
    """The values of a text at several points, in each reading. Raises `Unreadable`."""
    if not text or len(text) > 300:
        raise Unreadable(text)
    worlds: dict[World, list[Value]] = {}
    for world in itertools.product((True, False), repeat=2):
        with mpmath.workdps(DIGITS + 2 * len(text)):
            try:
                worlds[world] = [_Evaluation(text, world, point).value() for point in range(POINTS)]
            except (ArithmeticError, ValueError, OverflowError, TypeError, RecursionError) as error:
                raise Unreadable(text) from error
    return worlds


@lru_cache(maxsize=4096)
def _point(letter: str, number: int) -> Value:
    drawn = random.Random(f"{letter} {number}")
    return mpmath.mpf(drawn.randrange(10**15, 3 * 10**15)) / 10**15 + mpmath.mpf(drawn.randrange(10**6)) / 7919**4


class _Evaluation:
    """One reading of one text at one point."""

    def __init__(self, text: str, world: World, point: int) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0
        self.is_mixed, self.has_constants = world
        self.point = point

    def value(self) -> Value:
        value = self._sum()
        if self.at < len(self.tokens):
            raise ValueError(self.tokens[self.at])
        return value

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self, *expected: str) -> str:
        token = self._peek()
        if not token or (expected and token not in expected):
            raise ValueError(token)
        self.at += 1
        return token

    def _sum(self) -> Value:
        sign = 1
        while self._peek() in ("+", "-") and self._peek():
            sign = -sign if self._take() == "-" else sign
            if self._peek() in ("+", "-"):
                raise ValueError("two signs")
        value = sign * self._product()
        while self._peek() in ("+", "-") and self._peek():
            sign = -1 if self._take() == "-" else 1
            if self._peek() in ("+", "-"):
                raise ValueError("two signs")
            value += sign * self._product()
        return value

    def _product(self) -> Value:
        value = self._power()
        divided = False
        while token := self._peek():
            if token in ("*", "\\cdot", "\\times"):
                self._take()
                value *= self._power(may_be_signed=False)
                divided = False
            elif token in ("/", "\\div"):
                if divided:
                    raise ValueError("two divisions")
                self._take()
                value /= self._power(may_be_signed=False)
                divided = True
            elif token in "+-)]}&|" or token == ",":
                break
            else:
                if divided or (_is_number(token)):
                    raise ValueError("product of unclear extent")  # 1/2x, x2
                value *= self._power(may_be_signed=False)
        return value

    def _power(self, may_be_signed: bool = True) -> Value:
        base = self._atom()
        if self._peek() == "!":
            self._take()
            if self._peek() == "!" or base != int(base) or not 0 <= base <= 2000:
                raise ValueError("factorial")
            base = mpmath.factorial(base)
        if self._peek() != "^":
            return base
        self._take()
        if self._peek() in ("{", "("):
            exponent = self._atom()
        else:
            token = self._take()
            if _is_number(token) and len(token) > 1:
                raise ValueError("2^10 without braces")
            exponent = self._constant_or_letter(token)
        if self._peek() in ("^", "!"):
            raise ValueError("two exponents")
        if abs(exponent) > MAX_EXPONENT:
            raise ValueError("large exponent")
        return mpmath.power(base, exponent)

    def _atom(self) -> Value:
        token = self._take()
        if token in ("(", "[", "{"):
            value = self._sum()
            self._take({"(": ")", "[": "]", "{": "}"}[token])
            return value
        if token == "\\frac":
            return self._argument() / self._argument()
        if token == "\\sqrt":
            degree: Value = 2
            if self._peek() == "[":
                self._take()
                degree = self._sum()
                self._take("]")
            if degree != int(degree) or degree < 2:
                raise ValueError("degree of a root")
            value = self._argument()
            if degree > 2 and (mpmath.im(value) or mpmath.re(value) < 0):
                raise ValueError("root of a negative number")
            return mpmath.root(value, int(degree))
        if _is_number(token):
            value = mpmath.mpf(token)
            if self._peek() == "\\frac" and "." not in token:
                return self._mixed(value)
            return value
        return self._constant_or_letter(token)

    def _mixed(self, whole: Value) -> Value:
        start = self.at
        self._take()
        arguments = self.tokens[start + 1 :]
        is_plain = re.match(r"(?:\{ [0-9]+ \}|[0-9]) (?:\{ [0-9]+ \}|[0-9])(?: |\Z)", " ".join(arguments))
        self.at = start
        if is_plain and self.is_mixed:
            return whole + self._atom()
        return whole * self._atom()

    def _argument(self) -> Value:
        if self._peek() == "{":
            return self._atom()
        token = self._take()
        if _is_number(token) and len(token) > 1:
            raise ValueError("an argument without braces")
        return self._constant_or_letter(token)

    def _constant_or_letter(self, token: str) -> Value:
        if token == "\\pi":
            return +mpmath.pi
        if token == "\\infty":
            return mpmath.inf
        if _is_number(token):
            return mpmath.mpf(token)
        if len(token) == 1 and token.isalpha() and token.isascii():
            if self.has_constants and token in "ei":
                return mpmath.e + 0 if token == "e" else mpmath.mpc(0, 1)
            return _point(token, self.point)
        raise ValueError(token)


def _is_number(token: str) -> bool:
    return token[:1].isdigit() or token[:1] == "."


def _tokens(text: str) -> Iterator[str]:
    for name, with_name in (("\\dfrac", "\\frac"), ("\\tfrac", "\\frac"), ("\\cfrac", "\\frac")):
        text = text.replace(name, with_name)
    if re.search(
        r"[0-9] +[0-9.]|[0-9]\.(?![0-9])|[A-Za-z] *[0-9]|_", re.sub(r"\\[a-z]+", "\\\\x ", text).replace("\\x ", "\\")
    ):
        raise ValueError("digits apart")
    previous = ""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token.isspace():
            continue
        if _is_number(token) and previous in ("\\frac", "\\sqrt", "^") and len(token) > 1:
            if previous == "\\frac" and re.fullmatch("[0-9]{2}", token):
                yield from token  # \frac12
                previous = token
                continue
            raise ValueError(f"{previous} without braces")
        previous = token
        yield token
