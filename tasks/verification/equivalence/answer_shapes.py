"""The shapes of answers: numbers and expressions, lists, tuples, sets, intervals, matrices and relations."""

from typing import NamedTuple, Union

from tasks.verification.equivalence.exact_value import Value

MaybeEqual = bool | None
"""What a comparison says: None is for another rung to say."""


class Scalar(NamedTuple):
    """A number or expression; of `20%` the value is 1/5."""

    value: Value
    is_percent: bool = False
    kind: str = "expression"


class BaseNumber(NamedTuple):
    """Digits in a base that is named: `101_2`."""

    digits: str
    base: int
    kind: str = "base"

    @property
    def decimal_digits(self) -> str:
        """The same in base 10; empty where it is no whole number of that base."""
        try:
            return str(int(self.digits, self.base)) if len(self.digits) < 200 else ""
        except ValueError:
            return ""


class Collection(NamedTuple):
    """`kind` is `list` (no brackets), `set` or `tuple`; a tuple of two may be an interval."""

    kind: str
    items: tuple["Shape", ...]
    opening: str = ""
    closing: str = ""


class SetUnion(NamedTuple):
    """A union of intervals and sets."""

    pieces: tuple["Shape", ...]
    kind: str = "interval"


class Matrix(NamedTuple):
    """Rows of cells."""

    rows: tuple[tuple["Shape", ...], ...]
    kind: str = "matrix"


class Relation(NamedTuple):
    r"""`sides[0] signs[0] sides[1] ...`; what is larger is turned round: a sign is `<`, `\le`, `=`, `\in` or `\ne`."""

    signs: tuple[str, ...]
    sides: tuple["Shape", ...]
    kind: str = "relation"


Shape = Union[Scalar, BaseNumber, Collection, SetUnion, Matrix, Relation]  # noqa: UP007  # strings in it need the old form
