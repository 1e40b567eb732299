"""Reads what a teacher writes after a wrong step: the reflection, and the right solution from there on."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tasks.answers.final_answer import ANSWER_PREFIX, final_answer
from tasks.base.typed_reply import TypedReply, find_objects, read_reply_text
from tasks.lemma.quotes import find_quoted, split_words
from tasks.lemma.reflections import admits_mistake
from tasks.lemma.segment_steps import split_steps
from tasks.lemma.solution_text import clean_solution, strip_label

# matches "**Wait**", "**a", not "2**3"
_BOLD_SIGNS = re.compile(r"(?<![0-9])\*\*|\*\*(?![0-9])")
# matches the start of "- Wait", "1. Wait", "1) Wait", not of "-5 is", "1.5 is", "36. "
_LIST_MARK = re.compile(r"(?:[-+\u2022]|[1-9][.)])\s+(?=[A-Z\"'])")
MAX_INTERJECTION_WORDS = 8
"""Words of a line before the reflection that belongs to it, such as `Hmm.`"""


class ContinuationReply(TypedReply):
    """A continuation in JSON."""

    reflection: str
    correction: str


class Continuation(NamedTuple):
    """What a teacher writes after the wrong step."""

    reflection: str
    correction: str
    repeats: bool = False
    """Whether it begins with the attempt once more, in other words."""


def parse_continuation(text: str, prefix: str = "") -> Continuation:
    """The reflection and the correction in a reply, in JSON or as lines; both are empty if a thought never ends.

    The first line is the reflection. If the solution stands in the same paragraph, the reflection ends with the last
    sentence that admits the error. A verbatim copy of the end of `prefix`, the attempt, is left out.
    """
    reply = read_reply_text(text)
    if reply is None:
        return Continuation("", "")
    steps = [prefix[start:end] for start, end in split_steps(prefix)]
    wrong_step = steps[-1] if steps else ""
    for parsed in find_objects(reply)[-1:]:
        if (continuation := _read_object(parsed)) is not None:
            return continuation
        if isinstance(whole := parsed.get("continuation"), str):
            reply = whole
    lines = [strip_label(line) for line in clean_solution(reply).split("\n")]
    lines = _drop_copy(lines, prefix)
    reflection, correction = _split_reflection(lines, wrong_step)
    repeats = bool(reflection and find_quoted(reflection, steps)) and not admits_mistake(reflection, wrong_step)
    return Continuation(reflection, correction, repeats)


def _read_object(parsed: Mapping[str, Any]) -> Continuation | None:
    """The continuation in a JSON object, whose steps may be a list; None if it has no reflection or no steps."""
    fields = {name.lower().replace("_", " "): value for name, value in parsed.items()}
    names = ("correction", "corrected steps", "steps", "solution", "continuation")
    value = next((fields[name] for name in names if fields.get(name)), None)
    reflection = next((fields[name] for name in ("reflection", "doubt", "moment of doubt") if fields.get(name)), None)
    if value is None or reflection is None:
        return None
    text = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
    correction = clean_solution(text)
    answer = next((fields[name] for name in ("answer", "final answer") if fields.get(name) is not None), None)
    if answer is not None and final_answer(correction) is None:
        correction = f"{correction}\n{ANSWER_PREFIX} {str(answer).replace(ANSWER_PREFIX, '').strip()}"
    return Continuation(_plain(strip_label(str(reflection))), correction.strip())


def _drop_copy(lines: Sequence[str], prefix: str) -> list[str]:
    """The lines without those at the beginning that repeat the last lines of `prefix` word by word."""
    attempt = [line for line in prefix.split("\n") if line.strip()]
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    kept = list(lines[first:])
    places = [at for at, line in enumerate(kept) if line.strip()]
    for count in range(min(len(attempt), len(places)), 0, -1):
        copied = [kept[at] for at in places[:count]]
        own = attempt[-count:]
        if [split_words(line) for line in copied[:-1]] != [split_words(line) for line in own[:-1]]:
            continue
        if split_words(copied[-1]) == split_words(own[-1]):
            return kept[places[count - 1] + 1 :]
        if copied[-1].strip().startswith(own[-1].strip()):
            rest = copied[-1].strip()[len(own[-1].strip()) :].strip()
            return [rest, *kept[places[count - 1] + 1 :]]
    return kept


def _split_reflection(lines: Sequence[str], wrong_step: str) -> tuple[str, str]:
    """The reflection and what follows it."""
    kept = "\n".join(lines).strip().split("\n")
    reflection, rest = kept[0].strip(), "\n".join(kept[1:]).strip()
    following, _, after = rest.partition("\n")
    if _is_interjection(reflection, wrong_step) and admits_mistake(following, wrong_step) and after.strip():
        reflection, rest = f"{reflection} {following.strip()}", after.strip()
    if not rest or rest.startswith(ANSWER_PREFIX):
        reflection, solution = _split_paragraph(reflection, wrong_step)
        rest = "\n".join(filter(None, (solution, rest)))
    return _plain(reflection), rest


def _is_interjection(line: str, wrong_step: str) -> bool:
    """Whether a line is too short to be the reflection, and does not calculate."""
    return len(line.split()) <= MAX_INTERJECTION_WORDS and "=" not in line and not admits_mistake(line, wrong_step)


def _split_paragraph(text: str, wrong_step: str) -> tuple[str, str]:
    """A paragraph up to the last of the first sentences that admit the error, and the rest of it."""
    spans = split_steps(text)
    admits = [admits_mistake(text[start:end], wrong_step) for start, end in spans]
    if True not in admits:
        return text, ""
    last = admits.index(True)
    while last + 1 < len(spans) and admits[last + 1]:
        last += 1
    return text[: spans[last].end].strip(), text[spans[last].end :].strip()


def _plain(reflection: str) -> str:
    """The reflection without bold type and the mark of a list."""
    return _LIST_MARK.sub("", _BOLD_SIGNS.sub("", reflection).strip())
