"""What every checker of one answer type has: its name, its version, and verdicts on cases."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from schemas.identity import FrozenModel
from tasks.verification.math_verify.verdict import Verdict


class AnswerCase(NamedTuple):
    """One response to check. The response holds no thought; `gold` is the row's answer as it was written."""

    question: str
    response: str
    gold: str
    details: Mapping[str, Any] = {}
    """What the checker needs beyond the gold, such as `options`, `tests` or `schema`; each checker lists its keys."""
    row_id: str = ""


class AnswerChecker(FrozenModel):
    """Decides for one answer type whether a response gives the gold answer. Its fields are part of its identity.

    A checker never raises because of a row: what it cannot read is `unparseable`, and a gold that it cannot read gets
    the rule `gold_unparseable`. It says `wrong` only if both were read and differ.
    """

    answer_type: ClassVar[str]
    """Name of the answer type, as rows and recipes state it, e.g. `choice`."""
    version: ClassVar[int] = 1
    """Version of the behaviour. Raise it when a verdict changes."""

    def check(self, case: AnswerCase) -> Verdict:
        """The verdict on one case."""
        raise NotImplementedError(f"{type(self).__name__} must define check()")

    def check_many(self, cases: Sequence[AnswerCase]) -> Iterator[Verdict]:
        """One verdict for each case, in order, with the milliseconds that it took. Checkers with a pool override it."""
        for case in cases:
            began = time.perf_counter()
            yield self.check(case)._replace(milliseconds=(time.perf_counter() - began) * 1e3)

    def identity_facts(self) -> dict[str, Any]:
        """The type and version, which count for the identity in addition to the fields."""
        return {"answer_type": self.answer_type, "version": self.version}
