r"""Finds formulas in a response (`$...$`, `\(...\)`, `\[...\]`, environments) and the last side of their last row."""

import re
from typing import NamedTuple

from tasks.verification.extraction.patterns import (
    FORMULA_MARK,
    IN_BRACES,
    JOINING_WORD,
    LETTER,
    OPERATION,
    PLAIN_NUMBER,
    PROSE,
    RELATION,
    STRUCTURE,
    TEXT_COMMAND,
)

MAX_FORMULA_CHARACTERS = 2000
"""Characters before and after the last number that are searched for the ends of its formula."""
_CLOSING = {"$": "$", "$$": "$$", r"\(": r"\)", r"\[": r"\]"}
_OPENING_TOKENS = frozenset({"(", "[", "{", r"\(", r"\[", r"\{", r"\begin"})
_CLOSING_TOKENS = frozenset({")", "]", "}", r"\)", r"\]", r"\}", r"\end"})
_SEPARATORS = frozenset({",", ";", r"\quad", r"\qquad", r"\lor", r"\land"})
"""Signs that separate two equations, so that the second does not continue the first."""


class Formula(NamedTuple):
    """A formula in a text: `start` and `end` of its content; `opening` and `closing` include the signs around it."""

    opening: int
    start: int
    end: int
    closing: int


def find_formula(text: str, at: int) -> Formula | None:
    """The innermost formula around the character before `at`. Dollar signs of amounts of money delimit no formula."""
    first = max(0, at - MAX_FORMULA_CHARACTERS)
    if first:
        first = max(first, text.find("\n", first, at))
    marks = [mark for mark in FORMULA_MARK.finditer(text, first, at + MAX_FORMULA_CHARACTERS) if mark[1]]
    closing_indices, latest_index = [-1] * len(marks), dict[str, int]()
    for here in range(len(marks) - 1, -1, -1):
        closing_indices[here] = latest_index.get(_get_closing_mark(marks[here][1]), -1)
        latest_index[marks[here][1]] = here
    formula, here = None, 0
    while here < len(marks) and marks[here].end() < at:
        opening, last = marks[here], closing_indices[here]
        if last < 0 or (opening[1] == "$" and (last > here + 1 or not _is_formula(text, opening, marks[last]))):
            here += 1
        elif marks[last].start() < at:
            here = last + 1
        else:
            formula = Formula(opening.start(), opening.end(), marks[last].start(), marks[last].end())
            here += 1
    return formula


def _get_closing_mark(mark: str) -> str:
    """The sign that ends the formula that `mark` opens; empty if it opens none."""
    return f"\\end{{{_get_environment(mark)}}}" if mark.startswith("\\begin") else _CLOSING.get(mark, "")


def _get_environment(mark: str) -> str:
    return mark[mark.index("{") + 1 : mark.index("}")]


def _is_formula(text: str, left: re.Match[str], right: re.Match[str]) -> bool:
    """Whether two dollar signs delimit a formula, rather than two amounts of money such as `$5 and then $7`."""
    inside, before = text[left.end() : right.start()], text[left.start() - 1 : left.start()]
    if inside[0].isspace() != inside[-1].isspace() or text[right.end() : right.end() + 1].isdigit():
        return False
    if before.isdigit() and not (inside[0].isalpha() or inside[0] == "\\"):
        return False  # 5$ - 3$
    amount = inside[0].isspace() or inside[0].isdigit()
    return "\n\n" not in inside and not (amount and PROSE.search(TEXT_COMMAND.sub("", inside)))


def find_last_side(text: str, formula: Formula, at: int) -> tuple[int, int]:
    """Start and end of the last side in the last row of a formula, or of the whole row if that side is no value.

    It is the whole row if there are several equations, if the number before `at` is on another side, or if the row has
    an inequality.
    """
    start, end, depth, equals, is_separated, is_whole_row = formula.start, formula.end, 0, list[int](), False, False
    for sign in STRUCTURE.finditer(text, formula.start, formula.end):
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
            is_separated = is_separated or token in _SEPARATORS or JOINING_WORD.match(text, sign.end()) is not None
            is_whole_row = is_whole_row or RELATION.match(token) is not None
    start += len(text[start:end]) - len(text[start:end].lstrip("& \t\n"))
    row = text[start:end].rstrip(".,; \t\n")
    end = end if row.endswith("\\") else start + len(row)
    if is_whole_row or not equals or equals[-1] >= at:
        return start, end
    if len(equals) == 1 and (
        _is_equation(text[start : equals[0]]) or _is_reversed(text[start : equals[0]], text[equals[0] : end])
    ):
        return start, end
    return equals[-1], end


def _is_equation(left: str) -> bool:
    """Whether what stands before the only `=` is more than a name or a calculation: `2x = 5` gives `x` no value."""
    left = IN_BRACES.sub("", left.rstrip("&= "))
    return bool(LETTER.search(left)) and OPERATION.search(left) is not None


def _is_reversed(left: str, right: str) -> bool:
    """Whether an equation has only a number on its left: of `0 = x^2 - 4` the right side is no value."""
    return PLAIN_NUMBER.fullmatch(left.strip("&= ")) is not None and LETTER.search(IN_BRACES.sub("", right)) is not None


def find_equation(text: str, formula: Formula, start: int, end: int) -> str:
    """The equation whose last side is the text's `[start:end]`: its first side, `=`, that side; empty if it has none.

    Of `P = 2(3+4) = 14` it is `P = 14`.
    """
    before = text[formula.start : start]
    row = before.rpartition("\\\\")[2].strip("& \t\n")
    name = row.partition("=")[0].strip("& \t\n")
    if (
        not name
        or name.count("{") != name.count("}")
        or "=" not in row
        or any(sign in row for sign in (",", ";", "\\text", "\\implies", "\\Rightarrow"))
    ):
        return ""
    return f"{name} = {text[start:end]}"
