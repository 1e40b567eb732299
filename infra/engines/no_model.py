"""A placeholder engine that keeps the resident model unloaded while a training needs its memory."""

from typing import Literal

from schemas.identity import FrozenModel


class NoModelSpec(FrozenModel):
    """The spec to `borrow`: it waits until no shard uses the resident model, and closes that model."""

    kind: Literal["no_model"] = "no_model"


class NoModel:
    """An engine that holds no model."""

    def close(self) -> None:
        """Do nothing: there is nothing to free."""


def open_engine(spec: NoModelSpec) -> NoModel:
    """Return an engine that takes no memory."""
    return NoModel()
