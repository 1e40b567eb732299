r"""Compares families of solutions, such as `\frac{\pi}{2}+2k\pi, k\in\mathbb{Z}`, whose parameter may have any name."""

import re

# matches r"2k\pi, k\in\mathbb{Z}", r"2n\pi (n \in Z)", r"k\pi, \quad k \in \mathbb{Z}.", not r"2k\pi, k > 0"
# matches r"k\pi, k is an integer", not r"x \in \mathbb{Z}"
_PARAMETER = re.compile(
    r"(.+?)\s*(?:[,;]|\\q?quad|\(|\\text\{[^{}]*\}|\bwhere\b|\bfor\b)[\s,]*+([a-z])\s*(?:\\in|∈|is an integer)\s*"
    r"(?:\\mathbb\s*\{?\s*Z\s*\}?|\\mathbf\s*\{?\s*Z\s*\}?|\\Z|Z)?\s*\)?\s*\.?"
)
PARAMETER = "k"


def read_family(text: str) -> str | None:
    """The general member with `PARAMETER` as its parameter; None if the text is no family, or has that letter."""
    match = _PARAMETER.fullmatch(text)
    if match is None:
        return None
    member, name = match[1], match[2]
    if name != PARAMETER and _find_letter(PARAMETER).search(member):
        return None
    return _find_letter(name).sub(PARAMETER, member)


def _find_letter(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z\\]){name}(?![A-Za-z])")
