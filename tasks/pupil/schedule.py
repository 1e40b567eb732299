"""The learning rate over a training that may be made longer while it runs."""

from schemas.identity import Frozen
from tasks.pupil.config import Schooling


class Clock(Frozen):
    """Where a training stands; the learning rate depends on nothing else."""

    step: int = 0
    seconds: float = 0.0
    """Spent in training so far, over all continuations."""
    tokens: int = 0
    """Read so far, padding left out."""
    end: int | None = None
    """The last step, fixed when the decay begins."""

    def rate(self, schooling: Schooling) -> float:
        """Share of the peak rate: warm-up, constant, then a line down to zero."""
        rising = min(1.0, (self.step + 1) / schooling.warmup)
        if self.end is None:
            return rising
        return rising * min(1.0, max(0.0, self.end - self.step) / (self.end * schooling.decay))

    def fixed(self, schooling: Schooling) -> "Clock":
        """The same, with the end fixed if it is time for the decay."""
        if self.end is not None:
            return self
        if schooling.steps is not None:
            return self.model_copy(update={"end": schooling.steps})
        begin = (1 - schooling.decay) * schooling.minutes * 60
        if self.seconds < begin or self.step == 0:
            return self
        return self.model_copy(update={"end": round(self.step / (1 - schooling.decay))})
