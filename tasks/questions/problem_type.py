"""Types questions by rules before anyone solves them: a value, multiple choice, proof, several parts, or yes and no.

Votes and exact verifiers need one value. A proof has none, a letter is guessed in one of four cases, and two samples
agree on yes or no by chance.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import pyarrow as pa
from pydantic import Field

from schemas.arrow import required
from schemas.outcomes import Reject, Row
from schemas.steps import Stage

ProblemType = Literal["value", "multiple_choice", "proof", "multi_part", "yes_no"]
"""What a question asks for. `value` is everything that no rule finds to be something else."""


class KeepProblemTypes(Stage):
    """Keeps questions of the types in `keep`, and can turn multiple choice into a question for the value."""

    needs: ClassVar[tuple[str, ...]] = ("question",)
    adds: ClassVar[pa.Schema] = pa.schema([required("question", pa.string()), required("problem_type", pa.string())])

    keep: tuple[ProblemType, ...] = Field(default=("value",), min_length=1)
    """Types of questions to keep: `value`, `multiple_choice`, `proof`, `multi_part` or `yes_no`."""
    convert_choices: bool = True
    """Whether the options of a multiple-choice question are removed where the rest asks for a value; the question then
    counts as `value`. Others, such as `Which of these is prime?`, stay multiple choice."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        for row in batch:
            question, kind = row["question"], find_type(row["question"])
            if kind == "multiple_choice" and self.convert_choices and (stem := without_options(question)):
                question, kind = stem, find_type(stem)
            if kind in self.keep:
                yield row | {"question": question, "problem_type": kind}
            else:
                yield Reject(row, f"problem type: {kind}")


def find_type(question: str) -> ProblemType:
    """The type of a question. The rules are made to be right where they find one, and leave the rest to `value`."""
    text = re.sub(r"(\s)\1{2,}", r"\1\1", _FIGURE.sub(" ", question))
    if find_options(text) is not None:
        return "multiple_choice"
    if _has_parts(text):
        return "multi_part"
    if _PROOF.search(text):
        return "proof"
    requests = _split_requests(text)
    if len(requests) > 1:
        return "multi_part"
    if _TRUE_OR_FALSE.search(text) or (requests and _is_yes_no(requests[-1])):
        return "yes_no"
    return "value"


class Options(NamedTuple):
    """The options of a multiple-choice question."""

    start: int
    """Character at which the first label stands."""
    texts: tuple[str, ...]
    """The options without their labels."""


# matches "[asy]draw(A);[/asy]", not "[1, 2]"
_FIGURE = re.compile(r"\[asy\].*?(?:\[/asy\]|\Z)", re.DOTALL)
# matches "(A) 5", "\nB. 7", r"\textbf{(C)}~9", "D) x", not "(AB) 5", "f(A)", "3 A"
_OPTION_LABEL = re.compile(
    r"(?:(?:^|(?<=[\s$~}]))(?:\\(?:textbf|text|mathrm|qquad|quad)\s*\{?\s*)?\((?P<round>[A-Ja-j])\)\s*\}?"
    r"|(?:^[ \t]*(?:\*\*)?(?P<line>[a-j])[.)]|(?:^"
    r"|(?<=\s))[ \t]*(?:\*\*)?(?P<bare>[A-J])[.):])(?:\*\*)?(?=\s))(?:[~\s]|\\(?=[\s,;]))*",
    re.MULTILINE,
)
# matches "Which of these is prime?", "Choose one", not "How many of them are true?"
_WHICH = re.compile(r"\bwhich\b|\b(?:choose|select|pick)\b|\boptions?\b", re.IGNORECASE)
LEAST_OPTIONS = 3
"""Fewest labelled options of a multiple-choice question; two may be the parts of a question, or two statements."""
# matches "How many", "find the area", "3?", not "12 cm"
_REQUEST = re.compile(
    r"\?|\b(?:find|determine|compute|calculate|evaluate|solve|what|how (?:many|much|long|far|old)|which|show|prove"
    r"|express"
    r"|write|give|sketch|explain|estimate|simplify|state)\b",
    re.IGNORECASE,
)


def find_options(question: str) -> Options | None:
    """The options of a question, labelled A, B, C and so on in order; None if it has none."""
    labels = [(match, match["round"] or match["bare"] or match["line"]) for match in _OPTION_LABEL.finditer(question)]
    for first in "Aa":
        starts = [at for at, (_, letter) in enumerate(labels) if letter == first]
        for at in reversed(starts):
            run = [match for n, (match, letter) in enumerate(labels[at:]) if ord(letter) == ord(first) + n]
            consecutive = [letter for _, letter in labels[at : at + len(run)]]
            if len(run) < LEAST_OPTIONS or consecutive != [chr(ord(first) + n) for n in range(len(run))]:
                continue
            ends = [*(match.start() for match in run[1:]), len(question)]
            texts = tuple(
                question[m.end() : end].replace("\\qquad", "").strip(" $~\n\t.,;").rstrip(" \\")
                for m, end in zip(run, ends, strict=True)
            )
            if first == "a" and not _WHICH.search(question[: run[0].start()]):
                continue
            if not any(_REQUEST.search(text) for text in texts[:-1]):
                return Options(run[0].start(), texts)
    return None


# matches "Which of the following", "the best estimate", "closest to", "x could be", not "What is the sum?"
_NEEDS_OPTIONS = re.compile(
    r"\b(?:which|following|these|those|below|above|options?|choices?|choose|select|pick|closest|nearest to|best"
    r"|true|false"
    r"|could|cannot be|can be|must be|might|except|statements?|expressions?|equations?|graph|equivalent|correct"
    r"|answer with|letter|true about|not)\b",
    re.IGNORECASE,
)
# matches "12", "$3.50", r"\frac{1}{2}", "5 cm", "3:20 p.m.", not "All of the above", "A square"
_VALUE = re.compile(
    r"[^A-Za-z]*[0-9][^A-Za-z]*(?:[A-Za-z.\u00b0%/^0-9 ]{0,24})"
    r"|\\?\$?\s*-?\\(?:d|t)?frac\{?[^A-Za-z]{1,12}(?:\\?\w{0,8}\W{0,3})"
    r"|-?[0-9]*\s*\\(?:sqrt|pi)\b[^A-Za-z]*"
)
# matches " Answer with the letter.", "Options:", "Choose one:", not "Choose a card"
_LETTER_REQUEST = re.compile(
    r"\s*(?:\b(?:please )?(?:answer|respond|reply) with (?:just |only )?(?:the|a) letter[^.\n]*\.?"
    r"|^[ \t*_]*(?:answer )?(?:options?|choices?|choose one|select one|pick one)[*_]*\s*:?[*_]*[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)


def without_options(question: str) -> str | None:
    """The question without its options; None unless it asks for a value that is worked out without seeing them."""
    options = find_options(question)
    if options is None or "[asy]" in question:
        return None
    stem = question[: options.start].rstrip(" $\\~\n\t*({").rstrip()
    stem = re.sub(r"\\(?:textbf|text|mathrm|qquad|quad)$", "", stem).rstrip(" $\\~\n\t*({")
    stem = _LETTER_REQUEST.sub("", stem).strip()
    asked = stem.endswith(("?", ".", ":")) or stem.endswith("is")
    if not asked or not _REQUEST.search(stem) or _NEEDS_OPTIONS.search(_last_sentence(stem)):
        return None
    if not stem.endswith(("?", ".")):
        return None
    return stem if all(_VALUE.fullmatch(text) for text in options.texts) else None


# matches "(a) Find x. (b) Find y.", "1. How many?", "b) x", "Part B: x", not "It is 4. Find x.", "f(a)"
_PART_LABEL = re.compile(
    r"(?:^|(?<=\s))(?:part\s+)?(?:\((?P<round>[a-h]|i{1,3}|iv|v|[1-9])\)|(?P<bare>[a-h1-9])\)(?=\s))"
    r"|^[ \t]*(?P<line>[a-h1-9])\.(?=\s)|(?<=part )(?P<word>[a-h1-9])\b",
    re.IGNORECASE | re.MULTILINE,
)


def _has_parts(text: str) -> bool:
    """Whether at least two labelled parts ask for something."""
    if not (labels := list(_PART_LABEL.finditer(text))):
        return False
    last_end = text.find("\n\n", labels[-1].end())
    if last_end >= 0 and _REQUEST.search(text[last_end:]):
        return False  # what is asked about all of them together
    ends = [*(label.start() for label in labels[1:]), len(text)]
    asking = [bool(_REQUEST.search(text[m.end() : end])) for m, end in zip(labels, ends, strict=True)]
    letters = [(m["round"] or m["bare"] or m["line"] or m["word"]).lower() for m in labels]
    return sum(asking) >= 2 and letters[:1] in (["a"], ["1"], ["i"])


# matches "Prove that 2 > 1.", "If n is odd, show that n^2 is odd.", not "Show your work.", "He proves it."
_PROOF = re.compile(
    r"(?:^|[.!?:;,$]\s*|\n\s*|\b(?:and|then|to|hence|or|please) )(?:(?:prove|disprove)\b(?! (?:his|her|their|a point))"
    r"|(?:show|demonstrate|verify|justify|deduce) (?:that|why)\b|give a (?:rigorous |formal |short )?proof\b"
    r"|explain why\b)",
    re.IGNORECASE,
)
# matches "True or false: 7 > 5", "Is it? (yes or no)", "Determine whether x > 1.", not "the true/false questions"
_TRUE_OR_FALSE = re.compile(
    r"(?:^|[(.:?\n]\s*)(?:(?:answer|say|state|write|is this|is it)\s+)?(?:true or false|yes or no|yes/no"
    r"|true/false)\s*[?:.)]"
    r"|(?:^|[.!?,]\s+|\n)(?:determine|decide|state|check|say|tell) (?:whether|if)\b(?![^.?!]*\b(?:or(?! not)|find"
    r"|compute|how|what)\b)",
    re.IGNORECASE,
)
# matches all of "Is 91 a prime number", "If x = 2, can y be 3", not of "What is it"
_YES_NO_START = re.compile(
    r"(?:(?:if|when|since|given that|for|in|on|at|after|with|so|then|now|and|but)\b[^?]*?,\s*(?:then )?)?"
    r"(?:is|are|was|were|does|do|did|can|could|will|would|has|have|had|should|must)\s+(?!you\b|we\b|i\b"
    r"|each\b[^?]*\beach)[^?]*",
    re.IGNORECASE,
)
# matches "is it more", "Can you say how", not "Is 91 prime"
_ASKS_VALUE = re.compile(r"\b(?:how|what|which|who|when|where|or|why|more|less|fewer)\b", re.IGNORECASE)
_QUOTED = re.compile('"[^"]*"|\u201c[^\u201d]*\u201d|``.*?\'\'', re.DOTALL)
# matches "so? How", "5.\nHow", not "100! are", "3.5 km"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(\\$0-9])|\n+")
# matches the start of "What is it?", "How many?", "If so, by how much?", "Is it 3?", not of "Really?"
_ASKING = re.compile(
    r"(?:[^?]*,\s*|(?:and|but|then|so|also|now)\s+)?(?:what|how|which|who|when|where|why|is|are|was|were|does|do"
    r"|did|can|could|will"
    r"|would|has|have|(?:after|at|in|by|for|to|with) (?:how|what|which)|at what|in what|in how|for how|for what"
    r"|for which|by what|by how|to what|of what|on what"
    r"|on which)\b",
    re.IGNORECASE,
)


def _split_requests(text: str) -> list[str]:
    """The questions at the end of a text, one after the other, without what somebody in it says."""
    requests: list[str] = []
    for sentence in reversed([each for each in _SENTENCE_END.split(_QUOTED.sub(" ", text)) if each.strip()]):
        if sentence.rstrip(" )*").endswith("?") and _ASKING.match(sentence.strip()):
            requests.insert(0, sentence.strip(" ?)*"))
        elif requests:
            break
    return requests


def _is_yes_no(request: str) -> bool:
    return bool(_YES_NO_START.fullmatch(request)) and not _ASKS_VALUE.search(request)


def _last_sentence(text: str) -> str:
    return [part for part in _SENTENCE_END.split(text) if part.strip()][-1]
