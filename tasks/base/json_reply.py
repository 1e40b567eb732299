"""Replies that are JSON objects, as engines that hold a model to a schema give them, and models that only try to."""

import json
import re
from typing import Any

_LATEX = (
    r"times|text\w*|tfrac|theta|tan|to|triangle|tau|neq?|nu|nabla|not|notin|frac|forall|begin|beta|binom|bar|big\w*"
    r"|boxed|bmod|bot|right\w*|rho|root|rangle|rceil|rfloor|underline|underbrace|union|upsilon|uparrow"
)
LARGEST = 10**6
"""What any larger count is read as: out of every range."""
_BACKSLASH = re.compile(rf"\\\\|\\(?=(?:{_LATEX})(?![A-Za-z]))|\\(?![bfnrtu\"/\\])")
"""A backslash that was written once where JSON wants two: `\\times` would be a tabulator and `imes`."""


def fields(text: str) -> dict[str, Any]:
    """The fields of a reply that is one JSON object; empty for any other text."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        told = json.loads(_BACKSLASH.sub(r"\\\\", text))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def whole(value: Any) -> int | None:
    """A count that a reply states, as a number or in digits, at the most `LARGEST`; None for anything else."""
    text = str(value).strip(" .*")
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) < len(str(LARGEST)) else LARGEST
