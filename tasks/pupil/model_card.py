"""Writes the model card of a trained pupil, and its metrics as JSON. Neither is ever edited by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from schemas.markdown_table import format_table

CARD_FILE, METRICS_FILE = "README.md", "metrics.json"


class Target(NamedTuple):
    """The meaning of a metric, its unit, and the bound that its value should keep; empty if there is none."""

    meaning: str
    unit: str
    bound: str = ""


TARGETS = {
    "solve_greedy_accuracy": Target("`solve`, greedy, all templates", "share", ">= 0.80"),
    "solve_sampled_accuracy": Target("`solve`, T 0.7, right in one sample", "share", "0.60 to 0.90"),
    "solve_pass_at_8": Target("right in at least one of 8 samples", "share", ">= 0.92"),
    "written_in_distribution": Target("`write_question`, T 1.0: belongs to the proving ground", "share", ">= 0.90"),
    "written_solvable": Target("of those that belong to the proving ground: solvable", "share", "0.60 to 0.95"),
    "written_distinct": Target("`write_question`: distinct among 10,000", "share", ">= 0.90"),
    "written_topic_distance": Target("largest distance of a topic's share from the library's", "points", "<= 10"),
    "judge_solvable_balanced_accuracy": Target("`judge_solvable`, balanced accuracy", "share", ">= 0.85"),
    "reward_auc": Target("`judge_answer`: AUC of P(yes) on its own solutions", "AUC", ">= 0.80"),
    "tokens_per_second": Target("int8, one thread, 512 requests", "tokens/s", ">= 6000"),
    "load_seconds": Target("time to load", "s", "<= 1"),
    "least_error_kind_share": Target("wrong answers: least share of slip, operation, missing step", "share", ">= 0.05"),
    "size_megabytes": Target("size of this folder", "MB", "<= 25"),
}
"""Metrics with a target, by id, in the order of the card. `evaluate` also measures metrics of single kinds of cases."""


def write_card(
    folder: Path, measures: Mapping[str, float], facts: Mapping[str, str], recipe: Mapping[str, Any]
) -> None:
    """Write card and metrics into `folder`. `facts` are lines about data, training and limits, in order."""
    order = [name for name in TARGETS if name in measures] + sorted(measures.keys() - TARGETS.keys())
    figures = [
        {"id": name, "value": round(measures[name], 4), "unit": _target_of(name).unit, "target": _target_of(name).bound}
        for name in order
    ]
    (folder / METRICS_FILE).write_text(json.dumps(figures, indent=1) + "\n")
    rows = [(f["id"], _target_of(str(f["id"])).meaning, f"{f['value']:,} {f['unit']}", f["target"]) for f in figures]
    lines = [
        "# The pupil",
        "",
        "A small language model, trained from scratch on the proving ground by `make pupil`: it writes questions,",
        "solves them, judges them, and errs. This card was written by the flow that trained it.",
        "",
        *(f"- **{name}**: {text}" for name, text in facts.items()),
        "",
        "Measured on problems drawn with seeds that training never used. A value should reach its target; a figure",
        "without one is only reported.",
        "",
        format_table(["figure", "measure", "value", "target"], rows, right_aligned=[2]),
        "",
        "The recipe:",
        "",
        "```json",
        json.dumps(recipe, indent=1),
        "```",
    ]
    (folder / CARD_FILE).write_text("\n".join(lines) + "\n")


def folder_megabytes(folder: Path) -> float:
    """Size of all files in `folder` and its subfolders, in MB (10^6 bytes)."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _target_of(name: str) -> Target:
    return TARGETS.get(name, Target(name.replace(".", ": ").replace("_", " "), ""))
