"""Finds the program in a solution, and the answer in what the program printed."""

import re
from collections.abc import Iterator
from decimal import Context
from fractions import Fraction

LONGEST = 2000
"""Characters of a printed line that is still rewritten; the Verify stage reads no longer ones either."""
NOISY = 15
"""Significant digits from which on a printed fraction is that of a binary one: they have 15 to 17."""
KEPT, SHORT = 12, 10
"""Digits of it that are looked at, and how many are left where the rest was noise."""
DENOMINATOR, LARGEST = 1000, 10_000
"""Of a ratio that is recognised: two such are 1e-6 apart and noise is 1e-10 at most, so that chance makes none."""
NOISE = Fraction(1, 10**14)
"""Relative: some fifty times what one operation on binary fractions can be off."""
PASSES = 8
"""Roots within roots."""

_FENCE = re.compile(r"[ \t]*+(`{3,}+|~{3,}+)[ \t]*+([\w+-]*+)")
_PYTHON = frozenset({"python", "python3", "py"})
_FLOAT = re.compile(r"(?<![\w.])[0-9]++\.[0-9]++(?:e[-+]?[0-9]{1,3}+)?+(?![\w.])")
"""With an exponent that a binary fraction can have: a program may print one that takes for ever to multiply out."""
_WORD = re.compile(r"[A-Za-z]{2,}+")
_FUNCTIONS = frozenset({"sqrt", "pi", "sin", "cos", "tan", "log", "exp", "oo"})
_POWER = re.compile(r"(?<=[\w)\]}])\*\*(?:\(([^()]*+)\)|(-?\w++))")
_ROOT = re.compile(r"(?<![\w\\])sqrt\(([^()]*+)\)")
_PI = re.compile(r"(?<![\w\\])pi\b")


def find_program(solution: str) -> str:
    """The last fenced block of Python, else the last one of no language, else all of it; blank where there is none."""
    blocks = list(_blocks(solution))
    if not blocks:
        return solution.strip() and solution
    python = [text for language, text in blocks if language in _PYTHON]
    nameless = [text for language, text in blocks if not language]
    return next(iter((python or nameless)[-1:]), "")


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and text of each block; one that is never closed, as in a reply that was cut off, ends with the text."""
    fence, language, lines = "", "", list[str]()
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if not fence and match:
            fence, language, lines = match[1], match[2].casefold(), []
        elif fence and match and match[1].startswith(fence) and not match[2]:
            yield language, "\n".join(lines)
            fence = ""
        else:
            lines.append(line)
    if fence:
        yield language, "\n".join(lines)


def last_line(printed: str) -> str:
    """The last line that is not blank; empty where there is none."""
    return printed.rstrip().rpartition("\n")[2].strip()


def as_mathematics(line: str, exact: bool = True) -> str:
    r"""What Python writes otherwise than mathematics does, rewritten: `x**10` as `x^{10}`, `sqrt(2)` as `\sqrt{2}`.

    If `exact`, a binary fraction is written as the number that it stands for. A line of words keeps everything else.
    """
    if len(line) > LONGEST:
        return line
    if exact:
        line = _FLOAT.sub(_stood_for, line)
    if not {word.casefold() for word in _WORD.findall(line)} <= _FUNCTIONS:
        return line
    for _ in range(PASSES):
        before, line = line, _ROOT.sub(r"\\sqrt{\1}", _POWER.sub(_raised, line))
        if line == before:
            break
    return _PI.sub(r"\\pi", line)


def _stood_for(match: re.Match[str]) -> str:
    """0.3 for 0.30000000000000004, 10/3 for 3.3333333333333335; anything else stays as it was printed."""
    if len(match[0].partition("e")[0].replace(".", "").lstrip("0")) < NOISY:
        return match[0]
    value = Fraction(match[0])
    rounded = Context(prec=KEPT).create_decimal(match[0]).normalize()
    if len(rounded.as_tuple().digits) <= SHORT and abs(Fraction(rounded) - value) <= NOISE * value:
        return f"{rounded:f}"
    ratio = value.limit_denominator(DENOMINATOR)
    return str(ratio) if value < LARGEST and abs(ratio - value) <= NOISE * value else match[0]


def _raised(match: re.Match[str]) -> str:
    return "^{" + (match[1] or match[2]) + "}"
