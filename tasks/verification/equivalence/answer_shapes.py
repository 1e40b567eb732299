"""The shapes that answers are parsed into: numbers and expressions, lists, tuples, sets, matrices and relations."""

from typing import NamedTuple, Union

from tasks.verification.equivalence.exact_value import Value

MaybeEqual = bool | None
"""Result of a comparison. None: undecided, so the next rule must decide."""


class Scalar(NamedTuple):
    """A number or expression. The value of `20%` is 1/5."""

    value: Value
    is_percent: bool = False
    kind: str = "expression"


class BaseNumber(NamedTuple):
    """A number with an explicit base, such as `101_2`."""

    digits: str
    base: int
    kind: str = "base"

    @property
    def decimal_digits(self) -> str:
        """The number in base 10; empty if the digits are no whole number of that base."""
        try:
            return str(int(self.digits, self.base)) if len(self.digits) < 200 else ""
        except ValueError:
            return ""


class Collection(NamedTuple):
    """Several items. `kind` is `list` (no brackets), `set`, `tuple` or `ratio` (`1:2:3`); a tuple of two may be an
    interval."""

    kind: str
    items: tuple["Shape", ...]
    opening: str = ""
    closing: str = ""


class SetUnion(NamedTuple):
    """A union of intervals and sets."""

    pieces: tuple["Shape", ...]
    kind: str = "interval"


class Matrix(NamedTuple):
    """A matrix, as rows of cells."""

    rows: tuple[tuple["Shape", ...], ...]
    kind: str = "matrix"


class Relation(NamedTuple):
    r"""`sides[0] signs[0] sides[1] ...`. Each sign is `<`, `\le`, `=`, `\in` or `\ne`; `>` and `\ge` are reversed."""

    signs: tuple[str, ...]
    sides: tuple["Shape", ...]
    kind: str = "relation"


Shape = Union[Scalar, BaseNumber, Collection, SetUnion, Matrix, Relation]  # noqa: UP007  # strings in it need the old form
