"""Reads JSON strictly: a key twice, NaN, broken text and deep nesting are faults, and no number loses a digit."""

import json
import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

MAX_CHARACTERS = 10_000_000
"""Characters of a text that is read as JSON."""
MAX_DEPTH = 200
"""Levels of lists and objects within each other that are read; deeper ones need more of Python's stack than there may
be."""
MAX_INTEGER_DIGITS = 4000
"""Digits of an integer that is kept as `int`. A longer one is a `Decimal`, since its conversion takes quadratic
time."""
# A string that never ends takes the rest of the text, so that every text is scanned once.
# matches "[", "}", '"a]\\""', '"a', not "a"
_BRACKET_OR_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)

Path = tuple[str, ...]
"""A path within JSON: keys, and `*` for every index or key."""


class JsonFault(ValueError):
    """A text is no JSON that can be read. Its message is the rule of the verdict, such as `duplicate_key`."""


class JsonText(NamedTuple):
    """A part of a text that is JSON, or that begins like JSON and has a fault."""

    value: Any = None
    fault: str = ""
    text: str = ""


def parse_json(text: str) -> Any:
    """The value of a text that is JSON. Raises `JsonFault`.

    Integers are `int` and other numbers `Decimal`, so equal numbers are equal and no near miss is.
    """
    if len(text) > MAX_CHARACTERS:
        raise JsonFault("too_long")
    if text.count("[") + text.count("{") > MAX_DEPTH:
        find_closing(text, 0, whole=True)
    try:
        return _DECODER.decode(text)
    except JsonFault:
        raise
    except RecursionError:
        raise JsonFault("too_deep") from None
    except ValueError:
        raise JsonFault("no_json") from None


def read_json(text: str) -> JsonText:
    """As `parse_json`, with the fault as a result."""
    try:
        return JsonText(parse_json(text), text=text)
    except JsonFault as fault:
        return JsonText(fault=str(fault), text=text)


def find_closing(text: str, start: int, whole: bool = False) -> int:
    """The position behind the bracket that closes the one at `start`; -1 if none does. Raises `JsonFault` if deep.

    With `whole` the scan goes on to the end of the text.
    """
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(text, start):
        sign = match[0]
        if sign in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonFault("too_deep")
        elif sign in ("]", "}"):
            depth -= 1
            if depth <= 0 and not whole:
                return match.end()
    return -1


def canonical_text(value: Any, fold: bool = False, unordered: bool | Sequence[Path] = False) -> str:
    """A text that two values share only if they are equal: order of keys and spelling of numbers do not count.

    `fold` ignores case and blanks in texts. `unordered` ignores the order of all lists, or of those at some paths.
    """
    anywhere, paths = (unordered, frozenset[Path]()) if isinstance(unordered, bool) else (False, frozenset(unordered))
    return _canonical(value, fold, anywhere, paths)


def _canonical(value: Any, fold: bool, unordered: bool, paths: frozenset[Path]) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return json.dumps(fold_text(value) if fold else value)
    if isinstance(value, int | Decimal):
        return _canonical_number(value)
    if isinstance(value, dict):
        members = (
            f"{json.dumps(key)}:{_canonical(each, fold, unordered, _below(paths, key))}"
            for key, each in sorted(value.items())
        )
        return f"{{{','.join(members)}}}"
    below = _below(paths, "*")
    items = [_canonical(each, fold, unordered, below) for each in value]
    return f"[{','.join(sorted(items) if unordered or () in paths else items)}]"


def _below(paths: frozenset[Path], key: str) -> frozenset[Path]:
    return frozenset(path[1:] for path in paths if path and path[0] in (key, "*")) if paths else paths


def _canonical_number(number: int | Decimal) -> str:
    """Digits without zeros at the end, and an exponent: 1.0, 1 and 1e0 are the same text."""
    if isinstance(number, int):
        sign, digits, exponent = number < 0, str(abs(number)), 0
    else:
        parts = number.as_tuple()
        assert isinstance(parts.exponent, int)
        sign, digits, exponent = bool(parts.sign), "".join(map(str, parts.digits)).lstrip("0") or "0", parts.exponent
    short = digits.rstrip("0")
    if not short:
        return "0"
    return f"{'-' if sign else ''}{short}e{exponent + len(digits) - len(short)}"


def fold_text(text: str) -> str:
    """A text without differences of case, of blanks and of the composition of its characters."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise JsonFault("duplicate_key")
    return unique


def _parse_integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= MAX_INTEGER_DIGITS else Decimal(text)


def _parse_decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of more than 18 digits
        raise JsonFault("number") from None
    if not number.is_finite():
        raise JsonFault("number")
    return number


def _refuse_constant(_: str) -> Any:
    raise JsonFault("not_a_number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys,
    parse_int=_parse_integer,
    parse_float=_parse_decimal,
    parse_constant=_refuse_constant,
)
