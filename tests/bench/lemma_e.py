"""Real errors: recorded solutions cut into steps, and the wrong ones through every stage of LEMMA, carelessly taught.

The teacher is a function. Some of what it says is right, some is wrong, some is noise: what counts is that nothing
crashes, and that every row is kept, rejected with a reason, or quarantined.
"""

import json
import re
from collections.abc import Iterator
from random import Random

import pyarrow as pa

from infra.engines.fake import Fake
from schemas.outcomes import Row
from schemas.prompts import Prompt
from schemas.tables import student_solutions
from tasks.lemma.corrections import FixContinue, FreshRestart
from tasks.lemma.diagnose import Diagnose
from tasks.lemma.error_distribution import CountErrors, DrawTypes
from tasks.lemma.error_type_report import MeasureTypes
from tasks.lemma.error_types import TYPES
from tasks.lemma.inject import Inject
from tasks.lemma.segment_steps import Segment, steps
from tasks.lemma.select_corrections import Balance
from tasks.lemma.smooth import Smooth
from tasks.lemma.solution_pairs import PairSolutions
from tasks.lemma.student_attempts import Grade, Pose
from tasks.lemma.truncate import DropAlike, Truncate
from tasks.lemma.validate import Check
from tasks.verification.verify import gold_answer
from tests.bench.figures import Figure
from tests.support.recorded import ABSENT, MODELS, SOLUTIONS
from tests.support.staged import Staged, blanks

IDS = ("lemma.e",)
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
        print(f"lemma.e: skipped: {ABSENT}")
        return
    problems, written = recorded()
    texts = [row["response"] for row in written]
    whole = sum("".join(text[a:b] for a, b in steps(text)) == text for text in texts)
    cut = sum(len(steps(text)) for text in texts)
    yield Figure("lemma.e", whole, "solutions", f"= {len(texts)}", f"steps that join to the text; {cut:,} steps")
    staged = worked(problems, written)
    rows = sum(staged.turned_down.values())
    yield Figure("lemma.e.lost", 0, "rows", "0", f"and no crash; {rows:,} outcomes were turned down")
    for (step, reason), count in sorted(staged.turned_down.items()):
        print(f"  {step:<14} {reason:<28} {count:>6,}")
    for step, count in staged.kept.items():
        print(f"  {step:<14} {'kept':<28} {count:>6,}")


def recorded(questions: int | None = None) -> tuple[list[Row], list[Row]]:
    """Problems, and solutions as a student would have written them; of the first so many questions."""
    problems, written = [], []
    for number, line in enumerate(SOLUTIONS.read_text().splitlines()[:questions]):
        item = json.loads(line)
        problem = {"row_id": f"{number:05}", "question": item["question"], "answer": gold_answer(item["ground_truth"])}
        problem["reference"] = item["ground_truth"]
        problems.append(problem)
        for sample, model in enumerate(MODELS):
            own = {"row_id": f"{number:05}/{sample}", "question_id": f"{number:05}", "source": "student"}
            said = {"response": item[model]["solution"], "student": model, "type": None, "line": None}
            written.append({**problem, **own, **said})
    return problems, written


def worked(problems: list[Row], written: list[Row]) -> Staged:
    """Every stage over recorded solutions; fails where one crashes, or loses a row."""
    path = Staged(Fake(careless))
    given = [{**row, "solution": row["reference"]} for row in problems]
    posed = path.map(Pose(), pa.Table.from_pylist(given))
    attempts = path.map(Grade(), pa.Table.from_pylist(written, schema=student_solutions.WRITTEN))
    diagnosed = path.map(Diagnose(), path.map(Segment(), attempts))
    counts = path.merge(CountErrors(), posed, attempts, diagnosed)
    drawn = path.map(DrawTypes(), counts)
    injected = path.map(Segment(), path.map(Grade(), path.map(Inject(), drawn)))
    errors = path.map(Truncate(), pa.concat_tables([diagnosed, path.map(Diagnose(), injected)]))
    errors = path.merge(DropAlike(), errors)
    drafts = pa.concat_tables([path.map(FixContinue(), errors), path.map(FreshRestart(), errors)])
    checked = path.map(Check(), path.map(Smooth(), path.map(Check(), drafts)))
    corrected = path.merge(Balance(), checked, counts, drawn)
    path.merge(PairSolutions(), errors, attempts, checked)
    path.merge(MeasureTypes(), blanks(len(TYPES)), diagnosed, drawn, errors, corrected)
    return path


def careless(prompt: Prompt, seed: int) -> str:
    """A teacher that has the reference before it, and knows nothing of errors."""
    inputs, rng = dict(prompt.inputs), Random(f"{seed}/{prompt.tagged()}")
    if rng.random() < 0.1:
        return rng.choice((*NOISE, inputs["question"]))
    if prompt.stage == "diagnose":
        firm = rng if rng.random() < 0.2 else Random(prompt.tagged())
        at, kind = firm.choice((1, 1, 1, 2, 2, 3, 9)), firm.choice(TYPES)
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
    answer = gold_answer(inputs["reference"])
    return f"Wait, that is not right.\n{_plain(inputs['reference'])}\n#### {answer}"


def _plain(reference: str) -> str:
    """A recorded gold without the line of its answer."""
    return reference.rpartition("\n")[0]
