"""The corpus of realistic replies in `tests/data/replies`, and how each stage reads it.

    python -m tests.support.reply_corpus [--half first|second] [--show]

An entry holds a reply and what a careful reader takes from it (`expect`; null: nothing safe). It is read *right* if the
stage takes the same, *lost* if the stage takes nothing, and *misread* if it takes anything else. `may_reject` marks
entries for which taking nothing is right too.
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.engine import Completion
from schemas.outcomes import Quarantine, Reject
from tasks.answers.final_answer import answer_key
from tasks.answers.solve import Solve
from tasks.lemma.corrections import FixContinue
from tasks.lemma.diagnose import Diagnose
from tasks.lemma.inject import Inject
from tasks.lemma.student_attempts import KeepDecided
from tasks.lemma.validate import ValidateCorrection
from tasks.questions.preference_pairs import ImproveQuestion
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import WriteQuestion
from tasks.verification.llm_judge import JudgeResponse
from tasks.verification.pairwise_judge import JudgePair
from tasks.verification.verify import Verify

FOLDER = Path(__file__).parents[1] / "data" / "replies"
OUTCOMES = ("right", "lost", "misread")
_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
Entry = Mapping[str, Any]
Reading = Mapping[str, Any] | None


def load_entries() -> list[Entry]:
    """All entries, in the order of the files."""
    return [
        json.loads(line) for path in sorted(FOLDER.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()
    ]


def half_of(entry: Entry) -> str:
    """The half that an entry belongs to: the `second` was put aside while the readers were written."""
    return "first" if hashlib.sha256(entry["id"].encode()).hexdigest()[0] in "01234567" else "second"


def outcome_of(entry: Entry) -> str:
    """What a stage made of an entry: one of `OUTCOMES`."""
    reading, expected = read_entry(entry), entry["expect"]
    if reading is None:
        return "right" if expected is None or expected.get("may_reject") else "lost"
    return "right" if expected is not None and _agrees(entry, reading, expected) else "misread"


def read_entry(entry: Entry) -> Reading:
    """What the stage of an entry reads in its reply; None if it takes nothing."""
    completion = Completion(
        text=entry["reply"], finish_reason=entry["finish_reason"], prompt_tokens=1, completion_tokens=1
    ).split_reasoning()
    return _READERS[entry["stage"]](entry.get("row") or {}, completion)


def _read_question(stage: Any) -> Callable[[Mapping[str, Any], Completion], Reading]:
    def read(row: Mapping[str, Any], completion: Completion) -> Reading:
        (outcome,) = stage.parse({"row_id": "r", **row}, [completion])
        return None if isinstance(outcome, Reject | Quarantine) else {"question": outcome["question"]}

    return read


def _read_solvable(row: Mapping[str, Any], completion: Completion) -> Reading:
    (outcome,) = JudgeSolvable().parse({"row_id": "r", **row}, [completion])
    if isinstance(outcome, Quarantine):
        return None
    return {"verdict": "no" if isinstance(outcome, Reject) else "yes"}


def _read_solution(row: Mapping[str, Any], completion: Completion) -> Reading:
    (outcome,) = Solve().parse({"row_id": "r", "question": "", **row}, [completion])
    return None if isinstance(outcome, Reject) else {"answer": outcome["answer"]}


def _read_diagnosis(row: Mapping[str, Any], completion: Completion) -> Reading:
    spans, text = [], ""
    for step in row["steps"]:
        spans.append({"start": len(text), "end": len(text) + len(step) + 1})
        text += f"{step}\n"
    (outcome,) = Diagnose().parse({"row_id": "r", **row, "response": text, "steps": spans}, [completion])
    if isinstance(outcome, Reject):
        return {"verdict": "correct"} if outcome.reason == "called correct" else None
    if isinstance(outcome, Quarantine):
        return None
    return {"verdict": "wrong", "step": outcome["found_step"], "type": outcome["found_type"]}


def _read_injection(row: Mapping[str, Any], completion: Completion) -> Reading:
    given = {"row_id": "r", "question_id": "q", "student": "student", **row}
    (outcome,) = Inject().parse(given, [completion])
    if isinstance(outcome, Reject):
        return None
    (graded,) = KeepDecided().rows([outcome], None)
    if isinstance(graded, dict) and graded["verdict"] == "correct":
        return None  # as in the recipe: a solution that ends right holds no error
    lines = outcome["response"].splitlines()
    answers = Solve().parse(given, [completion.model_copy(update={"text": outcome["response"]})])
    answer = next((each["answer"] for each in answers if not isinstance(each, Reject)), None)
    return {"line_text": lines[outcome["line"] - 1], "answer": answer}


def _read_continuation(row: Mapping[str, Any], completion: Completion) -> Reading:
    prefix = row["prefix"]
    given = {
        **{"row_id": "r", "question_id": "q", "student": "student", "source": "student", "type": "hallucination"},
        **{"step": 1, "wrong_start": prefix.rfind("\n") + 1, "wrong_end": len(prefix), "wrong_rule": "", "votes": 2},
        **{"asked": 2, "found_type": "hallucination", "response": f"{prefix}\n#### 0", **row},
    }
    (outcome,) = FixContinue().parse(given, [completion])
    if isinstance(outcome, Reject) or ValidateCorrection().find_fault(outcome) is not None:
        return None
    text = outcome["trajectory"]
    correction = text[outcome["correction_start"] : outcome["correction_end"]]
    answers = Solve().parse(given, [completion.model_copy(update={"text": correction})])
    answer = next((each["answer"] for each in answers if not isinstance(each, Reject)), None)
    return {"reflection_begins": text[outcome["reflection_start"] : outcome["reflection_end"]], "answer": answer}


def _read_judgement(row: Mapping[str, Any], completion: Completion) -> Reading:
    (outcome,) = JudgeResponse().parse({"row_id": "r", **row}, [completion])
    if outcome["verdict"] in ("correct", "wrong"):  # type: ignore[index]
        return {"verdict": outcome["verdict"]}  # type: ignore[index]
    return {"verdict": "unsure"} if outcome["rule"] == "unsure" else None  # type: ignore[index]


def _read_choice(row: Mapping[str, Any], completion: Completion) -> Reading:
    (outcome,) = JudgePair().parse({"row_id": "r", **row}, [completion])
    words = {"own": "first", "rival": "second", "neither": "neither"}
    choice = outcome["choice"]  # type: ignore[index]
    return None if choice is None else {"verdict": words[choice]}


_READERS: dict[str, Callable[[Mapping[str, Any], Completion], Reading]] = {
    "write_question": _read_question(WriteQuestion()),
    "improve_question": _read_question(ImproveQuestion(harder_share=0)),
    "judge_solvable": _read_solvable,
    "solve": _read_solution,
    "diagnose": _read_diagnosis,
    "inject": _read_injection,
    "continue": _read_continuation,
    "judge_response": _read_judgement,
    "judge_pair": _read_choice,
}


def _agrees(entry: Entry, reading: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    for name, value in expected.items():
        if name == "may_reject":
            continue
        read = reading.get(name)
        if name == "answer":
            if not _is_same_answer(str(read), str(value)):
                return False
        elif name == "line_text":
            if _plain(str(value)) not in _plain(str(read)) and _plain(str(read)) not in _plain(str(value)):
                return False
        elif name == "reflection_begins":
            if not _plain(str(read)).startswith(_plain(str(value))):
                return False
        elif isinstance(value, str):
            if _plain(str(read)) != _plain(value):
                return False
        elif read != value:
            return False
    return True


def _is_same_answer(read: str, expected: str) -> bool:
    if answer_key(read) == answer_key(expected) or (
        read in _NUMBER_WORDS and str(_NUMBER_WORDS.index(read)) == expected
    ):
        return True
    responses = (rf"\boxed{{{read}}}", f"It is {read}")  # the answer, or its only number: `375 sticks of chalk`
    rows = [{"row_id": "r", "question": "", "answer": expected, "response": response} for response in responses]
    return any(verdict["verdict"] == "correct" for verdict in Verify().rows(rows, None))


def _plain(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())


def count_outcomes(entries: list[Entry]) -> Iterator[tuple[str, str, Counter[str]]]:
    """The stage, the form and the outcomes of its entries, for every cell and for all of a stage (form `all`)."""
    cells: dict[tuple[str, str], Counter[str]] = {}
    for entry in entries:
        outcome = outcome_of(entry)
        for form in (entry["form"], "all"):
            cells.setdefault((entry["stage"], form), Counter())[outcome] += 1
    for (stage, form), counts in sorted(cells.items()):
        yield stage, form, counts


def main() -> None:
    """Print a line a stage, or every entry that is not read right."""
    parser = argparse.ArgumentParser(description="How are realistic replies read?")
    parser.add_argument("--half", choices=["first", "second"], help="only this half")
    parser.add_argument("--stage", default="", help="only this stage")
    parser.add_argument("--show", action="store_true", help="show what is not read right")
    options = parser.parse_args()
    entries = [each for each in load_entries() if options.half in (None, half_of(each))]
    entries = [each for each in entries if options.stage in ("", each["stage"])]
    if options.show:
        for entry in entries:
            if (outcome := outcome_of(entry)) != "right":
                print(f"== {outcome}: {entry['id']}\n{entry['reply']}\n-- expected {entry['expect']}, read", end=" ")
                print(read_entry(entry), entry.get("note", ""))
        return
    total: Counter[str] = Counter()
    for stage, form, counts in count_outcomes(entries):
        if form == "all":
            total += counts
            print(f"{stage:18}" + "".join(f"{counts[name]:5} {name}" for name in OUTCOMES))
    print(f"{'all':18}" + "".join(f"{total[name]:5} {name}" for name in OUTCOMES))


if __name__ == "__main__":
    main()
