r"""Parses one expression, in LaTeX or plain text, into an exact value. Ambiguous expressions are rejected.

`1/2x`, `x2`, `2^3^4` and `\sqrt12` are ambiguous; `\frac12`, `1\frac{1}{2}`, `2\pi r` and `\sin^2 x` are not.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

from tasks.verification.equivalence import exact_value, polynomials, powers
from tasks.verification.equivalence.exact_value import Value
from tasks.verification.equivalence.polynomials import NoExactForm
from tasks.verification.equivalence.trigonometry import DEGREES, evaluate_function

MAX_DEPTH = 40
"""Largest depth of nested brackets."""
# matches all of "3.5", r"\frac", ".5", "**", "+", not of "3x", " "
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+|\\[A-Za-z]+|\\.|\*\*|\S")
# matches r"\left(", r"\Bigl[", not r"\leftarrow", r"\bigcup"
_LAYOUT_COMMANDS = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|limits)(?![A-Za-z])\s*+\.?")
_FRACTION = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+")
_DIGITS = re.compile(r"[0-9]+")
_GREEK = frozenset(
    "\\" + name
    for name in (
        *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "theta", "lambda", "mu", "nu", "rho", "sigma"),
        *("tau", "phi", "varphi", "psi", "omega", "Delta", "Omega", "Gamma", "Lambda", "Sigma", "Phi", "ell", "zeta"),
    )
)
_FUNCTIONS = frozenset(
    "\\" + name
    for name in (
        *("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "log", "ln"),
        "exp",
    )
)
_MULTIPLICATION_SIGNS = frozenset({"*", "\\cdot", "\\times", "·", "×"})  # noqa: RUF001
_DIVISION_SIGNS = frozenset({"/", "\\div", "÷"})
_CLOSING = {"(": ")", "[": "]", "{": "}", "|": "|", "\\lvert": "\\rvert"}
_TERMINATORS = frozenset({"\\%", "\\}", "\\rvert", "\\choose", "=", "<", ">"})
_FUNCTION_LETTERS = frozenset("fg")
"""Letters that name a function if a bracket follows."""


def tokenize(text: str) -> list[str]:
    """Numbers, commands and signs of `text`, without commands for layout only."""
    if "\\" in text:
        text = _FRACTION.sub(r"\\frac", _LAYOUT_COMMANDS.sub(" ", text))
    return _TOKEN.findall(text)


def parse_expression(tokens: Sequence[str]) -> Value:
    """The exact value of all the tokens. Raises `NoExactForm`."""
    parser = _Parser(tokens)
    value = parser.parse_sum()
    if parser.next_token:
        raise NoExactForm
    return value


class _Parser:
    """A recursive descent parser. Each method reads what its name says and raises `NoExactForm` if it is not there."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens, self._position, self._depth, self._in_argument = list(tokens), 0, 0, False

    @property
    def next_token(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def take(self) -> str:
        self._position += 1
        return self._tokens[self._position - 1] if self._position <= len(self._tokens) else ""

    def parse_sum(self) -> Value:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NoExactForm
        total = self._parse_signed_term()
        while (sign := self.next_token) in ("+", "-"):
            self._position += 1
            term = self._parse_product()
            total = exact_value.add(total, exact_value.negate(term) if sign == "-" else term)
        if self.next_token == "\\choose":
            self._position += 1
            total = powers.choose(total, self.parse_sum())
        self._depth -= 1
        return total

    def _parse_signed_term(self) -> Value:
        sign = self.next_token
        if sign in ("+", "-"):
            self._position += 1
        value = self._parse_product()
        return exact_value.negate(value) if sign == "-" else value

    def _parse_product(self) -> Value:
        value, is_divided = self._parse_mixed_number() or self._parse_factor(), False
        while token := self.next_token:
            if token in _MULTIPLICATION_SIGNS:
                self._position += 1
                value = exact_value.multiply(value, self._parse_signed_factor())
            elif token in _DIVISION_SIGNS:
                self._position += 1
                value, is_divided = exact_value.divide(value, self._parse_signed_factor()), token == "/"
            elif token in "+-)]}|,%" or token in _TERMINATORS:
                break
            elif is_divided or _NUMBER.fullmatch(token):
                raise NoExactForm  # 1/2x, x2
            else:
                value = exact_value.multiply(value, self._parse_factor())
        return value

    def _parse_signed_factor(self) -> Value:
        if self.next_token == "-":
            self._position += 1
            return exact_value.negate(self._parse_factor())
        return self._parse_factor()

    def _parse_mixed_number(self) -> Value | None:
        r"""A mixed number such as `1\frac{1}{2}`; None if there is none here."""
        whole = self.next_token
        if (
            not _DIGITS.fullmatch(whole)
            or self._position + 1 >= len(self._tokens)
            or self._tokens[self._position + 1] != "\\frac"
        ):
            return None
        before = self._position
        self._position += 2
        top, bottom = self._parse_fraction()
        part = exact_value.divide(top, bottom)
        number = part.rational
        if top.rational is None or bottom.rational is None or not isinstance(bottom.rational, int):
            self._position = before  # 2\frac{x}{3} is a product
            return None
        if number is None or not 0 < number < 1 or not isinstance(top.rational, int) or self.next_token == "^":
            raise NoExactForm
        return exact_value.make_rational(int(whole) + number)

    def _parse_factor(self) -> Value:
        value = self._parse_atom()
        while (token := self.next_token) in ("^", "!", "**", DEGREES):
            self._position += 1
            if token == "!":
                if self.next_token == "!":
                    raise NoExactForm  # 5!! is 15, or the factorial of 120
                value = powers.take_factorial(value)
                continue
            if token == DEGREES:  # a unit, which may be left out except in the argument of a function
                value = exact_value.multiply(value, exact_value.make_symbol(DEGREES)) if self._in_argument else value
                continue
            value = powers.raise_power(value, self._parse_exponent())
            if self.next_token == "^":
                raise NoExactForm  # 2^3^4
        return value

    def _parse_exponent(self) -> Value:
        sign = self.next_token == "-"
        self._position += sign
        value = self._parse_group("{") if self.next_token == "{" else self._parse_atom()
        return exact_value.negate(value) if sign else value

    def _parse_group(self, opening: str) -> Value:
        if self.take() != opening:
            raise NoExactForm
        value = self.parse_sum()
        if self.take() != _CLOSING[opening]:
            raise NoExactForm
        return value

    def _parse_atom(self) -> Value:
        token = self.next_token
        if token in ("(", "{", "["):
            return self._parse_group(token)
        if token in ("|", "\\lvert"):
            return powers.take_absolute(self._parse_group(token))
        self._position += 1
        if _NUMBER.fullmatch(token):
            if self.next_token == "_" or len(token) > 1000:
                raise NoExactForm  # 101_2
            return exact_value.make_rational(Fraction(token))
        if len(token) == 1 and (token.isascii() and token.isalpha()):
            return self._parse_letter(token)
        if token in _GREEK:
            return self._parse_letter(token)
        return self._parse_command(token)

    def _parse_letter(self, name: str) -> Value:
        if self.next_token == "'" or (name in _FUNCTION_LETTERS and self.next_token == "^"):
            raise NoExactForm
        if name in _FUNCTION_LETTERS and self.next_token == "(":
            return exact_value.make_uninterpreted(name, self._parse_group("("), is_irrational=True)
        if self.next_token == "_":
            self._position += 1
            name += "_" + self._parse_subscript()
        return exact_value.make_symbol(name)

    def _parse_subscript(self) -> str:
        token = self.take()
        if token != "{":
            if not (token.isalnum() and len(token) == 1):
                raise NoExactForm
            return token
        inside = ""
        while (token := self.take()) != "}":
            if not token.isalnum():
                raise NoExactForm
            inside += token
        return inside

    def _parse_command(self, token: str) -> Value:
        if token == "\\frac":
            return exact_value.divide(*self._parse_fraction())
        if token in ("\\sqrt", "√"):
            return self._parse_root()
        if token in ("\\pi", "π"):
            return exact_value.make_symbol(polynomials.PI)
        if token in ("\\infty", "∞"):
            return exact_value.make_symbol(polynomials.INFINITY)
        if token in ("\\binom", "\\dbinom", "\\tbinom"):
            return powers.choose(self._parse_argument(), self._parse_argument())
        if token in _FUNCTIONS:
            return self._parse_function(token)
        raise NoExactForm

    def _parse_fraction(self) -> tuple[Value, Value]:
        r"""Numerator and denominator of `\frac`, each in braces or a single character."""
        return self._parse_argument(), self._parse_argument()

    def _parse_argument(self) -> Value:
        token = self.next_token
        if token == "{":
            return self._parse_group("{")
        if len(token) > 1 and _DIGITS.fullmatch(token):  # \frac12
            self._tokens[self._position : self._position + 1] = [token[0], token[1:]]
        if token and (token.isalnum() or token.startswith("\\")):
            return self._parse_atom()
        raise NoExactForm

    def _parse_root(self) -> Value:
        degree = 2
        if self.next_token == "[":
            number = self._parse_group("[").rational
            if not isinstance(number, int):
                raise NoExactForm
            degree = number
        if self.next_token == "{":
            return powers.take_root(self._parse_group("{"), degree)
        token = self.next_token
        if len(token) > 1 and _DIGITS.fullmatch(token):
            raise NoExactForm  # \sqrt12
        return powers.take_root(self._parse_argument() if token != "(" else self._parse_group("("), degree)

    def _parse_function(self, name: str) -> Value:
        """A function whose argument is a bracket, or all factors up to the next operator."""
        base: tuple[Value, ...] = ()
        if self.next_token == "_":
            self._position += 1
            base = (self._parse_argument(),)
        exponent = None
        if self.next_token == "^":
            self._position += 1
            exponent = self._parse_exponent()
            if exponent.rational is None or exponent.rational < 0:
                raise NoExactForm  # \sin^{-1} is no power
        self._in_argument = True
        argument = self._parse_group(self.next_token) if self.next_token in ("(", "{") else self._parse_factors()
        self._in_argument = False
        is_irrational = _is_polynomial(argument) and all(part.rational is not None for part in base)
        value = None if base else evaluate_function(name, argument)
        if value is None:
            value = exact_value.make_uninterpreted(name, *base, argument, is_irrational=is_irrational)
        return value if exponent is None else powers.raise_power(value, exponent)

    def _parse_factors(self) -> Value:
        value = self._parse_factor()
        while self.next_token and (self.next_token.isalnum() or self.next_token in _GREEK or self.next_token == "\\pi"):
            value = exact_value.multiply(value, self._parse_factor())
        return value


def _is_polynomial(value: Value) -> bool:
    """Whether it is a polynomial of letters, so that its sine or logarithm equals no quotient of polynomials."""
    letters = value.letters - {DEGREES, polynomials.E, polynomials.INFINITY}
    return bool(letters) and value.bottom is polynomials.ONE and all(name.isprintable() for name in letters)
