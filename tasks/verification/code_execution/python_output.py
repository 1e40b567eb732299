r"""Converts a program's output to the notation of golds: Python and sympy print `[2, 3]`, `1 + 2*I` and `exp(2)`.

A Python list is not an interval, and a Python tuple is a list if the gold is one. Output that cannot be converted is
kept as it was printed, and is never judged wrong for its form.
"""

import ast
import re
import string
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from tasks.verification.equivalence.answer_shapes import Collection, Matrix, Scalar, Shape
from tasks.verification.equivalence.compare import parse_answer
from tasks.verification.equivalence.expression_parser import MAX_DEPTH

MAX_LINE_CHARACTERS = 2000
"""Longest printed line that is converted, in characters; the `Verify` stage reads no longer ones either."""
NOISY_DIGITS = 15
"""Significant digits from which a printed decimal is taken for a float: floats are printed with 15 to 17."""
ROUNDED_DIGITS, MAX_EXACT_DIGITS = 12, 10
"""Digits to which a float is rounded, and the most digits that may remain if the rest was noise."""
MAX_DENOMINATOR, MAX_RATIO = 1000, 10_000
"""Largest denominator and value of a ratio that is recognized in a float. Two such ratios differ by at least 1e-6;
float noise is at most 1e-10."""
RELATIVE_NOISE = Fraction(1, 10**14)
"""Largest relative error of a float: some fifty times that of one operation."""
MAX_NESTED_ROOTS = 8
"""Largest depth of nested roots."""
MAX_LABELS = 4
"""Labels before an answer that are skipped: `Roots: x = [2, 3]` has two."""
MAX_DECIMAL_PLACES = 30
"""Most decimal places to which a number with an exponent is written out."""

# matches "0.30000000000000004", "x 1.5e-7", not "1.2.3", "x1.5", "3"
_FLOAT = re.compile(r"(?<![\w.])[0-9]++\.[0-9]++(?:e[-+]?[0-9]{1,3}+)?+(?![\w.])")
"""A decimal, with an exponent in the range of a float: a larger one could take forever to write out."""
_WORD = re.compile(r"[A-Za-z]{2,}+")
_FUNCTIONS = frozenset({"sqrt", "pi", "sin", "cos", "tan", "log", "exp", "oo"})
# matches "x**10", "2**(n + 1)", not "**bold**", "x**(f(2))"
_POWER = re.compile(r"(?<=[\w)\]}])\*\*(?:\(([^()]*+)\)|(-?\w++))")
# matches "sqrt(2)", not r"\sqrt(2)", "sqrt(f(2))"
_ROOT = re.compile(r"(?<![\w\\])sqrt\(([^()]*+)\)")
_PI = re.compile(r"(?<![\w\\])pi\b")
_INFINITE = re.compile(r"(?<![\w\\])oo\b")
# matches "(1, 2) U (3, 4)", not "A U B"
_UNION = re.compile(r"(?<=[)\]}]) U (?=[(\[{\\])")
# matches the start of "x = 3", "The answer is 3", not of "x == 3", "this 3"
_LABEL = re.compile(r".*?(?:(?<![=<>!])=(?!=)|:|\b(?:is|are)\b)[ \t]*+(?=\S)")
# matches all of "the sum of f(x) = ", not of "sin(x) = ", "x + y = "
_PLAIN_LABEL = re.compile(
    r"(?:(?<![A-Za-z])[A-Za-z]\([A-Za-z]\)|[A-Za-z_0-9 ,'\t])*+[=:]?[ \t]*+(?:[A-Za-z_0-9 ,'\t]*+[=:]?[ \t]*+){0,3}"
)
"""A label without mathematics except a name: the left side of `sin(x) = 2` must not be dropped."""
# matches "x in [1, 2]", "2*sin(x)", not "[1]", "basin(x)", "sinh(x)"
_PYTHON_SYNTAX = re.compile(r"\[[^\[\]()]*,[^\[\]()]*\]|\b(?:a?(?:sin|cos|tan)|exp|log|Abs)\(")
"""Python syntax in a line that is no Python expression: a list or a function."""
_GROUPED_DIGITS = re.compile(r"[0-9],[0-9]{3}(?![0-9])")
# matches "( 1", "1 ,", " 1", not "1 + 2"
_BLANKS = re.compile(r"\s+(?=[,;)\]}])|(?<=[,;(\[{])\s+|\A\s+|\s+\Z")
# matches r"\frac", "1or 2", "x # y", "---3", not "x or y", "--3"
_NOT_PYTHON = re.compile(r"[^ -\[\]-~]|[0-9.jJ](?:and|else|for|if|in|is|not|or)\b|[-+~]{3}|\bnot\b|[`@#;?$]")
"""Characters and words that rule out a Python expression: non-ASCII characters, a backslash, `1or`."""
_BRACKET = re.compile(r"[()\[\]{}]")
_WORDS = re.compile(r"[\w %./+-]+")
_INDEXED_NAME = re.compile(r"([A-Za-z])_?([0-9]+)")
# matches r"\log 2", "log(2)", not r"\log_2 8", "logic"
_LOG_WITHOUT_BASE = re.compile(r"\\?log(?![A-Za-z_])(?!\s*_)")
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
_NUMBER_WRAPPERS = frozenset({"Integer", "Float", "Decimal", "mpf", "int64", "int32", "float64", "float32"})
"""Types whose names Python prints around a number in a list."""
_RELATION_SIGNS: dict[type[ast.cmpop], str] = {
    **{ast.Lt: "<", ast.LtE: "\\le", ast.Gt: ">", ast.GtE: "\\ge", ast.Eq: "=", ast.NotEq: "\\ne"}
}
_INTERVAL_BRACKETS = {
    **{"Interval": "[]", "Interval.open": "()", "Interval.Lopen": "(]", "Interval.Ropen": "[)"},
}


class OutputReadings(NamedTuple):
    """The possible readings of a printed line, which is right if one of them is."""

    texts: tuple[str, ...]
    can_refute: bool = True
    """Whether the line is wrong if no reading is right; otherwise it is undecided."""
    can_confirm: bool = True
    """Whether the line is right if a reading is right; otherwise it is undecided."""


class _NotMathematics(Exception):
    """The expression cannot be converted to mathematics."""


def read_output(line: str, gold: str, exact: bool = True) -> OutputReadings:
    """Convert a line to the notation of the gold. If `exact`, a float is also read as the number that it stands for.

    A line that equals the text of the gold is not converted: a printed list `[2, 3]` matches a gold `[2,3]`, even if
    that is an interval. Against a gold `(2,3)` it is undecided.
    """
    if _BLANKS.sub("", line) == _BLANKS.sub("", gold):
        return OutputReadings((line,))
    found_readings = [_read_once(line, gold, each) for each in ((True, False) if exact else (False,))]
    texts = tuple(dict.fromkeys(text for each in found_readings for text in each.texts))
    return OutputReadings(texts, found_readings[0].can_refute, found_readings[0].can_confirm)


def _read_once(line: str, gold: str, exact: bool) -> OutputReadings:
    tree, label, expression = _split_label(line)
    plain = OutputReadings((to_latex(line, exact),), can_refute=tree is not None or not _PYTHON_SYNTAX.search(line))
    if tree is None or _is_plain(tree, bool(label)):
        return plain
    try:
        writer = _LatexWriter(expression, gold, exact, tree)
        text = writer.write(tree)
    except (_NotMathematics, RecursionError):
        words = all(isinstance(node, ast.Name | ast.Constant | ast.Tuple | ast.expr_context) for node in ast.walk(tree))
        return plain._replace(can_refute=words and not label)
    if "".join(text.split()) == "".join(expression.split()):
        text = line
    elif not writer.has_many_values and not _WORD.search(label):
        text = label + text
    return OutputReadings((text,), writer.can_refute, writer.can_confirm)


def _split_label(line: str) -> tuple[ast.expr | None, str, str]:
    """The Python expression in a line, the label before it, and its text. The expression is None if it is uncertain."""
    label, expression = "", line
    for _ in range(MAX_LABELS):
        expression = expression[:-1] if expression.endswith(("].", ").", "}.")) else expression
        if (tree := _parse_python(expression)) is not None:
            return (tree, label, expression) if _PLAIN_LABEL.fullmatch(label) else (None, "", line)
        if (match := _LABEL.match(expression)) is None:
            break
        label, expression = label + match[0], expression[match.end() :]
    return None, "", line


def _is_plain(tree: ast.expr, has_label: bool) -> bool:
    """Whether it is a number, a word or a choice, which need no conversion."""
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Constant):
        tree = tree.operand
    if isinstance(tree, ast.Constant):
        return not isinstance(tree.value, complex)
    return isinstance(tree, ast.Name) and (has_label or tree.id not in _GREEK | {"oo", "inf", "EmptySet"})


def _parse_python(line: str) -> ast.expr | None:
    """The line as a Python expression; None if it is none."""
    if len(line) > MAX_LINE_CHARACTERS or _NOT_PYTHON.search(line):
        return None
    depth = 0
    for sign in _BRACKET.findall(line):
        depth += 1 if sign in "([{" else -1
        if depth > MAX_DEPTH:
            return None
    try:
        return ast.parse(line.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _parse_gold_shape(gold: str) -> Shape | None:
    """The shape of the gold; None if it has none."""
    if len(gold) > MAX_LINE_CHARACTERS:
        return None
    parsed = parse_answer(gold)
    return None if parsed.has_words or parsed.is_too_deep else parsed.shape


class _LatexWriter:
    """Writes a Python syntax tree as LaTeX, in the form of the gold. Raises `_NotMathematics` if that is impossible."""

    def __init__(self, line: str, gold: str, exact: bool, tree: ast.expr) -> None:
        self._line, self._gold, self._exact = line.strip(), gold, exact
        self._gold_shape = _parse_gold_shape(gold)
        self._uses_square_brackets = "[" in gold and "(" not in gold
        computed = any(isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call) for node in ast.walk(tree))
        self._plain_letters = {
            letter for letter in "EI" if not computed or re.search(rf"(?<![A-Za-z\\]){letter}(?![A-Za-z])", gold)
        }
        """`E` and `I` if they are letters of the gold, or of a choice, rather than constants of sympy."""
        self.can_refute = self.can_confirm = True
        self.has_many_values = False
        """Whether the line has several values, so that no name is written before them."""

    def write(self, node: ast.expr) -> str:
        """The LaTeX of the whole line."""
        if isinstance(node, ast.Tuple) and not self._is_bracketed(node):
            if _GROUPED_DIGITS.search(self._line):
                raise _NotMathematics  # 1,234 is a number
            return ", ".join(self._write_item(item) for item in node.elts)
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            return self._write_item(node)
        if _GROUPED_DIGITS.search(self._line):
            raise _NotMathematics
        self.has_many_values = True
        if not node.elts:
            return r"\emptyset"
        while len(node.elts) == 1 and not isinstance(self._gold_shape, Matrix):
            (only,) = node.elts
            if not isinstance(only, ast.List | ast.Tuple | ast.Set):
                return self._write_item(only)
            node = only
        if not node.elts:
            raise _NotMathematics  # a list that contains an empty list is not an empty list
        return self._write_collection(node)

    def _write_collection(self, node: ast.List | ast.Tuple | ast.Set) -> str:
        """Several items, in the form of the gold."""
        gold = self._gold_shape
        if isinstance(gold, Matrix) and isinstance(node, ast.List) and isinstance(node.elts[0], ast.List):
            return self._write_matrix(node)
        items = ", ".join(self._write_item(item) for item in node.elts)
        as_tuple = isinstance(gold, Collection) and gold.kind == "tuple"
        self.can_refute = self.can_refute and (isinstance(gold, Scalar | Collection))
        if isinstance(node, ast.Set):
            self.can_refute = self.can_refute and not as_tuple
            return rf"\{{{items}\}}"
        brackets = "()" if isinstance(node, ast.Tuple) else "[]"
        if isinstance(gold, Collection) and as_tuple:
            self._check_brackets(node, brackets, gold.opening + gold.closing)
            return f"{gold.opening}{items}{gold.closing}"
        bare = isinstance(gold, Collection | Scalar) or isinstance(node, ast.List)
        return items if bare else f"({items})"

    def _check_brackets(self, node: ast.List | ast.Tuple, own_brackets: str, gold_brackets: str) -> None:
        """With two items, the gold's brackets may include or exclude the ends of an interval; Python's do not."""
        if len(node.elts) == 2 and own_brackets != gold_brackets:
            self.can_confirm = False

    def _is_bracketed(self, node: ast.Tuple) -> bool:
        if not self._line.startswith("(") or not self._line.endswith(")"):
            return False
        try:
            inside = ast.parse(f"[{self._line[1:-1]}]", mode="eval").body
        except SyntaxError:
            return False  # (1), (2)
        return isinstance(inside, ast.List) and len(inside.elts) == len(node.elts)

    def _write_item(self, node: ast.expr) -> str:
        if isinstance(node, ast.List | ast.Tuple):
            if not node.elts:
                raise _NotMathematics
            own_brackets = "()" if isinstance(node, ast.Tuple) else "[]"
            brackets = "[]" if self._uses_square_brackets else "()"
            self._check_brackets(node, own_brackets, brackets)
            return f"{brackets[0]}{', '.join(self._write_item(item) for item in node.elts)}{brackets[1]}"
        if isinstance(node, ast.Set):
            return rf"\{{{', '.join(self._write_item(item) for item in node.elts)}\}}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not _WORDS.fullmatch(node.value):
                raise _NotMathematics
            return node.value.strip()
        if isinstance(node, ast.Compare):
            signs = [_RELATION_SIGNS.get(type(sign)) for sign in node.ops]
            if None in signs:
                raise _NotMathematics
            sides = [self._write_sum(side) for side in (node.left, *node.comparators)]
            return sides[0] + "".join(f" {sign} {side}" for sign, side in zip(signs, sides[1:], strict=True))
        if isinstance(node, ast.Name) and node.id == "EmptySet":
            return r"\emptyset"
        if isinstance(node, ast.Call) and (text := self._write_sympy_call(node)):
            return text
        return self._write_sum(node)

    def _write_sympy_call(self, node: ast.Call) -> str:
        """An interval, a union, a matrix, an equation or an empty set; an empty text if it is none of them."""
        name = ast.unparse(node.func)
        if node.keywords:
            raise _NotMathematics
        if name == "set" and not node.args:
            return r"\emptyset"
        if name in _INTERVAL_BRACKETS and len(node.args) == 2:
            left, right = (self._write_sum(end) for end in node.args)
            brackets = _INTERVAL_BRACKETS[name]
            opening = "(" if left == r"-\infty" else brackets[0]
            closing = ")" if right == r"\infty" else brackets[1]
            return f"{opening}{left}, {right}{closing}"
        if name in ("Union", "FiniteSet") and node.args:
            items = [self._write_item(item) for item in node.args]
            return r" \cup ".join(items) if name == "Union" else rf"\{{{', '.join(items)}\}}"
        if name == "Eq" and len(node.args) == 2:
            return " = ".join(self._write_sum(side) for side in node.args)
        if name == "Matrix" and len(node.args) == 1:
            return self._write_matrix(node.args[0])
        return ""

    def _write_matrix(self, node: ast.expr) -> str:
        rows = node.elts if isinstance(node, ast.List) else []
        cells = [[self._write_sum(cell) for cell in row.elts] for row in rows if isinstance(row, ast.List)]
        if not cells or len(cells) < len(rows) or len({len(row) for row in cells}) > 1:
            raise _NotMathematics
        return r"\begin{pmatrix}" + r"\\".join(" & ".join(row) for row in cells) + r"\end{pmatrix}"

    def _write_sum(self, node: ast.expr) -> str:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            sign = "+" if isinstance(node.op, ast.Add) else "-"
            return f"{self._write_sum(node.left)} {sign} {self._write_term(node.right)}"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return ("-" if isinstance(node.op, ast.USub) else "") + self._write_term(node.operand)
        return self._write_term(node)

    def _write_term(self, node: ast.expr) -> str:
        if not isinstance(node, ast.BinOp) or isinstance(node.op, ast.Pow):
            return self._write_factor(node)
        if isinstance(node.op, ast.Mult):
            return f"{self._write_term(node.left)}*{self._write_factor(node.right)}"
        if isinstance(node.op, ast.Div):
            top, bottom = self._write_sum(node.left), self._write_sum(node.right)
            simple = top.lstrip("-").isdigit() and bottom.isdigit()
            return f"{top}/{bottom}" if simple else rf"\frac{{{top}}}{{{bottom}}}"
        return self._write_factor(node)

    def _write_factor(self, node: ast.expr) -> str:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            base, power = self._write_atom(node.left), self._write_sum(node.right)
            return f"{base if base.isalnum() else f'({base})'}^{{{power}}}"
        return self._write_atom(node)

    def _write_atom(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant):
            return self._write_number(node)
        if isinstance(node, ast.Name):
            return self._write_name(node.id)
        if isinstance(node, ast.Call):
            return self._write_call(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow):
            return f"({self._write_sum(node)})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return f"({self._write_sum(node)})"
        raise _NotMathematics

    def _write_number(self, node: ast.Constant) -> str:
        text = self._line[node.col_offset : node.end_col_offset]
        if not isinstance(node.value, int | float | complex) or isinstance(node.value, bool):
            raise _NotMathematics
        imaginary = text[-1] in "jJ"
        text = text[:-1] if imaginary else text
        if not set(text) <= {*string.digits, *".e+-"}:
            raise _NotMathematics
        if self._exact:
            text = _FLOAT.sub(_restore_exact, text)
        if "e" in text:
            if abs(int(text.partition("e")[2])) > MAX_DECIMAL_PLACES:
                raise _NotMathematics
            text = f"{Decimal(text):f}"
        return text if not imaginary else "i" if text == "1" else f"{text}*i"

    def _write_name(self, name: str) -> str:
        if len(name) == 1 and name in string.ascii_letters:
            return name.lower() if name in "EI" and name not in self._plain_letters else name
        if name in ("oo", "inf"):
            return r"\infty"
        if name in _GREEK:
            return f"\\{name}"
        if match := _INDEXED_NAME.fullmatch(name):
            return f"{match[1]}_{{{match[2]}}}"
        raise _NotMathematics

    def _write_call(self, node: ast.Call) -> str:
        name = ast.unparse(node.func).rpartition(".")[2]
        if node.keywords or not node.args:
            raise _NotMathematics
        if name in _NUMBER_WRAPPERS and len(node.args) == 1:
            return self._write_wrapped_number(node.args[0])
        arguments = [self._write_sum(argument) for argument in node.args]
        match name, arguments:
            case "sqrt", [inner]:
                return rf"\sqrt{{{inner}}}"
            case "exp", [inner]:
                return f"e^{{{inner}}}"
            case (("log" | "ln"), [inner]):
                self.can_refute = self.can_refute and not _LOG_WITHOUT_BASE.search(self._gold)
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
                self.can_refute = self.can_refute and not _DEGREES.search(self._gold)
                return f"{_TRIGONOMETRIC[name]}({inner})"
        raise _NotMathematics

    def _write_wrapped_number(self, node: ast.expr) -> str:
        """The number in `Decimal('1.5')` or `np.int64(3)`."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", node.value):
                raise _NotMathematics
            return f"({node.value})" if node.value.startswith("-") else node.value
        return self._write_sum(node) if not isinstance(node, ast.UnaryOp) else f"({self._write_sum(node)})"


def to_latex(line: str, exact: bool = True) -> str:
    r"""Convert a line that is no Python expression, sign by sign: `x**10` to `x^{10}`, `sqrt(2)` to `\sqrt{2}`.

    If `exact`, a float is written as the number that it stands for. A line of words is otherwise unchanged.
    """
    if len(line) > MAX_LINE_CHARACTERS:
        return line
    if exact:
        line = _FLOAT.sub(_restore_exact, line)
    if not {word.casefold() for word in _WORD.findall(line)} <= _FUNCTIONS:
        return line
    for _ in range(MAX_NESTED_ROOTS):
        before, line = line, _ROOT.sub(r"\\sqrt{\1}", _POWER.sub(_format_power, line))
        if line == before:
            break
    return _UNION.sub(r" \\cup ", _INFINITE.sub(r"\\infty", _PI.sub(r"\\pi", line)))


def _restore_exact(match: re.Match[str]) -> str:
    """0.3 for 0.30000000000000004, 10/3 for 3.3333333333333335; anything else is kept as it was printed."""
    if len(match[0].partition("e")[0].replace(".", "").lstrip("0")) < NOISY_DIGITS:
        return match[0]
    value = Fraction(match[0])
    rounded = Context(prec=ROUNDED_DIGITS).create_decimal(match[0]).normalize()
    if len(rounded.as_tuple().digits) <= MAX_EXACT_DIGITS and abs(Fraction(rounded) - value) <= RELATIVE_NOISE * value:
        return f"{rounded:f}"
    ratio = value.limit_denominator(MAX_DENOMINATOR)
    return str(ratio) if value < MAX_RATIO and abs(ratio - value) <= RELATIVE_NOISE * value else match[0]


def _format_power(match: re.Match[str]) -> str:
    return "^{" + (match[1] or match[2]) + "}"
