"""What goes to Math-Verify and what comes back, in the parent and in the child."""

import re
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

FORM_CHARACTERS = 500
"""Characters kept of a parsed form."""
# matches r"1,\!234", "1{,}234", not "1,234", r"x,\!234"
LATEX_THOUSANDS = re.compile(r"(?<=[0-9])(?:,\\!\s?|\{,\})(?=[0-9])")
r"""How LaTeX sets the comma of 1,000: `,\!` or `{,}`. Math-Verify does not read the first inside a fraction."""


class Pair(NamedTuple):
    """What is compared. The order matters: Math-Verify treats gold and answer differently."""

    gold: str
    answer: str


class Verdict(NamedTuple):
    """What the verifier said: a verdict of `schemas.tables.verdicts`, the rule behind it, both parsed forms."""

    verdict: str
    rule: str
    gold_parsed: str | None = None
    answer_parsed: str | None = None
    milliseconds: float = 0.0


Comparator = Callable[[str, str], Verdict]
"""What the child judges by: gold, answer."""


def describe_library() -> str:
    """The library behind the verdicts and its installed version, e.g. `math-verify 0.9.0`."""
    return f"math-verify {version('math-verify')}"
