"""What relations say of letters: their values, or the interval that one lies in."""

from tasks.verification.equivalence import exact_value
from tasks.verification.equivalence.answer_shapes import Many, Relation, Scalar, Shape
from tasks.verification.equivalence.polynomials import INFINITY


def definition(relation: Relation) -> tuple[str, Shape] | None:
    """Name and value of `x = 4`, `4 = x`, `f(x) = 2x` or `x \\in (1,2)`; None of any other relation."""
    if len(relation.signs) != 1 or relation.signs[0] not in ("=", "\\in"):
        return None
    for name, value in (relation.sides, relation.sides[::-1]):
        if isinstance(name, Scalar) and (letter := _symbol(name)) and letter not in _letters(value):
            return letter, value
    return None


def named(shape: Shape) -> dict[str, Shape] | None:
    """The values of several letters, as written: of `(x,y) = (1,2)` and of `x=1, y=2`; None of anything else."""
    if isinstance(shape, Many):
        found = [
            definition(item) if isinstance(item, Relation) and item.signs == ("=",) else None for item in shape.items
        ]
        pairs = [pair for pair in found if pair]
        if len(pairs) == len(shape.items) > 1 and len({letter for letter, _ in pairs}) == len(pairs):
            return dict(pairs)
    elif isinstance(shape, Relation) and shape.signs == ("=",):
        for names, values in (shape.sides, shape.sides[::-1]):
            if isinstance(names, Many) and isinstance(values, Many) and names.kind == values.kind == "tuple":
                letters = [_symbol(item) for item in names.items if isinstance(item, Scalar)]
                if all(letters) and len(set(letters)) == len(letters) == len(values.items):
                    return dict(zip(letters, values.items, strict=True))
    return None


def _symbol(scalar: Scalar) -> str:
    """The letter that it is; empty if it is more than that."""
    letters = scalar.value.letters
    name = next(iter(letters)) if len(letters) == 1 else ""
    return name if name and name != INFINITY and scalar.value == exact_value.symbol(name) else ""


def _letters(shape: Shape) -> set[str]:
    if isinstance(shape, Scalar):
        return shape.value.letters
    if isinstance(shape, Many):
        return {letter for item in shape.items for letter in _letters(item)}
    return set()


def interval(relation: Relation) -> tuple[str, Many] | None:
    """Letter and interval of `x < 2`, `2 \\le x` or `1 < x \\le 2`; None of any other relation."""
    if any(sign not in ("<", "\\le") for sign in relation.signs) or len(relation.sides) > 3:
        return None
    sides = [side for side in relation.sides if isinstance(side, Scalar)]
    if len(sides) != len(relation.sides):
        return None
    infinite = Scalar(exact_value.symbol(INFINITY))
    letter = _symbol(sides[1]) if len(sides) == 3 else _symbol(sides[0]) or _symbol(sides[1])
    at = next((at for at, side in enumerate(sides) if letter and _symbol(side) == letter), None)
    ends = [side for side in sides if _symbol(side) != letter]
    if at is None or any(end.value.letters for end in ends) or len(ends) != len(sides) - 1:
        return None
    low = sides[at - 1] if at else Scalar(exact_value.negative(infinite.value))
    high = sides[at + 1] if at + 1 < len(sides) else infinite
    left = "[" if at and relation.signs[at - 1] == "\\le" else "("
    right = "]" if at < len(relation.signs) and relation.signs[at] == "\\le" else ")"
    return letter, Many("tuple", (low, high), left, right)
