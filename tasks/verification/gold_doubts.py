"""Finds golds that are in doubt: that cannot be read, that are prose, or against which several responses agree.

In public sets, where several solutions have the same answer and the gold another, the gold is often wrong. A verdict
never changes because of it.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.names import DatasetName
from schemas.steps import Merge
from schemas.tables.gold_doubts import CONFIRMED, NO_DOUBT, STEP
from tasks.answers.final_answer import answer_key
from tasks.verification.extraction.rules import MARKERS
from tasks.verification.gold_faults import MISSING_VALUES, find_faults
from tasks.verification.math_verify.verdict import FORM_CHARACTERS

GOLDS_READ_AT_ONCE = 512
"""Golds that are read together. Their texts are in memory meanwhile."""
EXAMPLES = 5
"""Row ids of agreeing responses that are kept."""
MATH_VERIFIERS = ("questmill.answer_match", "questmill.execute")
"""Verifiers that read golds as mathematics."""
ANSWER_VERIFIERS = (*MATH_VERIFIERS, "questmill.choice", "questmill.number", "questmill.text")
"""Verifiers that compare answers of which it can be said whether two are the same."""
TEXT_RULES = ("identical", "text")
"""Rules that compare texts, so that their verdicts do not show that a gold can be read."""
UNREADABLE_GOLD_RULES = ("gold_unparseable", "gold_too_long")
"""Rules of verdicts by which a checker of any answer type says that it cannot read the gold."""
_READING_SCHEMA = pa.schema([("gold_row", pa.string()), ("doubt", pa.string()), ("reason", pa.string())])


class FindGoldDoubts(Merge):
    """Which golds are in doubt, and the evidence. A gold belongs to its question; verdicts by models do not count.

    Golds that a verdict shows to be readable are not read again, so this costs little.
    """

    label: ClassVar[str] = STEP
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "verdicts")
    carries_user_columns: ClassVar[bool] = False

    least_responses: int = Field(default=3, ge=2)
    """Smallest number of wrong responses with the same answer that puts a gold in doubt; a text that is repeated counts
    once. It must also be larger than the number of correct responses."""
    least_agreement: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of all attempts at a question that must have the same wrong answer to put its gold in doubt."""
    counts_repeats: bool = False
    """Whether a text that is repeated counts each time: that of a model's own samples does, that of copies in a file
    does not. The recipe sets it."""
    without_cut_off: bool = False
    """Whether responses that were cut off do not count; the attempts then have a column `cut_off`. The recipe sets
    it."""
    markers: tuple[str, ...] = MARKERS
    """Markers that open the line of the final answer in golds that are whole solutions. The recipe takes those of
    `answer_match`."""
    dataset: DatasetName = "verified"
    """Name of the dataset whose golds these are. The recipe sets it."""

    def prepare(self, con: Any) -> None:
        """Create `judged`, a row per attempt with the first row of its gold, and `golds`; register or create `readings`
        of golds and `agreed`, the answers that responses agree on against a gold."""
        cut_off = "cut_off" if self.without_cut_off else "false"
        con.execute(f"""
            CREATE TEMP TABLE judged AS
            WITH unsaid AS (SELECT NULL::VARCHAR AS decided_by LIMIT 0),
            decided AS (
                SELECT row_id, verdict, split_part(rule, ':', -1) AS rule, coalesce(decided_by, verifier) AS verifier,
                    answer_parsed
                FROM (FROM verdicts UNION ALL BY NAME FROM unsaid)
            ),
            grouped AS (
                SELECT row_id, min(row_id) OVER (PARTITION BY question, answer) AS gold_row, {cut_off} AS cut_off
                FROM attempts
            )
            SELECT row_id, gold_row, CASE WHEN NOT cut_off THEN verdict END AS verdict, rule, verifier, answer_parsed
            FROM grouped LEFT JOIN decided USING (row_id)
        """)
        con.execute(f"""
            CREATE TEMP TABLE golds AS
            SELECT gold_row, count(verdict)::INTEGER AS attempts,
                count(*) FILTER (verdict = 'correct')::INTEGER AS correct,
                coalesce(bool_or(verifier IN {MATH_VERIFIERS}), false) AS is_math,
                coalesce(bool_or(verdict IN ('correct', 'wrong')), false) AS is_decided,
                coalesce(bool_or(verdict IN ('correct', 'wrong') AND rule NOT IN {TEXT_RULES}), false) AS is_read,
                min(rule) FILTER (rule IN {UNREADABLE_GOLD_RULES}) AS unreadable_rule
            FROM judged GROUP BY gold_row
        """)
        con.register("readings", pa.Table.from_batches(self._read_golds(con), _READING_SCHEMA))
        self._create_agreed(con)

    def _read_golds(self, con: Any) -> Iterator[pa.RecordBatch]:
        """The faults of golds that no verdict shows to be readable. Only golds in mathematics are read here; of others
        their checker says whether it can read them."""
        unread = con.sql(f"""
            SELECT gold_row, coalesce(answer, '') AS answer
            FROM golds JOIN (SELECT row_id, answer FROM attempts) AS attempts ON row_id = gold_row
            WHERE is_math AND (NOT is_read OR lower(trim(answer)) IN {MISSING_VALUES}) ORDER BY gold_row
        """).to_arrow_reader(GOLDS_READ_AT_ONCE)
        for batch in unread:
            faults = find_faults(batch.column("answer").to_pylist(), self.markers)
            rows = zip(batch.column("gold_row").to_pylist(), faults, strict=True)
            found = [{"gold_row": row, "doubt": fault.doubt, "reason": fault.reason} for row, fault in rows if fault]
            yield pa.RecordBatch.from_pylist(found, _READING_SCHEMA)

    def _create_agreed(self, con: Any) -> None:
        """Create `agreed`: for each gold at most one wrong answer, on which enough responses agree."""
        is_counted = (
            f"verdict = 'wrong' AND verifier IN {ANSWER_VERIFIERS} AND length(answer_parsed) < {FORM_CHARACTERS}"
        )
        answers = [
            text for (text,) in con.execute(f"SELECT DISTINCT answer_parsed FROM judged WHERE {is_counted}").fetchall()
        ]
        keys = {"answer_parsed": pa.array(answers, pa.string()), "key": pa.array(map(_make_key, answers), pa.string())}
        con.register("keys", pa.table(keys))
        con.execute(f"""
            CREATE TEMP TABLE agreed AS
            WITH same AS (
                SELECT gold_row, key, min(answer_parsed) AS other_answer, count(*)::INTEGER AS agreeing,
                    list(row_id ORDER BY row_id)[:{EXAMPLES}] AS examples, list(row_id) AS row_ids
                FROM judged JOIN keys USING (answer_parsed) WHERE {is_counted}
                GROUP BY gold_row, key HAVING agreeing >= {self.least_responses}
            ),
            frequent AS (
                SELECT same.* FROM same JOIN golds USING (gold_row)
                WHERE agreeing > correct AND agreeing >= {self.least_agreement} * attempts
            ),
            texts AS (
                SELECT gold_row, key, count(DISTINCT response)::INTEGER AS distinct_responses,
                    {"count(*)" if self.counts_repeats else "distinct_responses"} AS counted
                FROM (SELECT gold_row, key, unnest(row_ids) AS row_id FROM frequent)
                    JOIN (SELECT row_id, response FROM attempts) USING (row_id) GROUP BY gold_row, key
            ),
            ranked AS (
                SELECT frequent.* EXCLUDE (row_ids), distinct_responses,
                    row_number() OVER (PARTITION BY gold_row ORDER BY agreeing DESC, key) AS place,
                    count(*) OVER (PARTITION BY gold_row, agreeing) AS equals
                FROM frequent JOIN texts USING (gold_row, key) JOIN golds USING (gold_row)
                WHERE counted >= {self.least_responses} AND counted > correct
            )
            SELECT * FROM ranked WHERE place = 1 AND equals = 1
        """)

    def sql(self) -> str:
        """Of two doubts about one gold, the one about the gold alone is told, with the evidence of both."""
        return f"""
            WITH doubted AS (
                SELECT gold_row, attempts, correct, other_answer, agreeing, distinct_responses, examples,
                    correct >= {self.least_responses} AND correct >= {self.least_agreement} * attempts AS is_confirmed,
                    coalesce(readings.reason, unreadable_rule) AS reason, CASE
                        WHEN readings.doubt IS NOT NULL THEN readings.doubt
                        WHEN NOT is_math AND NOT is_decided AND unreadable_rule IS NOT NULL THEN 'unreadable'
                        WHEN other_answer IS NOT NULL THEN 'disagreement'
                    END AS doubt
                FROM golds LEFT JOIN readings USING (gold_row) LEFT JOIN agreed USING (gold_row)
            )
            SELECT attempts.row_id AS row_id, '{self.dataset}' AS dataset,
                CASE WHEN doubt IS NOT NULL THEN doubt WHEN is_confirmed THEN '{CONFIRMED}'
                    WHEN gold_row IS NOT NULL THEN '{NO_DOUBT}' END AS doubt,
                CASE WHEN doubt <> 'disagreement' THEN reason END AS reason,
                CASE WHEN doubt IS NOT NULL THEN question END AS question,
                CASE WHEN doubt IS NOT NULL THEN answer END AS gold,
                CASE WHEN doubt IS NOT NULL THEN doubted.attempts END AS attempts,
                CASE WHEN doubt IS NOT NULL THEN correct END AS correct,
                other_answer, agreeing, distinct_responses, examples
            FROM (SELECT row_id, question, answer FROM attempts) AS attempts
                LEFT JOIN doubted ON gold_row = attempts.row_id
            ORDER BY attempts.row_id
        """


def _make_key(answer: str) -> str:
    """The key by which answers are compared; the text itself if the parser fails on it."""
    try:
        return answer_key(answer)
    except Exception:  # evidence must not end the run
        return answer
