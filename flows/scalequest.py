"""Writes questions from nothing and selects a sampled answer for each (ScaleQuest, arXiv:2410.18693)."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from flows.parts.train_questioner import QuestionerTraining, train_questioner
from flows.parts.train_scorer import ScorerTraining, check_scorer, train_scorer
from flows.run.recipe_flow import flow
from flows.run.run import Run, Table
from schemas.input import ColumnNames, Source
from schemas.names import DatasetName
from schemas.prompts import Sampling
from schemas.receipts import Manifest, Receipt
from schemas.recipe import Recipe
from schemas.tables import error_rates, selected_answers
from tasks.answers.reward import ScoreAnswer
from tasks.answers.select import SelectAnswer, SelectByMajority
from tasks.answers.solve import Solve
from tasks.decontamination.overlap import DropOverlaps, FindOverlaps
from tasks.dedup.exact import DropExactDuplicates
from tasks.dedup.near import DropNearDuplicates
from tasks.dedup.published import DropPublished
from tasks.proving_ground.draw_problems import DrawProblem
from tasks.proving_ground.ground_truth import ERROR_RATES, LookUpGroundTruth, MeasureErrorRates
from tasks.questions.difficulty import FailRate, ScoreDifficulty
from tasks.questions.difficulty_sampling import SampleByDifficulty
from tasks.questions.language import KeepLanguage
from tasks.questions.problem_type import KeepProblemTypes
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import WriteQuestion

Omission = Literal["language", "exact_duplicates", "near_duplicates", "solvability", "reward"]
"""A filter, or the reward model, that an ablation leaves out."""


class ScaleQuest(Recipe):
    """How questions are written, filtered and answered; the defaults are the paper's numbers."""

    common_fields: ClassVar[tuple[str, ...]] = (
        "questions",
        "generators",
        "train",
        "corpus",
        "input",
        "language.languages",
        "near_duplicates.threshold",
        "against",
        "overlaps.benchmarks",
        "solvable.role",
        "fail_rate.sampling.n",
        "sample.drop_easy",
        "solve.role",
        "solve.sampling.n",
        "solve.sampling.max_tokens",
        "select.least_agreement",
        "select.least_reward",
        "without",
        "shard_rows",
        "dataset",
    )

    questions: int = Field(default=2_000_000, ge=1)
    """Number of questions to write, in equal shares by the generators. The paper: 2 million from two (section 3.1)."""
    generators: tuple[str, ...] = Field(default=("questioner",), min_length=1)
    """Roles of the models that write questions. The paper has two models (DeepSeekMath and Qwen2-Math)."""
    train: bool = False
    """Whether to train the generators first; otherwise the profile's models play their roles."""
    questioner: QuestionerTraining = QuestionerTraining()
    """How the generators are trained, if `train` is set (sections 2.2 and 2.3)."""
    corpus: DatasetName | None = None
    """Published dataset of questions for training the generators and the scorer. None, and no `input`: questions of the
    proving ground; of those for the generators, 15 % are flawed."""
    input: tuple[str, ...] = ()
    """Files of questions, and of answers, for the same trainings. The paper takes GSM8K and MATH (14,973 questions)."""
    columns: ColumnNames = ColumnNames()
    """Names of the columns of `input`; of MATH beside GSM8K: `--columns math.jsonl:question=problem`, and `answer` with
    `solution`. Responses are not read."""
    synthesize: WriteQuestion = WriteQuestion(sampling=Sampling(temperature=1.0, top_p=0.99, max_tokens=512))
    """How questions are written, from a bare prompt (appendix A)."""
    language: KeepLanguage = KeepLanguage()
    """Which languages are kept. The paper keeps questions that are all ASCII (section 2.4)."""
    problem_types: KeepProblemTypes | None = None
    """Which types of questions are kept, such as questions for one value; None: all. Not in the paper. Example:
    `--problem_types.keep '["value"]'`."""
    exact_duplicates: DropExactDuplicates = DropExactDuplicates()
    """How exact duplicates are dropped. Not in the paper; users of such data found two thirds of it repeated."""
    near_duplicates: DropNearDuplicates = DropNearDuplicates()
    """How near-duplicates are dropped. They have the same numbers and almost the same words."""
    against: tuple[DatasetName, ...] = ()
    """Published datasets whose questions are dropped from the new ones. Empty: none."""
    overlaps: FindOverlaps = FindOverlaps()
    """How overlaps with `benchmarks` are found; without these, none are. The paper measures overlaps (table 6)."""
    decontaminate: DropOverlaps = DropOverlaps()
    """Which overlaps with a benchmark cause a question to be dropped."""
    solvable: JudgeSolvable = JudgeSolvable(sampling=Sampling(max_tokens=2048))
    """How solvability is judged: by one greedy judgement (section 2.4)."""
    fail_rate: FailRate | None = None
    """How difficulty is measured. It is the share of samples in which a prober fails: `--fail_rate.sampling.n 8`."""
    score: ScoreDifficulty | None = None
    """How difficulty is predicted. A scorer is a model with a scalar head (section 2.4): `--score.role difficulty`."""
    scorer: ScorerTraining | None = None
    """How the scorer is trained. Without it, the profile's model scores. Example: `--scorer.questions 15000`."""
    sample: SampleByDifficulty = SampleByDifficulty()
    """Which difficulties are kept. The paper drops the easiest 30 % of one generator."""
    solve: Solve = Solve(sampling=Sampling(n=5, temperature=0.7, top_p=0.95, max_tokens=2048))
    """How solutions are sampled: five for each question (appendix A)."""
    reward: ScoreAnswer = ScoreAnswer()
    """How each solution is scored by a reward model (section 2.5)."""
    select: SelectAnswer = SelectAnswer()
    """How one solution of each question is selected (section 2.5)."""
    without: tuple[Omission, ...] = ()
    """What is left out, for ablations: the filters `language`, `exact_duplicates`, `near_duplicates` and `solvability`,
    and `reward`, the reward model, so that the majority alone selects."""
    measure_error_rates: bool = False
    """Whether to check every question with the oracle of the proving ground, and to publish the error rates as the
    dataset `error_rates`."""
    shard_rows: int = Field(default=512, ge=1)
    """Number of questions in each shard, the unit that one task processes and commits."""
    dataset: DatasetName = "scalequest"
    """Name under which the rows are published."""

    @model_validator(mode="after")
    def _check_recipe(self) -> "ScaleQuest":
        if len(set(self.generators)) < len(self.generators):
            raise ValueError("generators: one role is named twice; name each once")
        if len({*self.without}) < len(self.without):
            raise ValueError("without: one filter is named twice; name each once")
        if self.corpus and self.input:
            raise ValueError("corpus and input both name the questions to train on; give one of them")
        if self.input and not (self.train or self.scorer):
            raise ValueError("input holds questions to train on, and nothing is trained; set train or scorer")
        if "reward" in self.without:
            SelectByMajority(**dict(self.select))
        if self.fail_rate and self.score:
            raise ValueError("fail_rate and score both measure difficulty; give one of them")
        if self.scorer and not self.score:
            raise ValueError("scorer needs score, which uses the trained model; give score.role")
        if self.scorer and self.score and self.score.role is None:
            raise ValueError("scorer trains a model for score.role, which is None; give that role")
        sampled = {*self.sample.drop_easy, *self.sample.target}
        if sampled and not (self.fail_rate or self.score):
            raise ValueError("sample needs a difficulty, and none is measured; give fail_rate or score")
        if unknown := sorted(sampled - {*self.generators}):
            known = ", ".join(self.generators)
            raise ValueError(f"sample names {unknown[0]!r}, which is not a generator; there are: {known}")
        if self.synthesize.role not in (*self.generators, WriteQuestion().role):
            raise ValueError("synthesize.role is set from generators; name the role there")
        if self.solve.adaptive and self.select.least_agreement > self.solve.stop_at_share:
            raise ValueError("solve.adaptive stops before least_agreement is decided; raise solve.stop_at_share to it")
        if self.measure_error_rates and self.dataset == "error_rates":
            raise ValueError("measure_error_rates publishes a dataset error_rates; give dataset another name")
        return self

    def without_idle_roles(self) -> Self:
        """Return the recipe without the roles of stages that are left out, so that no model is required for them."""
        idle = [field for field, name in (("solvable", "solvability"), ("reward", "reward")) if name in self.without]
        return self.model_copy(update={f: getattr(self, f).model_copy(update={"role": None}) for f in idle})


@flow(name="scalequest")
def scalequest(recipe: ScaleQuest) -> Manifest:
    """Write, filter, answer and publish. Cheap filters run first, so that dropped questions cost no model calls."""
    writers = [recipe.synthesize.model_copy(update={"role": role}) for role in recipe.generators]
    run = Run.open(recipe.without_idle_roles().model_copy(update={"synthesize": writers[0]}))
    run.require_roles(*writers)
    if recipe.scorer and recipe.score and recipe.score.role:
        check_scorer(run, recipe.scorer, recipe.score.role)
    corpus = find_corpus(run, recipe) if recipe.train or recipe.scorer else None
    published = {name: run.find_dataset(name, "question") for name in recipe.against}
    with run.with_models(**(train_generators(run, recipe, corpus) if recipe.train else {})):
        questions = run.union(*(write_questions(run, recipe, writer) for writer in writers))
    if "language" not in recipe.without:
        questions = run.map(recipe.language, questions)
    if recipe.problem_types:
        questions = run.map(recipe.problem_types, questions)
    for name in ("exact_duplicates", "near_duplicates"):
        if name not in recipe.without:
            questions = run.merge(getattr(recipe, name), questions, shard_rows=recipe.shard_rows)
    for name, dataset in published.items():
        if dataset is None:
            continue  # nothing is published yet, e.g. at the first run of a schedule
        questions = run.merge(DropPublished(dataset=name), questions, dataset, shard_rows=recipe.shard_rows)
    if recipe.overlaps.benchmarks:
        matches = run.map(recipe.overlaps, questions)
        questions = run.merge(recipe.decontaminate, questions, matches, shard_rows=recipe.shard_rows)
    solvable = questions if "solvability" in recipe.without else run.map(recipe.solvable, questions)
    sampled = solvable
    if (measure := recipe.fail_rate or recipe.score) is not None:
        sample = recipe.sample.model_copy(update={"generators": recipe.generators})
        with run.with_models(**train_difficulty(run, recipe, corpus)):
            difficulty = run.map(measure, solvable)
        sampled = run.merge(sample, solvable, difficulty, shard_rows=recipe.shard_rows)
    answers = run.map(recipe.solve, sampled)
    truths = run.map(LookUpGroundTruth(), questions) if recipe.measure_error_rates else sampled
    if "reward" in recipe.without:
        best = run.merge(SelectByMajority(**dict(recipe.select)), answers, sampled, truths)
    else:
        best = run.merge(recipe.select, answers, run.map(recipe.reward, answers), sampled, truths)
    run.gate(recipe.dataset, selected_answers.expectations(), best)
    if recipe.measure_error_rates:
        error_rate_rows = run.empty_rows(len(ERROR_RATES), len(ERROR_RATES))
        error_rate_rows = run.merge(MeasureErrorRates(), error_rate_rows, truths, solvable, best)
        run.gate("error_rates", error_rates.expectations(), error_rate_rows)
        run.publish("error_rates", error_rate_rows)
    return run.publish(recipe.dataset, best)


def write_questions(run: Run, recipe: ScaleQuest, writer: WriteQuestion) -> Table:
    """Write one generator's share of the questions, rounded up. Their ids begin with the generator's role."""
    share = -(-recipe.questions // len(recipe.generators))
    return run.map(writer, run.empty_rows(share, recipe.shard_rows, id_prefix=f"{writer.role}:"))


def train_generators(run: Run, recipe: ScaleQuest, corpus: Table | None) -> dict[str, Receipt]:
    """Train a model for each generator by QFT and QPO; returns the receipts by role."""
    run.require_trainable(*recipe.generators)
    bases = [recipe.questioner.base] if recipe.questioner.base else recipe.generators
    trainings = [recipe.questioner.fine_tuning.model_copy(update={"role": role}) for role in bases]
    run.require_roles(recipe.questioner.improve, recipe.questioner.solvable, *trainings)
    corpus = corpus or draw_training_corpus(run)
    return {role: train_questioner(run, recipe.questioner, corpus, role) for role in recipe.generators}


def train_difficulty(run: Run, recipe: ScaleQuest, corpus: Table | None) -> dict[str, Receipt]:
    """Train the scorer of difficulty; returns its receipt by role, or nothing if the recipe does not train it."""
    if not (recipe.scorer and recipe.score and recipe.score.role):
        return {}
    return {recipe.score.role: train_scorer(run, recipe.scorer, corpus)}


def find_corpus(run: Run, recipe: ScaleQuest) -> Table | None:
    """Return the questions that generators and scorer are trained on, or None if the recipe names none."""
    if recipe.input:
        columns = recipe.columns.without_responses()
        return run.seed(Source(input=recipe.input, columns=columns, shard_rows=recipe.shard_rows), reserved=[])
    return run.require_dataset(recipe.corpus, "question") if recipe.corpus else None


def draw_training_corpus(run: Run) -> Table:
    """Draw 15,000 questions of the proving ground, as many as in the paper; 15 % are flawed, as in real corpora."""
    run.progress.print_line(
        "generators are trained on questions of the proving ground, which suit the shipped model alone; "
        "--input FILES or --corpus DATASET names others"
    )
    solvable = run.map(DrawProblem(solvable=True), run.empty_rows(12_750, 1000, id_prefix="sound:"))
    return run.union(solvable, run.map(DrawProblem(solvable=False), run.empty_rows(2_250, 1000, id_prefix="flawed:")))
