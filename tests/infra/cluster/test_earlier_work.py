"""Work that other code has done: it is used with a warning, worked again under a key of its own, or the run stops."""

from collections.abc import Sequence
from typing import Any

import pytest

from infra.cluster import worker
from infra.cluster.code_digest import digest_of_step
from infra.lake.store import open_store
from schemas.code_policy import CodePolicy
from schemas.errors import CodeChanged
from schemas.outcomes import Row
from schemas.receipts import Receipt
from schemas.steps import Merge, Stage
from schemas.tables import empty_rows


class Count(Stage):
    """Yields its rows as they are."""

    table = empty_rows.SCHEMA

    def rows(self, batch: Sequence[Row], engine: Any) -> Any:
        yield from batch


class Gather(Merge):
    """All rows, in order."""

    inputs = ("blanks",)

    def sql(self) -> str:
        return "SELECT * FROM blanks ORDER BY row_id"


USE, REDO, STOP = (CodePolicy.model_validate({"on_changed_code": word}) for word in ("use", "redo", "stop"))
FORCED = CodePolicy(redo=("count", "gather"))


def work(step: Stage | Merge, lake: str, policy: CodePolicy = USE) -> Receipt:
    blanks = worker.run_empty_rows(4, 10, lake)
    if isinstance(step, Merge):
        return worker.run_merge(step, [[blanks]], 10, lake, policy)
    return worker.run_shard(step, None, blanks.parts[0], lake, policy=policy)


def commit_of_other_code(step: Stage | Merge, lake: str, code: str) -> Receipt:
    """A receipt in `lake` as other code of the step would have left it."""
    elsewhere = work(step, f"{lake}-elsewhere")
    work_before = elsewhere.model_copy(update={"code": code})
    store = open_store(lake)
    store.put(open_store(f"{lake}-elsewhere").get(elsewhere.parts[0]))
    return store.commit(work_before)


@pytest.mark.parametrize("step", [Count(), Gather()], ids=["stage", "merge"])
def test_a_receipt_names_the_code_that_worked_it(step: Stage | Merge, lake: str) -> None:
    receipt = work(step, lake)
    assert receipt.code == digest_of_step(type(step)) != ""
    again = work(step, lake, STOP)
    assert (again.key, again.was_cached, again.earlier_work) == (receipt.key, True, None)


@pytest.mark.parametrize("step", [Count(), Gather()], ids=["stage", "merge"])
def test_rows_of_other_code_are_used_with_a_mark_worked_again_or_refused(step: Stage | Merge, lake: str) -> None:
    before = commit_of_other_code(step, lake, "0" * 16)
    used = work(step, lake, USE)
    assert (used.key, used.code, used.earlier_work) == (before.key, "0" * 16, "used")
    with pytest.raises(CodeChanged, match=f"step {step.label}: shard .* by other code .* --on-changed-code redo"):
        work(step, lake, STOP)
    redone = work(step, lake, REDO)
    assert redone.key != before.key and redone.earlier_work == "redone" and not redone.was_cached
    for policy in (REDO, USE, STOP):
        later = work(step, lake, policy)
        assert (later.key, later.was_cached, later.earlier_work) == (redone.key, True, None)
    assert open_store(lake).read_receipt(step.label, before.key) is not None, "a published version may stand on it"


def test_a_receipt_of_unknown_code_is_used(lake: str) -> None:
    before = commit_of_other_code(Count(), lake, "")
    assert work(Count(), lake, STOP).key == before.key


@pytest.mark.parametrize("step", [Count(), Gather()], ids=["stage", "merge"])
def test_a_step_that_is_named_is_worked_again_once(step: Stage | Merge, lake: str) -> None:
    before = work(step, lake)
    redone = work(step, lake, FORCED)
    assert redone.key != before.key and redone.earlier_work == "redone"
    assert work(step, lake, FORCED).was_cached
    assert work(step, lake).key == redone.key
