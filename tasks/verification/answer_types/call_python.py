"""Reads calls in Python syntax, such as `[get_weather(city="Paris")]`, from the syntax tree. Nothing is evaluated."""

import ast
import re
import warnings
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tasks.verification.answer_types.call_values import MAX_CALLS, Call
from tasks.verification.answer_types.strict_json import MAX_INTEGER_DIGITS

MAX_CODE_CHARACTERS = 100_000
"""Characters of a text that is read as Python."""
MAX_BRACKETS = 60
"""Brackets within each other; Python's own parser allows 200."""
# matches "- - - - - - - - -", "not not not not not not not not not", not "--1", "not x"
_OPERATORS = re.compile(r"(?:(?:[-+~]|not\b)\s*){9}")
"""More operators in a row than anyone writes: the syntax tree stays flat."""
# A string that never ends takes the rest of the line or of the text.
# matches "'a'", '"a\\""', '"""a\nb"""', "# note", not "a"
_STRING_OR_COMMENT = re.compile(
    r"(?:'''(?:[^'\\]++|\\.|'(?!''))*+(?:''')?|\"\"\"(?:[^\"\\]++|\\.|\"(?!\"\"))*+(?:\"\"\")?"
    r"|'(?:[^'\\\n]++|\\.)*+'?|\"(?:[^\"\\\n]++|\\.)*+\"?|\#[^\n]*+)",
    re.DOTALL,
)
# matches "f(x=1", "a.b( c = 2", "f()", not "f(x)", "(x=1)", "f(x==1)"
CALL_BEGIN = re.compile(r"(?<![\w.(])[A-Za-z_][\w.]*+\((?:\s*+\)|\s*+[A-Za-z_]\w*+\s*+=(?!=))")
# matches "# ", "print(", "def ", "if x: ", not "I call ", "for Paris I use "
_COMMENT = re.compile(
    r"#|\b(?:print|exec|eval)\(|\b(?:def|return|assert)\s+\Z|\blambda\b[^\n]*:\s*\Z|^\s*(?:if|while|for)\b[^\n]*:\s*\Z"
)
"""Code before a call on its line, which may change what the call means."""
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
"""Constants of JSON that models write in Python syntax."""

Parameters = Mapping[str, Sequence[str]]
"""The names of the parameters of functions, in their order."""


class PythonFault(ValueError):
    """A text is Python that is more than calls with literal arguments, or that is broken."""


def parse_calls(text: str, parameters: Parameters) -> list[Call] | None:
    """The calls of a text that is Python and nothing else; None if it is no Python. Raises `PythonFault`.

    A call may stand in a list, and its result may get a name. Other code is a fault: it might mean anything.
    """
    text = text.strip()
    if not text or "(" not in text or not _is_harmless(text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    if not body:
        return None
    lines = re.split(rb"\r\n|\r|\n", text.encode(errors="replace"))
    calls = [call for statement in body for call in _read_statement(statement, parameters, lines)]
    if len(calls) > MAX_CALLS:
        raise PythonFault("too_long")
    return calls


def _is_harmless(text: str) -> bool:
    """Whether Python's parser may see a text: short, flat, and with names in ASCII, since it folds other letters."""
    if len(text) > MAX_CODE_CHARACTERS:
        return False
    code = _STRING_OR_COMMENT.sub("''", text)
    depth = 0
    for sign in re.findall(r"[()\[\]{}]", code):
        depth += 1 if sign in "([{" else -1
        if depth > MAX_BRACKETS:
            return False
    return code.isascii() and _OPERATORS.search(code) is None


def _read_statement(statement: ast.stmt, parameters: Parameters, lines: list[bytes]) -> list[Call]:
    is_named = isinstance(statement, ast.Assign) and all(isinstance(each, ast.Name) for each in statement.targets)
    if not is_named and not isinstance(statement, ast.Expr):
        raise PythonFault("code")
    assert isinstance(statement, ast.Assign | ast.Expr)
    value = statement.value
    nodes = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    return [_read_call(node, parameters, lines) for node in nodes]


def _read_call(node: ast.expr, parameters: Parameters, lines: list[bytes]) -> Call:
    if not isinstance(node, ast.Call):
        raise PythonFault("code")
    name = _read_name(node.func)
    known = parameters.get(name.removeprefix("functions."), ())
    if len(node.args) > len(known):
        raise PythonFault("positional_arguments")
    pairs = list(zip(known, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None:
            raise PythonFault("code")
        pairs.append((keyword.arg, keyword.value))
    arguments = {key: _read_value(value, lines) for key, value in pairs}
    if len(arguments) < len(pairs):
        raise PythonFault("duplicate_key")
    return Call(name, arguments)


def _read_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_read_name(node.value)}.{node.attr}"
    raise PythonFault("code")


def _read_value(node: ast.expr, lines: list[bytes]) -> Any:
    """The value of a literal. Raises `PythonFault` for everything that would have to be computed."""
    if isinstance(node, ast.List | ast.Tuple):
        return [_read_value(each, lines) for each in node.elts]
    if isinstance(node, ast.Dict):
        return _read_dict(node, lines)
    if isinstance(node, ast.Name) and node.id in _WORDS:
        return _WORDS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _read_value(node.operand, lines) if isinstance(node.operand, ast.Constant) else None
        if isinstance(number, bool) or not isinstance(number, int | Decimal):
            raise PythonFault("code")
        return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.Constant):
        return _read_constant(node, lines)
    raise PythonFault("code")


def _read_constant(node: ast.Constant, lines: list[bytes]) -> Any:
    value = node.value
    if isinstance(value, float):  # from its text, since a float loses digits
        assert node.end_col_offset is not None
        return Decimal(lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode().replace("_", ""))
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 4 * MAX_INTEGER_DIGITS:
        raise PythonFault("number")
    if value is None or isinstance(value, bool | int | str):
        return value
    raise PythonFault("code")


def _read_dict(node: ast.Dict, lines: list[bytes]) -> dict[str, Any]:
    pairs = [
        (_read_value(key, lines) if key else None, value) for key, value in zip(node.keys, node.values, strict=True)
    ]
    if not all(isinstance(key, str) for key, _ in pairs):
        raise PythonFault("code")
    values = {str(key): _read_value(value, lines) for key, value in pairs}
    if len(values) < len(pairs):
        raise PythonFault("duplicate_key")
    return values


def scan_calls(text: str, parameters: Parameters) -> list[Call]:
    """The calls with named arguments within other words. Raises `PythonFault` if one is broken."""
    calls, at = list[Call](), 0
    while match := CALL_BEGIN.search(text, at):
        if _COMMENT.search(text, text.rfind("\n", 0, match.start()) + 1, match.start()):
            raise PythonFault("code")
        end = _find_end(text, text.index("(", match.start()))
        read = parse_calls(text[match.start() : end], parameters) if end >= 0 else None
        if read is None or len(calls) >= MAX_CALLS:
            raise PythonFault("cut_off" if end < 0 else "code")
        calls += read
        at = end
    return calls


def _find_end(text: str, start: int) -> int:
    """The position behind the bracket that closes the one at `start`; -1 if none does."""
    depth, at = 0, start
    while at < min(len(text), start + MAX_CODE_CHARACTERS):
        if text[at] in "'\"" and (string := _STRING_OR_COMMENT.match(text, at)):
            at = string.end()
            continue
        depth += (text[at] in "([{") - (text[at] in ")]}")
        at += 1
        if depth == 0:
            return at
    return -1
