"""What the proving ground hands out: a question and its exact answer, or the reason why it has none."""

from dataclasses import dataclass
from typing import Literal

from tasks.proving_ground.arithmetic import Value, find_equations

UnsolvableReason = Literal["missing_condition", "contradiction", "non_integer"]


@dataclass(frozen=True)
class Problem:
    """A question with its exact answer, or with the reason why it has none."""

    question: str
    answer: str | None
    """In plain form: 36, 4.50 or 3/8; None when unsolvable."""
    steps: tuple[str, ...]
    """One operation each, written `a op b = c` somewhere in the line; empty when unsolvable."""
    solution: str
    """The steps, a line each, and the final line `#### 36`; empty when unsolvable."""
    second_solution: str | None
    """The whole solution by another method, where there is one."""
    template: str
    topic: str
    difficulty: float
    """Digits moved by all operations of the solution, multiplication and division counted double; 0: unsolvable."""
    variables: dict[str, Value]
    """Everything the question shows: numbers and words. A key with a question mark is a claim of the text."""
    unsolvable: UnsolvableReason | None = None


def measure_difficulty(solution: str) -> float:
    """Digits of all operands, those of `*` and `/` counted double."""
    digits = ((len(str(e.left)) + len(str(e.right))) * (2 if e.op in "*/" else 1) for _, e in find_equations(solution))
    return float(sum(digits))
