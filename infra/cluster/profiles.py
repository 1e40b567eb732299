"""Reads profiles, which say where a run happens, from TOML files."""

import tomllib
from pathlib import Path

from pydantic import ValidationError

from schemas.errors import BadInput
from schemas.profile import Profile


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
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise BadInput(f"profile {path}: {'; '.join(problems)}") from error
    except ValueError as error:
        raise BadInput(f"profile {path}: {error}") from error
