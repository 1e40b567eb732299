"""Engines turn prompts into completions. `load` imports only the module that the kind of a spec needs."""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schemas.engine_specs import EngineSpec
from schemas.errors import EngineError, QuestmillError
from schemas.identity import FrozenModel

REMOTE_KINDS = frozenset({"http"})
"""Kinds that hold no model in this process, so any number of them may be open at once."""
IN_THREAD_KINDS = frozenset({"embedded", "regressor"})
"""Kinds whose model runs in the thread that calls the engine."""


class _LoadedModel:
    """The one resident model of this process, and how many shards use it."""

    def __init__(self, spec: FrozenModel, engine: Any) -> None:
        self.spec, self.engine, self.users = spec, engine, 0


_loaded_model: _LoadedModel | None = None
_remote_engines: dict[str, Any] = {}
_condition = threading.Condition()


def load(spec: FrozenModel) -> Any:
    """Return the engine of `spec`; open it, after closing another resident model, if it is not open yet.

    `spec.kind` names the module, which must define `open_engine(spec)`. At most one model is resident per process; if
    another one is in use, `load` waits until it is free. Raises ValueError if the kind does not exist, and whatever
    the engine raises if it cannot start.
    """
    global _loaded_model
    kind = str(getattr(spec, "kind", ""))
    with _condition:
        if kind in REMOTE_KINDS:
            key = spec.model_dump_json()
            if key not in _remote_engines:
                _remote_engines[key] = _import_engine(kind).open_engine(spec)
            return _remote_engines[key]
        _condition.wait_for(lambda: _loaded_model is None or _loaded_model.spec == spec or not _loaded_model.users)
        if _loaded_model is None or _loaded_model.spec != spec:
            if _loaded_model is not None:
                _loaded_model.engine.close()
                _loaded_model = None
            _loaded_model = _LoadedModel(spec, _import_engine(kind).open_engine(spec))
        return _loaded_model.engine


@contextmanager
def borrow(spec: FrozenModel) -> Iterator[Any]:
    """Yield the engine of `spec`; `load` does not close it inside `with`. Raises EngineError if it does not start."""
    with _condition:
        engine, loaded = _load_or_explain(spec), _loaded_model
        borrowed = loaded if loaded is not None and loaded.engine is engine else None
        if borrowed is not None:
            borrowed.users += 1
    try:
        yield engine
    finally:
        with _condition:
            if borrowed is not None:
                borrowed.users -= 1
            _condition.notify_all()


def _load_or_explain(spec: FrozenModel) -> Any:
    try:
        return load(spec)
    except QuestmillError:
        raise
    except Exception as error:
        model = getattr(spec, "path", "") or getattr(spec, "model", "")
        line = next(iter(str(error).splitlines()), "") or type(error).__name__
        problem = line if isinstance(error, ValueError) and model in line else f"{model} cannot be loaded: {line}"
        raise EngineError(f"an engine of kind {getattr(spec, 'kind', '')!r} does not start: {problem}") from error


def pin_model(spec: EngineSpec) -> EngineSpec:
    """Return the spec with the digest of the model that is there now. Raises ValueError if there is no model."""
    pinned: EngineSpec = _import_engine(spec.kind).pin_model(spec)
    return pinned


def is_io_bound(spec: EngineSpec) -> bool:
    """Whether a shard only waits for its replies, because the model runs on a server or in other processes."""
    return spec.kind not in IN_THREAD_KINDS


def unload() -> None:
    """Close every engine, even those in use."""
    global _loaded_model
    with _condition:
        for engine in [*_remote_engines.values(), *([_loaded_model.engine] if _loaded_model is not None else [])]:
            engine.close()
        _remote_engines.clear()
        _loaded_model = None
        _condition.notify_all()


def _import_engine(kind: str) -> Any:
    try:
        return importlib.import_module(f"{__name__}.{kind}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{kind}":
            raise
        raise ValueError(f"no engine of kind {kind!r}; write infra/engines/{kind}.py or choose another") from None
