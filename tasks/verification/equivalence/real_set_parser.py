r"""Parses conditions on one letter and sets of numbers as sets of reals: `x<3 or x>5`, `|x|<2`, `\{x : x>2\}`."""

import re
from functools import reduce
from typing import NamedTuple

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_parser import parse_shape, split_top_level
from tasks.verification.equivalence.answer_shapes import Collection, Relation, Scalar, Shape
from tasks.verification.equivalence.exact_value import Value
from tasks.verification.equivalence.polynomials import INFINITY, ONE, NoExactForm, limit_work
from tasks.verification.equivalence.real_sets import (
    ALL_REALS,
    Interval,
    RealSet,
    complement,
    intersect,
    is_surely_interval,
    make_end,
    read_set,
    unite,
)

MAX_PARTS = 12
"""Conditions and sets of one answer."""
# matches "x<3", r"\cup", r"\mathbb{R}", r"x \ne 2", r"x\in A", "all real numbers", not "(1,2)", "x=3", r"\left("
SET_SIGN = re.compile(
    r"[<>≤≥≠∪∈]|\\(?:lt|gt|[lg]e(?:q|qslant)?|neq?|in|cup|setminus|mathbb)(?![A-Za-z])|\ball\s+real|\bx\s*!="  # noqa: RUF001
)
"""Signs of conditions and sets; without any of them a text is no set of reals in need of this parser."""
# matches " or ", r"\cup ", not "order", " and "
_OR = re.compile(r"\s*(?:\bor\b|\\lor(?![A-Za-z])|\\vee(?![A-Za-z])|\\cup(?![A-Za-z])|∪)\s*")  # noqa: RUF001
# matches " and ", ", ", r" \cap ", not "band", " or "
_AND = re.compile(r"\s*(?:,?\s*\b(?:and|but)\b|\\land(?![A-Za-z])|\\wedge(?![A-Za-z])|\\cap(?![A-Za-z])|∩|,|;)\s*")
# matches r"\setminus ", r"} - \{", not "x - 1", r"\set"
_SET_MINUS = re.compile(r"\s*\\setminus(?![A-Za-z])\s*|(?<=\})\s*-\s*(?=\\\{)")
# matches all of r"\mathbb{R}", "all real numbers", r"(-\infty, \infty)", not of "R", r"\mathbb{Z}"
_REALS = re.compile(r"\\mathbb ?\{? ?R ?\}?|\\R(?![A-Za-z])|all real(?: numbers?)?(?: x)?|\(-\\infty, ?\\infty\)")
# matches all of r"x \in \mathbb{R}", r"x\in\mathbb R", not of r"x \in \mathbb{Z}", "x > 2"
_MEMBER_OF_REALS = re.compile(r"([A-Za-z]) ?(?:\\in|∈) ?\\mathbb ?\{? ?R ?\}?")
# matches all of r"\{x : x>2\}", r"\{ x \in \mathbb{R} \mid x>2 \}", not of r"\{1,2\}", r"\{x^2 : x>2\}"
_BUILDER = re.compile(
    r"\\?\\\{ ?([A-Za-z])(?: ?(?:\\in|∈) ?\\mathbb ?\{? ?R ?\}?)? ?(?:\\?[:|]|\\mid|\\vert|\\,) ?(.+?) ?\\\}"
)
# matches all of "|x| < 3", r"|x-1| \ge 2", not of "|x| + |y| < 3", "3 < |x|"
_ABSOLUTE = re.compile(
    r"(?:\||\\lvert ?)([^|<>]+?)(?:\||\\rvert) ?"
    r"(<|>|\\[lg]eq?(?:slant)?(?![a-z])|≤|≥|\\[lg]t(?![a-z])) ?([^<>|]+)"
)
# matches r"\left", r"\,", not r"\leftarrow", "left"
_LAYOUT = re.compile(r"\\(?:left|right|,|;|:|!)(?![A-Za-z])")


_PLUS_INFINITY = exact_value.make_symbol(INFINITY)
_MINUS_INFINITY = exact_value.negate(_PLUS_INFINITY)


class ParsedSet(NamedTuple):
    """A set of reals and the letter it is about, if the text names one. `is_pair`: it may be a pair of numbers."""

    real_set: RealSet
    letter: str
    is_pair: bool = False
    has_condition: bool = False


def parse_real_set(text: str) -> ParsedSet | None:
    """The set of real numbers that a text without formatting describes; None if it is none for certain."""
    try:
        with limit_work():
            return _parse(_LAYOUT.sub("", text).strip(" ."))
    except (NoExactForm, RecursionError):
        return None


def _parse(text: str) -> ParsedSet | None:
    if _REALS.fullmatch(text):
        return ParsedSet(ALL_REALS, "")
    if member := _MEMBER_OF_REALS.fullmatch(text):
        return ParsedSet(ALL_REALS, member[1], False, True)
    if builder := _BUILDER.fullmatch(text):
        inside = _parse(builder[2])
        return inside if inside and inside.letter in ("", builder[1]) else None
    for separator, join in ((_OR, _unite_all), (_AND, _intersect_all), (_SET_MINUS, _subtract)):
        parts = split_top_level(text, separator)
        if 1 < len(parts) <= MAX_PARTS:
            parsed = [_parse(part.strip()) for part in parts]
            known = [each for each in parsed if each]
            return join(known) if len(known) == len(parsed) else None
    return _parse_absolute(text) or _parse_single(text)


def _find_letter(parts: list[ParsedSet]) -> str | None:
    """The letter that all the parts are about; None if there are several."""
    letters = {part.letter for part in parts} - {""}
    return None if len(letters) > 1 else next(iter(letters), "")


def _unite_all(parts: list[ParsedSet]) -> ParsedSet | None:
    letter = _find_letter(parts)
    spans = [span for part in parts for span in part.real_set]
    return None if letter is None else ParsedSet(unite(spans), letter, False, any(part.has_condition for part in parts))


def _intersect_all(parts: list[ParsedSet]) -> ParsedSet | None:
    """Conditions that hold together. None if they exclude each other: then a list of alternatives may be meant."""
    letter = _find_letter(parts)
    if letter is None or not all(part.has_condition for part in parts):
        return None
    both = reduce(intersect, (part.real_set for part in parts))
    return ParsedSet(both, letter, False, True) if both else None


def _subtract(parts: list[ParsedSet]) -> ParsedSet | None:
    letter = _find_letter(parts)
    rest = reduce(intersect, (complement(part.real_set) for part in parts[1:]), parts[0].real_set)
    return None if letter is None else ParsedSet(rest, letter)


def _parse_absolute(text: str) -> ParsedSet | None:
    """`|x| < a` as `-a < x < a`, and `|x| > a` as its opposite."""
    match = _ABSOLUTE.fullmatch(text)
    if match is None:
        return None
    inside, sign, bound = match.groups()
    if sign in ("<", "≤", "\\lt") or sign.startswith("\\le"):
        return _parse_single(f"-({bound}) {sign} {inside} {sign} {bound}")
    low, high = _parse_single(f"-({bound}) {sign} {inside}"), _parse_single(f"{inside} {sign} {bound}")
    return _unite_all([low, high]) if low and high else None


def _parse_single(text: str) -> ParsedSet | None:
    shape = parse_shape(text)
    if isinstance(shape, Relation):
        return _read_relation(shape)
    if not isinstance(shape, Collection) or shape.kind == "list":
        return None
    real_set = read_set((shape,))
    return (
        None if real_set is None else ParsedSet(real_set, "", shape.kind == "tuple" and not is_surely_interval(shape))
    )


def _read_relation(relation: Relation) -> ParsedSet | None:
    """The numbers for which a chain of relations between terms of degree one in the same letter holds."""
    if relation.signs == ("\\in",):
        return _read_membership(*relation.sides)
    parts = list[ParsedSet]()
    for left, sign, right in zip(relation.sides, relation.signs, relation.sides[1:], strict=False):
        if not isinstance(left, Scalar) or not isinstance(right, Scalar):
            return None
        if sign == "<" and (left.value == _MINUS_INFINITY or right.value == _PLUS_INFINITY):
            continue
        part = _solve(exact_value.add(right.value, exact_value.negate(left.value)), sign)
        if part is None:
            return None
        parts.append(part)
    letter = _find_letter(parts) if parts else None
    if letter is None:
        return None
    real_set = reduce(intersect, (part.real_set for part in parts))
    return ParsedSet(real_set, letter, False, relation.signs != ("=",))


def _read_membership(name: Shape, members: Shape) -> ParsedSet | None:
    letter = _find_single_letter(name)
    real_set = read_set(getattr(members, "pieces", (members,)))
    return ParsedSet(real_set, letter, False, True) if letter and real_set is not None else None


def _find_single_letter(shape: Shape) -> str:
    letters = shape.value.letters if isinstance(shape, Scalar) else set()
    return next(iter(letters)) if len(letters) == 1 else ""


def _solve(difference: Value, sign: str) -> ParsedSet | None:
    """Where a term of degree one in one letter is positive (`<`), not negative (`\\le`), zero or not zero."""
    letters = difference.letters - {INFINITY}
    if difference.bottom is not ONE or len(letters) != 1 or INFINITY in difference.letters:
        return None
    (letter,) = letters
    slope = difference.top.get(((letter, 1),))
    rest = {mono: number for mono, number in difference.top.items() if mono != ((letter, 1),)}
    if slope is None or not letter.isprintable() or any(letter == base for mono in rest for base, _ in mono):
        return None
    end = make_end(exact_value.divide(exact_value.negate(Value(rest, ONE)), exact_value.make_rational(slope)))
    if end is None:
        return None
    point = (Interval(end, True, end, True),)
    if sign in ("=", "\\ne"):
        return ParsedSet(point if sign == "=" else complement(point), letter, False, sign == "\\ne")
    is_closed = sign == "\\le"
    ray = Interval(end, is_closed, None, False) if slope > 0 else Interval(None, False, end, is_closed)
    return ParsedSet((ray,), letter, False, True)
