"""An engine without a model, for tests and dry runs: one function writes replies, another one scores."""

from collections.abc import Callable, Iterator, Sequence

from schemas.engine import NO_OBSERVER, Completion, Reply, Request, RequestObserver
from schemas.prompts import Prompt, Sampling


def _reply_nothing(prompt: Prompt, seed: int) -> str:
    return ""


def _score_undecided(prompt: Prompt) -> float:
    return 0.5


class FakeEngine:
    """`Generator` and `Scorer` made of two functions. Each word is a token, and so is the end of a reply."""

    def __init__(
        self,
        reply: Callable[[Prompt, int], str] = _reply_nothing,
        score: Callable[[Prompt], float] = _score_undecided,
    ) -> None:
        self.reply, self.score_prompt = reply, score
        self.calls: list[tuple[Prompt, tuple[int, ...]]] = []
        """Every prompt passed to `stream`, with its seeds."""
        self.closed = False

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator`; greedy replies are those of seed 0."""
        greedy = sampling.temperature == 0
        for request in filter(lambda _: observer.may_send(), requests):
            self.calls.append((request.prompt, request.seeds))
            completions = [self._complete(request.prompt, 0 if greedy else seed, sampling) for seed in request.seeds]
            observer.on_reply(request, completions)
            yield request, completions

    def _complete(self, prompt: Prompt, seed: int, sampling: Sampling) -> Completion:
        text = self.reply(prompt, seed)
        words = text.split()
        is_cut = len(words) + 1 > sampling.max_tokens
        token_count = sampling.max_tokens if is_cut else len(words) + 1
        return Completion(
            text=" ".join(words[: sampling.max_tokens]) if is_cut else text,
            finish_reason="length" if is_cut else "stop",
            prompt_tokens=len(prompt.to_tagged_text().split()) + 1,
            completion_tokens=token_count,
            logprobs=(-1.0,) * token_count if sampling.logprobs else None,
        )

    def score(
        self, requests: Sequence[Request], observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`; the scoring function gives the score."""
        for request in filter(lambda _: observer.may_send(), requests):
            text = repr(self.score_prompt(request.prompt))
            prompt_tokens = len(request.prompt.to_tagged_text().split()) + 1
            reply: Reply = [
                Completion(text=text, finish_reason="stop", prompt_tokens=prompt_tokens, completion_tokens=1)
            ]
            observer.on_reply(request, reply)
            yield request, reply

    def close(self) -> None:
        """Set `closed`; there is nothing to free."""
        self.closed = True
