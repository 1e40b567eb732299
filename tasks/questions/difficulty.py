"""Measures how hard a question is, by a model's fail rate on it or by a score that predicts the rate."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from schemas.engine import Completion
from schemas.outcomes import Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.tables import difficulty
from schemas.tables.difficulty import BandSide, ReferenceKind
from tasks.answers.final_answer import answer_key, final_answer
from tasks.base.ask import Ask, Outcome
from tasks.base.confidence import wilson_interval
from tasks.base.score import Score

Share = Annotated[float, Field(ge=0, le=1)]


class FailRate(Ask):
    """The share of n samples in which a model fails at a question (ScaleQuest, section 2.4).

    Samples are compared with the row's `answer` or, if it has none, with the answer that most samples agree on. A
    majority does not reveal errors that the model always makes, so its rate is too low for the hardest questions. A
    sample that was cut off shows neither success nor failure: it is counted in `cut_off` and in no rate.
    """

    label: ClassVar[str] = "fail_rate"
    version: ClassVar[int] = 3
    tag: ClassVar[str] = "solve"
    table: ClassVar[pa.Schema] = difficulty.SCHEMA
    role: str | None = "prober"
    """Role of the model that attempts the questions."""
    sampling: Sampling = Sampling(n=8, temperature=0.7, max_tokens=2048)
    """How the model is sampled. The paper does not give its n; its labels follow DART-Math: temperature 1.6, top_p
    0.95, 2048 tokens."""
    band: tuple[Share, Share] | None = None
    """Lowest and highest fail rate of interest, both included. Sampling stops as soon as no further samples can change
    whether the rate of all n lies below, inside or above the band. None: all n samples are taken."""

    @model_validator(mode="after")
    def _check_band(self) -> "FailRate":
        if self.band is not None and self.band[0] > self.band[1]:
            raise ValueError(f"the band {self.band} ends before it begins; write the lower rate first")
        return self

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"])

    def initial_sampling(self) -> Sampling:
        """The fewest samples that can decide about the band; without a band, all n."""
        return self.sampling.model_copy(update={"n": self._samples_needed(0, 0, self.sampling.n)})

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """The fewest further samples that can decide about the band; None once that is decided."""
        whole = _whole_replies(replies)
        needed = self._samples_needed(self._count_fails(row, whole), len(whole), self.sampling.n - len(replies))
        return self.sampling.model_copy(update={"n": needed}) if needed else None

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        """A whole sample without an answer has failed. If no sample is whole, the row is rejected as `cut_off`."""
        whole = _whole_replies(replies)
        if not whole:
            yield Reject(row, str(replies[0].fault))
            return
        fails, samples = self._count_fails(row, whole), len(whole)
        low, high = wilson_interval(fails, samples)
        yield {
            "row_id": row["row_id"],
            "question": row["question"],
            "fails": fails,
            "samples": samples,
            "cut_off": len(replies) - samples,
            "fail_rate": fails / samples,
            "low": low,
            "high": high,
            "against": _reference_kind(row),
            "side": self._decided_side(fails, samples, self.sampling.n - len(replies)),
        }

    def _count_fails(self, row: Row, whole: list[Completion]) -> int:
        answers = [final_answer(reply.text) for reply in whole]
        votes = Counter(answer_key(answer) for answer in answers if answer)
        if _reference_kind(row) == "gold":
            return len(whole) - votes[answer_key(final_answer(row["answer"]) or row["answer"])]
        return len(whole) - max(votes.values(), default=0)

    def _samples_needed(self, fails: int, samples: int, left: int) -> int:
        """The fewest of the `left` samples after which the side may be certain; 0 if it already is, or none is left."""
        if self.band is None or not left:
            return left
        more = range(left + 1)
        return next(
            k for k in more if any(self._decided_side(fails + failed, samples + k, left - k) for failed in range(k + 1))
        )

    def _decided_side(self, fails: int, samples: int, left: int) -> BandSide | None:
        """The side of the band on which the rate is certain to lie, whatever becomes of the `left` samples; else None.

        This holds for a majority too: the leading answer gains between none and all of the samples that are left.
        Samples that are cut off leave the rate as it is.
        """
        if self.band is None or not samples + left:
            return None
        low, high = self.band
        lowest, highest = fails / (samples + left), (fails + left) / (samples + left)
        if highest < low:
            return "below"
        if lowest > high:
            return "above"
        return "inside" if lowest >= low and highest <= high else None


class ScoreDifficulty(Score):
    """Predicts the fail rate from the text of a question, by a `regressor` that `TrainDifficultyModel` has trained.

    Any other scorer gives its probability of answering `yes` to the instruction, which is a guess and not a rate.
    """

    label: ClassVar[str] = "score_difficulty"
    table: ClassVar[pa.Schema] = difficulty.SCHEMA
    role: str | None = "difficulty"
    """Role of the model with a scalar head that predicts the difficulty."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"])

    def score(self, row: Row, probability: float) -> Iterator[Outcome]:
        unknown = dict.fromkeys(self.table.names)
        yield unknown | {"row_id": row["row_id"], "question": row["question"], "fail_rate": probability}


def _whole_replies(replies: list[Completion]) -> list[Completion]:
    """The replies that the model ended itself."""
    return [reply for reply in replies if reply.fault is None]


def _reference_kind(row: Row) -> ReferenceKind:
    return "gold" if row.get("answer") else "majority"
