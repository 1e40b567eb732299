"""Finds the lines of a reply that are labels (`**Final question:**`, `## Solution`) and what follows each of them."""

import re
from typing import Literal, NamedTuple

LabelKind = Literal["question", "draft", "solution", "hint", "remark", "title", "unknown"]
"""What a label says about the text after it. `draft`: a question that is not the final one."""


class Section(NamedTuple):
    """A part of a reply: the text after a label, up to the next label."""

    kind: LabelKind | None
    """Kind of the label; None before the first label."""
    rank: int
    """Of questions: 3 if the label calls it final, 2 if it calls it improved, else 1; 0 for all other kinds."""
    text: str
    """The text without the label."""


_FINAL = r"final(?:ly|ized)?|finished|definitive"
_IMPROVED = (
    r"improved|revised|re-?written|re-?worded|re-?phrased|re-?formulated|updated|modified|corrected|repaired|fixed"
    r"|clarified|clearer|refined|harder|(?:more )?(?:challenging|difficult|complex|demanding)|new|adjusted|polished"
    r"|enhanced|better|completed?|cleaned[- ]up|upgraded|edited|amended|strengthened|solvable|mended"
)
_PLAIN = (
    r"maths?|mathematics|mathematical|word|story|practice|example|sample|original(?= word| math)|challenge|multi-?step"
    r"|grade[- ]school|algebra|geometry|short|generated|invented|created|output|actual"
)
_NOUN = r"questions?|problems?|exercises?|puzzles?|riddles?|q"
_OTHER_NOUN = r"versions?|re-?writes?|rewriting|revision|task|prompt|statement|formulation|wording|draft|challenge|one"
_NUMBER = r"(?:\s*(?:no\.?|number|#)?\s*(?:[0-9]{1,3}|[IVX]{1,4})\b)?(?:\s*\([^()\n]{1,60}\))?"
_ADJECTIVE = rf"(?:{_FINAL}|{_IMPROVED}|{_PLAIN})"
_ADJECTIVES = rf"(?:{_ADJECTIVE}(?:\s*(?:,|/|&|\band\b)\s*|\s+))"
_LABELS: dict[LabelKind, str] = {
    "title": r"(?:problem |question )?(?:title|name)",
    "draft": (
        rf"(?:the )?(?:original|initial|given|old|previous|first|starting|input) (?:{_PLAIN} )?"
        rf"(?:question|problem|version|draft)|(?:draft|attempt|idea|version|try)\s*[0-9]*"
    ),
    "question": (
        rf"(?:step [0-9]+\s*[:.\u2013-]\s*)?[*_]*(?:(?:the|my|your|our|a|an|one) )?(?:{_ADJECTIVES}*(?:{_NOUN})"
        rf"|{_ADJECTIVES}+(?:{_OTHER_NOUN})"
        rf"|re-?written|re-?write|improved|revised|revision|final|reworded|updated|corrected|modified|harder|clarified)"
        rf"(?: (?:statement|text|description|only))?{_NUMBER}(?: (?:is|reads|becomes|would be|would read|could be))?"
    ),
    "solution": (
        rf"(?:(?:the|my|your) )?(?:(?:step[- ]by[- ]step|worked|detailed|sample|model|correct|expected|full|complete"
        rf"|short|numerical|quick|final|exact|possible) )*(?:solution|answer|ans|explanation|working|workings|work"
        rf"|calculations?|computations?|reasoning|proof|answer key|result|verification|verify|check|checking|approach"
        rf"|method|strategy|steps|step [0-9]+|derivation|self[- ]check|walk-?through|work(?:ing)? (?:it )?out"
        rf"|(?:how )?to solve(?: (?:this|it|the problem))?|solving(?: (?:it|the problem))?|thought process|sanity check"
        rf"|let'?s solve(?: it)?|solution steps){_NUMBER}"
    ),
    "hint": rf"(?:hints?|tips?|clue){_NUMBER}",
    "remark": (
        r"(?:the )?(?:analysis|issues?|problems? (?:with|in) [^:\n]{1,40}|changes?(?: made)?|what (?:i |was |has )?"
        r"(?:been )?changed|rationale|justification|why [^:?\n]{1,40}|difficulty(?: level)?|topics?|grade(?: level)?"
        r"|concepts?(?: tested)?|skills?(?: tested)?|learning (?:objectives?|goals?)|improvements?(?: made)?"
        r"|explanation of (?:the )?changes|summary of (?:the )?changes|modifications?(?: made)?"
        r"|clarifications?(?: made)?"
        r"|thinking|thoughts?|repairs?(?: made)?|diagnosis|critique|feedback|solvability|assessment|evaluation"
        r"|remarks?|comments?|notes? (?:to|on|about|for) [^:\n]{1,40}|tags)"
    ),
}
_DRESSED_ONLY = r"note|notes|observations?|review|summary|plan|level|type|category|source|subject|domain|time|points"
"""Labels of remarks that count only in bold or as a heading: real questions have lines that begin `Note:`."""
_OPENING = r"(?P<dress>(?:[^\w\n$\\(\[\"'|{<]|_)*)"
_CLOSING = r"(?P<close>(?:[*_`#\s]|[^\x00-\u2100\uff1a\u4e00-\u9fff])*)"
_SEPARATOR = r"(?P<sep>[:\uff1a=.]|[-\u2013\u2014](?=\s)|$)"


def _compile_label(words: str) -> re.Pattern[str]:
    return re.compile(rf"{_OPENING}(?P<label>{words}){_CLOSING}{_SEPARATOR}(?P<rest>.*)", re.IGNORECASE)


_PATTERNS = {kind: _compile_label(words) for kind, words in _LABELS.items()}
# matches all of "**Note:** x", "# Plan", not of "Notes are cheap", "x note: y"
_DRESSED_REMARK = _compile_label(_DRESSED_ONLY)
# matches all of "Here's a clearer version of the question:", "So, here is a problem: x", not of "Here is a list: 3, 4"
_INTRODUCTION = re.compile(
    r"[*_>\s]*(?:(?:so|then|now|thus|therefore|hence|finally|ok(?:ay)?|sure|certainly|of course|absolutely|great"
    r"|alright)\b"
    r"[^\n:?]{0,40}?[,!.]?\s+)?(?:and\s+)?(?:here(?:[\u2019']s| is| comes)|below is|this is|that is|i(?:[\u2019']d"
    r"| would)?"
    r" (?:suggest|propose|offer)|this gives(?: us)?|try|(?:the|my|our) (?:final|improved|revised|rewritten|new|harder))"
    rf"\b[^\n:?]{{0,120}}?\b(?P<noun>{_NOUN}|version|re-?write|revision|one|task|challenge)\b[^\n:?]{{0,120}}"
    r":(?P<rest>[*_]*.*)",
    re.IGNORECASE,
)
"""A sentence that announces the question and ends in a colon: `Here's a clearer version of the question:`."""
# matches the start of r"\textbf{Problem.} x", r"\section*{Problem}", not of r"\frac{1}{2}"
_LATEX_HEADING = re.compile(
    r"^\s*\\(?:textbf|textit|emph|underline|(?:sub)*section\*?|(?:sub)?paragraph\*?)\s*\{([^{}\n]*)\}"
)
# matches the start of "[Question] How many?", "[Answer]: 9", not of "[1, 2]", "(a) x"
_BRACKETED = re.compile(r"^\s*[\[<(]{1,2}(?P<words>[A-Za-z ]{6,30})[\])>]{1,2}(?:\s*:)?(?=\s)")
_HEADING = re.compile(r"\s*#{1,6}\s+\S")
# matches all of "**The ferry**", "__Changes__:", not of "**many** apples"
_BOLD_LINE = re.compile(r"\s*(?:\*{2,3}|__)(?P<text>[^*_\n]{1,80})(?:\*{2,3}|__)\s*:?\s*")
_SMALL_WORDS = frozenset({"of", "the", "a", "an", "and", "in", "at", "for", "to", "with", "on", "from", "by", "or"})
MOST_TITLE_WORDS = 10
"""Most words of a line in bold that is taken for a heading."""


def split_sections(text: str) -> list[Section]:
    """The parts of a reply between its labels, in order; the first has no label if the reply begins with none."""
    sections: list[Section] = [Section(None, 0, "")]
    for line in text.split("\n"):
        if (label := read_label(line)) is not None:
            sections.append(label)
        else:
            last = sections[-1]
            sections[-1] = last._replace(text=f"{last.text}\n{line}")
    parts = [section._replace(text=section.text.strip()) for section in sections]
    return [part for part in parts if part.kind or part.text]


def read_label(line: str) -> Section | None:
    """The label that a line opens with, and the rest of the line as its text; None if it opens with none."""
    plain = _BRACKETED.sub(r"**\g<words>:** ", _LATEX_HEADING.sub(r"**\1**", line)).strip()
    if not plain:
        return None
    for kind, pattern in _PATTERNS.items():
        if (match := pattern.match(plain)) and _is_label(kind, match):
            rest = _rest_of(match)
            if kind == "question" and _is_dressed(match) and is_title_case(rest):
                rest = ""
            return Section(kind, _rank(match["label"]) if kind == "question" else 0, rest)
    if (match := _DRESSED_REMARK.match(plain)) and _is_dressed(match):
        return Section("remark", 0, _rest_of(match))
    if match := _INTRODUCTION.fullmatch(plain):
        return Section(
            "question", _rank(plain[: match.start("rest")]), match["rest"].strip().removeprefix("**").strip()
        )
    if _HEADING.match(plain):
        return Section("unknown", 0, "")
    if (match := _BOLD_LINE.fullmatch(plain)) and _is_title(match["text"]):
        return Section("unknown", 0, "")
    return None


def _is_label(kind: LabelKind, match: re.Match[str]) -> bool:
    """Whether words at the start of a line are a label and not the start of a sentence."""
    separator, rest, dressed = match["sep"], match["rest"].strip(" *_"), _is_dressed(match)
    word = match["label"].lower()
    if word == "q":
        return separator in (":", "\uff1a", ".") and match["label"].isupper()
    if separator in (":", "\uff1a"):
        return True
    if separator == "=":
        return kind == "solution" and bool(rest)
    if separator == "":
        return dressed or (kind in ("question", "solution") and len(word.split()) <= 3)
    if separator == ".":
        return dressed or (kind == "question" and word[-1].isdigit())
    return dressed or rest[:1].isupper()


def _is_dressed(match: re.Match[str]) -> bool:
    return any(sign in match["dress"] for sign in "#*_`")


def _rest_of(match: re.Match[str]) -> str:
    """The text after a label, without the marks that close a bold label or a line that is bold as a whole."""
    rest = match["rest"].strip()
    for mark in ("***", "**", "__", "*", "_"):
        if mark in match["dress"] and mark not in match["close"]:
            return (rest.removeprefix(mark) if rest.startswith(mark) else rest.removesuffix(mark)).strip()
    return rest


def _rank(label: str) -> int:
    if re.search(rf"\b(?:{_FINAL})\b", label, re.IGNORECASE):
        return 3
    return 2 if re.search(rf"\b(?:{_IMPROVED}|re-?write|revision)\b", label, re.IGNORECASE) else 1


def is_title_case(text: str) -> bool:
    """Whether a text is like the title of a story: some words, of which only small ones begin with a small letter."""
    words = text.strip(' *_"\u201c\u201d').split()
    capital = [word[:1].isupper() or word in _SMALL_WORDS for word in words]
    return 2 <= len(words) <= MOST_TITLE_WORDS and all(capital) and text.rstrip(" *_")[-1:].isalpha()


def _is_title(text: str) -> bool:
    return len(text.split()) <= MOST_TITLE_WORDS and not text.rstrip(" :").endswith(("?", ".", "!"))
