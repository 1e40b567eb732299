"""Roles: the profile says which engine plays them, and the pupil that ships with the project plays all of them."""

from pathlib import Path
from typing import Any

import pytest

from flows.run import run as running
from infra.lake.store import open_store
from schemas.errors import BadInput
from schemas.identity import FrozenModel
from schemas.prompts import Sampling
from schemas.receipts import Manifest
from schemas.steps import Expectation
from tasks.proving_ground import oracle
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import WriteQuestion
from tests.support.runs import ROOT

EXPECTATIONS = [
    Expectation(kind="expect_table_row_count_to_be_between", arguments={"min_value": 1}),
    Expectation(kind="expect_column_value_lengths_to_be_between", arguments={"column": "question", "min_value": 10}),
]


class Recipe(FrozenModel):
    """Questions from nothing."""

    write: WriteQuestion = WriteQuestion(sampling=Sampling(temperature=1.0, max_tokens=128))
    judge: JudgeSolvable = JudgeSolvable()


@pytest.fixture
def write_questions(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from prefect import flow

    from flows.run.dask_runner import dask_runner

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("QUESTMILL_PROFILE", "ci")
    monkeypatch.setenv("QUESTMILL_STORE", str(tmp_path / "lake"))

    @flow(name="write-questions", task_runner=dask_runner)
    def write_questions(recipe: Recipe) -> Manifest:
        run = running.Run.open(recipe)
        written = run.map(recipe.write, run.empty_rows(64, 32))
        kept = run.map(recipe.judge, written)
        run.gate("written", EXPECTATIONS, kept)
        return run.publish("written", kept)

    return write_questions


def test_a_role_that_nobody_offers_is_named_before_anything_is_written(write_questions: Any, tmp_path: Path) -> None:
    offered = "stage write_question needs the role 'poet'; the profile offers: difficulty, judge, prober"
    with pytest.raises(BadInput, match=offered):
        write_questions(Recipe(write=WriteQuestion(role="poet")))
    assert not open_store(str(tmp_path / "lake")).exists()


def test_the_pupil_writes_and_judges_questions_in_a_worker(write_questions: Any, tmp_path: Path) -> None:
    manifest = write_questions(Recipe())
    blanks, written, judged = manifest.ledger
    assert (blanks.rows_out, written.rows_in) == (64, 64)
    assert written.kept == judged.rows_in
    assert manifest.rows == judged.kept > 16
    store = open_store(str(tmp_path / "lake"))
    receipts = [receipt for receipt in store.read_receipts() if receipt.step == "judge_solvable"]
    texts = [text for receipt in receipts for text in store.get(receipt.parts[0])["question"].to_pylist()]
    assert len(set(texts)) > len(texts) / 2, "equal prompts must not be one sample"
    assert sum(oracle.read_question(text).template is not None for text in texts) > len(texts) / 2
