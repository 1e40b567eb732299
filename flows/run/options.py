"""Options of a run that are no part of its recipe, each an environment variable: profile, store and budget."""

import os

from infra.cluster import profiles
from schemas.budget import Budget
from schemas.profile import Profile


def load_active_budget() -> Budget:
    """The budget in `QUESTMILL_BUDGET_TOKENS`, `QUESTMILL_BUDGET_USD` and `QUESTMILL_BUDGET_GPU_HOURS`."""
    given = {name: os.environ.get(f"QUESTMILL_BUDGET_{name.upper()}") for name in Budget.model_fields}
    return Budget.model_validate_strings({name: value for name, value in given.items() if value})


def load_active_profile() -> Profile:
    """The profile that `QUESTMILL_PROFILE` names (default `local`), with the store of `QUESTMILL_STORE`."""
    return profiles.load_profile(os.environ.get("QUESTMILL_PROFILE", "local"), os.environ.get("QUESTMILL_STORE"))
