"""Engines: where prompts become completions. `load` imports only the module that a spec's kind needs."""

import importlib
import threading
from typing import Any

from schemas.engine import Prompt, Spec
from schemas.work import Frozen

_resident: tuple[Frozen, Any] | None = None
_lock = threading.Lock()


def load(spec: Frozen) -> Any:
    """The engine of `spec`: the resident one if it is of the same spec, otherwise the resident one is closed first.

    `spec.kind` names the module, which must define `open_engine(spec)`. At most one model is resident per process.
    Raises ValueError for a kind that does not exist, and what the engine raises when it cannot start.
    """
    global _resident
    with _lock:
        if _resident is not None and _resident[0] == spec:
            return _resident[1]
        if _resident is not None:
            _resident[1].close()
            _resident = None
        engine = _module(str(getattr(spec, "kind", ""))).open_engine(spec)
        _resident = (spec, engine)
        return engine


def pin(spec: Spec) -> Spec:
    """The same spec, holding the identity of the model that is there now; raises ValueError where none is."""
    pinned: Spec = _module(spec.kind).pin(spec)
    return pinned


def waits(spec: Spec) -> bool:
    """Whether a shard that is asked only waits, because the model works elsewhere or by itself."""
    return spec.kind != "embedded"


def unload() -> None:
    """Close the resident engine, if there is one."""
    global _resident
    with _lock:
        if _resident is not None:
            _resident[1].close()
        _resident = None


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """What an instruct model reads: the instruction, constant over a stage, then the inputs under their names."""
    inputs = "\n\n".join(f"{name.replace('_', ' ').capitalize()}:\n{text}" for name, text in prompt.inputs.items())
    if not inputs:
        return [{"role": "user", "content": prompt.instruction}]
    return [{"role": "system", "content": prompt.instruction}, {"role": "user", "content": inputs}]


def _module(kind: str) -> Any:
    try:
        return importlib.import_module(f"{__name__}.{kind}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{kind}":
            raise
        raise ValueError(f"no engine of kind {kind!r}; write infra/engines/{kind}.py or choose another") from None
