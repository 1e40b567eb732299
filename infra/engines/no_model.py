"""No model: takes the place of the resident one, whose memory a training needs, for as long as it is in use."""

from typing import Literal

from schemas.identity import FrozenModel


class NoModelSpec(FrozenModel):
    """See `infra.engines.using`: whoever uses this has waited until nobody used the resident model, which is closed."""

    kind: Literal["no_model"] = "no_model"


class NoModel:
    """Holds nothing."""

    def close(self) -> None:
        """Nothing to give back."""


def open_engine(spec: NoModelSpec) -> NoModel:
    """Room for something else."""
    return NoModel()
