"""The base class of stages that need a probability from a model rather than a text."""

from collections.abc import Iterator
from typing import Any

from schemas.engine import Completion, Reply, Request
from schemas.outcomes import Row
from schemas.prompts import Sampling
from tasks.base.ask import Ask, Outcome


class Score(Ask):
    """A stage that scores each row by the probability that the model answers `yes` to its prompt."""

    def score(self, row: Row, probability: float) -> Iterator[Outcome]:
        """Turn `probability`, the P(yes) in [0, 1], into at least one outcome."""
        raise NotImplementedError(f"{type(self).__name__} must define score()")

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        """Read the probability from the single reply. Raises ValueError where `prompt` returned None."""
        if not replies:
            raise ValueError(
                f"{self.label}: no prompt for row {row['row_id']!r}; a stage that scores must ask about every row"
            )
        yield from self.score(row, float(replies[0].text))

    def _send(self, requests: list[Request], engine: Any, sampling: Sampling) -> Iterator[tuple[Request, Reply]]:
        replies: Iterator[tuple[Request, Reply]] = engine.score([r._replace(seeds=r.seeds[:1]) for r in requests])
        return replies
