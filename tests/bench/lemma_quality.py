"""LEMMA on the pupil, which is student and teacher: how long a run takes, and what the oracle says of every stage.

What the teacher can do is asked once more for every row of the run, one reply each, before any filter; what became of
it is read from the steps of the lake and from what is published.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flows.cli.recipe_arguments import parse
from flows.lemma import Lemma
from infra import engines
from infra.lake.store import Store, open_store
from schemas.engine_specs import EmbeddedSpec
from schemas.outcomes import Row
from schemas.tables.corrections import STRATEGIES
from tasks.answers.final_answer import answer_key, final_answer
from tasks.base.ask import Ask
from tasks.base.confidence import wilson_interval
from tasks.proving_ground.oracle import OracleDiagnosis, diagnose_solution, read_question
from tasks.pupil.error_examples import ERROR_TYPE_OF_KIND
from tests.bench.support.results import ROOT, Figure, questmill

PROBLEMS = 500


def measure() -> Iterator[Figure]:
    """One run in a lake of its own."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        run(folder)
        yield Figure("wall_time", round(time.monotonic() - started, 1), "s", "<= 180", f"{PROBLEMS} problems, n = 4")
        store = open_store(folder)
        yield from published(store)
        yield from teacher(store)
        yield from mixed(store)


def run(lake: str | Path, problems: int = PROBLEMS) -> None:
    """The recipe as the pupil plays it."""
    size = ("--problems", str(problems))
    questmill("run", "lemma", "--preset", "pupil", "--profile", "ci", *size, "--store", str(lake))


def rows(store: Store, step: str) -> list[Row]:
    """What a step kept, each row once; of a recipe that takes it twice what it kept in either."""
    parts = [part for receipt in store.read_receipts() if receipt.step == step for part in receipt.parts]
    return list({row["row_id"]: row for part in parts for row in store.get(part).to_pylist()}.values())


def turned_down(store: Store, step: str) -> list[Row]:
    """What a step rejected or could not work."""
    parts = [p for r in store.read_receipts() if r.step == step for p in (r.rejects, r.quarantine) if p is not None]
    return [json.loads(row["row"]) for part in parts for row in store.get(part).to_pylist()]


def published(store: Store) -> Iterator[Figure]:
    """Answers, first wrong steps and types of published corrections, one by one against the oracle."""
    made, whole = rows(store, "select_corrections"), {row["row_id"]: row for row in rows(store, "validate_correction")}
    found = [told(whole[row["row_id"]]) for row in made]
    yield figure("published.right_answer", [ends_right(row) for row in made], "= 100")
    first = [one.first_wrong_step == row["step"] - 1 for row, one in zip(made, found, strict=True)]
    yield figure("published.right_step", first, ">= 95")
    kinds = [ERROR_TYPE_OF_KIND.get(one.kind) == row["type"] for row, one in zip(made, found, strict=True)]
    yield figure("published.right_type", kinds, ">= 80")


def teacher(store: Store) -> Iterator[Figure]:
    """One reply for each that the run asked about, before any filter; beside it what the run made of all of them.

    Of a reply to `fresh_restart` only the answer counts here: whether it goes another way is a filter's question.
    """
    recipe = parse(Lemma, ["--preset", "pupil"])
    once = {
        "diagnose": one_reply(recipe.diagnose),
        "inject": one_reply(recipe.inject, tries=1),
        "fix_continue": one_reply(recipe.fix_continue, tries=1),
        "fresh_restart": one_reply(recipe.fresh_restart, tries=1, max_overlap=1.0),
    }
    engine = engines.load(EmbeddedSpec(path=str(ROOT / "data" / "models" / "pupil" / "int8")))
    for step, (name, right, least) in MEASURED.items():
        asked = given(store, step)
        replied = [row for row in once[step].rows(asked, engine) if isinstance(row, dict)]
        yield from by_type(f"teacher.{name}", judged(asked, replied, right), f">= {least}", "one reply to each")
        made = [fact for _, fact in judged(asked, rows(store, step), right)]
        yield figure(f"teacher.{name}.run", made, "", "asked again, and what was turned down is none")
    engines.unload()


def one_reply(stage: Ask, **more: Any) -> Ask:
    """The stage as it asks once."""
    return stage.model_copy(update={"sampling": stage.sampling.model_copy(update={"n": 1}), **more})


def given(store: Store, step: str) -> list[Row]:
    """The rows that a step was asked about."""
    receipts = list(store.read_receipts())
    parts = {part.digest: part for receipt in receipts for part in receipt.parts}
    inputs = dict.fromkeys(digest for receipt in receipts if receipt.step == step for digest in receipt.inputs)
    return [row for digest in inputs for row in store.get(parts[digest]).to_pylist()]


def judged(asked: list[Row], replied: list[Row], right: Callable[[Row], bool]) -> list[tuple[str, bool]]:
    """For each row that was asked about its type, and whether what came of it is right; nothing is wrong."""
    ids = {row["row_id"] for row in asked}
    whose = {row["row_id"] if row["row_id"] in ids else row["row_id"].rpartition("/")[0]: row for row in replied}
    return [(row.get("type") or "", row["row_id"] in whose and right(whose[row["row_id"]])) for row in asked]


def mixed(store: Store) -> Iterator[Figure]:
    """Errors of which both strategies passed, and how far the types are from those that were to be made."""
    gone = {row["row_id"] for step in ("validate_correction", "smooth") for row in turned_down(store, step)}
    passed = [row for row in rows(store, "validate_correction") if row["row_id"] not in gone]
    for name, there, target in (("published", rows(store, "select_corrections"), ">= 90"), ("passed", passed, "")):
        made = Counter(row["row_id"].rpartition("/")[0] for row in there)
        note = "published: errors with one are left out" if name == "published" else "passed, before any is left out"
        yield figure(f"both_strategies.{name}", [count == len(STRATEGIES) for count in made.values()], target, note)
    (distance,) = {row["distance"] for row in rows(store, "measure_error_types")}
    yield Figure("type_distance", round(distance, 4), "", "<= 0.1", "total variation of types, target to published")


def ends_right(row: Row) -> bool:
    """Whether a correction ends in the oracle's answer."""
    said = final_answer(row["trajectory"][row["correction_start"] : row["correction_end"]])
    return said is not None and answer_key(said) == answer_key(read_question(row["question"]).answer or "")


def told(row: Row) -> OracleDiagnosis:
    """What the oracle says of a wrong solution."""
    problem = read_question(row["question"]).problem
    assert problem is not None
    return diagnose_solution(problem, row["response"])


MEASURED: dict[str, tuple[str, Callable[[Row], bool], int]] = {
    "diagnose": ("located", lambda row: told(row).first_wrong_step == row["found_step"] - 1, 80),
    "inject": ("injected", lambda row: not told(row).correct, 85),
    "fix_continue": ("fix_continue", ends_right, 70),
    "fresh_restart": ("fresh_restart", ends_right, 70),
}
"""Step -> the figure, what is right, and the least share to reach, in percent."""


def figure(name: str, facts: list[bool], target: str, more: str = "") -> Figure:
    """A share in percent with its interval."""
    low, high = wilson_interval(sum(facts), max(1, len(facts)))
    note = f"95 %: {100 * low:.1f} to {100 * high:.1f}, of {len(facts):,}" + (f"; {more}" if more else "")
    return Figure(name, round(100 * sum(facts) / max(1, len(facts)), 1), "%", target, note)


def by_type(name: str, facts: list[tuple[str, bool]], target: str, more: str = "") -> Iterator[Figure]:
    """The share over all, and for each type; errors of the student were not asked for by type."""
    yield figure(name, [fact for _, fact in facts], target, more)
    for kind in sorted({kind for kind, _ in facts if kind}):
        yield figure(f"{name}.{kind}", [fact for found, fact in facts if found == kind], "")
