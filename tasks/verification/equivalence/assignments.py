"""Reads relations as statements about letters: their values, or the interval that a letter lies in."""

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_shapes import Collection, Relation, Scalar, Shape
from tasks.verification.equivalence.polynomials import INFINITY


def split_definition(relation: Relation) -> tuple[str, Shape] | None:
    """Name and value of `x = 4`, `4 = x`, `f(x) = 2x` or `x \\in (1,2)`; None for any other relation."""
    if len(relation.signs) != 1 or relation.signs[0] not in ("=", "\\in"):
        return None
    for name, value in (relation.sides, relation.sides[::-1]):
        if isinstance(name, Scalar) and (letter := _find_single_letter(name)) and letter not in _find_letters(value):
            return letter, value
    return None


def collect_assignments(shape: Shape) -> dict[str, Shape] | None:
    """The values of several letters, in order: of `(x,y) = (1,2)` and of `x=1, y=2`; None for anything else."""
    if isinstance(shape, Collection):
        definitions = [
            split_definition(item) if isinstance(item, Relation) and item.signs == ("=",) else None
            for item in shape.items
        ]
        pairs = [pair for pair in definitions if pair]
        if len(pairs) == len(shape.items) > 1 and len({letter for letter, _ in pairs}) == len(pairs):
            return dict(pairs)
    elif isinstance(shape, Relation) and shape.signs == ("=",):
        for names, values in (shape.sides, shape.sides[::-1]):
            if (
                isinstance(names, Collection)
                and isinstance(values, Collection)
                and names.kind == values.kind == "tuple"
            ):
                letters = [_find_single_letter(item) for item in names.items if isinstance(item, Scalar)]
                if all(letters) and len(set(letters)) == len(letters) == len(values.items):
                    return dict(zip(letters, values.items, strict=True))
    return None


def _find_single_letter(scalar: Scalar) -> str:
    """The letter, or `f(x)`, if the scalar is nothing else; else empty. `|x|` and `\\sin x` are no names."""
    letters = scalar.value.letters
    name = next(iter(letters)) if len(letters) == 1 else ""
    is_name = name.isprintable() or exact_value.is_function_value(name)
    return name if is_name and name != INFINITY and scalar.value == exact_value.make_symbol(name) else ""


def find_value(relation: Relation, target: Shape | None) -> tuple[Shape, bool] | None:
    """The value that a relation states, and whether it is surely of what is asked for; None if it states none.

    It is that of the name in it, or of the `target` of the question: `2x = 10` states the value of `2x`, not of `x`.
    """
    if relation.signs == ("=",) and target is not None:
        for name, value in (relation.sides, relation.sides[::-1]):
            if _are_same(name, target):
                return value, True
    definition = split_definition(relation)
    return (definition[1], target is None or relation.signs == ("\\in",)) if definition else None


def states_zeros(relation: Relation, value: Shape) -> bool:
    """Whether it is an equation for a letter rather than a value: `f(x) = 0`, unlike `f(2) = 0` and `f(x) = 2x`."""
    if not isinstance(value, Scalar) or value.value.rational is None:
        return False
    functions = [
        exact_value.make_uninterpreted(name, exact_value.make_symbol(letter), is_irrational=True)
        for name in "fg"
        for letter in "xtyzn"
    ]
    return any(isinstance(side, Scalar) and side.value in functions for side in relation.sides)


def _are_same(one: Shape, other: Shape) -> bool:
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return exact_value.values_equal(one.value, other.value) is True
    return one == other


def _find_letters(shape: Shape) -> set[str]:
    if isinstance(shape, Scalar):
        return shape.value.letters
    if isinstance(shape, Collection):
        return {letter for item in shape.items for letter in _find_letters(item)}
    return set()


def to_interval(relation: Relation) -> tuple[str, Collection] | None:
    """Letter and interval of `x < 2`, `2 \\le x` or `1 < x \\le 2`; None for any other relation."""
    if any(sign not in ("<", "\\le") for sign in relation.signs) or len(relation.sides) > 3:
        return None
    sides = [side for side in relation.sides if isinstance(side, Scalar)]
    if len(sides) != len(relation.sides):
        return None
    infinity = Scalar(exact_value.make_symbol(INFINITY))
    letter = (
        _find_single_letter(sides[1])
        if len(sides) == 3
        else _find_single_letter(sides[0]) or _find_single_letter(sides[1])
    )
    position = next((at for at, side in enumerate(sides) if letter and _find_single_letter(side) == letter), None)
    ends = [side for side in sides if _find_single_letter(side) != letter]
    if position is None or any(end.value.letters for end in ends) or len(ends) != len(sides) - 1:
        return None
    low = sides[position - 1] if position else Scalar(exact_value.negate(infinity.value))
    high = sides[position + 1] if position + 1 < len(sides) else infinity
    opening = "[" if position and relation.signs[position - 1] == "\\le" else "("
    closing = "]" if position < len(relation.signs) and relation.signs[position] == "\\le" else ")"
    return letter, Collection("tuple", (low, high), opening, closing)
