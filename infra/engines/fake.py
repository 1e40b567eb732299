"""An engine without a model, for tests and dry runs: a function writes the replies, another one judges."""

from collections.abc import Callable, Iterator, Sequence

from schemas.engine import UNWATCHED, Completion, Reply, Request, Watch
from schemas.prompts import Prompt, Sampling


def _silent(prompt: Prompt, seed: int) -> str:
    return ""


def _undecided(prompt: Prompt) -> float:
    return 0.5


class Fake:
    """`Generator` and `Scorer` from two functions. A word counts as a token, and so does the end of a reply."""

    def __init__(
        self,
        reply: Callable[[Prompt, int], str] = _silent,
        score: Callable[[Prompt], float] = _undecided,
    ) -> None:
        self.reply, self.judge = reply, score
        self.asked: list[tuple[Prompt, tuple[int, ...]]] = []
        """Every prompt that was generated from, with its seeds."""
        self.closed = False

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, watch: Watch = UNWATCHED
    ) -> Iterator[tuple[Request, Reply]]:
        """Greedy replies are those of seed 0."""
        greedy = sampling.temperature == 0
        for request in filter(lambda _: watch.allows(), requests):
            self.asked.append((request.prompt, request.seeds))
            made = [self._complete(request.prompt, 0 if greedy else seed, sampling) for seed in request.seeds]
            watch.arrived(request, made)
            yield request, made

    def _complete(self, prompt: Prompt, seed: int, sampling: Sampling) -> Completion:
        text = self.reply(prompt, seed)
        words = text.split()
        cut = len(words) + 1 > sampling.max_tokens
        used = sampling.max_tokens if cut else len(words) + 1
        return Completion(
            text=" ".join(words[: sampling.max_tokens]) if cut else text,
            finish_reason="length" if cut else "stop",
            prompt_tokens=len(prompt.tagged().split()) + 1,
            completion_tokens=used,
            logprobs=(-1.0,) * used if sampling.logprobs else None,
        )

    def rate(self, requests: Sequence[Request], watch: Watch = UNWATCHED) -> Iterator[tuple[Request, Reply]]:
        """What the judging function says."""
        for request in filter(lambda _: watch.allows(), requests):
            text = repr(self.judge(request.prompt))
            read = len(request.prompt.tagged().split()) + 1
            reply: Reply = [Completion(text=text, finish_reason="stop", prompt_tokens=read, completion_tokens=1)]
            watch.arrived(request, reply)
            yield request, reply

    def close(self) -> None:
        """Nothing to give back."""
        self.closed = True
