"""What a dataset may be called."""

from typing import Annotated

from pydantic import AfterValidator, Field

DATASET_NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
"""What a dataset may be called: a folder, a view and an artifact bear its name."""
RESERVED_VIEWS = frozenset({"funnel", "quarantine", "receipts", "rejects", "step"})
"""Views and schemas of every lake, which a dataset of the same name would hide."""


def _check_not_reserved(name: str) -> str:
    if name in RESERVED_VIEWS:
        raise ValueError("every lake has a view of this name; give another")
    return name


DatasetName = Annotated[str, Field(pattern=DATASET_NAME_PATTERN), AfterValidator(_check_not_reserved)]
"""Type of a recipe's field that names the dataset to publish."""
