"""The classes that the docstrings of `Stage` and `Merge` show work as they stand."""

import re
import textwrap
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from schemas.arrow import conform, required
from schemas.errors import SchemaError
from schemas.identity import fingerprint
from schemas.outcomes import Reject
from schemas.steps import Merge, Stage, Step
from tests.support.merging import run_merge


def example_of(kind: type[Step], name: str) -> Any:
    """The class `name` that the docstring of `kind` shows, made by executing the example with its own imports."""
    code = re.search(r"\n\n( {8}.*\n(?: {8}.*\n|\n)*)", str(kind.__doc__))
    assert code is not None, f"the docstring of {kind.__name__} shows no example"
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(textwrap.dedent(code[1]), namespace)
    return namespace[name]


def test_the_stage_that_the_docstring_shows_adds_its_column_and_rejects_long_rows() -> None:
    stage = example_of(Stage, "CountWords")(max_words=4)
    given = pa.schema([required("row_id", pa.string()), required("question", pa.string())])
    short, long = {"row_id": "1", "question": "How many?"}, {"row_id": "2", "question": "What is 2 + 3?"}
    kept, rejected = stage.rows([short, long], None)
    assert rejected == Reject(long, "too long")
    assert conform([kept], stage.output_schema(given), stage.label).to_pylist() == [short | {"words": 2}]
    assert (stage.label, stage.role) == ("count_words", None)


def test_the_stage_that_the_docstring_shows_checks_its_input_and_its_configuration() -> None:
    kind = example_of(Stage, "CountWords")
    with pytest.raises(SchemaError, match="count_words needs the column 'question'"):
        kind().output_schema(pa.schema([required("row_id", pa.string())]))
    with pytest.raises(ValidationError, match="max_words"):
        kind(max_words=0)
    assert fingerprint(kind()) == fingerprint(kind(max_words=60)) != fingerprint(kind(max_words=40))


def test_the_merge_that_the_docstring_shows_keeps_one_row_of_each_question() -> None:
    solutions = [
        {"row_id": "1/0", "question_id": "1", "solution": "2 + 3 = 5, so it is 5"},
        {"row_id": "1/1", "question_id": "1", "solution": "2 + 3 = 5"},
        {"row_id": "1/2", "question_id": "1", "solution": "3 + 2 = 5"},
        {"row_id": "2/0", "question_id": "2", "solution": "There is one answer: 7"},
    ]
    merged = run_merge(example_of(Merge, "KeepShortest")(), solutions)
    assert [(row_id, row["reject"]) for row_id, row in merged.items()] == [
        ("1/0", "longer"),
        ("1/1", None),
        ("1/2", "longer"),
        ("2/0", None),
    ]
