"""The corpus of answer pairs with their verdicts; `python -m tests.support.answer_pairs` writes the generated part.

Rows with `made` are generated, and their verdict is known from how they were made, by arithmetic of this file's own.
The other rows were written by hand; a `note` says where their verdict is a convention.
"""

import json
import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import gcd
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parents[1] / "data" / "answer_pairs.jsonl"

Pairs = Iterator[tuple[Any, ...]]
"""Gold, answer, whether they are the same, the rung that says so, and the question if it matters."""


def load_corpus() -> list[dict[str, Any]]:
    """All rows: gold, answer, verdict, rung, and where there are any note, question, made."""
    return [json.loads(line) for line in CORPUS.read_text().splitlines()]


def group_digits(number: int, comma: str = ",") -> str:
    """1234 as 1,234."""
    return f"{number:,}".replace(",", comma)


def format_fraction(number: Fraction, command: str = "frac") -> str:
    """A fraction in LaTeX, its sign in front."""
    sign = "-" if number < 0 else ""
    return f"{sign}\\{command}{{{abs(number.numerator)}}}{{{number.denominator}}}"


def format_decimal(number: Fraction) -> str:
    """A fraction whose denominator divides 1000, in decimals."""
    thousandths = number * 1000
    assert thousandths.denominator == 1
    digits = f"{abs(thousandths.numerator):04d}"
    text = f"{digits[:-3]}.{digits[-3:]}".rstrip("0").rstrip(".")
    return ("-" if number < 0 else "") + text


def format_polynomial(coefficients: list[int], letter: str = "x", ascending: bool = False) -> str:
    """Coefficients from the highest power down, in decreasing order of powers or `ascending` round."""
    degree = len(coefficients) - 1
    terms = [(factor, degree - at) for at, factor in enumerate(coefficients) if factor]
    text = ""
    for factor, power in reversed(terms) if ascending else terms:
        size = "" if abs(factor) == 1 and power else str(abs(factor))
        up = (
            ""
            if power == 0
            else letter
            if power == 1
            else f"{letter}^{power}"
            if ascending
            else f"{letter}^{{{power}}}"
        )
        sign = "-" if factor < 0 else "+" if text else ""
        text += (f" {sign} " if text else sign) + size + up
    return text or "0"


def integer_pairs(rng: random.Random) -> Pairs:
    n = rng.randint(1000, 9_999_999)
    for same in (
        group_digits(n),
        group_digits(n, "{,}"),
        group_digits(n, ",\\!"),
        f"${n}$",
        f"{n}.0",
        f"0{n}",
        f"+{n}",
        f"{n}.",
    ):
        yield str(n), same, True, "number"
    for other in (n + 1, n - 1, -n, n * 10, n * 100, n // 10):
        yield str(n), rng.choice([str(other), group_digits(other)]), False, "number"


def decimal_pairs(rng: random.Random) -> Pairs:
    n = Fraction(rng.randrange(1001, 99_999, 2), 1000)
    text = format_decimal(n)
    for same in (text + "0", text + "00", f"${text}$", "0" + text):
        yield text, same, True, "number"
    for other in (n + Fraction(1, 1000), n * 10, n / 10 if n.numerator % 10 == 0 else n * 100, -n, round(n)):
        yield text, format_decimal(Fraction(other)), False, "number"


def rational_pairs(rng: random.Random) -> Pairs:
    below = rng.choice([2, 3, 4, 5, 6, 7, 8, 9])
    n = Fraction(rng.choice([k for k in range(1, 60) if gcd(k, below) == 1 and k != below]), below)
    a, b = n.numerator, n.denominator
    yield format_fraction(n), f"{a}/{b}", True, "rational"
    yield f"{a}/{b}", format_fraction(n, "dfrac"), True, "rational"
    yield format_fraction(n), f"\\frac{{{3 * a}}}{{{3 * b}}}", True, "rational"
    yield f"{a}/{b}", f"{2 * a}/{2 * b}", True, "rational"
    if 1000 % b == 0:
        yield format_fraction(n), format_decimal(n), True, "rational"
    if a < 10:
        yield format_fraction(n), f"\\frac{a}{b}" if rng.random() < 0.5 else f"\\frac {a}{{{b}}}", True, "rational"
    if a > b:
        yield format_fraction(n), f"{a // b}\\frac{{{a % b}}}{{{b}}}", True, "rational"
        yield f"{a}/{b}", f"{a // b} {a % b}/{b}", True, "rational"
    for other in (1 / n, -n, n + 1, Fraction(a + 1, b), Fraction(a, b + 1), n * 100):
        if other != n:
            yield (
                format_fraction(n),
                rng.choice([format_fraction(other), f"{other.numerator}/{other.denominator}"]),
                False,
                "rational",
            )
    if b in (3, 7, 9):
        yield format_fraction(n), f"{a / b:.4f}", False, "rational"


def percent_pairs(rng: random.Random) -> Pairs:
    p, asks = rng.randint(3, 97), "What percent of them is left?"
    yield f"{p}\\%", format_decimal(Fraction(p, 100)), True, "percent"
    yield format_decimal(Fraction(p, 100)), f"{p}%", True, "percent"
    yield f"{p}\\%", str(p), False, "percent"
    yield str(p), f"{p}%", False, "percent"
    yield str(p), f"{p}%", True, "percent", asks
    yield f"{p}\\%", str(p), True, "percent", asks
    yield f"{p}\\%", f"{p} percent", True, "rational"
    yield f"{p}%", f"{p + 1}%", False, "rational"
    yield str(p), f"{p + 1}%", False, "percent", asks


def power_of_ten_pairs(rng: random.Random) -> Pairs:
    lead, up = rng.randint(11, 99), rng.randint(3, 9)
    n, text = lead * 10 ** (up - 1), f"{lead // 10}.{lead % 10}"
    yield str(n), f"{text} \\times 10^{{{up}}}", True, "rational"
    yield f"{text}\\times10^{up}", f"{text}e{up}", True, "rational"
    yield str(n), f"{text}e{up}", True, "rational"
    yield str(n), f"{text}e{up + 1}", False, "rational"
    yield f"{text} \\times 10^{{{up}}}", f"{text} \\times 10^{{{up + 2}}}", False, "rational"
    yield f"{text} \\times 10^{{-{up}}}", f"{text} \\times 10^{{{up}}}", False, "rational"
    yield f"{text} \\cdot 10^{{-{up}}}", f"\\frac{{{lead}}}{{{10 ** (up + 1)}}}", True, "rational"


def unit_pairs(rng: random.Random) -> Pairs:
    n = rng.randint(2, 900)
    unit, short, wrong = rng.choice(
        [
            ("meters", "m", "kilometers"),
            ("kilograms", "kg", "grams"),
            ("hours", "hr", "minutes"),
            ("feet", "ft", "inches"),
        ]
    )
    yield f"{n} {unit}", str(n), True, "unit"
    yield f"{n} {unit}", f"{n}\\text{{ {short}}}", True, "unit"
    yield f"{n}\\text{{ {short}}}", f"{n} {unit}.", True, "unit"
    yield f"{n} {unit}", f"{n} {wrong}", None, "units_differ"
    yield f"{n} {unit}", f"{n + 1} {unit}", False, "unit"
    yield f"\\${n}", f"{n} dollars", True, "unit"
    yield f"\\${n}", f"\\${n}.00", True, "unit"
    yield f"\\${n}", f"\\${n * 100}", False, "unit"
    yield f"${n}", f"{n} cents", None, "units_differ"


def tuple_pairs(rng: random.Random) -> Pairs:
    a, b, c = rng.sample(range(-20, 21), 3)
    yield f"({a},{b})", f"\\left( {a}, {b} \\right)", True, "tuple"
    yield f"({a},{b},{c})", f"({a}, {b}, {c}.0)", True, "tuple"
    yield f"({a},{b})", f"({b},{a})", False, "tuple"
    yield f"({a},{b},{c})", f"({b},{a},{c})", False, "tuple"
    yield f"({a},{b})", f"({a},{b + 1})", False, "tuple"
    yield f"({a},{b},{c})", f"({a},{b})", False, "tuple"
    yield f"({a},{b})", str(a), False, "tuple"


def collection_pairs(rng: random.Random) -> Pairs:
    a, b, c = rng.sample(range(-20, 21), 3)
    yield f"\\{{{a},{b},{c}\\}}", f"\\left\\{{ {c}, {a}, {b} \\right\\}}", True, "set"
    yield f"\\{{{a},{b}\\}}", f"{b}, {a}", True, "set"
    yield f"\\{{{a},{b},{c}\\}}", f"\\{{{a},{b}\\}}", False, "set"
    yield f"{a}, {b}, {c}", f"{c}, {b} and {a}", True, "list"
    yield f"{a}, {b}, {c}", f"{a}, {b}", False, "list"
    yield f"{a}, {b}", f"{a}, {b + 1 if b + 1 != a else b + 2}", False, "list"
    yield f"{a}, {b}", f"{b}, {a}", False, "list", "List both in increasing order."
    yield f"{a} \\pm {abs(b) + 1}", f"{a + abs(b) + 1}, {a - abs(b) - 1}", True, "list"


def interval_pairs(rng: random.Random) -> Pairs:
    a, b, c = sorted(rng.sample(range(-30, 31), 3))
    half = f"{2 * a + 1}/2"
    yield f"[{a},{b})", f"\\left[{a}, {b}\\right)", True, "tuple"
    yield f"[{a},{b})", f"[{a},{b}]", False, "tuple"
    yield f"({a},{b}]", f"({a},{c}]", False, "tuple"
    yield f"(-\\infty,{a})\\cup({b},\\infty)", f"({b}, \\infty) \\cup (-\\infty, {a})", True, "interval"
    yield f"(-\\infty,{a})\\cup({b},\\infty)", f"(-\\infty,{a}]\\cup({b},\\infty)", False, "interval"
    yield f"[{a},{b}]\\cup[{b},{c}]", f"[{a},{c}]", True, "interval"
    yield f"({a},{b})\\cup({b},{c})", f"({a},{c})", False, "interval"
    yield f"x > {a}", f"({a},\\infty)", True, "relation"
    yield f"[{a},\\infty)", f"x \\ge {a}", True, "tuple"
    yield f"{a} \\le x < {b}", f"[{a},{b})", True, "relation"
    yield f"{a} \\le x < {b}", f"{b} > x \\ge {a}", True, "relation"
    yield f"x > {a}", f"x \\ge {a}", False, "relation"
    yield f"[{half},{b}]", f"[{format_decimal(Fraction(2 * a + 1, 2))},{b}]", True, "tuple"


def matrix_pairs(rng: random.Random) -> Pairs:
    a, b, c, d = rng.sample(range(-9, 10), 4)

    def matrix(kind: str, *rows: tuple[int, ...]) -> str:
        cells = " \\\\ ".join(" & ".join(map(str, row)) for row in rows)
        return f"\\begin{{{kind}}} {cells} \\end{{{kind}}}"

    gold = matrix("pmatrix", (a, b), (c, d))
    yield gold, matrix("bmatrix", (a, b), (c, d)).replace(" ", ""), True, "matrix"
    yield gold, matrix("pmatrix", (a, c), (b, d)), False, "matrix"
    yield gold, matrix("pmatrix", (a, b), (c, -d or 1)), False, "matrix"
    yield matrix("pmatrix", (a,), (b,)), matrix("pmatrix", (b,), (a,)), False, "matrix"
    yield matrix("pmatrix", (a,), (b,)), matrix("pmatrix", (a, b)), False, "matrix"
    yield gold, f"({a},{b},{c},{d})", False, "matrix"


def expression_pairs(rng: random.Random) -> Pairs:
    a, b, k = (rng.choice([n for n in range(-9, 10) if n]) for _ in range(3))
    letter = rng.choice("xyzabnt")
    full = [k, k * (a + b), k * a * b]
    text = format_polynomial(full, letter)
    factor = k if abs(k) > 1 else "-" if k < 0 else ""
    factored = f"{factor}({format_polynomial([1, a], letter)})({format_polynomial([1, b], letter)})"
    yield text, factored, True, "expression"
    yield text, format_polynomial(full, letter, ascending=True), True, "expression"
    yield text, text.replace(" ", "").replace("^", "^ "), True, "text" if "^ " not in text else "expression"
    yield text, format_polynomial([k, k * (a + b), k * a * b + 1], letter), False, "expression"
    yield text, format_polynomial([-k, -k * (a + b), -k * a * b], letter), False, "expression"
    yield text, format_polynomial([k, 0, k * a * b], letter), a + b == 0, "text" if a + b == 0 else "expression"
    yield (
        f"\\frac{{1}}{{{letter}+{abs(a)}}}",
        f"\\frac{{{letter}-20}}{{({letter}-20)({letter}+{abs(a)})}}",
        True,
        "expression",
    )
    yield f"\\frac{{1}}{{{letter}+{abs(a)}}}", f"{letter}+{abs(a)}", False, "expression"


def radical_pairs(rng: random.Random) -> Pairs:
    n, k, m = rng.choice([2, 3, 5, 6, 7, 10, 11, 13]), rng.randint(2, 9), rng.randint(2, 9)
    yield f"{k}\\sqrt{{{n}}}", f"\\sqrt{{{k * k * n}}}", True, "expression"
    yield f"{k}\\sqrt{{{n}}}", f"\\sqrt{{{n}}} \\cdot {k}", True, "expression"
    yield f"\\frac{{{k}}}{{\\sqrt{{{n}}}}}", f"\\frac{{{k}\\sqrt{{{n}}}}}{{{n}}}", True, "expression"
    yield f"{m}+{k}\\sqrt{{{n}}}", f"{k}\\sqrt{{{n}}} + {m}", True, "expression"
    yield f"{m}+{k}\\sqrt{{{n}}}", f"{m}-{k}\\sqrt{{{n}}}", False, "expression"
    yield f"{m}+{k}\\sqrt{{{n}}}", f"{m}", False, "expression"
    yield f"{k}\\sqrt{{{n}}}", f"{k}\\sqrt{{{n + 1}}}", False, "expression"
    yield f"{k}\\pi", f"\\pi \\times {k}", True, "expression"
    yield f"{k}\\pi", f"{k * 3.14159:.5f}", False, "expression"
    yield f"{k}+{m}i", f"{m}i + {k}", True, "expression"
    yield f"{k}+{m}i", f"{k}-{m}i", False, "expression"
    yield f"\\sqrt[3]{{{k**3}}}", str(k), True, "rational"


def relation_pairs(rng: random.Random) -> Pairs:
    m, b = (rng.choice([n for n in range(-9, 10) if abs(n) > 1]) for _ in range(2))
    line = format_polynomial([m, b])
    yield f"y = {line}", format_polynomial([m, b], ascending=True), True, "relation"
    yield f"y = {line}", f"y={format_polynomial([m, b + 1])}", False, "relation"
    yield f"y = {line}", f"{2 * m}x - 2y = {-2 * b}", True, "relation"
    yield f"x = {m}", str(m), True, "relation"
    yield str(m), f"n = {m}", True, "relation"
    yield f"x = {m}", f"x = {-m}", False, "relation"
    yield f"x = {m}", f"y = {m}", False, "relation"
    yield f"x = {m}, y = {b}", f"y = {b}, x = {m}", True, "list"
    yield f"x = {m}, y = {m + 30}", f"x = {m + 30}, y = {m}", False, "list"


def base_pairs(rng: random.Random) -> Pairs:
    base, asks = rng.randint(3, 9), "Write the sum in base $4$."
    digits = str(rng.randrange(1, base)) + "".join(str(rng.randrange(base)) for _ in range(3))
    yield f"{digits}_{base}", f"{digits}_{{{base}}}", True, "base"
    yield f"{digits}_{base}", f"{digits}_{base + 1}", False, "base"
    yield f"{digits}_{base}", digits, True, "base", asks
    yield f"{digits}_{base}", digits, None, "base"
    yield f"{digits}_{base}", str(int(digits, base)), None, "base"


def choice_pairs(rng: random.Random) -> Pairs:
    one, other = rng.sample("ABCDE", 2)
    yield one, f"({one})", True, "choice"
    yield f"\\text{{({one})}}", one, True, "choice"
    yield one, f"({one}) {rng.randint(1, 99)}", True, "choice"
    yield one, other, False, "choice"
    yield f"\\text{{{one}}}", f"{other}.", False, "choice"


def rounding_pairs(rng: random.Random) -> Pairs:
    n = Fraction(rng.randrange(10_001, 99_999, 2), 1000)
    near = Fraction(int(n * 100 + Fraction(1, 2)), 100)
    asks = "Round to the nearest hundredth."
    yield format_decimal(near), format_decimal(n), True, "rounded", asks
    yield format_decimal(near), format_decimal(n), False, "number"
    yield format_decimal(near), format_decimal(near + Fraction(1, 100)), False, "number", asks
    yield format_decimal(near), format_decimal(near * 100), False, "number", asks


FAMILIES: dict[str, tuple[int, Callable[[random.Random], Pairs]]] = {
    "integers": (8, integer_pairs),
    "decimals": (10, decimal_pairs),
    "rationals": (14, rational_pairs),
    "percents": (10, percent_pairs),
    "powers_of_ten": (12, power_of_ten_pairs),
    "units": (12, unit_pairs),
    "tuples": (12, tuple_pairs),
    "collections": (12, collection_pairs),
    "intervals": (9, interval_pairs),
    "matrices": (12, matrix_pairs),
    "expressions": (14, expression_pairs),
    "radicals": (10, radical_pairs),
    "relations": (10, relation_pairs),
    "bases": (10, base_pairs),
    "choices": (10, choice_pairs),
    "roundings": (12, rounding_pairs),
}
"""Rounds of each family and what a round yields."""


def generate_rows() -> Iterator[dict[str, Any]]:
    """The generated rows; a pair that came twice, or of one text, is left out."""
    seen = set[tuple[str, ...]]()
    for name, (rounds, family) in FAMILIES.items():
        rng = random.Random(name)
        for _ in range(rounds):
            for gold, answer, equal, rule, *question in family(rng):
                key = (gold, answer, *question)
                if key in seen or gold == answer:
                    continue
                seen.add(key)
                verdict = {True: "correct", False: "wrong", None: "unparseable"}[equal]
                row = {"gold": gold, "answer": answer, "verdict": verdict, "rung": rule, "made": name}
                yield row | ({"question": question[0]} if question else {})


def main() -> None:
    """Write the corpus again: what was written by hand as it is, and then what is generated."""
    kept = [row for row in load_corpus() if "made" not in row]
    rows = [*kept, *generate_rows()]
    CORPUS.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    print(f"{len(rows):,} pairs, {len(kept)} of them written by hand")


if __name__ == "__main__":
    main()
