"""What a run does with work that other code of the same step has done before."""

from typing import Literal

from schemas.identity import FrozenModel


class CodePolicy(FrozenModel):
    """An option of a run, no part of its recipe: what was worked counts for every recipe."""

    on_changed_code: Literal["use", "redo", "stop"] = "use"
    """`use` takes the rows as they are, with a warning; `redo` works them again; `stop` ends the run."""
    redo: tuple[str, ...] = ()
    """Labels of steps that are worked again although their code is the same, once for each state of their code."""
