"""What a dataset may be called."""

from typing import Annotated

from pydantic import AfterValidator, Field

NAME = r"^[a-z][a-z0-9_]*$"
"""What a dataset may be called: a folder, a view and an artifact bear its name."""
VIEWS = frozenset({"funnel", "quarantine", "receipts", "rejects", "step"})
"""Views and schemas of every lake, which a dataset of the same name would hide."""


def _free(name: str) -> str:
    if name in VIEWS:
        raise ValueError("every lake has a view of this name; give another")
    return name


DatasetName = Annotated[str, Field(pattern=NAME), AfterValidator(_free)]
"""Type of a recipe's field that names the dataset to publish."""
