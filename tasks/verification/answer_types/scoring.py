"""Turns what a user's own checker says, a verdict or a score, into a verdict."""

import math
from collections.abc import Mapping
from typing import Any

from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict

DECISIONS = ("correct", "wrong", "unparseable")
"""Verdicts that a checker may state."""


def read_decision(value: Any, threshold: float, rule: str) -> Verdict | None:
    """The verdict for a truth value, a score or the name of a verdict; None if it is none of them."""
    if isinstance(value, Mapping):
        value = value.get("verdict", value.get("score"))
    if isinstance(value, bool):
        return Verdict("correct" if value else "wrong", rule)
    if isinstance(value, str) and value in DECISIONS:
        return Verdict(value, rule)
    if isinstance(value, int | float) and math.isfinite(value):
        return Verdict("correct" if value >= threshold else "wrong", rule, answer_parsed=f"score {value:g}")
    return None


def refuse_decision(text: str) -> Verdict:
    """The verdict where a checker said something else."""
    return Verdict("unparseable", "checker_failed", answer_parsed=f"no verdict: {text}"[:FORM_CHARACTERS])
