r"""Finds the final answer in a response, and records where it is.

The rules run from the most explicit to the weakest: a `\boxed{}`, an `<answer>`, a `####`, the field of a JSON object,
a marked line, "the answer is", the last line of program output, the last number or the formula that contains it, and a
response that is nothing but a value. The placeholder of a prompt (`#### answer`), the word of a heading and an empty
mark are no answers. Every rule is linear in the length of the text: a degenerate response of 1 MB takes some 10 ms.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tasks.verification.extraction.boxes import MAX_NAME, NEGATED, find_boxes, read_boxes, select_boxes
from tasks.verification.extraction.formulas import Formula, find_equation, find_formula, find_last_side
from tasks.verification.extraction.generation_end import find_end
from tasks.verification.extraction.number_candidates import (
    HEDGED_NUMBER,
    NO_ANSWER,
    SEVERAL_NUMBERS,
    find_doubt,
    is_hedged,
)
from tasks.verification.extraction.patterns import (
    ANSWER_HEADING,
    ANSWER_IS,
    ANSWER_LABEL,
    BOLD_CHOICE,
    BOLD_VALUE,
    BRACKETED_LIST,
    CHOICE_CLAUSE,
    CLAUSE,
    CODE_BLOCK,
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
    PLACEHOLDER_DRESS,
    PLACEHOLDERS,
    PLAIN_NUMBER,
    PROSE_WORD,
    SENTENCE_END,
    STATED_VALUE,
    STEP_HEADING,
    SUFFIX,
    THOUSANDS,
    VALUE_LINE,
    WHOLE_LETTERS,
    WHOLE_VALUE,
    WORD_AFTER,
    WORD_BEFORE,
)
from tasks.verification.extraction.statements import POLITE_END, find_right_choice, find_statements

MARKERS = ("A:",)
"""The marker of the last line in the recorded GSM8K solutions."""
EXPLICIT_RULES = frozenset({"boxed", "tag", "hash", "json", "marker"})
"""Rules that find an answer marked on purpose. The other rules guess."""
_EXPLICIT_SIGNS = ("boxed", "fbox", "</answer>", "####", '"')
"""Signs of which one is in every text in which a rule of `EXPLICIT_RULES` finds an answer, unless it has a marker."""
UNDECIDABLE = frozenset({SEVERAL_NUMBERS, NO_ANSWER, HEDGED_NUMBER})
"""Doubts with which a response counts neither as right nor as wrong."""
MAX_MARKS = 8
"""Marks `####` that are looked at, counted from the last one."""
MAX_NEXT_LINE_CHARACTERS = 80
"""Longest line that is taken as the answer after a mark or heading without one."""
MAX_HEADING_CHARACTERS = 40
"""Characters in front of the word `answer` of a heading."""
MAX_WHOLE_CHARACTERS = 2000
"""Longest response that may be nothing but a value."""
MAX_LIST_CHARACTERS = 200
"""Longest tuple or interval outside of a formula, in characters."""
LOOK_BACK_CHARACTERS = 40
"""Characters before a number that are searched for signs that it is a part of something larger."""


class ExtractedAnswer(NamedTuple):
    """A final answer: `text` is the response's `[start:end]`, or what its boxes there say; `found_by` is the rule."""

    text: str
    found_by: str
    start: int
    end: int
    equation: str = ""
    """The equation of which `text` is only the right side, if `found_by` is `last_formula`."""
    boxes: tuple[str, ...] = ()
    """The contents of the boxes, if they are several."""
    doubt: str = ""
    """Why `text` may not be the answer. It is no verdict by itself: unless `text` equals the gold, the verdict is
    `unparseable` by this rule; if it is one of `UNDECIDABLE`, whatever the gold is."""


def extract(text: str, markers: Sequence[str] = MARKERS, takes_words: bool = False) -> ExtractedAnswer | None:
    """The final answer in `text`, or None. `markers` open a line whose rest is the answer, e.g. `A:`.

    With `takes_words`, a response that is nothing but a few words is its own answer: `Paris`, but also `Not sure`.
    """
    end = find_end(text, lambda before: _extract_stated(before, markers) is not None)
    text = text[:end]
    weak_rules = (_find_printed, _find_code_block, _find_right_choice, _find_last_number, _find_lone_letter)
    rules = (*weak_rules, _find_words) if takes_words else weak_rules
    return _extract_stated(text, markers) or next((extracted for rule in rules if (extracted := rule(text))), None)


def _extract_stated(text: str, markers: Sequence[str]) -> ExtractedAnswer | None:
    """The answer that the text says is one; None if there is none."""
    rules = (
        _find_boxed,
        _find_tagged,
        _find_hash,
        _find_in_json,
        lambda text: _find_marked_line(text, markers),
        _find_answer_is,
    )
    return next((extracted for rule in rules if (extracted := rule(text))), None)


def may_be_explicit(text: str, markers: Sequence[str]) -> bool:
    """Whether a rule of `EXPLICIT_RULES` may find an answer in `text`; a look at the whole text for a few signs."""
    return any(map(text.__contains__, _EXPLICIT_SIGNS)) or any(map(text.__contains__, markers))


def _make_extracted(text: str, rule: str, start: int, end: int) -> ExtractedAnswer | None:
    """The span without surrounding whitespace; None if nothing is left."""
    span = text[start:end]
    start += len(span) - len(span.lstrip())
    span = span.strip()
    return ExtractedAnswer(span, rule, start, start + len(span)) if span else None


def _find_boxed(text: str) -> ExtractedAnswer | None:
    """The last box and those that form a list with it. A statement behind it, such as `**Answer: 44**`, replaces it."""
    boxes = [
        box
        for box in find_boxes(text)
        if (content := text[box.start : box.end].strip())
        and not is_placeholder(content)
        and not NEGATED.search(text, max(0, box.opening - MAX_NAME), box.opening)
    ]
    if not boxes:
        return None
    if stated := _find_later_statement(text, boxes[-1].closing):
        return stated
    boxed = select_boxes(text, boxes)
    if len(boxed.boxes) == 1:
        return _make_extracted(text, "boxed", boxed.boxes[0].start, boxed.boxes[0].end)
    contents = read_boxes(text, boxed.boxes)
    doubt = "" if boxed.is_sure else "several_boxes"
    start, end = boxed.boxes[0].opening, boxed.boxes[-1].closing
    return ExtractedAnswer(", ".join(contents), "boxed", start, end, boxes=contents, doubt=doubt)


def _find_later_statement(text: str, at: int) -> ExtractedAnswer | None:
    """The value of a statement behind a box; None if it says no value, or only repeats the box."""
    stated = _find_answer_is(text[at:])
    if stated is None or not STATED_VALUE.match(stated.text):
        return None
    return stated._replace(start=stated.start + at, end=stated.end + at)


def _find_tagged(text: str) -> ExtractedAnswer | None:
    """The text of the last `<answer>...</answer>`."""
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, end)
    extracted = _undress(text, "tag", start + len("<answer>"), end) if 0 <= start < end else None
    return None if extracted and is_placeholder(extracted.text) else extracted


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
    if extracted and extracted.text.startswith("**") and extracted.text.count("**") % 2:  # bold type that goes on
        return _make_extracted(text, rule, extracted.start + 2, extracted.end)
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
    """The text after the last "the answer is", to the end of the sentence, which the point in `3.5` does not end.

    A question such as `The answer is 4?` states nothing.
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # a few characters get longer in lower case, which would shift positions
        lowered = text
    start = max(_find_last_answer_is(text, lowered), *find_statements(lowered), -1)
    if start < 0:
        return None
    match = SENTENCE_END.search(text, start)
    end = match.start() if match else len(text)
    if match and match[0] in ("?", "\uff1f"):
        return None
    if polite := POLITE_END.search(text, start, end):
        end = polite.start() if polite.end() == end else end
    if choice := BOLD_CHOICE.match(text, start):
        return _make_extracted(text, "answer_is", *choice.span(1))
    bold = text[start:end].rstrip()
    if bold.endswith("**") and bold.count("**") % 2:
        end = start + len(bold) - 2
    return _cut_clause(text, start, end)


def _find_last_answer_is(text: str, lowered: str) -> int:
    """Where the value of the last "the answer is" begins, or of a heading `Answer` with the value below; -1 if none."""
    at = len(lowered)
    while (at := lowered.rfind("answer", 0, at)) >= 0:
        if opening := ANSWER_IS.match(lowered, at):
            return opening.end()
        line = max(lowered.rfind("\n", max(0, at - MAX_HEADING_CHARACTERS), at) + 1, at - MAX_HEADING_CHARACTERS, 0)
        heading = ANSWER_HEADING.match(lowered, line)
        if heading and heading.end() > at and STATED_VALUE.match(text, heading.end()):
            return heading.end()
    return -1


def _cut_clause(text: str, start: int, end: int) -> ExtractedAnswer | None:
    """What "the answer is" says: the one value in bold type, or all before a clause such as `, which is ...`."""
    extracted = _undress(text, "answer_is", start, end)
    if extracted is None or is_placeholder(extracted.text):
        return None
    bold = list(BOLD_VALUE.finditer(extracted.text))
    if len(bold) == 1:
        return _make_extracted(text, "answer_is", extracted.start + bold[0].start(1), extracted.start + bold[0].end(1))
    if clause := CLAUSE.match(extracted.text) or CHOICE_CLAUSE.match(extracted.text):
        return _make_extracted(text, "answer_is", extracted.start, extracted.start + clause.end(1))
    return extracted


def _find_printed(text: str) -> ExtractedAnswer | None:
    """The last line of the last block of program output."""
    if "```output" not in text or not (blocks := list(OUTPUT_BLOCK.finditer(text))):
        return None
    start, end = blocks[-1].span(1)
    end = start + len(text[start:end].rstrip())
    return _make_extracted(text, "printed", max(start, text.rfind("\n", start, end) + 1), end)


def _find_right_choice(text: str) -> ExtractedAnswer | None:
    """The letter of `option B is correct`."""
    lowered = text.lower()
    span = find_right_choice(lowered) if len(lowered) == len(text) else None
    return _make_extracted(text, "answer_is", *span) if span else None


def _find_code_block(text: str) -> ExtractedAnswer | None:
    """The content of a response that is one block of code."""
    block = CODE_BLOCK.fullmatch(text.strip()) if len(text) <= MAX_WHOLE_CHARACTERS else None
    start = text.index(block[1]) if block else 0
    return _make_extracted(text, "whole", start, start + len(block[1])) if block else None


def _find_lone_letter(text: str) -> ExtractedAnswer | None:
    """A response that is nothing but the letter of a choice."""
    extracted = _undress(text, "whole", 0, len(text)) if len(text) <= MAX_WHOLE_CHARACTERS else None
    return extracted if extracted and WHOLE_LETTERS.fullmatch(extracted.text) else None


def _find_words(text: str) -> ExtractedAnswer | None:
    """A response that is nothing but a few words."""
    extracted = _undress(text, "whole", 0, len(text)) if len(text) <= MAX_WHOLE_CHARACTERS else None
    if extracted is None or not WHOLE_VALUE.fullmatch(extracted.text) or is_placeholder(extracted.text):
        return None
    return extracted._replace(doubt="whole_response")


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
    if PART_OF_LARGER_AFTER.match(text, end):
        return None
    extracted = _make_extracted(text, "last_number", start, end)
    return extracted._replace(doubt=find_doubt(text, extracted.start, extracted.end)) if extracted else None


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
    if extracted is None:
        return None
    extracted = extracted._replace(equation=find_equation(text, formula, start, end))
    if not PLAIN_NUMBER.fullmatch(extracted.text):
        hedged = is_hedged(text, formula.opening, formula.closing)
        return extracted._replace(doubt=HEDGED_NUMBER) if hedged else extracted
    return extracted._replace(found_by="last_number", doubt=find_doubt(text, formula.opening, formula.closing))


def _find_line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
