r"""Compares families of solutions, such as `\frac{\pi}{2}+2k\pi, k\in\mathbb{Z}`, whose parameter may have any name."""

import re

# matches r"2k\pi, k\in\mathbb{Z}", r"2n\pi (n \in Z)", r"k\pi, \quad k \in \mathbb{Z}.", not r"2k\pi, k > 0"
# matches r"k\pi, k is an integer", not r"x \in \mathbb{Z}"
_PARAMETER = re.compile(
    r"(.+?)\s*(?:[,;]|\\q?quad|\(|\\text\{[^{}]*\}|\bwhere\b|\bfor\b)[\s,]*+([a-z])\s*(?:\\in|∈|is an integer)\s*"
    r"(?:\\mathbb\s*\{?\s*Z\s*\}?|\\mathbf\s*\{?\s*Z\s*\}?|\\Z|Z)?\s*\)?\s*\.?"
)
_COMMAND = re.compile(r"\\[A-Za-z]+")
PARAMETER = "k"


def read_family(text: str) -> str | None:
    """The general member with `PARAMETER` as its parameter; None if the text is no family, or has that letter."""
    match = _PARAMETER.fullmatch(text)
    if match is None:
        return None
    member, name = match[1], match[2]
    letters = _COMMAND.sub("", member)
    if name not in letters or (name != PARAMETER and PARAMETER in letters):
        return None
    renamed, count = re.subn(rf"(?<![A-Za-z\\]){name}(?![A-Za-z])", PARAMETER, member)
    return renamed if count == letters.count(name) else None  # `kn` is not taken apart
