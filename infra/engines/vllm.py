"""Runs a model in this worker through vLLM: all shards share one continuous batch."""

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from infra.engines import reward_model_chat
from infra.engines.common.digest import check_pinned, hash_safetensors_model
from infra.engines.common.request_window import RetryableError
from infra.engines.common.vllm_process import VllmProcess, VllmWindow
from infra.engines.common.yes_no import NO_SPELLINGS, YES_SPELLINGS, no_verdict, single_token_ids, yes_probability
from schemas.engine import NO_OBSERVER, Completion, Failure, Reply, Request, RequestObserver
from schemas.engine_specs import VllmSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt, Sampling

SCORE_SAMPLING = Sampling(max_tokens=1)
"""Marks a request for a score; the score is the text of the reply."""


class VllmEngine:
    """`Generator` and `Scorer` over one vLLM engine; its processes end with the worker."""

    def __init__(self, spec: VllmSpec) -> None:
        """Start the engine. Raises ValueError if vLLM or the model is missing, `EngineError` if it cannot start."""
        self.spec, self.process, self.request_ids = spec, VllmProcess(spec), itertools.count()
        self.vllm, self.tokenizer, self.context_tokens = self.process.vllm, cast(Any, None), 0
        check_pinned(spec.path, spec.digest, hash_safetensors_model(Path(spec.path)) if spec.path else "")
        self.window = VllmWindow(self._send, spec.max_in_flight, self.process.check_stall)
        try:
            self.window.run_coroutine(self.process.start())
            self.tokenizer, self.context_tokens = (
                self.process.llm.get_tokenizer(),
                self.process.llm.model_config.max_model_len,
            )
            self.yes_ids, self.no_ids = (
                single_token_ids(self._encode_text, spellings) for spellings in (YES_SPELLINGS, NO_SPELLINGS)
            )
        except BaseException:
            self.close()
            raise

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator`; `completion_tokens` includes the end token of a complete reply."""
        if self.spec.pooling:
            raise EngineError(f"{self.process.name} only scores; give this role a model that generates text")
        return self.window.stream(requests, sampling, observer)

    def score(
        self, requests: Sequence[Request], observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`; read from the first reply token, or from the label of a pooling model."""
        if not self.spec.pooling and not (self.yes_ids and self.no_ids):
            raise EngineError(
                f"yes or no is not a single token for {self.process.name}; give this scoring role another model"
            )
        return self.window.stream(requests, SCORE_SAMPLING, observer)

    def close(self) -> None:
        """End the engine's processes and wait until their memory is free. May be called twice."""
        self.window.close(self.process.end)

    async def _send(self, request: Request, sampling: Sampling) -> Reply:
        """Make one attempt; if the engine dies meanwhile, restart it and raise `RetryableError`."""
        if (llm := self.process.llm) is None:
            raise EngineError(f"the engine of {self.process.name} is not running; its log says why")
        try:
            return await self._ask(llm, request, sampling)
        except self.vllm.VLLMClientError as error:
            return Failure("refused", " ".join(str(error).split())[:300])
        except self.vllm.EngineDeadError:
            await self.process.restart(llm)
            raise RetryableError("the engine died", "it was restarted", not_counted=True) from None

    async def _ask(self, llm: Any, request: Request, sampling: Sampling) -> Reply:
        ids = self._encode(request.prompt)
        if len(ids) >= self.context_tokens:
            return Failure(
                "context too long", f"{len(ids):,} tokens, the model takes {self.context_tokens:,} with the reply"
            )
        if sampling is SCORE_SAMPLING:
            score = await (self._classify(llm, ids) if self.spec.pooling else self._yes_probability(llm, ids))
            if score is None:
                return no_verdict()
            return [Completion(text=repr(score), finish_reason="stop", prompt_tokens=len(ids), completion_tokens=1)]
        # Greedy samples are equal, so one is enough. Others differ only by seed, and find their prompt in the cache.
        seeds = request.seeds if sampling.temperature > 0 else request.seeds[:1]
        tasks = [asyncio.ensure_future(self._sample(llm, ids, seed, sampling)) for seed in seeds]
        try:
            completions = list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
        first, *others = completions * (len(request.seeds) // len(seeds))
        return [first, *(other.model_copy(update={"prompt_tokens": 0}) for other in others)]

    async def _sample(self, llm: Any, ids: list[int], seed: int, sampling: Sampling) -> Completion:
        text, tokens, logprobs, finish_reason = "", list[int](), list[float](), None
        async for output in self._stream_outputs(llm.generate, ids, self._make_params(seed, sampling)):
            (part,) = output.outputs
            text, finish_reason = text + part.text, part.finish_reason
            logprobs += [step[i].logprob for step, i in zip(part.logprobs or [], part.token_ids, strict=False)]
            tokens += part.token_ids
        if finish_reason not in ("stop", "length"):
            raise RetryableError("cut off", f"the engine ended a sample with {finish_reason!r}")
        return Completion(
            text=text,
            finish_reason=finish_reason,
            prompt_tokens=len(ids),
            completion_tokens=len(tokens),
            logprobs=tuple(logprobs) if sampling.logprobs else None,
        ).split_reasoning()

    def _make_params(self, seed: int, sampling: Sampling) -> Any:
        schema = dict(sampling.reply_schema)
        return self.vllm.SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            seed=seed,
            logprobs=0 if sampling.logprobs else None,
            output_kind=self.vllm.RequestOutputKind.DELTA,
            structured_outputs=self.vllm.StructuredOutputsParams(json=schema) if schema else None,
        )

    async def _yes_probability(self, llm: Any, ids: list[int]) -> float | None:
        params = self.vllm.SamplingParams(
            temperature=0.0, max_tokens=1, logprob_token_ids=[*self.yes_ids, *self.no_ids]
        )
        (logprobs,) = [out.outputs[0].logprobs[0] async for out in self._stream_outputs(llm.generate, ids, params)]
        return yes_probability(*([logprobs[i].logprob for i in ids] for ids in (self.yes_ids, self.no_ids)))

    async def _classify(self, llm: Any, ids: list[int]) -> float:
        """Return the sigmoid of a single label, or the softmax of the last of several.

        If the model gives labels for each token, those of the last token count.
        """
        task = "classify" if "classify" in self.process.tasks else "token_classify"
        params = self.vllm.PoolingParams(task=task, use_activation=False)
        (labels,) = [out.outputs.data.float() async for out in self._stream_outputs(llm.encode, ids, params)]
        *others, last = (labels[-1] if labels.dim() > 1 else labels).tolist()
        return 1.0 / sum(math.exp(min(700.0, other - last)) for other in [*(others or [0.0]), last])

    async def _stream_outputs(self, submit: Callable[..., Any], ids: list[int], params: Any) -> AsyncIterator[Any]:
        """Yield the engine's updates on one request; each counts as a sign of life."""
        prompt = {"type": "token", "prompt_token_ids": ids}
        async for output in submit(prompt, params, request_id=str(next(self.request_ids))):
            self.process.mark_alive()
            yield output

    def _encode(self, prompt: Prompt) -> list[int]:
        """Tokenise the prompt: through the model's chat template if it has one, else as tagged text."""
        if not self.tokenizer.chat_template:
            return self._encode_text(prompt.to_tagged_text())
        messages = reward_model_chat(prompt) if self.spec.pooling else prompt.to_messages()
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=not self.spec.pooling)
        return self._encode_text(text)

    def _encode_text(self, text: str) -> list[int]:
        return cast(list[int], self.tokenizer.encode(text, add_special_tokens=False))


def open_engine(spec: VllmSpec) -> VllmEngine:
    """Start the engine, which takes at least half a minute. Raises ValueError if vLLM or the model is missing."""
    return VllmEngine(spec)


def pin_model(spec: VllmSpec) -> VllmSpec:
    """Return the spec with the digest of its directory, if it names one. Raises ValueError if that holds no model."""
    return spec.model_copy(update={"digest": hash_safetensors_model(Path(spec.path))}) if spec.path else spec
