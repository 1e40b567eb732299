"""Selects one of several answers to each question, by majority vote and then by reward."""

from typing import ClassVar

from pydantic import Field, model_validator

from schemas.steps import Merge


class SelectAnswer(Merge):
    """Selects one answer per question and publishes its votes and reward. ScaleQuest (section 2.5) uses rewards only.

    Rows also get the fail rate of `questions` and the topic of `ground_truth`, where these tables have them.
    """

    label: ClassVar[str] = "select_answer"
    inputs: ClassVar[tuple[str, ...]] = ("answers", "rewards", "questions", "ground_truth")
    rewards_sql: ClassVar[str] = "rewards"
    """The relation of the rewards, as SQL."""

    within_majority: bool = True
    """Whether to select only among the solutions that give the majority answer. False is the paper's rule: the highest
    reward."""
    least_agreement: float = Field(default=0.5, ge=0, le=1)
    """Least share of a question's samples that must agree for it to be published. The paper has no such limit: 0."""

    least_reward: float = Field(default=0.0, ge=0, le=1)
    """Least reward, in [0, 1], of a published answer. The paper has no such limit: 0."""

    def sql(self) -> str:
        """Ties are decided by the higher sum of rewards, then by the answer, so the result is always the same."""
        majority = "answer_key = majority" if self.within_majority else "true"
        return f"""
            WITH judged AS (SELECT answers.*, reward FROM answers LEFT JOIN {self.rewards_sql} USING (row_id)),
            shares AS (
                SELECT question_id, answer_key, count(*) AS votes, round(sum(reward), 9) AS liked, max(asked) AS asked
                FROM judged GROUP BY question_id, answer_key
            ),
            majorities AS (
                SELECT question_id, max(asked)::INTEGER AS samples, max(votes) / max(asked) AS agreement,
                    first(answer_key ORDER BY votes DESC, liked DESC, answer_key) AS majority
                FROM shares GROUP BY question_id
            ),
            ranked AS (
                SELECT *, {majority} AS eligible, row_number() OVER (
                    PARTITION BY question_id ORDER BY {majority} DESC, reward DESC NULLS LAST, row_id
                ) AS place
                FROM judged JOIN majorities USING (question_id)
            ),
            hard AS (SELECT COLUMNS(name -> name IN ('row_id', 'fail_rate')) FROM questions),
            known AS (SELECT COLUMNS(name -> name IN ('row_id', 'topic')) FROM ground_truth)
            SELECT * EXCLUDE (eligible, place, majority, asked), answer_key = majority AS of_majority, CASE
                WHEN reward IS NULL AND {self.rewards_sql == "rewards"} THEN 'no reward'
                WHEN NOT eligible THEN 'minority answer'
                WHEN agreement < {self.least_agreement} THEN 'little agreement'
                WHEN place > 1 THEN 'lower reward'
                WHEN reward < {self.least_reward} THEN 'little reward'
            END AS reject
            FROM ranked LEFT JOIN (SELECT * RENAME (row_id AS question_id) FROM hard) USING (question_id)
                LEFT JOIN (SELECT * RENAME (row_id AS question_id) FROM known) USING (question_id)
            ORDER BY row_id
        """


class SelectByMajority(SelectAnswer):
    """Selects without a reward model: the first solution that gives the majority answer. The reward is null."""

    label: ClassVar[str] = "select_by_majority"
    inputs: ClassVar[tuple[str, ...]] = ("answers", "questions", "ground_truth")
    rewards_sql: ClassVar[str] = "(SELECT row_id, NULL::DOUBLE AS reward FROM answers)"

    @model_validator(mode="after")
    def _check_no_reward_is_needed(self) -> "SelectByMajority":
        if not self.within_majority or self.least_reward:
            raise ValueError(
                "without rewards, select.within_majority and select.least_reward decide nothing; leave them out"
            )
        return self
