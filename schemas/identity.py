"""What names work: two identities, and the fingerprint of each.

*What is asked* of a model is named by `ask_fingerprint`: label of the stage, row id, prompt, sampling, model, round.
Seeds
and replies hang on it alone, so a changed parser asks nothing again.

*What is worked* is named by `fingerprint` of the step, its engine and its inputs: all fields, label, version and table.
Receipts hang on it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

ADDED_FIELDS: Mapping[str, str] = {}
"""Fields that were added after a release, as `Model.field`, and the release that brought them. One that holds its
default
is left out of both identities, so what was worked before stays done."""


class NotIdentity:
    """Marks a field that only says *where* work happens: `Annotated[str, NotIdentity]` is left out of the identity."""


class FrozenModel(BaseModel):
    """Base of everything that has an identity: immutable, strict about names, documented by string literals."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)

    def identity_facts(self) -> dict[str, Any]:
        """What counts for the identity beside the fields."""
        return {}


def identity(thing: Any, added: Mapping[str, str] = ADDED_FIELDS) -> Any:
    """The part of `thing` that says what it is, as plain JSON.

    Left out are fields marked `NotIdentity`, and those of `added` that hold their default.
    """
    if isinstance(thing, BaseModel):
        left_out = _not_identity_fields(type(thing)) | _unused_fields(thing, added)
        kept = {
            name: identity(getattr(thing, name), added) for name in type(thing).model_fields if name not in left_out
        }
        return kept | (thing.identity_facts() if isinstance(thing, FrozenModel) else {})
    if isinstance(thing, Mapping):
        return {str(k): identity(v, added) for k, v in thing.items()}
    if isinstance(thing, Sequence) and not isinstance(thing, str | bytes):
        return [identity(v, added) for v in thing]
    return thing


def fingerprint(*things: Any) -> str:
    """sha256 in hex over the identity of `things`: equal for equal work, wherever it runs."""
    text = json.dumps([identity(t) for t in things], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def ask_fingerprint(label: str, sampling: BaseModel, model: str, round_name: str = "") -> str:
    """What all questions of one stage to one model share: the first half of what is asked.

    `model` is the fingerprint of the engine. The number of samples is left out, for each sample has a number of its
    own:
    the first four of eight are the four that were asked for before.
    """
    decoding = {name: value for name, value in identity(sampling).items() if name != "n"}
    return fingerprint(label, decoding, model, *([round_name] if round_name else []))


def question_key(shared: str, row_id: str, prompt: Mapping[str, Any]) -> str:
    """What is asked about one row, as sha256 in hex. `shared` comes from `ask_fingerprint`; `prompt` is plain JSON."""
    text = json.dumps([shared, row_id, prompt], separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _not_identity_fields(model: type[BaseModel]) -> set[str]:
    """Fields marked `NotIdentity` by the class or by one that it extends: a new default unmarks nothing."""
    models = [base for base in model.__mro__ if issubclass(base, BaseModel)]
    return {name for base in models for name, field in base.model_fields.items() if NotIdentity in field.metadata}


def _unused_fields(thing: BaseModel, added: Mapping[str, str]) -> set[str]:
    """Fields of `added` that hold their default."""
    owners = [base.__name__ for base in type(thing).__mro__]
    return {
        name
        for name, field in type(thing).model_fields.items()
        if any(f"{owner}.{name}" in added for owner in owners)
        and getattr(thing, name) == field.get_default(call_default_factory=True)
    }
