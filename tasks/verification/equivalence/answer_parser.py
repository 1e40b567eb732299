r"""Parses the text of an answer into a shape: brackets, commas, relations and unions here, expressions by the grammar.

`(1,2)` is a tuple, or an interval if it is compared with one; it is never a number with a comma.
"""

import re
from collections.abc import Container, Sequence
from fractions import Fraction

from tasks.verification.equivalence import exact_value, expression_parser
from tasks.verification.equivalence.answer_shapes import (
    BaseNumber,
    Collection,
    Matrix,
    Relation,
    Scalar,
    SetUnion,
    Shape,
)
from tasks.verification.equivalence.polynomials import NoExactForm, limit_work
from tasks.verification.equivalence.text_normalization import DEGREE_SIGN, strip_formatting
from tasks.verification.equivalence.trigonometry import DEGREES
from tasks.verification.math_verify.verdict import LATEX_THOUSANDS

MAX_ITEMS = 60
"""Largest number of items in a list: comparing them in any order takes quadratic time."""
_BRACKET = re.compile(r"[()\[\]{}]")
_CONJUNCTION = re.compile(r",?\s*\b(?:and|or)\b\s*,?")
_TRAILING_PUNCTUATION = re.compile(r"[\s.,;]+\Z")
_GROUPED_DIGITS = re.compile(r"[0-9],[0-9]{3}(?![0-9])")
# matches all of "x = 1,234", "n=-$12,345.6", not of "x = 1,23", "1,234"
_ASSIGNED_THOUSANDS = re.compile(r"[A-Za-z] ?= ?-?\$?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
"""An assignment such as `x = 1,234`, in which the comma separates thousands, as in the number alone."""
_BRACKET_STARTS = ("(", "[", "\\")
# matches all of "101_2", "1A3_{16}", "FF_{16}", not of "x_2", "101_200"
_BASE_NUMBER = re.compile(
    r"(-?[0-9.]+|[0-9A-Z]*[0-9][0-9A-Z]*|[A-F]{1,8}(?= ?_ ?\{? ?1[1-6])) ?_ ?(?:\{ ?([0-9]{1,2}) ?\}|([0-9]{1,2}))"
)
BRACKET_DEPTHS = {"(": 1, "[": 1, "{": 1, "\\{": 1, "\\langle": 1, ")": -1, "]": -1, "}": -1, "\\}": -1, "\\rangle": -1}
_RELATION_SIGNS = {
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
_TIMES = ("\\cdot", "\\times", "*")
_PLUS_MINUS = ("\\pm", "\\mp", "±")
_DEGREES = f" \\{DEGREES} "  # for `re.sub`, where a backslash is doubled
_MATRIX = re.compile(r"(?:[pbB]|small)?matrix")
# matches all of "(101)_2", r"(7B)_{16}", not of "101_2", "(x)_2"
_BRACKETED_BASE = re.compile(r"\(([0-9A-Za-z]*[0-9][0-9A-Za-z]*)\)(_.+)")


def parse_shape(text: str) -> Shape | None:
    """The shape of an answer given without its unit; None if it is not certain."""
    text = LATEX_THOUSANDS.sub("", text)
    if "°" in text or "^" in text:
        text = DEGREE_SIGN.sub(_DEGREES, text)
    text = _TRAILING_PUNCTUATION.sub("", strip_formatting(text)).replace("²", "^2").replace("³", "^3")
    text = _BRACKETED_BASE.sub(r"\1\2", text) if text[:1] == "(" else text
    if base_number := _BASE_NUMBER.fullmatch(text):
        base = int(base_number[2] or base_number[3])
        return BaseNumber(normalize_digits(base_number[1]), base) if 1 < base <= 36 else None
    if _ASSIGNED_THOUSANDS.fullmatch(text):
        text = text.replace(",", "").replace("$", "")
    if text[:1] not in _BRACKET_STARTS and _GROUPED_DIGITS.search(text):
        return None  # 1,234x is one product or two answers
    if "=" in text and "," in text and " or " in text:
        text = text.replace(" or ", "; ")  # x=1, y=2 or x=3, y=4
    if nests_deeply(text):
        return None  # whether it can be parsed would depend on the stack that is left
    try:
        with limit_work():
            return _parse_list(
                expression_parser.tokenize(_CONJUNCTION.sub(" , ", text) if "r" in text or "d" in text else text)
            )
    except (NoExactForm, RecursionError):
        return None


def nests_deeply(text: str) -> bool:
    """Whether brackets are nested so deeply that a parser is slow or runs out of stack."""
    depth, deepest = 0, 0
    for sign in _BRACKET.findall(text) if len(text) > 2 * expression_parser.MAX_DEPTH else ():
        depth += 1 if sign in "([{" else -1
        deepest = max(deepest, depth)
    return deepest > expression_parser.MAX_DEPTH


def split_top_level(text: str, separator: re.Pattern[str]) -> list[str]:
    """The text split at each match of `separator` that is outside of all brackets."""
    pieces, start, depth, at = list[str](), 0, 0, 0
    cuts = {match.start(): match.end() for match in separator.finditer(text) if match.end() > match.start()}
    while at < len(text):
        if not depth and at in cuts:
            pieces.append(text[start:at])
            start = at = cuts[at]
            continue
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[at], 0)
        at += 1
    return [*pieces, text[start:]]


def normalize_digits(text: str) -> str:
    """Digits in the form that is compared: without blanks and leading zeros."""
    return re.sub(r"^(-?)0+(?=[0-9A-Z])", r"\1", text.replace(" ", ""))


def _parse_list(tokens: Sequence[str]) -> Shape:
    if tuples := _parse_solutions(tokens):
        return tuples
    pieces = _split(tokens, (",", ";"))
    if len(pieces) == 1:
        return _parse_single(tokens)
    items = [_parse_list(piece) for piece in pieces]
    return _make_collection("list", [part for item in items for part in _flatten_list(item)])


def _parse_solutions(tokens: Sequence[str]) -> Collection | None:
    """Solutions of a system such as `p=5, q=2; p=7, q=2` as a list of tuples; None if the tokens are none."""
    if not ("=" in tokens and ";" in tokens and "," in tokens):
        return None
    rows = [[_parse_single(cell) for cell in _split(row, (",",))] for row in _split(tokens, (";",)) if row]
    named = [[cell.sides for cell in row if isinstance(cell, Relation) and cell.signs == ("=",)] for row in rows]
    names = [[sides[0] for sides in row] for row in named]
    if any(len(row) < 2 or len(row) != len(cells) or row != names[0] for row, cells in zip(names, rows, strict=True)):
        return None
    return _make_collection("list", [Collection("tuple", tuple(s[1] for s in row), "(", ")") for row in named])


def _flatten_list(item: Shape) -> tuple[Shape, ...]:
    r"""The items of a nested list, such as both values of `1 \pm 2` among others."""
    return item.items if isinstance(item, Collection) and item.kind == "list" else (item,)


def _make_collection(kind: str, items: Sequence[Shape], left: str = "", right: str = "") -> Collection:
    if len(items) > MAX_ITEMS:
        raise NoExactForm
    return Collection(kind, tuple(items), left, right)


def _parse_single(tokens: Sequence[str]) -> Shape:
    if not tokens:
        raise NoExactForm
    signs = [_RELATION_SIGNS[token] for token in _find_outside(tokens, _RELATION_SIGNS)]
    if signs:
        return _make_relation(signs, [_parse_single(piece) for piece in _split(tokens, _RELATION_SIGNS)])
    if any(token in _PLUS_MINUS for token in tokens):
        return _expand_plus_minus(tokens)
    pieces = _split(tokens, ("\\cup", "∪"))  # noqa: RUF001
    if len(pieces) > 1:
        return SetUnion(tuple(_parse_single(piece) for piece in pieces))
    return _parse_bracketed(tokens) or _parse_multiple(tokens) or _parse_scalar(tokens)


def _parse_multiple(tokens: Sequence[str]) -> Matrix | None:
    r"""A number times a matrix, such as `\frac12 \begin{pmatrix}`; None if the tokens are none."""
    at = tokens.index("\\begin") if "\\begin" in tokens else 0
    if not at or tokens.count("\\begin") > 1 or any(token in ("+", "=") for token in tokens[:at]):
        return None
    matrix = _parse_matrix(tokens[at:])
    front = list(tokens[: at - 1] if tokens[at - 1] in _TIMES else tokens[:at])
    factor = expression_parser.parse_expression([*front, "1"] if front in (["-"], ["+"]) else front)
    if not all(isinstance(cell, Scalar) for row in matrix.rows for cell in row):
        raise NoExactForm
    return Matrix(
        tuple(
            tuple(Scalar(exact_value.multiply(factor, cell.value)) for cell in row if isinstance(cell, Scalar))
            for row in matrix.rows
        )
    )


def _make_relation(signs: Sequence[str], sides: Sequence[Shape]) -> Relation:
    flipped = {">": "<", "\\ge": "\\le"}
    if any(sign in flipped for sign in signs):
        if not all(sign in flipped for sign in signs):
            raise NoExactForm  # a < b > c
        return Relation(tuple(flipped[sign] for sign in reversed(signs)), tuple(reversed(sides)))
    return Relation(tuple(signs), tuple(sides))


def _expand_plus_minus(tokens: Sequence[str]) -> Shape:
    """`1 \\pm 2` is 1+2 and 1-2. With two such signs it is not clear which belong together."""
    if sum(token in _PLUS_MINUS for token in tokens) > 1:
        raise NoExactForm
    signs = [[sign if token in _PLUS_MINUS else token for token in tokens] for sign in "+-"]
    return _make_collection("list", [_parse_single(each) for each in signs])


def _parse_bracketed(tokens: Sequence[str]) -> Shape | None:
    """A set, tuple, interval or matrix; None if it is none of them."""
    if tokens[0] in ("\\emptyset", "\\varnothing", "∅") and len(tokens) == 1:
        return Collection("set", ())
    if tokens[0] == "\\begin":
        return _parse_matrix(tokens)
    if tokens[0] not in ("(", "[", "\\{", "\\langle") or _find_closing(tokens) != len(tokens) - 1:
        return None
    inside = tokens[1:-1]
    if tokens[0] in ("(", "[") and inside[:1] == ["\\begin"] and inside.count("\\begin") == 1:
        return _parse_matrix(inside)
    if tokens[0] == "\\{":
        if tokens[-1] != "\\}" or any(token in ("|", ":", "\\mid", "\\ldots", "\\dots") for token in inside):
            raise NoExactForm
        return _make_collection("set", [_parse_single(piece) for piece in _split(inside, (",", ";"))] if inside else [])
    pieces = _split(inside, (",", ";"))
    if len(pieces) == 1:
        return None
    left, right = ("(", ")") if tokens[0] == "\\langle" else (tokens[0], tokens[-1])
    return _make_collection("tuple", [_parse_single(piece) for piece in pieces], left, right)


def _parse_matrix(tokens: Sequence[str]) -> Matrix:
    end = tokens.index("}") if "}" in tokens else 0
    name = "".join(tokens[2:end])
    if not _MATRIX.fullmatch(name) or "".join(tokens[-len(name) - 3 :]) != "\\end{" + name + "}":
        raise NoExactForm
    inside = tokens[end + 1 : len(tokens) - len(name) - 3]
    if "\\begin" in inside:
        raise NoExactForm
    rows = [row for row in _split(inside, ("\\\\",)) if row]
    return Matrix(tuple(tuple(_parse_single(cell) for cell in _split(row, ("&",))) for row in rows))


def _parse_scalar(tokens: Sequence[str]) -> Scalar | Collection:
    if tokens.count(":") > 1:
        return _make_collection(
            "ratio", [Scalar(expression_parser.parse_expression(part)) for part in _split(tokens, (":",))]
        )
    if tokens.count(":") == 1:
        left, right = (expression_parser.parse_expression(side) for side in _split(tokens, (":",)))
        return Scalar(exact_value.divide(left, right), kind="ratio")
    if tokens[-1] in ("%", "\\%"):
        return Scalar(
            exact_value.multiply(
                expression_parser.parse_expression(tokens[:-1]), exact_value.make_rational(Fraction(1, 100))
            ),
            True,
        )
    return Scalar(expression_parser.parse_expression(tokens))


def _find_closing(tokens: Sequence[str]) -> int:
    """Position of the bracket that closes the first one."""
    depth = 0
    for at, token in enumerate(tokens):
        depth += BRACKET_DEPTHS.get(token, 0)
        if not depth:
            return at
    raise NoExactForm


def _find_outside(tokens: Sequence[str], wanted: Container[str]) -> list[str]:
    """The tokens outside of all brackets that are in `wanted`."""
    return [token for token, depth in _track_depths(tokens) if not depth and token in wanted]


def _track_depths(tokens: Sequence[str]) -> list[tuple[str, int]]:
    depth, depths = 0, []
    for token in tokens:
        depth += BRACKET_DEPTHS.get(token, 0)
        depths.append((token, depth))
        if depth < 0:
            raise NoExactForm
    if depth:
        raise NoExactForm
    return depths


def _split(tokens: Sequence[str], separators: Container[str]) -> list[Sequence[str]]:
    """The tokens split at each of `separators` that is outside of all brackets."""
    pieces, piece = [], list[str]()
    for token, depth in _track_depths(tokens):
        if not depth and token in separators:
            pieces.append(piece)
            piece = []
        else:
            piece.append(token)
    return [*pieces, piece]
