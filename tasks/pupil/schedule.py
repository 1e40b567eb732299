"""The learning-rate schedule of a training that may be made longer while it runs."""

from schemas.identity import FrozenModel
from tasks.pupil.config import PupilTraining


class Schedule(FrozenModel):
    """The progress of a training. With the configuration, it determines the learning rate."""

    step: int = 0
    """Optimiser steps so far."""
    seconds: float = 0.0
    """Training time so far in seconds, over all continuations."""
    tokens: int = 0
    """Tokens read so far, without padding."""
    end: int | None = None
    """Number of steps of the whole training, fixed when the decay begins; None before."""

    def learning_rate_share(self, config: PupilTraining) -> float:
        """Learning rate as a share of its peak: warm-up, constant, then linear decay to zero."""
        warm_up = min(1.0, (self.step + 1) / config.warmup_steps)
        if self.end is None:
            return warm_up
        return warm_up * min(1.0, max(0.0, self.end - self.step) / (self.end * config.decay_share))

    def with_end(self, config: PupilTraining) -> "Schedule":
        """The same schedule, with its end fixed if it is time for the decay."""
        if self.end is not None:
            return self
        if config.steps is not None:
            return self.model_copy(update={"end": config.steps})
        decay_begin_seconds = (1 - config.decay_share) * config.minutes * 60
        if self.seconds < decay_begin_seconds or self.step == 0:
            return self
        return self.model_copy(update={"end": round(self.step / (1 - config.decay_share))})
