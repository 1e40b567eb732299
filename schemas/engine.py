"""The protocol between a stage and a model: prompts in, completions out, wherever the model runs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from schemas.errors import EngineError
from schemas.identity import FrozenModel
from schemas.prompts import Prompt, Sampling
from schemas.reasoning import REASONING_MARKS, Marks, split_reasoning


class Completion(FrozenModel):
    """One sample of one prompt."""

    text: str
    """What the model replied, without its thought."""
    finish_reason: str
    """Why the reply ended. `stop`: the model ended it; `length`: it was cut off at `max_tokens`, or its thought never
    ended; any other word is the server's own, e.g. `content_filter`."""
    prompt_tokens: int
    """Prompt tokens read for this sample; 0 if they were counted with an earlier sample of the same request."""
    completion_tokens: int
    """Tokens of the reply."""
    logprobs: tuple[float, ...] | None = None
    """Natural log-probability of each completion token; None unless `Sampling.logprobs` is set."""
    reasoning: str | None = None
    """What the model thought aloud before it replied; None if no thought was seen."""
    tokens_estimated: bool = False
    """Whether the tokens are an estimate by the length of the texts, because the server did not count them."""

    @property
    def fault(self) -> str | None:
        """Why the reply is not whole, in a word that can be counted: `cut_off`, or the server's own; None if it is."""
        if self.finish_reason == "stop":
            return None
        return "cut_off" if self.finish_reason == "length" else self.finish_reason

    def split_reasoning(self, marks: Sequence[Marks] = REASONING_MARKS) -> "Completion":
        """The completion with the thought in its text moved to `reasoning`. A thought that never ends is cut off."""
        reasoning, text, closed = split_reasoning(self.text, marks)
        if text == self.text:
            return self
        both = "\n".join(filter(None, (self.reasoning, reasoning))) or None
        finish_reason = self.finish_reason if closed or self.finish_reason != "stop" else "length"
        return self.model_copy(update={"text": text, "reasoning": both, "finish_reason": finish_reason})


class Request(NamedTuple):
    """The prompt of one row, with one seed for each sample to draw."""

    row_id: str
    """Id of the row, unique within a shard."""
    prompt: Prompt
    """What the model reads."""
    seeds: tuple[int, ...]
    """One seed for each sample."""
    samples: tuple[int, ...] = ()
    """Index of the sample that each seed draws; empty: 0, 1, 2 ..."""
    key: str = ""
    """Key under which replies are stored, from `schemas.identity.question_key`; empty: the row id is used."""

    @property
    def reply_key(self) -> str:
        """The key under which its replies are stored."""
        return self.key or self.row_id

    def sample_indices(self) -> tuple[int, ...]:
        """The index of each sample: `samples`, or 0, 1, 2 ... if that is empty."""
        return self.samples or tuple(range(len(self.seeds)))


class Failure(NamedTuple):
    """Why a request failed for good. It says nothing about the quality of the row."""

    reason: str
    """A few words that can be counted, e.g. `context too long`."""
    error: str
    """The server's error message, without any API key."""
    attempts: int = 1
    """How often the request was sent."""


Reply = list[Completion] | Failure
"""One completion for each seed, in the order of the seeds, or the reason why there are none."""


class RequestObserver:
    """Callbacks that an engine makes while it streams, on any thread and at once. The base class allows everything."""

    def may_send(self) -> bool | None:
        """Whether one more request may be sent; None: ask again when a request in flight has returned.

        A request that may not be sent is skipped: the engine does not yield it.
        """
        return True

    def on_reply(self, request: Request, reply: Reply) -> None:
        """Called with every reply before it is yielded. A reply may hold only some of the request's samples."""


NO_OBSERVER = RequestObserver()
"""The default observer: it allows every request and ignores every reply."""


@runtime_checkable
class Generator(Protocol):
    """An engine that writes text."""

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, observer: RequestObserver = ...
    ) -> Iterator[tuple[Request, Reply]]:
        """Yield every request once with its reply, in the order in which the replies arrive.

        Raises `EngineError` if no request can be answered: no server, a rejected key, no credit left.
        """

    def close(self) -> None:
        """Release memory, threads and child processes. May be called twice."""


def generate(
    engine: Generator, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[Sequence[int]]
) -> list[list[Completion]]:
    """The completions of all prompts, in order; `seeds[i][j]` is the seed of sample j of prompt i.

    Raises `EngineError` if any request fails. It is meant for callers that need all of the replies.
    """
    requests = [Request(str(i), p, tuple(s)) for i, (p, s) in enumerate(zip(prompts, seeds, strict=True))]
    replies: dict[str, list[Completion]] = {}
    for request, reply in engine.stream(requests, sampling):
        if isinstance(reply, Failure):
            raise EngineError(f"{request.prompt.stage}: {reply.reason}: {reply.error}")
        replies[request.row_id] = reply
    return [replies[request.row_id] for request in requests]


@runtime_checkable
class Scorer(Protocol):
    """An engine that scores: it returns the probability in [0, 1] that the model answers `yes`."""

    def score(self, requests: Sequence[Request], observer: RequestObserver = ...) -> Iterator[tuple[Request, Reply]]:
        """Like `Generator.stream`. A reply is one completion whose text is the probability, as `repr` writes it."""

    def close(self) -> None:
        """Release memory, threads and child processes. May be called twice."""


def score(engine: Scorer, prompts: Sequence[Prompt]) -> list[float]:
    """The probability in [0, 1] that the model answers `yes`, for each prompt. Raises `EngineError` if one fails."""
    requests = [Request(str(i), prompt, (0,)) for i, prompt in enumerate(prompts)]
    scores: dict[str, float] = {}
    for request, reply in engine.score(requests):
        if isinstance(reply, Failure):
            raise EngineError(f"{request.prompt.stage}: {reply.reason}: {reply.error}")
        scores[request.row_id] = float(reply[0].text)
    return [scores[request.row_id] for request in requests]
