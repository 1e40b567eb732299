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
from tasks.base.json_reply import parse_json_reply

VERDICT_PREFIX = "Verdict:"
"""Opens the last line of a judgement, followed by its word."""
# matches the start of "**verdict:** yes, it is", not of "my verdict: yes"
_VERDICT_LINE = re.compile(r"[\W_]*verdict[\W_]*([a-z]+)(.*)")
_DOUBT_WORDS = {
    *("actually", "wait", "but", "however", "if", "unless", "otherwise", "except", "though", "although"),
    *("hmm", "instead", "maybe", "perhaps", "or"),
}
# matches "it isn't solvable", "inconsistent", not "it is notable"
_NEGATION = re.compile(
    r"n't|\b(?:not|never|cannot|nothing|missing|lacks?|lacking|without|contradict\w*|impossible|invalid|incorrect"
    r"|in(?:consistent|sufficient|complete)|un(?:solvable|clear|known|determined|defined|certain|sure))\b"
)
_NEGATIVE_VERDICTS = frozenset({"no", "wrong"})
"""Words that a denial behind them bears out."""


class JudgeStage(Ask):
    """A stage whose samples are members of a panel: each gives a reason and one of a few words, and most decide."""

    version: ClassVar[int] = 2
    verdict_words: ClassVar[tuple[str, ...]]
    """What a member may say."""
    role: str | None = "judge"
    """Which model judges."""
    sampling: Sampling = Sampling(max_tokens=512)
    """`n` is the size of the panel; more than one member wants a temperature above 0."""
    structured: bool = False
    """Hold the model to a JSON object of reason and verdict; for engines that can (http, vllm)."""

    @cached_property
    def judge_version(self) -> str:
        """For the rows: the version, and all that was configured."""
        return f"{self.version} {fingerprint(self)[:12]}"

    def initial_sampling(self) -> Sampling:
        return self.sampling.model_copy(
            update={"reply_schema": judgement_schema(self.verdict_words) if self.structured else {}}
        )

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """Members who said none of the words are asked once more, warmer: a greedy reply would be the same again."""
        missing = [vote_of(reply, self.verdict_words) for reply in replies].count(None)
        if not missing or len(replies) > self.sampling.n:
            return None
        return self.initial_sampling().model_copy(
            update={"n": missing, "temperature": max(self.sampling.temperature, 0.7)}
        )

    def majority(self, replies: list[Completion]) -> tuple[str | None, str, str | None]:
        """What more than half of the panel says, or None; the votes; and the reason of one who says it."""
        votes_cast = [vote_of(reply, self.verdict_words) for reply in replies]
        word, count = Counter(filter(None, votes_cast)).most_common(1)[0] if any(votes_cast) else (None, 0)
        votes = " ".join(each or "-" for each in votes_cast)
        if 2 * count <= self.sampling.n:
            return None, votes, None
        return word, votes, parse_reason(replies[votes_cast.index(word)].text)


def judgement_schema(words: Sequence[str]) -> dict[str, Any]:
    """JSON schema of a structured judgement."""
    properties = {"reason": {"type": "string"}, "verdict": {"enum": list(words)}}
    return {"type": "object", "properties": properties, "required": ["reason", "verdict"]}


def vote_of(reply: Completion, words: Sequence[str]) -> str | None:
    """What a member of a panel says; one that was cut off has not come to its verdict."""
    return parse_verdict(reply.text, words) if reply.finish_reason == "stop" else None


def parse_verdict(text: str, words: Sequence[str]) -> str | None:
    """The one of `verdict_words` that a judgement ends in, as its last line or as JSON; None when it reaches none.

    A verdict that is followed by second thoughts is none, for whoever wrote it may have changed its mind: another of
    the words, one of doubt (`Actually`, `if`), or, behind a word that affirms, a denial (`yes, a number is missing`).
    """
    if "verdict" in (parsed := parse_json_reply(text)):
        word = str(parsed["verdict"]).lower().strip(" .*`\"'")
        return word if word in words else None
    last = _VERDICT_LINE.match(text.strip().rpartition("\n")[2].lower())
    if last is None or last[1] not in words:
        return None
    if {*re.findall("[a-z]+", last[2])} & {*words, *_DOUBT_WORDS} or (
        last[1] not in _NEGATIVE_VERDICTS and _NEGATION.search(last[2])
    ):
        return None
    return last[1]


def parse_reason(text: str) -> str:
    """What a judgement says before its verdict."""
    parsed = parse_json_reply(text)
    return str(parsed.get("reason", "")).strip() if parsed else text.rpartition(VERDICT_PREFIX)[0].strip()
