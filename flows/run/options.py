"""Reads the options of a run that are not part of its recipe from the environment: profile, store, budget and redo."""

import os

from pydantic import ValidationError

from infra.cluster import profiles
from schemas.budget import Budget
from schemas.code_policy import CodePolicy
from schemas.errors import BadInput
from schemas.profile import Profile


def load_active_budget() -> Budget:
    """Read the budget from `QUESTMILL_BUDGET_TOKENS`, `QUESTMILL_BUDGET_USD` and `QUESTMILL_BUDGET_GPU_HOURS`."""
    given = {name: os.environ.get(f"QUESTMILL_BUDGET_{name.upper()}") for name in Budget.model_fields}
    return Budget.model_validate_strings({name: value for name, value in given.items() if value})


def load_active_profile() -> Profile:
    """Load the profile named in `QUESTMILL_PROFILE` (default `local`), with the store in `QUESTMILL_STORE`, if set."""
    return profiles.load_profile(os.environ.get("QUESTMILL_PROFILE", "local"), os.environ.get("QUESTMILL_STORE"))


def load_code_policy() -> CodePolicy:
    """Read how to treat results of changed code.

    `QUESTMILL_ON_CHANGED_CODE` is `use` (default), `redo` or `stop`; `QUESTMILL_REDO` lists step labels, separated by
    commas. Raises `BadInput` for any other policy.
    """
    on_changed_code = os.environ.get("QUESTMILL_ON_CHANGED_CODE") or "use"
    redo = tuple(filter(None, (label.strip() for label in os.environ.get("QUESTMILL_REDO", "").split(","))))
    try:
        return CodePolicy.model_validate({"on_changed_code": on_changed_code, "redo": redo})
    except ValidationError as error:
        raise BadInput(f"QUESTMILL_ON_CHANGED_CODE is {on_changed_code!r}; give use, redo or stop") from error
