"""Fingerprints that say when two pieces of work are the same, so that nothing is done twice.

There are two of them. The fingerprint of a *question* to a model (`ask_fingerprint` and `question_key`) covers the
stage's label, row id, prompt, sampling, model and round. Seeds and stored replies depend on it alone, so a changed
parser asks no question again.

The fingerprint of a step's *work* (`fingerprint` of the step, its engine and its inputs) covers all fields, label,
version and table. Receipts depend on it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

_ADDED_IN_0_2: Mapping[str, tuple[str, ...]] = {
    "Sampling": (
        *("top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty", "stop", "thinking"),
    ),
    "HttpSpec": ("bare_prefix", "layout", "reasoning_marks", "score_api", "thinks", "thought_tokens"),
    "ChatModelSpec": ("layout", "system_turn", "thinks", "thought_tokens", "reasoning_marks"),
    "EmbeddedSpec": ("max_model_len",),
    "RewardModelSpec": ("trust_remote_code", "reward_token", "step_token", "step_scores"),
    "ColumnNames": ("by_file", "answer_type", "answer_details"),
    "ScaleQuest": ("problem_types", "input", "columns", "without"),
    "QuestionerTraining": ("without",),
    "Lemma": ("strategies",),
    "DrawErrorTypes": ("uniform",),
    "Truncate": ("keep_whole_solution",),
    "Verifiers": (
        *("answer_type", "choice", "text", "number", "code", "program", "function", "sql"),
        *("json_answer", "call", "constraints", "gold_doubts"),
    ),
}
ADDED_FIELDS: Mapping[str, str] = {
    f"{model}.{field}": "0.2" for model, fields in _ADDED_IN_0_2.items() for field in fields
}
"""Fields that were added after a release, as `Model.field`, with the release that added them. A field that holds its
default is left out of both fingerprints, so earlier work stays valid."""


class NotIdentity:
    """Marks a field that does not change the result, e.g. *where* work happens: `Annotated[str, NotIdentity]` is left
    out of the identity."""


class FrozenModel(BaseModel):
    """Base class of everything that has an identity: immutable, without unknown fields, documented by string
    literals."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)

    def identity_facts(self) -> dict[str, Any]:
        """What counts for the identity in addition to the fields."""
        return {}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy with other values, which are not validated. Raises `TypeError` if there is no field of a name.

        Pydantic's own takes any name, so a change of a field that was renamed would do nothing, without a word.
        """
        if unknown := sorted(set(update or ()) - type(self).model_fields.keys()):
            raise TypeError(f"{type(self).__name__} has no field {unknown[0]!r}")
        return super().model_copy(update=update, deep=deep)


def identity(thing: Any, added: Mapping[str, str] = ADDED_FIELDS) -> Any:
    """The part of `thing` that counts for its identity, as plain JSON.

    Fields marked `NotIdentity` are left out, and so are fields of `added` that hold their default.
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
    """The sha256, in hex, of the identity of `things`. Equal work has equal fingerprints, wherever it runs."""
    text = json.dumps([identity(t) for t in things], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def ask_fingerprint(label: str, sampling: BaseModel, model: str, round_name: str = "") -> str:
    """The fingerprint that all questions of one stage to one model share; `question_key` adds the row.

    `model` is the fingerprint of the engine. The number of samples is left out, because samples are numbered: the first
    four of eight samples are the same as four samples asked for earlier.
    """
    decoding = {name: value for name, value in identity(sampling).items() if name != "n"}
    return fingerprint(label, decoding, model, *([round_name] if round_name else []))


def question_key(shared: str, row_id: str, prompt: Mapping[str, Any]) -> str:
    """The key of one row's question: sha256 in hex. `shared` comes from `ask_fingerprint`; `prompt` is plain JSON."""
    text = json.dumps([shared, row_id, prompt], separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _not_identity_fields(model: type[BaseModel]) -> set[str]:
    """Fields marked `NotIdentity` by the class or one of its bases; the mark survives a new default in a subclass."""
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
