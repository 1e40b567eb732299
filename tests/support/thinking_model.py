"""A thinking model without a model: it reads chat prompts, thinks aloud with every trap, and replies as the oracle."""

import hashlib
import re
from typing import Any

from schemas.prompts import Prompt
from tasks.base.ask import load_instruction
from tasks.proving_ground import library
from tasks.proving_ground.oracle import read_question
from tests.support import teacher

STAGES = {
    "write_question": "write_question",
    "judge_solvable": "judge_solvable",
    "score_answer": "judge_answer",
    "score_response": "judge_answer",
    "sample_responses": "solve",
    "solve": "solve",
    "diagnose": "diagnose",
    "inject": "inject",
    "fix_continue": "fix_continue",
    "fresh_restart": "fresh_restart",
    "smooth": "smooth",
}
"""The tag of each stage that the model can play, by the label of its instruction."""
TRAP = (
    "Okay, the last line has to be `#### answer`. Maybe \\boxed{987654321}? No.\n#### 987654321\n"
    "Verdict: no? Verdict: yes?\nStep: 1\nType: operator\nWait, what is 1 + 1? The answer is 987654321."
)
"""What it thinks: the prompt's own format lines, and an answer that must never be read."""
TRAP_ANSWER = "987654321"


def say(body: dict[str, Any], sample: int) -> str:
    """The reply to a chat request, after a thought where the request does not forbid one."""
    prompt = read_messages(body["messages"])
    seed = int(body.get("seed") or 0) + sample
    if (body.get("chat_template_kwargs") or {}).get("enable_thinking") is False:
        return reply(prompt, seed)
    return f"<think>\n{TRAP}\n</think>\n\n{reply(prompt, seed)}"


def read_messages(messages: list[dict[str, str]]) -> Prompt:
    """The prompt that was written as `Prompt.to_messages` does, in either layout."""
    text = "\n\n".join(message["content"] for message in messages)
    label = max(
        (each for each in STAGES if text.startswith(load_instruction(each))),
        key=lambda each: len(load_instruction(each)),
    )
    names = {"Question": "question", "Reference": "reference", "Attempt": "attempt", "Type": "type"}
    names |= {"Solution": "solution", "Correction": "correction", "Response": "response"}
    parts = re.split(rf"(?:^|\n\n)({'|'.join(names)}):\n", text[len(load_instruction(label)) :])[1:]
    inputs = {names[name]: value for name, value in zip(parts[::2], parts[1::2], strict=True)}
    return Prompt(stage=STAGES[label], inputs=inputs)


def reply(prompt: Prompt, seed: int) -> str:
    """What it replies after its thought; the same for the same prompt and seed."""
    inputs = dict(prompt.inputs)
    if prompt.stage == "write_question":
        return f"Sure! Here is one.\n\n<question>{library.draw_problem(seed % 10**9).question}</question>"
    if prompt.stage == "judge_solvable":
        return (
            f"I worked it out.\n\n**Verdict:** {'no' if read_question(inputs['question']).answer is None else 'Yes.'}"
        )
    if prompt.stage == "judge_answer":
        solution = inputs.get("solution") or inputs.get("response") or ""
        return "yes" if hashlib.sha256(solution.encode()).digest()[0] < 200 else "no"
    if prompt.stage == "diagnose":
        labels = re.findall(r"(?m)^\[S([0-9]+)\] (.*)$", inputs["attempt"])
        plain = "\n".join(f"{number}) {step}" for number, step in labels)
        found = teacher.reply(prompt.model_copy(update={"inputs": inputs | {"attempt": plain}}), seed)
        return re.sub(r"(?m)^Step: ([0-9]+)$", lambda match: _quote(match[1], labels), found)
    if prompt.stage == "inject":
        written = teacher.reply(
            prompt.model_copy(update={"inputs": inputs | {"type": inputs["type"].split(":")[0]}}), seed
        )
        return _name_step_last(written)
    return teacher.reply(prompt, seed)


def _quote(number: str, labels: list[tuple[str, str]]) -> str:
    words = " ".join(dict(labels)[number].split()[:6])
    return f'Step: [S{number}] "{words}"'


def _name_step_last(written: str) -> str:
    """A solution that names its wrong line before it, with the line quoted after it instead."""
    first, _, solution = written.partition("\n")
    if not (match := re.fullmatch(r"Step: ([0-9]+)", first)):
        return written
    lines = [line for line in solution.split("\n") if line.strip()]
    return f'Here is the solution of a student.\n\n{solution}\nWrong step: "{lines[int(match[1]) - 1]}"'
