"""Strings that no verifier may fall over: by hypothesis, by a grammar of mathematics gone wrong, and poison."""

import random
from collections.abc import Iterator

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as some

_TOKENS = r"""
    0 1 2 7 12 3.5 .5 1,000 -3 + - * / ^ _ = < > ( ) [ ] { } , . ; : ! | % $ & ~ ' x y a n e i \frac \frac12
    \dfrac{1}{2} \sqrt \sqrt{2} \sqrt[3]{5} \pi \infty \cup \cdot \times \pm \le \ge \ne \in \left( \right)
    \left[ \right] \{ \} \text{ \text{cm} ^\circ ^2 ^{10} _2 \boxed{ \boxed{4} \\ \$ \% \, \! \sin \log
    \begin{pmatrix} \end{pmatrix} \ln \binom{5}{2} \overline{AB} \emptyset #### A: $$ \( \) ½ ² × ∞ ٣ é
"""  # noqa: RUF001
_WORDS = ("answer is ", " and ", " or ", " meters", " ", "\n", "percent", "yes", "\N{MINUS SIGN}", "\u200b")
PIECES = [*_TOKENS.split(), *_WORDS]

HOSTILE_STRINGS = (
    "10^{10^{10}}",
    "9^{9^{9^{9}}}",
    "2^{2^{2^{2^{2^{2}}}}}",
    "10**10**10",
    "(10^{10})!",
    "99999!",
    "((5!)!)!",
    r"\binom{1000000}{500000}",
    "1e999999999",
    "1e-999999999",
    "9" * 1_000_000,
    "9" * 1999,
    "x" * 1_000_000,
    "x" * 1999,
    "(" * 1_000_000,
    "(" * 999 + "1" + ")" * 999,
    "{" * 1999,
    "}" * 1999,
    "[" * 1999,
    r"\{" * 900,
    r"\frac{1}{" * 200 + "2" + "}" * 200,
    r"\sqrt{" * 300 + "2" + "}" * 300,
    "(x+1)^{100000}",
    "(x+y+z+w)^{500}",
    "(1+x)" * 300,
    "1/" * 900 + "1",
    "-" * 1999 + "1",
    "+".join(["x"] * 990),
    "+".join(f"x_{{{n}}}" for n in range(250)),
    ",".join(map(str, range(450))),
    r"\{" + ",".join(map(str, range(400))) + r"\}",
    r"\sqrt{" + "7" * 900 + "}",
    r"\sqrt[97]{123456789012345678901234567890}",
    r"\sin^{\sin^{\sin x} x} x",
    r"\int_0^\infty e^{-x^2} dx",
    r"\sum_{n=1}^{\infty} \frac{1}{n^2}",
    r"\lim_{x\to 0} \frac{\sin x}{x}",
    r"\prod_{k=1}^{10000} k",
    "x^{" * 300 + "2" + "}" * 300,
    "\x00",
    "1\x002",
    "\x1b[31m5\x1b[0m",
    "\u202e51\u202c",
    "\u200f5",
    "5\u200b",
    "\ud800",
    "\U0001d7d8",
    "e\u0301" * 900,
    "\ufeff5",
    "",
    " ",
    "\n" * 1000,
    "$" * 1999,
    "\\" * 1999,
    "\\boxed{" * 143_000,
    "%" * 1999,
    "__import__('os').system('true')",
    "lambda: 0",
    "'; DROP TABLE verdicts; --",
    "None",
    "nan",
    "inf",
    "-inf",
    "True",
    "0x1F",
    "1_000",
    "1" + "0" * 1900,
    "0." + "0" * 1900 + "1",
    r"\begin{pmatrix}" + "1 & " * 400 + r"1 \end{pmatrix}",
    r"\text{" * 300,
    "&" * 1999,
    "|" * 1999,
    "1<" * 900 + "2",
    "=" * 1999,
    r"\pm" * 300,
)
"""Huge powers, deep nesting, unbalanced braces, a megabyte, control characters, marks of direction and the like."""


def generate_by_hypothesis(count: int) -> list[str]:
    """Half any characters at all, half pieces of answers in any order; the same on every run."""
    texts: list[str] = []
    pieces = some.lists(some.sampled_from(PIECES), max_size=14).map("".join)

    @seed(6)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(some.one_of(some.text(max_size=40), pieces, pieces))
    def gather(text: str) -> None:
        texts.append(text)

    gather()
    rng = random.Random(count)
    while len(texts) < count:  # hypothesis stops early where it has seen all of something
        texts.append("".join(rng.choices(PIECES, k=rng.randrange(14))))
    return texts[:count]


def generate_by_grammar(count: int) -> Iterator[str]:
    """Expressions that are well formed, and every third of them with one piece lost, doubled or put in."""
    rng = random.Random(4)
    for _ in range(count):
        text = _random_answer(rng)
        if rng.random() < 0.33 and text:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(["", text[at] * 2, rng.choice(PIECES)]) + text[at + 1 :]
        yield text


def _random_answer(rng: random.Random) -> str:
    one, other = _random_expression(rng, 2), _random_expression(rng, 1)
    return rng.choice(
        [
            one,
            one,
            one,
            f"{one}, {other}",
            f"({one}, {other})",
            f"[{one},{other})",
            rf"\{{{one}, {other}\}}",
            f"x = {one}",
            rf"({one}, {other}) \cup [{other}, \infty)",
            rf"{one} \text{{ cm}}",
            rf"{one}\%",
            rf"\begin{{pmatrix}} {one} \\ {other} \end{{pmatrix}}",
            rf"{one} \le x < {other}",
            rf"${one}$",
        ]
    )


def _random_expression(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.25:
        return rng.choice(["x", "y", "n", r"\pi", "i", "e", str(rng.randrange(100)), f"{rng.random():.3f}", "0"])
    one, other = _random_expression(rng, depth - 1), _random_expression(rng, depth - 1)
    return rng.choice(
        [
            f"{one}+{other}",
            f"{one} - {other}",
            f"{one}{other}",
            rf"{one} \cdot {other}",
            f"({one})({other})",
            rf"\frac{{{one}}}{{{other}}}",
            f"{one}/{other}",
            rf"\sqrt{{{one}}}",
            rf"({one})^{{{rng.randrange(5)}}}",
            f"-{one}",
            rng.choice([rf"\sin({one})", f"|{one}|", rf"\log_{{2}} {one}", f"{one}^{{{other}}}"]),
        ]
    )
