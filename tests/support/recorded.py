"""The 5,276 recorded solutions of real models (OpenAI grade-school-math, MIT): beside the project, not in it."""

import json
from pathlib import Path

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SOLUTIONS = SHARED_DATA / "gsm8k" / "example_model_solutions.jsonl"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
SKIP_REASON = f"needs {SOLUTIONS.name} of OpenAI's grade-school-math in ../shared/data/gsm8k/"


def write_attempts(target: Path) -> int:
    """Flatten the recorded solutions into one attempt a line, gold answer and label included; returns their number."""
    rows = 0
    with target.open("w") as file:
        for line in SOLUTIONS.read_text().splitlines():
            item = json.loads(line)
            for model in MODELS:
                attempt = {
                    "question": item["question"],
                    "response": item[model]["solution"],
                    "answer": item["ground_truth"].rpartition("A:")[2].strip(),
                    "model": model,
                    "is_correct": item[model]["is_correct"],
                }
                file.write(json.dumps(attempt) + "\n")
                rows += 1
    return rows
