"""The base class of stages that ask a model about each row: prompts, seeds of samples, and parsing of replies."""

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
"""Folder of the instructions: one file for each stage, named by its label."""
Outcome = Row | Reject | Quarantine


class Ask(Stage):
    """A stage that asks one model about each row. A subclass defines `prompt`, `parse` and the columns of its output.

    This one names the topic of each question, and rejects questions that the model cannot place::

        from collections.abc import Iterator
        from typing import ClassVar

        import pyarrow as pa

        from schemas.engine import Completion
        from schemas.outcomes import Reject, Row
        from schemas.prompts import Prompt, Sampling
        from tasks.base.ask import Ask, Outcome

        class NameTopic(Ask):
            label: ClassVar[str] = "name_topic"
            needs: ClassVar[tuple[str, ...]] = ("question",)
            adds: ClassVar[pa.Schema] = pa.schema([("topic", pa.string())])

            role: str | None = "teacher"
            sampling: Sampling = Sampling(max_tokens=16)

            def prompt(self, row: Row) -> Prompt:
                return self.make_prompt(question=row["question"])

            def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
                topic = replies[0].text.strip().lower()
                if topic and topic != "none":
                    yield row | {"topic": topic}
                else:
                    yield Reject(row, "no topic")

    The instruction is the text of `tasks/prompts/name_topic.txt`, or is passed: `NameTopic(template="Name the topic in
    one word, or say none.")`. To make several rows of one, declare `table` in place of `adds` and yield a row for each
    reply; `schemas.row_ids.child_id` makes their ids.
    """

    tag: ClassVar[str] = "ask"
    """The task word that the pupil was trained on; by default the label. Stages that ask for the same thing share a
    tag: all that ask for a solution have `solve`."""

    template: str = ""
    """Instruction for the model, the same for every row; by default the text of `tasks/prompts/<label>.txt`."""
    sampling: Sampling = Sampling()
    """How the model is sampled: samples per row, temperature and length."""

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
        """The prompt for `row`. None asks nothing; `parse` then gets an empty list."""
        raise NotImplementedError(f"{type(self).__name__} must define prompt()")

    def parse(self, row: Row, replies: list[Completion]) -> Iterator[Outcome]:
        """Turn the replies, one per sample, into at least one outcome."""
        raise NotImplementedError(f"{type(self).__name__} must define parse()")

    @model_validator(mode="after")
    def _check_sampling(self) -> "Ask":
        sampling = getattr(self, "sampling", None)
        if sampling is not None and sampling.n > 1 and sampling.temperature == 0:
            raise ValueError(f"{sampling.n} greedy samples say the same; set a temperature above 0, or n to 1")
        return self

    def make_prompt(self, **inputs: str) -> Prompt:
        """Build the stage's prompt from named inputs, such as `question`."""
        return Prompt(stage=self.tag, inputs=inputs, instruction=self.template)

    def initial_sampling(self) -> Sampling:
        """How the first request of every row is sampled."""
        return self.sampling

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """How to sample more replies for `row`, given those so far; None when they are enough."""
        return None

    def rows(self, batch: Sequence[Row], engine: Any) -> Iterator[Outcome]:
        """Parse replies as they arrive; yield in the order of the rows. A row whose request fails is quarantined.

        If `parse` raises, the replies still on their way are awaited before the error is raised again: they are paid
        for already, and a later start then finds them in the journal.
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
        """A key of the requests of `batch`. The parser is not part of it, so a changed parser reuses old replies."""
        sampling = self.initial_sampling()
        return fingerprint([request.key for _, request in self._requests(batch, sampling, model) if request])

    def _stream(
        self, batch: Sequence[Row], engine: Any, errors: list[Exception]
    ) -> Iterator[tuple[int, list[Outcome]]]:
        """Each row's place and outcomes, once its last reply is in. Follow-ups are sent after all first requests."""
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
        """The place and the first request of each row; the request is None where `prompt` returned None."""
        shared = ask_fingerprint(self.label, sampling, model)
        for at, row in enumerate(batch):
            prompt = self.prompt(row)
            yield at, None if prompt is None else make_request(shared, row["row_id"], prompt, sampling.n)

    def _request(self, row_id: str, prompt: Prompt, sampling: Sampling, model: str, begin: int) -> Request:
        """The request for `sampling.n` more samples of a row that has `begin` samples already."""
        return make_request(ask_fingerprint(self.label, sampling, model), row_id, prompt, sampling.n, begin)

    def _send(self, requests: list[Request], engine: Any, sampling: Sampling) -> Iterator[tuple[Request, Reply]]:
        streamed: Iterator[tuple[Request, Reply]] = engine.stream(requests, sampling)
        return streamed


def load_instruction(stage: str) -> str:
    """The text of the prompt file of the stage with the label `stage`. Raises ValueError if there is no such file."""
    path = PROMPT_FOLDER / f"{stage}.txt"
    if not path.is_file():
        raise ValueError(f"stage {stage!r} has no prompt; write tasks/prompts/{stage}.txt or pass template=")
    return path.read_text(encoding="utf-8").strip()


def make_request(shared: str, row_id: str, prompt: Prompt, n: int, begin: int = 0) -> Request:
    """The request for samples `begin` to `begin + n` of a row; `shared` comes from `schemas.identity.ask_fingerprint`.

    Key and seeds depend only on what is asked, so that a changed parser does not repeat any request.
    """
    key = question_key(shared, row_id, prompt.as_plain())
    seeds = derive_seeds(key, row_id, begin + n)[begin:]
    return Request(row_id, prompt, seeds, tuple(range(begin, begin + n)) if begin else (), key)


def derive_seeds(key: str, row: str, n: int) -> tuple[int, ...]:
    """Seeds of the n samples of one row, in [0, 2^63). They derive from stage, row and sample, so no two are equal.

    With equal seeds a server may answer a million empty prompts with one and the same question (see vLLM, `seed`).
    """
    texts = (f"{key}/{row}/{j}" for j in range(n))
    return tuple(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1 for text in texts)
