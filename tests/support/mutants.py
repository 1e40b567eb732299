"""Wrong answers made from right ones: each differs from its answer by one mistake that people and models make."""

import random
import re
from collections.abc import Callable, Iterator

_NUMBER = re.compile(r"(?<![A-Za-z_0-9.,^{])[0-9]+(?:\.[0-9]+)?(?![0-9.,_^}!])")
_ANY_NUMBER = re.compile(r"(?<![A-Za-z_0-9.,])[0-9]+(?:\.[0-9]+)?(?![0-9.,_])")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
_PAIR = re.compile(r"([(\[])([^()\[\],]+),([^()\[\],]+)([)\]])")
_TERM = re.compile(r"(?<=[0-9A-Za-z})])\s*[-+]\s*(?:[0-9]+|[A-Za-z]|\\[a-z]+|\{[^{}]*\}|\^|\\ )+(?=\s*\Z)")
_UNIT = re.compile(
    r"\b(meters?|feet|inches|dollars|cents|hours?|minutes?|days|miles|degrees|square|cubic|cm|km|ft|kg|pounds?)\b"
)
_LETTER = re.compile(r"(?<![A-Za-z\\{])[a-df-hj-vx-z](?![A-Za-z])")
_ROOT = re.compile(r"\\sqrt\{([^{}]+)\}|\\pi")
_OTHER_UNIT = {
    "cm": "km",
    "km": "cm",
    "kg": "mg",
    "ft": "yd",
    "hours": "weeks",
    "minutes": "weeks",
    "degrees": "radians",
}


def make_mutants(answer: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """The mistakes that can be made in `answer`, each with the text that it makes of it."""
    for name, mistake in MISTAKES.items():
        mutant = mistake(answer, rng)
        if mutant is not None and mutant != answer:
            yield name, mutant


def _change_digit(answer: str, rng: random.Random) -> str | None:
    at = [match.start() for match in re.finditer("[0-9]", answer)]
    if not at:
        return None
    chosen = rng.choice(at)
    other = rng.choice([digit for digit in "123456789" if digit != answer[chosen]])
    return answer[:chosen] + other + answer[chosen + 1 :]


def _change_number(answer: str, rng: random.Random, change: Callable[[str], str]) -> str | None:
    """`answer` with one of its numbers changed, not an exponent; zero times ten is no mistake."""
    found = [match for match in _ANY_NUMBER.finditer(answer) if float(match[0]) and answer[: match.start()][-1:] != "^"]
    if not found:
        return None
    match = rng.choice(found)
    return answer[: match.start()] + change(match[0]) + answer[match.end() :]


def _add_one(answer: str, rng: random.Random) -> str | None:
    integers = [match for match in _ANY_NUMBER.finditer(answer) if "." not in match[0]]
    if not integers:
        return None
    match = rng.choice(integers)
    return answer[: match.start()] + str(int(match[0]) + 1) + answer[match.end() :]


def _shift_point(places: int) -> Callable[[str, random.Random], str | None]:
    def scale(number: str) -> str:
        whole, _, part = number.partition(".")
        part = part.ljust(places, "0")
        return (whole + part[:places]).lstrip("0") + (f".{part[places:]}" if part[places:] else "")

    return lambda answer, rng: _change_number(answer, rng, scale)


def _flip_sign(answer: str, rng: random.Random) -> str | None:
    """The first value negated; nothing of zero, of both signs, of texts and of what is squared."""
    if any(sign in answer for sign in ("\\pm", "^{\\circ}", "|", "infty")) or not _NUMBER.search(answer):
        return None
    match = _NUMBER.search(answer)
    assert match is not None
    if not float(match[0]):
        return None
    before = answer[: match.start()].rstrip(" $\\")
    if before[-1:] in ("-", "+"):
        flipped = before[:-1] + ("+" if before[-1] == "-" else "-")
        return flipped + answer[match.start() :]
    return answer[: match.start()] + "-" + answer[match.start() :] if before[-1:] in ("", "(", "[", ",", "=") else None


def _swap_pair(answer: str, rng: random.Random) -> str | None:
    match = _PAIR.search(answer)
    if match is None or match[2].strip() == match[3].strip():
        return None
    return answer[: match.start()] + f"{match[1]}{match[3]},{match[2]}{match[4]}" + answer[match.end() :]


def _invert_fraction(answer: str, rng: random.Random) -> str | None:
    match = _FRACTION.search(answer)
    if match is None or match[1].strip() == match[2].strip():
        return None
    return answer[: match.start()] + f"\\frac{{{match[2]}}}{{{match[1]}}}" + answer[match.end() :]


def _drop_term(answer: str, rng: random.Random) -> str | None:
    match = _TERM.search(answer)
    return answer[: match.start()] if match else None


def _change_unit(answer: str, rng: random.Random) -> str | None:
    match = _UNIT.search(answer)
    if match is None:
        return None
    return answer[: match.start()] + _OTHER_UNIT.get(match[0], "grams") + answer[match.end() :]


def _toggle_percent(answer: str, rng: random.Random) -> str | None:
    if "%" in answer:
        return answer.replace("\\%", "").replace("%", "")
    return answer + "\\%" if re.fullmatch(r"-?[0-9.]*[1-9][0-9.]*", answer) else None


def _change_bracket(answer: str, rng: random.Random) -> str | None:
    """Another end of an interval; of a tuple of three, brackets say nothing."""
    match = _PAIR.fullmatch(answer.replace("\\left", "").replace("\\right", "").strip())
    if match is None or "infty" in answer:
        return None
    return {"(": "[", "[": "("}[match[1]] + f"{match[2]},{match[3]}{match[4]}"


def _change_letter(answer: str, rng: random.Random) -> str | None:
    match = _LETTER.search(answer)
    return None if match is None else answer[: match.start()] + "w" + answer[match.end() :]


def _drop_root(answer: str, rng: random.Random) -> str | None:
    """A root, or pi, left out."""
    found = _ROOT.search(answer)
    if found is None or found[1] in ("0", "1"):
        return None
    return answer[: found.start()] + f"{{{found[1] or 1}}}" + answer[found.end() :]


def _drop_member(answer: str, rng: random.Random) -> str | None:
    """The last of several left out."""
    left, comma, _ = answer.rpartition(",")
    plain = comma and not re.search(r"[(\[\\]|[0-9],[0-9]{3}", answer)
    return left if plain else None


def _split_number(answer: str, rng: random.Random) -> str | None:
    """Two numbers of one; three digits at the end might be thousands."""
    found = [match for match in _ANY_NUMBER.finditer(answer) if match[0].isdigit() and len(match[0]) > 1]
    if not found:
        return None
    match = rng.choice(found)
    places = [at for at in range(1, len(match[0])) if len(match[0]) - at != 3]
    at = match.start() + rng.choice(places) if places else 0
    return f"{answer[:at]} {answer[at:]}" if at else None


MISTAKES: dict[str, Callable[[str, random.Random], str | None]] = {
    "digit": _change_digit,
    "sign": _flip_sign,
    "off by one": _add_one,
    "factor 10": _shift_point(1),
    "factor 100": _shift_point(2),
    "swapped pair": _swap_pair,
    "inverted fraction": _invert_fraction,
    "dropped term": _drop_term,
    "wrong unit": _change_unit,
    "other bracket": _change_bracket,
    "other letter": _change_letter,
    "root or pi left out": _drop_root,
    "member left out": _drop_member,
    "percent sign": _toggle_percent,
    "digits apart": _split_number,
}
