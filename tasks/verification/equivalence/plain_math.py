r"""Plain mathematics as LaTeX: `sqrt(2)`, `2pi`, `x >= 2`, which are else read as products of letters."""

import re

from tasks.verification.equivalence.text_normalization import MATHEMATICS, without_texts, wordy

_GREEK = "alpha|beta|gamma|delta|epsilon|theta|lambda|sigma|omega|phi|psi"
_FUNCTIONS = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln"
_CONSTANT = re.compile(rf"(?<![A-Za-z\\])(?:(pi|{_GREEK})|(?i:inf(?:inity)?)|oo)(?![A-Za-z0-9_'])")
_FUNCTION = re.compile(
    rf"(?<![A-Za-z\\])({_FUNCTIONS})(?:(?=\ ?\()|(?=\ (?:[0-9\\]|[A-Za-z](?![A-Za-z])))|(?<=ln)(?=[0-9])"
    r"|(?=\^\{?[0-9])|_(?:([0-9]+|[a-z])|(?=\{)))",
)
"""What takes something: `log2(8)` and `sin^-1 x` may be read in two ways, and `5 log` in none."""
_EXPONENTIAL = re.compile(r"(?<![A-Za-z\\])exp(?= ?\()")
_ROOT = re.compile(
    r"(?<![A-Za-z\\])sqrt(?: ?([0-9]+(?:\.[0-9]+)?)| ?([a-z])(?![A-Za-z0-9_^])|(?= ?[({]|\[[0-9]+\] ?\{))"
)
MOST = 20
"""Roots in one answer whose brackets are rewritten: each takes a look at the whole text."""
_POWER_OF_TEN = re.compile(r"(?<=[0-9]) ?[xX] ?(?=10 ?\^)")
_ORDER = re.compile(r"(?<![<>=!])([<>])=(?![=>])|(?<= )!=(?= )")
_SIGNS = {"<": "\\le ", ">": "\\ge "}
_ANY = re.compile(r"(?<![A-Za-z\\])(?:[a-z]{3}|pi|ln|oo|Inf|INF)|[<>!]=|[xX] ?10 ?\^")
_OPERATOR = re.compile(r"\\(?:operatorname\*?|begin|end) ?\{[a-z*]*\}|\\[A-Za-z]+")
_RUN = re.compile("[A-Za-z]{2,}")
_LITTLE = re.compile(r"(?<![^ ])(?:is|to|up|of|by|on|it|if|we|he) |(?<=[0-9]) [xX] (?=[0-9])")
"""Words of two letters that are no products where they stand alone, and the sign of times that is no letter."""
_KNOWN = (MATHEMATICS | {"ln", "lg", "pi"}) - {"and"}


def latex(text: str) -> str:
    """`text` with its plain names and signs as commands; as it is where words stand in it."""
    if not _ANY.search(text) or wordy(text):
        return text
    text = _ORDER.sub(lambda match: _SIGNS.get(match[1], "\\ne "), _POWER_OF_TEN.sub(r" \\times ", text))
    text = _CONSTANT.sub(lambda match: "\\" + (match[1] or "infty"), text)
    text = _EXPONENTIAL.sub(r"\\exp", _FUNCTION.sub(_function, text))
    return _roots(_ROOT.sub(_root, text))


def misnamed(text: str) -> bool:
    """Whether a name or a little word is left that would be read as a product: `max(1,2)`, `2Pi`, `up to 5`."""
    if _LITTLE.search(text):
        return True
    found = _RUN.findall(_OPERATOR.sub(" ", without_texts(text)))
    return any(run.casefold() in _KNOWN for run in found)


def _function(match: re.Match[str]) -> str:
    base = "_" + (f"{{{match[2]}}}" if match[2] else "") if "_" in match[0] else ""
    return "\\" + match[1] + base


def _root(match: re.Match[str]) -> str:
    inside = match[1] or match[2]
    return "\\sqrt" + (f"{{{inside}}}" if inside else "")


def _roots(text: str) -> str:
    r"""`\sqrt(2)` as `\sqrt{2}`: Math-Verify takes the bracket for the first sign under the root."""
    start = 0
    if text.count("\\sqrt") > MOST:
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
