"""What a run may spend, and whose account its requests are charged to."""

from pydantic import Field

from schemas.identity import FrozenModel
from schemas.receipts import Usage


class Budget(FrozenModel):
    """What a run may spend over all its continuations; None: no limit."""

    tokens: int | None = Field(default=None, ge=0)
    """Of prompts and completions."""
    usd: float | None = Field(default=None, ge=0)
    gpu_hours: float | None = Field(default=None, ge=0)

    @property
    def has_limit(self) -> bool:
        """Whether there is any limit."""
        return (self.tokens, self.usd, self.gpu_hours) != (None, None, None)

    def covers(self, spent: Usage) -> bool:
        """Whether `spent` lies within the budget; a budget of nothing holds nothing."""
        limits = (
            (self.tokens, spent.tokens),
            (self.usd, spent.usd),
            (self.gpu_hours, spent.gpu_seconds / 3600),
        )
        return all(limit is None or (limit > 0 and used <= limit) for limit, used in limits)


class Account(FrozenModel):
    """Whose budget a shard's requests are charged to."""

    run: str = ""
    """Id of the run."""
    start_id: str = ""
    """Which of its starts this is."""
    budget: Budget = Budget()
    spent_before: Usage = Usage()
    """By earlier starts of the same run."""
