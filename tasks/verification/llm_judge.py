"""Verdicts by an LLM judge, which gives its reason. With several samples, the majority of their votes decides."""

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from schemas.arrow import optional
from schemas.engine import Completion
from schemas.outcomes import Row
from schemas.prompts import Prompt
from schemas.tables import verdicts
from tasks.base.ask import Outcome
from tasks.base.llm_judge import JudgeStage, Synonyms
from tasks.verification.verify import OPEN_THOUGHT, read_response

JUDGE_VERDICTS = pa.schema(
    [
        *verdicts.VERDICT_SCHEMA,
        optional("votes", pa.string()),  # one per sample, in order, e.g. `correct wrong correct`; `-`: no vote
        optional("reason", pa.string()),  # of the first sample that voted with the majority
    ]
)
"""A verdict together with the votes of the judge's samples."""


class JudgeResponse(JudgeStage):
    """A verdict for each attempt, by the known answer or the model's own solution. `unsure` becomes `unverifiable`.

    The judge does not see what was thought before a response. A response whose thought never ends is not judged.
    """

    label: ClassVar[str] = "judge_response"
    version: ClassVar[int] = 4
    table: ClassVar[pa.Schema] = JUDGE_VERDICTS
    verdict_words: ClassVar[tuple[str, ...]] = ("correct", "wrong", "unsure")
    verdict_synonyms: ClassVar[Synonyms] = {
        "correct": ("right", "the response is correct", "true"),
        "wrong": ("incorrect", "not correct", "false", "the response is wrong", "the response is incorrect"),
        "unsure": ("uncertain", "cannot tell", "unclear", "undecided"),
    }

    show_gold: bool = True
    """Whether the judge is shown the known answer. Without it the judge must solve the question itself."""

    def prompt(self, row: Row) -> Prompt | None:
        if (response := read_response(row["response"])) is None:
            return None
        gold = {"known_answer": row["answer"]} if self.show_gold else {}
        return self.make_prompt(question=row["question"], **gold, response=response)

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        word, votes, reason = self.majority(replies)
        if replies:
            verdict = word if word in verdicts.DECISIVE_VERDICTS else "unverifiable"
            rule = _classify_vote(word, votes)
        else:
            verdict, rule = "unparseable", OPEN_THOUGHT
        judged_row = make_verdict(row["row_id"], verdict, rule, "questmill.llm_judge", self.judge_version)
        yield judged_row | {"gold_parsed": row["answer"] if self.show_gold else None, "votes": votes, "reason": reason}


def make_verdict(row_id: str, verdict: str, rule: str, verifier: str, version: str) -> Row:
    """A row of `schemas.tables.verdicts` by a verifier that parses no answers."""
    return dict.fromkeys(verdicts.VERDICT_SCHEMA.names) | {
        "row_id": row_id,
        "verdict": verdict,
        "rule": rule,
        "verifier": verifier,
        "verifier_version": version,
        "milliseconds": 0.0,
    }


def _classify_vote(word: str | None, votes: str) -> str:
    """The rule of the verdict: `unanimous`, `majority`, `unsure`, `split`, or `no_verdict` if no sample voted."""
    words = set(votes.split()) - {"-"}
    if word in verdicts.DECISIVE_VERDICTS:
        return "unanimous" if len(words) == 1 else "majority"
    return word or ("split" if words else "no_verdict")
