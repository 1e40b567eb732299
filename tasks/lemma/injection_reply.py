"""Reads an injected error: a wrong solution, and which of its lines is the wrong one."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tasks.answers.final_answer import ANSWER_PREFIX, final_answer
from tasks.base.typed_reply import TypedReply, find_objects, read_reply_text, undress
from tasks.lemma.quotes import LEAST_LIKENESS, find_quoted, find_quotes, split_words
from tasks.lemma.segment_steps import find_line_starts
from tasks.lemma.solution_text import clean_solution, is_heading_or_label


class InjectionReply(TypedReply):
    """An injected error in JSON: the solution, and the wrong line word by word."""

    solution: str
    wrong_step: str


class Injection(NamedTuple):
    """A wrong solution without blank lines."""

    line: int | None
    """The number of the wrong line, from 1; None if the reply names none, or one that is not certain."""
    solution: str


# matches all of "Step: 2", "Wrong step: \"We add.\"", "The mistake is on line 3", "Error in 2", not of "Step 2: add"
_LABEL = re.compile(
    r"(?:(?:the|my)\s+)?(?P<wrong>(?:wrong|incorrect|mistaken|erroneous|faulty|false)\s+)?"
    r"(?:(?:step|line|mistake|error|location)"
    r"(?:\s+(?:number|no\.?|(?:with|of|containing|that\s+has|that\s+contains)\s+(?:the|a)\s+(?:mistake|error)))?\s*(?:[:=]|\bis\b(?:\s+(?:on|in|at))?:?)|(?:mistake|error)\s+(?:on|in|at)\b:?)\s*(?P<value>.*)",
    re.IGNORECASE,
)
# matches all of "Type: counting", "Mistake type: counting", "Type of error: a", not of "Types: 2", "The type: a"
_TYPE_LINE = re.compile(r"(?:(?:error|mistake)\s+)?type(?:\s+of\s+(?:the\s+)?(?:error|mistake))?\s*:.*", re.IGNORECASE)
# matches all of "Step 2", "Line 2.", "step #2", not of "Step 2: add", "2"
_LABEL_ALONE = re.compile(r"(?:wrong\s+)?(?:step|line)\s*\#?\s*(?P<value>[0-9]{1,4})\s*[.:]?", re.IGNORECASE)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
# matches the start of "2", "Step 3)", "line 2 (counting)", not of "2.5", "2 + 3", "2 and 3", "12 is"
_NUMBER = re.compile(
    r"[\s#(\[]*(?:(?:on|in|the|step|line|number|no)\b[\s.#]*)*\[?S?(?:(?P<number>[0-9]{1,9})(?:st|nd|rd|th)?"
    rf"|(?P<ordinal>{'|'.join(_ORDINALS)})\s+(?:step|line))(?![0-9A-Za-z^]|[.,:/][0-9]"
    r"|\s*[-+*/=\u00d7x\u2212]\s*[0-9(]|\s+[0-9]|\s+(?:is|are|was)\b"
    r"|[\s,;]*(?:and|or|&|,|to|-|\N{EN DASH})\s*(?:steps?|lines?)?\s*[0-9])",
    re.IGNORECASE,
)
# matches the start of "Step 2: add", "2. Area", "(3) So", not of "2.5 km", "12 * 3"
_OWN_NUMBER = re.compile(r"[\s*_#>-]*(?:step\s+([0-9]{1,3})\b|\(?([0-9]{1,3})[.)](?=\s|$))", re.IGNORECASE)
# matches "2 is actually wrong", "it actually is correct", "This is the mistake", not "The clock is wrong"
_COMMENT = re.compile(
    r"\b(?:is|are|was|were|which|it|that|this|[0-9]+) (?:is |was )?(?:actually|in fact|indeed|really)"
    r" (?:is |was |calculated )?(?:wrong|incorrect|mistaken|correct|correctly|right|an? (?:mistake|error))\b"
    r"|\b(?:it|that|this|which|(?:step|line) [0-9]+|(?:answer|result|calculation)(?: [0-9]+)?) (?:is|was)"
    r" (?:(?:the|an?) )?(?:wrong|incorrect|mistake|error)\b",
    re.IGNORECASE,
)
"""What speaks about a solution, and is no part of one."""
# matches r"\[ x \]", "$$x$$", r"\begin{align}x\end{align}", not "$x$"
_DISPLAY_MATH = re.compile(r"\\\[.*?\\\]|\$\$.*?\$\$|\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.DOTALL)

MIN_QUOTE_WORDS = 2
"""Words of a quote that may name a line."""


class _Label(NamedTuple):
    """A line that names the wrong line."""

    at: int
    value: str
    width: int = 1
    """The lines that it takes."""


def parse_injection(text: str) -> Injection:
    """The wrong line and the solution of a reply, in JSON or with a line `Wrong step: "..."` or `Step: 2`."""
    reply = read_reply_text(text)
    if reply is None:
        return Injection(None, "")
    if objects := [each for each in find_objects(reply) if "solution" in _by_key(each)]:
        fields = _by_key(objects[-1])
        names = ("wrong step", "wrong line", "step", "line", "mistake", "step of the mistake")
        value = next((fields[name] for name in names if name in fields), "")
        solution = _to_text(fields["solution"])
        if fields.get("answer") is not None and final_answer(solution) is None:
            solution = f"{solution}\n{ANSWER_PREFIX} {str(fields['answer']).replace(ANSWER_PREFIX, '').strip()}"
        return _make_injection(solution, [str(value)])
    lines = reply.splitlines()
    labels = [label for at in range(len(lines)) if (label := _read_label(lines, at)) is not None]
    answer = _find_answer(lines)
    later = [label for label in labels if label.at > answer]
    before = [label for label in labels if label.at < answer]
    begin = 0
    if before and any(line.strip() for line in lines[before[-1].at + 1 : answer]):
        begin = before[-1].at + 1
    elif before and later:
        before = []
    left_out = {at for label in labels for at in range(label.at, label.at + label.width)}
    left_out |= {at for at, line in enumerate(lines) if _TYPE_LINE.fullmatch(_plain(line))}
    kept = [line for at, line in enumerate(lines) if at >= begin and at not in left_out]
    return _make_injection("\n".join(kept), [label.value for label in (*later, *before[-1:])])


def _by_key(parsed: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower().replace("_", " "): value for name, value in parsed.items()}


def _to_text(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _read_label(lines: Sequence[str], at: int) -> _Label | None:
    """The label in the line `at`, with its value on it or below; None for a line of the solution or the instruction."""
    plain = _plain(lines[at])
    match = _LABEL.fullmatch(plain)
    if match is not None:
        value, width = match["value"], 1
        if not value:
            below = next((n for n in range(at + 1, len(lines)) if lines[n].strip()), at)
            value, width = _plain(lines[below]), below - at + 1
        names_line = match["wrong"] or _NUMBER.match(value) or find_quotes(value)
        return _Label(at, value, width) if names_line and value else None
    match = _LABEL_ALONE.fullmatch(plain)
    return _Label(at, match["value"]) if match is not None and "**" not in lines[at] and at == 0 else None


def _plain(line: str) -> str:
    return undress(line.replace("<!--", "").replace("-->", "")).strip().strip("()[]").strip()


def _find_answer(lines: Sequence[str]) -> int:
    """The number of the first line that states the answer, from 0; beyond the last line if none is marked."""
    for at, line in enumerate(lines):
        plain = line.strip(' *_`"')
        if plain.startswith(ANSWER_PREFIX) and clean_solution(line).startswith(ANSWER_PREFIX):
            return at
    return len(lines)


def _make_injection(text: str, values: Sequence[str]) -> Injection:
    """Find the wrong line by what the reply says of it; None if two of `values` name different lines."""
    solution = "\n".join(line for line in clean_solution(text).splitlines() if line.strip())
    is_headed = _has_inner_heading(text, solution)
    found = {_find_line(value, solution, is_headed) for value in values} - {None}
    line = found.pop() if len(found) == 1 else None
    lines = solution.splitlines()
    if line is not None and lines[line - 1 : line] == [f"{ANSWER_PREFIX} {line}"]:
        line = None  # the number of the step, repeated as the answer
    return Injection(None if any(map(_COMMENT.search, lines)) else line, solution)


def _has_inner_heading(text: str, solution: str) -> bool:
    """Whether headings stood between the lines of a solution, so that a number may count them or not."""
    lines = [line for line in text.splitlines() if line.strip()]
    steps = [line for line in solution.splitlines() if not line.startswith(ANSWER_PREFIX)]
    places = [at for at, line in enumerate(lines) if steps and (steps[0] in line or steps[-1] in line)]
    return bool(places) and any(map(is_heading_or_label, lines[places[0] : places[-1]]))


def _find_line(value: str, solution: str, is_headed: bool) -> int | None:
    """The number of the line that a label names, by its words or else by its number; None if that is not certain."""
    lines = solution.splitlines()
    quotes = [(quote, LEAST_LIKENESS) for quote in find_quotes(value)] or [
        (value, 1.0 if _NUMBER.match(value) else LEAST_LIKENESS)
    ]
    for quote, least in quotes:
        if len(fitting := find_quoted(quote, lines, least)) == 1 and len(split_words(quote)) >= MIN_QUOTE_WORDS:
            return fitting.pop() + 1
    match = _NUMBER.match(value)
    if match is None or is_headed:
        return None
    number = int(match["number"]) if match["number"] else _ORDINALS.index(match["ordinal"].lower()) + 1
    return _find_numbered(number, solution)


def _find_numbered(number: int, solution: str) -> int | None:
    """The line that is the one with this number, where display math counts as a part of the line before it.

    The number itself if there are fewer lines. None if the solution numbers its lines, and calls another one so, or if
    it is another line where display math counts as a line.
    """
    lines = solution.splitlines()
    starts = [solution.count("\n", 0, at) for at in find_line_starts(solution)]
    numbered = ((at, _OWN_NUMBER.match(line)) for at, line in enumerate(lines))
    own = {at for at, match in numbered if match and int(match[1] or match[2]) == number}
    counted = _count_display_math(solution)
    if not 1 <= number <= len(starts):
        is_ambiguous = 1 <= number <= len(counted) and counted[number - 1] != number - 1
        return number if not own and not is_ambiguous else None
    if number <= len(counted) and counted[number - 1] != starts[number - 1]:
        return None
    return starts[number - 1] + 1 if own <= {starts[number - 1]} else None


def _count_display_math(solution: str) -> list[int]:
    """The numbers, from 0, of the lines of a solution, where all of a display formula counts as one line."""
    inside = {
        at
        for match in _DISPLAY_MATH.finditer(solution)
        for at in range(solution.count("\n", 0, match.start()) + 1, solution.count("\n", 0, match.end()) + 1)
    }
    return [at for at in range(solution.count("\n") + 1) if at not in inside]
