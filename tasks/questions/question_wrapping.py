"""Takes off what a model puts around a question: prefaces, labels, fences, quotes and remarks."""

import re

from tasks.questions.question_faults import NUMBERED_LINE, REQUEST, Fault, has_request, holds_solution
from tasks.questions.question_labels import Section, is_title_case, split_sections

MOST_LAYERS = 8
"""Wrappings within each other that are taken off."""
# matches "```\nHow many?\n```", "~~~text\nx\n~~~", not "`x`"
_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(?P<text>.*?)\n?[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
# matches the start of "```text\nHow many?", not of "`x`"
_OPEN_FENCE = re.compile(r"(?:`{3,}|~{3,})[a-zA-Z]*\n")
# matches "Assistant: How many?", "model\nHow many?", not "The assistant: she"
_ROLE = re.compile(r"\A[*_#\s]*(?:assistant|model|ai|bot|gpt|user|human)[*_]*\s*(?::[*_]*|\n)\s*", re.IGNORECASE)
_INTERJECTION = (
    r"(?:sure(?: thing)?|of course|certainly|absolutely|definitely|ok(?:ay)?|alright|all right|great|gladly|got it"
    r"|understood|no problem|with pleasure|happy to help|yes|thank you|thanks|good idea|great (?:question|idea)"
    r"|(?:hello|hi|hey)(?: there)?)"
)
_ANNOUNCED = (
    r"(?:question|problem|version|puzzle|riddle|one|re-?write|revision|exercise|challenge|idea|example|attempt|try)s?"
)
# matches "Sure! Tom", "Of course, here's a problem:\nTom", not "Sure as he was, Tom", "OK Corral"
_PREFACE = re.compile(
    rf"\A[*_\s]*(?:{_INTERJECTION}(?:[!.:]+|[ ]*[\u2013\u2014-]+|,? (?:i can (?:do that|help)"
    rf"|happy to)[^\n.!:?]{{0,60}}[.!:]+)[*_]*\s+"
    rf"|(?:{_INTERJECTION}\s*[,!.:\u2013\u2014-]\s*)?(?:here(?:[\u2019']s| is| are|[\u2019']re)|below (?:is|are)"
    rf"|this is|the following is"
    r"|i(?:[\u2019']ve| have|[\u2019']ll| will| would|[\u2019']d| can)?(?: \w+){0,3} (?:written|made|created"
    r"|come up|came up|invented"
    r"|rewrit\w*|rewrote|revised?|improved?|fix(?:ed)?|thought|suggest|propose|offer|create|write|invent|give|provide)"
    rf"|let me (?:give|offer|write|create|propose|rewrite|try)|let[\u2019']s (?:try|take"
    rf"|use))\b[^\n:?!]{{0,140}}?\b{_ANNOUNCED}\b"
    r"(?:[^\n:?.!]{0,120}:[*_]*\s*|[^\n:?.!]{0,120}[.!]?[ ]*\n+))",
    re.IGNORECASE,
)
# matches "Here are three problems:\n1.", not "Here are the numbers"
_SEVERAL_ANNOUNCED = re.compile(
    r"\b(?:here are|below are|i (?:have )?(?:written|made)|consider)\b[^\n:?.]{0,40}\b(?:problems|questions|ideas"
    r"|versions"
    r"|options|examples|exercises|variants|suggestions)\b[^\n?]{0,80}:",
    re.IGNORECASE,
)
_FAREWELL = (
    r"(?:please )?(?:let me know|feel free|(?:i )?hope (?:this|that|it|you)|(?:i[\u2019']?(?:m| am|d be"
    r"|ll be) )?(?:happy|glad) to"
    r"|would you like|do you (?:want|need)|shall i|should i|want me to|need (?:help|another)|can i help"
    r"|is there anything"
    r"|if you (?:want|need|would like|[\u2019']d like|have|wish)|good luck|have fun|enjoy|happy (?:solving|problem"
    r"|calculating)"
    r"|can you (?:solve|figure|work|find (?:it|the (?:answer|solution)))|try (?:it|to solve)|(?:do you )?think you can"
    r"|give it a try|ready for)"
)
_CHANGE = (
    r"(?:added|clarified|changed|kept|made|removed|fixed|re-?wrote|rephrased|replaced|adjusted|specified|included"
    r"|ensured"
    r"|chose|corrected|modified|simplified|re-?worded|supplied|stated|repaired|increased|introduced|turned|picked|set"
    r"|used|designed|tried|aimed|wanted|created|invented|gave|assumed|defined)"
)
_REMARK_START = (
    rf"{_FAREWELL}|i(?:[\u2019']ve| have|[\u2019']ll| also| have also)? (?:also |now |only |just |simply )?{_CHANGE}\b"
    r"|(?:in )?th(?:is|e) (?:(?:new|final|improved|revised|rewritten|updated|modified|original|harder|above"
    r"|re-?worded) )*"
    r"(?:question|problem|version|re-?write|revision|puzzle|exercise|rewording|change|changes"
    r"|word problem)s?\b(?! is\b[^.]*\?)"
    r"|(?:the )?(?:main |key )?(?:changes|modifications|improvements)\b|(?:note|notice)(?: that|:)? (?:i"
    r"|the (?:question|problem)|this)\b"
    rf"|{_CHANGE} (?:the|a|an|that|so)\b|now (?:the|this|it) (?:question|problem|is|has)|it (?:now )?(?:has|is"
    rf"|requires|asks|tests|involves)"
    r"|this (?:one |now )?(?:requires|asks|tests|involves|makes|ensures|adds|gives|keeps|encourages|will|should"
    r"|adds|uses|combines)"
    r"|that[\u2019']s (?:it|the)"
)
# matches "Let me know if you need more.", "(I added the rate.)", "This version has one answer.", not "A box is red."
_REMARK = re.compile(rf"[*_(\[\s\"']*(?:{_REMARK_START})", re.IGNORECASE)
# matches "How many? Let me know if you need another one!", not "How many did he let go?"
_FAREWELL_SENTENCE = re.compile(rf"(?<=[.?!)\"$])\s+[*_(]*{_FAREWELL}\b[^\n]*\Z", re.IGNORECASE)
# matches r"x? Please reason step by step, and put your final answer within \boxed{}.", not "Answer in simplest form."
_REASONING_REQUEST = re.compile(
    r"\s*(?:please )?(?:reason|think|solve (?:it|this|the problem)|work|show your work"
    r"|let[\u2019']s think)[^\n.?!]{0,40}"
    r"(?:step[- ]by[- ]step)[^\n]*\Z"
    r"|\s*(?:please )?(?:put|give|write|place|enclose|box) your (?:final )?answer[^\n.?!]{0,30}(?:\\boxed"
    r"|a box)[^\n]*\Z",
    re.IGNORECASE,
)
# matches "---", "***", "_____", not "--"
_RULE = re.compile(r"[-*_\u2014=]{3,}|(?:[-*_] ){2,}[-*_]")
# matches "x? \U0001f642", not "x?"
_EMOJI_EDGE = re.compile(
    r"\A[\U0001f300-\U0001faff\u2600-\u27bf\ufe0f\s]+|[\U0001f300-\U0001faff\u2600-\u27bf\ufe0f\s]+\Z"
)
# matches all of r"\[\text{How many?}\]", r"\text{x}", not of r"\text{a} b"
_TEXT_COMMAND = re.compile(
    r"(?:\\\[|\$\$?)?\s*\\(?:text|textbf|mbox|textit)\{(?P<text>[^{}]*)\}\s*(?:\\\]|\$\$?)?", re.DOTALL
)
# matches the start of "- How many?", "1. How many?", not of "1.5 km", "12. x"
_LIST_MARK = re.compile(r"(?:[-*\u2022]|1[.)])[ \t]+")
# matches "\\begin{problem}", not "\\begin{align}"
_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\{(?:problem|question|exercise|quote|quotation|center|document|enumerate|itemize)\*?\}"
)
_QUOTE_PAIRS = {'"': '"', "\u201c": "\u201d", "'": "'", "\u2018": "\u2019", "\u00ab": "\u00bb", "`": "`"}


def unwrap(text: str) -> str | Fault:
    """The text without everything that is only put around a question."""
    for _ in range(MOST_LAYERS):
        before = text
        if _SEVERAL_ANNOUNCED.search(text) and not _has_chosen(text):
            return Fault("several questions")
        for strip in (_without_fence, _without_edges, _without_marks, _without_preface, _without_remarks):
            text = strip(text)
        chosen = _choose_section(text)
        if isinstance(chosen, Fault):
            return chosen
        text = chosen.strip()
        if text == before:
            break
    return text or Fault("empty")


def _has_chosen(text: str) -> bool:
    return any(section.rank == 3 for section in split_sections(text))


def _without_fence(text: str) -> str:
    """The text of the fence that holds the question, if the text around it asks for nothing."""
    blocks = [match for match in _FENCED.finditer(text) if has_request(match["text"])]
    if len(blocks) == 1:
        (block,) = blocks
        around = f"{text[: block.start()]}\n{text[block.end() :]}"
        if not around.strip() or not REQUEST.search(_without_remarks(_without_preface(around))):
            return block["text"]
    if match := _OPEN_FENCE.match(text):
        return text[match.end() :] if not _FENCED.search(text) else text
    return text


def _without_edges(text: str) -> str:
    """The text without the role word before it, rules at its ends, LaTeX environments and the request to reason."""
    text = _REASONING_REQUEST.sub("", _ROLE.sub("", _EMOJI_EDGE.sub("", text.strip())))
    if match := _TEXT_COMMAND.fullmatch(text):
        text = match["text"]
    if (match := _LIST_MARK.match(text)) and not NUMBERED_LINE.search(text[match.end() :]):
        text = text[match.end() :]
    title, separator, below = text.removeprefix("\\noindent").strip().partition("\n\n")
    text = below if separator and is_title_case(title) and has_request(below) else f"{title}{separator}{below}"
    lines = text.split("\n")
    if any(_ENVIRONMENT.search(line) for line in (lines[0], lines[-1])):
        lines = _ENVIRONMENT.sub("", text).strip().split("\n")
    while lines and (not lines[0].strip() or _RULE.fullmatch(lines[0].strip())):
        lines = lines[1:]
    while lines and (not lines[-1].strip() or _RULE.fullmatch(lines[-1].strip())):
        lines = lines[:-1]
    return "\n".join(lines)


def _without_marks(text: str) -> str:
    """The text without quotes, bold or a quote's `>` around all of it, or around its first paragraph that asks."""
    paragraph, separator, rest = text.strip().partition("\n\n")
    for part, after in ((text.strip(), ""), (paragraph, rest)):
        if after and REQUEST.search(_without_remarks(f"{paragraph}{separator}{rest}")[len(paragraph) :]):
            continue
        bare = _strip_marks(part)
        if bare != part and has_request(bare) and not (after and any(s.kind for s in split_sections(after))):
            return bare
        if bare != part and after:
            return f"{bare}{separator}{after}" if has_request(bare) else text
    return text


def _strip_marks(text: str) -> str:
    lines = text.split("\n")
    if all(line.startswith(">") or not line.strip() for line in lines):
        return "\n".join(line.removeprefix(">").strip() for line in lines).strip()
    for mark in ("***", "**", "*", "__", "_"):
        inner = text.removeprefix(mark).removesuffix(mark)
        if len(text) - len(inner) == 2 * len(mark) and mark not in inner and "\n\n" not in inner:
            return inner.strip()
    opening, closing = text[:1], text[-1:]
    if len(text) > 2 and _QUOTE_PAIRS.get(opening) == closing:
        inner = text[1:-1]
        if opening not in inner and (closing not in inner or closing in "'\u2019"):
            return inner.strip()
    return text


def _without_preface(text: str) -> str:
    match = _PREFACE.match(text)
    return text[match.end() :] if match and has_request(text[match.end() :]) else text


def _without_remarks(text: str) -> str:
    """The text without the paragraphs and sentences after the question that only speak about it."""
    while True:
        head, separator, last = text.rstrip().rpartition("\n\n")
        plain = last.strip(" *_()[]\n")
        if not separator or not has_request(head):
            break
        if _RULE.fullmatch(last.strip()) or (_REMARK.match(last) and not _asks_more(plain)):
            text = head
            continue
        break
    head, separator, last = text.rstrip().rpartition("\n")
    if separator and _REMARK.match(last) and not _asks_more(last) and has_request(head):
        text = head
    shorter = _FAREWELL_SENTENCE.sub("", text)
    return shorter if shorter != text and has_request(shorter) else text


# matches all of "Would you like another one?", not of "How much would you like to pay?"
_FAREWELL_ONLY = re.compile(rf"[*_(\s]*(?:[^.?!\n]*[.!]\s+)?{_FAREWELL}[^?\n]*\??[)*_\s]*", re.IGNORECASE)


def _asks_more(text: str) -> bool:
    """Whether a remark holds a question of its own, other than whether another question is wanted."""
    return "?" in text and not _FAREWELL_ONLY.fullmatch(text)


def _choose_section(text: str) -> str | Fault:
    """The section that holds the question; the text itself if it has no labels."""
    sections = split_sections(text)
    if not any(section.kind for section in sections):
        return text
    questions = [section for section in sections if section.kind == "question"]
    if not questions:
        first, *others = sections
        if first.kind is None and has_request(first.text) and all(section.kind == "remark" for section in others):
            return first.text
        return _without_title(text, sections)
    rank = max(section.rank for section in questions)
    chosen = [at for at, section in enumerate(sections) if section.kind == "question" and section.rank == rank]
    texts = {" ".join(sections[at].text.split()) for at in chosen if sections[at].text}
    # A label may stand directly above another one: `Here is the final question:` above `**Problem:**`.
    if texts == set() and rank > 1 and any(section.text for section in questions):
        below = sections[chosen[-1] + 1 :]
        return next((each.text for each in below if each.kind == "question" and each.text), "") or Fault("label")
    if len(texts) != 1:
        return Fault("several questions")
    at = next(at for at in reversed(chosen) if sections[at].text)
    others = [*sections[:at], *sections[at + 1 :]]
    if any(each.kind == "unknown" and each.text and each not in sections[:1] for each in others):
        return Fault("label")
    if rank == 1 and any(_is_content(each) for each in sections[:at]):
        return Fault("label")
    return _without_remarks(sections[at].text)


def _is_content(section: Section) -> bool:
    """Whether a section before a plain label may be a part of the question, such as the story that it asks about."""
    if section.kind not in (None, "unknown"):
        return False
    text = _without_preface(f"{section.text}\n\nHow many?").removesuffix("How many?").strip()
    return bool(text) and not _RULE.fullmatch(text)


def _without_title(text: str, sections: list[Section]) -> str | Fault:
    """The text below a title; a fault if the labels are others."""
    first, *rest = sections
    if first.kind in ("title", "unknown") and first.text and not any(section.kind for section in rest):
        return first.text if first.kind == "unknown" else text.split("\n", 1)[-1]
    if first.kind == "title" and not rest:
        return text.split("\n", 1)[-1]
    kinds = {section.kind for section in sections}
    if "solution" in kinds or holds_solution(text):
        return Fault("solution")
    return Fault(next((kind for kind in ("hint", "draft") if kind in kinds), "label"))
