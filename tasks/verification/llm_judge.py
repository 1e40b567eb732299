"""A verdict by a model that gives its reason, or by a panel of samples of it that votes."""

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from schemas.arrow import optional
from schemas.engine import Completion
from schemas.outcomes import Row
from schemas.prompts import Prompt
from schemas.tables import verdicts
from tasks.base.ask import Outcome
from tasks.base.llm_judge import Panel

PANEL = pa.schema(
    [
        *verdicts.SCHEMA,
        optional("votes", pa.string()),  # of the panel as they came, e.g. `correct wrong correct`; `-`: none was given
        optional("reason", pa.string()),  # of the first member that voted as the panel did
    ]
)
"""A verdict that also says how the panel voted."""


class JudgeResponse(Panel):
    """A verdict for each attempt, against the known answer or by the model's own solution. Unsure is `unverifiable`."""

    label: ClassVar[str] = "judge_response"
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
    """A row of `schemas.tables.verdicts` that read no answers."""
    return dict.fromkeys(verdicts.SCHEMA.names) | {
        "row_id": row_id,
        "verdict": found,
        "rule": rule,
        "verifier": verifier,
        "verifier_version": version,
        "milliseconds": 0.0,
    }


def _rule(word: str | None, votes: str) -> str:
    """Why the verdict is what it is: `unanimous`, `majority`, `unsure`; `split`, or `no_verdict` where nobody spoke."""
    spoken = set(votes.split()) - {"-"}
    if word in verdicts.DECIDED:
        return "unanimous" if len(spoken) == 1 else "majority"
    return word or ("split" if spoken else "no_verdict")
