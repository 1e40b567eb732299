"""The base class of LLM judges: a model gives a reason and a verdict; several samples may vote."""

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
"""Opens the last line of a judgement; the verdict follows it."""
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
"""Verdicts that a following negation confirms rather than contradicts."""


class JudgeStage(Ask):
    """A stage that judges each row by majority vote: each sample gives a reason and one of `verdict_words`."""

    version: ClassVar[int] = 2
    verdict_words: ClassVar[tuple[str, ...]]
    """The verdicts that a sample may give."""
    role: str | None = "judge"
    """Role of the model that judges."""
    sampling: Sampling = Sampling(max_tokens=512)
    """How the judge is sampled. `n` is the number of votes; more than one vote needs a temperature above 0."""
    structured: bool = False
    """Make the engine enforce a JSON object with reason and verdict; only for engines that can (http, vllm)."""

    @cached_property
    def judge_version(self) -> str:
        """Identifies the judge in published rows: its version and a fingerprint of its configuration."""
        return f"{self.version} {fingerprint(self)[:12]}"

    def initial_sampling(self) -> Sampling:
        return self.sampling.model_copy(
            update={"reply_schema": judgement_schema(self.verdict_words) if self.structured else {}}
        )

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """Samples without a verdict are repeated once, at 0.7 or warmer: a greedy reply would be the same again."""
        missing = [vote_of(reply, self.verdict_words) for reply in replies].count(None)
        if not missing or len(replies) > self.sampling.n:
            return None
        return self.initial_sampling().model_copy(
            update={"n": missing, "temperature": max(self.sampling.temperature, 0.7)}
        )

    def majority(self, replies: list[Completion]) -> tuple[str | None, str, str | None]:
        """The verdict of more than half of the `n` samples, or None; all votes as text; a reason for the verdict."""
        votes_cast = [vote_of(reply, self.verdict_words) for reply in replies]
        word, count = Counter(filter(None, votes_cast)).most_common(1)[0] if any(votes_cast) else (None, 0)
        votes = " ".join(each or "-" for each in votes_cast)
        if 2 * count <= self.sampling.n:
            return None, votes, None
        return word, votes, parse_reason(replies[votes_cast.index(word)].text)


def judgement_schema(words: Sequence[str]) -> dict[str, Any]:
    """JSON schema of a structured judgement that ends in one of `words`."""
    properties = {"reason": {"type": "string"}, "verdict": {"enum": list(words)}}
    return {"type": "object", "properties": properties, "required": ["reason", "verdict"]}


def vote_of(reply: Completion, words: Sequence[str]) -> str | None:
    """The verdict of one sample; None if it gives none or was cut off before it could."""
    return parse_verdict(reply.text, words) if reply.fault is None else None


def parse_verdict(text: str, words: Sequence[str]) -> str | None:
    """The one of `words` that a judgement ends in, as its last line or as JSON; None if it reaches no verdict.

    A verdict that is followed by second thoughts does not count, because the model may have changed its mind. Second
    thoughts are another of the words, a word of doubt (`Actually`, `if`), or a negation after an affirming verdict
    (`yes, a number is missing`).
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
    """The reason in a judgement: the text before its verdict, or its field `reason`."""
    parsed = parse_json_reply(text)
    return str(parsed.get("reason", "")).strip() if parsed else text.rpartition(VERDICT_PREFIX)[0].strip()
