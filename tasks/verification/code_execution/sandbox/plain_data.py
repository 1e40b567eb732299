"""Writes Python values as JSON and reads them back, by value: no object of one process reaches another.

A value whose class is derived from a plain one, such as a `Counter` or an `int` with an equality of its own, is written
as the plain value. What is not plain, such as a function, is written by `write_other`, which may refuse it.
"""

import datetime
import decimal
import fractions
import json
from collections.abc import Callable
from typing import Any, NoReturn

MAX_DEPTH = 150
"""Deepest nesting of a value."""
MAX_DECIMAL_BITS = 10_000
"""Bits of an integer up to which it is written in decimals, which takes quadratic time."""


class NotPlain(Exception):
    """The value is neither plain data nor made of plain data, or it is nested too deeply."""


def refuse(value: Any) -> NoReturn:
    """Raise `NotPlain` for a value."""
    raise NotPlain(type(value).__name__[:100])


def write_plain(value: Any, write_other: Callable[[Any], Any] = refuse, depth: int = 0) -> Any:
    """The value as JSON data. Raises `NotPlain`."""
    if depth > MAX_DEPTH:
        raise NotPlain("nested too deeply")
    if value is None or value is True or value is False:
        return value
    classes = type.mro(type(value)) if type(value) is not type else []
    for kind, write in _WRITERS.items():
        if kind in classes:
            return write(value, lambda part: write_plain(part, write_other, depth + 1))
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return write_plain(value.tolist(), write_other, depth + 1)
    return write_other(value)


def read_plain(data: Any, read_other: Callable[[Any], Any] = refuse) -> Any:
    """The value that `write_plain` wrote. Raises `NotPlain`, also for data that it cannot have written."""
    if data is None or isinstance(data, bool | int | float | str):
        return data
    if not isinstance(data, dict) or len(data) != 1:
        raise NotPlain("not written as plain data")
    [(name, content)] = data.items()
    if name not in _READERS:
        return read_other(data)
    try:
        return _READERS[name](content, lambda part: read_plain(part, read_other))
    except NotPlain:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise NotPlain(f"not written as plain data: {error}") from error


def _write_int(value: int, _: Any) -> Any:
    value = int.__pos__(value)
    return value if value.bit_length() <= MAX_DECIMAL_BITS else {"int": hex(value)}


def _write_set(value: Any, write: Callable[[Any], Any]) -> Any:
    name = "frozenset" if isinstance(value, frozenset) else "set"
    base = frozenset if isinstance(value, frozenset) else set
    return {name: sorted((write(part) for part in base.__iter__(value)), key=json.dumps)}


_WRITERS: dict[type, Callable[[Any, Callable[[Any], Any]], Any]] = {
    int: _write_int,
    float: lambda value, _: float.__pos__(value),
    str: lambda value, _: str.__str__(value),
    list: lambda value, write: {"list": [write(part) for part in list.__iter__(value)]},
    tuple: lambda value, write: {"tuple": [write(part) for part in tuple.__iter__(value)]},
    dict: lambda value, write: {"dict": [[write(key), write(part)] for key, part in dict.items(value)]},
    set: _write_set,
    frozenset: _write_set,
    bytes: lambda value, _: {"bytes": bytes.hex(value)},
    bytearray: lambda value, _: {"bytearray": bytearray.hex(value)},
    complex: lambda value, _: {"complex": [value.real, value.imag]},
    range: lambda value, _: {"range": [value.start, value.stop, value.step]},
    decimal.Decimal: lambda value, _: {"decimal": str(value)},
    fractions.Fraction: lambda value, _: {"fraction": [hex(value.numerator), hex(value.denominator)]},
    datetime.datetime: lambda value, _: {"datetime": value.isoformat()},
    datetime.date: lambda value, _: {"date": value.isoformat()},
    datetime.time: lambda value, _: {"time": value.isoformat()},
    datetime.timedelta: lambda value, _: {"timedelta": [value.days, value.seconds, value.microseconds]},
}
"""How a value of each plain class is written. Of a class and one derived from it, the derived one comes first."""

_READERS: dict[str, Callable[[Any, Callable[[Any], Any]], Any]] = {
    "int": lambda data, _: int(data, 16),
    "list": lambda data, read: [read(part) for part in data],
    "tuple": lambda data, read: tuple(read(part) for part in data),
    "dict": lambda data, read: {read(key): read(part) for key, part in data},
    "set": lambda data, read: {read(part) for part in data},
    "frozenset": lambda data, read: frozenset(read(part) for part in data),
    "bytes": lambda data, _: bytes.fromhex(data),
    "bytearray": lambda data, _: bytearray.fromhex(data),
    "complex": lambda data, _: complex(*data),
    "range": lambda data, _: range(*data),
    "decimal": lambda data, _: decimal.Decimal(data),
    "fraction": lambda data, _: fractions.Fraction(*(int(part, 16) for part in data)),
    "datetime": lambda data, _: datetime.datetime.fromisoformat(data),
    "date": lambda data, _: datetime.date.fromisoformat(data),
    "time": lambda data, _: datetime.time.fromisoformat(data),
    "timedelta": lambda data, _: datetime.timedelta(*data),
}
