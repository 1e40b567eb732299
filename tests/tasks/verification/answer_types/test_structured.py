"""JSON, calls and instructions get the verdicts that their cases ask for, and hostile texts cost bounded work."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.verification.answer_types.call import CallChecker
from tasks.verification.answer_types.checker import AnswerCase, AnswerChecker
from tasks.verification.answer_types.constraints.checker import KINDS, ConstraintsChecker
from tasks.verification.answer_types.constraints.ifeval import INSTRUCTIONS
from tasks.verification.answer_types.json_answer import JsonChecker
from tasks.verification.math_verify.verdict import Verdict
from tests.support.response_pairs import find_fault

DATA = Path(__file__).parents[3] / "data" / "answer_types"
SHORT_DEADLINE = 0.3
"""Seconds of CPU time for what never ends, so that the test does not wait for it."""
CHECKERS: dict[str, AnswerChecker] = {
    "json": JsonChecker(deadline=SHORT_DEADLINE),
    "call": CallChecker(),
    "constraints": ConstraintsChecker(deadline=SHORT_DEADLINE),
}
HOSTILE_SECONDS = 60.0
"""Far more than a hostile text takes (some seconds), and far less than quadratic work on it would."""
MEGABYTES_OF_MEMORY = 1500
"""Far more than 5 MB of JSON take, and far less than they could."""


def load_cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text().splitlines()]


def check(name: str, response: str, gold: str = "", question: str = "", **details: Any) -> Verdict:
    return CHECKERS[name].check(AnswerCase(question, response, gold, details))


@pytest.mark.parametrize("name", CHECKERS)
def test_the_cases_of_a_type_are_many_and_go_both_ways(name: str) -> None:
    expected = Counter(case["expect"] for case in load_cases(name))
    assert expected.total() >= 150 and expected["correct"] >= 60 and expected["wrong"] + expected["not-correct"] >= 60


@pytest.mark.early
@pytest.mark.parametrize("name", CHECKERS)
def test_each_case_gets_the_verdict_that_it_asks_for(name: str) -> None:
    cases = load_cases(name)
    verdicts = CHECKERS[name].check_many(
        [AnswerCase(case["question"], case["response"], case["gold"], case["details"]) for case in cases]
    )
    faults = []
    for case, verdict in zip(cases, verdicts, strict=True):
        is_open = verdict.verdict in ("unparseable", "timeout")
        fault = "" if case["expect"] == "unparseable" and is_open else find_fault(case["expect"], verdict.verdict)
        if fault or (case["expect"] == "unparseable" and not is_open):
            faults.append((case["why"], case["expect"], verdict))
    assert faults == []


def test_every_instruction_and_most_kinds_have_cases() -> None:
    text = (DATA / "constraints.jsonl").read_text()
    assert len(INSTRUCTIONS) == 25 and len(KINDS) >= 25
    assert [name for name in INSTRUCTIONS if name not in text] == []
    assert [kind for kind in KINDS if f'"kind\\": \\"{kind}\\"' not in text] == []


LIST = json.dumps([{"id": n, "text": "abc"} for n in range(150_000)])
HOSTILE_JSON = {
    "5 MB, right": (LIST, LIST, "correct"),
    "5 MB, the last item differs": (LIST[:-4] + 'd"}]', LIST, "wrong"),
    "5 MB in a fence": (f"```json\n{LIST}\n```", LIST, "correct"),
    "5 MB that are cut off": (LIST[:-1], LIST, "unparseable"),
    "5 MB of opening brackets": ("[" * 5_000_000, "[]", "unparseable"),
    "5 MB of lists of numbers that never close": ("[0 " * 1_700_000, "[0]", "unparseable"),
    "5 MB of quotes": ('{"' * 2_500_000, "[]", "unparseable"),
    "5 MB of backslashes": ('{"a": "' + "\\" * 5_000_000, '{"a": 1}', "unparseable"),
    "5 MB of blanks": (" " * 5_000_000, "[]", "unparseable"),
    "5 MB of open fences": ("```json\n" * 600_000, "[]", "unparseable"),
    "5 MB of boxes": ("\\boxed{" * 700_000, "[]", "unparseable"),
    "5 MB of answer tags": ("<answer>\n" * 500_000, "[]", "unparseable"),
    "5 MB of markers": ("Answer:\n" * 600_000, "[]", "unparseable"),
    "a number of 5 million digits": ("7" * 5_000_000, "7" * 5_000_000, "correct"),
    "100,000 levels": ("[" * 100_000 + "]" * 100_000, "[" * 100_000 + "]" * 100_000, "unparseable"),
    "100,000 levels against a flat gold": ('{"a":' * 100_000 + "1" + "}" * 100_000, '{"a": 1}', "unparseable"),
    "more than is read at all": ("[" + "1," * 6_000_000 + "1]", "[1]", "unparseable"),
}


@pytest.mark.system
@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_hostile_json_gets_its_verdict_in_bounded_time(name: str) -> None:
    response, gold, expected = HOSTILE_JSON[name]
    began = time.process_time()
    assert check("json", response, gold).verdict == expected
    assert time.process_time() - began < HOSTILE_SECONDS


@pytest.mark.system
def test_hostile_json_takes_bounded_memory() -> None:
    assert measure_peak_megabytes() < MEGABYTES_OF_MEMORY


def measure_peak_megabytes() -> float:
    """Megabytes that two hostile texts take in a process of their own: this one holds what earlier tests took."""
    module = "import tests.tasks.verification.answer_types.test_structured as cases"
    peak = subprocess.run(
        [sys.executable, "-c", f"{module}; cases.check_the_largest_texts()"], capture_output=True, text=True, check=True
    ).stdout
    return int(peak) / 1024


def check_the_largest_texts() -> None:
    """Prints the peak of this process in kilobytes. (`ru_maxrss` would be that of its parent, where that is higher.)"""
    check("json", LIST, LIST, unordered=True)
    check("json", "[[]" + ",[]" * 1_600_000 + "]", "[]")
    [peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    print(peak.split()[1])


def test_a_fault_at_the_depth_of_the_stack_does_not_depend_on_who_calls() -> None:
    def call_at(frames: int) -> Verdict:
        return call_at(frames - 1) if frames else check("json", "[" * 190 + "]" * 190, "[" * 190 + "]" * 190)

    assert {call_at(frames).verdict for frames in (0, 100, 300)} == {"correct"}
    assert sys.getrecursionlimit() >= 1000


@pytest.mark.parametrize(
    ("schema", "response"),
    [
        ({"items": {"pattern": "^(a+)+$"}}, json.dumps(["a" * 60 + "!"])),
        ({"items": {"pattern": "(x+x+)+y"}}, json.dumps(["x" * 60])),
        ({"patternProperties": {"^(a|a)*$": {"type": "null"}}}, json.dumps({"a" * 60 + "!": 1})),
        ({"uniqueItems": True}, json.dumps([{"a": n} for n in range(30_000)])),
        ({"$defs": {"t": {"anyOf": [{"items": {"$ref": "#/$defs/t"}}] * 9 + [False]}}, "not": {"$ref": "#/$defs/t"}},
         "[" * 60 + "1" + "]" * 60),
    ],
    ids=["pattern", "another pattern", "pattern of keys", "unique items", "a tree that grows"],
)  # fmt: skip
def test_a_schema_that_never_ends_is_ended(schema: dict[str, Any], response: str) -> None:
    assert check("json", response, schema=schema).verdict != "correct"


def test_after_a_check_was_ended_the_next_one_works() -> None:
    assert check("json", json.dumps("a" * 60 + "!"), schema={"pattern": "^(a+)+$"}).rule == "deadline"
    assert check("json", '"aaa"', schema={"pattern": "^(a+)+$"}) == Verdict("correct", "json_schema", "", '"aaa"')


HOSTILE_CALLS = {
    "tags that never close": "<tool_call>" * 400_000,
    "tags that close": '<tool_call>{"name": "f", "arguments": {}}</tool_call>' * 90_000,
    "calls without end": "f(x=1)\n" * 700_000,
    "calls in prose": "I call f(x=1) now. " * 250_000,
    "calls that never close": "I call f(x=(1, " * 300_000,
    "calls that never close, with quotes": "f(x='" * 1_000_000,
    "functions that never close": "<function=f>" * 400_000,
    "parameters that never close": "<function=f>" + "<parameter=x>" * 380_000 + "</function>",
    "actions": "Action: f\nAction Input: {\n" * 180_000,
    "fences": "```python\nf(x=1)\n```\n" * 230_000,
    "code spans": "`f(x=1)` " * 500_000,
    "names": "a." * 2_500_000 + "f(x=1)",
    "objects": '{"name": "f", "arguments": {}}\n' * 160_000,
}


@pytest.mark.system
@pytest.mark.parametrize("name", HOSTILE_CALLS)
def test_hostile_calls_are_not_read_and_cost_bounded_time(name: str) -> None:
    began = time.process_time()
    assert check("call", HOSTILE_CALLS[name], '[{"name": "f", "arguments": {"x": 1}}]').verdict != "correct"
    assert time.process_time() - began < HOSTILE_SECONDS


def test_no_code_of_a_response_runs(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for code in (
        f"open({str(trace)!r}, 'w')",
        f"f(x=open({str(trace)!r}, 'w'))",
        f"__import__('os').mknod({str(trace)!r})",
    ):
        assert check("call", code, '[{"name": "f", "arguments": {"x": 1}}]').verdict != "correct"
    assert not trace.exists()


HOSTILE_TEXTS = [
    "a" * 999_999,
    "* " * 499_999,
    "*a" * 499_999,
    "[" * 999_999,
    "\n" * 499_999 + "a" * 9,
    "a. " * 333_333,
    "- a\n" * 249_999,
    "<<" * 499_999,
    "```\n" * 249_999,
    "|-" * 499_999,
    "P.S" * 333_333,
    "A-" * 499_999,
    "\u200b" * 999_998 + "a",
    "x\n \n" * 249_999,
    "***\n" * 249_999,
    "'" * 999_999,
    "\\*" * 499_999,
]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "includes": {"keywords": ["a"]},
    "excludes": {"keywords": ["zebra"]},
    "keyword_count": {"keyword": "a a", "at_least": 0},
    "letter_count": {"letter": "a", "at_least": 0},
    "language": {"language": "en"},
    "sections": {"marker": "P", "at_least": 0},
    "postscript": {"marker": "P.S."},
    "paragraph_first_word": {"nth": 1, "word": "a"},
    "first_word": {"word": "a"},
    "last_word": {"word": "a"},
    "starts_with": {"phrase": "a"},
    "ends_with": {"phrase": "a"},
    "without": {"characters": "$"},
    "repeat_prompt": {"prompt": "a"},
    "regex": {"pattern": "[a-z]*"},
}
ALL_KINDS = [
    {"kind": name, **ARGUMENTS.get(name, {"at_least": 0} if "at_least" in kind.model_fields else {})}
    for name, kind in sorted(KINDS.items())
]


@pytest.mark.parametrize("characters", [10_000, pytest.param(1_000_000, marks=pytest.mark.system)])
@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind["kind"])
def test_each_kind_of_constraint_takes_bounded_time_on_hostile_texts(kind: dict[str, Any], characters: int) -> None:
    began = time.process_time()
    for text in HOSTILE_TEXTS:
        assert check("constraints", text[-characters:], constraints=[kind]).rule != "gold_unparseable"
    assert time.process_time() - began < HOSTILE_SECONDS


def test_a_response_that_is_too_long_is_left_open() -> None:
    assert check("constraints", "a" * 1_000_001, constraints=[{"kind": "no_comma"}]).rule == "too_long"


def test_details_may_stand_in_columns_with_empty_cells() -> None:
    ids, words = ["length_constraints:number_words"], {"relation": "at least", "num_words": 2.0, "language": None}
    details = {"constraints": None, "instruction_id_list": ids, "kwargs": [words], "topic": "rain"}
    assert check("constraints", "Rain falls.", **details).verdict == "correct"
    assert check("constraints", "Rain.", **details).verdict == "wrong"
    assert check("json", "1", schema=None, json_schema={"type": "string"}).verdict == "wrong"
    definitions = [{"name": "f", "parameters": {"properties": {"x": {}}}}]
    gold = '[{"name": "f", "arguments": {"x": 1}}]'
    assert check("call", "f(1)", gold, tools=None, functions=definitions, values=None).verdict == "correct"
