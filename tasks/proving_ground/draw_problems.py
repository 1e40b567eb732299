"""Draws problems of the proving ground, one for each empty row."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from schemas.outcomes import Reject, Row
from schemas.steps import Stage
from schemas.tables import problems
from tasks.proving_ground import library


class DrawProblem(Stage):
    """Turns empty row `i` into the problem of seed `first_seed + i`, the same on every machine and in every run."""

    label: ClassVar[str] = "draw_problem"
    table: ClassVar[pa.Schema] = problems.SCHEMA

    first_seed: int = Field(default=0, ge=0)
    """Seed of the first problem; the seeds of the next ones count up from it."""
    solvable: bool | None = True
    """Whether problems are solvable (true) or unsolvable (false). None: a mixture, 70 % of it solvable."""
    topic: str | None = None
    """Topic of all problems, e.g. `rates`; None: all topics."""
    template: str | None = None
    """Template of all problems, by name; None: all templates."""

    @model_validator(mode="after")
    def _check_names(self) -> "DrawProblem":
        for name, known in ((self.topic, library.list_topics()), (self.template, [t.name for t in library.TEMPLATES])):
            if name is not None and name not in known:
                raise ValueError(f"the proving ground has no {name!r}; it has {', '.join(known)}")
        if self.template and self.topic and (topic := library.find_template(self.template).topic) != self.topic:
            raise ValueError(f"template {self.template!r} is of topic {topic!r}, not {self.topic!r}; leave out one")
        return self

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Row | Reject]:
        """Yield one problem for each empty row."""
        for row in batch:
            seed = self.first_seed + row["number"]
            problem = library.draw_problem(seed, solvable=self.solvable, template=self.template, topic=self.topic)
            yield {
                "row_id": row["row_id"],
                "question": problem.question,
                "answer": problem.answer,
                "solution": problem.solution,
                "second": problem.second_solution,
                "template": problem.template,
                "topic": problem.topic,
                "difficulty": float(problem.difficulty),
                "unsolvable": problem.unsolvable,
                "seed": seed,
            }
