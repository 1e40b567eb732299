"""Steps on Dask: shards flow from step to step, begun ones first, in a small frame, and fail for a reason."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import distributed
import pytest

from infra.cluster import dask_cluster
from infra.cluster.dask_executor import LEAST_FRAME, MESSAGE_SECONDS, DaskExecutor
from infra.cluster.step_call import pack_call
from infra.cluster.step_execution import RunEnded, Shard, StepExecution
from schemas.errors import BudgetSpent
from schemas.profile import LocalCluster, Profile
from schemas.receipts import CommittedShard, Part, Receipt
from tests.support.runs import wait_until

SECONDS = 30.0
CALLED: list[tuple[str, Any]] = []
"""Calls in their order: name of the step, and digest of the part."""
ON_CALL: list[Callable[[str, Any], None]] = []
"""What a test does in every call."""


def work(part: Part, name: str) -> Receipt:
    """A step: yields its part again."""
    CALLED.append((name, part.digest))
    for do in ON_CALL:
        do(name, part.digest)
    return Receipt(step=name, key=part.digest, inputs=(part.digest,), rows_in=1, kept=1, parts=(part,))


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    """A client of a cluster with one core, in this process."""
    cluster = LocalCluster(workers=1, processes=False, max_waiting_shards=1)
    with (
        dask_cluster.open_cluster(Profile(cluster=cluster)) as address,
        distributed.Client(address, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def executor(client: distributed.Client) -> Iterator[DaskExecutor]:
    CALLED.clear()
    executor = DaskExecutor(client)
    yield executor
    executor.close()
    ON_CALL.clear()


def begin(executor: DaskExecutor, shards: int, *names: str) -> list[StepExecution]:
    """Execute a chain of steps on new parts."""
    parts = tuple(Part(digest=f"{number}", rows=1, size=1) for number in range(shards))
    receipt = Receipt(step="blank", key="blank", inputs=(), rows_in=shards, kept=shards, parts=parts)
    given, steps = [Shard(receipt, number) for number in range(shards)], []
    for name in names:
        step = StepExecution(name, work, "part", given, {"name": name}, rows=shards)
        executor.execute(step)
        steps.append(step)
        given = [Shard(step, number) for number in range(shards)]
    return steps


def test_begun_shards_are_finished_before_others_begin(executor: DaskExecutor) -> None:
    begun = threading.Event()
    ON_CALL.append(lambda name, digest: begun.wait(SECONDS) and time.sleep(0.05))  # longer than a message takes
    *_, last = begin(executor, 20, "first", "second", "third")
    begun.set()
    assert [receipt.step for receipt in last.result_list()] == ["third"] * 20
    third = [number for number, (name, _) in enumerate(CALLED) if name == "third"]
    assert third[0] <= 8 and CALLED[third[0]][1] == "0"


def test_a_shard_goes_on_while_another_of_its_step_is_still_at_work(client: distributed.Client) -> None:
    cluster, later = LocalCluster(workers=2, processes=False), threading.Event()
    CALLED.clear()

    def hold(name: str, digest: str) -> None:
        if (name, digest) == ("first", "0"):
            assert later.wait(SECONDS), "the second step waits for all of the first"
        if name == "second":
            later.set()

    ON_CALL.append(hold)
    with dask_cluster.open_cluster(Profile(cluster=cluster)) as address, distributed.Client(address) as two:
        executor = DaskExecutor(two)
        assert len(begin(executor, 8, "first", "second")[1].result_list()) == 8
        executor.close()
    ON_CALL.clear()


@pytest.mark.system
def test_dask_holds_one_frame_of_each_step_and_nothing_of_what_has_ended(
    executor: DaskExecutor, client: distributed.Client
) -> None:
    held: list[int] = []

    def count(dask_scheduler: Any) -> int:
        return len(dask_scheduler.tasks)

    *_, last = begin(executor, 2000, "first", "second", "third")
    while not last.wait(0.2):
        held.append(client.run_on_scheduler(count))
    assert len(last.result_list()) == 2000
    assert 0 < max(held) <= 4 * LEAST_FRAME, "one more, as what has ended is forgotten a moment later"
    wait_until(lambda: client.run_on_scheduler(count) == 0, SECONDS)
    assert all(not submitted.futures for submitted in executor.steps.values())


def test_a_packed_call_does_not_grow_with_the_step(executor: DaskExecutor) -> None:
    [few], [many] = begin(executor, 1, "a"), begin(executor, 500, "a")
    assert len(pack_call(few)) == len(pack_call(many)) < 1000


def test_a_shard_that_fails_ends_its_step_and_those_after_it_with_its_own_error(executor: DaskExecutor) -> None:
    def fail(name: str, digest: str) -> None:
        if (name, digest) == ("first", "3"):
            raise ValueError("shard 3 cannot be worked")

    ON_CALL.append(fail)
    first, second = begin(executor, 10, "first", "second")
    for step in (first, second):
        with pytest.raises(ValueError, match="shard 3 cannot be worked"):
            step.result_list()
    [unaffected] = begin(executor, 10, "other")
    assert len(unaffected.result_list()) == 10


def test_a_step_that_failed_begins_no_more_shards_and_neither_do_those_after_it(executor: DaskExecutor) -> None:
    def fail(name: str, digest: str) -> None:
        raise ValueError(digest)

    ON_CALL.append(fail)
    first, second = begin(executor, 10 * LEAST_FRAME, "first", "second")
    for step in (first, second):
        with pytest.raises(ValueError):  # noqa: PT011
            step.result_list()
    assert len(CALLED) <= 2 * LEAST_FRAME


def test_a_spent_budget_lets_every_shard_end_that_it_still_covers(executor: DaskExecutor) -> None:
    def spend(name: str, digest: str) -> None:
        if name == "first" and int(digest) % 2:
            raise BudgetSpent("the budget is spent")

    ON_CALL.append(spend)
    first, second = begin(executor, 2 * LEAST_FRAME, "first", "second")
    for step in (first, second):
        with pytest.raises(BudgetSpent):
            step.result_list()
    executor.wait()
    assert len(first.results) == len(second.results) == LEAST_FRAME
    assert len([name for name, _ in CALLED if name == "second"]) == LEAST_FRAME


def test_who_waits_for_a_run_that_has_ended_is_told(executor: DaskExecutor) -> None:
    begun, hold = threading.Event(), threading.Event()

    def stay(name: str, digest: str) -> None:
        begun.set()
        hold.wait(SECONDS)

    ON_CALL.append(stay)
    [step] = begin(executor, 50, "first")
    told: list[BaseException] = []

    def follow() -> None:
        try:
            step.result_list()
        except RunEnded as error:
            told.append(error)

    follower = threading.Thread(target=follow)
    follower.start()
    assert begun.wait(SECONDS)
    executor.close()
    follower.join(SECONDS)
    hold.set()
    assert [str(error) for error in told] == ["the run has ended"]
    assert len(CALLED) <= 2


def test_of_a_stage_only_what_leads_to_its_rows_is_kept(executor: DaskExecutor) -> None:
    parts = tuple(Part(digest=f"{number}", rows=1, size=1) for number in range(3))
    receipt = Receipt(step="blank", key="blank", inputs=(), rows_in=3, kept=3, parts=parts)
    step = StepExecution(
        "first", work, "part", [Shard(receipt, n) for n in range(3)], {"name": "first"}, rows=3, is_stage=True
    )
    executor.execute(step)
    assert step.result_list() == [CommittedShard("first", f"{n}", f"{n}", 1, 1, None) for n in range(3)]
    assert (step.rows_done, [Shard(step, n).part for n in range(3)]) == (3, list(parts))


def test_workers_report_shards_that_end_together_in_one_message(
    executor: DaskExecutor, client: distributed.Client
) -> None:
    def pause(dask_worker: Any) -> float:
        return float(dask_worker.batched_stream.interval)

    assert set(client.run(pause).values()) == {MESSAGE_SECONDS}
