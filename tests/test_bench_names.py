"""Benchmarks and figures are named by what they measure, and every kept figure belongs to a benchmark that exists."""

import ast
import importlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from tasks.pupil.model_card import TARGETS
from tests.bench.__main__ import list_benchmarks, main, select_benchmarks
from tests.bench.support.results import HERE, ROOT, Figure, keep, render

KEPT = json.loads((HERE / "results.json").read_text())
METRICS = json.loads((ROOT / "data/models/pupil/metrics.json").read_text())
FORMER_IDS = r"\b(verify|lemma|scalequest|spine|window|pupil)[._][a-i]\b"
UNTOUCHED = ("CHANGELOG.md", "tests/bench/results.json", "tests/bench/RESULTS.md")
"""They tell what was."""


def test_every_benchmark_has_a_function_that_measures() -> None:
    for name in list_benchmarks():
        body = ast.parse((HERE / f"{name}.py").read_text()).body
        assert "measure" in [one.name for one in body if isinstance(one, ast.FunctionDef)], name


def test_no_name_has_a_single_letter_for_a_word() -> None:
    names = [*list_benchmarks(), *TARGETS, *(row["id"] for row in [*KEPT, *METRICS])]
    assert [name for name in names if re.search(r"(^|[._-])[a-z]([._-]|$)", name)] == []


def test_every_kept_figure_belongs_to_a_benchmark() -> None:
    assert {row["id"].partition(".")[0] for row in KEPT} <= set(list_benchmarks())
    assert all(row["id"].partition(".")[2] for row in KEPT)


def test_a_former_id_is_the_former_id_of_one_figure() -> None:
    former = [row["was"] for row in KEPT if "was" in row]
    assert len(former) == len(set(former)) > 0
    assert not set(former) & {row["id"] for row in KEPT}


def test_the_report_tells_what_is_kept() -> None:
    assert (HERE / "RESULTS.md").read_text() == render(KEPT)


def test_the_model_card_and_its_benchmark_have_the_same_figures() -> None:
    measured = {row["id"].partition(".")[2] for row in KEPT if row["id"].startswith("pupil_evaluation.")}
    assert {row["id"] for row in METRICS} == measured >= set(TARGETS)


def test_a_new_value_keeps_the_former_id(tmp_path: Path) -> None:
    figure = Figure("near_duplicates.recall", 0.5, "share", ">= 0.98")
    former = {"id": figure.id, "value": 0.4, "unit": "share", "target": "", "note": "", "was": "old.id", "context": {}}
    (tmp_path / "results.json").write_text(json.dumps([former]))
    keep([figure], {"cores": 2, "load": 0.1}, tmp_path)
    (row,) = json.loads((tmp_path / "results.json").read_text())
    assert (row["value"], row["was"]) == (0.5, "old.id")
    assert "| `old.id` | `near_duplicates.recall` |" in (tmp_path / "RESULTS.md").read_text()


def test_benchmarks_are_chosen_by_the_beginning_of_their_name_or_by_the_id_of_a_figure() -> None:
    assert select_benchmarks("") == list_benchmarks()
    assert select_benchmarks("verify_run") == ["verify_run_label_agreement", "verify_run_wall_time"]
    assert select_benchmarks("near_duplicates.recall") == ["near_duplicates"]


def test_a_name_that_no_benchmark_has_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("near_duplicate_recall") == 1
    told = capsys.readouterr().out
    assert "'near_duplicate_recall'" in told and all(name in told for name in list_benchmarks())


def grep(pattern: str, *options: str) -> list[str]:
    """What `git grep` finds in the files of the project."""
    excluded = [f":!{path}" for path in UNTOUCHED]
    command = ["git", "grep", "-hE", *options, pattern, "--", ".", *excluded]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if found.returncode > 1:
        pytest.skip("not a checkout")
    return found.stdout.splitlines()


def test_no_text_names_a_benchmark_by_a_letter() -> None:
    assert [line for line in grep(FORMER_IDS) if not line.startswith("FORMER_IDS = ")] == []


def test_every_benchmark_that_a_text_names_exists() -> None:
    named = {word.removeprefix("ONLY=") for word in grep("ONLY=[a-z_.]+", "-o")}
    assert named and [name for name in named if not select_benchmarks(name)] == []


def test_every_module_that_benchmarks_need_can_be_imported() -> None:
    """Most of them run only by hand, so that a name which moved would be noticed late."""
    modules = sorted(path.relative_to(ROOT).with_suffix("") for path in (ROOT / "tests" / "bench").rglob("*.py"))
    for module in modules:
        if module.name not in ("__init__", "__main__"):
            importlib.import_module(".".join(module.parts))
