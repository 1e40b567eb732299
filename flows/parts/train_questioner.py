"""From a solver to a questioner: QFT on questions, then QPO on pairs of its own (ScaleQuest, sections 2.2 and 2.3)."""

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
    """How a questioner is made; the defaults are the paper's numbers."""

    base: str | None = None
    """Role whose model is trained, a solver (the pupil's: `--questioner.base solver`); none: the generator itself."""
    fine_tuning: QuestionFineTuning = QuestionFineTuning()
    """QFT."""
    n_questions: int = Field(default=10_000, ge=1)
    """Questions to improve (section 2.3: 10 K of each generator)."""
    sample: WriteQuestion = WriteQuestion(sampling=Sampling(temperature=1.0, max_tokens=512))
    """From a bare prompt, at temperature 1 and top-p 1 (the authors' code)."""
    only_unsolvable: bool = False
    """Improve only what the judge finds unsolvable: for a rewriter that does not leave a good question alone."""
    improve: ImproveQuestion = ImproveQuestion()
    """Towards solvability or difficulty."""
    solvable: JudgeSolvable = JudgeSolvable(sampling=Sampling(max_tokens=2048))
    """Of the rewrites; the paper trusts them all."""
    preference_optimization: QuestionPreferenceOptimization = QuestionPreferenceOptimization()
    """QPO."""
    shard_rows: int = Field(default=512, ge=1)
    """Questions a shard."""
    export_folder: Annotated[str, NotIdentity] = ""
    """Folder that gets a copy of each trained model, under the name of its generator, for a profile to name."""


def train_questioner(
    run: Run, recipe: QuestionerTraining, corpus: Table, role: str = "questioner"
) -> tuple[Receipt, Receipt]:
    """The models after QFT and after QPO of whoever plays `role`; `corpus` is any table with a column `question`."""
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
