"""What a model thought before it wrote a solution is kept beside the solution; null: no thought was seen."""

from typing import Any

import pytest

from schemas.arrow import conform
from schemas.engine import Completion
from schemas.steps import Stage
from tasks.answers.pass_rate import SampleResponses
from tasks.answers.select import SelectAnswer
from tasks.answers.solve import Solve
from tasks.lemma.student_attempts import SampleStudent
from tests.tasks.answers.test_select import merged

PROBLEM = {"row_id": "q", "question": "How many are 3 and 4?", "answer": "7", "reference": "#### 7"}
THOUGHT = "Maybe #### 8? No: 3 + 4 is 7."


def reply(text: str) -> Completion:
    return Completion(text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=9).split_reasoning()


def parsed(stage: Stage, *texts: str) -> list[Any]:
    rows = list(stage.parse(PROBLEM, [reply(text) for text in texts]))  # type: ignore[attr-defined]
    assert stage.table is not None
    conform(rows, stage.table, stage.label)
    return rows


@pytest.mark.parametrize(
    ("stage", "column"), [(Solve(), "solution"), (SampleStudent(), "response"), (SampleResponses(), "response")]
)
def test_the_thought_stands_beside_the_solution(stage: Stage, column: str) -> None:
    told, silent = parsed(stage, f"<think>{THOUGHT}</think>\n\n3 + 4 = 7\n#### 7", "#### 7")
    assert (told[column], told["reasoning"]) == ("3 + 4 = 7\n#### 7", THOUGHT)
    assert (silent[column], silent["reasoning"]) == ("#### 7", None)


def test_the_selected_answer_keeps_its_thought() -> None:
    answers = parsed(Solve(), f"<think>{THOUGHT}</think>#### 7", "<think>x</think>#### 7")
    rewards = [{"row_id": "q/0", "reward": 0.9}, {"row_id": "q/1", "reward": 0.2}]
    (best,) = [row for row in merged(SelectAnswer(), answers, rewards).values() if row["reject"] is None]
    assert (best["row_id"], best["reasoning"]) == ("q/0", THOUGHT)
