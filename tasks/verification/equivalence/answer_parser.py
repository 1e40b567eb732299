r"""Reads the shape of an answer from its text: brackets, commas, relations and unions; expressions by the grammar.

`(1,2)` is a tuple, an interval where it is beside one, and never a number with a comma.
"""

import re
from collections.abc import Container, Sequence
from fractions import Fraction

from tasks.verification.equivalence import exact_value, expression_parser
from tasks.verification.equivalence.answer_shapes import Based, Joined, Many, Matrix, Relation, Scalar, Shape
from tasks.verification.equivalence.polynomials import Unsure, bounded
from tasks.verification.equivalence.text_normalization import DEGREES_SIGN, unwrapped
from tasks.verification.math_verify.pool import THOUSANDS

MOST = 60
"""Items of a list: comparing them in any order takes the square of it."""
_JUNCTION = re.compile(r",?\s*\b(?:and|or)\b\s*,?")
_STOPPED = re.compile(r"[\s.,;]+\Z")
_GROUPED = re.compile(r"[0-9],[0-9]{3}(?![0-9])")
_VALUED = re.compile(r"[A-Za-z] ?= ?-?\$?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
"""The comma of `x = 1,234` is one of thousands, as in the number alone."""
_BRACKETS = ("(", "[", "\\")
_BASED = re.compile(r"(-?[0-9.]+|[0-9A-Z]*[0-9][0-9A-Z]*) ?_ ?(?:\{ ?([0-9]{1,2}) ?\}|([0-9]{1,2}))")
OPENING = {"(": 1, "[": 1, "{": 1, "\\{": 1, "\\langle": 1, ")": -1, "]": -1, "}": -1, "\\}": -1, "\\rangle": -1}
_ORDER = {
    **{
        "<": "<",
        "\\lt": "<",
        ">": ">",
        "\\gt": ">",
        "\\le": "\\le",
        "\\leq": "\\le",
        "≤": "\\le",
        "\\leqslant": "\\le",
    },
    **{"\\ge": "\\ge", "\\geq": "\\ge", "≥": "\\ge", "\\geqslant": "\\ge", "=": "=", "\\in": "\\in", "∈": "\\in"},
    **{"\\ne": "\\ne", "\\neq": "\\ne", "≠": "\\ne"},
}
_EITHER = ("\\pm", "\\mp", "±")
_DEGREES = f" \\{expression_parser.DEGREES} "  # of a template, in which a backslash is doubled
_MATRIX = re.compile(r"[pb]?matrix")


def shape(text: str) -> Shape | None:
    """The shape of an answer without its unit; None where it has none that is sure."""
    text = THOUSANDS.sub("", text)
    if "°" in text or "^" in text:
        text = DEGREES_SIGN.sub(_DEGREES, text)
    text = _STOPPED.sub("", unwrapped(text)).replace("²", "^2").replace("³", "^3")
    if based := _BASED.fullmatch(text):
        base = int(based[2] or based[3])
        return Based(digits(based[1]), base) if 1 < base <= 36 else None
    if _VALUED.fullmatch(text):
        text = text.replace(",", "").replace("$", "")
    if text[:1] not in _BRACKETS and _GROUPED.search(text):
        return None  # 1,234x is one product or two answers
    try:
        with bounded():
            return _list(expression_parser.tokens(_JUNCTION.sub(" , ", text) if "r" in text or "d" in text else text))
    except (Unsure, RecursionError):
        return None


def digits(text: str) -> str:
    """Digits as they are compared: without blanks, and zeros before them."""
    return re.sub(r"^(-?)0+(?=[0-9A-Z])", r"\1", text.replace(" ", ""))


def _list(read: Sequence[str]) -> Shape:
    pieces = _split(read, (",", ";"))
    if len(pieces) == 1:
        return _single(read)
    items = [_list(piece) for piece in pieces]
    return _many("list", [part for item in items for part in _members(item)])


def _members(item: Shape) -> tuple[Shape, ...]:
    r"""Both values of `1 \pm 2` among others."""
    return item.items if isinstance(item, Many) and item.kind == "list" else (item,)


def _many(kind: str, items: Sequence[Shape], left: str = "", right: str = "") -> Many:
    if len(items) > MOST:
        raise Unsure
    return Many(kind, tuple(items), left, right)


def _single(read: Sequence[str]) -> Shape:
    if not read:
        raise Unsure
    signs = [_ORDER[token] for token in _outside(read, _ORDER)]
    if signs:
        return _relation(signs, [_single(piece) for piece in _split(read, _ORDER)])
    if any(token in _EITHER for token in read):
        return _both_signs(read)
    pieces = _split(read, ("\\cup", "∪"))  # noqa: RUF001
    if len(pieces) > 1:
        return Joined(tuple(_single(piece) for piece in pieces))
    return _bracketed(read) or _scalar(read)


def _relation(signs: Sequence[str], sides: Sequence[Shape]) -> Relation:
    turned = {">": "<", "\\ge": "\\le"}
    if any(sign in turned for sign in signs):
        if not all(sign in turned for sign in signs):
            raise Unsure  # a < b > c
        return Relation(tuple(turned[sign] for sign in reversed(signs)), tuple(reversed(sides)))
    return Relation(tuple(signs), tuple(sides))


def _both_signs(read: Sequence[str]) -> Shape:
    """`1 \\pm 2` is 1+2 and 1-2; with two such signs it is not clear which go together."""
    if sum(token in _EITHER for token in read) > 1:
        raise Unsure
    signs = [[sign if token in _EITHER else token for token in read] for sign in "+-"]
    return _many("list", [_single(each) for each in signs])


def _bracketed(read: Sequence[str]) -> Shape | None:
    """A set, tuple, interval or matrix; None if it is none."""
    if read[0] in ("\\emptyset", "\\varnothing", "∅") and len(read) == 1:
        return Many("set", ())
    if read[0] == "\\begin":
        return _matrix(read)
    if read[0] not in ("(", "[", "\\{", "\\langle") or _closes(read) != len(read) - 1:
        return None
    inside = read[1:-1]
    if read[0] == "\\{":
        if read[-1] != "\\}" or any(token in ("|", ":", "\\mid", "\\ldots", "\\dots") for token in inside):
            raise Unsure
        return _many("set", [_single(piece) for piece in _split(inside, (",", ";"))] if inside else [])
    pieces = _split(inside, (",", ";"))
    if len(pieces) == 1:
        return None
    left, right = ("(", ")") if read[0] == "\\langle" else (read[0], read[-1])
    return _many("tuple", [_single(piece) for piece in pieces], left, right)


def _matrix(read: Sequence[str]) -> Matrix:
    end = read.index("}") if "}" in read else 0
    name = "".join(read[2:end])
    if not _MATRIX.fullmatch(name) or "".join(read[-len(name) - 3 :]) != "\\end{" + name + "}":
        raise Unsure
    inside = read[end + 1 : len(read) - len(name) - 3]
    if "\\begin" in inside:
        raise Unsure
    rows = [row for row in _split(inside, ("\\\\",)) if row]
    return Matrix(tuple(tuple(_single(cell) for cell in _split(row, ("&",))) for row in rows))


def _scalar(read: Sequence[str]) -> Scalar:
    if read.count(":") == 1:
        left, right = (expression_parser.expression(side) for side in _split(read, (":",)))
        return Scalar(exact_value.over(left, right), kind="ratio")
    if read[-1] in ("%", "\\%"):
        return Scalar(
            exact_value.times(expression_parser.expression(read[:-1]), exact_value.rational(Fraction(1, 100))), True
        )
    return Scalar(expression_parser.expression(read))


def _closes(read: Sequence[str]) -> int:
    """Where the bracket that opens the tokens closes."""
    depth = 0
    for at, token in enumerate(read):
        depth += OPENING.get(token, 0)
        if not depth:
            return at
    raise Unsure


def _outside(read: Sequence[str], wanted: Container[str]) -> list[str]:
    """The tokens of `wanted` that stand outside of all brackets."""
    return [token for token, depth in _depths(read) if not depth and token in wanted]


def _depths(read: Sequence[str]) -> list[tuple[str, int]]:
    depth, found = 0, []
    for token in read:
        depth += OPENING.get(token, 0)
        found.append((token, depth))
        if depth < 0:
            raise Unsure
    if depth:
        raise Unsure
    return found


def _split(read: Sequence[str], at: Container[str]) -> list[Sequence[str]]:
    """The pieces of the tokens between those of `at` that stand outside of all brackets."""
    pieces, piece = [], list[str]()
    for token, depth in _depths(read):
        if not depth and token in at:
            pieces.append(piece)
            piece = []
        else:
            piece.append(token)
    return [*pieces, piece]
