"""Measures how often a model passes each problem, and keeps the problems that are worth training on."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from schemas.engine import Completion
from schemas.errors import BadInput
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.row_ids import child_id, child_id_sql
from schemas.steps import Merge
from schemas.tables import rl_pool
from tasks.base.ask import Ask, Outcome
from tasks.base.confidence import with_wilson_interval
from tasks.questions.difficulty import Share

ModelName = Annotated[str, Field(pattern=r"^[\w.-]+$")]
"""Name of a model. It is a part of row ids, so it contains no slash."""


class SampleResponses(Ask):
    """Samples n attempts at each problem and keeps all of them: an attempt without an answer has failed too."""

    label: ClassVar[str] = "sample_responses"
    tag: ClassVar[str] = "solve"
    version: ClassVar[int] = 2
    carries_user_columns: ClassVar[bool] = True
    table: ClassVar[pa.Schema] = rl_pool.POOL_ATTEMPTS

    role: str | None = "solver"
    """Role of the model that attempts the problems."""
    sampling: Sampling = Sampling(n=8, temperature=1.0, max_tokens=2048)
    """How the model is sampled. Use the settings of the RL training, since the pass rate depends on them."""
    model: ModelName = "solver"
    """Name of the model in the published pool; the recipe sets it from `models`."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Outcome]:
        """Ask about the rows. Raises `BadInput` if they have no column `question` or `answer`."""
        if lacking := sorted({"question", "answer"} - batch[0].keys()) if batch else []:
            raise BadInput(f"{self.label}: the problems have no column {lacking[0]!r}; give a dataset that has")
        return super().rows(batch, engine)

    def prompt(self, row: Row) -> Prompt | None:
        """None for a problem without a gold answer."""
        if not row["answer"]:
            return None
        return self.make_prompt(question=row["question"])

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        if not replies:
            yield Reject(row, "no gold")
        for sample, reply in enumerate(replies):
            yield {
                "row_id": child_id(row["row_id"], self.model, sample),
                "problem_id": row["row_id"],
                "question": row["question"],
                "response": reply.text.strip(),
                "reasoning": reply.reasoning,
                "answer": row["answer"],
                "model": self.model,
                "cut_off": reply.fault is not None,
                "tokens": reply.completion_tokens,
            }


class PassRate(Merge):
    """Measures the pass rate of each problem. Row ids include the model.

    A response that was cut off shows neither a pass nor a failure: it is counted in `cut_off` and in no rate.
    """

    label: ClassVar[str] = "pass_rate"
    version: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("problems", "attempts", "verdicts")

    model: ModelName = "solver"
    """Name of the model in the pool."""
    samples_requested: int = Field(default=8, ge=1)
    """Attempts that were requested for each problem. Missing ones are counted as `unverified`."""

    def sql(self) -> str:
        """Whole attempts count if they are correct, wrong or unparseable. Others say nothing about the model."""
        return f"""
            WITH judged AS (
                SELECT problem_id, attempts.tokens AS tokens, cut_off, verdict = 'correct' AS passed,
                    NOT cut_off AND coalesce(verdict IN ('correct', 'wrong', 'unparseable'), false) AS verified,
                    verifier, verifier_version
                FROM attempts LEFT JOIN verdicts USING (row_id)
            ),
            counted AS (
                SELECT problem_id, count(*) FILTER (verified) AS n, count(*) FILTER (verified AND passed) AS k,
                    count(*) FILTER (cut_off) AS cut, avg(tokens) AS tokens, max(verifier) AS verifier,
                    max(verifier_version) AS verifier_version
                FROM judged GROUP BY problem_id
            ),
            rated AS ({with_wilson_interval("counted")})
            SELECT {child_id_sql("problems.row_id", self.model)} AS row_id, problems.row_id AS problem_id,
                problems.question AS question, problems.answer AS answer, '{self.model}' AS model,
                coalesce(n, 0)::INTEGER AS samples, coalesce(k, 0)::INTEGER AS passes,
                ({self.samples_requested} - coalesce(n, 0) - coalesce(cut, 0))::INTEGER AS unverified,
                coalesce(cut, 0)::INTEGER AS cut_off, rate AS pass_rate, low, high, tokens, verifier,
                verifier_version, CASE
                    WHEN coalesce(problems.answer, '') = '' THEN 'no gold'
                    WHEN coalesce(n, 0) = 0 AND cut > 0 THEN 'cut_off'
                    WHEN coalesce(n, 0) = 0 THEN 'no verdict'
                END AS reject
            FROM (SELECT row_id, question, answer FROM problems) AS problems
            LEFT JOIN rated ON problem_id = problems.row_id ORDER BY problems.row_id
        """


class KeepPassRateBand(Merge):
    """Keeps the problems that a model passes sometimes: those it always or never passes give no gradient."""

    label: ClassVar[str] = "keep_pass_rate_band"
    inputs: ClassVar[tuple[str, ...]] = ("rates",)

    low: Share = 0.2
    """Lowest pass rate, in [0, 1], of problems that are kept."""
    high: Share = 0.8
    """Highest pass rate, in [0, 1], of problems that are kept."""
    whole_interval: bool = False
    """Whether to keep a problem only if the whole 95 % interval of its rate is in the band. A rate of 0.5 needs 8
    samples then, one of 0.25 needs 300."""
    least_samples: int = Field(default=4, ge=1)
    """Fewest verified attempts of a problem that is kept; a rate of fewer attempts says too little."""

    @model_validator(mode="after")
    def _check_band(self) -> "KeepPassRateBand":
        if self.low > self.high:
            raise ValueError(
                f"the band from {self.low} to {self.high} ends before it begins; write the lower rate first"
            )
        return self

    def sql(self) -> str:
        """Both ends of the band belong to it."""
        unsure = f"low < {self.low} OR high > {self.high}" if self.whole_interval else "false"
        return f"""
            SELECT *, CASE
                WHEN samples < {self.least_samples} THEN 'few samples'
                WHEN pass_rate > {self.high} THEN 'too easy'
                WHEN pass_rate < {self.low} THEN 'too hard'
                WHEN {unsure} THEN 'unsure'
            END AS reject
            FROM rates ORDER BY row_id
        """
