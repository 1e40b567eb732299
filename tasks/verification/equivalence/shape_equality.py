"""Compares two shapes: True if they are equal, False if they differ, None if another rule must decide."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_parser import parse_shape
from tasks.verification.equivalence.answer_shapes import (
    Collection,
    Matrix,
    MaybeEqual,
    Relation,
    Scalar,
    SetUnion,
    Shape,
)
from tasks.verification.equivalence.assignments import (
    collect_assignments,
    find_value,
    split_definition,
    states_zeros,
    to_interval,
)
from tasks.verification.equivalence.number_equality import scalars_equal
from tasks.verification.equivalence.polynomials import count_steps
from tasks.verification.equivalence.question_hints import QuestionHints
from tasks.verification.equivalence.real_sets import is_surely_interval, read_set, sets_equal

_COORDINATES = frozenset("xyz")
"""Letters with a conventional order."""


class Undecidable(Exception):
    """The shapes are read, but it is unclear whether they are the same answer. Its argument is the rule that says so.

    `order`: which number belongs to which letter, as in `y=1, x=2` against `1, 2`. `equation`: an equation that states
    no value, such as `2x=10`, against a number.
    """


def shapes_equal(gold: Shape, answer: Shape, hints: QuestionHints) -> MaybeEqual:
    """Whether `answer` equals `gold`, given the hints of the question. Raises `Undecidable`."""
    return _unwrapped_equal(_unwrap_single(gold), _unwrap_single(answer), hints)


def _unwrapped_equal(gold: Shape, answer: Shape, hints: QuestionHints) -> MaybeEqual:
    count_steps(1)
    left, right = collect_assignments(gold), collect_assignments(answer)
    if left and right and left.keys() == right.keys():
        return _all_equal(_unwrapped_equal(value, right[letter], hints) for letter, value in left.items())
    if left and right and len(left) == len(right):
        if _equal_in_any_order(list(left.values()), list(right.values()), hints, repeats=True) is False:
            return False
        raise Undecidable("order")  # the same numbers, for other letters
    if bool(left) != bool(right):
        values, shape, other = (left, gold, answer) if left else (right, answer, gold)
        if right and isinstance(gold, Scalar) and hints.target:
            raise Undecidable("equation")  # x=2, y=3 where x+y is asked for
        if isinstance(other, Collection) and (other.kind != "tuple" or other.opening == "(" or len(other.items) != 2):
            return _assignments_equal(values or {}, isinstance(shape, Relation), other, hints)
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return _relations_equal(gold, answer, hints)
    if isinstance(gold, Scalar) and isinstance(answer, Scalar):
        return scalars_equal(gold, answer, hints)
    if isinstance(gold, SetUnion) or isinstance(answer, SetUnion):
        return _unions_equal(gold, answer, hints)
    if isinstance(gold, Collection) and isinstance(answer, Collection):
        return _collections_equal(gold, answer, hints)
    if isinstance(gold, Matrix) and isinstance(answer, Matrix):
        return _matrices_equal(gold, answer, hints)
    if isinstance(gold, Scalar) or isinstance(answer, Scalar):
        scalar, other = (gold, answer) if isinstance(gold, Scalar) else (answer, gold)
        if isinstance(other, Matrix) and isinstance(scalar, Scalar) and _is_unit_matrix(scalar):
            raise Undecidable("unit_matrix")
        return None if "base" in (gold.kind, answer.kind) else False
    return _matrix_equals_collection(gold, answer, hints)


def _is_unit_matrix(scalar: Scalar) -> bool:
    return any(scalar.value == exact_value.make_symbol(name) for name in ("I", "E", "I_2", "I_3"))


def _matrix_equals_collection(gold: Shape, answer: Shape, hints: QuestionHints) -> MaybeEqual:
    """A matrix may be written as its rows, `[[1,2],[3,4]]`; a column or row as a tuple. It is nothing else."""
    matrix, other = (gold, answer) if isinstance(gold, Matrix) else (answer, gold)
    if not isinstance(matrix, Matrix) or not isinstance(other, Collection):
        return False if isinstance(other, SetUnion) else None
    cells = [cell for row in matrix.rows for cell in row]
    if (
        other.kind == "list"
        and 1 in (len(matrix.rows), len(matrix.rows[0]))
        and _equal_in_order(cells, other.items, hints)
    ):
        raise Undecidable("column")
    if other.kind != "tuple" or (other.opening, other.closing) in (("(", "]"), ("[", ")")):
        return False
    if all(isinstance(item, Collection) and item.kind == "tuple" for item in other.items):
        rows = tuple(item.items for item in other.items if isinstance(item, Collection))
        return _matrices_equal(matrix, Matrix(rows), hints)
    if len(matrix.rows) > 1 and any(len(row) > 1 for row in matrix.rows):
        return False
    return _equal_in_order([cell for row in matrix.rows for cell in row], other.items, hints)


def _unwrap_single(shape: Shape) -> Shape:
    """The only item of a list or set with one item. A set in a set is kept."""
    while isinstance(shape, Collection) and shape.kind != "tuple" and len(shape.items) == 1:
        if shape.kind == "set" and isinstance(shape.items[0], Collection):
            return shape
        shape = shape.items[0]
    return shape


def _all_equal(results: Iterable[MaybeEqual]) -> MaybeEqual:
    """False if any result is False, else None if any is None, else True."""
    result: MaybeEqual = True
    for each in results:
        if each is False:
            return False
        result = None if each is None else result
    return result


def _any_equal(results: Iterable[MaybeEqual]) -> MaybeEqual:
    values = list(results)
    return True if True in values else None if None in values else False


def _equal_in_order(gold: Sequence[Shape], answer: Sequence[Shape], hints: QuestionHints) -> MaybeEqual:
    if len(gold) != len(answer):
        return False
    return _all_equal(_unwrapped_equal(left, right, hints) for left, right in zip(gold, answer, strict=True))


def _equal_in_any_order(
    gold: Sequence[Shape], answer: Sequence[Shape], hints: QuestionHints, repeats: bool
) -> MaybeEqual:
    """Whether each item of one is in the other; with `repeats`, equally often."""
    if repeats and len(gold) != len(answer):
        return False
    remaining, is_unsure = list(answer), False
    for one in gold:
        results = [_unwrapped_equal(one, other, hints) for other in remaining]
        if True in results:
            if repeats:
                remaining.pop(results.index(True))
        elif None in results:
            is_unsure = True
        else:
            return False
    if is_unsure:
        return None
    return repeats or _all_equal(_any_equal(_unwrapped_equal(one, other, hints) for one in gold) for other in answer)


def _collections_equal(gold: Collection, answer: Collection, hints: QuestionHints) -> MaybeEqual:
    kinds = {gold.kind, answer.kind}
    if "ratio" in kinds:
        return _ratios_equal(gold, answer) if kinds == {"ratio"} else None
    if kinds == {"tuple"}:
        return _tuples_equal(gold, answer, hints)
    if "tuple" not in kinds:
        if hints.asks_order or (kinds == {"list"} and _is_named_by_position(gold, answer)):
            return _equal_in_order(gold.items, answer.items, hints)
        if kinds == {"list"} and hints.names_several:
            return _named_values_equal(gold, answer, hints)
        return _equal_in_any_order(gold.items, answer.items, hints, repeats=kinds == {"list"})
    left, right = next((one.opening, one.closing) for one in (gold, answer) if one.kind == "tuple")
    if (left, right) in (("(", "]"), ("[", ")")) and len(gold.items) == 2:
        return False  # surely an interval
    if "set" in kinds:  # a pair or an interval is no set of its two ends
        return False if left == "(" else None
    if hints.asks_order:
        return _equal_in_order(gold.items, answer.items, hints)
    if left == "[" and len(gold.items) == len(answer.items) == 2:
        return False if _equal_in_any_order(gold.items, answer.items, hints, repeats=True) is False else None
    ordered = _equal_in_order(gold.items, answer.items, hints)
    if ordered is not False or len(gold.items) != len(answer.items):
        return ordered
    return False if _equal_in_any_order(gold.items, answer.items, hints, repeats=True) is False else None


def _ratios_equal(gold: Collection, answer: Collection) -> MaybeEqual:
    """Whether the terms of two ratios are proportional."""
    left = [item.value for item in gold.items if isinstance(item, Scalar)]
    right = [item.value for item in answer.items if isinstance(item, Scalar)]
    if len(left) != len(right):
        return False
    return _all_equal(
        exact_value.values_equal(exact_value.multiply(one, right[0]), exact_value.multiply(other, left[0]))
        for one, other in zip(left, right, strict=True)
    )


def _named_values_equal(gold: Collection, answer: Collection, hints: QuestionHints) -> MaybeEqual:
    """Compare two lists of values that the question names. Another order may still be meant, but nobody knows."""
    ordered = _equal_in_order(gold.items, answer.items, hints)
    if ordered is False and _equal_in_any_order(gold.items, answer.items, hints, repeats=True) is not False:
        raise Undecidable("order")
    return ordered


def _is_named_by_position(gold: Collection, answer: Collection) -> bool:
    """Whether only the position says which letter a number belongs to: `1, 2` against `x=1, y=2`."""
    members = (*gold.items, *answer.items)
    relations = [item for item in members if isinstance(item, Relation) and not collect_assignments(item)]
    names = {defined[0] if (defined := split_definition(item)) else "" for item in relations}
    return 0 < len(relations) < len(members) and (len(names) > 1 or "" in names)


def _assignments_equal(values: dict[str, Shape], is_tuple: bool, other: Collection, hints: QuestionHints) -> MaybeEqual:
    """Compare letters and their values with bare values. `is_tuple`: the letters form a tuple.

    The letters of a tuple are in the order of the question; other letters and coordinates are in alphabetical order.
    Raises `Undecidable`.
    """
    written, letters = list(values.values()), list(values)
    unordered = _equal_in_any_order(written, other.items, hints, repeats=True)
    if unordered is False or (other.opening, other.closing) in (("(", "]"), ("[", ")")):
        return False
    in_order, ordered = letters == sorted(letters), _equal_in_order(written, other.items, hints)
    coordinates = set(letters) <= _COORDINATES
    if other.kind == "set" or (ordered is None and not (is_tuple and in_order)):
        raise Undecidable("order")
    if in_order and (ordered is not False or coordinates):
        return ordered
    if not is_tuple or not (ordered or coordinates):
        raise Undecidable("order")
    if coordinates:
        if _equal_in_order([values[letter] for letter in sorted(letters)], other.items, hints) is False:
            return False
        raise Undecidable("order")
    return ordered


def _tuples_equal(gold: Collection, answer: Collection, hints: QuestionHints) -> MaybeEqual:
    """Compare items in order. The brackets of a tuple of two count, because it may be an interval."""
    if len(gold.items) == 2 and (gold.opening, gold.closing) != (answer.opening, answer.closing):
        return False
    return _equal_in_order(gold.items, answer.items, hints)


def _matrices_equal(gold: Matrix, answer: Matrix, hints: QuestionHints) -> MaybeEqual:
    if len(gold.rows) != len(answer.rows):
        return False
    return _all_equal(_equal_in_order(left, right, hints) for left, right in zip(gold.rows, answer.rows, strict=True))


def _unions_equal(gold: Shape, answer: Shape, hints: QuestionHints) -> MaybeEqual:
    """Compare unions of intervals and sets: the same pieces, or the same points if all ends are rational."""
    left, right = (shape.pieces if isinstance(shape, SetUnion) else (shape,) for shape in (gold, answer))
    if any(not isinstance(piece, Collection) or piece.kind == "list" for piece in (*left, *right)):
        if any(_is_list_of_numbers(shape) for shape in (gold, answer)):
            return False
        return False if {Scalar, Matrix} & {type(gold), type(answer)} else None
    if _equal_in_any_order(left, right, hints, repeats=True):
        return True
    points, others = read_set(left), read_set(right)
    return None if points is None or others is None else sets_equal(points, others)


def _is_list_of_numbers(shape: Shape) -> bool:
    """Whether it is several numbers, which are no interval and no union of intervals."""
    is_list = isinstance(shape, Collection) and shape.kind == "list"
    return is_list and all(isinstance(item, Scalar) and item.value.rational is not None for item in shape.items)  # type: ignore[union-attr]


def _relations_equal(gold: Shape, answer: Shape, hints: QuestionHints) -> MaybeEqual:
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return _both_relations_equal(gold, answer, hints)
    relation, other = (gold, answer) if isinstance(gold, Relation) else (answer, gold)
    assert isinstance(relation, Relation)
    target = parse_target(hints.target) if hints.target and relation is answer else None
    if stated := find_value(relation, target):
        value, is_asked = stated
        equal = shapes_equal(value, other, hints) if relation is gold else shapes_equal(other, value, hints)
        if (not is_asked or states_zeros(relation, value)) and equal is not False:
            raise Undecidable("equation")  # y = 9 where x is asked for
        return equal
    if isinstance(other, Scalar):
        return _relation_equals_number(relation, other)
    if relation.signs == ("=",):
        is_object = isinstance(other, Matrix | SetUnion) or (isinstance(other, Collection) and other.kind == "tuple")
        if is_object and all(isinstance(side, Scalar) for side in relation.sides):
            return False
        raise Undecidable("equation")
    letter_and_interval = to_interval(relation)
    if letter_and_interval is None or not isinstance(other, Collection | SetUnion):
        return None
    if relation is answer and not is_surely_interval(other):
        return None  # (1,2) may be a point
    return _unions_equal(SetUnion((letter_and_interval[1],)), other, hints)


@lru_cache(maxsize=1024)
def parse_target(text: str) -> Shape | None:
    """What a question asks for, as a shape; None if it is not certain."""
    return parse_shape(text)


def _relation_equals_number(relation: Relation, other: Scalar) -> MaybeEqual:
    """Whether a relation that states no value may stand for a number. An equation of several letters does not.

    Raises `Undecidable` for `2x = 10`: it may be solved for 5, but does not say so.
    """
    sides = [side for side in relation.sides if isinstance(side, Scalar)]
    if relation.signs != ("=",):
        return False if relation.signs[0] in ("<", "\\le") else None
    letters = {letter for side in sides for letter in side.value.letters}
    is_elsewhere = all(exact_value.values_equal(side.value, other.value) is False for side in sides)
    if len(sides) == 2 and len(letters) > 1 and is_elsewhere:
        return False
    raise Undecidable("equation")


def _both_relations_equal(gold: Relation, answer: Relation, hints: QuestionHints) -> MaybeEqual:
    if gold.signs == answer.signs and _equal_in_order(gold.sides, answer.sides, hints):
        return True
    one, other = split_definition(gold), split_definition(answer)
    if one and other and one[0] == other[0]:
        return shapes_equal(one[1], other[1], hints)
    if gold.signs == answer.signs == ("=",):
        return _equations_equal(gold, answer)
    left, right = to_interval(gold), to_interval(answer)
    if left and right and left[0] == right[0]:
        return _unions_equal(SetUnion((left[1],)), SetUnion((right[1],)), hints)
    return None


def _equations_equal(gold: Relation, answer: Relation) -> MaybeEqual:
    """Equal if one is a multiple of the other; different if not, and both are polynomials of the same degree."""
    sides = (*gold.sides, *answer.sides)
    values = [side.value for side in sides if isinstance(side, Scalar)]
    if len(values) < 4:
        return None
    left = exact_value.add(values[0], exact_value.negate(values[1]))
    right = exact_value.add(values[2], exact_value.negate(values[3]))
    if exact_value.are_proportional(left, right):
        return True
    degrees = exact_value.degree(left), exact_value.degree(right)
    return False if degrees[0] == degrees[1] and degrees[0] else None
