"""Questions from nothing, and the best answer to each that several samples agree on (ScaleQuest, arXiv:2410.18693)."""

from prefect import flow
from pydantic import Field

from flows.run import Run, on_cluster
from schemas import selected
from schemas.engine import Sampling
from schemas.work import DatasetName, Frozen, Manifest
from tasks.answers import JudgeAnswer, Solve
from tasks.dedupe import DropNearRepeats, DropRepeats
from tasks.questions import JudgeSolvable, WriteQuestion
from tasks.select import SelectAnswer


class ScaleQuest(Frozen):
    """How many questions, and what becomes of them; the defaults are the paper's numbers."""

    questions: int = Field(default=2_000_000, ge=1)
    """Questions asked for (paper, section 3.1: 2 M from two generators)."""
    synthesize: WriteQuestion = WriteQuestion(sampling=Sampling(temperature=1.0, top_p=0.99, max_tokens=512))
    """From a bare prompt (appendix A)."""
    repeats: DropRepeats = DropRepeats()
    """Not in the paper: users of such data found two thirds of it repeated."""
    near_repeats: DropNearRepeats = DropNearRepeats()
    """The same words but for a few, with the same numbers."""
    solvable: JudgeSolvable = JudgeSolvable(sampling=Sampling(max_tokens=2048))
    """One greedy judgement (section 2.4)."""
    solve: Solve = Solve(sampling=Sampling(n=5, temperature=0.7, top_p=0.95, max_tokens=2048))
    """Five solutions a question (appendix A)."""
    reward: JudgeAnswer = JudgeAnswer()
    """A score for each solution (section 2.5)."""
    select: SelectAnswer = SelectAnswer()
    """One solution a question."""
    shard_rows: int = Field(default=512, ge=1)
    """Questions a shard."""
    dataset: DatasetName = "scalequest"
    """Name under which the rows are published."""


@flow(name="scalequest", task_runner=on_cluster)
def scalequest(recipe: ScaleQuest) -> Manifest:
    """What is cheap comes first: every question that is dropped early costs neither judgement nor solutions."""
    run = Run.open(recipe)
    questions = run.map(recipe.synthesize, run.blanks(recipe.questions, recipe.shard_rows))
    questions = run.merge(recipe.repeats, questions, shard_rows=recipe.shard_rows)
    questions = run.merge(recipe.near_repeats, questions, shard_rows=recipe.shard_rows)
    questions = run.map(recipe.solvable, questions)
    answers = run.map(recipe.solve, questions)
    rewards = run.map(recipe.reward, answers)
    best = run.merge(recipe.select, answers, rewards)
    run.gate(recipe.dataset, selected.expectations(), best)
    return run.publish(recipe.dataset, best)
