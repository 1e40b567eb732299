"""What every kind of constraint has: arguments that are checked, and an outcome that may stay open."""

import unicodedata
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import Field, StrictInt, model_validator

from schemas.identity import FrozenModel

# Characters that nobody sees, by which a word can be hidden or parted.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e"))


class ConstraintText(NamedTuple):
    """A response as constraints read it, and the question that it answers."""

    text: str
    """Without blanks around it, with line ends as `\\n` and accents composed."""
    visible: str
    """The same without characters that nobody sees."""
    question: str


def make_constraint_text(response: str, question: str = "") -> ConstraintText:
    """Normalize a response for all constraints."""
    text = unicodedata.normalize("NFC", response.replace("\r\n", "\n").replace("\r", "\n")).strip().strip("\ufeff")
    return ConstraintText(text, text.translate(_INVISIBLE), question)


class Outcome(NamedTuple):
    """Whether a constraint holds; None if it depends on how one counts. `measured` says what was seen."""

    holds: bool | None
    measured: str = ""


HOLDS, FAILS, UNCLEAR = Outcome(True), Outcome(False), Outcome(None)


class ConstraintFault(ValueError):
    """A constraint cannot be checked for this row, such as a prompt to repeat that the row does not hold."""


class CheckTimeout(Exception):
    """A constraint could not be checked within its limit; `rule` is the rule of the verdict."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class Constraint(FrozenModel):
    """One kind of constraint; its fields are its arguments."""

    kind: ClassVar[str]
    """Name of the kind, as rows state it."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether the constraint holds for a response."""
        raise NotImplementedError(f"{type(self).__name__} must define check()")


class Counted(Constraint):
    """A constraint on a number. What is counted may be counted in several ways: the limit must hold for all of them.

    It is unclear if it holds for some of them only.
    """

    at_least: StrictInt | None = Field(default=None, ge=0)
    """Least number that is allowed."""
    at_most: StrictInt | None = Field(default=None, ge=0)
    """Greatest number that is allowed."""
    exactly: StrictInt | None = Field(default=None, ge=0)
    """The one number that is allowed."""
    more_than: StrictInt | None = Field(default=None, ge=0)
    """The number must be greater."""
    less_than: StrictInt | None = Field(default=None, ge=1)
    """The number must be smaller."""

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        limits = (self.at_least, self.at_most, self.exactly, self.more_than, self.less_than)
        if all(limit is None for limit in limits):
            raise ValueError("give a limit: at_least, at_most, exactly, more_than or less_than")
        low, high = self.limits()
        if low > high:
            raise ValueError("the limits exclude each other")
        return self

    def limits(self) -> tuple[int, float]:
        """The least and the greatest number that is allowed."""
        low = max(self.at_least or 0, -1 if self.more_than is None else self.more_than + 1, self.exactly or 0)
        highs = [each for each in (self.at_most, self.exactly) if each is not None]
        if self.less_than is not None:
            highs.append(self.less_than - 1)
        return low, min(highs, default=float("inf"))

    def count(self, text: ConstraintText) -> tuple[int, int]:
        """The lowest and the highest count of all defensible ways to count."""
        raise NotImplementedError(f"{type(self).__name__} must define count()")

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether the limit holds for all ways to count, for none, or for some."""
        counts = sorted(self.count(text))
        low, high = self.limits()
        measured = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
        if low <= counts[0] and counts[-1] <= high:
            return Outcome(True, measured)
        return Outcome(False if counts[-1] < low or counts[0] > high else None, measured)


def require(condition: Any, unclear: Any = False) -> Outcome:
    """An outcome that holds if `condition` does, else is open if `unclear` is."""
    if condition:
        return HOLDS
    return UNCLEAR if unclear else FAILS
