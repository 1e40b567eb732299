"""The pairs sent to Math-Verify and the verdicts it returns, as parent and child share them."""

import re
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

FORM_CHARACTERS = 500
"""Characters of a parsed form that are kept."""
# matches r"1,\!234", "1{,}234", not "1,234", r"x,\!234"
LATEX_THOUSANDS = re.compile(r"(?<=[0-9])(?:,\\!\s?|\{,\})(?=[0-9])")
r"""The LaTeX ways to write the comma of 1,000: `,\!` or `{,}`. Math-Verify cannot read the first in a fraction."""


class Pair(NamedTuple):
    """A gold answer and the answer compared with it. Their order matters: Math-Verify treats them differently."""

    gold: str
    answer: str


class Verdict(NamedTuple):
    """A verdict of `schemas.tables.verdicts`, with the rule that decided and both parsed forms."""

    verdict: str
    rule: str
    gold_parsed: str | None = None
    answer_parsed: str | None = None
    milliseconds: float = 0.0
    found_by: str | None = None
    """How the answer was found in the response, if the verifier says so: `boxed`, `first_line` ..."""


Comparator = Callable[[str, str], Verdict]
"""A function of gold and answer by which the child judges."""


def describe_library() -> str:
    """The library that judges and its installed version, e.g. `math-verify 0.9.0`."""
    return f"math-verify {version('math-verify')}"
