"""What a teacher must not leave in a text that a student is to learn from: labels of prompts, and talk of the task."""

import re

_LABELS = re.compile(
    r"<\|?/?[a-z_]+\|?>|\[/?(?:question|attempt|reference|reflection|correction|solution|inst)\]|^#{1,3} "
    r"|^\s*(?:reflection|correction|attempt|reference|question|step|type|verdict|trajectory)\s*:|```|\{\s*\""
    r"|\bas an ai\b|\blanguage model\b",
    re.IGNORECASE | re.MULTILINE,
)
_TALK = re.compile(
    r"\b(?:the (?:student|teacher)|(?:previous|given|provided|above|earlier|your|original) (?:attempt|solution"
    r"|trajectory|reference)|reference (?:solution|answer)|smoothed|revised version|rewritten (?:version|solution)"
    r"|the instruction)\b",
    re.IGNORECASE,
)
_CONFESSED = re.compile(r"\b(?:mistakes?|errors?|incorrect|erroneous|wrong (?:step|solution|answer))\b", re.IGNORECASE)


def leaked(text: str, *given: str) -> bool:
    """Whether a text holds labels, or talk about the task that none of `given`, the problem's own texts, has."""
    return bool(_LABELS.search(text)) or _foreign(_TALK, text, given)


def confessed(text: str, *given: str) -> bool:
    """Whether a solution that was made wrong says so."""
    return _foreign(_CONFESSED, text, given)


def _foreign(pattern: re.Pattern[str], text: str, given: tuple[str, ...]) -> bool:
    told = "\n".join(given).lower()
    return any(found.group().lower() not in told for found in pattern.finditer(text))
