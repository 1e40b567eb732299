"""What a run may spend, and which run its requests are charged to."""

from pydantic import Field

from schemas.identity import FrozenModel
from schemas.receipts import Usage


class Budget(FrozenModel):
    """What a run may spend in total, over all its starts. None means no limit."""

    tokens: int | None = Field(default=None, ge=0)
    """Most tokens to spend, prompts and completions together; None: no limit."""
    usd: float | None = Field(default=None, ge=0)
    """Most US dollars to spend; None: no limit."""
    gpu_hours: float | None = Field(default=None, ge=0)
    """Most GPU hours to spend (one GPU for one hour); None: no limit."""

    @property
    def has_limit(self) -> bool:
        """Whether any limit is set."""
        return (self.tokens, self.usd, self.gpu_hours) != (None, None, None)

    def covers(self, spent: Usage) -> bool:
        """Whether `spent` lies within the budget. A limit of 0 covers nothing, not even 0."""
        limits = (
            (self.tokens, spent.tokens),
            (self.usd, spent.usd),
            (self.gpu_hours, spent.gpu_seconds / 3600),
        )
        return all(limit is None or (limit > 0 and used <= limit) for limit, used in limits)


class Account(FrozenModel):
    """The run that a shard's requests are charged to."""

    run: str = ""
    """Id of the run."""
    start_id: str = ""
    """Id of this start of the run; a run that is continued has several."""
    budget: Budget = Budget()
    """What the run may spend."""
    spent_before: Usage = Usage()
    """What earlier starts of the same run have spent."""
