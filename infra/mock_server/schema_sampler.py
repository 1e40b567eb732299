"""Draws a JSON value that fits a simple JSON schema, as a server with guided decoding would write one."""

import math
import random
from typing import Any

DEEPEST = 16
"""Levels; a schema that holds itself never ends."""

WORDS = ["so", "then", "half", "twice", "the", "sum", "of", "both", "sides"]


class BadShape(ValueError):
    """The schema is none that can be filled."""


def fill(schema: Any, draw: random.Random) -> Any:
    """A value for `schema`: object, array, string, number, integer, boolean, null, enum, const, anyOf, oneOf, $ref.

    Every property is given, required or not; bounds of numbers and sizes are kept, patterns are not. Raises `BadShape`.
    """
    if not isinstance(schema, dict):
        raise BadShape("a schema must be an object")
    try:
        return _fill(schema, draw, schema, 0)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise BadShape(f"the schema cannot be filled: {error}") from error


def _fill(schema: dict[str, Any], draw: random.Random, root: dict[str, Any], depth: int) -> Any:
    if depth > DEEPEST:
        raise BadShape(f"it is deeper than {DEEPEST} levels")
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw.choice(schema["enum"])
    if inner := schema.get("anyOf") or schema.get("oneOf"):
        return _fill(inner[0], draw, root, depth + 1)
    if "$ref" in schema:
        return _fill(_referred(schema["$ref"], root), draw, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _fill(inner, draw, root, depth + 1) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        most = schema.get("maxItems", schema.get("minItems", 1) + 2)
        least = min(schema.get("minItems", 1), most)
        size = draw.randint(least, min(most, least + 2))
        return [_fill(schema.get("items", {}), draw, root, depth + 1) for _ in range(size)]
    return _plain(kind, schema, draw)


def _plain(kind: str, schema: dict[str, Any], draw: random.Random) -> Any:
    if kind == "string":
        text = " ".join(draw.choices(WORDS, k=draw.randint(1, 8)))
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    if kind == "boolean":
        return draw.random() < 0.5
    if kind == "null":
        return None
    if kind in ("integer", "number"):
        return _number(schema, draw, whole=kind == "integer")
    raise BadShape(f"type {kind!r} is unknown")


def _number(schema: dict[str, Any], draw: random.Random, whole: bool) -> float:
    """Inside the bounds, or of the thousand beside the one that is given."""
    least = [schema[name] for name in ("minimum", "exclusiveMinimum") if name in schema]
    most = [schema[name] for name in ("maximum", "exclusiveMaximum") if name in schema]
    low = max(least) if least else min([0, *(bound - 999 for bound in most if bound < 0)])
    high = min(most) if most else low + 999
    if not whole:
        return draw.uniform(low, high)
    low, high = math.ceil(low), math.floor(high)
    return draw.randint(low + (low == schema.get("exclusiveMinimum")), high - (high == schema.get("exclusiveMaximum")))


def _referred(path: str, root: dict[str, Any]) -> dict[str, Any]:
    found: Any = root
    for name in path.removeprefix("#/").split("/"):
        found = found.get(name)
    if not isinstance(found, dict):
        raise BadShape(f"{path!r} refers to nothing")
    return found
