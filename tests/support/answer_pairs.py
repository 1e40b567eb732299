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


def corpus() -> list[dict[str, Any]]:
    """All rows: gold, answer, verdict, rung, and where there are any note, question, made."""
    return [json.loads(line) for line in CORPUS.read_text().splitlines()]


def grouped(number: int, comma: str = ",") -> str:
    """1234 as 1,234."""
    return f"{number:,}".replace(",", comma)


def frac(number: Fraction, command: str = "frac") -> str:
    """A fraction in LaTeX, its sign in front."""
    sign = "-" if number < 0 else ""
    return f"{sign}\\{command}{{{abs(number.numerator)}}}{{{number.denominator}}}"


def decimal(number: Fraction) -> str:
    """A fraction whose denominator divides 1000, in decimals."""
    thousandths = number * 1000
    assert thousandths.denominator == 1
    digits = f"{abs(thousandths.numerator):04d}"
    text = f"{digits[:-3]}.{digits[-3:]}".rstrip("0").rstrip(".")
    return ("-" if number < 0 else "") + text


def polynomial(coefficients: list[int], letter: str = "x", turned: bool = False) -> str:
    """Coefficients from the highest power down, in decreasing order of powers or `turned` round."""
    degree = len(coefficients) - 1
    terms = [(factor, degree - at) for at, factor in enumerate(coefficients) if factor]
    text = ""
    for factor, power in reversed(terms) if turned else terms:
        size = "" if abs(factor) == 1 and power else str(abs(factor))
        up = "" if power == 0 else letter if power == 1 else f"{letter}^{power}" if turned else f"{letter}^{{{power}}}"
        sign = "-" if factor < 0 else "+" if text else ""
        text += (f" {sign} " if text else sign) + size + up
    return text or "0"


def integers(rng: random.Random) -> Pairs:
    n = rng.randint(1000, 9_999_999)
    for same in (grouped(n), grouped(n, "{,}"), grouped(n, ",\\!"), f"${n}$", f"{n}.0", f"0{n}", f"+{n}", f"{n}."):
        yield str(n), same, True, "number"
    for other in (n + 1, n - 1, -n, n * 10, n * 100, n // 10):
        yield str(n), rng.choice([str(other), grouped(other)]), False, "number"


def decimals(rng: random.Random) -> Pairs:
    n = Fraction(rng.randrange(1001, 99_999, 2), 1000)
    text = decimal(n)
    for same in (text + "0", text + "00", f"${text}$", "0" + text):
        yield text, same, True, "number"
    for other in (n + Fraction(1, 1000), n * 10, n / 10 if n.numerator % 10 == 0 else n * 100, -n, round(n)):
        yield text, decimal(Fraction(other)), False, "number"


def rationals(rng: random.Random) -> Pairs:
    below = rng.choice([2, 3, 4, 5, 6, 7, 8, 9])
    n = Fraction(rng.choice([k for k in range(1, 60) if gcd(k, below) == 1 and k != below]), below)
    a, b = n.numerator, n.denominator
    yield frac(n), f"{a}/{b}", True, "rational"
    yield f"{a}/{b}", frac(n, "dfrac"), True, "rational"
    yield frac(n), f"\\frac{{{3 * a}}}{{{3 * b}}}", True, "rational"
    yield f"{a}/{b}", f"{2 * a}/{2 * b}", True, "rational"
    if 1000 % b == 0:
        yield frac(n), decimal(n), True, "rational"
    if a < 10:
        yield frac(n), f"\\frac{a}{b}" if rng.random() < 0.5 else f"\\frac {a}{{{b}}}", True, "rational"
    if a > b:
        yield frac(n), f"{a // b}\\frac{{{a % b}}}{{{b}}}", True, "rational"
        yield f"{a}/{b}", f"{a // b} {a % b}/{b}", True, "rational"
    for other in (1 / n, -n, n + 1, Fraction(a + 1, b), Fraction(a, b + 1), n * 100):
        if other != n:
            yield frac(n), rng.choice([frac(other), f"{other.numerator}/{other.denominator}"]), False, "rational"
    if b in (3, 7, 9):
        yield frac(n), f"{a / b:.4f}", False, "rational"


def percents(rng: random.Random) -> Pairs:
    p, asks = rng.randint(3, 97), "What percent of them is left?"
    yield f"{p}\\%", decimal(Fraction(p, 100)), True, "percent"
    yield decimal(Fraction(p, 100)), f"{p}%", True, "percent"
    yield f"{p}\\%", str(p), False, "percent"
    yield str(p), f"{p}%", False, "percent"
    yield str(p), f"{p}%", True, "percent", asks
    yield f"{p}\\%", str(p), True, "percent", asks
    yield f"{p}\\%", f"{p} percent", True, "rational"
    yield f"{p}%", f"{p + 1}%", False, "rational"
    yield str(p), f"{p + 1}%", False, "percent", asks


def powers_of_ten(rng: random.Random) -> Pairs:
    lead, up = rng.randint(11, 99), rng.randint(3, 9)
    n, text = lead * 10 ** (up - 1), f"{lead // 10}.{lead % 10}"
    yield str(n), f"{text} \\times 10^{{{up}}}", True, "rational"
    yield f"{text}\\times10^{up}", f"{text}e{up}", True, "rational"
    yield str(n), f"{text}e{up}", True, "rational"
    yield str(n), f"{text}e{up + 1}", False, "rational"
    yield f"{text} \\times 10^{{{up}}}", f"{text} \\times 10^{{{up + 2}}}", False, "rational"
    yield f"{text} \\times 10^{{-{up}}}", f"{text} \\times 10^{{{up}}}", False, "rational"
    yield f"{text} \\cdot 10^{{-{up}}}", f"\\frac{{{lead}}}{{{10 ** (up + 1)}}}", True, "rational"


def units(rng: random.Random) -> Pairs:
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


def tuples(rng: random.Random) -> Pairs:
    a, b, c = rng.sample(range(-20, 21), 3)
    yield f"({a},{b})", f"\\left( {a}, {b} \\right)", True, "tuple"
    yield f"({a},{b},{c})", f"({a}, {b}, {c}.0)", True, "tuple"
    yield f"({a},{b})", f"({b},{a})", False, "tuple"
    yield f"({a},{b},{c})", f"({b},{a},{c})", False, "tuple"
    yield f"({a},{b})", f"({a},{b + 1})", False, "tuple"
    yield f"({a},{b},{c})", f"({a},{b})", False, "tuple"
    yield f"({a},{b})", str(a), False, "tuple"


def collections(rng: random.Random) -> Pairs:
    a, b, c = rng.sample(range(-20, 21), 3)
    yield f"\\{{{a},{b},{c}\\}}", f"\\left\\{{ {c}, {a}, {b} \\right\\}}", True, "set"
    yield f"\\{{{a},{b}\\}}", f"{b}, {a}", True, "set"
    yield f"\\{{{a},{b},{c}\\}}", f"\\{{{a},{b}\\}}", False, "set"
    yield f"{a}, {b}, {c}", f"{c}, {b} and {a}", True, "list"
    yield f"{a}, {b}, {c}", f"{a}, {b}", False, "list"
    yield f"{a}, {b}", f"{a}, {b + 1 if b + 1 != a else b + 2}", False, "list"
    yield f"{a}, {b}", f"{b}, {a}", False, "list", "List both in increasing order."
    yield f"{a} \\pm {abs(b) + 1}", f"{a + abs(b) + 1}, {a - abs(b) - 1}", True, "list"


def intervals(rng: random.Random) -> Pairs:
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
    yield f"[{half},{b}]", f"[{decimal(Fraction(2 * a + 1, 2))},{b}]", True, "tuple"


def matrices(rng: random.Random) -> Pairs:
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


def expressions(rng: random.Random) -> Pairs:
    a, b, k = (rng.choice([n for n in range(-9, 10) if n]) for _ in range(3))
    letter = rng.choice("xyzabnt")
    full = [k, k * (a + b), k * a * b]
    text = polynomial(full, letter)
    factored = (
        f"{k if abs(k) > 1 else '-' if k < 0 else ''}({polynomial([1, a], letter)})({polynomial([1, b], letter)})"
    )
    yield text, factored, True, "expression"
    yield text, polynomial(full, letter, turned=True), True, "expression"
    yield text, text.replace(" ", "").replace("^", "^ "), True, "text" if "^ " not in text else "expression"
    yield text, polynomial([k, k * (a + b), k * a * b + 1], letter), False, "expression"
    yield text, polynomial([-k, -k * (a + b), -k * a * b], letter), False, "expression"
    yield text, polynomial([k, 0, k * a * b], letter), a + b == 0, "text" if a + b == 0 else "expression"
    yield (
        f"\\frac{{1}}{{{letter}+{abs(a)}}}",
        f"\\frac{{{letter}-20}}{{({letter}-20)({letter}+{abs(a)})}}",
        True,
        "expression",
    )
    yield f"\\frac{{1}}{{{letter}+{abs(a)}}}", f"{letter}+{abs(a)}", False, "expression"


def radicals(rng: random.Random) -> Pairs:
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


def relations(rng: random.Random) -> Pairs:
    m, b = (rng.choice([n for n in range(-9, 10) if abs(n) > 1]) for _ in range(2))
    line = polynomial([m, b])
    yield f"y = {line}", polynomial([m, b], turned=True), True, "relation"
    yield f"y = {line}", f"y={polynomial([m, b + 1])}", False, "relation"
    yield f"y = {line}", f"{2 * m}x - 2y = {-2 * b}", True, "relation"
    yield f"x = {m}", str(m), True, "relation"
    yield str(m), f"n = {m}", True, "relation"
    yield f"x = {m}", f"x = {-m}", False, "relation"
    yield f"x = {m}", f"y = {m}", False, "relation"
    yield f"x = {m}, y = {b}", f"y = {b}, x = {m}", True, "list"
    yield f"x = {m}, y = {m + 30}", f"x = {m + 30}, y = {m}", False, "list"


def bases(rng: random.Random) -> Pairs:
    base, asks = rng.randint(3, 9), "Write the sum in base $4$."
    digits = str(rng.randrange(1, base)) + "".join(str(rng.randrange(base)) for _ in range(3))
    yield f"{digits}_{base}", f"{digits}_{{{base}}}", True, "base"
    yield f"{digits}_{base}", f"{digits}_{base + 1}", False, "base"
    yield f"{digits}_{base}", digits, True, "base", asks
    yield f"{digits}_{base}", digits, None, "base"
    yield f"{digits}_{base}", str(int(digits, base)), None, "base"


def choices(rng: random.Random) -> Pairs:
    one, other = rng.sample("ABCDE", 2)
    yield one, f"({one})", True, "choice"
    yield f"\\text{{({one})}}", one, True, "choice"
    yield one, f"({one}) {rng.randint(1, 99)}", True, "choice"
    yield one, other, False, "choice"
    yield f"\\text{{{one}}}", f"{other}.", False, "choice"


def roundings(rng: random.Random) -> Pairs:
    n = Fraction(rng.randrange(10_001, 99_999, 2), 1000)
    near = Fraction(int(n * 100 + Fraction(1, 2)), 100)
    asks = "Round to the nearest hundredth."
    yield decimal(near), decimal(n), True, "rounded", asks
    yield decimal(near), decimal(n), False, "number"
    yield decimal(near), decimal(near + Fraction(1, 100)), False, "number", asks
    yield decimal(near), decimal(near * 100), False, "number", asks


FAMILIES: dict[str, tuple[int, Callable[[random.Random], Pairs]]] = {
    "integers": (8, integers),
    "decimals": (10, decimals),
    "rationals": (14, rationals),
    "percents": (10, percents),
    "powers_of_ten": (12, powers_of_ten),
    "units": (12, units),
    "tuples": (12, tuples),
    "collections": (12, collections),
    "intervals": (9, intervals),
    "matrices": (12, matrices),
    "expressions": (14, expressions),
    "radicals": (10, radicals),
    "relations": (10, relations),
    "bases": (10, bases),
    "choices": (10, choices),
    "roundings": (12, roundings),
}
"""Rounds of each family and what a round yields."""


def generated() -> Iterator[dict[str, Any]]:
    """The generated rows; a pair that came twice, or of one text, is left out."""
    seen = set[tuple[str, ...]]()
    for name, (rounds, family) in FAMILIES.items():
        rng = random.Random(name)
        for _ in range(rounds):
            for gold, answer, equal, rung, *question in family(rng):
                key = (gold, answer, *question)
                if key in seen or gold == answer:
                    continue
                seen.add(key)
                verdict = {True: "correct", False: "wrong", None: "unparseable"}[equal]
                row = {"gold": gold, "answer": answer, "verdict": verdict, "rung": rung, "made": name}
                yield row | ({"question": question[0]} if question else {})


def main() -> None:
    """Write the corpus again: what was written by hand as it is, and then what is generated."""
    kept = [row for row in corpus() if "made" not in row]
    rows = [*kept, *generated()]
    CORPUS.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    print(f"{len(rows):,} pairs, {len(kept)} of them written by hand")


if __name__ == "__main__":
    main()
