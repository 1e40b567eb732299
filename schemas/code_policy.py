"""What a run does when a step's code has changed since its rows were made."""

from typing import Literal

from schemas.identity import FrozenModel


class CodePolicy(FrozenModel):
    """How a run treats rows that other code of a step made. It belongs to the run and not to the recipe, because the
    lake's receipts are shared by all recipes."""

    on_changed_code: Literal["use", "redo", "stop"] = "use"
    """What to do with rows that an earlier version of a step's code made: `use` takes them with a warning, `redo`
    makes them again, `stop` ends the run."""
    redo: tuple[str, ...] = ()
    """Labels of steps to run again although their code is unchanged, once for each version of their code."""
