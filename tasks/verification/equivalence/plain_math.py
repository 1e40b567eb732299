r"""Rewrites plain mathematics as LaTeX: `sqrt(2)`, `2pi`, `x >= 2` would otherwise be read as products of letters."""

import re

from tasks.verification.equivalence.text_normalization import MATH_NAMES, drop_text_commands, has_words

_GREEK = "alpha|beta|gamma|delta|epsilon|theta|lambda|sigma|omega|phi|psi"
_FUNCTIONS = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln"
# matches "2 pi", "2Pi", "infinity", "oo", not r"\pi", "pie", "too"
_CONSTANT = re.compile(rf"(?<![A-Za-z\\])(?:([pP]i|{_GREEK})|(?i:inf(?:inity)?)|oo)(?![A-Za-z0-9_'])")
# matches "sin(x)", "sin x", "ln2", "log_2", not r"\sin(x)", "sin xy", "basin(x)"
_FUNCTION = re.compile(
    rf"(?<![A-Za-z\\])({_FUNCTIONS})(?:(?=\ ?\()|(?=\ (?:[0-9\\]|[A-Za-z](?![A-Za-z])))|(?<=ln)(?=[0-9])"
    r"|(?=\^\{?[0-9])|_(?:([0-9]+|[a-z])|(?=\{)))",
)
"""A function with its argument. `log2(8)` and `sin^-1 x` are ambiguous, and `5 log` has no argument."""
# matches "exp(x)", not "exp x", r"\exp(x)"
_EXPONENTIAL = re.compile(r"(?<![A-Za-z\\])exp(?= ?\()")
# matches "sqrt 2", "sqrt(x)", "sqrt x", not r"\sqrt{2}", "sqrt xy"
_ROOT = re.compile(
    r"(?<![A-Za-z\\])sqrt(?: ?([0-9]+(?:\.[0-9]+)?)| ?([a-z])(?![A-Za-z0-9_^])|(?= ?[({]|\[[0-9]+\] ?\{))"
)
MAX_ROOTS = 20
"""Most roots in one answer whose brackets are rewritten: each takes a pass over the whole text."""
# matches "3 x 10^5", not "3 x 5^2", "a x 10^5"
_POWER_OF_TEN = re.compile(r"(?<=[0-9]) ?[xX] ?(?=10 ?\^)")
# matches "x >= 3", "x != 3", not "x => 3", "x!=3"
_INEQUALITY = re.compile(r"(?<![<>=!])([<>])=(?![=>])|(?<= )!=(?= )")
_LATEX_SIGNS = {"<": "\\le ", ">": "\\ge "}
# matches "sin x", "2pi", "x <= 3", not "xy", r"\sin"
_PLAIN_MATH = re.compile(r"(?<![A-Za-z\\])(?:[a-z]{3}|[pP]i|ln|oo|Inf|INF)|[<>!]=|[xX] ?10 ?\^")
# matches r"\operatorname{lcm}", r"\sin", not "sin", r"\{"
_OPERATOR = re.compile(r"\\(?:operatorname\*?|begin|end) ?\{[a-z*]*\}|\\[A-Za-z]+")
_LETTER_RUN = re.compile("[A-Za-z]{2,}")
# matches "x is 3", "3 x 4", not "this 3", "3x4"
_SHORT_WORD = re.compile(r"(?<![^ ])(?:is|to|up|of|by|on|it|if|we|he) |(?<=[0-9]) [xX] (?=[0-9])")
"""Words of two letters, which are no products if they stand alone, and an `x` that is a multiplication sign."""
_KNOWN_NAMES = (MATH_NAMES | {"ln", "lg", "pi"}) - {"and"}


def plain_to_latex(text: str) -> str:
    """`text` with plain names and signs as LaTeX commands; unchanged if it contains words."""
    if not _PLAIN_MATH.search(text) or has_words(text):
        return text
    text = _INEQUALITY.sub(lambda match: _LATEX_SIGNS.get(match[1], "\\ne "), _POWER_OF_TEN.sub(r" \\times ", text))
    text = _CONSTANT.sub(lambda match: "\\" + (match[1] or "infty").replace("P", "p"), text)
    text = _EXPONENTIAL.sub(r"\\exp", _FUNCTION.sub(_format_function, text))
    return _brace_roots(_ROOT.sub(_format_root, text))


def has_plain_names(text: str) -> bool:
    """Whether a name or short word is left that would be read as a product: `max(1,2)`, `2PI`, `up to 5`."""
    if _SHORT_WORD.search(text):
        return True
    runs = _LETTER_RUN.findall(_OPERATOR.sub(" ", drop_text_commands(text)))
    return any(run.casefold() in _KNOWN_NAMES for run in runs)


def _format_function(match: re.Match[str]) -> str:
    base = "_" + (f"{{{match[2]}}}" if match[2] else "") if "_" in match[0] else ""
    return "\\" + match[1] + base


def _format_root(match: re.Match[str]) -> str:
    inside = match[1] or match[2]
    return "\\sqrt" + (f"{{{inside}}}" if inside else "")


def _brace_roots(text: str) -> str:
    r"""`\sqrt(2)` as `\sqrt{2}`: Math-Verify would take only the bracket as the argument of the root."""
    start = 0
    if text.count("\\sqrt") > MAX_ROOTS:
        return text
    while (at := text.find("\\sqrt(", start)) >= 0 or (at := text.find("\\sqrt (", start)) >= 0:
        opening = text.index("(", at)
        depth, end = 0, opening
        for end in range(opening, len(text)):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if not depth:
                break
        if depth:
            return text
        text = f"{text[:at]}\\sqrt{{{text[opening + 1 : end]}}}{text[end + 1 :]}"
        start = at + 6
    return text
