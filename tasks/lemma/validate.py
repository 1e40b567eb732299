"""Validates corrections, before and after smoothing. Each possible fault has a reject reason of its own."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.outcomes import Quarantine, Reject, Row
from schemas.steps import Stage
from schemas.tables import corrections
from tasks.answers.final_answer import ANSWER_PREFIX
from tasks.lemma.arithmetic import equations_hold
from tasks.lemma.corrections import step_overlap
from tasks.lemma.prompt_leaks import knows_answer, leaks_prompt
from tasks.lemma.reflections import admits_mistake
from tasks.lemma.segment_steps import split_steps
from tasks.verification.extraction.rules import EXPLICIT_RULES, extract
from tasks.verification.verify import Verify


class ValidateCorrection(Stage):
    """Keeps corrections with all parts in place and a right answer; rejects others with the first fault found."""

    label: ClassVar[str] = "validate_correction"
    carries_user_columns: ClassVar[bool] = True
    version: ClassVar[int] = 3
    table: ClassVar[pa.Schema] = corrections.CORRECTIONS

    answer_match: Verify = Verify()
    """Verifier that decides whether the answer of a correction is right."""
    max_overlap: float = Field(default=0.5, ge=0, le=1)
    """Largest share of the prefix's calculations that a restart may repeat; 1: no limit. Smoothing may bring repeats
    back, so they are counted again after it."""
    min_correction_characters: int = Field(default=10, ge=1)
    """Fewest characters of a correction that is kept."""
    max_trajectory_characters: int = Field(default=12_000, ge=1)
    """Most characters of a trajectory: some 4,096 tokens, the cut-off length of the paper's training."""
    max_reflection_characters: int = Field(default=1000, ge=1)
    """Most characters of a reflection; a longer one is a solution without a separate line for the reflection."""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject | Quarantine]:
        """One outcome for each row of `schemas.tables.corrections.CORRECTION_DRAFTS`, or a table with more columns."""
        faults = {row["row_id"]: self.find_fault(row) for row in batch}
        sound = [row for row in batch if faults[row["row_id"]] is None]
        verdicts = {
            row["row_id"]: verdict
            for row, verdict in zip(
                sound, self.answer_match.rows([make_attempt(row) for row in sound], engine), strict=True
            )
        }
        for row in batch:
            verdict = verdicts.get(row["row_id"])
            if verdict is None:
                yield Reject(row, faults[row["row_id"]] or "")
            elif isinstance(verdict, Quarantine):
                yield Quarantine(row, *verdict[1:])
            elif verdict["verdict"] != "correct":
                yield Reject(row, f"answer {verdict['verdict']}")
            else:
                yield row | {"right_rule": verdict["rule"]}

    def find_fault(self, row: Row) -> str | None:
        """The fault that the text of a trajectory shows; None if there is none, so that its answer can be verified."""
        text, prefix = row["trajectory"], row["prefix"]
        reflection, correction = trajectory_part(row, "reflection"), trajectory_part(row, "correction")
        problem_texts = (row["question"], row["reference"], prefix)
        faults = {
            "prefix changed": not (text.startswith(prefix) and row["response"].startswith(prefix)),
            "wrong step gone": row["wrong_end"] != len(prefix) or not trajectory_part(row, "wrong").strip(),
            "wrong step is right": row["type"] == "calculation" and equations_hold(trajectory_part(row, "wrong")),
            "no reflection": not admits_mistake(reflection, trajectory_part(row, "wrong")),
            "reflection too long": len(reflection) > self.max_reflection_characters,
            "answers twice": ANSWER_PREFIX in reflection or correction.count(ANSWER_PREFIX) > 1,
            "answer not last": not _ends_in_answer(text, correction),
            "wrong step again": _normalize(trajectory_part(row, "wrong"))
            in {_normalize(correction[a:b]) for a, b in split_steps(correction)},
            "meta talk": knows_answer(reflection) or leaks_prompt(f"{reflection}\n{correction}", *problem_texts),
            "too short": len(correction) < self.min_correction_characters,
            "too long": len(text) > self.max_trajectory_characters,
            "same method": row["strategy"] == "fresh_restart" and step_overlap(prefix, correction) > self.max_overlap,
        }
        return next((reason for reason, failed in faults.items() if failed), None)


def trajectory_part(row: Row, name: str) -> str:
    """One part of a trajectory: `wrong`, `reflection` or `correction`."""
    return str(row["trajectory"][row[f"{name}_start"] : row[f"{name}_end"]])


def make_attempt(row: Row) -> Row:
    """A row for the verifier with the correction alone, so that an answer in the prefix does not count."""
    return {name: row[name] for name in ("row_id", "question", "answer")} | {
        "response": trajectory_part(row, "correction")
    }


def _ends_in_answer(text: str, correction: str) -> bool:
    """Whether the last line states the answer, and the whole trajectory yields the same one."""
    stated, whole_stated = extract(correction), extract(text)
    if stated is None or whole_stated is None or stated.found_by not in EXPLICIT_RULES:
        return False
    return "\n" not in correction[stated.end :].rstrip() and whole_stated.text == stated.text


def _normalize(text: str) -> str:
    return " ".join(text.lower().split())
