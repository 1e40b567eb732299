"""The problems of the proving ground: a question with its exact answer, or with the reason why it has none."""

from dataclasses import dataclass
from typing import Literal

from tasks.proving_ground.arithmetic import Value, find_equations

UnsolvableReason = Literal["missing_condition", "contradiction", "non_integer"]


@dataclass(frozen=True)
class Problem:
    """A question with its exact answer, or with the reason why it has none."""

    question: str
    answer: str | None
    """The answer in plain form: 36, 4.50 or 3/8. None if the problem is unsolvable."""
    steps: tuple[str, ...]
    """The steps, each with one operation, written `a op b = c` somewhere in its line. Empty if unsolvable."""
    solution: str
    """The steps, one per line, and the final line `#### 36`. Empty if unsolvable."""
    second_solution: str | None
    """The whole solution by another method; None if there is none."""
    template: str
    topic: str
    difficulty: float
    """Digits of all operands of the solution, those of `*` and `/` counted twice. 0 if unsolvable."""
    variables: dict[str, Value]
    """All numbers and words that the question shows. A key with a question mark is a claim of the text."""
    unsolvable: UnsolvableReason | None = None


def measure_difficulty(solution: str) -> float:
    """Digits of all operands in a solution, those of `*` and `/` counted twice."""
    digits = ((len(str(e.left)) + len(str(e.right))) * (2 if e.op in "*/" else 1) for _, e in find_equations(solution))
    return float(sum(digits))
