"""Gates are checked in a process of their own: with the same result, and with an error where it cannot be had."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from infra import gates
from infra.cluster.step_execution import RunEnded, StepExecution
from infra.gate_process import GateProcess
from infra.lake.store import Store
from schemas.errors import QuestmillError
from schemas.receipts import Receipt
from schemas.steps import Expectation
from tests.support.runs import ROOT, wait_until

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the modules that Great Expectations imports
]

UNIQUE = Expectation(kind="expect_column_values_to_be_unique", arguments={"column": "row_id"})
START_AND_WAIT = """
import sys
from infra.gate_process import GateProcess
process = GateProcess()
process.start()
print(process.child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def process() -> Iterator[GateProcess]:
    process = GateProcess()
    yield process
    process.close()


def make_gate(lake: str, *row_ids: str, column: str = "row_id") -> StepExecution:
    part = Store(lake).put(pa.table({"row_id": list(row_ids)}))
    receipt = Receipt(step="solve", key="0" * 64, inputs=(), rows_in=part.rows, kept=part.rows, parts=(part,))
    expectation = UNIQUE.model_copy(update={"arguments": {"column": column}})
    constants = {"suite": "answers", "expectations": [expectation], "tables": [receipt]}
    return StepExecution("gate", gates.run_gate, "lake", [lake], constants, part.rows)


def test_one_process_checks_gate_after_gate_with_the_results_of_a_check_here(
    process: GateProcess, tmp_path: Path
) -> None:
    lake, here = str(tmp_path / "lake"), str(tmp_path / "here")
    for row_ids, failed in ((("a", "b"), 0), (("a", "a"), 1)):
        gate = make_gate(lake, *row_ids)
        process.execute(gate)
        [receipt] = gate.result_list()
        expected = gates.run_gate(lake=here, **make_gate(here, *row_ids).constants)
        assert (receipt.key, receipt.details) == (expected.key, expected.details)
        assert len(receipt.details["failed"].splitlines()) == failed
        assert Store(lake).read_receipt("gate", receipt.key) is not None


def test_an_error_of_a_check_is_told_as_it_is_and_the_next_gate_is_checked(
    process: GateProcess, tmp_path: Path
) -> None:
    bad, good = (make_gate(str(tmp_path), "a", column=column) for column in ("none", "row_id"))
    process.execute(bad)
    with pytest.raises(QuestmillError, match=r"^gate: the dataset has no column 'none'; it has row_id$"):
        bad.result_list()
    process.execute(good)
    assert good.result_list()[0].details["failed"] == ""


def test_a_process_that_was_killed_is_told(process: GateProcess, tmp_path: Path) -> None:
    process.start()
    assert process.child is not None
    process.child.kill()
    gate = make_gate(str(tmp_path), "a")
    process.execute(gate)
    with pytest.raises(QuestmillError, match=r"^the process that checks gates ended with code -9: out of memory\?; "):
        gate.result_list()


def test_the_end_of_the_run_ends_a_check(process: GateProcess, tmp_path: Path) -> None:
    process.start()
    assert process.child is not None
    os.kill(process.child.pid, signal.SIGSTOP)
    gate = make_gate(str(tmp_path), "a")
    process.execute(gate)
    process.close()
    with pytest.raises(RunEnded):
        gate.result_list()


def test_it_ends_with_a_run_that_is_killed() -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    child = psutil.Process(int(run.stdout.readline()))
    run.kill()
    run.communicate()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 60)
