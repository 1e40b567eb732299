"""Valid names of datasets."""

from typing import Annotated

from pydantic import AfterValidator, Field

DATASET_NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
"""Pattern of a dataset's name, which is also the name of a folder, a view and an artifact."""
RESERVED_VIEWS = frozenset({"funnel", "gold_doubts", "quarantine", "receipts", "rejects", "step"})
"""Views and schemas of every lake. A dataset of the same name would hide them."""


def _check_not_reserved(name: str) -> str:
    if name in RESERVED_VIEWS:
        raise ValueError("every lake has a view of this name; give another")
    return name


DatasetName = Annotated[str, Field(pattern=DATASET_NAME_PATTERN), AfterValidator(_check_not_reserved)]
"""Type of a recipe field that names the dataset to publish."""
