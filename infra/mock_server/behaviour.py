"""What a mock server is like: how long it takes, how much it says, what goes wrong; all of it repeats by its seed."""

import math
from hashlib import sha256
from struct import unpack
from typing import Annotated, Literal

from pydantic import Field, model_validator

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
)
"""What may go wrong with one attempt and not with the next; each is a share of `MockBehaviour`."""


class MockBehaviour(FrozenModel):
    """Latency, replies, capacity and chaos of a mock server; the default answers everything at once.

    Shares are of requests. Of those that may go wrong (`FAULTS`) at most one is drawn for an attempt, anew for each
    attempt, so that a retry may pass: they must not add up to more than 1.
    """

    seed: int = 0
    """Of everything that is drawn: the same requests, asked as often, meet the same server."""
    latency: Seconds = 0.0
    """Median seconds until a reply is sent, lognormal; 0: none."""
    latency_sigma: LogSigma = 0.0
    """Of the latency's logarithm; 0: always the median, 1: one in six waits longer than 2.7 medians."""
    latency_cap: Seconds = 600.0
    """Seconds that no latency exceeds."""
    words: int = Field(default=40, ge=2, le=1_000_000)
    """Median words of a reply, its last line `#### <integer>` counted as two; a word counts as a token."""
    words_sigma: LogSigma = 0.0
    """Of the logarithm of a reply's words; 0: all are of the same length."""
    words_cap: int = Field(default=4_000, ge=2, le=1_000_000)
    """Words that no reply exceeds."""
    capacity: int = Field(default=0, ge=0)
    """Requests served at once; 0: no limit."""
    over_capacity: Literal["queue", "refuse"] = "queue"
    """What becomes of a request above the capacity: it waits for its turn, or is refused with a 429."""
    retry_after: Seconds = 1.0
    """Seconds that a 429 or 503 names in `Retry-After`; fractions are sent as they are."""
    fault_rate_limited: Share = 0.0
    """Share refused at once: 429 with `Retry-After`."""
    fault_server_error: Share = 0.0
    """Share that end, after their latency, with a 500."""
    fault_cut_off: Share = 0.0
    """Share whose connection is closed in the middle of the reply's body."""
    fault_invalid_json: Share = 0.0
    """Share answered with status 200 and a body that is no JSON, and whole by its length."""
    fault_hang: Share = 0.0
    """Share that get no byte for `hang` seconds; then their connection is closed."""
    hang_seconds: Seconds = 60.0
    """Seconds."""
    fault_slow_body: Share = 0.0
    """Share whose body is sent byte by byte over `drip` seconds; it is a whole and right reply in the end."""
    slow_body_seconds: Seconds = 10.0
    """Seconds."""
    forbidden: Share = 0.0
    """Share of prompts refused for ever with a 400 (`content_policy_violation`), whatever else the request says."""
    context: int | None = Field(default=None, ge=1)
    """Most words of a prompt; a longer one is refused for ever with a 400 (`context_length_exceeded`)."""
    status: int | None = Field(default=None, ge=400, le=599)
    """Status of every reply, e.g. 401, 402, 403, 503; None: as it comes."""
    model: str = "stub"
    """Name of the one model that `/v1/models` lists; a request may name any."""

    @model_validator(mode="after")
    def _check_fault_shares(self) -> "MockBehaviour":
        if sum(getattr(self, name) for name in FAULTS) > 1 + 1e-9:
            raise ValueError(f"the shares of {', '.join(FAULTS)} add up to more than 1")
        return self

    def draw_latency(self, key: bytes, attempt: int) -> float:
        """Latency of this attempt at what `key` stands for."""
        if not self.latency:
            return 0.0
        return min(self.latency * self._draw_lognormal(self.latency_sigma, b"latency", key, attempt), self.latency_cap)

    def draw_length(self, key: bytes, sample: int) -> int:
        """Words of this sample, at least 2."""
        drawn = (
            self.words * self._draw_lognormal(self.words_sigma, b"words", key, sample)
            if self.words_sigma
            else self.words
        )
        return max(2, min(round(drawn), self.words_cap))

    def draw_fault(self, key: bytes, attempt: int) -> str | None:
        """Which of `FAULTS` befalls this attempt, if any."""
        if not any(getattr(self, name) for name in FAULTS):
            return None
        remainder, _ = self._draw_pair(b"fault", key, attempt)
        for name in FAULTS:
            if (remainder := remainder - getattr(self, name)) < 0:
                return name
        return None

    def forbids(self, prompt: bytes) -> bool:
        """Whether this prompt is refused for ever."""
        return self.forbidden > 0 and self._draw_pair(b"forbidden", prompt, 0)[0] < self.forbidden

    def _draw_lognormal(self, sigma: float, purpose: bytes, key: bytes, number: int) -> float:
        """A number whose median is 1 (Box-Muller)."""
        if not sigma:
            return 1.0
        radius, angle = self._draw_pair(purpose, key, number)
        return math.exp(sigma * math.sqrt(-2 * math.log1p(-radius)) * math.cos(2 * math.pi * angle))

    def _draw_pair(self, purpose: bytes, key: bytes, number: int) -> tuple[float, float]:
        """Two numbers in [0, 1) that depend on nothing else; a generator seeded for each costs five times as much."""
        one, two = unpack("<2Q", sha256(b"%d %s %d " % (self.seed, purpose, number) + key).digest()[:16])
        return (one >> 11) / 2**53, (two >> 11) / 2**53
