"""The faults that measure the suite still find their places in the code."""

import json

import pytest

from tests.support.faults import BASELINE, FAULTS, ROOT, Fault, insert_fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.number} {fault.function}")
def test_a_fault_changes_its_function_and_names_tests_that_exist(fault: Fault) -> None:
    source = (ROOT / fault.module).read_text()
    compile(insert_fault(fault, source), fault.module, "exec")
    assert insert_fault(fault, source) != source
    assert all((ROOT / path).exists() for path in fault.tests)


def test_the_baseline_knows_every_fault() -> None:
    assert list(json.loads(BASELINE.read_text())) == [f"{fault.number}" for fault in FAULTS]
