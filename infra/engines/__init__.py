"""Engines: where prompts become completions. `load` imports only the module that a spec's kind needs."""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schemas.engine_specs import Spec
from schemas.errors import EngineError, QuestmillError
from schemas.identity import Frozen
from schemas.prompts import Prompt

YES, NO = ("yes", "Yes", "YES", " yes", " Yes"), ("no", "No", "NO", " no", " No")
"""How models spell a verdict; a score is the probability of the first over that of both."""
REMOTE = frozenset({"http"})
"""Kinds that hold no model, so that any number of them may be open at once."""
LOCAL = frozenset({"embedded", "regressor"})
"""Kinds whose model works in the thread that asks it."""


class _Resident:
    """The one model of this process, and how many shards use it."""

    def __init__(self, spec: Frozen, engine: Any) -> None:
        self.spec, self.engine, self.users = spec, engine, 0


_resident: _Resident | None = None
_remote: dict[str, Any] = {}
_changed = threading.Condition()


def load(spec: Frozen) -> Any:
    """The engine of `spec`: the one that is open if there is one, otherwise the resident model makes room for it.

    `spec.kind` names the module, which must define `open_engine(spec)`. At most one model is resident per process; one
    that is in use is waited for. Raises ValueError for a kind that does not exist, and what the engine raises when it
    cannot start.
    """
    global _resident
    kind = str(getattr(spec, "kind", ""))
    with _changed:
        if kind in REMOTE:
            key = spec.model_dump_json()
            if key not in _remote:
                _remote[key] = _module(kind).open_engine(spec)
            return _remote[key]
        _changed.wait_for(lambda: _resident is None or _resident.spec == spec or not _resident.users)
        if _resident is None or _resident.spec != spec:
            if _resident is not None:
                _resident.engine.close()
                _resident = None
            _resident = _Resident(spec, _module(kind).open_engine(spec))
        return _resident.engine


@contextmanager
def using(spec: Frozen) -> Iterator[Any]:
    """The engine of `spec`, which nobody closes as long as this is open. Raises EngineError where it does not start."""
    with _changed:
        engine, resident = _opened(spec), _resident
        held = resident if resident is not None and resident.engine is engine else None
        if held is not None:
            held.users += 1
    try:
        yield engine
    finally:
        with _changed:
            if held is not None:
                held.users -= 1
            _changed.notify_all()


def _opened(spec: Frozen) -> Any:
    try:
        return load(spec)
    except QuestmillError:
        raise
    except Exception as error:
        where = getattr(spec, "path", "") or getattr(spec, "model", "")
        line = next(iter(str(error).splitlines()), "") or type(error).__name__
        told = line if isinstance(error, ValueError) and where in line else f"{where} cannot be loaded: {line}"
        raise EngineError(f"an engine of kind {getattr(spec, 'kind', '')!r} does not start: {told}") from error


def pin(spec: Spec) -> Spec:
    """The same spec, holding the identity of the model that is there now; raises ValueError where none is."""
    pinned: Spec = _module(spec.kind).pin(spec)
    return pinned


def waits(spec: Spec) -> bool:
    """Whether a shard that is asked only waits, because the model works elsewhere or by itself."""
    return spec.kind not in LOCAL


def unload() -> None:
    """Close every engine, whoever uses it."""
    global _resident
    with _changed:
        for engine in [*_remote.values(), *([_resident.engine] if _resident is not None else [])]:
            engine.close()
        _remote.clear()
        _resident = None
        _changed.notify_all()


def judged(prompt: Prompt) -> list[dict[str, str]]:
    """What a reward model reads: a conversation, whose last input the assistant said; instructions are not for it."""
    *given, said = prompt.inputs.values()
    return [{"role": "user", "content": "\n\n".join(given)}, {"role": "assistant", "content": said}]


def _module(kind: str) -> Any:
    try:
        return importlib.import_module(f"{__name__}.{kind}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{kind}":
            raise
        raise ValueError(f"no engine of kind {kind!r}; write infra/engines/{kind}.py or choose another") from None
