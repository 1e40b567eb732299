"""Two files of problems whose columns are called differently, as those of GSM8K and MATH are."""

import json
from pathlib import Path

from tasks.proving_ground import library

FIRST_SEED = 1_200_000_000


def write_corpora(folder: Path, problems: int) -> list[str]:
    """Write half of the problems to each file; returns the flags that name the files and all columns but responses."""
    drawn = [library.draw_problem(FIRST_SEED + number) for number in range(problems)]
    grade = [{"question": problem.question, "answer": problem.solution} for problem in drawn[: problems // 2]]
    contest = [
        {"problem": problem.question, "level": "1", "type": problem.topic, "solution": problem.solution}
        for problem in drawn[problems // 2 :]
    ]
    words = ["--columns", "contest.jsonl:question=problem", "--columns", "contest.jsonl:answer=solution"]
    for name, rows in (("grade", grade), ("contest", contest)):
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        words += ["--input", str(path)]
    return words
