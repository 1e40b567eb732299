"""Whether two shapes say the same: True, False, or None where another rung must say it."""

from collections.abc import Iterable, Sequence

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_shapes import Joined, Known, Many, Matrix, Relation, Scalar, Shape
from tasks.verification.equivalence.assignments import definition, interval, named
from tasks.verification.equivalence.intervals import spans_of, surely_interval
from tasks.verification.equivalence.number_equality import scalars
from tasks.verification.equivalence.question_hints import Asked

_COORDINATES = frozenset("xyz")
"""Letters whose order everybody knows."""


class Unclear(Exception):
    """Which number is for which letter: `y=1, x=2` beside `1, 2`, or beside `a=1, b=2`."""


def same(gold: Shape, answer: Shape, asked: Asked) -> Known:
    """Whether `answer` says what `gold` says, under what the question asked for. Raises `Unclear`."""
    return _same(_alone(gold), _alone(answer), asked)


def _same(gold: Shape, answer: Shape, asked: Asked) -> Known:
    left, right = named(gold), named(answer)
    if left and right and left.keys() == right.keys():
        return _all(_same(value, right[letter], asked) for letter, value in left.items())
    if left and right and len(left) == len(right):
        if _in_any_order(list(left.values()), list(right.values()), asked, repeats=True) is False:
            return False
        raise Unclear  # the same numbers, for other letters
    if bool(left) != bool(right):
        values, shape, other = (left, gold, answer) if left else (right, answer, gold)
        if isinstance(other, Many) and (other.kind != "tuple" or other.left == "(" or len(other.items) != 2):
            return _named(values or {}, isinstance(shape, Relation), other, asked)
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return _relations(gold, answer, asked)
    if isinstance(gold, Scalar) and isinstance(answer, Scalar):
        return scalars(gold, answer, asked)
    if isinstance(gold, Joined) or isinstance(answer, Joined):
        return _unions(gold, answer, asked)
    if isinstance(gold, Many) and isinstance(answer, Many):
        return _manies(gold, answer, asked)
    if isinstance(gold, Matrix) and isinstance(answer, Matrix):
        return _matrices(gold, answer, asked)
    if isinstance(gold, Scalar) or isinstance(answer, Scalar):
        return None if "base" in (gold.kind, answer.kind) else False
    return _column(gold, answer, asked)


def _column(gold: Shape, answer: Shape, asked: Asked) -> Known:
    """A matrix beside a tuple is another thing, unless it is a column of the same numbers: that is left open."""
    matrix, other = (gold, answer) if isinstance(gold, Matrix) else (answer, gold)
    if not isinstance(matrix, Matrix) or not isinstance(other, Many):
        return False if isinstance(other, Joined) else None
    column = [row[0] for row in matrix.rows] if all(len(row) == 1 for row in matrix.rows) else ()
    return False if _in_order(column, other.items, asked) is False else None


def _alone(shape: Shape) -> Shape:
    """The only member instead of a list or set of one; a set in a set stays there."""
    while isinstance(shape, Many) and shape.kind != "tuple" and len(shape.items) == 1:
        if shape.kind == "set" and isinstance(shape.items[0], Many):
            return shape
        shape = shape.items[0]
    return shape


def _all(known: Iterable[Known]) -> Known:
    """False if any is, else None if any is."""
    result: Known = True
    for each in known:
        if each is False:
            return False
        result = None if each is None else result
    return result


def _any(known: Iterable[Known]) -> Known:
    found = list(known)
    return True if True in found else None if None in found else False


def _in_order(gold: Sequence[Shape], answer: Sequence[Shape], asked: Asked) -> Known:
    if len(gold) != len(answer):
        return False
    return _all(_same(left, right, asked) for left, right in zip(gold, answer, strict=True))


def _in_any_order(gold: Sequence[Shape], answer: Sequence[Shape], asked: Asked, repeats: bool) -> Known:
    """Whether each member of one is in the other; with `repeats`, each as often."""
    if repeats and len(gold) != len(answer):
        return False
    left, unsure = list(answer), False
    for one in gold:
        found = [_same(one, other, asked) for other in left]
        if True in found:
            if repeats:
                left.pop(found.index(True))
        elif None in found:
            unsure = True
        else:
            return False
    if unsure:
        return None
    return repeats or _all(_any(_same(one, other, asked) for one in gold) for other in answer)


def _manies(gold: Many, answer: Many, asked: Asked) -> Known:
    kinds = {gold.kind, answer.kind}
    if kinds == {"tuple"}:
        return _tuples(gold, answer, asked)
    if "tuple" not in kinds:
        if asked.ordered or (kinds == {"list"} and _named_by_place(gold, answer)):
            return _in_order(gold.items, answer.items, asked)
        return _in_any_order(gold.items, answer.items, asked, repeats=kinds == {"list"})
    left, right = next((one.left, one.right) for one in (gold, answer) if one.kind == "tuple")
    if (left, right) in (("(", "]"), ("[", ")")) and len(gold.items) == 2:
        return False  # surely an interval
    if "set" in kinds:  # a pair or an interval is no set of its two ends
        return False if left == "(" else None
    if asked.ordered:
        return _in_order(gold.items, answer.items, asked)
    if left == "[" and len(gold.items) == len(answer.items) == 2:
        return None
    ordered = _in_order(gold.items, answer.items, asked)
    if ordered is not False or len(gold.items) != len(answer.items):
        return ordered
    return False if _in_any_order(gold.items, answer.items, asked, repeats=True) is False else None


def _named_by_place(gold: Many, answer: Many) -> bool:
    """Whether the place alone says which letter a number is for: `1, 2` beside `x=1, y=2`."""
    members = (*gold.items, *answer.items)
    relations = [item for item in members if isinstance(item, Relation)]
    names = {defined[0] if (defined := definition(item)) else "" for item in relations}
    return 0 < len(relations) < len(members) and (len(names) > 1 or "" in names)


def _named(values: dict[str, Shape], together: bool, other: Many, asked: Asked) -> Known:
    """Letters with their values against bare ones; `together`: as a tuple of letters. Raises `Unclear`.

    The letters of a tuple stand as the question named them; others, and a tuple of coordinates, stand in their order.
    """
    written, letters = list(values.values()), list(values)
    loose = _in_any_order(written, other.items, asked, repeats=True)
    if loose is False or (other.left, other.right) in (("(", "]"), ("[", ")")):
        return False
    in_order, ordered = letters == sorted(letters), _in_order(written, other.items, asked)
    coordinates = set(letters) <= _COORDINATES
    if other.kind == "set" or (ordered is None and not (together and in_order)):
        raise Unclear
    if in_order and (ordered is not False or coordinates):
        return ordered
    if not together or not (ordered or coordinates):
        raise Unclear
    if coordinates:
        if _in_order([values[letter] for letter in sorted(letters)], other.items, asked) is False:
            return False
        raise Unclear
    return ordered


def _tuples(gold: Many, answer: Many, asked: Asked) -> Known:
    """In order; of two, the brackets count, for they may be the ends of an interval."""
    if len(gold.items) == 2 and (gold.left, gold.right) != (answer.left, answer.right):
        return False
    return _in_order(gold.items, answer.items, asked)


def _matrices(gold: Matrix, answer: Matrix, asked: Asked) -> Known:
    if len(gold.rows) != len(answer.rows):
        return False
    return _all(_in_order(left, right, asked) for left, right in zip(gold.rows, answer.rows, strict=True))


def _unions(gold: Shape, answer: Shape, asked: Asked) -> Known:
    """Unions of intervals and sets: the same pieces, or the same points where all ends are rational."""
    left, right = (shape.pieces if isinstance(shape, Joined) else (shape,) for shape in (gold, answer))
    if any(not isinstance(piece, Many) or piece.kind == "list" for piece in (*left, *right)):
        return False if {Scalar, Matrix} & {type(gold), type(answer)} else None
    if _in_any_order(left, right, asked, repeats=True):
        return True
    spans, others = spans_of(left), spans_of(right)
    return None if spans is None or others is None else spans == others


def _relations(gold: Shape, answer: Shape, asked: Asked) -> Known:
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return _two_relations(gold, answer, asked)
    relation, other = (gold, answer) if isinstance(gold, Relation) else (answer, gold)
    assert isinstance(relation, Relation)
    if defined := definition(relation):
        return same(defined[1], other, asked) if relation is gold else same(other, defined[1], asked)
    if isinstance(other, Scalar):
        return _no_value(relation, other)
    within = interval(relation)
    if within is None or not isinstance(other, Many | Joined):
        return None
    if relation is answer and not surely_interval(other):
        return None  # (1,2) may be a point
    return _unions(Joined((within[1],)), other, asked)


def _no_value(relation: Relation, other: Scalar) -> Known:
    """Whether a relation that defines nothing may stand for a number: `x + y = 5` for 5, and `2x = 10` for 5."""
    sides = [side for side in relation.sides if isinstance(side, Scalar)]
    if relation.signs != ("=",):
        return False if relation.signs[0] in ("<", "\\le") else None
    letters = {letter for side in sides for letter in side.value.letters}
    if len(sides) < 2 or len(letters) < 2 or other.value.letters:
        return None
    return False if all(exact_value.same(side.value, other.value) is False for side in sides) else None


def _two_relations(gold: Relation, answer: Relation, asked: Asked) -> Known:
    if gold.signs == answer.signs and _in_order(gold.sides, answer.sides, asked):
        return True
    one, other = definition(gold), definition(answer)
    if one and other and one[0] == other[0]:
        return same(one[1], other[1], asked)
    if gold.signs == answer.signs == ("=",):
        return _equations(gold, answer)
    left, right = interval(gold), interval(answer)
    if left and right and left[0] == right[0]:
        return _unions(Joined((left[1],)), Joined((right[1],)), asked)
    return None


def _equations(gold: Relation, answer: Relation) -> Known:
    """Equal where one is a multiple of the other; different where it is not, and both are polynomials of one degree."""
    sides = (*gold.sides, *answer.sides)
    values = [side.value for side in sides if isinstance(side, Scalar)]
    if len(values) < 4:
        return None
    left = exact_value.add(values[0], exact_value.negative(values[1]))
    right = exact_value.add(values[2], exact_value.negative(values[3]))
    if exact_value.proportional(left, right):
        return True
    degrees = exact_value.degree(left), exact_value.degree(right)
    return False if degrees[0] == degrees[1] and degrees[0] else None
