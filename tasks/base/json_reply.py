"""Parses replies that are JSON objects, from engines that enforce a schema and from models that only try to."""

import json
import re
from typing import Any

_LATEX_COMMANDS = (
    r"times|text\w*|tfrac|theta|tan|to|triangle|tau|neq?|nu|nabla|not|notin|frac|forall|begin|beta|binom|bar|big\w*"
    r"|boxed|bmod|bot|right\w*|rho|root|rangle|rceil|rfloor|underline|underbrace|union|upsilon|uparrow"
)
LARGEST_COUNT = 10**6
"""Counts above this are read as this number, which is out of every valid range."""
# matches r"\times", r"\sqrt", not r"\n"
_SINGLE_BACKSLASH = re.compile(rf"\\\\|\\(?=(?:{_LATEX_COMMANDS})(?![A-Za-z]))|\\(?![bfnrtu\"/\\])")
"""A single backslash where JSON needs two. Read as JSON, `\\times` would be a tab character and `imes`."""


def parse_json_reply(text: str) -> dict[str, Any]:
    """The fields of a reply that is one JSON object; an empty dict for any other text."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        parsed = json.loads(_SINGLE_BACKSLASH.sub(r"\\\\", text))
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def parse_count(value: Any) -> int | None:
    """The count in a field of a reply, a number or digits, capped at `LARGEST_COUNT`; None for anything else."""
    text = str(value).strip(" .*")
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) < len(str(LARGEST_COUNT)) else LARGEST_COUNT
