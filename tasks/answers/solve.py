"""Stages that answer questions and judge the answers."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from math import ceil
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from schemas.engine import Completion, Prompt, Sampling
from schemas.tables import answers
from schemas.work import Reject, Row
from tasks.base.ask import Ask, Outcome, Rate, tagged_line
from tasks.verification.equivalence.answer_shapes import Scalar
from tasks.verification.equivalence.compare import CLOCK, read
from tasks.verification.equivalence.number_parser import LONGEST
from tasks.verification.extraction.rules import EXPLICIT, extract

ANSWER = "####"
"""Opens the last line of a solution, followed by the answer."""


def final_answer(text: str) -> str | None:
    """The answer that a solution ends in, as written and out of its box; None when it states none."""
    stated = tagged_line(text, ANSWER)
    if stated is not None and "\\boxed" not in stated:
        return stated or None
    found = extract(text if stated is None else stated)
    return found.text or None if found is not None and found.found_by in {*EXPLICIT, "answer_is"} else stated or None


def answer_key(answer: str) -> str:
    """The answer as it is compared with others of the same question: a number by its value, a text without its form.

    What may be a time of day (`2:30`) is a text, and so is a number of thousands of digits (`10^{9000}`).
    """
    plain = " ".join(answer.lower().split())
    if len(answer) > LONGEST or CLOCK.fullmatch(plain):
        return plain
    reading = read(answer)
    if reading.numeral is not None and reading.numeral.value is not None:
        return str(reading.numeral)
    if isinstance(reading.shape, Scalar) and (value := reading.shape.value.rational) is not None:
        with contextlib.suppress(ValueError):  # Python writes no integer of more than 4,300 digits
            return str(value)
    return ("" if not reading.wordy else " ").join(reading.bare[0].lower().split())


class Solve(Ask):
    """n solutions of a question, each ending in `#### answer`."""

    label: ClassVar[str] = "solve"
    tag: ClassVar[str] = "solve"
    version: ClassVar[int] = 2
    table: ClassVar[pa.Schema] = answers.SCHEMA
    role: str | None = "solver"
    sampling: Sampling = Sampling(max_tokens=256)
    adaptive: bool = False
    """Stop at fewer than n samples once enough of n agree, or once so many no longer can."""
    enough: float = Field(default=0.5, ge=0.5, le=1)
    """Share of n that is enough for `adaptive`, that which selection asks for; 0.5: a majority. The same questions are
    published as with all n, each with the best of fewer solutions."""

    @property
    def decided(self) -> int:
        """Samples that must agree for no other answer to be chosen."""
        return max(self.sampling.n // 2 + 1, self.wanted)

    @property
    def wanted(self) -> int:
        """Samples that must agree for a question to be published."""
        return ceil(round(self.enough * self.sampling.n, 9))

    def first(self) -> Sampling:
        """As many samples as must agree, for fewer decide nothing."""
        return self.sampling.model_copy(update={"n": self.decided}) if self.adaptive else self.sampling

    def again(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """As many more samples as the leading answer lacks of what is wanted, while there are so many left."""
        if not self.adaptive:
            return None
        answers = [final_answer(reply.text) for reply in replies if reply.finish_reason == "stop"]
        leading = max(Counter(answer_key(answer) for answer in answers if answer).values(), default=0)
        left = self.sampling.n - len(replies)
        if not left or leading >= self.decided or leading + left < self.wanted:
            return None
        return self.sampling.model_copy(update={"n": min(left, self.decided - leading)})

    def prompt(self, row: Row) -> Prompt:
        return self.ask(question=row["question"])

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        for sample, reply in enumerate(replies):
            answer = final_answer(reply.text)
            if reply.finish_reason == "length":
                yield Reject(row, "cut_off")
            elif answer is None:
                yield Reject(row, "no_answer")
            else:
                solution = reply.text.strip()
                yield {
                    "row_id": f"{row['row_id']}/{sample}",
                    "question_id": row["row_id"],
                    "question": row["question"],
                    "solution": solution,
                    "answer": answer,
                    "asked": len(replies),
                    "answer_key": answer_key(answer),
                }


class JudgeAnswer(Rate):
    """The reward of a solution: the probability that the model calls it right."""

    label: ClassVar[str] = "judge_answer"
    tag: ClassVar[str] = "judge_answer"
    table: ClassVar[pa.Schema] = answers.REWARDS
    role: str | None = "reward"

    def prompt(self, row: Row) -> Prompt:
        return self.ask(question=row["question"], solution=row["solution"])

    def rate(self, row: Row, score: float) -> Iterator[Outcome]:
        yield {"row_id": row["row_id"], "reward": score}
