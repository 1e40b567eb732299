r"""Finds the final answer in a response, and records where it is.

The rules run from the most explicit to the weakest: a `\boxed{}`, a `####`, the field of a JSON object, a marked line,
"the answer is", the last line of program output, and the last number or the formula that contains it. The placeholder
of a prompt (`#### answer`), the word of a heading and an empty mark are no answers. Every rule is linear in the length
of the text: a degenerate response of 1 MB takes some 10 ms.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tasks.verification.extraction.formulas import Formula, find_formula, find_last_side
from tasks.verification.extraction.patterns import (
    ANSWER_IS,
    ANSWER_LABEL,
    BARE_BOX,
    BOLD_VALUE,
    BOX,
    BRACKETED_LIST,
    CLAUSE,
    CURRENCY_BEFORE,
    DIGIT,
    DRESS,
    HEADING,
    JSON_ANSWER,
    LEADING_POINT,
    LIST_OF_FORMULAS,
    MINUEND_BEFORE,
    NUMERAL_REVERSED,
    OUTPUT_BLOCK,
    PART_OF_LARGER_AFTER,
    PART_OF_LARGER_BEFORE,
    PART_OF_LIST_BEFORE,
    PERCENT,
    PERCENT_OF_BOX,
    PLACEHOLDER_DRESS,
    PLACEHOLDERS,
    PLAIN_NUMBER,
    PROSE_WORD,
    SENTENCE_END,
    SPACED_BOX,
    STEP_HEADING,
    SUFFIX,
    THOUSANDS,
    VALUE_LINE,
    WORD_AFTER,
    WORD_BEFORE,
)

MARKERS = ("A:",)
"""The marker of the last line in the recorded GSM8K solutions."""
EXPLICIT_RULES = frozenset({"boxed", "hash", "json", "marker"})
"""Rules that find an answer marked on purpose. The other rules guess."""
_BOX_SIGN = "\x01"
"""Replaces the opening brace of a box while braces are counted."""
MAX_EMPTY_BOXES = 8
"""Empty boxes that are skipped, counted from the last one."""
MAX_MARKS = 8
"""Marks `####` that are looked at, counted from the last one."""
MAX_NEXT_LINE_CHARACTERS = 80
"""Longest line that is taken as the answer after a mark or heading without one."""
MAX_LIST_CHARACTERS = 200
"""Longest tuple or interval outside of a formula, in characters."""
LOOK_BACK_CHARACTERS = 40
"""Characters before a number that are searched for signs that it is a part of something larger."""


class ExtractedAnswer(NamedTuple):
    """A final answer: `text` is the response's `[start:end]`, `found_by` the rule that found it."""

    text: str
    found_by: str
    start: int
    end: int


def extract(text: str, markers: Sequence[str] = MARKERS) -> ExtractedAnswer | None:
    """The final answer in `text`, or None. `markers` open a line whose rest is the answer, e.g. `A:`."""
    rules = (
        _find_boxed,
        _find_hash,
        _find_in_json,
        lambda text: _find_marked_line(text, markers),
        _find_answer_is,
        _find_printed,
        _find_last_number,
    )
    return next((extracted for rule in rules if (extracted := rule(text))), None)


def _make_extracted(text: str, rule: str, start: int, end: int) -> ExtractedAnswer | None:
    """The span without surrounding whitespace; None if nothing is left."""
    span = text[start:end]
    start += len(span) - len(span.lstrip())
    span = span.strip()
    return ExtractedAnswer(span, rule, start, start + len(span)) if span else None


def _find_boxed(text: str) -> ExtractedAnswer | None:
    r"""The last `\boxed{...}` or `\fbox{...}` that is closed. Braces nest; `\{` and `\}` are ordinary characters.

    A percent sign after the box belongs to the answer: `{5}\%` of `\boxed{5}\%`.

    Depths are computed for the whole text at once: scanning from each box would be quadratic in a text of open boxes.
    """
    first = BOX.search(text)
    if first is None:
        return _find_bare_box(text)
    offset = first.start()
    codes = np.frombuffer(
        _mask_escapes(text[offset:]).encode("ascii", "replace"), dtype=np.uint8
    )  # one byte a character
    is_box = codes == ord(_BOX_SIGN)
    depth = np.cumsum(((codes == ord("{")) | is_box).astype(np.int32) - (codes == ord("}")), dtype=np.int32)
    lowest_after = np.minimum.accumulate(depth[::-1])[::-1]
    closed = np.flatnonzero(is_box & (lowest_after < depth))
    if not closed.size:
        return None
    for start in map(int, closed[: -MAX_EMPTY_BOXES - 1 : -1]):
        length = int(np.argmax(depth[start:] < depth[start]))
        extracted = _make_extracted(text, "boxed", offset + start + 1, offset + start + length)
        if extracted and not is_placeholder(extracted.text):
            percent = PERCENT_OF_BOX.match(text, offset + start + length + 1)
            return _make_extracted(text, "boxed", offset + start, percent.end()) if percent else extracted
    return None


def _find_bare_box(text: str) -> ExtractedAnswer | None:
    r"""The last `\boxed 5`: TeX needs no braces around a single character."""
    at = len(text)
    while (at := text.rfind("\\boxed", 0, at)) >= 0:
        if box := BARE_BOX.match(text, at):
            return _make_extracted(text, "boxed", *box.span(1))
    return None


def _mask_escapes(text: str) -> str:
    """`text` with the opening brace of each box marked and escaped braces blanked out; its length is unchanged."""
    text = text.replace(_BOX_SIGN, "?")
    text = text.replace("\\boxed{", "?boxed" + _BOX_SIGN).replace("\\fbox{", "?fbox" + _BOX_SIGN)
    text = SPACED_BOX.sub(r"?\1" + _BOX_SIGN, text)
    return text.replace("\\\\", "  ").replace("\\{", "  ").replace("\\}", "  ")


def _find_hash(text: str) -> ExtractedAnswer | None:
    """The answer after the last `####` (GSM8K) that is one: on its line, or alone on the next if only a label is there.

    `####` also opens headings in Markdown. A line of words with text below it is one, and so is `Step 2: ...`.
    """
    at = len(text)
    for _ in range(MAX_MARKS):
        at = text.rfind("####", 0, at)
        if at < 0:
            return None
        if text[max(0, at - 1) : at] in ("`", '"', "'"):
            continue  # the text speaks of the mark
        start, end = at + 4, _find_line_end(text, at)
        label = ANSWER_LABEL.match(text, start, end)
        start = label.end() if label else start
        extracted = _undress(text, "hash", start, end)
        if extracted is None or is_placeholder(extracted.text):
            if below := _find_next_line(text, end):
                return below
        elif label or not (
            HEADING.match(text, extracted.start + len(extracted.text) - len(extracted.text.lstrip("*_")))
            or STEP_HEADING.match(text, extracted.start + len(extracted.text) - len(extracted.text.lstrip("*_")))
        ):
            return extracted
    return None


def find_all_hashes(text: str) -> list[str]:
    """The answers after all marks `####` at the end of a text, the last one first."""
    answers, at = list[str](), len(text)
    for _ in range(MAX_MARKS):
        at = text.rfind("####", 0, at)
        if at < 0:
            break
        line_end = _find_line_end(text, at)
        quoted = text[max(0, at - 1) : at] in ("`", '"', "'")
        if not quoted and (extracted := _find_hash(text[at:line_end])):
            answers.append(extracted.text)
    return answers


def _find_next_line(text: str, end: int) -> ExtractedAnswer | None:
    """The next line that is not blank, if it is short and says a value rather than a sentence; None if it does not."""
    rest = text[end:]
    start = end + len(rest) - len(rest.lstrip())
    stop = _find_line_end(text, start)
    extracted = _undress(text, "hash", start, stop)
    if extracted is None or len(extracted.text) > MAX_NEXT_LINE_CHARACTERS or is_placeholder(extracted.text):
        return None
    if opening := ANSWER_IS.search(extracted.text.lower()):
        sentence_end = SENTENCE_END.search(text, extracted.start + opening.end())
        end = sentence_end.start() if sentence_end else extracted.end
        return _undress(text, "hash", extracted.start + opening.end(), end)
    is_sentence = extracted.text.endswith(".") and len(PROSE_WORD.findall(extracted.text)) > 2
    return extracted if VALUE_LINE.fullmatch(extracted.text) and not is_sentence else None


def _undress(text: str, rule: str, start: int, end: int) -> ExtractedAnswer | None:
    """The span without the signs of bold, italic and code type around it; None if nothing is left."""
    extracted = _make_extracted(text, rule, start, end)
    while extracted and (dress := DRESS.fullmatch(extracted.text)):
        inner_start, inner_end = dress.span(dress.lastindex or 0)
        extracted = _make_extracted(text, rule, extracted.start + inner_start, extracted.start + inner_end)
    if extracted and extracted.text.endswith("**") and extracted.text.count("**") % 2:  # the end of bold type before it
        return _make_extracted(text, rule, extracted.start, extracted.end - 2)
    return extracted


def is_placeholder(answer: str) -> bool:
    r"""Whether an answer only repeats what a prompt shows in its place: `answer`, `[result]`, `\text{number}`."""
    plain = PLACEHOLDER_DRESS.sub(" ", answer.lower())
    return " ".join(plain.split()) in PLACEHOLDERS


def _find_in_json(text: str) -> ExtractedAnswer | None:
    """The value of the last field `answer` or `final_answer` of a text that ends with a JSON object."""
    matches = list(JSON_ANSWER.finditer(text)) if text.rstrip().rstrip("`").rstrip().endswith("}") else []
    if not matches:
        return None
    group = 1 if matches[-1][1] is not None else 2
    extracted = _make_extracted(text, "json", *matches[-1].span(group))
    return None if extracted and is_placeholder(extracted.text) else extracted


def _find_marked_line(text: str, markers: Sequence[str]) -> ExtractedAnswer | None:
    """The text after a marker that opens a line, in the last such line; the next line if nothing follows the marker."""
    start = max((_find_after_marker(text, marker) for marker in markers), default=-1)
    if start < 0:
        return None
    after_marker = text[start:]
    start += len(after_marker) - len(after_marker.lstrip())
    return _make_extracted(text, "marker", start, _find_line_end(text, start))


def _find_after_marker(text: str, marker: str) -> int:
    """Position after `marker` in the last line that opens with it, or -1. Looks at each line once."""
    end = len(text)
    while marker and (at := text.rfind(marker, 0, end)) >= 0:
        line = text.rfind("\n", 0, at) + 1
        opening = text[line : at + len(marker)]
        if opening.lstrip().startswith(marker) and not _opens_choices(text, at, marker):
            return line + len(opening) - len(opening.lstrip()) + len(marker)
        end = line
    return -1


def _opens_choices(text: str, at: int, marker: str) -> bool:
    """Whether `A:` opens the first of several choices, that is, the next line opens with `B:`."""
    if len(marker) != 2 or not "A" <= marker[0] < "Z":
        return False
    following = text[_find_line_end(text, at) : _find_line_end(text, at) + 80].lstrip()
    return following.startswith(chr(ord(marker[0]) + 1) + marker[1])


def _find_answer_is(text: str) -> ExtractedAnswer | None:
    """The text after the last "the answer is", to the end of the sentence, which the point in `3.5` does not end."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few characters get longer in lower case, which would shift positions
        lowered = text
    at = len(text)
    while (at := lowered.rfind("answer", 0, at)) >= 0:
        if opening := ANSWER_IS.match(lowered, at):
            match = SENTENCE_END.search(text, opening.end())
            end = match.start() if match else len(text)
            bold = text[opening.end() : end].rstrip()
            if bold.endswith("**") and bold.count("**") % 2:
                end = opening.end() + len(bold) - 2
            return _cut_clause(text, opening.end(), end)
    return None


def _cut_clause(text: str, start: int, end: int) -> ExtractedAnswer | None:
    """What "the answer is" says: the one value in bold type, or all before a clause such as `, which is ...`."""
    extracted = _undress(text, "answer_is", start, end)
    if extracted is None or is_placeholder(extracted.text):
        return None
    bold = list(BOLD_VALUE.finditer(extracted.text))
    if len(bold) == 1:
        return _make_extracted(text, "answer_is", extracted.start + bold[0].start(1), extracted.start + bold[0].end(1))
    if clause := CLAUSE.match(extracted.text):
        return _make_extracted(text, "answer_is", extracted.start, extracted.start + clause.end(1))
    return extracted


def _find_printed(text: str) -> ExtractedAnswer | None:
    """The last line of the last block of program output."""
    if "```output" not in text or not (blocks := list(OUTPUT_BLOCK.finditer(text))):
        return None
    start, end = blocks[-1].span(1)
    end = start + len(text[start:end].rstrip())
    return _make_extracted(text, "printed", max(start, text.rfind("\n", start, end) + 1), end)


def _find_last_number(text: str) -> ExtractedAnswer | None:
    """The last number with its sign, currency and percent sign, searched from the end; or the formula that contains it.

    None if the number is only a part of something larger: `10^6`, `5!`, `1:30`, `x + 5`, `3 to 5`.
    """
    backwards = text[::-1]
    digit = DIGIT.search(backwards)
    if digit is None:
        return None
    numeral = NUMERAL_REVERSED.match(backwards, digit.start())
    assert numeral is not None
    start, end = len(text) - numeral.end(), len(text) - digit.start()
    if formula := find_formula(text, end):
        return _find_last_formula(text, formula, end)
    token = text[start:end]
    start += len(token) - len(token.lstrip(".,/"))
    if LEADING_POINT.search(text[max(0, start - 2) : start]):
        start -= 1
    has_minus = text[start] in "-\N{MINUS SIGN}"
    if has_minus and start and (text[start - 1].isalnum() or text[start - 1] in ")]}"):
        start, has_minus = start + 1, False  # the dash of `7-5` or `COVID-19`
    if text[end : end + 1] in (")", "]") and (bracketed_list := _find_bracketed_list(text, end + 1)):
        return (
            None
            if PART_OF_LIST_BEFORE.search(
                text[max(0, bracketed_list.start - LOOK_BACK_CHARACTERS) : bracketed_list.start]
            )
            else bracketed_list
        )
    before = text[max(0, start - LOOK_BACK_CHARACTERS) : start]
    if PART_OF_LARGER_BEFORE.search(before) or (has_minus and MINUEND_BEFORE.search(before)):
        return None
    if WORD_BEFORE.search(before) and text[start].isdigit() and not CURRENCY_BEFORE.search(before):
        return None
    if suffix := PERCENT.match(text, end) or SUFFIX.match(text, end):
        end = suffix.end()
    return None if PART_OF_LARGER_AFTER.match(text, end) else _make_extracted(text, "last_number", start, end)


def _find_bracketed_list(text: str, end: int) -> ExtractedAnswer | None:
    """The tuple or interval, outside of a formula, that the bracket before `end` closes; None if there is none."""
    first = max(0, end - MAX_LIST_CHARACTERS)
    start = max(text.rfind("(", first, end - 1), text.rfind("[", first, end - 1))
    if start < 0 or not BRACKETED_LIST.fullmatch(text, start, end):
        return None
    if text[start] == "(" and THOUSANDS.fullmatch(text, start + 1, end - 1):
        return None
    return _make_extracted(text, "last_formula", start, end) if re.search("[,;]", text[start:end]) else None


def _find_last_formula(text: str, formula: Formula, at: int) -> ExtractedAnswer | None:
    """The formula, or the side after its last `=`. None if it is only a part: `$5$ million`, `$3$ and $5$`."""
    before = text[max(0, formula.opening - LOOK_BACK_CHARACTERS) : formula.opening]
    if PART_OF_LARGER_BEFORE.search(before) or before[-1:].isalnum() or before[-1:] in ("-", "\N{MINUS SIGN}"):
        return None
    if any(sign.match(text, formula.closing) for sign in (PERCENT, SUFFIX, WORD_AFTER)):
        return None
    start, end = find_last_side(text, formula, at)
    if "=" not in text[formula.start : start] and LIST_OF_FORMULAS.search(before):
        return None
    extracted = _make_extracted(text, "last_formula", start, end)
    return (
        extracted._replace(found_by="last_number")
        if extracted and PLAIN_NUMBER.fullmatch(extracted.text)
        else extracted
    )


def _find_line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
