"""Selects questions by difficulty: drops the easiest ones, or matches a histogram."""

from collections.abc import Mapping
from itertools import pairwise
from math import fsum, isclose
from typing import Annotated, Any, ClassVar

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from schemas.errors import QuestmillError
from schemas.row_ids import generator_sql
from schemas.steps import Merge

Share = Annotated[float, Field(ge=0, le=1)]


class SampleByDifficulty(Merge):
    """Drops the easiest questions of a generator, or keeps as many as fit a histogram; keeps all of other generators.

    A question's generator is the part of its row id before the first colon: `dsmath:000000012/0` is of `dsmath`. Ids
    without a colon have the generator `""`. Questions of a sampled generator are rejected if their difficulty is
    unknown. Questions outside the band by which their difficulty was measured are rejected, whatever their generator.
    """

    label: ClassVar[str] = "sample_by_difficulty"
    inputs: ClassVar[tuple[str, ...]] = ("questions", "difficulty")

    drop_easy: Mapping[str, Share] = {}
    """Share of questions to drop by generator, the easiest first, e.g. `{"dsmath": 0.3}`. Empty: none. The paper drops
    questions of one generator only, by eye (sections 2.4 and 3.1); its figures amount to some 0.3."""
    target: Mapping[str, tuple[tuple[Share, Share], ...]] = {}
    """Histogram to match by generator: bins from easy to hard, each with its highest fail rate and its share of the
    questions kept, e.g. `{"": ((0.2, 0.1), (0.6, 0.5), (1.0, 0.4))}`. The bin that is scarcest for its share limits how
    many questions are kept. Empty: no histogram."""

    generators: tuple[str, ...] = ()
    """Generators that may have no questions left; the recipe puts its own here. Any other generator without questions
    is an error."""

    @field_validator("target")
    @classmethod
    def _check_histograms(cls, target: Mapping[str, Any]) -> Mapping[str, Any]:
        for generator, bins in target.items():
            bounds = [bound for bound, _ in bins]
            if not bins or any(lower >= upper for lower, upper in pairwise(bounds)) or bounds[-1] != 1:
                raise ValueError(f"the bins of {generator!r} end at {bounds}; let them rise, and end with 1")
            if not isclose(total := fsum(share for _, share in bins), 1, abs_tol=1e-6):
                raise ValueError(f"the shares of {generator!r} sum to {total:g}; let them sum to 1")
        return target

    @model_validator(mode="after")
    def _check_one_rule(self) -> "SampleByDifficulty":
        if overlapping := sorted(self.drop_easy.keys() & self.target.keys()):
            raise ValueError(f"generator {overlapping[0]!r} is in drop_easy and in target; leave it in one of them")
        return self

    def prepare(self, con: Any) -> None:
        """Register `cuts`, with a row per generator, and `bins`. Raises `QuestmillError` if a bin is empty."""
        bins = [
            {"generator": generator, "above": above, "bound": bound, "share": share}
            for generator, each in self.target.items()
            for above, (bound, share) in zip([-1.0, *(bound for bound, _ in each)], each, strict=False)
        ]
        cuts = [{"generator": generator, "cut": share} for generator, share in self.drop_easy.items()]
        con.register("cuts", pa.Table.from_pylist(cuts, pa.schema([("generator", pa.string()), ("cut", pa.float64())])))
        con.register("bins", pa.Table.from_pylist(bins, _BINS_SCHEMA))
        con.execute(f"CREATE TEMP VIEW rated AS {_RATED_SQL}")
        self._check_generators(con)

    def _check_generators(self, con: Any) -> None:
        """Raise `QuestmillError` for a generator without questions, a likely typo, or an empty bin: it would leave no
        questions at all."""
        present = {name for (name,) in con.sql("SELECT DISTINCT generator FROM rated").fetchall()}
        if present and (absent := sorted({*self.drop_easy, *self.target} - present - {*self.generators})):
            raise QuestmillError(
                f"step {self.label}: no question is of generator {absent[0]!r}; there are {sorted(present)}, name those"
            )
        filled = con.sql(
            f"SELECT generator, bound FROM ({_BINNED_SQL}) WHERE bound IS NOT NULL GROUP BY ALL"
        ).fetchall()
        for generator, bins in self.target.items():
            for bound, share in bins:
                if generator in present and share and (generator, bound) not in filled:
                    raise QuestmillError(
                        f"step {self.label}: no question of {generator!r} is in the bin up to {bound:g}, which is to "
                        f"have a share of {share:g}; give it 0, or ask for more questions"
                    )

    def sql(self) -> str:
        """Questions of equal difficulty are ordered by a hash of the row id, whatever their order in the input.

        1e-9 corrects for shares that have no exact binary fraction: 0.3 of 10 is 3.
        """
        return f"""
            WITH placed AS (
                SELECT *, row_number() OVER (PARTITION BY generator, known ORDER BY fail_rate, tie) AS place,
                    count(*) OVER (PARTITION BY generator, known) AS of_all,
                    row_number() OVER (PARTITION BY generator, known, bound ORDER BY tie) AS place_in_bin,
                    count(*) OVER (PARTITION BY generator, known, bound) AS of_bin
                FROM ({_BINNED_SQL})
            ),
            fitted AS (
                SELECT *, min(CASE WHEN known AND share > 0 THEN of_bin / share END)
                    OVER (PARTITION BY generator) AS fitting
                FROM placed
            ),
            decided AS (
                SELECT row_id, fail_rate, CASE
                    WHEN side = 'below' THEN 'easier than the band'
                    WHEN side = 'above' THEN 'harder than the band'
                    WHEN NOT sampled THEN NULL
                    WHEN fail_rate IS NULL THEN 'no difficulty'
                    WHEN place <= floor(of_all * cut + 1e-9) THEN 'easy'
                    WHEN place_in_bin > floor(fitting * share + 1e-9) THEN 'beyond the target histogram'
                END AS reject
                FROM fitted
            ),
            given AS (SELECT COLUMNS(lambda c: c <> 'fail_rate') FROM questions)
            SELECT given.*, decided.fail_rate, decided.reject FROM given JOIN decided USING (row_id) ORDER BY row_id
        """


_BINS_SCHEMA = pa.schema([("generator", pa.string()), *((name, pa.float64()) for name in ("above", "bound", "share"))])

_RATED_SQL = f"""
    SELECT row_id, sha256(row_id) AS tie, fail_rate, side,
        fail_rate IS NOT NULL AND coalesce(side, 'inside') = 'inside' AS known,
        {generator_sql()} AS generator
    FROM (SELECT row_id FROM questions) LEFT JOIN difficulty USING (row_id)
"""
"""Every question with its generator and difficulty. One outside its band is not `known`, and counts for no share."""

_BINNED_SQL = """
    SELECT rated.*, cut, bound, share,
        cut IS NOT NULL OR generator IN (SELECT generator FROM bins) AS sampled
    FROM rated LEFT JOIN cuts USING (generator)
    LEFT JOIN bins ON bins.generator = rated.generator AND known AND fail_rate > above AND fail_rate <= bound
"""
"""The same, with the share to drop of its generator, and its bin with the share to keep."""
