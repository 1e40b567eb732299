"""Several verifiers as one: all must agree, any may accept, or the first that decides is believed.

`unverifiable`, `unparseable`, `timeout` and no verdict at all are states of their own, and none of them is a pass.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.steps import Merge
from schemas.tables import verdicts

CombineMode = Literal["all_of", "any_of", "first_decided"]
"""`all_of`: correct where both say so, wrong where one does. `any_of`: correct where one says so, wrong where both do.
`first_decided`: the first one that says correct or wrong. Else neither: the first verdict that decides nothing."""

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
    """One verdict from two, and who it comes from; more than two are combined one after the other."""

    label: ClassVar[str] = "combine_verdicts"
    inputs: ClassVar[tuple[str, ...]] = ("attempts", "first", "second")
    extra_columns: ClassVar[tuple[str, ...]] = ("decided_by", "said")
    """Columns beside those of every verdict."""

    mode: CombineMode = "first_decided"
    """What makes one verdict of two."""
    verifiers: tuple[VerifierName, VerifierName] = ("first", "second")
    """Of the two verifiers, for the rows."""

    def sql(self) -> str:
        """A verdict that is missing (the row is in quarantine there) decides nothing. The record is the decider's."""
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
    """The attempts that a verifier neither accepts nor refuses: what the next one, which may cost more, is asked about.

    Those that are decided are rejected here without their texts, which stay where they are.
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
    """`questmill.answer_match wrong`, or for a combined one what it has heard itself; null where it has said
    nothing."""
    return f"coalesce({side}.said, {side}.verifier || ' ' || {side}.verdict)"
