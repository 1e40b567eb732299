"""Tells whether the last number of a text may be its answer, or whether other numbers may be it as well."""

import re

SEVERAL_NUMBERS = "several_numbers"
"""The doubt where the last sentence has several numbers: which of them is meant is unknown."""
EARLIER_NUMBERS = "earlier_numbers"
"""The doubt where earlier sentences have other numbers: one of them may have been the answer."""
NO_ANSWER = "no_answer"
"""The doubt where the number names a page, or says how sure the text is, or stands in a question."""
_NUMBER = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?")
# matches "end. So", "4?", not "3.5", "$.5"
_SENTENCE_END = re.compile(r"[.?!](?=\s|\Z)|\n|[。？！]")  # noqa: RUF001
# matches "step ", "see equation (", "theorem ", not "steps ", "3 ", "footsteps "
_REFERENCE = re.compile(
    r"\b(?:step|equation|eq\.|theorem|lemma|problem|question|example|figure|fig\.|table|section|chapter|case|part|rule"
    r"|line|note|method)\s*[#(\[]?\s*\Z",
    re.IGNORECASE,
)
"""Text before a number that is the number of a thing."""
# matches "Confidence: ", "rate my answer ", not "so it is "
_CERTAINTY = re.compile(r"\b(?:confiden(?:ce|t)|certain(?:ty)?|score|rate\s+(?:my|this))\b", re.IGNORECASE)
HEDGED_NUMBER = "hedged_number"
"""The doubt where the number is a bound, or is said to be none: `at least 5`, `10 is wrong`."""
# matches "at least ", "more than $", "up to ", "isn't ", "cannot be ", "reject ", not "no more. So it is ", "less the "
_HEDGED_BEFORE = re.compile(
    r"\b(?:at\s+(?:least|most)|(?:more|less|fewer|greater|larger|smaller|higher|lower|other|rather|later|earlier)\s+than"
    r"|up\s+to|no\s+(?:more|less|fewer)\s+than|not(?:\s+(?:be|equal(?:\s+to)?|exactly|just|only))?|(?:is|are|was|were|do|does|can)n't"
    r"(?:\s+(?:be|equal))?|cannot(?:\s+(?:be|equal))?|never|neither|except|excluding|reject(?:ed|s)?|discard(?:ed|s)?"
    r"|exceeds?|below|above|over|under|as\s+(?:many|much|few)\s+as|instead\s+of|between)\s+[$€£(\\*]*\Z",
    re.IGNORECASE,
)
# matches the start of " or more", " is wrong", ", which is impossible", " is not a solution", not of " is the answer"
_HEDGED_AFTER = re.compile(
    r"[$)*\\]*(?:\s+[a-z]+)?(?:,?\s+(?:which|that|this|it))?(?:\s+or\s+(?:more|less|fewer|higher|lower|greater|above|below)\b"
    r"|\s+(?:is|was|are|cannot|can't|isn't|does|doesn't|would|must|should)\s+(?:(?:clearly|obviously|also|be|too|an?|thus)\s+)*"
    r"(?:not\b|wrong|incorrect|impossible|invalid|false|extraneous|large\b|small\b|big\b|rejected|excluded|no\b"
    r"|hold\b|work\b|correct\?)"
    r"|\s+(?:does|do)\s+not\b|\s+(?:doesn't|don't|isn't|aren't|cannot|can't)\b)",
    re.IGNORECASE,
)
# matches "= ", "= $", "=-", not "= 3 ", "< "
_AFTER_EQUALS = re.compile(r"=\s*[$€£¥]?\s*-?\Z")
# matches the start of " apples, or not?", "?", not of ". Is it?"
_QUESTION = re.compile(r"[^.!?\n]{0,200}\?")
MAX_HEDGE = 60
"""Characters before and after a number that are searched for a bound or a denial."""
MAX_LOOK_BACK = 2000
"""Characters before the last number that are searched for others."""


def find_doubt(text: str, start: int, end: int) -> str:
    """Why the last number, the text's `[start:end]`, may not be the answer; empty if no other number may be."""
    first = max(0, start - MAX_LOOK_BACK)
    ends = [match.end() for match in _SENTENCE_END.finditer(text, first, start)]
    sentence = ends[-1] if ends else first
    before = text[sentence:start]
    if _REFERENCE.search(before) or _CERTAINTY.search(before) or _QUESTION.match(text, end):
        return NO_ANSWER
    if is_hedged(text, start, end):
        return HEDGED_NUMBER
    own = _NUMBER.findall(text[start:end])
    if not _AFTER_EQUALS.search(before) and _has_other(text, sentence, start, own):
        return SEVERAL_NUMBERS
    return EARLIER_NUMBERS if _has_other(text, first, start, own) else ""


def is_hedged(text: str, start: int, end: int) -> bool:
    """Whether the value, the text's `[start:end]`, is only a bound, or is said to be no answer."""
    before = text[max(0, start - MAX_HEDGE) : start]
    return _HEDGED_BEFORE.search(before) is not None or _HEDGED_AFTER.match(text, end, end + MAX_HEDGE) is not None


def _has_other(text: str, start: int, end: int, own: list[str]) -> bool:
    """Whether there is another number in the text's `[start:end]` that may be an answer."""
    return any(
        number[0].strip(",") not in own and not _REFERENCE.search(text, max(0, number.start() - 30), number.start())
        for number in _NUMBER.finditer(text, start, end)
    )
