"""A model that judges by a reason and a last word, or several samples of it that vote."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from schemas.engine import Completion
from schemas.identity import fingerprint
from schemas.outcomes import Row
from schemas.prompts import Sampling
from tasks.base.ask import Ask
from tasks.base.json_reply import fields

VERDICT = "Verdict:"
"""Opens the last line of a judgement, followed by its word."""
_LAST = re.compile(r"[\W_]*verdict[\W_]*([a-z]+)(.*)")
_DOUBT = {
    *("actually", "wait", "but", "however", "if", "unless", "otherwise", "except", "though", "although"),
    *("hmm", "instead", "maybe", "perhaps", "or"),
}
_DENIAL = re.compile(
    r"n't|\b(?:not|never|cannot|nothing|missing|lacks?|lacking|without|contradict\w*|impossible|invalid|incorrect"
    r"|in(?:consistent|sufficient|complete)|un(?:solvable|clear|known|determined|defined|certain|sure))\b"
)
_DENYING = frozenset({"no", "wrong"})
"""Words that a denial behind them bears out."""


class Panel(Ask):
    """A stage whose samples are members of a panel: each gives a reason and one of a few words, and most decide."""

    version: ClassVar[int] = 2
    words: ClassVar[tuple[str, ...]]
    """What a member may say."""
    role: str | None = "judge"
    """Which model judges."""
    sampling: Sampling = Sampling(max_tokens=512)
    """`n` is the size of the panel; more than one member wants a temperature above 0."""
    structured: bool = False
    """Hold the model to a JSON object of reason and verdict; for engines that can (http, vllm)."""

    @cached_property
    def identity(self) -> str:
        """For the rows: the version, and all that was configured."""
        return f"{self.version} {fingerprint(self)[:12]}"

    def first(self) -> Sampling:
        return self.sampling.model_copy(update={"reply_schema": reply_schema(self.words) if self.structured else {}})

    def again(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """Members who said none of the words are asked once more, warmer: a greedy reply would be the same again."""
        silent = [heard(reply, self.words) for reply in replies].count(None)
        if not silent or len(replies) > self.sampling.n:
            return None
        return self.first().model_copy(update={"n": silent, "temperature": max(self.sampling.temperature, 0.7)})

    def decided(self, replies: list[Completion]) -> tuple[str | None, str, str | None]:
        """What more than half of the panel says, or None; the votes; and the reason of one who says it."""
        spoken = [heard(reply, self.words) for reply in replies]
        word, count = Counter(filter(None, spoken)).most_common(1)[0] if any(spoken) else (None, 0)
        votes = " ".join(each or "-" for each in spoken)
        if 2 * count <= self.sampling.n:
            return None, votes, None
        return word, votes, reason(replies[spoken.index(word)].text)


def reply_schema(words: Sequence[str]) -> dict[str, Any]:
    """JSON schema of a structured judgement."""
    properties = {"reason": {"type": "string"}, "verdict": {"enum": list(words)}}
    return {"type": "object", "properties": properties, "required": ["reason", "verdict"]}


def heard(reply: Completion, words: Sequence[str]) -> str | None:
    """What a member of a panel says; one that was cut off has not come to its verdict."""
    return said(reply.text, words) if reply.finish_reason == "stop" else None


def said(text: str, words: Sequence[str]) -> str | None:
    """The one of `words` that a judgement ends in, as its last line or as JSON; None when it reaches none.

    A verdict that is followed by second thoughts is none, for whoever wrote it may have changed its mind: another of
    the words, one of doubt (`Actually`, `if`), or, behind a word that affirms, a denial (`yes, a number is missing`).
    """
    if "verdict" in (told := fields(text)):
        word = str(told["verdict"]).lower().strip(" .*`\"'")
        return word if word in words else None
    last = _LAST.match(text.strip().rpartition("\n")[2].lower())
    if last is None or last[1] not in words:
        return None
    if {*re.findall("[a-z]+", last[2])} & {*words, *_DOUBT} or (last[1] not in _DENYING and _DENIAL.search(last[2])):
        return None
    return last[1]


def reason(text: str) -> str:
    """What a judgement says before its verdict."""
    told = fields(text)
    return str(told.get("reason", "")).strip() if told else text.rpartition(VERDICT)[0].strip()
