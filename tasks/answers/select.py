"""Which of several answers to a question is published: what most samples agree on, and then what a judge likes best."""

from typing import ClassVar

from pydantic import Field

from schemas.steps import Merge


class SelectAnswer(Merge):
    """One answer a question, with its votes beside its reward; ScaleQuest (section 2.5) looks at rewards alone.

    Of `sample_questions` and `ground_truth`, the fail rate and the topic go with the row, where they were measured.
    """

    label: ClassVar[str] = "select_answer"
    inputs: ClassVar[tuple[str, ...]] = ("answers", "rewards", "questions", "ground_truth")

    within_majority: bool = True
    """Only answers that the most samples agree on; false is the paper's rule: the highest reward, whoever agrees."""
    least_agreement: float = Field(default=0.5, ge=0, le=1)
    """Share of a question's samples that must agree for the question to be published; the paper has none (0)."""

    least_reward: float = Field(default=0.0, ge=0, le=1)
    """Reward below which even the best answer is not published; the paper has none (0)."""

    def sql(self) -> str:
        """Equal shares are decided by the higher sum of rewards, then by the answer: the same every time."""
        majority = "answer_key = majority" if self.within_majority else "true"
        return f"""
            WITH judged AS (SELECT answers.*, reward FROM answers LEFT JOIN rewards USING (row_id)),
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
                WHEN reward IS NULL THEN 'no reward'
                WHEN NOT eligible THEN 'minority answer'
                WHEN agreement < {self.least_agreement} THEN 'little agreement'
                WHEN place > 1 THEN 'lower reward'
                WHEN reward < {self.least_reward} THEN 'little reward'
            END AS reject
            FROM ranked LEFT JOIN (SELECT * RENAME (row_id AS question_id) FROM hard) USING (question_id)
                LEFT JOIN (SELECT * RENAME (row_id AS question_id) FROM known) USING (question_id)
            ORDER BY row_id
        """
