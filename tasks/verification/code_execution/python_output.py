r"""Reads what a program printed as mathematics: Python and sympy write `[2, 3]`, `1 + 2*I` and `exp(2)`, golds do not.

A list of Python is no interval, and its tuple is a list where the gold is one. What cannot be read so is left as it
was printed, and is never called wrong for it.
"""

import ast
import re
import string
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from tasks.verification.equivalence.answer_shapes import Many, Matrix, Scalar, Shape
from tasks.verification.equivalence.compare import read
from tasks.verification.equivalence.expression_parser import DEEPEST

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
LABELS = 4
"""Words before an answer that are passed over: `Roots: x = [2, 3]` has two."""
PLACES = 30
"""Decimal places of a number with an exponent that is written out."""

_FLOAT = re.compile(r"(?<![\w.])[0-9]++\.[0-9]++(?:e[-+]?[0-9]{1,3}+)?+(?![\w.])")
"""With an exponent that a binary fraction can have: a program may print one that takes for ever to multiply out."""
_WORD = re.compile(r"[A-Za-z]{2,}+")
_FUNCTIONS = frozenset({"sqrt", "pi", "sin", "cos", "tan", "log", "exp", "oo"})
_POWER = re.compile(r"(?<=[\w)\]}])\*\*(?:\(([^()]*+)\)|(-?\w++))")
_ROOT = re.compile(r"(?<![\w\\])sqrt\(([^()]*+)\)")
_PI = re.compile(r"(?<![\w\\])pi\b")
_INFINITE = re.compile(r"(?<![\w\\])oo\b")
_UNION = re.compile(r"(?<=[)\]}]) U (?=[(\[{\\])")
_LABEL = re.compile(r".*?(?:(?<![=<>!])=(?!=)|:|\b(?:is|are)\b)[ \t]*+(?=\S)")
_SAID = re.compile(
    r"(?:(?<![A-Za-z])[A-Za-z]\([A-Za-z]\)|[A-Za-z_0-9 ,'\t])*+[=:]?[ \t]*+(?:[A-Za-z_0-9 ,'\t]*+[=:]?[ \t]*+){0,3}"
)
"""A label without any mathematics but a name: what is dropped of `sin(x) = 2` would be missed."""
_LEFT = re.compile(r"\[[^\[\]()]*,[^\[\]()]*\]|\b(?:a?(?:sin|cos|tan)|exp|log|Abs)\(")
"""What is Python's in a line that is none: a list, a function."""
_GROUPED = re.compile(r"[0-9],[0-9]{3}(?![0-9])")
_BLANKS = re.compile(r"\s+(?=[,;)\]}])|(?<=[,;(\[{])\s+|\A\s+|\s+\Z")
_NOT_PYTHON = re.compile(r"[^ -\[\]-~]|[0-9.jJ](?:and|else|for|if|in|is|not|or)\b|[-+~]{3}|\bnot\b|[`@#;?$]")
"""Characters and words with which a line is not even tried: other signs than ASCII, a backslash, `1or`."""
_BRACKET = re.compile(r"[()\[\]{}]")
_WORDY = re.compile(r"[\w %./+-]+")
_INDEXED = re.compile(r"([A-Za-z])_?([0-9]+)")
_OWN_LOG = re.compile(r"\\?log(?![A-Za-z_])(?!\s*_)")
_DEGREES = re.compile(r"\\circ|°|\\degree")
_GREEK = frozenset(
    (
        *("alpha", "beta", "gamma", "delta", "epsilon", "theta", "mu", "nu", "rho", "sigma", "tau", "phi", "psi"),
        *("omega", "Delta", "Omega", "Gamma", "Sigma", "Phi", "zeta", "pi"),
    )
)
_TRIGONOMETRIC = {
    **{name: f"\\{name}" for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")},
    **{f"a{name}": f"\\arc{name}" for name in ("sin", "cos", "tan")},
}
_WRAPPERS = frozenset({"Integer", "Float", "Decimal", "mpf", "int64", "int32", "float64", "float32"})
"""What Python writes around a number in a list."""
_SIGNS: dict[type[ast.cmpop], str] = {
    **{ast.Lt: "<", ast.LtE: "\\le", ast.Gt: ">", ast.GtE: "\\ge", ast.Eq: "=", ast.NotEq: "\\ne"}
}
_INTERVALS = {
    **{"Interval": "[]", "Interval.open": "()", "Interval.Lopen": "(]", "Interval.Ropen": "[)"},
}


class Printed(NamedTuple):
    """What a printed line says: right if one of its readings is."""

    texts: tuple[str, ...]
    refutes: bool = True
    """Whether it is wrong where no reading is right; else nobody knows."""
    confirms: bool = True
    """Whether it is right where a reading is; else nobody knows."""


class _Foreign(Exception):
    """What is not read as mathematics."""


def readings(line: str, gold: str, exact: bool = True) -> Printed:
    """A line beside the gold answer. If `exact`, a binary fraction is also read as the number that it stands for.

    The text of the gold itself needs no reading: a printed list `[2, 3]` is the interval `[2,3]` where that is the
    gold, for it is written as whoever asked for it would write it. Beside `(2,3)` it is neither right nor wrong.
    """
    if _BLANKS.sub("", line) == _BLANKS.sub("", gold):
        return Printed((line,))
    found = [_reading(line, gold, each) for each in ((True, False) if exact else (False,))]
    texts = tuple(dict.fromkeys(text for each in found for text in each.texts))
    return Printed(texts, found[0].refutes, found[0].confirms)


def _reading(line: str, gold: str, exact: bool) -> Printed:
    tree, label, rest = _labelled(line)
    plain = Printed((as_mathematics(line, exact),), refutes=tree is not None or not _LEFT.search(line))
    if tree is None or _is_plain(tree, bool(label)):
        return plain
    try:
        writer = _Writer(rest, gold, exact, tree)
        text = writer.whole(tree)
    except (_Foreign, RecursionError):
        words = all(isinstance(node, ast.Name | ast.Constant | ast.Tuple | ast.expr_context) for node in ast.walk(tree))
        return plain._replace(refutes=words and not label)
    if "".join(text.split()) == "".join(rest.split()):
        text = line
    elif not writer.many and not _WORD.search(label):
        text = label + text
    return Printed((text,), writer.refutes, writer.confirms)


def _labelled(line: str) -> tuple[ast.expr | None, str, str]:
    """The expression of Python in a line, what stands before it, and its text; no expression where that is not sure."""
    label, rest = "", line
    for _ in range(LABELS):
        rest = rest[:-1] if rest.endswith(("].", ").", "}.")) else rest
        if (tree := _python(rest)) is not None:
            return (tree, label, rest) if _SAID.fullmatch(label) else (None, "", line)
        if (match := _LABEL.match(rest)) is None:
            break
        label, rest = label + match[0], rest[match.end() :]
    return None, "", line


def _is_plain(tree: ast.expr, labelled: bool) -> bool:
    """Whether it is a number, a word or a choice, which are written alike everywhere."""
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Constant):
        tree = tree.operand
    if isinstance(tree, ast.Constant):
        return not isinstance(tree.value, complex)
    return isinstance(tree, ast.Name) and (labelled or tree.id not in _GREEK | {"oo", "inf", "EmptySet"})


def _python(line: str) -> ast.expr | None:
    """The line as an expression of Python, if it is one."""
    if len(line) > LONGEST or _NOT_PYTHON.search(line):
        return None
    depth = 0
    for sign in _BRACKET.findall(line):
        depth += 1 if sign in "([{" else -1
        if depth > DEEPEST:
            return None
    try:
        return ast.parse(line.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _shape(gold: str) -> Shape | None:
    """The shape of the gold, where the ladder reads one."""
    if len(gold) > LONGEST:
        return None
    reading = read(gold)
    return None if reading.wordy or reading.deep else reading.shape


class _Writer:
    """Writes a syntax tree as LaTeX, in the form of the gold; raises `_Foreign` where that cannot be done."""

    def __init__(self, line: str, gold: str, exact: bool, tree: ast.expr) -> None:
        self._line, self._gold, self._exact = line.strip(), gold, exact
        self._shape = _shape(gold)
        self._square = "[" in gold and "(" not in gold
        computed = any(isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call) for node in ast.walk(tree))
        self._letters = {
            letter for letter in "EI" if not computed or re.search(rf"(?<![A-Za-z\\]){letter}(?![A-Za-z])", gold)
        }
        """Letters of the gold, or of a choice, that are no constants of sympy's."""
        self.refutes = self.confirms = True
        self.many = False
        """Whether it is more than one value: no name stands before it."""

    def whole(self, node: ast.expr) -> str:
        """The text of the whole line."""
        if isinstance(node, ast.Tuple) and not self._bracketed(node):
            if _GROUPED.search(self._line):
                raise _Foreign  # 1,234 is a number
            return ", ".join(self._item(item) for item in node.elts)
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            return self._item(node)
        if _GROUPED.search(self._line):
            raise _Foreign
        self.many = True
        if not node.elts:
            return r"\emptyset"
        while len(node.elts) == 1 and not isinstance(self._shape, Matrix):
            (only,) = node.elts
            if not isinstance(only, ast.List | ast.Tuple | ast.Set):
                return self._item(only)
            node = only
        if not node.elts:
            raise _Foreign  # a list of nothing is not nothing
        return self._container(node)

    def _container(self, node: ast.List | ast.Tuple | ast.Set) -> str:
        """Several members: as the gold has them."""
        gold = self._shape
        if isinstance(gold, Matrix) and isinstance(node, ast.List) and isinstance(node.elts[0], ast.List):
            return self._matrix(node)
        items = ", ".join(self._item(item) for item in node.elts)
        as_tuple = isinstance(gold, Many) and gold.kind == "tuple"
        self.refutes = self.refutes and (isinstance(gold, Scalar | Many))
        if isinstance(node, ast.Set):
            self.refutes = self.refutes and not as_tuple
            return rf"\{{{items}\}}"
        own = "()" if isinstance(node, ast.Tuple) else "[]"
        if isinstance(gold, Many) and as_tuple:
            self._turn(node, own, gold.left + gold.right)
            return f"{gold.left}{items}{gold.right}"
        bare = isinstance(gold, Many | Scalar) or isinstance(node, ast.List)
        return items if bare else f"({items})"

    def _turn(self, node: ast.List | ast.Tuple, own: str, brackets: str) -> None:
        """Of two members, the brackets may say whether the ends belong, which Python's do not."""
        if len(node.elts) == 2 and own != brackets:
            self.confirms = False

    def _bracketed(self, node: ast.Tuple) -> bool:
        if not self._line.startswith("(") or not self._line.endswith(")"):
            return False
        try:
            inside = ast.parse(f"[{self._line[1:-1]}]", mode="eval").body
        except SyntaxError:
            return False  # (1), (2)
        return isinstance(inside, ast.List) and len(inside.elts) == len(node.elts)

    def _item(self, node: ast.expr) -> str:
        if isinstance(node, ast.List | ast.Tuple):
            if not node.elts:
                raise _Foreign
            own = "()" if isinstance(node, ast.Tuple) else "[]"
            brackets = "[]" if self._square else "()"
            self._turn(node, own, brackets)
            return f"{brackets[0]}{', '.join(self._item(item) for item in node.elts)}{brackets[1]}"
        if isinstance(node, ast.Set):
            return rf"\{{{', '.join(self._item(item) for item in node.elts)}\}}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not _WORDY.fullmatch(node.value):
                raise _Foreign
            return node.value.strip()
        if isinstance(node, ast.Compare):
            signs = [_SIGNS.get(type(sign)) for sign in node.ops]
            if None in signs:
                raise _Foreign
            sides = [self._sum(side) for side in (node.left, *node.comparators)]
            return sides[0] + "".join(f" {sign} {side}" for sign, side in zip(signs, sides[1:], strict=True))
        if isinstance(node, ast.Name) and node.id == "EmptySet":
            return r"\emptyset"
        if isinstance(node, ast.Call) and (text := self._set(node)):
            return text
        return self._sum(node)

    def _set(self, node: ast.Call) -> str:
        """An interval, a union, a matrix, an equation or an empty set; empty where it is none of them."""
        name = ast.unparse(node.func)
        if node.keywords:
            raise _Foreign
        if name == "set" and not node.args:
            return r"\emptyset"
        if name in _INTERVALS and len(node.args) == 2:
            left, right = (self._sum(end) for end in node.args)
            brackets = _INTERVALS[name]
            opening = "(" if left == r"-\infty" else brackets[0]
            closing = ")" if right == r"\infty" else brackets[1]
            return f"{opening}{left}, {right}{closing}"
        if name in ("Union", "FiniteSet") and node.args:
            items = [self._item(item) for item in node.args]
            return r" \cup ".join(items) if name == "Union" else rf"\{{{', '.join(items)}\}}"
        if name == "Eq" and len(node.args) == 2:
            return " = ".join(self._sum(side) for side in node.args)
        if name == "Matrix" and len(node.args) == 1:
            return self._matrix(node.args[0])
        return ""

    def _matrix(self, node: ast.expr) -> str:
        rows = node.elts if isinstance(node, ast.List) else []
        cells = [[self._sum(cell) for cell in row.elts] for row in rows if isinstance(row, ast.List)]
        if not cells or len(cells) < len(rows) or len({len(row) for row in cells}) > 1:
            raise _Foreign
        return r"\begin{pmatrix}" + r"\\".join(" & ".join(row) for row in cells) + r"\end{pmatrix}"

    def _sum(self, node: ast.expr) -> str:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            sign = "+" if isinstance(node.op, ast.Add) else "-"
            return f"{self._sum(node.left)} {sign} {self._term(node.right)}"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return ("-" if isinstance(node.op, ast.USub) else "") + self._term(node.operand)
        return self._term(node)

    def _term(self, node: ast.expr) -> str:
        if not isinstance(node, ast.BinOp) or isinstance(node.op, ast.Pow):
            return self._factor(node)
        if isinstance(node.op, ast.Mult):
            return f"{self._term(node.left)}*{self._factor(node.right)}"
        if isinstance(node.op, ast.Div):
            top, bottom = self._sum(node.left), self._sum(node.right)
            simple = top.lstrip("-").isdigit() and bottom.isdigit()
            return f"{top}/{bottom}" if simple else rf"\frac{{{top}}}{{{bottom}}}"
        return self._factor(node)

    def _factor(self, node: ast.expr) -> str:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            base, power = self._atom(node.left), self._sum(node.right)
            return f"{base if base.isalnum() else f'({base})'}^{{{power}}}"
        return self._atom(node)

    def _atom(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant):
            return self._number(node)
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow):
            return f"({self._sum(node)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return f"({self._sum(node)})"
        raise _Foreign

    def _number(self, node: ast.Constant) -> str:
        text = self._line[node.col_offset : node.end_col_offset]
        if not isinstance(node.value, int | float | complex) or isinstance(node.value, bool):
            raise _Foreign
        imaginary = text[-1] in "jJ"
        text = text[:-1] if imaginary else text
        if not set(text) <= {*string.digits, *".e+-"}:
            raise _Foreign
        if self._exact:
            text = _FLOAT.sub(_stood_for, text)
        if "e" in text:
            if abs(int(text.partition("e")[2])) > PLACES:
                raise _Foreign
            text = f"{Decimal(text):f}"
        return text if not imaginary else "i" if text == "1" else f"{text}*i"

    def _name(self, name: str) -> str:
        if len(name) == 1 and name in string.ascii_letters:
            return name.lower() if name in "EI" and name not in self._letters else name
        if name in ("oo", "inf"):
            return r"\infty"
        if name in _GREEK:
            return f"\\{name}"
        if match := _INDEXED.fullmatch(name):
            return f"{match[1]}_{{{match[2]}}}"
        raise _Foreign

    def _call(self, node: ast.Call) -> str:
        name = ast.unparse(node.func).rpartition(".")[2]
        if node.keywords or not node.args:
            raise _Foreign
        if name in _WRAPPERS and len(node.args) == 1:
            return self._wrapped(node.args[0])
        arguments = [self._sum(argument) for argument in node.args]
        match name, arguments:
            case "sqrt", [inner]:
                return rf"\sqrt{{{inner}}}"
            case "exp", [inner]:
                return f"e^{{{inner}}}"
            case (("log" | "ln"), [inner]):
                self.refutes = self.refutes and not _OWN_LOG.search(self._gold)
                return rf"\ln({inner})"
            case "log10", [inner]:
                return rf"\log_{{10}}({inner})"
            case "Abs", [inner] if "|" not in inner:
                return f"|{inner}|"
            case "factorial", [inner]:
                return f"({inner})!"
            case "binomial", [above, below]:
                return rf"\binom{{{above}}}{{{below}}}"
            case (("Fraction" | "Rational"), [top, bottom]):
                return rf"\frac{{{top}}}{{{bottom}}}"
            case _, [inner] if name in _TRIGONOMETRIC:
                self.refutes = self.refutes and not _DEGREES.search(self._gold)
                return f"{_TRIGONOMETRIC[name]}({inner})"
        raise _Foreign

    def _wrapped(self, node: ast.expr) -> str:
        """The number in `Decimal('1.5')` or `np.int64(3)`."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", node.value):
                raise _Foreign
            return f"({node.value})" if node.value.startswith("-") else node.value
        return self._sum(node) if not isinstance(node, ast.UnaryOp) else f"({self._sum(node)})"


def as_mathematics(line: str, exact: bool = True) -> str:
    r"""The same for a line that is no Python, sign by sign: `x**10` becomes `x^{10}`, `sqrt(2)` becomes `\sqrt{2}`.

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
    return _UNION.sub(r" \\cup ", _INFINITE.sub(r"\\infty", _PI.sub(r"\\pi", line)))


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
