r"""Checks whether Math-Verify can be asked about a text: of `\foo{3} 5` and `(3, 5` it reads only the 5."""

import re

from tasks.verification.equivalence import expression_parser
from tasks.verification.equivalence.answer_parser import BRACKET_DEPTHS
from tasks.verification.equivalence.text_normalization import drop_text_commands

# matches '5"', "5!!", "#5", not "5!", "x_1 + 2"
_UNKNOWN_SIGNS = re.compile(r"[^\sA-Za-z0-9\\{}()\[\]|+\-*/^_=<>!.,:;%$°·×÷√π∞∅∪∩∈≤≥±≠≈&'~]|!!")  # noqa: RUF001
"""Signs that neither our parser nor Math-Verify knows: it reads `5\"` as 5, and `5!!` as two factorials."""
_COMMANDS = re.compile(r"\\([A-Za-z]+)")
_KNOWN_COMMANDS = frozenset(
    {
        *("frac", "dfrac", "tfrac", "cfrac", "sqrt", "binom", "dbinom", "tbinom", "choose", "left", "right", "big"),
        *("Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "Bigg", "biggl", "biggr", "displaystyle", "limits", "quad"),
        *("qquad", "cdot", "times", "div", "pm", "mp", "le", "leq", "leqslant", "lt", "ge", "geq", "geqslant", "gt"),
        *("ne", "neq", "in", "cup", "cap", "infty", "emptyset", "varnothing", "pi", "begin", "end", "langle", "rangle"),
        *("lvert", "rvert", "lfloor", "rfloor", "lceil", "rceil", "sin", "cos", "tan", "cot", "sec", "csc", "arcsin"),
        *("arccos", "arctan", "sinh", "cosh", "tanh", "log", "ln", "lg", "exp", "circ", "degree", "text", "textrm"),
        *("textbf", "textit", "mathrm", "mbox", "overline", "bar", "dot", "vec", "mathbb", "setminus", "sum", "prod"),
        *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "theta", "lambda", "mu", "nu", "rho", "sigma"),
        *("tau", "phi", "varphi", "psi", "omega", "Delta", "Omega", "Gamma", "Lambda", "Sigma", "Phi", "ell", "zeta"),
        *("eta", "kappa", "xi", "chi", "Pi", "Theta", "Psi", "imath", "operatorname", "gcd", "min", "max", "to"),
        *("lnot", "mid", "sim", "approx", "equiv", "mapsto", "rightarrow", "not", "propto"),
    }
)
"""Commands that our parser or Math-Verify knows. Math-Verify ignores others and reads what follows them."""
# matches "_{k=1}", "^{n}", not "_1", "{x=1}"
_INDEX = re.compile(r"[_^] ?\{[^{}]*\}")
# matches "y = 2x", "x=1", not "x <= 1", "x != 1", "x := 1"
_EQUALS = re.compile(r"(?<![<>!:])=(?!=)")
_EMPTY_SUM = re.compile(r"\\(?:sum|prod)(?! ?_)")


def is_malformed(text: str) -> bool:
    """Whether an answer has unbalanced brackets, or commands and signs that no parser here knows."""
    text = drop_text_commands(text)
    if any(name not in _KNOWN_COMMANDS for name in _COMMANDS.findall(text)):
        return True
    return not has_balanced_brackets(text) or bool(_EMPTY_SUM.search(text) or _UNKNOWN_SIGNS.search(text))


def is_equation(text: str) -> bool:
    r"""Whether an answer is an equation. The `k=1` of `\\sum_{k=1}^{n}` makes none."""
    return _EQUALS.search(_INDEX.sub("", text)) is not None


def has_balanced_brackets(text: str) -> bool:
    """Whether as many brackets close as open. Round and square ones count together (`(1,2]`), braces separately."""
    counts = dict.fromkeys(("", "{", "\\{"), 0)
    for token in expression_parser.tokenize(text):
        if step := BRACKET_DEPTHS.get(token, 0):
            kind = token if token in counts else {"}": "{", "\\}": "\\{"}.get(token, "")
            counts[kind] += step
            if counts[kind] < 0:
                return False
    return not any(counts.values())
