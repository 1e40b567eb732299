"""What a model is to a stage: a prompt in, completions out; where the model runs is nobody's business here."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from schemas.errors import EngineError
from schemas.identity import FrozenModel
from schemas.prompts import Prompt, Sampling


class Completion(FrozenModel):
    """One sample of one prompt."""

    text: str
    finish_reason: Literal["stop", "length"]
    """`stop`: the model ended its reply; `length`: it was cut off at `max_tokens`."""
    prompt_tokens: int
    """0 where the prompt was read for an earlier sample of the same request."""
    completion_tokens: int
    logprobs: tuple[float, ...] | None = None
    """Natural log-probability per completion token, when asked for."""


class Request(NamedTuple):
    """One row's question to a model; one sample is owed for each seed."""

    row_id: str
    """Its `row_id`, unique within a shard."""
    prompt: Prompt
    seeds: tuple[int, ...]
    samples: tuple[int, ...] = ()
    """Index of the sample that each seed stands for; empty: 0, 1, 2 ..."""
    key: str = ""
    """Names what is asked, by `schemas.identity.question_key`; replies are kept under it. Empty: the row id serves."""

    @property
    def reply_key(self) -> str:
        """The name under which its replies are kept."""
        return self.key or self.row_id

    def sample_indices(self) -> tuple[int, ...]:
        """`samples`, written out."""
        return self.samples or tuple(range(len(self.seeds)))


class Failure(NamedTuple):
    """Why a request got no reply and never will: not a judgement of the row but a failure of the work."""

    reason: str
    """A few words that can be counted, e.g. `context too long`."""
    error: str
    """What the server said, keys left out."""
    attempts: int = 1


Reply = list[Completion] | Failure
"""One completion a seed, in their order, or why there is none."""


class RequestObserver:
    """What an engine asks and tells whoever streams from it, on any thread and at once. This one allows everything."""

    def may_send(self) -> bool | None:
        """Whether one more request may be sent; None: ask again when something that is in flight has come back.

        A request that may not be sent is neither asked nor yielded.
        """
        return True

    def on_reply(self, request: Request, reply: Reply) -> None:
        """Called with every reply before anybody reads it; it may hold some of the request's samples only."""


NO_OBSERVER = RequestObserver()
"""For whoever wants to be asked and told nothing."""


@runtime_checkable
class Generator(Protocol):
    """An engine that writes."""

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, observer: RequestObserver = ...
    ) -> Iterator[tuple[Request, Reply]]:
        """Yield every request once with its reply, in the order in which the replies come.

        Raises `EngineError` where no request can be answered: no server, a key that is refused, no money left.
        """

    def close(self) -> None:
        """Give memory, threads and child processes back. May be called twice."""


def generate(
    engine: Generator, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[Sequence[int]]
) -> list[list[Completion]]:
    """Completions of all prompts, in order; `seeds[i][j]` seeds sample j of prompt i.

    Raises `EngineError` where a request fails: for callers to whom a part of the replies is of no use.
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
    """An engine that judges: the probability that the model answers `yes`, in [0, 1]."""

    def score(self, requests: Sequence[Request], observer: RequestObserver = ...) -> Iterator[tuple[Request, Reply]]:
        """Like `Generator.stream`; a reply is one completion, its text the probability as `repr` writes it."""

    def close(self) -> None:
        """Give memory, threads and child processes back. May be called twice."""


def score(engine: Scorer, prompts: Sequence[Prompt]) -> list[float]:
    """The probability that the model answers `yes` to each prompt, in [0, 1]; `EngineError` where a request fails."""
    requests = [Request(str(i), prompt, (0,)) for i, prompt in enumerate(prompts)]
    scores: dict[str, float] = {}
    for request, reply in engine.score(requests):
        if isinstance(reply, Failure):
            raise EngineError(f"{request.prompt.stage}: {reply.reason}: {reply.error}")
        scores[request.row_id] = float(reply[0].text)
    return [scores[request.row_id] for request in requests]
