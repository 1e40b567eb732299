"""Canaries: known pairs that show whether Math-Verify still judges as it did when its version was chosen."""

from collections.abc import Sequence

from schemas.errors import VerifierBroken
from tasks.verification.math_verify.verdict import Pair, Verdict

Canary = tuple[Pair, str]

CANARIES: tuple[Canary, ...] = (
    (Pair("18", "18"), "correct"),
    (Pair("18", "19"), "wrong"),
    (Pair(r"\frac{3}{4}", "0.75"), "correct"),
    (Pair(r"\frac{1}{2}", r"\dfrac12"), "correct"),
    (Pair(r"\frac{1}{3}", r"\frac{3}{1}"), "wrong"),
    (Pair(r"\sqrt{8}", r"2\sqrt{2}"), "correct"),
    (Pair("x^2+2x+1", "(x+1)^2"), "correct"),
    (Pair("x^2+2x+1", "(x-1)^2"), "wrong"),
    (Pair(r"\{1,2,3\}", r"\{3,1,2\}"), "correct"),
    (Pair(r"\{1,2,3\}", r"\{1,2\}"), "wrong"),
    (Pair(r"50\%", r"\frac{1}{2}"), "correct"),
    (Pair("(1,2]", "(1,2]"), "correct"),
    (Pair("(1,2]", "[1,2]"), "wrong"),
    (Pair("(1,2)", "(2,1)"), "wrong"),
    (Pair("1<x<2", "(1,2)"), "correct"),
    (Pair("(1,2)", "1<x<2"), "unparseable"),  # the same pair swapped: detects swapped arguments
    (Pair(r"\frac{\pi}{3}", "2"), "wrong"),
    (Pair("18", r"\boxed{"), "unparseable"),
)
"""Known pairs that every new child must judge correctly before it is used. They also warm it up."""


def check_canaries(library: str, canaries: Sequence[Canary], verdicts: Sequence[Verdict]) -> None:
    """Raise `VerifierBroken` if `library` judged a canary wrongly."""
    for (pair, expected), verdict in zip(canaries, verdicts, strict=True):
        if verdict.verdict != expected:
            raise VerifierBroken(
                f"{library} fails a canary: gold {pair.gold!r}, answer {pair.answer!r} is {expected}, "
                f"but it says {verdict.verdict} ({verdict.rule}); reinstall it, or pin the version that worked"
            )
