"""Three students through Prefect and Dask: trained on published rows, asked, and measured."""

from pathlib import Path

import pytest

from infra.mock_server.server import MockServer
from tests.flows.test_lemma import SIZE, TYPES, asked, profile, say
from tests.support.runs import Command

pytest.importorskip("trl", reason="needs the extra `train`")

pytestmark = pytest.mark.train


def test_students_learn_from_published_rows_and_are_held_against_their_beginning(
    command: Command, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    small = ("--preset", "pupil", "--seeds", "[5]", "--problems", "16", "--fine_tuning.token_budget", "4000")
    where = ("--store", lake, "--profile", "ci")
    early = command("run", "student", *small, *where)
    assert early.code == 2 and "no dataset 'corrections' is published; publish it first" in early.err
    with MockServer(reply=say) as stub:
        made = command("run", "lemma", *SIZE, *TYPES, "--store", lake, "--profile", profile(tmp_path, stub.url))
    assert made.code == 0, made.err
    done = command("run", "student", *small, *where)
    assert done.code == 0, done.err
    rows = asked(command, lake, "SELECT * FROM students ORDER BY row_id")
    assert [row["student"] for row in rows] == ["student", "solutions_5", "corrections_5", "masked_5"]
    assert all(row["problems"] == 16 and 0 < row["first_pass"] <= 1 for row in rows)
    receipts = asked(command, lake, "SELECT * FROM receipts WHERE step = 'student_fine_tuning'")
    assert len({row["key"] for row in receipts}) == 3
