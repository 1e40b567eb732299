"""The learning rate over a training that may be made longer while it runs."""

from schemas.identity import FrozenModel
from tasks.pupil.config import PupilTraining


class Schedule(FrozenModel):
    """Where a training stands; the learning rate depends on nothing else."""

    step: int = 0
    seconds: float = 0.0
    """Spent in training so far, over all continuations."""
    tokens: int = 0
    """Read so far, padding left out."""
    end: int | None = None
    """The last step, fixed when the decay begins."""

    def learning_rate_share(self, config: PupilTraining) -> float:
        """Share of the peak rate: warm-up, constant, then a line down to zero."""
        warm_up = min(1.0, (self.step + 1) / config.warmup_steps)
        if self.end is None:
            return warm_up
        return warm_up * min(1.0, max(0.0, self.end - self.step) / (self.end * config.decay_share))

    def with_end(self, config: PupilTraining) -> "Schedule":
        """The same, with the end fixed if it is time for the decay."""
        if self.end is not None:
            return self
        if config.steps is not None:
            return self.model_copy(update={"end": config.steps})
        decay_begin_seconds = (1 - config.decay_share) * config.minutes * 60
        if self.seconds < decay_begin_seconds or self.step == 0:
            return self
        return self.model_copy(update={"end": round(self.step / (1 - config.decay_share))})
