"""Finds the final answer of a response for checkers, with the doubts that its surroundings raise."""

import re
from typing import NamedTuple

from tasks.verification.extraction.generation_end import find_end
from tasks.verification.extraction.rules import EXPLICIT_RULES, extract

STATED_RULES = EXPLICIT_RULES | {"answer_is", "printed"}
"""Rules that find what the response says is its answer."""
# matches "Wait, ", "Sorry, I meant B", "on second thought", "No, it is B", not "waiting", "no answer", "I mean"
_REVISION = re.compile(
    r"\b(?:wait|sorry|correction|on\s+second\s+thought|I\s+meant|scratch\s+that|let\s+me\s+(?:re|correct))\b"
    r"|\bactually\b|(?:\A|[.?!\n]\s*)[Nn]o,",
    re.IGNORECASE,
)
# matches "I don't think ", "It is false that ", "we do not say that ", not "A is not right, so ", "nothing "
_DENIAL = re.compile(
    r"(?:\b(?:not|never|doubt|false|wrong|incorrect|hardly)|n't|n\N{RIGHT SINGLE QUOTATION MARK}t)\b[^,;:.?!\n]*\Z",
    re.IGNORECASE,
)
# matches "Everyone says ", "some people think that ", "Nobody believes ", not "I think ", "the text says nothing. So "
_REPORT = re.compile(
    r"(?:\b(?:everyone|everybody|nobody|no\s+one|people|some|others|many|most|few|they|students?)\s+(?:\w+\s+)?"
    r"(?:say|claim|think|believe|would|might|pick|choose)\b|\b(?:says|said|claims|claimed|thinks|thought|believes|believed)\b)"
    r"[^.?!\n]*\Z",
    re.IGNORECASE,
)
# matches "The least likely ", "the opposite of the ", "If A then the ", not "If A, the ", "The correct "
_QUALIFIER = re.compile(
    r"(?:\b(?:least|worst|second|third|opposite|wrong|incorrect|false|bad|other|another|alternative|unlikely|next|previous)\b"
    r"|\b(?:if|unless|whether)\b)[^,;:.?!\n]*\Z",
    re.IGNORECASE,
)
# matches the start of ", which is a mistake", " is wrong", not of ", which is right", " is A"
_WITHDRAWAL = re.compile(
    r"[^.?!\n]{0,80}?\b(?:is|was|were|be)\s+(?:an?\s+|the\s+)?(?:mistaken?|wrong|incorrect|false|error)\b",
    re.IGNORECASE,
)
# matches "J", "the St", "U.S", "Mr", not "Paris", "was"
_ABBREVIATION = re.compile(r"(?:\A|[\s.(])(?:[A-Z]|St|Mt|Ft|Dr|Mrs?|Ms|Jr|Sr|Prof|No|vs|[A-Z](?:\.[A-Z])+)\Z")
# matches "Rowling. He", "Paris!", not "3.5", "J.K"
_STOP = re.compile(r"[.](?=\s|\Z|\*\*)|\n|[。？！?!]")  # noqa: RUF001
MAX_SENTENCE_CHARACTERS = 300
"""Characters before and after a statement that are searched for doubts."""


class StatedAnswer(NamedTuple):
    """A final answer with the rule that found it and the doubt that goes with it, empty if there is none."""

    text: str
    found_by: str
    doubt: str = ""
    is_stated: bool = True
    """Whether the response says that this is its answer. Otherwise it is the last number, or all of the response."""
    start: int = 0
    end: int = 0
    """Where it stands in the response."""


def find_stated_answer(response: str, markers: tuple[str, ...] = ()) -> StatedAnswer | None:
    """The final answer in `response`, None if there is none."""
    extracted = extract(response, markers, takes_words=True)
    if extracted is None:
        return None
    is_stated = extracted.found_by in STATED_RULES
    text, end = extracted.text, extracted.end
    if extracted.found_by == "answer_is":
        text, end = _extend_behind_abbreviation(response, extracted.start, extracted.end)
    doubt = extracted.doubt
    if is_stated and not doubt:
        doubt = _find_doubt(response, extracted.start, end, extracted.found_by)
    return StatedAnswer(text, extracted.found_by, doubt, is_stated, extracted.start, end)


def cut_run_on(response: str) -> str:
    """The response without what follows its end: a token that closes it, or another question."""
    return response[: find_end(response, lambda before: extract(before, (), takes_words=True) is not None)].strip()


def is_revised(text: str) -> bool:
    """Whether a text takes back what was said before."""
    return _REVISION.search(text) is not None


def is_denied(before: str) -> bool:
    """Whether the words before an answer, in its sentence, deny it, report what others say, or speak of another one."""
    return any(sign.search(before) for sign in (_DENIAL, _REPORT, _QUALIFIER))


def _find_doubt(response: str, start: int, end: int, found_by: str) -> str:
    """Why a stated answer may not be meant: it is revised afterwards, denied, or only reported."""
    behind = response[end:]
    if found_by != "answer_is":
        return ""
    if is_revised(behind):
        return "revised"
    before = response[max(0, start - MAX_SENTENCE_CHARACTERS) : start]
    sentence = before[max(before.rfind(sign) for sign in ".?!\n") + 1 :]
    statement = sentence.lower().rfind("answer")
    if is_denied(sentence[:statement] if statement >= 0 else sentence) or _WITHDRAWAL.match(behind):
        return "denied"
    return ""


def _extend_behind_abbreviation(response: str, start: int, end: int) -> tuple[str, int]:
    """`J. K. Rowling` where a sentence seemed to end behind `J.`; and where it ends."""
    while _ABBREVIATION.search(response[start:end]) and response[end : end + 2] in (". ", ".\t"):
        following = _STOP.search(response, end + 1)
        end = following.start() if following else len(response)
    return response[start:end].strip(), end
