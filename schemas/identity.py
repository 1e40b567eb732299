"""What names work: the identity of a step or an engine, and its fingerprint."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict


class NotIdentity:
    """Marks a field that says only *where* work happens: `Annotated[str, Where]` is no part of the identity."""


class FrozenModel(BaseModel):
    """Base of everything that has an identity: immutable, strict about names, documented by string literals."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)

    def identity_facts(self) -> dict[str, Any]:
        """What counts for the identity beside the fields."""
        return {}


def identity(thing: Any) -> Any:
    """The part of `thing` that says what it is, as plain JSON; fields marked `NotIdentity` are left out."""
    if isinstance(thing, BaseModel):
        excluded = _not_identity_fields(type(thing))
        kept = {name: identity(getattr(thing, name)) for name in type(thing).model_fields if name not in excluded}
        return kept | (thing.identity_facts() if isinstance(thing, FrozenModel) else {})
    if isinstance(thing, Mapping):
        return {str(k): identity(v) for k, v in thing.items()}
    if isinstance(thing, Sequence) and not isinstance(thing, str | bytes):
        return [identity(v) for v in thing]
    return thing


def _not_identity_fields(model: type[BaseModel]) -> set[str]:
    """Fields marked `NotIdentity` by the class or by one that it extends: a new default unmarks nothing."""
    models = [base for base in model.__mro__ if issubclass(base, BaseModel)]
    return {name for base in models for name, field in base.model_fields.items() if NotIdentity in field.metadata}


def fingerprint(*things: Any) -> str:
    """sha256 in hex over the identity of `things`: equal for equal work, wherever it runs."""
    text = json.dumps([identity(t) for t in things], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
