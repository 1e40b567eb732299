"""A model that judges by a reason and a last word, or several samples of it that vote."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from pydantic import model_validator

from schemas.engine import Completion, Sampling
from schemas.work import Row, fingerprint
from tasks.ask import Ask, tagged_line
from tasks.structured import fields

VERDICT = "Verdict:"
"""Opens the last line of a judgement, followed by its word."""


class Panel(Ask):
    """A stage whose samples are members of a panel: each gives a reason and one of a few words, and most decide."""

    words: ClassVar[tuple[str, ...]]
    """What a member may say."""
    role: str | None = "judge"
    """Which model judges."""
    sampling: Sampling = Sampling(max_tokens=512)
    """`n` is the size of the panel; more than one member wants a temperature above 0."""
    structured: bool = False
    """Hold the model to a JSON object of reason and verdict; for engines that can (http, vllm)."""

    @model_validator(mode="after")
    def _meaningful(self) -> "Panel":
        if self.sampling.n > 1 and self.sampling.temperature == 0:
            raise ValueError("a greedy panel says the same n times; set a temperature above 0, or n to 1")
        return self

    @cached_property
    def identity(self) -> str:
        """For the rows: the version, and all that was configured."""
        return f"{self.version} {fingerprint(self)[:12]}"

    def first(self) -> Sampling:
        return self.sampling.model_copy(update={"reply_schema": reply_schema(self.words) if self.structured else {}})

    def again(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """Members who said none of the words are asked once more, warmer: a greedy reply would be the same again."""
        silent = [said(reply.text, self.words) for reply in replies].count(None)
        if not silent or len(replies) > self.sampling.n:
            return None
        return self.first().model_copy(update={"n": silent, "temperature": max(self.sampling.temperature, 0.7)})

    def decided(self, replies: list[Completion]) -> tuple[str | None, str, str | None]:
        """What more than half of the panel says, or None; the votes; and the reason of one who says it."""
        spoken = [said(reply.text, self.words) for reply in replies]
        word, count = Counter(filter(None, spoken)).most_common(1)[0] if any(spoken) else (None, 0)
        votes = " ".join(each or "-" for each in spoken)
        if 2 * count <= self.sampling.n:
            return None, votes, None
        return word, votes, reason(replies[spoken.index(word)].text)


def reply_schema(words: Sequence[str]) -> dict[str, Any]:
    """JSON schema of a structured judgement."""
    properties = {"reason": {"type": "string"}, "verdict": {"enum": list(words)}}
    return {"type": "object", "properties": properties, "required": ["reason", "verdict"]}


def said(text: str, words: Sequence[str]) -> str | None:
    """The one of `words` that a judgement ends in, written as a last line or as JSON; None when it reaches none."""
    word = str(fields(text).get("verdict") or tagged_line(text, VERDICT))
    word = word.lower().strip(" .*`\"'")
    return word if word in words else None


def reason(text: str) -> str:
    """What a judgement says before its verdict."""
    told = fields(text)
    return str(told.get("reason", "")).strip() if told else text.rpartition(VERDICT)[0].strip()
