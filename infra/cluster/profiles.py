"""Reads profiles, which say where a run happens, from TOML files."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.engine_specs import EmbeddedSpec, HttpSpec, RegressorSpec, VllmSpec
from schemas.errors import BadInput
from schemas.profile import LocalCluster, Profile, RemoteCluster

KINDS: Mapping[str, type[BaseModel]] = {
    "embedded": EmbeddedSpec,
    "http": HttpSpec,
    "vllm": VllmSpec,
    "regressor": RegressorSpec,
    "local": LocalCluster,
    "remote": RemoteCluster,
}
"""What a table of a profile describes, by its `kind`."""

OLD_FIELDS: Mapping[str, Mapping[str, str]] = {
    "http": {
        "form": "api",
        "many": "supports_n",
        "floor": "min_in_flight",
        "slots": "max_in_flight",
        "patience": "outage_seconds",
        "extra": "extra_body",
        "attempts": "max_attempts",
    },
    "vllm": {
        "slots": "max_in_flight",
        "stall": "stall_seconds",
        "eager": "enforce_eager",
        "cache_gib": "kv_cache_gib",
    },
    "local": {
        "asking": "max_waiting_shards",
        "memory": "memory_limit",
    },
}
"""Present names of fields by their old ones, for each kind of table. They are only shown in error messages."""


def load_profile(name: str, store: str | None = None) -> Profile:
    """Load `infra/profiles/<name>.toml`, or a `.toml` file by path; `store` replaces its store. Raises `BadInput`."""
    folder = Path(__file__).parents[1] / "profiles"
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.toml")))
        raise BadInput(f"profile {name!r} is unknown; there are: {known}, or give the path of a .toml file")
    try:
        values = tomllib.loads(path.read_text())
        return Profile.model_validate(values | ({"store": store} if store else {}))
    except ValidationError as error:
        raise BadInput(f"profile {path}: {'; '.join(_explain(e) for e in error.errors())}") from error
    except ValueError as error:
        raise BadInput(f"profile {path}: {error}") from error


def _explain(error: Any) -> str:
    """Explain one of pydantic's errors. Its location names the kind: `("roles", "solver", "http", "slots")`."""
    location = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        *parents, field = location
        kind = parents.pop() if parents else ""
        return f"{'.'.join(parents) or 'the profile'} {_explain_unknown(kind, field)}"
    return f"{'.'.join(location)}: {error['msg'].removeprefix('Value error, ')}"


def _explain_unknown(kind: str, field: str) -> str:
    """Say that a table of this kind has no such field; name its present name, a similar one, or all there are."""
    if new := OLD_FIELDS.get(kind, {}).get(field):
        return f"has no field {field!r}: it is called {new!r} now"
    known = KINDS.get(kind, Profile).model_fields
    if near := difflib.get_close_matches(field, known, n=1):
        return f"has no field {field!r}; did you mean {near[0]!r}?"
    return f"has no field {field!r}; there are: {', '.join(known)}"
