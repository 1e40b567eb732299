"""Takes a solution out of a reply: without preface, headings, labels, fences, quotation marks and remarks around it.

A student's text that has none of these is left as it is.
"""

import re
from collections.abc import Sequence

from tasks.answers.final_answer import ANSWER_PREFIX, answer_key
from tasks.verification.extraction.rules import MARKERS, ExtractedAnswer, extract

# matches all of "```", "```text", "~~~ markdown", not of "```python", "`x`"
_FENCE = re.compile(
    r"[ \t]*(?:`{3,}|~{3,})[ \t]*(?:text|txt|plain(?:text)?|markdown|md|latex|tex)?[ \t]*", re.IGNORECASE
)
# matches the start of "Sure! Here", "Okay, I", "Thanks for", not of "Surely", "We"
_ASSENT = re.compile(
    r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|alright|all right|got it|great|understood|no problem"
    r"|yes|thanks?(?: you)?(?: for [^.!:]*)?|happy to help|gladly)\b[,.! :\u2014-]*",
    re.IGNORECASE,
)
# matches the start of "Here's how", "Below is", "The student goes on:", not of "Hereafter", "The student has:"
_PRESENTING = re.compile(
    r"(?:here(?:'s|\u2019s| is| are| goes|:)(?! what (?:we|i|is)\b)|below(?: is| are|,)"
    r"|the following|this is (?:how|the)|as requested"
    r"|(?:the|this|our) student (?:then |now )?(?:continues|goes|writes|notices|reali[sz]es|corrects|says|reflects"
    r"|stops)\b.*:\s*$|continuing (?:as|from|the)\b)",
    re.IGNORECASE,
)
# matches the start of "I'll play", "Let me write", "I am going to act", not of "I add", "Let me check", "I will be"
_ANNOUNCING = re.compile(
    r"(?:i(?:'ll|\u2019ll| will| can| am going to|'m going to)|let me|let's)\s+(?:now\s+)?(?:play|write|continue|use"
    r"|act|pretend|give|present|rewrite|provide|follow|go on as|make|show|help|do (?:that|this))\b",
    re.IGNORECASE,
)
# matches "the student", "the format", "rewritten", not "the sum", "steps"
_TASK_WORD = re.compile(
    r"\b(?:students?|solutions?|solved?|continu\w+|attempts?|formats?|request\w*|asked|role|versions?"
    r"|rewrit\w+|smooth\w*|repl(?:y|ies)|responses?|mistakes?)\b",
    re.IGNORECASE,
)
# matches all of "Solution:", "Student's continuation", "Corrected steps:", "Moment of doubt", not of "Steps are"
_LABEL_LINE = re.compile(
    r"[\s*_#>\[(-]*(?:(?:the|a|my|(?:a |the )?student(?:'s|\u2019s|s)?|corrected|revised|smooth(?:ed|er)?|rewritten"
    r"|wrong|incorrect|final|full|complete|new|improved|worked|step[- ]by[- ]step)\s+)*(?:solution|continuation"
    r"|reflection|correction|(?:moment of )?doubt|steps|answer|reply|response|attempt|version|text|trajectory|rewrite"
    r"|work|working|student|line of doubt|first line|output)(?:\s*\([^)\n]*\))?[\s*_\])]*:?[\s*_]*",
    re.IGNORECASE,
)
# matches the start of "**Reflection:** Wait", "Correction: 36", "Corrected steps: a", not of "Reflection", "Steps: 3"
_LABEL_OPENING = re.compile(
    r"[\s*_#>-]*(?:(?:the|my|(?:the )?student(?:'s|\u2019s|s)?)\s+)*(?:reflection|continuation|correction|student"
    r"|(?:moment of )?doubt|(?:corrected|revised|smoothed) (?:steps|solution|version|text))[\s*_]*:[\s*_]*(?=\S)"
    r"|[\s*_]*[(\[](?:reflection|(?:moment of )?doubt|correction|continuation)[)\]][\s*_:]*(?=\S)",
    re.IGNORECASE,
)
# matches all of "## Step 2: Area", "#### Count again", not of "## a = 4", "#5", "# of cats: 5"
_HEADING = re.compile(r"[\s>]*#{1,6}[ \t]+(?!of\b)[^\n=]*")
# matches the start of "#### 1. Find the cost", "#### 2) Area", not of "#### 1.5", "#### 12", "#### 3. "
_NUMBERED_HEADING = re.compile(r"#### *[*_]*[0-9]{1,2}[.)][*_]*\s+[*_]*[A-Za-z]")
# matches all of "---", "* * *", "=====", not of "--", "--- a"
_RULE = re.compile(r"\s*(?:[-*_=\u2014\u2500][ \t]*){3,}")
# matches all of "...", "**\u2026**", not of "..", "... and"
_DOTS = re.compile(r"[\s*_>]*(?:\.{3,}|\u2026)[\s*_]*")
# matches all of "**It is so.**", "*Wait.*", "__a__", not of "**a** and **b**", "**a", "* 3 * 4"
_BOLD_LINE = re.compile(
    r"\s*(?:\*\*(?P<stars>(?:(?!\*\*).)+)\*\*|__(?P<lines>(?:(?!__).)+)__"
    r"|\*(?P<star>(?=[^\s*])(?:[^*\n]| \* )+(?<=[^\s*]))\*)\s*"
)
# matches "Wait, that", "let me recheck", "On second thought", not "the waiter", "Let me know"
_SECOND_THOUGHTS = re.compile(
    r"\b(?:wait|hold on|hmm+|actually|on second thoughts?|let me (?:re-?)?(?:check|consider|think|do)|oops)\b",
    re.IGNORECASE,
)
# matches all of "60 meters", "$5.50", "**22**", "\\frac{3}{4}", "25%", not of "3 dozen", "5 or 6", "x + 1", "about 5"
_PLAIN_VALUE = re.compile(
    r"[\s*$\\(]*[$\u20ac\u00a3]?-?(?:[0-9][0-9,]*(?:\.[0-9]+)?(?:/[0-9]+)?|\\d?frac\{-?[0-9]+\}\{[0-9]+\})"
    r"[$)\\\s*]*(?:\\?%|percent)?"
    r"(?:\s*(?!(?:dozens?|hundreds?|thousands?|millions?|billions?|half|halves|and|or|to|more|less|fewer|than|at|times"
    r"|plus|minus|over|out|of|per ?cent|score|gross|pairs?|k|pi|if|but|not)\b)"
    r"[A-Za-z\u00b0\u00b2\u00b3/]+){0,3}[\s*$]*",
    re.IGNORECASE,
)
# matches "maybe the", "I think", "would", not "So the", "Therefore,"
_RESERVE = re.compile(
    r"\b(?:maybe|perhaps|probably|possibly|might|may|could|would|should|think|guess|suppose|assume|believe|if|unless|not"
    r"|unsure|seems?|likely|about|whether|wrong|first|intermediate|either|one)\b|n't\b",
    re.IGNORECASE,
)
# matches all of ".", "**.", ", which is the total.", not of ". Wait", ", which is 5", " but"
_END_OF_RESPONSE = re.compile(r"[\s.!*)$\\\]}]*|,? (?:which|since|because|as|so that) [^0-9.?!\n]*[.!]?\s*")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
# matches the start of "**Answer:** 4", "Final answer: 4", not of "The answer is 4", "So the answer: 4"
_ANSWER_LABEL = re.compile(r"[\s*_]*(?:final\s+)?answer[\s*_]*:", re.IGNORECASE)
_OPENING_QUOTES, _CLOSING_QUOTES = '"\u201c\u00ab', '"\u201d\u00bb'
MAX_PREFACE_LINES = 4
"""Lines before a solution that may be a preface."""


def clean_solution(reply: str) -> str:
    """The solution in a reply: its lines without what stands around it, up to the line with its answer.

    What follows the answer stays if it takes the answer back, or gives another one.
    """
    lines = [line.rstrip() for line in reply.strip().splitlines() if not _FENCE.fullmatch(line)]
    lines = _drop_preface(_drop_block_quote(lines))
    lines = _normalize_answer(lines)
    lines = [_strip_bold(line) for line in lines if not is_heading_or_label(line)]
    lines = _drop_outer_quotes(_drop_blank_runs(lines))
    return "\n".join(lines).strip()


def is_heading_or_label(line: str) -> bool:
    """Whether a line is no part of a solution: a heading, a label, a rule or only dots."""
    if line.lstrip(" *_>").startswith(ANSWER_PREFIX) and _answer_at([line], 0) is not None:
        return False
    return bool(line.strip()) and any(each.fullmatch(line) for each in (_HEADING, _LABEL_LINE, _RULE, _DOTS))


def strip_label(line: str) -> str:
    """The line without a label that opens it, such as `**Reflection:**`."""
    return _strip_bold(_LABEL_OPENING.sub("", line, count=1))


def is_preface(line: str) -> bool:
    """Whether a line speaks to the reader about what follows, rather than as the student."""
    plain = line.strip(' *_>"')
    assent = _ASSENT.match(plain)
    rest = plain[assent.end() :] if assent else plain
    if assent and not rest:
        return True
    has_digit = any(sign.isdigit() for sign in rest)
    if _PRESENTING.match(rest) and "=" not in rest:
        return bool(_TASK_WORD.search(rest)) or (rest.endswith(":") and not has_digit)
    return bool(_ANNOUNCING.match(rest) and _TASK_WORD.search(rest)) and not has_digit


def _drop_preface(lines: Sequence[str]) -> list[str]:
    """The lines from the first on that is neither a preface nor dress."""
    at = seen = 0
    while at < len(lines) and seen < MAX_PREFACE_LINES:
        line = lines[at]
        is_title = is_heading_or_label(line) and any(map(is_preface, lines[at + 1 : at + 3]))
        if line.strip() and not is_preface(line) and not is_title:
            break
        seen += bool(line.strip())
        at += 1
    return list(lines[at:] if at < len(lines) else lines)


def _drop_block_quote(lines: Sequence[str]) -> list[str]:
    """The lines without the signs of a block quote, if all lines that do not introduce it have them."""
    quoted = [line for line in lines if line.lstrip().startswith(">")]
    others = [line for line in lines if line.strip() and not line.lstrip().startswith(">") and not is_preface(line)]
    if not quoted or len(others) > 1:
        return list(lines)
    return [line.lstrip().removeprefix(">").removeprefix(" ") if line in quoted else line for line in lines]


def _normalize_answer(lines: Sequence[str]) -> list[str]:
    """The lines with `#### answer` on one line of its own, and without a remark behind it."""
    stated = [(at, found) for at in range(len(lines)) if (found := _answer_at(lines, at)) is not None]
    if not stated:
        return _cut_after_statement(lines)
    at, (before, answer, width) = stated[0]
    remark = [line for line in lines[at + width :] if line.strip()]
    others = {answer_key(found[1].text) for _, found in stated} - {answer_key(answer.text)}
    if not others and not any(map(_SECOND_THOUGHTS.search, remark)):
        remark = []
    is_boxed_there = answer.found_by == "boxed" and width == 1
    last = lines[at][len(before) :].strip(" *_") if is_boxed_there else f"{ANSWER_PREFIX} {answer.text}"
    if "\n".join(lines[:at]).count('"') % 2 or "\u201c" in lines[0][:1]:
        last = last.rstrip(_CLOSING_QUOTES)
    return [*lines[:at], *([before] if before else []), last, *remark]


def _answer_at(lines: Sequence[str], at: int) -> tuple[str, ExtractedAnswer, int] | None:
    """What stands before the answer in the line `at` with `####`, the answer, and the lines that it takes.

    None if the line has no such mark, or if the mark opens a heading.
    """
    before, mark, _ = lines[at].partition(ANSWER_PREFIX)
    if not mark or before[-1:] in ("`", '"', "'") or before.strip(" *_").startswith(">"):
        return None
    if _NUMBERED_HEADING.match(lines[at], len(before)):
        return None
    following = [n for n in range(at + 1, len(lines)) if lines[n].strip()][:1]
    text = f"{ANSWER_PREFIX}{lines[at][len(before) + len(mark) :]}"
    below = "".join(f"\n{lines[n]}" for n in following)
    found = extract(text + below)
    if found is None or found.found_by not in ("hash", "boxed"):
        return None
    before = before.strip(" *_")
    return (before, found, 1) if found.start < len(text) else (before, found, following[0] - at + 1)


def _cut_after_statement(lines: Sequence[str]) -> list[str]:
    """The lines up to a box or another statement of the answer, if what follows is a remark of one paragraph.

    An answer that only a plain last sentence states gets its line.
    """
    text = "\n".join(lines)
    found = extract(text)
    if found is None or found.found_by not in ("boxed", "marker", "answer_is"):
        return list(lines)
    last = text.count("\n", 0, found.end)
    remark = [line for line in lines[last + 1 :] if line.strip()]
    is_math = any("\\" in line or "$" in line or "=" in line for line in remark)
    if is_math or len(remark) > 2 or any(map(_SECOND_THOUGHTS.search, remark)):
        return list(lines)
    kept = list(lines[: last + 1])
    if found.found_by == "answer_is" and states_value_last("\n".join(kept)):
        kept = kept[:-1] if _ANSWER_LABEL.match(kept[-1]) else kept
        kept.append(f"{ANSWER_PREFIX} {found.text.strip('*')}")
    return kept


def _strip_bold(line: str) -> str:
    """The line without the bold type that holds all of it."""
    match = _BOLD_LINE.fullmatch(line)
    return (match["stars"] or match["lines"] or match["star"]).strip() if match else line


def _drop_outer_quotes(lines: Sequence[str]) -> list[str]:
    """The lines without quotation marks around the first one or around all of them."""
    if not lines or lines[0][:1] not in tuple(_OPENING_QUOTES):
        return list(lines)
    inner = lines[0][1:]
    closing = [sign for sign in inner if sign in _CLOSING_QUOTES]
    if inner[-1:] in tuple(_CLOSING_QUOTES) and len(closing) == 1:
        return [inner[:-1], *lines[1:]]
    rest = "\n".join(lines[1:])
    if closing or any(sign in rest.rstrip(_CLOSING_QUOTES) for sign in _OPENING_QUOTES + _CLOSING_QUOTES):
        return list(lines)
    return [inner, *rest.rstrip().rstrip(_CLOSING_QUOTES).split("\n")] if len(lines) > 1 else [inner]


def _drop_blank_runs(lines: Sequence[str]) -> list[str]:
    """The lines with at most one blank line between any two."""
    return [line for at, line in enumerate(lines) if line.strip() or (at and lines[at - 1].strip())]


def states_value_last(response: str, markers: Sequence[str] = MARKERS) -> bool:
    """Whether the last sentence of a response says without reserve that the answer is one plain value."""
    extracted = extract(response, markers)
    if extracted is None or _PLAIN_VALUE.fullmatch(extracted.text) is None:
        return False
    opening = _SENTENCE_END.split(response[: extracted.start])[-1]
    return not _RESERVE.search(opening) and _END_OF_RESPONSE.fullmatch(response[extracted.end :]) is not None
