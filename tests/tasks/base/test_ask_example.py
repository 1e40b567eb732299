"""The stage that the docstring of `Ask` shows works as it stands."""

import inspect
import textwrap
from typing import Any

from infra.engines.fake import FakeEngine
from schemas.outcomes import Reject
from tasks.base.ask import Ask


def _load_example() -> type[Ask]:
    """The class that the code block in the docstring of `Ask` defines."""
    _, _, after = inspect.cleandoc(str(Ask.__doc__)).partition("::\n\n")
    lines = after.splitlines()
    end = next(at for at, line in enumerate(lines) if line and not line.startswith(" "))
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(textwrap.dedent("\n".join(lines[:end])), namespace)
    example: type[Ask] = namespace["NameTopic"]
    return example


def test_the_stage_that_the_docstring_shows_works_as_it_stands() -> None:
    stage = _load_example()(template="Name the topic in one word, or say none.")
    engine = FakeEngine(lambda prompt, seed: " Clock\n" if "o'clock" in prompt.to_tagged_text() else "none")
    timed = {"row_id": "a", "question": "It is 3 o'clock. What time is it in 2 hours?"}
    untimed = {"row_id": "b", "question": "What is it?"}
    rows = list(stage.rows([timed, untimed], engine))
    assert rows == [timed | {"topic": "clock"}, Reject(untimed, "no topic")]
    assert [prompt.instruction for prompt, _ in engine.calls] == [stage.template] * 2
