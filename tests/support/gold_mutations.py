"""Mutates gold answers in eight ways, at every place where a way applies, and respells them without changing them."""

import random
import re
from collections.abc import Callable, Iterator
from itertools import combinations

from tests.support.exact_labels import PERCENT_QUESTION, asked_unit

Change = tuple[str, str]
"""What was done, in words, and the text that it made."""

# matches each of "12", "3" of "12x+3", not the digits of r"\frac12" apart
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
# matches "x" of "2x+1", "t" of r"\frac{t}{2}", not the letters of r"\frac", "cm"
_LETTER = re.compile(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])")
_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[A-Za-z .()]*\})?")
_WORD = re.compile(r"[A-Za-z]{2,}")
_OTHER_LETTERS = "xyztmshglnkabd"
"""Letters that an answer may confuse, those that are also units among them."""
_UNITS_BY_DIMENSION = (
    ("cm", "mm", "m", "km", "inches", "feet", "yards", "miles"),
    ("seconds", "minutes", "hours", "days", "weeks"),
    ("cents", "dollars"),
    ("ounces", "pounds", "grams", "kg", "tons"),
)
_SAME_UNIT = {"meters": "m", "kilometers": "km", "kilograms": "kg"}
_UNIT_WORD = re.compile(
    r"(?<![A-Za-z\\])(cm|mm|km|inches|feet|meters|yards|miles|seconds|minutes|hours|days|weeks|cents|dollars|pounds|"
    r"grams|kg|m)(?![A-Za-z])"
)
_INTERVAL = re.compile(r"([(\[])([^()\[\],]+,[^()\[\],]+)([)\]])")
_TERM_SIGN = re.compile(r"(?<=[0-9A-Za-z})])\s*([-+])\s*(?=[0-9A-Za-z\\({])")


def mutate(gold: str, question: str) -> Iterator[tuple[str, str, str]]:
    """Each mutant of `gold`: the kind, what was done, and the text."""
    for kind, change in MUTATIONS.items():
        seen = {gold}
        for what, mutant in change(gold, question):
            if mutant not in seen:
                seen.add(mutant)
                yield kind, what, mutant


def _numbers(gold: str) -> list["re.Match[str]"]:
    return list(_NUMBER.finditer(gold))


def _put(gold: str, match: "re.Match[str]", text: str) -> str:
    return gold[: match.start()] + text + gold[match.end() :]


def _sign(gold: str, question: str) -> Iterator[Change]:
    for match in re.finditer("[-+]", gold):
        yield f"sign {match.start()} turned", _put(gold, match, "+" if match[0] == "-" else "-").lstrip("+")
    for match in re.finditer(
        r"(?<![0-9.A-Za-z\\}{,_^])(?:[0-9]|\\frac|\\dfrac|\\sqrt|\\pi|[A-Za-z](?![A-Za-z]))", gold
    ):
        before = gold[: match.start()].rstrip()
        if not before or before[-1] in "([,{":
            yield f"minus before {match.start()}", gold[: match.start()] + "-" + gold[match.start() :]
    for match in re.finditer(r"\{(?=[0-9])", gold):
        yield f"minus in braces at {match.start()}", _put(gold, match, "{-")


def _digit(gold: str, question: str) -> Iterator[Change]:
    rng = random.Random(gold)
    for match in re.finditer("[0-9]", gold):
        other = rng.choice([digit for digit in "123456789" if digit != match[0]])
        yield f"digit {match.start()} is {other}", _put(gold, match, other)
    for match in _numbers(gold):
        yield "a digit more", _put(gold, match, match[0] + rng.choice("123456789"))
        yield "a zero more", _put(gold, match, match[0].replace(".", "0.") if "." in match[0] else match[0] + "0")
        if len(match[0]) > 1 and "." not in match[0]:
            at = rng.randrange(len(match[0]))
            yield "a digit less", _put(gold, match, (match[0][:at] + match[0][at + 1 :]).lstrip("0") or "0")
        if "." in match[0]:
            yield "the point moved", _put(gold, match, _move_point(match[0]))


def _move_point(number: str) -> str:
    whole, _, part = number.partition(".")
    return f"{whole}{part[0]}.{part[1:]}" if len(part) > 1 else whole + part


def _order(gold: str, question: str) -> Iterator[Change]:
    for match in _numbers(gold):
        for at in range(len(match[0]) - 1):
            pair = match[0][at : at + 2]
            if pair[0] != pair[1] and "." not in pair and not (at == 0 and pair[1] == "0"):
                yield "two digits changed places", _put(gold, match, match[0][:at] + pair[::-1] + match[0][at + 2 :])
    for match in _FRACTION.finditer(gold):
        yield "numerator and denominator", _put(gold, match, f"\\frac{{{match[2]}}}{{{match[1]}}}")
    for match in re.finditer(r"([(\[])([^()\[\]]+)([)\]])", gold):
        items = match[2].split(",")
        for one, other in combinations(range(len(items)), 2):
            swapped = list(items)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            yield f"parts {one} and {other}", _put(gold, match, match[1] + ",".join(swapped) + match[3])
    for match in re.finditer(r"([0-9A-Za-z]+)\s*(-|/|\^)\s*\{?([0-9A-Za-z]+)\}?", gold):
        power = f"{{{match[1]}}}" if match[2] == "^" else match[1]
        yield f"operands of {match[2]}", _put(gold, match, f"{match[3]}{match[2]}{power}")
    if match := re.match(r"\\begin\{[pbv]matrix\}(.*)\\end", gold, re.DOTALL):
        cells = re.split(r"(&|\\\\)", match[1])
        for one, other in combinations(range(0, len(cells), 2), 2):
            swapped = list(cells)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            yield f"cells {one} and {other}", gold[: match.start(1)] + "".join(swapped) + gold[match.end(1) :]


def _unit(gold: str, question: str) -> Iterator[Change]:
    if re.fullmatch(r"-?[0-9][0-9,.]*|-?\\d?frac\{[0-9]+\}\{[0-9]+\}", gold) and not PERCENT_QUESTION.search(question):
        yield "a percent sign", gold + "\\%"
    asked = asked_unit(question)
    if asked and re.fullmatch(r"-?[0-9][0-9,.]*", gold):
        name = _SAME_UNIT.get(asked, asked)
        for group in _UNITS_BY_DIMENSION:
            for other in group if name in group else ():
                if other != name:
                    yield f"{other}, asked for {asked}", f"{gold}\\text{{ {other}}}"
    for match in _UNIT_WORD.finditer(gold):
        name = _SAME_UNIT.get(match[1], match[1])
        for group in _UNITS_BY_DIMENSION:
            for other in group if name in group else group[:1]:
                if other != name:
                    yield f"{other} for {match[1]}", _put(gold, match, other)
        after = gold[match.end() :]
        if "^" not in after and not re.search("square|cubic", gold):
            end = match.end() + (1 if after.startswith("}") else 0)
            yield "squared", gold[:end] + "^2" + gold[end:]
    for sign in ("^\\circ", "^{\\circ}", "\\%"):
        if gold.endswith(sign):
            stem = gold.removesuffix(sign)
            others = ("\\%", "\\text{ cm}") if "circ" in sign else ("^\\circ", "\\text{ dollars}")
            for other in others:
                yield f"{other} for {sign}", stem + other
    if gold.startswith("\\$"):
        yield "cents for dollars", gold[2:] + "\\text{ cents}"


def _bracket(gold: str, question: str) -> Iterator[Change]:
    for match in _INTERVAL.finditer(gold):
        for first, last in (("(", "]"), ("[", ")"), ("[", "]"), ("(", ")")):
            yield f"{first}{last}", _put(gold, match, first + match[2] + last)
    for match in re.finditer(r"\(([^()]*[-+][^()]*)\)", gold):
        yield "brackets left out", _put(gold, match, match[1])
    signs = list(_TERM_SIGN.finditer(gold))
    for start, sign in enumerate(signs):
        for end in range(start + 1, len(signs) + 1):
            stop = signs[end].start() if end < len(signs) else len(gold)
            if end > start + 1 or stop == len(gold):
                inner = gold[sign.end() : stop]
                if re.search("[-+]", inner):
                    yield "a bracket behind a sign", f"{gold[: sign.end()]}({inner}){gold[stop:]}"
    # the first factor of a term multiplies the rest of the sum
    for match in re.finditer(r"[0-9]+(?=[A-Za-z\\])", gold):
        for sign in signs:
            if sign.start() > match.end():
                tail = signs[signs.index(sign) + 1 :]
                stop = tail[0].start() if tail else len(gold)
                yield "a factor before the sum", f"{gold[: match.end()]}({gold[match.end() : stop]}){gold[stop:]}"
    for match in re.finditer(r"(?<![A-Za-z\\])([0-9A-Za-z]+)\s*([-+])\s*([0-9]*)([A-Za-z]|\\sqrt|\\pi)", gold):
        if match[3]:
            bracket = f"({match[1]} {match[2]} {match[3]}){match[4]}"
            yield "a sum becomes a factor", _put(gold, match, bracket)
    for match in re.finditer(r"(?<![A-Za-z\\])([0-9]*)([A-Za-z])\^(\{[0-9]+\}|[0-9])", gold):
        if match[1]:
            yield "a power of the product", _put(gold, match, f"({match[1]}{match[2]})^{match[3]}")
    for match in re.finditer(r"-([0-9A-Za-z]+)\^(\{[0-9]*[02468]\}|[02468])", gold):
        yield "a power of the negative", _put(gold, match, f"(-{match[1]})^{match[2]}")
    for match in re.finditer(r"\\[dt]?frac\s*\{([^{}]+?)\s*([-+])\s*([^{}+-]+)\}\s*\{([^{}]+)\}", gold):
        yield (
            "only the last term divided",
            _put(gold, match, f"({match[1]}{match[2]}\\frac{{{match[3]}}}{{{match[4]}}})"),
        )
        yield (
            "only the first term divided",
            _put(gold, match, f"(\\frac{{{match[1]}}}{{{match[4]}}}{match[2]}{match[3]})"),
        )
    for match in re.finditer(r"\\sqrt\{([^{}]+?)\s*([-+*]|\\cdot)\s*([^{}]+)\}", gold):
        yield "a shorter root", _put(gold, match, f"(\\sqrt{{{match[1]}}}{match[2]}{match[3]})")
    for match in re.finditer(r"([0-9]+)\\sqrt\{([0-9A-Za-z]+)\}", gold):
        yield "a longer root", _put(gold, match, f"\\sqrt{{{match[1]}\\cdot {match[2]}}}")
    for match in re.finditer(r"\\[dt]?frac\s*\{([0-9]+)\}\s*\{([0-9]+)\}", gold):
        for part, other in ((match[1], match[2]), (match[2], match[1])):
            for at in range(1, len(part)):
                if not part[at:].startswith("0"):
                    whole = part is match[1]
                    top, bottom = (f"{part[at:]}", other) if whole else (other, part[:at])
                    rest = part[:at] if whole else part[at:]
                    text = (
                        f"{rest}\\cdot\\left(\\frac{{{top}}}{{{bottom}}}\\right)"
                        if whole
                        else (f"\\left(\\frac{{{top}}}{{{bottom}}}\\right)\\cdot {rest}")
                    )
                    yield "a bracket through a number", _put(gold, match, text)
    for match in _numbers(gold):
        number = match[0]
        if len(number) > 1 and "." not in number and "_" not in gold and "," not in gold:
            for at in range(1, len(number)):
                if not number[at:].startswith("0"):
                    yield "a bracket through a number", _put(gold, match, f"{number[:at]}({number[at:]})")


def _off_by_one(gold: str, question: str) -> Iterator[Change]:
    if _THOUSANDS.fullmatch(gold):
        number = int(gold.replace(",", ""))
        yield "one more", f"{number + 1:,}"
        yield "one less", f"{number - 1:,}"
        return
    for match in _numbers(gold):
        if "." not in match[0]:
            yield f"{match[0]} and one", _put(gold, match, str(int(match[0]) + 1))
            if int(match[0]) > 0:
                yield f"{match[0]} less one", _put(gold, match, str(int(match[0]) - 1))


def _dropped_part(gold: str, question: str) -> Iterator[Change]:
    if not gold.startswith("\\text"):
        for match in re.finditer(r"\\(?:pi|sqrt(?=\{)|infty)", gold):
            yield f"{match[0]} left out", _put(gold, match, "")
    for match in _FRACTION.finditer(gold):
        yield (
            "the denominator left out",
            _put(gold, match, f"({match[1]})" if re.search("[-+]", match[1]) else match[1]),
        )
        yield "the numerator left out", _put(gold, match, f"\\frac{{1}}{{{match[2]}}}")
    for match in re.finditer(r"\^(?:\{[^{}]+\}|[0-9A-Za-z])", gold):
        yield "the exponent left out", _put(gold, match, "")
    for sign in _TERM_SIGN.finditer(gold):
        left, right = gold[: sign.start()], gold[sign.end() :]
        if left.count("{") == left.count("}") and left.count("(") == left.count(")"):
            yield "the terms behind a sign left out", left
            yield "the terms before a sign left out", ("-" if sign[1] == "-" else "") + right
    if "," in gold and not _THOUSANDS.search(gold):
        match = re.fullmatch(r"(\\left\(|[(\[]|)(.*?)(\\right\)|[)\]]|)", gold)
        items = match[2].split(",") if match else []
        for at in range(
            len(items) if match and "\\" not in match[2].replace("\\frac", "").replace("\\sqrt", "") else 0
        ):
            rest = items[:at] + items[at + 1 :]
            yield f"item {at} left out", (match[1] if match else "") + ",".join(rest) + (match[3] if match else "")
    for match in re.finditer(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z{])", gold):
        if "\\text" not in gold:
            yield f"{match[0]} left out", _put(gold, match, "")
    for match in re.finditer(r"[0-9]+(?:\\cdot\s*|\\times\s*|(?=[A-Za-z\\(]))", gold):
        yield "a factor left out", _put(gold, match, "")
    for match in _numbers(gold):
        if "." in match[0]:
            yield "the decimals left out", _put(gold, match, match[0].partition(".")[0])
        elif len(match[0]) > 2:
            yield "the first digits left out", _put(gold, match, match[0][-2:].lstrip("0") or "0")
            yield "the last digits left out", _put(gold, match, match[0][:2])
    if words := re.fullmatch(r"\\text\{([A-Za-z]+) ([A-Za-z ]+)\}", gold):
        yield "the first word left out", f"\\text{{{words[2]}}}"
    if gold.startswith("-"):
        yield "the minus left out", gold[1:]
    if match := re.match(r"\\begin\{([pbv]matrix)\}(.*)\\end", gold, re.DOTALL):
        rows = re.split(r"\\\\", match[2])
        for at in range(len(rows)):
            kept = "\\\\".join(rows[:at] + rows[at + 1 :])
            yield f"row {at} left out", f"\\begin{{{match[1]}}}{kept}\\end{{{match[1]}}}"


def _swapped_letters(gold: str, question: str) -> Iterator[Change]:
    hidden = [match.span() for match in _COMMAND.finditer(gold)]
    letters = [
        match for match in _LETTER.finditer(gold) if not any(start <= match.start() < end for start, end in hidden)
    ]
    for match in letters:
        for other in _OTHER_LETTERS:
            if other != match[0] and not (match[0] == "i" and other in "jI"):
                yield f"{other} for {match[0]}", _put(gold, match, other)
    for one, other in combinations(dict.fromkeys(match[0] for match in letters), 2):
        changed = list(gold)
        for match in letters:
            if match[0] in (one, other):
                changed[match.start()] = other if match[0] == one else one
        yield f"{one} and {other} changed places", "".join(changed)
    if match := re.fullmatch(r"(\\text\{|)(\(?)([A-J])(\)?)(\}|)", gold):
        if match[1] or match[2]:
            for other in "ABCDE":
                yield f"{other} for {match[3]}", "".join((match[1], match[2], other, match[4], match[5]))
    elif re.fullmatch(r"\\text\{[A-Za-z ]+\}|[A-Z][a-z]+", gold):
        start = gold.find("{") + 1
        for match in _WORD.finditer(gold, start):
            word = match[0]
            for one, other in combinations(range(len(word)), 2):
                if word[one].lower() != word[other].lower():
                    changed = list(word)
                    changed[one], changed[other] = changed[other], changed[one]
                    yield f"letters {one} and {other}", _put(gold, match, "".join(changed))


MUTATIONS: dict[str, Callable[[str, str], Iterator[Change]]] = {
    "sign": _sign,
    "digit": _digit,
    "order": _order,
    "unit": _unit,
    "bracket": _bracket,
    "off by one": _off_by_one,
    "dropped part": _dropped_part,
    "swapped letters": _swapped_letters,
}


def respell(gold: str, question: str) -> Iterator[Change]:
    """Other spellings of the same answer."""
    seen = {gold}
    for what, text in _respellings(gold):
        if text not in seen:
            seen.add(text)
            yield what, text


def _respellings(gold: str) -> Iterator[Change]:
    yield "dollars", f"${gold}$"
    yield "a full stop", f"{gold}."
    yield "blanks around", f"  {gold} "
    yield "brackets of LaTeX", gold.replace("\\left", "").replace("\\right", "")
    if "\\left" not in gold and "\\text" not in gold and re.match(r"[(\[]", gold):
        yield "sized brackets", re.sub(r"([)\]])", r"\\right\1", re.sub(r"([(\[])", r"\\left\1", gold))
    yield "displayed fractions", re.sub(r"\\frac", r"\\dfrac", gold)
    yield "text fractions", re.sub(r"\\[dt]?frac", r"\\tfrac", gold)
    if "\\text" not in gold and "_" not in gold:
        yield "blanks around signs", re.sub(r"(?<=[0-9A-Za-z})])([-+])(?=[0-9A-Za-z\\({])", r" \1 ", gold)
        yield "no blanks", re.sub(r"(?<![A-Za-z]) | (?![A-Za-z0-9])", "", gold)
        yield "braces around exponents", re.sub(r"\^([0-9A-Za-z])", r"^{\1}", gold)
    if match := re.fullmatch(r"(-?)\\[dt]?frac\s*\{([0-9]+)\}\s*\{([0-9]+)\}", gold):
        sign, top, bottom = match[1], int(match[2]), int(match[3])
        yield "a slash", f"{sign}{top}/{bottom}"
        yield "not reduced", f"{sign}\\frac{{{3 * top}}}{{{3 * bottom}}}"
        yield "the sign above", f"\\frac{{{sign}{top}}}{{{bottom}}}"
        if 1_000_000 % bottom == 0:
            yield "decimal", sign + f"{top / bottom:.6f}".rstrip("0").rstrip(".")
    if re.fullmatch(r"-?[0-9]+", gold):
        number = int(gold)
        yield "a decimal zero", f"{gold}.0"
        yield "a quotient", f"\\frac{{{2 * number}}}{{2}}"
        yield "words of LaTeX", f"\\text{{{gold}}}"
        yield "bold", f"\\mathbf{{{gold}}}"
        if abs(number) >= 1000:
            yield "thousands", f"{number:,}"
            yield "thousands of LaTeX", f"{number:,}".replace(",", "{,}")
            yield "thousands with thin blanks", f"{number:,}".replace(",", "\\,")
        if number < 0:
            yield "a typographic minus", gold.replace("-", "\u2212")
    if _THOUSANDS.fullmatch(gold):
        yield "no thousands", gold.replace(",", "")
    if match := re.fullmatch(r"([^-+,()=<>\\{}]+)\+([^-+,()=<>\\{}]+)", gold):
        yield "terms in another order", f"{match[2]}+{match[1]}"
    if match := re.fullmatch(r"([0-9]+)(\\sqrt\{[^{}]+\}|\\pi|[a-z])", gold):
        yield "an explicit product", f"{match[1]}\\cdot {match[2]}"
        yield "a starred product", f"{match[1]}*{match[2]}"
        yield "factors in another order", f"{match[2]}\\cdot {match[1]}"
    if match := re.fullmatch(r"([0-9]+)\\sqrt\{([0-9]+)\}", gold):
        yield "all under the root", f"\\sqrt{{{int(match[1]) ** 2 * int(match[2])}}}"
    if match := re.fullmatch(r"\\text\{([A-Za-z ]+)\}", gold):
        yield "no command", match[1]
        yield (
            "small letters" if len(match[1]) > 1 else "no command",
            match[1].lower() if len(match[1]) > 1 else match[1],
        )
        yield "bold", f"\\textbf{{{match[1]}}}"
    if match := re.fullmatch(r"\\text\{\(([A-J])\)\}", gold):
        yield "only the letter", match[1]
        yield "bold letter", f"\\textbf{{({match[1]})}}"
    if gold.endswith("^\\circ"):
        yield "braces around the sign", gold.replace("^\\circ", "^{\\circ}")
        yield "degrees in words", gold.replace("^\\circ", "\\text{ degrees}")
    if "\\text{" in gold:
        yield "another text command", gold.replace("\\text{", "\\mbox{")
