"""Sets how a mock server behaves: its latency, the length of its replies, and its faults, all drawn from a seed."""

import math
from hashlib import sha256
from struct import unpack
from typing import Annotated, Literal

from pydantic import Field, model_validator

from infra.mock_server.dialects import DialectName
from schemas.identity import FrozenModel

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LogSigma = Annotated[float, Field(ge=0, le=10)]

FAULTS = (
    "fault_rate_limited",
    "fault_server_error",
    "fault_cut_off",
    "fault_invalid_json",
    "fault_hang",
    "fault_slow_body",
    "fault_dialect",
)
"""Faults that can hit one attempt and spare the next; each names a field of `MockBehaviour` that holds its share."""


class MockBehaviour(FrozenModel):
    """Latency, replies, capacity and faults of a mock server; the default answers everything at once.

    Shares are fractions of the requests. Each attempt draws at most one of `FAULTS`, independently of earlier
    attempts, so a retry may succeed; these shares must not add up to more than 1.
    """

    seed: int = 0
    """Seed of all random draws: the same requests, sent equally often, get the same replies and faults."""
    latency: Seconds = 0.0
    """Median latency of a reply in seconds, lognormally distributed; 0: no latency."""
    latency_sigma: LogSigma = 0.0
    """Standard deviation of the latency's logarithm; 0: always the median, 1: one in six exceeds 2.7 medians."""
    latency_cap: Seconds = 600.0
    """Longest latency of a reply in seconds."""
    words: int = Field(default=40, ge=2, le=1_000_000)
    """Median words of a reply, including two for its last line `#### <integer>`; each word counts as a token."""
    words_sigma: LogSigma = 0.0
    """Standard deviation of the logarithm of a reply's words; 0: all replies have the same length."""
    words_cap: int = Field(default=4_000, ge=2, le=1_000_000)
    """Most words of one reply."""
    capacity: int = Field(default=0, ge=0)
    """Most requests that are served at once; 0: no limit."""
    over_capacity: Literal["queue", "refuse"] = "queue"
    """What happens to a request above the capacity: `queue` makes it wait, `refuse` answers it with a 429."""
    retry_after: Seconds = 1.0
    """Seconds in the `Retry-After` header of a 429 or 503; fractions are not rounded."""
    fault_rate_limited: Share = 0.0
    """Share of requests refused at once with a 429 and `Retry-After`."""
    fault_server_error: Share = 0.0
    """Share of requests that end with a 500 after their latency."""
    fault_cut_off: Share = 0.0
    """Share of requests whose connection is closed in the middle of the reply's body."""
    fault_invalid_json: Share = 0.0
    """Share of requests answered with status 200 and invalid JSON, whose length matches `Content-Length`."""
    fault_hang: Share = 0.0
    """Share of requests that get no byte for `hang_seconds`, until their connection is closed."""
    hang_seconds: Seconds = 60.0
    """Seconds until the connection of a request that hangs is closed."""
    fault_slow_body: Share = 0.0
    """Share of requests whose body is sent byte by byte over `slow_body_seconds`; the reply is complete and valid."""
    slow_body_seconds: Seconds = 10.0
    """Seconds over which a slow body is sent."""
    fault_dialect: Share = 0.0
    """Share of requests that meet the dialect's own fault: replies that end with a reason such as `content_filter`, or
    without any, and errors inside a reply of status 200."""
    forbidden: Share = 0.0
    """Share of prompts that are always refused with a 400 (`content_policy_violation`)."""
    context: int | None = Field(default=None, ge=1)
    """Most words of a prompt; a longer one is always refused with a 400 (`context_length_exceeded`). None: no limit."""
    status: int | None = Field(default=None, ge=400, le=599)
    """Error status of every reply, such as 401, 402, 403 or 503; None: requests are answered normally."""
    dialect: DialectName = "plain"
    """The server that is imitated: its paths, the fields that it refuses, and the form of its replies."""
    model: str = "stub"
    """Name of the one model that `/v1/models` lists; a request may name any model."""

    @model_validator(mode="after")
    def _check_fault_shares(self) -> "MockBehaviour":
        if sum(getattr(self, name) for name in FAULTS) > 1 + 1e-9:
            raise ValueError(f"the shares of {', '.join(FAULTS)} add up to more than 1")
        return self

    def draw_latency(self, key: bytes, attempt: int) -> float:
        """Draw the latency, in seconds, of this attempt at the request that `key` names."""
        if not self.latency:
            return 0.0
        return min(self.latency * self._draw_lognormal(self.latency_sigma, b"latency", key, attempt), self.latency_cap)

    def draw_length(self, key: bytes, sample: int) -> int:
        """Draw the number of words of this sample, at least 2."""
        length = (
            self.words * self._draw_lognormal(self.words_sigma, b"words", key, sample)
            if self.words_sigma
            else self.words
        )
        return max(2, min(round(length), self.words_cap))

    def draw_fault(self, key: bytes, attempt: int) -> str | None:
        """Draw which of `FAULTS` hits this attempt; None if no fault does."""
        if not any(getattr(self, name) for name in FAULTS):
            return None
        remainder, _ = self._draw_pair(b"fault", key, attempt)
        for name in FAULTS:
            if (remainder := remainder - getattr(self, name)) < 0:
                return name
        return None

    def forbids(self, prompt: bytes) -> bool:
        """Whether this prompt is always refused."""
        return self.forbidden > 0 and self._draw_pair(b"forbidden", prompt, 0)[0] < self.forbidden

    def _draw_lognormal(self, sigma: float, purpose: bytes, key: bytes, number: int) -> float:
        """Draw a lognormal number with median 1 (Box-Muller)."""
        if not sigma:
            return 1.0
        radius, angle = self._draw_pair(purpose, key, number)
        return math.exp(sigma * math.sqrt(-2 * math.log1p(-radius)) * math.cos(2 * math.pi * angle))

    def _draw_pair(self, purpose: bytes, key: bytes, number: int) -> tuple[float, float]:
        """Draw two numbers in [0, 1) from the arguments and the seed; seeding a generator takes five times as long."""
        one, two = unpack("<2Q", sha256(b"%d %s %d " % (self.seed, purpose, number) + key).digest()[:16])
        return (one >> 11) / 2**53, (two >> 11) / 2**53
