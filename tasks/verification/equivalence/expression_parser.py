r"""Reads one expression, in LaTeX or plain, into an exact value; what may be read in two ways is not read.

`1/2x`, `x2`, `2^3^4` and `\sqrt12` are such; `\frac12`, `1\frac{1}{2}`, `2\pi r` and `\sin^2 x` are not.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

from tasks.verification.equivalence import exact_value, polynomials, powers
from tasks.verification.equivalence.exact_value import Value
from tasks.verification.equivalence.polynomials import Unsure

DEEPEST = 40
"""Brackets within brackets."""
DEGREES = "\\degree"
"""How the sign of degrees is written here."""
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+|\\[A-Za-z]+|\\.|\S")
_DRESS = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|limits)(?![A-Za-z])\s*+\.?")
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
_TIMES = frozenset({"*", "\\cdot", "\\times", "·", "×"})  # noqa: RUF001
_DIVIDED = frozenset({"/", "\\div", "÷"})
_CLOSING = {"(": ")", "[": "]", "{": "}", "|": "|", "\\lvert": "\\rvert"}
_STOPS = frozenset({"\\%", "\\}", "\\rvert", "\\choose", "=", "<", ">"})
_CALLED = frozenset("fg")
"""Letters that name a function where a bracket follows."""


def tokens(text: str) -> list[str]:
    """Numbers, commands and signs of `text`, without what only sets it nicely."""
    if "\\" in text:
        text = _FRACTION.sub(r"\\frac", _DRESS.sub(" ", text))
    return _TOKEN.findall(text)


def expression(read: Sequence[str]) -> Value:
    """The value of the tokens, all of them; raises `Unsure`."""
    reader = _Reader(read)
    value = reader.sum()
    if reader.next:
        raise Unsure
    return value


class _Reader:
    """Where in the tokens we are; each method reads what it is named for and raises `Unsure` if that is not there."""

    def __init__(self, read: Sequence[str]) -> None:
        self._read, self._at, self._depth, self._argument = list(read), 0, 0, False

    @property
    def next(self) -> str:
        return self._read[self._at] if self._at < len(self._read) else ""

    def take(self) -> str:
        self._at += 1
        return self._read[self._at - 1] if self._at <= len(self._read) else ""

    def sum(self) -> Value:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unsure
        total = self._signed()
        while (sign := self.next) in ("+", "-"):
            self._at += 1
            term = self._product()
            total = exact_value.add(total, exact_value.negative(term) if sign == "-" else term)
        if self.next == "\\choose":
            self._at += 1
            total = powers.choose(total, self.sum())
        self._depth -= 1
        return total

    def _signed(self) -> Value:
        sign = self.next
        if sign in ("+", "-"):
            self._at += 1
        value = self._product()
        return exact_value.negative(value) if sign == "-" else value

    def _product(self) -> Value:
        value, divided = self._mixed() or self._factor(), False
        while next := self.next:
            if next in _TIMES:
                self._at += 1
                value = exact_value.times(value, self._signed_factor())
            elif next in _DIVIDED:
                self._at += 1
                value, divided = exact_value.over(value, self._signed_factor()), next == "/"
            elif next in "+-)]}|,%" or next in _STOPS:
                break
            elif divided or _NUMBER.fullmatch(next):
                raise Unsure  # 1/2x, x2
            else:
                value = exact_value.times(value, self._factor())
        return value

    def _signed_factor(self) -> Value:
        if self.next == "-":
            self._at += 1
            return exact_value.negative(self._factor())
        return self._factor()

    def _mixed(self) -> Value | None:
        r"""`1\frac{1}{2}`; None if no such number stands here."""
        whole = self.next
        if not _DIGITS.fullmatch(whole) or self._at + 1 >= len(self._read) or self._read[self._at + 1] != "\\frac":
            return None
        before = self._at
        self._at += 2
        top, bottom = self._fraction()
        part = exact_value.over(top, bottom)
        number = part.rational
        if top.rational is None or bottom.rational is None or not isinstance(bottom.rational, int):
            self._at = before  # 2\frac{x}{3} is a product
            return None
        if number is None or not 0 < number < 1 or not isinstance(top.rational, int) or self.next == "^":
            raise Unsure
        return exact_value.rational(int(whole) + number)

    def _factor(self) -> Value:
        value = self._atom()
        while (next := self.next) in ("^", "!", "**", DEGREES):
            self._at += 1
            if next == "!":
                if self.next == "!":
                    raise Unsure  # 5!! is 15, or the factorial of 120
                value = powers.factorials(value)
                continue
            if next == DEGREES:  # a unit, which may be left out, but not under a sine
                value = exact_value.times(value, exact_value.symbol(DEGREES)) if self._argument else value
                continue
            value = powers.power(value, self._exponent())
            if self.next == "^":
                raise Unsure  # 2^3^4
        return value

    def _exponent(self) -> Value:
        sign = self.next == "-"
        self._at += sign
        value = self._group("{") if self.next == "{" else self._atom()
        return exact_value.negative(value) if sign else value

    def _group(self, opening: str) -> Value:
        if self.take() != opening:
            raise Unsure
        value = self.sum()
        if self.take() != _CLOSING[opening]:
            raise Unsure
        return value

    def _atom(self) -> Value:
        token = self.next
        if token in ("(", "{", "["):
            return self._group(token)
        if token in ("|", "\\lvert"):
            return powers.absolute(self._group(token))
        self._at += 1
        if _NUMBER.fullmatch(token):
            if self.next == "_" or len(token) > 1000:
                raise Unsure  # 101_2
            return exact_value.rational(Fraction(token))
        if len(token) == 1 and (token.isascii() and token.isalpha()):
            return self._letter(token)
        if token in _GREEK:
            return self._letter(token)
        return self._command(token)

    def _letter(self, name: str) -> Value:
        if self.next == "'" or (name in _CALLED and self.next == "^"):
            raise Unsure
        if name in _CALLED and self.next == "(":
            return exact_value.opaque(name, self._group("("), free=True)
        if self.next == "_":
            self._at += 1
            name += "_" + self._index()
        return exact_value.symbol(name)

    def _index(self) -> str:
        token = self.take()
        if token != "{":
            if not (token.isalnum() and len(token) == 1):
                raise Unsure
            return token
        inside = ""
        while (token := self.take()) != "}":
            if not token.isalnum():
                raise Unsure
            inside += token
        return inside

    def _command(self, token: str) -> Value:
        if token == "\\frac":
            return exact_value.over(*self._fraction())
        if token in ("\\sqrt", "√"):
            return self._root()
        if token in ("\\pi", "π"):
            return exact_value.symbol(polynomials.PI)
        if token in ("\\infty", "∞"):
            return exact_value.symbol(polynomials.INFINITY)
        if token in ("\\binom", "\\dbinom", "\\tbinom"):
            return powers.choose(self._group("{"), self._group("{"))
        if token in _FUNCTIONS:
            return self._function(token)
        raise Unsure

    def _fraction(self) -> tuple[Value, Value]:
        r"""Both parts of `\frac`, in braces or one sign each."""
        return self._part(), self._part()

    def _part(self) -> Value:
        token = self.next
        if token == "{":
            return self._group("{")
        if len(token) > 1 and _DIGITS.fullmatch(token):  # \frac12
            self._read[self._at : self._at + 1] = [token[0], token[1:]]
        if token and (token.isalnum() or token.startswith("\\")):
            return self._atom()
        raise Unsure

    def _root(self) -> Value:
        degree = 2
        if self.next == "[":
            number = self._group("[").rational
            if not isinstance(number, int):
                raise Unsure
            degree = number
        if self.next == "{":
            return powers.root(self._group("{"), degree)
        token = self.next
        if len(token) > 1 and _DIGITS.fullmatch(token):
            raise Unsure  # \sqrt12
        return powers.root(self._part() if token != "(" else self._group("("), degree)

    def _function(self, name: str) -> Value:
        """A function of a bracket, or of all the signs that follow up to an operator."""
        base: tuple[Value, ...] = ()
        if self.next == "_":
            self._at += 1
            base = (self._part(),)
        exponent = None
        if self.next == "^":
            self._at += 1
            exponent = self._exponent()
            if exponent.rational is None or exponent.rational < 0:
                raise Unsure  # \sin^{-1} is no power
        self._argument = True
        argument = self._group(self.next) if self.next in ("(", "{") else self._run()
        self._argument = False
        free = _changing(argument) and all(part.rational is not None for part in base)
        value = exact_value.opaque(name, *base, argument, free=free)
        return value if exponent is None else powers.power(value, exponent)

    def _run(self) -> Value:
        value = self._factor()
        while self.next and (self.next.isalnum() or self.next in _GREEK or self.next == "\\pi"):
            value = exact_value.times(value, self._factor())
        return value


def _changing(value: Value) -> bool:
    """Whether it is a polynomial of letters: a sine or logarithm of it is none, nor a quotient of them."""
    letters = value.letters - {DEGREES, polynomials.E, polynomials.INFINITY}
    return bool(letters) and value.bottom is polynomials.ONE and all(name.isprintable() for name in letters)
