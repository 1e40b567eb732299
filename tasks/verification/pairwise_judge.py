"""Verdicts by comparison: a model says which of two responses is right, and sees them in both orders.

A judge of two responses tends to favor one position, whatever the responses say (Zheng et al., arXiv:2306.05685,
section 3.4). A preference therefore counts only if it is the same in both orders.
"""

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa

from schemas.arrow import measured, optional, required
from schemas.engine import Completion
from schemas.outcomes import Row
from schemas.prompts import Prompt
from schemas.steps import Merge
from tasks.base.ask import Outcome
from tasks.base.llm_judge import JudgeStage, Synonyms
from tasks.verification.verify import OPEN_THOUGHT, read_response

PAIR_CHOICES = pa.schema(
    [
        required("row_id", pa.string()),
        optional("choice", pa.string()),  # own, rival, neither or open_thought; null: no decision or no rival
        optional("votes", pa.string()),
        optional("reason", pa.string()),
        measured("milliseconds", pa.float32()),
    ]
)
"""Which of two responses the judge prefers, in one of the two orders."""


class PairWithRival(Merge):
    """Attempts with a `rival`: the first response to the same question that states the most frequent other answer."""

    label: ClassVar[str] = "pair_with_rival"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "answers")

    def sql(self) -> str:
        """`rival` is null if all attempts state the same answer, or if the attempt has none."""
        return """
            WITH shares AS (
                SELECT question_id, answer_key, count(*) AS votes, min(row_id) AS one
                FROM answers WHERE answer_key IS NOT NULL GROUP BY ALL
            ),
            rivals AS (
                SELECT row_id, first(one ORDER BY votes DESC, one) AS one
                FROM answers JOIN shares USING (question_id)
                WHERE shares.answer_key <> answers.answer_key GROUP BY row_id
            )
            SELECT attempts.row_id, attempts.question, attempts.response, other.response AS rival
            FROM attempts LEFT JOIN rivals USING (row_id) LEFT JOIN attempts AS other ON other.row_id = rivals.one
            ORDER BY attempts.row_id
        """


class JudgePair(JudgeStage):
    """Which of two responses has the right answer, in one order. A second stage shows them in the other order.

    The judge does not see what was thought before a response. A response whose thought never ends is not judged.
    """

    label: ClassVar[str] = "judge_pair"
    version: ClassVar[int] = 4
    table: ClassVar[pa.Schema] = PAIR_CHOICES
    verdict_words: ClassVar[tuple[str, ...]] = ("first", "second", "neither")
    verdict_synonyms: ClassVar[Synonyms] = {
        "first": ("the first", "first response", "the first response", "response 1"),
        "second": ("the second", "second response", "the second response", "response 2"),
        "neither": ("none", "both wrong", "neither response"),
    }

    swapped: bool = False
    """Whether the rival response is shown first. The recipe runs both orders, whatever is given here."""

    def prompt(self, row: Row) -> Prompt | None:
        own, rival = read_response(row["response"]), read_response(row["rival"] or "")
        if own is None or rival is None or row["rival"] is None:
            return None
        responses = (rival, own) if self.swapped else (own, rival)
        return self.make_prompt(question=row["question"], first_response=responses[0], second_response=responses[1])

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        word, votes, reason = self.majority(replies)
        choices = {"first": "rival" if self.swapped else "own", "second": "own" if self.swapped else "rival"}
        is_open = not replies and read_response(row["response"]) is None
        yield {
            "row_id": row["row_id"],
            "choice": OPEN_THOUGHT if is_open else choices.get(word or "", word),
            "votes": votes or None,
            "reason": reason,
            "milliseconds": 0.0,
        }


class VerdictFromPairs(Merge):
    """A verdict for each attempt: right if both orders prefer it, wrong if both prefer its rival or neither."""

    label: ClassVar[str] = "verdict_from_pairs"
    version: ClassVar[int] = 2
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "given", "swapped")
    extra_columns: ClassVar[tuple[str, ...]] = ("votes", "reason")
    """Columns in addition to those of every verdict."""

    judge_identity: str = ""
    """Identity of the judge, which the rows state in `verifier_version`."""

    def sql(self) -> str:
        """If the two orders contradict each other, the attempt is `unverifiable`."""
        return f"""
            WITH ruled AS (
                SELECT attempts.row_id, given.votes || ' | ' || swapped.votes AS votes,
                    coalesce(given.reason, swapped.reason) AS reason, given.milliseconds AS milliseconds,
                    CASE
                        WHEN given.row_id IS NULL OR swapped.row_id IS NULL THEN NULL
                        WHEN given.choice = '{OPEN_THOUGHT}' THEN given.choice
                        WHEN given.votes IS NULL THEN 'no_rival'
                        WHEN given.choice IS NULL OR swapped.choice IS NULL THEN 'no_verdict'
                        WHEN given.choice = swapped.choice THEN given.choice
                        ELSE 'order'
                    END AS rule
                FROM attempts LEFT JOIN given USING (row_id) LEFT JOIN swapped USING (row_id)
            )
            SELECT row_id, CASE rule
                    WHEN 'own' THEN 'correct' WHEN 'rival' THEN 'wrong' WHEN 'neither' THEN 'wrong'
                    WHEN '{OPEN_THOUGHT}' THEN 'unparseable'
                    ELSE 'unverifiable'
                END AS verdict,
                CASE rule WHEN 'own' THEN 'preferred' WHEN 'rival' THEN 'rival_preferred' ELSE rule END AS rule,
                NULL::VARCHAR AS found_by, NULL::VARCHAR AS gold_parsed, NULL::VARCHAR AS answer_parsed,
                'questmill.pairwise_judge' AS verifier, '{self.version} {self.judge_identity}' AS verifier_version,
                milliseconds, votes, reason, CASE WHEN rule IS NULL THEN 'no verdict' END AS reject
            FROM ruled ORDER BY row_id
        """
