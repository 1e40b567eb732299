"""The child of `limited_process.py`: checks JSON against schemas and texts against patterns, until its input closes.

No reference of a schema is ever fetched: what the schema does not hold itself, and what is no part of the standard, is
a fault of the schema.
"""

import json
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tasks.verification.json_child import ParentPipe, limit_resources

MEMORY_BYTES = 2 << 30
"""Largest address space of a child, in bytes: 5 MB of JSON take some 500 MB."""
RECURSION_FRAMES = 5000
"""Recursion limit in Python frames: a schema of 200 levels takes some 10 for each."""
FAULT_CHARACTERS = 200
"""Characters kept of what was wrong."""
MAX_EXPONENT = 4000
"""Largest exponent of a number such as 1e3 that is made an integer."""


def check_schema(message: Mapping[str, Any]) -> dict[str, Any]:
    """Whether JSON fits a schema, with the path of the first difference; or the fault of the schema."""
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    schema, instance = _parse(message["schema"]), _parse(message["instance"])
    if not isinstance(schema, dict | bool):
        return {"fault": "a schema is an object, true or false"}
    dialect = schema.get("$schema") if isinstance(schema, dict) else None
    kind = validator_for(schema, default=None if dialect else Draft202012Validator)
    if kind is None:
        return {"fault": f"no dialect {dialect}"[:FAULT_CHARACTERS]}
    try:
        kind.check_schema(schema)
        formats = FormatChecker() if message["formats"] else None
        first = next(kind(schema, registry=Registry(), format_checker=formats).iter_errors(instance), None)
    except SchemaError as error:
        return {"fault": error.message[:FAULT_CHARACTERS]}
    except (Unresolvable, re.error) as error:
        return {"fault": f"{type(error).__name__}: {error}"[:FAULT_CHARACTERS]}
    except RecursionError:
        return {"fault": "it refers to itself without end"}
    return {"valid": first is None, "path": first.json_path[:FAULT_CHARACTERS] if first else ""}


def match_pattern(message: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a text fits a pattern, as a whole or anywhere; or the fault of the pattern."""
    try:
        pattern = re.compile(message["pattern"], re.IGNORECASE if message["ignore_case"] else 0)
    except (re.error, OverflowError, RecursionError) as error:
        return {"fault": str(error)[:FAULT_CHARACTERS]}
    found = pattern.search(message["text"]) if message["anywhere"] else pattern.fullmatch(message["text"])
    return {"valid": found is not None}


CHECKS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "schema": check_schema,
    "pattern": match_pattern,
}


def _parse(text: str) -> Any:
    """JSON with exact numbers; 1.0 and 1e2 are integers, as JSON Schema wants it."""
    return json.loads(text, parse_float=_parse_number)


def _parse_number(text: str) -> int | Decimal:
    number = Decimal(text)
    return int(number) if abs(number.adjusted()) < MAX_EXPONENT and number == number.to_integral_value() else number


def serve() -> None:
    """Answer checks from stdin until it closes. Runs in the child and never returns.

    A timer of CPU time ends it by SIGPROF, whose default action works even inside C code.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    parent = ParentPipe()
    parent.send({})
    while True:
        message = parent.receive()
        signal.setitimer(signal.ITIMER_PROF, message["cpu_seconds"])
        try:
            reply = CHECKS[message["check"]](message)
        except BaseException as error:
            parent.send({"died": f"{type(error).__name__}: {error}"[:FAULT_CHARACTERS]})
            os._exit(1)  # after a MemoryError nothing in this process can be trusted
        signal.setitimer(signal.ITIMER_PROF, 0)
        parent.send(reply)


def main() -> None:
    """Set the child's limits, import the library, and serve."""
    limit_resources(MEMORY_BYTES, RECURSION_FRAMES)
    sys.set_int_max_str_digits(0)
    warnings.simplefilter("ignore")
    import jsonschema  # noqa: F401  # so that no check pays for it

    serve()


if __name__ == "__main__":
    main()
