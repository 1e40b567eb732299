"""Function calls as data, and whether a call is the one that a gold wants."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from tasks.verification.answer_types.strict_json import fold_text, read_json

ValueForm = Literal["one", "any_of", "bfcl"]
"""What a gold holds for each argument: its value, a list of allowed values, or such a list as the Berkeley
Function-Calling Leaderboard writes it, where lists of allowed values also stand within objects and an empty text says
that the argument may be left out."""
MAX_CALLS = 100
"""Calls of one answer."""
OPTIONAL = ""
"""The allowed value that says that an argument may be left out."""
NAMESPACE = "functions."
"""What OpenAI's models write before the name of a function."""


class Call(NamedTuple):
    """A call of a function by the names of its arguments."""

    name: str
    arguments: Mapping[str, Any]


class RawText(str):
    """A value whose type is not known, since the form of the call writes all values without quotes."""


class Rules(NamedTuple):
    """How calls are compared."""

    form: ValueForm = "one"
    optional: frozenset[str] = frozenset()
    """Arguments that may be left out."""
    fold: bool = False
    """Whether case and blanks in texts are ignored."""
    ordered: bool = False
    """Whether the order of the calls counts."""


def find_difference(calls: Sequence[Call], golds: Sequence[Call], rules: Rules) -> str:
    """What differs: `call_count`, `call_name` or `call_arguments`; empty if each call is the one that is wanted."""
    if len(calls) != len(golds):
        return "call_count"
    fits = [[matches_call(call, gold, rules) for call in calls] for gold in golds]
    if all(row[n] for n, row in enumerate(fits)) if rules.ordered else _match_all(fits):
        return ""
    names = [[call.name.removeprefix(NAMESPACE) for call in each] for each in (calls, golds)]
    same_names = names[0] == names[1] if rules.ordered else sorted(names[0]) == sorted(names[1])
    return "call_arguments" if same_names else "call_name"


def _match_all(fits: Sequence[Sequence[bool]]) -> bool:
    """Whether each gold (a row) can have a call (a column) of its own: augmenting paths of bipartite matching."""
    owner: dict[int, int] = {}

    def assign(gold: int, tried: set[int]) -> bool:
        for call, fit in enumerate(fits[gold]):
            if fit and call not in tried:
                tried.add(call)
                if call not in owner or assign(owner[call], tried):
                    owner[call] = gold
                    return True
        return False

    return all(assign(gold, set()) for gold in range(len(fits)))


def matches_call(call: Call, gold: Call, rules: Rules) -> bool:
    """Whether a call has the gold's name and arguments, and no others."""
    if call.name not in (gold.name, NAMESPACE + gold.name):
        return False
    if any(name not in gold.arguments for name in call.arguments):
        return False
    for name, wanted in gold.arguments.items():
        allowed = [wanted] if rules.form == "one" else wanted
        if name not in call.arguments:
            if name not in rules.optional and not (rules.form == "bfcl" and OPTIONAL in allowed):
                return False
        elif not any(matches_value(call.arguments[name], each, rules, top=True) for each in allowed):
            return False
    return True


def matches_value(value: Any, wanted: Any, rules: Rules, top: bool = False) -> bool:
    """Whether a value is the wanted one, with its type. An integer may stand for a float, but not the reverse."""
    if isinstance(value, RawText) and not isinstance(wanted, str):
        value = _parse_raw(value)
    if isinstance(wanted, bool) or wanted is None:
        return value is wanted
    if isinstance(wanted, str):
        return isinstance(value, str) and (fold_text(value) == fold_text(wanted) if rules.fold else value == wanted)
    if isinstance(value, bool):
        return False
    if isinstance(wanted, int):
        return isinstance(value, int) and value == wanted
    if isinstance(wanted, Decimal):
        return isinstance(value, int | Decimal) and value == wanted
    if isinstance(wanted, dict):
        return isinstance(value, dict) and _matches_object(value, wanted, rules)
    assert isinstance(wanted, list)
    return (
        isinstance(value, list)
        and len(value) == len(wanted)
        and all(matches_value(*pair, rules) for pair in zip(value, wanted, strict=True))
    )


def _matches_object(value: Mapping[str, Any], wanted: Mapping[str, Any], rules: Rules) -> bool:
    if any(key not in wanted for key in value):
        return False
    for key, each in wanted.items():
        allowed = each if rules.form == "bfcl" and isinstance(each, list) else [each]
        if key not in value:
            if not (rules.form == "bfcl" and isinstance(each, list) and OPTIONAL in allowed):
                return False
        elif not any(matches_value(value[key], one, rules) for one in allowed):
            return False
    return True


def _parse_raw(text: str) -> Any:
    words = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    parsed = read_json(text)
    return text if parsed.fault else parsed.value
