"""Combines several verifiers into one: all must agree, any one may accept, or the first that decides is believed.

`unverifiable`, `unparseable`, `timeout` and a missing verdict are states of their own. None of them counts as a pass.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.steps import Merge
from schemas.tables import verdicts

CombineMode = Literal["all_of", "any_of", "first_decided"]
"""`all_of`: correct if both say so, wrong if one does. `any_of`: correct if one says so, wrong if both do.
`first_decided`: the first verdict that is correct or wrong. If none of this applies: the first undecided verdict."""

VerifierName = Annotated[str, Field(pattern=r"^[a-z_(), ]+$")]
_VERDICT_COLUMNS = ", ".join((*verdicts.VERDICT_SCHEMA.names, "decided_by", "said"))
_VERDICT_CASES: dict[CombineMode, str] = {
    "all_of": """
        WHEN 'wrong' IN (one.verdict, other.verdict) THEN 'wrong'
        WHEN one.verdict = 'correct' AND other.verdict = 'correct' THEN 'correct'
    """,
    "any_of": """
        WHEN 'correct' IN (one.verdict, other.verdict) THEN 'correct'
        WHEN one.verdict = 'wrong' AND other.verdict = 'wrong' THEN 'wrong'
    """,
    "first_decided": """
        WHEN one.verdict IN ('correct', 'wrong') THEN one.verdict
        WHEN other.verdict IN ('correct', 'wrong') THEN other.verdict
    """,
}


class CombineVerdicts(Merge):
    """One verdict from two, with the verifier that decided. More than two are combined one after the other."""

    label: ClassVar[str] = "combine_verdicts"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "first", "second")
    extra_columns: ClassVar[tuple[str, ...]] = ("decided_by", "said")
    """Columns in addition to those of every verdict."""

    mode: CombineMode = "first_decided"
    """How two verdicts are combined into one: `all_of`, `any_of` or `first_decided`."""
    verifiers: tuple[VerifierName, VerifierName] = ("first", "second")
    """Names of the two verifiers, as the rows state them."""

    def sql(self) -> str:
        """A missing verdict (its row is in quarantine) decides nothing. The rule and answers are the decider's."""
        undecided = "NOT coalesce({0}.verdict, 'correct') IN ('correct', 'wrong')"
        return f"""
            WITH unsaid AS (SELECT NULL::VARCHAR AS decided_by, NULL::VARCHAR AS said LIMIT 0),
            one AS (SELECT {_VERDICT_COLUMNS} FROM (FROM first UNION ALL BY NAME FROM unsaid)),
            other AS (SELECT {_VERDICT_COLUMNS} FROM (FROM second UNION ALL BY NAME FROM unsaid)),
            paired AS (
                SELECT attempts.row_id, one.verdict IS NOT NULL OR other.verdict IS NOT NULL AS any_verdict,
                    CASE {_VERDICT_CASES[self.mode]}
                        WHEN {undecided.format("one")} THEN one.verdict
                        WHEN {undecided.format("other")} THEN other.verdict
                        ELSE 'unverifiable'
                    END AS found,
                    one, other
                FROM attempts LEFT JOIN one USING (row_id) LEFT JOIN other USING (row_id)
            ),
            chosen AS (
                SELECT *, CASE WHEN one.verdict = found THEN one WHEN other.verdict = found THEN other END AS decider
                FROM paired
            )
            SELECT row_id, found AS verdict, coalesce(decider.rule, 'no_verdict') AS rule,
                decider.found_by AS found_by, decider.gold_parsed AS gold_parsed,
                decider.answer_parsed AS answer_parsed,
                '{self.mode}({", ".join(self.verifiers)})' AS verifier,
                concat_ws('; ', one.verifier_version, other.verifier_version) AS verifier_version,
                (coalesce(one.milliseconds, 0) + coalesce(other.milliseconds, 0))::FLOAT AS milliseconds,
                coalesce(decider.decided_by, decider.verifier) AS decided_by,
                concat_ws(', ', {_describe_verdict("one")}, {_describe_verdict("other")}) AS said,
                CASE WHEN NOT any_verdict THEN 'no verdict' END AS reject
            FROM chosen ORDER BY row_id
        """


class KeepUndecided(Merge):
    """Keeps the attempts that a verifier left undecided, so that only they reach the next one, which may cost more.

    Decided attempts are rejected as `decided`, without their texts.
    """

    label: ClassVar[str] = "keep_undecided"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "verdicts")

    def sql(self) -> str:
        """A missing verdict decides nothing."""
        texts = ", ".join(f"CASE WHEN decided THEN NULL ELSE {name} END AS {name}" for name in ("question", "response"))
        return f"""
            WITH known AS (
                SELECT attempts.*, coalesce(verdict IN ('correct', 'wrong'), false) AS decided
                FROM attempts LEFT JOIN (SELECT row_id, verdict FROM verdicts) USING (row_id)
            )
            SELECT * EXCLUDE (decided) REPLACE ({texts}), CASE WHEN decided THEN 'decided' END AS reject
            FROM known ORDER BY row_id
        """


def _describe_verdict(side: str) -> str:
    """SQL for a text such as `questmill.answer_match wrong`; of a combined verdict, its `said`; null if missing."""
    return f"coalesce({side}.said, {side}.verifier || ' ' || {side}.verdict)"
