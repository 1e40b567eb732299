"""What it takes to ask a model about each row: a prompt, a seed for every sample, and a parser for the replies."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import model_validator

from schemas.engine import Completion, Failure, Reply, Request
from schemas.identity import ask_fingerprint, fingerprint, question_key
from schemas.outcomes import Quarantine, Reject, Row
from schemas.prompts import Prompt, Sampling
from schemas.steps import Stage

PROMPT_FOLDER = Path(__file__).parents[1] / "prompts"
"""One text a stage, named as the stage."""
Outcome = Row | Reject | Quarantine


class Ask(Stage):
    """A stage that asks one model about each row: one row to transform, n to expand, a `Reject` to filter."""

    tag: ClassVar[str] = "ask"
    """The word by which the pupil knows what is asked; by default the label. Several stages that ask for the same share
    one tag, such as all that want a question solved."""

    template: str = ""
    """The instruction; by default the text of `tasks/prompts/<stage name>.txt`. The same for every row."""
    sampling: Sampling = Sampling()
    """How the model is sampled."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "tag" not in cls.__dict__:
            cls.tag = cls.label

    @model_validator(mode="before")
    @classmethod
    def _fill_template(cls, values: Any) -> Any:
        if isinstance(values, dict) and "template" not in values:
            return {**values, "template": load_instruction(cls.label)}
        return values

    def prompt(self, row: Row) -> Prompt | None:
        """What to ask about `row`; None: nothing, and `parse` sees no replies."""
        raise NotImplementedError(f"{type(self).__name__} must define prompt()")

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        """Turn the replies, one a sample, into at least one outcome."""
        raise NotImplementedError(f"{type(self).__name__} must define parse()")

    @model_validator(mode="after")
    def _check_sampling(self) -> "Ask":
        sampling = getattr(self, "sampling", None)
        if sampling is not None and sampling.n > 1 and sampling.temperature == 0:
            raise ValueError(f"{sampling.n} greedy samples say the same; set a temperature above 0, or n to 1")
        return self

    def make_prompt(self, **inputs: str) -> Prompt:
        """The stage's prompt with these named inputs."""
        return Prompt(stage=self.tag, inputs=inputs, instruction=self.template)

    def initial_sampling(self) -> Sampling:
        """How every row is asked about at first."""
        return self.sampling

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """How to ask once more about `row`, whose replies so far leave something open; None: they do not."""
        return None

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Outcome]:
        """Parse replies as they come; yield in the order of the rows. A row whose request fails is quarantined.

        Where a reply cannot be parsed the rest is still waited for: it is paid for, and asking again would cost again.
        """
        outcomes_by_place, next_place, errors = dict[int, list[Outcome]](), 0, list[Exception]()
        for place, outcomes in self._stream(batch, engine, errors):
            outcomes_by_place[place] = outcomes
            while next_place in outcomes_by_place and not errors:
                yield from outcomes_by_place.pop(next_place)
                next_place += 1
        if errors:
            raise errors[0]

    def journal_key(self, batch: Sequence[Row], model: str) -> str:
        """Names the questions of `batch`: a changed parser finds the replies of an earlier start."""
        sampling = self.initial_sampling()
        return fingerprint([request.key for _, request in self._requests(batch, sampling, model) if request])

    def _stream(
        self, batch: Sequence[Row], engine: Any, errors: list[Exception]
    ) -> Iterator[tuple[int, list[Outcome]]]:
        """Each row's place and outcomes, as its last reply comes. Follow-ups are asked when all have been answered."""
        model, sampling = getattr(engine, "model_fingerprint", ""), self.initial_sampling()
        place = {row["row_id"]: i for i, row in enumerate(batch)}
        replies_by_row: dict[str, list[Completion]] = {}
        requests: list[Request] = []
        for at, request in self._requests(batch, sampling, model):
            if request is None:
                yield at, list(self.parse(batch[at], []))
            else:
                requests.append(request)
        rounds = {"": (sampling, requests)}
        while rounds:
            sampling, requests = rounds.pop(next(iter(rounds)))
            for request, reply in self._send(requests, engine, sampling):
                at = place[request.row_id]
                if isinstance(reply, Failure):
                    yield at, [Quarantine(batch[at], *reply)]
                    continue
                replies = replies_by_row[request.row_id] = replies_by_row.get(request.row_id, []) + reply
                try:
                    if (more := self.follow_up(batch[at], replies)) is None:
                        yield at, list(self.parse(batch[at], replies))
                    else:
                        request_more = self._request(request.row_id, request.prompt, more, model, len(replies))
                        rounds.setdefault(more.model_dump_json(), (more, []))[1].append(request_more)
                except Exception as error:
                    errors.append(error)

    def _requests(self, batch: Sequence[Row], sampling: Sampling, model: str) -> Iterator[tuple[int, Request | None]]:
        """The place of each row and its first request; None where there is nothing to ask."""
        shared = ask_fingerprint(self.label, sampling, model)
        for at, row in enumerate(batch):
            prompt = self.prompt(row)
            yield at, None if prompt is None else make_request(shared, row["row_id"], prompt, sampling.n)

    def _request(self, row_id: str, prompt: Prompt, sampling: Sampling, model: str, begin: int) -> Request:
        """The request for `sampling.n` more samples of a row, of which `begin` are there."""
        return make_request(ask_fingerprint(self.label, sampling, model), row_id, prompt, sampling.n, begin)

    def _send(self, requests: list[Request], engine: Any, sampling: Sampling) -> Iterator[tuple[Request, Reply]]:
        streamed: Iterator[tuple[Request, Reply]] = engine.stream(requests, sampling)
        return streamed


def load_instruction(stage: str) -> str:
    """The text of a stage's prompt file. Raises ValueError when there is none."""
    path = PROMPT_FOLDER / f"{stage}.txt"
    if not path.is_file():
        raise ValueError(f"stage {stage!r} has no prompt; write tasks/prompts/{stage}.txt or pass template=")
    return path.read_text(encoding="utf-8").strip()


def make_request(shared: str, row_id: str, prompt: Prompt, n: int, begin: int = 0) -> Request:
    """The request for samples `begin` to `begin + n` of a row; `shared` comes from `schemas.identity.ask_fingerprint`.

    Key and seeds derive from what is asked alone, so that a changed parser asks nothing again.
    """
    key = question_key(shared, row_id, prompt.as_plain())
    seeds = derive_seeds(key, row_id, begin + n)[begin:]
    return Request(row_id, prompt, seeds, tuple(range(begin, begin + n)) if begin else (), key)


def derive_seeds(key: str, row: str, n: int) -> tuple[int, ...]:
    """Seeds of the n samples of one row, in [0, 2^63): derived from stage, row and sample, so that no two are equal.

    Equal seeds are what lets a server answer a million blank prompts with one question (see vLLM, `seed`).
    """
    texts = (f"{key}/{row}/{j}" for j in range(n))
    return tuple(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1 for text in texts)


def find_tagged_line(text: str, tag: str) -> str | None:
    """What follows the last `tag` on its line, stripped; None when the tag never occurs."""
    _, separator, rest = text.rpartition(tag)
    return rest.split("\n", 1)[0].strip() if separator else None
