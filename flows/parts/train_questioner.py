"""Trains a solver to write questions: QFT on questions, then QPO on its own (ScaleQuest, sections 2.2 and 2.3)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from flows.run.run import Run, Table
from schemas.identity import NotIdentity
from schemas.prompts import Sampling
from schemas.receipts import Receipt
from schemas.recipe import Recipe
from tasks.questions.preference_pairs import ImproveQuestion, KeepUnsolvable, PairQuestions
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import WriteQuestion
from tasks.training.config import QuestionFineTuning, QuestionPreferenceOptimization


class QuestionerTraining(Recipe):
    """How a questioner is trained; the defaults are the paper's numbers."""

    base: str | None = None
    """Role whose model is trained, usually a solver, e.g. `--questioner.base solver`; None: the generator itself."""
    fine_tuning: QuestionFineTuning = QuestionFineTuning()
    """How question fine-tuning (QFT) teaches a solver to write questions (section 2.2)."""
    n_questions: int = Field(default=10_000, ge=1)
    """Number of questions to sample and improve for preference pairs; the paper has 10,000 for each generator (section
    2.3)."""
    sample: WriteQuestion = WriteQuestion(sampling=Sampling(temperature=1.0, max_tokens=512))
    """How these questions are sampled: from a bare prompt, at temperature 1 and top-p 1 (the authors' code)."""
    only_unsolvable: bool = False
    """Whether to improve only questions that the judge finds unsolvable; useful if the rewriter would spoil good
    ones."""
    improve: ImproveQuestion = ImproveQuestion()
    """How a question is improved, towards solvability or difficulty (section 2.3)."""
    solvable: JudgeSolvable = JudgeSolvable(sampling=Sampling(max_tokens=2048))
    """How rewritten questions are checked for solvability; the paper accepts all of them."""
    preference_optimization: QuestionPreferenceOptimization = QuestionPreferenceOptimization()
    """How question preference optimization (QPO) trains on the pairs, by DPO (section 2.3)."""
    shard_rows: int = Field(default=512, ge=1)
    """Number of questions in each shard, the unit that one task processes and commits."""
    export_folder: Annotated[str, NotIdentity] = ""
    """Folder for copies of the trained models, one subfolder for each generator, for use in profiles; empty: none."""


def train_questioner(
    run: Run, recipe: QuestionerTraining, corpus: Table, role: str = "questioner"
) -> tuple[Receipt, Receipt]:
    """Train the model of `role` on the column `question` of `corpus`; returns the receipts after QFT and after QPO."""
    run.require_roles(recipe.improve, recipe.solvable, recipe.sample.model_copy(update={"role": role}))
    tuned = run.train(recipe.fine_tuning.model_copy(update={"role": recipe.base or role}), corpus)
    empty_rows = run.empty_rows(recipe.n_questions, recipe.shard_rows, id_prefix=f"{role}-qpo:")
    with run.with_models(**{role: tuned}):
        questions = run.map(recipe.sample.model_copy(update={"role": role}), empty_rows)
    if recipe.only_unsolvable:
        judged = run.map(recipe.solvable, questions)
        questions = run.merge(KeepUnsolvable(), questions, judged, shard_rows=recipe.shard_rows)
    rewrites = run.map(recipe.improve, questions)
    pairs = run.merge(PairQuestions(), rewrites, run.map(recipe.solvable, rewrites))
    with run.with_models(**{role: tuned}):
        preferred = run.train(recipe.preference_optimization.model_copy(update={"role": role}), pairs)
    if recipe.export_folder:
        run.export_model(preferred, Path(recipe.export_folder, role))
    return tuned, preferred
