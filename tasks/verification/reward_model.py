"""Verdicts by a reward model: an answer is right above a threshold, optionally only with a lead over all others."""

from typing import ClassVar

from pydantic import Field

from schemas.identity import fingerprint
from schemas.outcomes import Row
from schemas.prompts import Prompt
from schemas.steps import Merge
from tasks.answers.reward import ScoreAnswer


class ScoreResponse(ScoreAnswer):
    """The reward of each attempt: the probability with which the model calls its response right."""

    label: ClassVar[str] = "score_response"
    tag: ClassVar[str] = "judge_answer"

    role: str | None = "reward"
    """Role of the model that rates the responses."""

    def prompt(self, row: Row) -> Prompt | None:
        return self.prompt_without_thought(row["question"], row["response"])


class RewardThreshold(Merge):
    """A verdict for each attempt by its reward. Without a reward the verdict is `unverifiable`.

    With a margin, attempts at one question are compared: the reward of an answer is that of its best attempt, the
    best answer is right if it leads the next one by the margin, and the others are wrong.
    """

    label: ClassVar[str] = "reward_threshold"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "answers", "rewards")
    extra_columns: ClassVar[tuple[str, ...]] = ("reward", "lead")
    """Columns in addition to those of every verdict."""

    threshold: float = Field(default=0.5, ge=0, le=1)
    """Smallest reward, in [0, 1], of a right attempt. It applies also if `margin` is given."""
    undecided_band: float = Field(default=0.0, ge=0, le=1)
    """Distance to the threshold within which an attempt is `unverifiable`; 0: every attempt is decided."""
    margin: float | None = Field(default=None, ge=0, le=1)
    """Smallest lead in reward over the best attempt with another answer. None: each attempt is judged alone."""

    def sql(self) -> str:
        """`lead` is the lead over the best other answer: negative for all but the best."""
        small_margin = "false" if self.margin is None else f"abs(lead) < {self.margin} OR (lead = 0 AND rivals > 0)"
        is_behind = "false" if self.margin is None else "lead < 0"
        compared_reward = "reward" if self.margin is None else "best_reward"
        return f"""
            WITH rated AS (
                SELECT * FROM (SELECT row_id FROM attempts)
                LEFT JOIN answers USING (row_id) LEFT JOIN rewards USING (row_id)
            ),
            best AS (
                SELECT question_id, answer_key, max(reward) AS reward FROM rated
                WHERE answer_key IS NOT NULL GROUP BY ALL
            ),
            led AS (
                SELECT one.question_id, one.answer_key, one.reward AS best_reward, count(other.reward) AS rivals,
                    one.reward - coalesce(max(other.reward), 0) AS lead
                FROM best AS one LEFT JOIN best AS other
                    ON one.question_id = other.question_id AND one.answer_key <> other.answer_key
                GROUP BY one.question_id, one.answer_key, one.reward
            ),
            ruled AS (
                SELECT rated.*, lead, CASE
                    WHEN answer_key IS NULL THEN 'no_answer'
                    WHEN reward IS NULL THEN 'no_reward'
                    WHEN abs({compared_reward} - {self.threshold}) < {self.undecided_band} THEN 'doubt'
                    WHEN {compared_reward} < {self.threshold} THEN 'low_reward'
                    WHEN {small_margin} THEN 'small_margin'
                    WHEN {is_behind} THEN 'behind'
                    ELSE 'high_reward'
                END AS rule
                FROM rated LEFT JOIN led USING (question_id, answer_key)
            )
            SELECT row_id, CASE rule
                    WHEN 'high_reward' THEN 'correct' WHEN 'low_reward' THEN 'wrong' WHEN 'behind' THEN 'wrong'
                    WHEN 'no_answer' THEN 'unparseable' ELSE 'unverifiable'
                END AS verdict,
                rule, found_by, NULL::VARCHAR AS gold_parsed, answer_key AS answer_parsed,
                'questmill.reward' AS verifier, '{self.version} {fingerprint(self)[:12]}' AS verifier_version,
                milliseconds, reward, lead, CASE WHEN question_id IS NULL THEN 'no verdict' END AS reject
            FROM ruled ORDER BY row_id
        """
