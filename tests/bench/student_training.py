"""Does it teach? Students of the pupil's size, one budget of tokens, three seeds, three kinds of rows."""

import tempfile
from collections.abc import Iterator
from statistics import mean

from infra.lake.store import open_store
from tests.bench.lemma_quality import rows, run
from tests.bench.support.results import Figure, questmill

PROBLEMS = 1000
"""Problems whose errors become rows."""
KINDS = ("student", "solutions", "corrections", "masked")


def measure() -> Iterator[Figure]:
    """On 500 problems that neither the pupil nor its students have seen, greedily; `student` is where all began."""
    with tempfile.TemporaryDirectory() as lake:
        run(lake, PROBLEMS)
        questmill("run", "student", "--preset", "pupil", "--profile", "ci", "--store", lake)
        students = rows(open_store(lake), "compare_students")
    for kind in KINDS:
        same = [row for row in students if row["student"].split("_")[0] == kind]
        for name, what in (("first_pass", "right at the first pass"), ("corrected", "own errors corrected")):
            shares = [100 * row[name] for row in same]
            each = ", ".join(f"{share:.1f}" for share in shares)
            erred = f", of {sum(row['erred'] for row in same):,}" if name == "corrected" else ""
            yield Figure(f"{kind}.{name}", round(mean(shares), 1), "%", "", f"{what}: {each}{erred}")
