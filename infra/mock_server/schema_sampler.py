"""Draws a JSON value that fits a simple JSON schema, as a server with guided decoding would write it."""

import math
import random
from typing import Any

MAX_DEPTH = 16
"""Deepest level of nesting; a recursive schema would never end."""

WORDS = ["so", "then", "half", "twice", "the", "sum", "of", "both", "sides"]


class UnsupportedSchema(ValueError):
    """No value can be drawn for this schema."""


def sample_value(schema: Any, rng: random.Random) -> Any:
    """Draw a value for `schema`: object, array, string, number, integer, boolean, null, enum, const, anyOf, $ref.

    `oneOf` is read as `anyOf`. Every property is given, required or not. Bounds of numbers and sizes are respected,
    patterns are not. Raises `UnsupportedSchema`.
    """
    if not isinstance(schema, dict):
        raise UnsupportedSchema("a schema must be an object")
    try:
        return _sample(schema, rng, schema, 0)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise UnsupportedSchema(f"the schema cannot be filled: {error}") from error


def _sample(schema: dict[str, Any], rng: random.Random, root: dict[str, Any], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise UnsupportedSchema(f"it is deeper than {MAX_DEPTH} levels")
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if inner := schema.get("anyOf") or schema.get("oneOf"):
        return _sample(inner[0], rng, root, depth + 1)
    if "$ref" in schema:
        return _sample(_resolve_reference(schema["$ref"], root), rng, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _sample(inner, rng, root, depth + 1) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        max_items = schema.get("maxItems", schema.get("minItems", 1) + 2)
        min_items = min(schema.get("minItems", 1), max_items)
        size = rng.randint(min_items, min(max_items, min_items + 2))
        return [_sample(schema.get("items", {}), rng, root, depth + 1) for _ in range(size)]
    return _sample_scalar(kind, schema, rng)


def _sample_scalar(kind: str, schema: dict[str, Any], rng: random.Random) -> Any:
    if kind == "string":
        text = " ".join(rng.choices(WORDS, k=rng.randint(1, 8)))
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "null":
        return None
    if kind in ("integer", "number"):
        return _sample_number(schema, rng, is_integer=kind == "integer")
    raise UnsupportedSchema(f"type {kind!r} is unknown")


def _sample_number(schema: dict[str, Any], rng: random.Random, is_integer: bool) -> float:
    """Draw a number within the bounds; if one is missing, from 1,000 values next to the other."""
    lower_bounds = [schema[name] for name in ("minimum", "exclusiveMinimum") if name in schema]
    upper_bounds = [schema[name] for name in ("maximum", "exclusiveMaximum") if name in schema]
    low = max(lower_bounds) if lower_bounds else min([0, *(bound - 999 for bound in upper_bounds if bound < 0)])
    high = min(upper_bounds) if upper_bounds else low + 999
    if not is_integer:
        return rng.uniform(low, high)
    low, high = math.ceil(low), math.floor(high)
    return rng.randint(low + (low == schema.get("exclusiveMinimum")), high - (high == schema.get("exclusiveMaximum")))


def _resolve_reference(path: str, root: dict[str, Any]) -> dict[str, Any]:
    value: Any = root
    for name in path.removeprefix("#/").split("/"):
        value = value.get(name)
    if not isinstance(value, dict):
        raise UnsupportedSchema(f"{path!r} refers to nothing")
    return value
