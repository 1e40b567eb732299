"""Trains a solver to write questions: QFT on questions, then QPO on its own (ScaleQuest, sections 2.2 and 2.3)."""

from pathlib import Path
from typing import Annotated, Literal

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
    without: tuple[Literal["fine_tuning", "preference_optimization"], ...] = Field(default=(), max_length=1)
    """The training to leave out, for ablations: `fine_tuning` (QFT) or `preference_optimization` (QPO)."""
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


def train_questioner(run: Run, recipe: QuestionerTraining, corpus: Table, role: str = "questioner") -> Receipt:
    """Train the model of `role` by QFT on the column `question` of `corpus`, then by QPO; returns the last receipt."""
    base = recipe.base or role
    run.require_roles(recipe.improve, recipe.solvable, *(_sample_from(recipe, each) for each in (role, base)))
    if "fine_tuning" in recipe.without:
        trained = optimize_preferences(run, recipe, role, {}, base)
    else:
        trained = run.train(recipe.fine_tuning.model_copy(update={"role": base}), corpus)
        if "preference_optimization" not in recipe.without:
            trained = optimize_preferences(run, recipe, role, {role: trained}, role)
    if recipe.export_folder:
        run.export_model(trained, Path(recipe.export_folder, role))
    return trained


def optimize_preferences(
    run: Run, recipe: QuestionerTraining, role: str, models: dict[str, Receipt], start: str
) -> Receipt:
    """Train the model of the role `start` by QPO, on pairs of questions that it writes itself; returns the receipt.

    `models` play their roles only while questions are written and the training begins: the rewriter and the judge may
    have the same roles.
    """
    empty_rows = run.empty_rows(recipe.n_questions, recipe.shard_rows, id_prefix=f"{role}-qpo:")
    with run.with_models(**models):
        questions = run.map(_sample_from(recipe, start), empty_rows)
    if recipe.only_unsolvable:
        judged = run.map(recipe.solvable, questions)
        questions = run.merge(KeepUnsolvable(), questions, judged, shard_rows=recipe.shard_rows)
    rewrites = run.map(recipe.improve, questions)
    pairs = run.merge(PairQuestions(), rewrites, run.map(recipe.solvable, rewrites))
    with run.with_models(**models):
        return run.train(recipe.preference_optimization.model_copy(update={"role": start}), pairs)


def _sample_from(recipe: QuestionerTraining, role: str) -> WriteQuestion:
    return recipe.sample.model_copy(update={"role": role})
