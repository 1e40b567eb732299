"""A verdict by a model that gives its reason, or by a panel of samples of it that votes."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import model_validator

from schemas import verdicts
from schemas.arrow import optional
from schemas.engine import Completion, Prompt, Sampling
from schemas.work import Row, fingerprint
from tasks.ask import Ask, Outcome, tagged_line
from tasks.questions import VERDICT

PANEL = pa.schema(
    [
        *verdicts.SCHEMA,
        optional("votes", pa.string()),  # of the panel as they came, e.g. `correct wrong correct`; `-`: none was given
        optional("reason", pa.string()),  # of the first member that voted as the panel did
    ]
)
"""A verdict that also says how the panel voted."""


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


class JudgeResponse(Panel):
    """A verdict for each attempt, against the known answer or by the model's own solution. Unsure is `unverifiable`."""

    table: ClassVar[pa.Schema] = PANEL
    words: ClassVar[tuple[str, ...]] = ("correct", "wrong", "unsure")

    gold: bool = True
    """Show the known answer; without it the judge must solve the question itself."""

    def prompt(self, row: Row) -> Prompt:
        known = {"known_answer": row["answer"]} if self.gold else {}
        return self.ask(question=row["question"], **known, response=row["response"])

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        word, votes, why = self.decided(replies)
        found = word if word in verdicts.DECIDED else "unverifiable"
        made = verdict(row["row_id"], found, _rule(word, votes), "questmill.judge", self.identity)
        yield made | {"gold_parsed": row["answer"] if self.gold else None, "votes": votes, "reason": why}


def verdict(row_id: str, found: str, rule: str, verifier: str, version: str) -> Row:
    """A row of `schemas.verdicts` that read no answers."""
    return dict.fromkeys(verdicts.SCHEMA.names) | {
        "row_id": row_id,
        "verdict": found,
        "rule": rule,
        "verifier": verifier,
        "verifier_version": version,
        "milliseconds": 0.0,
    }


def reply_schema(words: Sequence[str]) -> dict[str, Any]:
    """JSON schema of a structured judgement."""
    properties = {"reason": {"type": "string"}, "verdict": {"enum": list(words)}}
    return {"type": "object", "properties": properties, "required": ["reason", "verdict"]}


def said(text: str, words: Sequence[str]) -> str | None:
    """The one of `words` that a judgement ends in, written as a last line or as JSON; None when it reaches none."""
    word = tagged_line(text, VERDICT) or ""
    if text.lstrip().startswith("{"):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            word = str(json.loads(text).get("verdict"))
    word = word.lower().strip(" .*`")
    return word if word in words else None


def reason(text: str) -> str:
    """What a judgement says before its verdict."""
    if text.lstrip().startswith("{"):
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            return str(json.loads(text).get("reason", "")).strip()
    return text.rpartition(VERDICT)[0].strip()


def _rule(word: str | None, votes: str) -> str:
    """Why the verdict is what it is: `unanimous`, `majority`, `unsure`; `split`, or `no_verdict` where nobody spoke."""
    spoken = set(votes.split()) - {"-"}
    if word in verdicts.DECIDED:
        return "unanimous" if len(spoken) == 1 else "majority"
    return word or ("split" if spoken else "no_verdict")
