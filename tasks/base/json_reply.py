"""Replies that are JSON objects, as engines that hold a model to a schema give them, and models that only try to."""

import json
import re
from typing import Any

_LATEX_COMMANDS = (
    r"times|text\w*|tfrac|theta|tan|to|triangle|tau|neq?|nu|nabla|not|notin|frac|forall|begin|beta|binom|bar|big\w*"
    r"|boxed|bmod|bot|right\w*|rho|root|rangle|rceil|rfloor|underline|underbrace|union|upsilon|uparrow"
)
LARGEST_COUNT = 10**6
"""What any larger count is read as: out of every range."""
# matches r"\times", r"\sqrt", not r"\n"
_SINGLE_BACKSLASH = re.compile(rf"\\\\|\\(?=(?:{_LATEX_COMMANDS})(?![A-Za-z]))|\\(?![bfnrtu\"/\\])")
"""A backslash that was written once where JSON wants two: `\\times` would be a tabulator and `imes`."""


def parse_json_reply(text: str) -> dict[str, Any]:
    """The fields of a reply that is one JSON object; empty for any other text."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        parsed = json.loads(_SINGLE_BACKSLASH.sub(r"\\\\", text))
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def parse_count(value: Any) -> int | None:
    """A count that a reply states, as a number or in digits, at the most `LARGEST_COUNT`; None for anything else."""
    text = str(value).strip(" .*")
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) < len(str(LARGEST_COUNT)) else LARGEST_COUNT
