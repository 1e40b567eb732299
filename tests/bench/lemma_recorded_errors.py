"""Real errors: recorded solutions cut into steps, and the wrong ones through every stage of LEMMA, carelessly taught.

The teacher is a function. Some of what it says is right, some is wrong, some is noise: what counts is that nothing
crashes, and that every row is kept, rejected with a reason, or quarantined.
"""

import json
import re
from collections.abc import Iterator
from random import Random

import pyarrow as pa

from infra.engines.fake import FakeEngine
from schemas.outcomes import Row
from schemas.prompts import Prompt
from schemas.tables import student_solutions
from tasks.lemma.corrections import FixContinue, FreshRestart
from tasks.lemma.diagnose import Diagnose
from tasks.lemma.error_distribution import CountErrorTypes, DrawErrorTypes
from tasks.lemma.error_type_report import MeasureErrorTypes
from tasks.lemma.error_types import ERROR_TYPES
from tasks.lemma.inject import Inject
from tasks.lemma.segment_steps import SegmentSteps, split_steps
from tasks.lemma.select_corrections import SelectCorrections
from tasks.lemma.smooth import Smooth
from tasks.lemma.solution_pairs import PairSolutions
from tasks.lemma.student_attempts import KeepDecided, NormalizeProblem
from tasks.lemma.truncate import DropDuplicateErrors, Truncate
from tasks.lemma.validate import ValidateCorrection
from tasks.verification.verify import extract_gold
from tests.bench.support.results import Figure
from tests.support.recorded import MODELS, SKIP_REASON, SOLUTIONS
from tests.support.staged import StageRunner, make_empty_rows

NOISE = (
    "",
    "?",
    "{",
    '{"step": "x"}',
    "####",
    "Step: 0\nType: operator",
    "Step: 99999999999999\nType: counting",
    "\n\n",
)


def measure() -> Iterator[Figure]:
    """Solutions whose steps join to the text, and what became of the wrong ones."""
    if not SOLUTIONS.exists():
        print(f"lemma_recorded_errors: skipped: {SKIP_REASON}")
        return
    problems, written = recorded()
    texts = [row["response"] for row in written]
    whole = sum("".join(text[a:b] for a, b in split_steps(text)) == text for text in texts)
    cut = sum(len(split_steps(text)) for text in texts)
    yield Figure("steps_joined", whole, "solutions", f"= {len(texts)}", f"steps that join to the text; {cut:,} steps")
    staged = worked(problems, written)
    rows = sum(staged.rejected.values())
    yield Figure("lost_rows", 0, "rows", "0", f"and no crash; {rows:,} outcomes were turned down")
    for (step, reason), count in sorted(staged.rejected.items()):
        print(f"  {step:<14} {reason:<28} {count:>6,}")
    for step, count in staged.kept.items():
        print(f"  {step:<14} {'kept':<28} {count:>6,}")


def recorded(questions: int | None = None) -> tuple[list[Row], list[Row]]:
    """Problems, and solutions as a student would have written them; of the first so many questions."""
    problems, written = [], []
    for number, line in enumerate(SOLUTIONS.read_text().splitlines()[:questions]):
        item = json.loads(line)
        problem = {"row_id": f"{number:05}", "question": item["question"], "answer": extract_gold(item["ground_truth"])}
        problem["reference"] = item["ground_truth"]
        problems.append(problem)
        for sample, model in enumerate(MODELS):
            own = {"row_id": f"{number:05}/{sample}", "question_id": f"{number:05}", "source": "student"}
            said = {"response": item[model]["solution"], "student": model, "type": None, "line": None}
            written.append({**problem, **own, **said})
    return problems, written


def worked(problems: list[Row], written: list[Row]) -> StageRunner:
    """Every stage over recorded solutions; fails where one crashes, or loses a row."""
    path = StageRunner(FakeEngine(careless))
    given = [{**row, "solution": row["reference"]} for row in problems]
    posed = path.map(NormalizeProblem(), pa.Table.from_pylist(given))
    attempts = path.map(KeepDecided(), pa.Table.from_pylist(written, schema=student_solutions.SOLUTIONS_WRITTEN))
    diagnosed = path.map(Diagnose(), path.map(SegmentSteps(), attempts))
    counts = path.merge(CountErrorTypes(), posed, attempts, diagnosed)
    drawn = path.map(DrawErrorTypes(), counts)
    injected = path.map(SegmentSteps(), path.map(KeepDecided(), path.map(Inject(), drawn)))
    errors = path.map(Truncate(), pa.concat_tables([diagnosed, path.map(Diagnose(), injected)]))
    errors = path.merge(DropDuplicateErrors(), errors)
    drafts = pa.concat_tables([path.map(FixContinue(), errors), path.map(FreshRestart(), errors)])
    checked = path.map(ValidateCorrection(), path.map(Smooth(), path.map(ValidateCorrection(), drafts)))
    corrected = path.merge(SelectCorrections(), checked, counts, drawn)
    path.merge(PairSolutions(), errors, attempts, checked)
    path.merge(MeasureErrorTypes(), make_empty_rows(len(ERROR_TYPES)), diagnosed, drawn, errors, corrected)
    return path


def careless(prompt: Prompt, seed: int) -> str:
    """A teacher that has the reference before it, and knows nothing of errors."""
    inputs, rng = dict(prompt.inputs), Random(f"{seed}/{prompt.to_tagged_text()}")
    if rng.random() < 0.1:
        return rng.choice((*NOISE, inputs["question"]))
    if prompt.stage == "diagnose":
        firm = rng if rng.random() < 0.2 else Random(prompt.to_tagged_text())
        at, kind = firm.choice((1, 1, 1, 2, 2, 3, 9)), firm.choice(ERROR_TYPES)
        return firm.choice(("Verdict: correct", *[f"So.\nStep: {at}\nType: {kind}"] * 9))
    if prompt.stage == "inject":
        lines = _plain(inputs["reference"]).split("\n")
        at = rng.randrange(min(2, len(lines)))
        lines[at] = re.sub(r"[0-9]", lambda digit: str((int(digit[0]) + 1) % 10), lines[at])
        return "\n".join((f"Step: {at + 1}", *lines, f"#### {rng.randrange(1000)}"))
    if prompt.stage == "smooth":
        return inputs["correction"]
    if prompt.stage == "fresh_restart":
        return f"Wait, that is wrong. I try it another way.\nAll in all it comes to this.\n#### {rng.randrange(20)}"
    answer = extract_gold(inputs["reference"])
    return f"Wait, that is not right.\n{_plain(inputs['reference'])}\n#### {answer}"


def _plain(reference: str) -> str:
    """A recorded gold without the line of its answer."""
    return reference.rpartition("\n")[0]
