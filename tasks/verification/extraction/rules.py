r"""Finds the final answer in a response, and shows where it stood.

The rules run from the most explicit to the weakest: a `\boxed{}`, a `####`, a marked line, "the answer is", what a
program printed, and the last number or the formula that it is a part of. Every rule is linear in the length of the
text: a degenerate response of 1 MB takes some 10 ms.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from schemas.outcomes import Reject, Row
from schemas.steps import Stage
from schemas.tables import verdicts

MARKERS = ("A:",)
"""How the recorded GSM8K solutions mark their last line."""
EXPLICIT_RULES = frozenset({"boxed", "hash", "marker"})
"""Rules by which a text marks its answer on purpose; the others only guess."""

_BOX = re.compile(r"\\(?:boxed|fbox)\s*+\{")
_SPACED_BOX = re.compile(r"\\((?:boxed|fbox)\s++)\{")
_BOX_SIGN = "\x01"
_BARE_BOX = re.compile(r"\\boxed[ \t]++((?:[0-9][0-9.,]*+|[A-Za-z])(?![A-Za-z0-9])(?:\\?%)?)")
_ANSWER_IS = re.compile(
    r"\banswer(?:\s++is\b|(?=:|\*\*:))\s*+(?::?\*\*(?=\s)|\*\*:|:)?+\s*+(?:(?:\$\$|\\\[)[ \t]*+\n\s*+)?+"
)
r"""With the end of bold type, and with a `$$` or `\[` that is alone on its line."""
_OUTPUT_BLOCK = re.compile(r"^```output[ \t]*+\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SENTENCE_END = re.compile(r"[.?](?=\s|\Z|\*\*)|\n")
_HEADING = re.compile(r"(?![ \t]*[-+$€£¥₹(\[{\\]*[0-9])[^\n]*[A-Za-z]{3}[^\n]*\n\s*\S")
"""A line of words, and more below it: in Markdown, `####` opens a heading."""
MAX_EMPTY_BOXES = 8
"""Boxes with nothing in them that are passed over, from the last one."""
_DIGIT = re.compile(r"[0-9]")
_NUMERAL_REVERSED = re.compile(
    r"(?:[0-9]++[-+]?[eE](?=[0-9]))?+"
    r"(?:[0-9]++/[0-9]++ [0-9]++(?![0-9.,/])|(?:[0-9]{3} )++[0-9]{1,3}(?![0-9.,/])|[0-9.,/]*+)(?:\$\\?|[€£¥₹])?[-−]?"  # noqa: RUF001
)
_LEADING_POINT = re.compile(r"(?:\A|[^\w.])\.\Z")
"""A decimal point with nothing before it: that of `.5`, but not that of `p.5`."""
_PERCENT = re.compile(r"\s?\\?%|\sper\s?cent\b")
_PERCENT_OF_BOX = re.compile(r"(?:\$|\\\))?(?:%|[ \t]?\\%)")
r"""Behind the brace that closes a box: of `\boxed{5}\%`, `\boxed{5}%` and `$\boxed{5}$\%`."""
_PART_OF_LARGER_BEFORE = re.compile(
    r"""(?:[{^_][-+(]*+|qrt|rac)\Z  # inside of braces, and behind `^`, `_`, `\sqrt` and `\frac`
    |[0-9](?::|\ :\ |['\u2019\u00a0\u2009\u202f])\Z|\}[ \t]*+\Z  # a ratio, the thousands of a number, a command
    |(?:[0-9)\]}]|(?<![A-Za-z]{2})[A-Za-z])[-\N{MINUS SIGN}]\Z|(?<!\\)(?<!\\[nt])\w\(\Z
    |\\(?!approx|Rightarrow|implies|therefore|quad|qquad|item|newline|displaystyle|n\Z|t\Z)[A-Za-z]++\s*+\Z|\\[!,;:]\s*+\Z
    |[\N{EN DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\uff0d\ufe63]\Z
    |[^A-Za-z)]\N{EM DASH}\Z|[^\s][ \t]+[-\N{MINUS SIGN}\N{EN DASH}][ \t]+\Z
    |[A-Za-z0-9)\]}]\s*+[+/\N{MULTIPLICATION SIGN}÷·⋅]\s*+\Z|(?:[0-9)]|\b[A-Za-z])\s*+\*\s*+\Z|[0-9)]\s*+[xX]\s*+\Z
    |[<≤≥≠±√∛\N{UNION}]\s*+\Z|[<>!]=\s*+\Z|[\w)\]]\s>\s*+\Z
    |\b(?:minus|negative|plus|times|twice|double|triple|root|sqrt|mod|modulo|choose
        |(?:half|root|square|cube|factorial)\ of)\s++\Z
    |[0-9)\]}],\s*+\Z|[0-9]\s++(?:and|or)\s++\Z  # several
    |[0-9]\\?%?\s++(?:to|over|divided\s+by|(?:out\s+)?of(?:\s+the)?)\s++\Z""",
    re.VERBOSE,
)
"""A number behind it is only a part: of a power, a ratio, a range or a sum, or with a sign that it cannot carry."""
_WORD_BEFORE = re.compile(r"(?<!\\)[A-Za-z]\Z")
_CURRENCY_BEFORE = re.compile(r"(?<![A-Za-z])(?:[A-Z]{3}|Rs|RM)\Z")
_SUFFIX = re.compile(
    r"""(?:km|cm|mm|kg|mg|lbs?|oz|ft|mph|π)(?![\w^/*+]|\s*[-+*/\N{MULTIPLICATION SIGN}÷·])
    |(?:[ \t]|\n[ \t]*+)?(?:hundred|thousand|million|billion|trillion|lakh|crore|dozen|gross|score|squared|cubed
        |factorial|pi|bn|mn|percentage|basis|bps|ppm|ppb|pct)s?(?![A-Za-z])
    |\s[kKMB](?![\w'])
    |\s(?:and\s(?:an?|one|two|three|four|five|six|seven)[\s-])?(?:half|halves|thirds?|fourths?|quarters?|fifths?|sixths?
        |sevenths?|eighths?|ninths?|tenths?|[a-z]++(?:dred|sand|lion)ths?)(?![A-Za-z])""",
    re.VERBOSE,
)
"""What is taken with a number, for it changes it: `25π`, `5 million`, `3 and a half`."""
_PART_OF_LARGER_AFTER = re.compile(
    r"""[})]?\^|!|:[0-9]|\s:\s[0-9a-z]\b|[万萬亿億千百十兆分半倍%\uff05‰]|(?![\u2e80-\uffff])[^\W_]|\}
    |\\[A-Za-z!,;:{(]|[ \t]++\\[A-Za-z]|[ \t]*+[\N{MULTIPLICATION SIGN}÷·⋅√∛\N{UNION}]|,\s*+[-+]?(?:\\|∞)
    |_\{?[A-Za-z0-9]|\*[A-Za-z(]|/(?:[A-Za-z](?![A-Za-z])|[(\\])
    |\([A-Za-z0-9]|[-\N{MINUS SIGN}+](?:[b-zB-Z](?![A-Za-z'])|[(\\])|-per\s?cent|[ \t]++[*+/][ \t]++[A-Za-z(\\]
    |[ \t]++[-\N{MINUS SIGN}][ \t]*+(?:[b-zB-HJ-Z](?![A-Za-z'])|[(\\])
    |\$[A-Za-z\\][^$\n]{0,200}\$
    |\s(?:over|to\sthe|divided\sby|multiplied\sby|plus|minus|root|sqrt|choose|mod)\b""",
    re.VERBOSE,
)
"""A number before it is only a part of what stands there."""
_BRACKETED_LIST = re.compile(
    r"[(\[](?:[-+\N{MINUS SIGN}0-9./\s√π∞{}]|\\[a-z]++|(?<![A-Za-z])[A-Za-z](?![A-Za-z])|[,;])*[)\]]"
)
_PART_OF_LIST_BEFORE = re.compile(r"(?:[\w^)\]}]|\N{UNION}\s*+|\\[a-z]+\s*+|[)\]],?\s++(?:(?:and|or)\s++)?)\Z")
_LIST_OF_FORMULAS = re.compile(r"(?:\$|\\\))\s*+(?:,(?:\s*+(?:and|or)\b)?|(?:and|or)\b)\s*+\Z")
_MINUEND_BEFORE = re.compile(r"(?:[0-9)\]}]|\b[B-HJ-Zb-z]|[0-9][a-z])\s++\Z|-\Z")
"""Before a minus, what it is taken from."""
_WORD_AFTER = re.compile(r"[A-Za-z²³½%‰万萬亿億千百十兆分半倍]|-per\s?cent")
_THOUSANDS = re.compile(r"[-+]?[$€£¥₹]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
MAX_LIST_CHARACTERS = 200
"""Characters of a tuple or interval outside of a formula."""
MAX_FORMULA_CHARACTERS = 2000
"""Characters before and behind the last number in which the ends of its formula are looked for."""
LOOK_BACK_CHARACTERS = 40
"""Characters before a number that say whether it is a part of something larger."""
_ROW_ENVIRONMENTS = r"(?:align(?:ed|at)?|gather(?:ed)?|equation|split|multline|eqnarray)\*?"
_FORMULA_MARK = re.compile(r"\\\\|\\\$|(\$\$?|\\[()\[\]]|\\(?:begin|end)\{" + _ROW_ENVIRONMENTS + r"\})")
_CLOSING = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]"}
_TEXT_COMMAND = re.compile(r"\\(?:text|textrm|textbf|textit|mathrm|mathbf|mbox|begin|end)\s*+\{[^{}]*+\}")
_PROSE = re.compile(r"(?:\A|(?<=\s))[A-Za-z]{2,}+(?![A-Za-z(^_])")
_STRUCTURE = re.compile(
    r"\\\\|\\(?:begin|end)(?![A-Za-z])|\\?[({\[]|\\?[)}\]]|[<>!]=|\\not\s*+=|&?=&?(?![=>])|[,;<>≤≥≠≈]|\\[A-Za-z]++|\\."
)
_OPENING_TOKENS = frozenset({"(", "[", "{", r"\(", r"\[", r"\{", r"\begin"})
_CLOSING_TOKENS = frozenset({")", "]", "}", r"\)", r"\]", r"\}", r"\end"})
_SEPARATORS = frozenset({",", ";", r"\quad", r"\qquad", r"\lor", r"\land"})
"""Between two equations, they tell that the second does not go on from the first."""
_JOINING_WORD = re.compile(r"\s*+\{\W*+(?:and|or|if|when|where|for|so|then|but)\b")
_RELATION = re.compile(
    r"[<>≤≥≠≈]|[<>!]=|\\(?:lt|gt|[lg]e(?:q|qslant)?|neq?|not|(?:not)?in|approx|equiv|sim|cong|mid)(?![A-Za-z])"
)
"""Relations other than `=`: what they tell is told by the whole formula."""
_IN_BRACES = re.compile(r"\\(?:text|textrm|mathrm|mbox)\s*+\{[^{}]*+\}|\\[A-Za-z]++|\([^()]*+\)")
_SUM = re.compile(r"\S\s*+[-+]")
_LETTER = re.compile(r"[A-Za-z]")
_PLAIN_NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?[0-9][0-9.,]*+")


class ExtractedAnswer(NamedTuple):
    """A final answer: `text` is `source[start:end]`, `found_by` the rule that found it."""

    text: str
    found_by: str
    start: int
    end: int


def extract(text: str, markers: Sequence[str] = MARKERS) -> ExtractedAnswer | None:
    """The final answer in `text`, or None. `markers` open a line whose rest is the answer, e.g. `A:`."""
    rules = (
        _find_boxed,
        _find_gsm8k_marker,
        lambda text: _find_marked_line(text, markers),
        _find_answer_is,
        _find_printed,
        _find_last_number,
    )
    return next((extracted for rule in rules if (extracted := rule(text))), None)


class ExtractAnswer(Stage):
    """The final answer of each response, with the rule that found it and where it stood; rejects those without one."""

    label: ClassVar[str] = "extract_answer"
    table: ClassVar[pa.Schema] = verdicts.EXTRACTED_ANSWERS

    markers: tuple[str, ...] = MARKERS
    """What opens the line of the final answer."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """One answer for each row that has a `response`; offsets count characters."""
        for row in batch:
            if (extracted := extract(row["response"], self.markers)) is None:
                yield Reject(row, "no_answer")
            else:
                answer, found_by, start, end = extracted
                yield {"row_id": row["row_id"], "answer": answer, "found_by": found_by, "start": start, "end": end}


def _make_extracted(text: str, rule: str, start: int, end: int) -> ExtractedAnswer | None:
    """The span without the blanks around it; None if nothing is left."""
    span = text[start:end]
    start += len(span) - len(span.lstrip())
    span = span.strip()
    return ExtractedAnswer(span, rule, start, start + len(span)) if span else None


def _find_boxed(text: str) -> ExtractedAnswer | None:
    r"""The last `\boxed{...}` or `\fbox{...}` that is closed; braces nest, `\{` and `\}` are characters.

    Behind it, a percent sign belongs to the answer: `{5}\%` of `\boxed{5}\%`.

    Depths are computed for the whole text at once: scanning from each box would be quadratic in a text of open boxes.
    """
    first = _BOX.search(text)
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
        if extracted := _make_extracted(text, "boxed", offset + start + 1, offset + start + length):
            percent = _PERCENT_OF_BOX.match(text, offset + start + length + 1)
            return _make_extracted(text, "boxed", offset + start, percent.end()) if percent else extracted
    return None


def _find_bare_box(text: str) -> ExtractedAnswer | None:
    r"""The last `\boxed 5`: TeX needs no braces around one sign."""
    at = len(text)
    while (at := text.rfind("\\boxed", 0, at)) >= 0:
        if box := _BARE_BOX.match(text, at):
            return _make_extracted(text, "boxed", *box.span(1))
    return None


def _mask_escapes(text: str) -> str:
    """`text`, as long as before, with the brace of each box marked and escaped braces gone."""
    text = text.replace(_BOX_SIGN, "?")
    text = text.replace("\\boxed{", "?boxed" + _BOX_SIGN).replace("\\fbox{", "?fbox" + _BOX_SIGN)
    text = _SPACED_BOX.sub(r"?\1" + _BOX_SIGN, text)
    return text.replace("\\\\", "  ").replace("\\{", "  ").replace("\\}", "  ")


def _find_gsm8k_marker(text: str) -> ExtractedAnswer | None:
    """What follows the last `####`, to the end of its line (GSM8K); None where that is a heading."""
    at = text.rfind("####")
    return (
        None
        if at < 0 or _HEADING.match(text, at + 4)
        else _make_extracted(text, "hash", at + 4, _find_line_end(text, at))
    )


def _find_marked_line(text: str, markers: Sequence[str]) -> ExtractedAnswer | None:
    """What follows a marker at the start of the last line that has one; the next line if that line ends there."""
    start = max((_find_after_marker(text, marker) for marker in markers), default=-1)
    if start < 0:
        return None
    rest = text[start:]
    start += len(rest) - len(rest.lstrip())
    return _make_extracted(text, "marker", start, _find_line_end(text, start))


def _find_after_marker(text: str, marker: str) -> int:
    """Where the text after `marker` starts in the last line that opens with it, or -1. Looks at each line once."""
    end = len(text)
    while marker and (at := text.rfind(marker, 0, end)) >= 0:
        line = text.rfind("\n", 0, at) + 1
        opening = text[line : at + len(marker)]
        if opening.lstrip().startswith(marker) and not _opens_choices(text, at, marker):
            return line + len(opening) - len(opening.lstrip()) + len(marker)
        end = line
    return -1


def _opens_choices(text: str, at: int, marker: str) -> bool:
    """Whether `A:` opens the first of several choices: the next line opens with `B:`."""
    if len(marker) != 2 or not "A" <= marker[0] < "Z":
        return False
    following = text[_find_line_end(text, at) : _find_line_end(text, at) + 80].lstrip()
    return following.startswith(chr(ord(marker[0]) + 1) + marker[1])


def _find_answer_is(text: str) -> ExtractedAnswer | None:
    """What follows the last "the answer is", to the end of the sentence; the point in `3.5` ends none."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a few characters grow in lower case, and positions must stay
        lowered = text
    at = len(text)
    while (at := lowered.rfind("answer", 0, at)) >= 0:
        if opening := _ANSWER_IS.match(lowered, at):
            match = _SENTENCE_END.search(text, opening.end())
            end = match.start() if match else len(text)
            bold = text[opening.end() : end].rstrip()
            if bold.endswith("**") and bold.count("**") % 2:
                end = opening.end() + len(bold) - 2
            return _make_extracted(text, "answer_is", opening.end(), end)
    return None


def _find_printed(text: str) -> ExtractedAnswer | None:
    """The last line that a program printed, in the last block of output."""
    if "```output" not in text or not (blocks := list(_OUTPUT_BLOCK.finditer(text))):
        return None
    start, end = blocks[-1].span(1)
    end = start + len(text[start:end].rstrip())
    return _make_extracted(text, "printed", max(start, text.rfind("\n", start, end) + 1), end)


def _find_last_number(text: str) -> ExtractedAnswer | None:
    """The last numeral with its sign, currency and percent sign, looked for from the end; or the formula it is in.

    None where that is only a part of what stands there: `10^6`, `5!`, `1:30`, `x + 5`, `3 to 5`.
    """
    backwards = text[::-1]
    digit = _DIGIT.search(backwards)
    if digit is None:
        return None
    numeral = _NUMERAL_REVERSED.match(backwards, digit.start())
    assert numeral is not None
    start, end = len(text) - numeral.end(), len(text) - digit.start()
    if formula := _find_formula(text, end):
        return _find_last_formula(text, formula, end)
    token = text[start:end]
    start += len(token) - len(token.lstrip(".,/"))
    if _LEADING_POINT.search(text[max(0, start - 2) : start]):
        start -= 1
    has_minus = text[start] in "-\N{MINUS SIGN}"
    if has_minus and start and (text[start - 1].isalnum() or text[start - 1] in ")]}"):
        start, has_minus = start + 1, False  # the dash of `7-5` or `COVID-19`
    if text[end : end + 1] in (")", "]") and (bracketed_list := _find_bracketed_list(text, end + 1)):
        return (
            None
            if _PART_OF_LIST_BEFORE.search(
                text[max(0, bracketed_list.start - LOOK_BACK_CHARACTERS) : bracketed_list.start]
            )
            else bracketed_list
        )
    before = text[max(0, start - LOOK_BACK_CHARACTERS) : start]
    if _PART_OF_LARGER_BEFORE.search(before) or (has_minus and _MINUEND_BEFORE.search(before)):
        return None
    if _WORD_BEFORE.search(before) and text[start].isdigit() and not _CURRENCY_BEFORE.search(before):
        return None
    if suffix := _PERCENT.match(text, end) or _SUFFIX.match(text, end):
        end = suffix.end()
    return None if _PART_OF_LARGER_AFTER.match(text, end) else _make_extracted(text, "last_number", start, end)


def _find_bracketed_list(text: str, end: int) -> ExtractedAnswer | None:
    """The tuple or interval outside of a formula that the bracket before `end` closes; None if it is none."""
    first = max(0, end - MAX_LIST_CHARACTERS)
    start = max(text.rfind("(", first, end - 1), text.rfind("[", first, end - 1))
    if start < 0 or not _BRACKETED_LIST.fullmatch(text, start, end):
        return None
    if text[start] == "(" and _THOUSANDS.fullmatch(text, start + 1, end - 1):
        return None
    return _make_extracted(text, "last_formula", start, end) if re.search("[,;]", text[start:end]) else None


class _Formula(NamedTuple):
    """A formula: `start` and `end` of what is between its signs, and of the whole of it."""

    opening: int
    start: int
    end: int
    closing: int


def _find_formula(text: str, at: int) -> _Formula | None:
    """The innermost formula around the character before `at`; dollars that are money are none."""
    first = max(0, at - MAX_FORMULA_CHARACTERS)
    if first:
        first = max(first, text.find("\n", first, at))
    marks = [mark for mark in _FORMULA_MARK.finditer(text, first, at + MAX_FORMULA_CHARACTERS) if mark[1]]
    following, seen = [-1] * len(marks), dict[str, int]()
    for here in range(len(marks) - 1, -1, -1):
        following[here] = seen.get(_get_closing_mark(marks[here][1]), -1)
        seen[marks[here][1]] = here
    formula, here = None, 0
    while here < len(marks) and marks[here].end() < at:
        opening, last = marks[here], following[here]
        if last < 0 or (opening[1] == "$" and (last > here + 1 or not _is_formula(text, opening, marks[last]))):
            here += 1
        elif marks[last].start() < at:
            here = last + 1
        else:
            formula = _Formula(opening.start(), opening.end(), marks[last].start(), marks[last].end())
            here += 1
    return formula


def _get_closing_mark(mark: str) -> str:
    """The sign that ends the formula that `mark` opens; empty if it opens none."""
    return f"\\end{{{_get_environment(mark)}}}" if mark.startswith("\\begin") else _CLOSING.get(mark, "")


def _get_environment(mark: str) -> str:
    return mark[mark.index("{") + 1 : mark.index("}")]


def _is_formula(text: str, left: re.Match[str], right: re.Match[str]) -> bool:
    """Whether a formula stands between two dollars, and not what follows some money: `$5 and then $7`."""
    inside, before = text[left.end() : right.start()], text[left.start() - 1 : left.start()]
    if inside[0].isspace() != inside[-1].isspace() or text[right.end() : right.end() + 1].isdigit():
        return False
    if before.isdigit() and not (inside[0].isalpha() or inside[0] == "\\"):
        return False  # 5$ - 3$
    amount = inside[0].isspace() or inside[0].isdigit()
    return "\n\n" not in inside and not (amount and _PROSE.search(_TEXT_COMMAND.sub("", inside)))


def _find_last_formula(text: str, formula: _Formula, at: int) -> ExtractedAnswer | None:
    """The formula, or what is behind its last `=`; None where it is a part: `$5$ million`, `$3$ and $5$`."""
    before = text[max(0, formula.opening - LOOK_BACK_CHARACTERS) : formula.opening]
    if _PART_OF_LARGER_BEFORE.search(before) or before[-1:].isalnum() or before[-1:] in ("-", "\N{MINUS SIGN}"):
        return None
    if any(sign.match(text, formula.closing) for sign in (_PERCENT, _SUFFIX, _WORD_AFTER)):
        return None
    start, end = _find_last_side(text, formula, at)
    if "=" not in text[formula.start : start] and _LIST_OF_FORMULAS.search(before):
        return None
    extracted = _make_extracted(text, "last_formula", start, end)
    return (
        extracted._replace(found_by="last_number")
        if extracted and _PLAIN_NUMBER.fullmatch(extracted.text)
        else extracted
    )


def _find_last_side(text: str, formula: _Formula, at: int) -> tuple[int, int]:
    """Where in the last row of a formula its last side begins, and where it ends; the whole row if that is no value.

    The row is whole where there are several equations, where the number before `at` is on another side, and where an
    inequality is told.
    """
    start, end, depth, equals, is_separated, is_whole_row = formula.start, formula.end, 0, list[int](), False, False
    for sign in _STRUCTURE.finditer(text, formula.start, formula.end):
        token = sign[0]
        if token in _OPENING_TOKENS:
            depth += 1
        elif token in _CLOSING_TOKENS:
            depth -= 1
        elif depth:
            continue
        elif token == "\\\\":
            if not text[sign.end() : formula.end].strip():
                end = sign.start()
                break
            start, equals, is_separated, is_whole_row = sign.end(), [], False, False
        elif token.strip("&") == "=":
            is_whole_row, is_separated = is_whole_row or is_separated, False
            equals.append(sign.end())
        else:
            is_separated = is_separated or token in _SEPARATORS or _JOINING_WORD.match(text, sign.end()) is not None
            is_whole_row = is_whole_row or _RELATION.match(token) is not None
    start += len(text[start:end]) - len(text[start:end].lstrip("& \t\n"))
    row = text[start:end].rstrip(".,; \t\n")
    end = end if row.endswith("\\") else start + len(row)
    if is_whole_row or not equals or equals[-1] >= at or (len(equals) == 1 and _is_equation(text[start : equals[0]])):
        return start, end
    return equals[-1], end


def _is_equation(left: str) -> bool:
    """Whether what is before an `=` is a sum of several letters: `x + 2y = 5` has no value that it tells."""
    left = _IN_BRACES.sub("", left)
    return bool(_SUM.search(left)) and len(set(_LETTER.findall(left))) > 1


def _find_line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
