"""How hard a question is: a model's fail rate on it, and a score that predicts the rate."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from schemas.engine import Completion
from schemas.outcomes import Row
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

    Held against the row's `answer`; where it has none, against the answer that most samples agree on. Such a majority
    knows nothing of errors that the model always makes, so its rate is too low just where a question is hardest.
    """

    label: ClassVar[str] = "fail_rate"
    tag: ClassVar[str] = "solve"
    table: ClassVar[pa.Schema] = difficulty.SCHEMA
    role: str | None = "prober"
    """Which model attempts the questions."""
    sampling: Sampling = Sampling(n=8, temperature=0.7, max_tokens=256)
    """The paper does not say its n; its labels follow DART-Math: temperature 1.6, top_p 0.95, 2048 tokens."""
    band: tuple[Share, Share] | None = None
    """Rates of interest, both ends included. Sampling stops as soon as the samples that are left, whatever they say,
    cannot change the side of the band on which the rate of all n lies: the side is the one that all n would give."""

    @model_validator(mode="after")
    def _check_band(self) -> "FailRate":
        if self.band is not None and self.band[0] > self.band[1]:
            raise ValueError(f"the band {self.band} ends before it begins; write the lower rate first")
        return self

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"])

    def initial_sampling(self) -> Sampling:
        """As many samples as the band takes at least; without one, all."""
        return self.sampling.model_copy(update={"n": self._samples_needed(0, 0)})

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """As many more as the band takes at least, from where it stands."""
        needed = self._samples_needed(self._count_fails(row, replies), len(replies))
        return self.sampling.model_copy(update={"n": needed}) if needed else None

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        """A sample without an answer, or one that was cut off, has failed; so have all where none has an answer."""
        fails, samples = self._count_fails(row, replies), len(replies)
        low, high = wilson_interval(fails, samples)
        yield {
            "row_id": row["row_id"],
            "question": row["question"],
            "fails": fails,
            "samples": samples,
            "fail_rate": fails / samples,
            "low": low,
            "high": high,
            "against": _reference_kind(row),
            "side": self._decided_side(fails, samples),
        }

    def _count_fails(self, row: Row, replies: list[Completion]) -> int:
        answers = [final_answer(reply.text) for reply in replies if reply.finish_reason == "stop"]
        votes = Counter(answer_key(answer) for answer in answers if answer)
        if _reference_kind(row) == "gold":
            return len(replies) - votes[answer_key(final_answer(row["answer"]) or row["answer"])]
        return len(replies) - max(votes.values(), default=0)

    def _samples_needed(self, fails: int, samples: int) -> int:
        """The fewest further samples after which the side may be sure; 0 where it is."""
        left = self.sampling.n - samples
        if self.band is None:
            return left
        more = range(left + 1)
        return next(k for k in more if any(self._decided_side(fails + failed, samples + k) for failed in range(k + 1)))

    def _decided_side(self, fails: int, samples: int) -> BandSide | None:
        """The side on which the rate of all n samples is sure to lie, if there is one.

        It is also sure against a majority: of the samples that are left, a leading answer gains between none and all.
        """
        if self.band is None:
            return None
        n, (low, high) = self.sampling.n, self.band
        lowest, highest = fails / n, (fails + n - samples) / n
        if highest < low:
            return "below"
        if lowest > high:
            return "above"
        return "inside" if lowest >= low and highest <= high else None


class ScoreDifficulty(Score):
    """A predicted fail rate, from the question's text alone: by a `regressor` that `TrainDifficultyModel` has trained.

    Any other scorer gives the probability that it answers `yes` to the instruction: a guess, not a rate.
    """

    label: ClassVar[str] = "score_difficulty"
    table: ClassVar[pa.Schema] = difficulty.SCHEMA
    role: str | None = "difficulty"
    """Which model with a scalar head predicts the difficulty."""

    def prompt(self, row: Row) -> Prompt:
        return self.make_prompt(question=row["question"])

    def score(self, row: Row, probability: float) -> Iterator[Outcome]:
        unknown = dict.fromkeys(self.table.names)
        yield unknown | {"row_id": row["row_id"], "question": row["question"], "fail_rate": probability}


def _reference_kind(row: Row) -> ReferenceKind:
    return "gold" if row.get("answer") else "majority"
