"""ScaleQuest's stages that ask a model, on an engine without one: what a row costs beside its model.

The workers load the profile's engines as ever, journal each reply and count its tokens; only the replies are fake.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from infra.engines.fake import FakeEngine
from schemas.outcomes import Row
from schemas.prompts import Prompt, Sampling
from tasks.answers.reward import ScoreAnswer
from tasks.answers.solve import Solve
from tasks.base.ask import Outcome
from tasks.questions.difficulty import FailRate
from tasks.questions.solvability import JudgeSolvable
from tasks.questions.write import WriteQuestion
from tests.bench.support.template_questions import write_original


class _OnFakeEngine:
    """Asks a fake engine, through the journal and the meter of the shard."""

    def reply(self, prompt: Prompt, seed: int) -> str:
        return ""

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Outcome]:
        engine.engine = FakeEngine(self.reply, _score)
        yield from super().rows(batch, engine)  # type: ignore[misc]


def _score(prompt: Prompt) -> float:
    return 0.5 + len(prompt.inputs["question"]) % 50 / 100


class FakeWriteQuestion(_OnFakeEngine, WriteQuestion):
    """Writes a question drawn by the seed."""

    label: ClassVar[str] = WriteQuestion.label
    tag: ClassVar[str] = WriteQuestion.tag

    def reply(self, prompt: Prompt, seed: int) -> str:
        return write_original(seed)


class FakeJudgeSolvable(_OnFakeEngine, JudgeSolvable):
    """Finds every question solvable."""

    label: ClassVar[str] = JudgeSolvable.label
    tag: ClassVar[str] = JudgeSolvable.tag

    def reply(self, prompt: Prompt, seed: int) -> str:
        return "All that is asked for follows from what is known.\nVerdict: yes"


class FakeFailRate(_OnFakeEngine, FailRate):
    """Never fails."""

    label: ClassVar[str] = FailRate.label
    tag: ClassVar[str] = FailRate.tag
    sampling: Sampling = Sampling(n=1, max_tokens=2048)

    def reply(self, prompt: Prompt, seed: int) -> str:
        return "First 20 of them are taken, which leaves 35 - 20 = 15.\n#### 15"


class FakeSolve(_OnFakeEngine, Solve):
    """Gives every question the same answer."""

    label: ClassVar[str] = Solve.label
    tag: ClassVar[str] = Solve.tag
    sampling: Sampling = Sampling(n=1, max_tokens=2048)

    def reply(self, prompt: Prompt, seed: int) -> str:
        return "First 20 of them are taken, which leaves 35 - 20 = 15.\n#### 15"


class FakeScoreAnswer(_OnFakeEngine, ScoreAnswer):
    """Gives solutions rewards by the lengths of their questions; the gate refuses rewards that are all the same."""

    label: ClassVar[str] = ScoreAnswer.label
    tag: ClassVar[str] = ScoreAnswer.tag
