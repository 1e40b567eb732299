"""The model card that comes with a trained pupil, and the same figures for programs: both written, never edited."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from schemas.markdown_table import format_table

CARD_FILE, METRICS_FILE = "README.md", "metrics.json"


class Target(NamedTuple):
    """What a figure means and what was asked of it."""

    meaning: str
    unit: str
    bound: str = ""


TARGETS = {
    "pupil.a": Target("`solve`, greedy, all templates", "share", ">= 0.80"),
    "pupil.b": Target("`solve`, T 0.7, right in one sample", "share", "0.60 to 0.90"),
    "pupil.b.pass_8": Target("right in at least one of 8 samples", "share", ">= 0.92"),
    "pupil.c": Target("`write_question`, T 1.0: belongs to the proving ground", "share", ">= 0.90"),
    "pupil.c.solvable": Target("of those, solvable", "share", "0.60 to 0.95"),
    "pupil.d": Target("`write_question`: distinct among 10,000", "share", ">= 0.90"),
    "pupil.d.topics": Target("largest distance of a topic's share from the library's", "points", "<= 10"),
    "pupil.e": Target("`judge_solvable`, balanced accuracy", "share", ">= 0.85"),
    "pupil.f": Target("`judge_answer`: AUC of P(yes) on its own solutions", "AUC", ">= 0.80"),
    "pupil.g": Target("int8, one thread, 512 requests", "tokens/s", ">= 6000"),
    "pupil.g.load": Target("time to load", "s", "<= 1"),
    "pupil.h": Target("wrong answers: least share of slip, operation, missing step", "share", ">= 0.05"),
    "pupil.i": Target("size of this folder", "MB", "<= 25"),
}
"""Figures that were asked for; `examine` may measure more."""


def write_card(
    folder: Path, measures: Mapping[str, float], facts: Mapping[str, str], recipe: Mapping[str, Any]
) -> None:
    """Write card and metrics into `folder`; `facts` are lines about data, training and limits, in order."""
    figures = [
        {"id": name, "value": round(value, 4), "unit": _target_of(name).unit, "asked": _target_of(name).bound}
        for name, value in sorted(measures.items())
    ]
    (folder / METRICS_FILE).write_text(json.dumps(figures, indent=1) + "\n")
    rows = [(f["id"], _target_of(str(f["id"])).meaning, f"{f['value']:,} {f['unit']}", f["asked"]) for f in figures]
    lines = [
        "# The pupil",
        "",
        "A small language model, trained from scratch on the proving ground by `make pupil`: it writes questions,",
        "solves them, judges them, and errs. This card was written by the flow that trained it.",
        "",
        *(f"- **{name}**: {text}" for name, text in facts.items()),
        "",
        "Measured on problems drawn with seeds that training never used:",
        "",
        format_table(["figure", "measure", "value", "asked"], rows, right_aligned=[2]),
        "",
        "The recipe:",
        "",
        "```json",
        json.dumps(recipe, indent=1),
        "```",
    ]
    (folder / CARD_FILE).write_text("\n".join(lines) + "\n")


def folder_megabytes(folder: Path) -> float:
    """Size of all files below `folder`, in MB of 10^6 bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _target_of(name: str) -> Target:
    return TARGETS.get(name, Target(name.rpartition(".")[2].replace("_", " "), ""))
