"""Runs a model in this worker through vLLM: all shards share one continuous batch."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from infra.engines.common.chat_template import (
    ChatTemplate,
    PromptWriter,
    Render,
    WrittenPrompt,
    choose_template,
    kept_special_tokens,
)
from infra.engines.common.digest import check_pinned, hash_safetensors_model
from infra.engines.common.request_window import RetryableError
from infra.engines.common.reward_models import count_steps, read_score, reward_model_chat, single_token
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
            self._read_tokenizer()
        except BaseException:
            self.close()
            raise

    def _read_tokenizer(self) -> None:
        """Read what the tokeniser says of prompts, ends and marks. Raises ValueError if the model cannot be asked."""
        tokenizer, spec = self.tokenizer, self.spec
        added_tokens = tokenizer.get_added_vocab()
        self.writer = PromptWriter(spec, self.process.name, read_tokenizer_template(tokenizer), list(added_tokens))
        self.end_ids = [added_tokens[token] for token in self.writer.ends]
        special = [t.content for t in getattr(tokenizer, "added_tokens_decoder", {}).values() if t.special]
        kept = kept_special_tokens(special or tokenizer.all_special_tokens, self.writer.marks)
        self.dropped_tokens = sorted({*special} - kept) if kept else None
        self.yes_ids, self.no_ids = (
            single_token_ids(self._encode_text, spellings) for spellings in (YES_SPELLINGS, NO_SPELLINGS)
        )
        self.reward_id = single_token(self._encode_text, spec.reward_token, "reward_token")
        self.step_id = single_token(self._encode_text, spec.step_token, "step_token")

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
        is_score = sampling is SCORE_SAMPLING
        written = self._write(request.prompt, sampling, is_score)
        ids = self._encode_text(written.text)
        if is_score and self.reward_id is not None:
            ids.append(self.reward_id)
        if len(ids) >= self.context_tokens:
            return Failure(
                "context too long", f"{len(ids):,} tokens, the model takes {self.context_tokens:,} with the reply"
            )
        if is_score:
            score = await self._score(llm, ids, request.prompt)
            if isinstance(score, Failure):
                return score
            return [Completion(text=repr(score), finish_reason="stop", prompt_tokens=len(ids), completion_tokens=1)]
        # Greedy samples are equal, so one is enough. Others differ only by seed, and find their prompt in the cache.
        seeds = request.seeds if sampling.temperature > 0 else request.seeds[:1]
        tasks = [asyncio.ensure_future(self._sample(llm, written, ids, seed, sampling)) for seed in seeds]
        try:
            completions = list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
        first, *others = completions * (len(request.seeds) // len(seeds))
        return [first, *(other.model_copy(update={"prompt_tokens": 0}) for other in others)]

    async def _sample(
        self, llm: Any, written: WrittenPrompt, ids: list[int], seed: int, sampling: Sampling
    ) -> Completion:
        text, tokens, logprobs, finish_reason = "", list[int](), list[float](), None
        async for output in self._stream_outputs(llm.generate, ids, self._make_params(seed, sampling)):
            (part,) = output.outputs
            text, finish_reason = text + part.text, part.finish_reason
            logprobs += [step[i].logprob for step, i in zip(part.logprobs or [], part.token_ids, strict=False)]
            tokens += part.token_ids
        if finish_reason not in ("stop", "length"):
            raise RetryableError("cut off", f"the engine ended a sample with {finish_reason!r}")
        for token in self.dropped_tokens or ():
            text = text.replace(token, "")
        completion = Completion(
            text=text,
            finish_reason=finish_reason,
            prompt_tokens=len(ids),
            completion_tokens=len(tokens),
            logprobs=tuple(logprobs) if sampling.logprobs else None,
        )
        return self.writer.split(completion, written)

    def _make_params(self, seed: int, sampling: Sampling) -> Any:
        # A model that reads tagged text was taught the forms of its replies; it knows no JSON.
        schema = {} if self.writer.layout == "tagged" else dict(sampling.reply_schema)
        return self.vllm.SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            repetition_penalty=sampling.repetition_penalty,
            max_tokens=sampling.max_tokens,
            seed=seed,
            stop=[text for text in (*sampling.stop, *self.writer.stop) if text] or None,
            stop_token_ids=self.end_ids or None,
            skip_special_tokens=self.dropped_tokens is None,
            logprobs=0 if sampling.logprobs else None,
            output_kind=self.vllm.RequestOutputKind.DELTA,
            structured_outputs=self.vllm.StructuredOutputsParams(json=schema) if schema else None,
        )

    async def _score(self, llm: Any, ids: list[int], prompt: Prompt) -> float | Failure:
        if self.spec.pooling:
            return await self._classify(llm, ids, count_steps(prompt))
        probability = await self._yes_probability(llm, ids)
        return no_verdict() if probability is None else probability

    async def _yes_probability(self, llm: Any, ids: list[int]) -> float | None:
        params = self.vllm.SamplingParams(
            temperature=0.0, max_tokens=1, logprob_token_ids=[*self.yes_ids, *self.no_ids]
        )
        (logprobs,) = [out.outputs[0].logprobs[0] async for out in self._stream_outputs(llm.generate, ids, params)]
        return yes_probability(*([logprobs[i].logprob for i in ids] for ids in (self.yes_ids, self.no_ids)))

    async def _classify(self, llm: Any, ids: list[int], steps: int) -> float | Failure:
        """Return the score of a reward model: from its labels for the whole text, for each token, or for each step."""
        task = "classify" if "classify" in self.process.tasks and self.step_id is None else "token_classify"
        params = self.vllm.PoolingParams(task=task, use_activation=False)
        (labels,) = [out.outputs.data.float() async for out in self._stream_outputs(llm.encode, ids, params)]
        rows = labels.tolist() if labels.dim() > 1 else [labels.tolist()]
        return read_score(rows, ids, steps, self.spec, self.step_id)

    async def _stream_outputs(self, submit: Callable[..., Any], ids: list[int], params: Any) -> AsyncIterator[Any]:
        """Yield the engine's updates on one request; each counts as a sign of life."""
        prompt = {"type": "token", "prompt_token_ids": ids}
        async for output in submit(prompt, params, request_id=str(next(self.request_ids))):
            self.process.mark_alive()
            yield output

    def _write(self, prompt: Prompt, sampling: Sampling, is_score: bool) -> WrittenPrompt:
        if self.spec.pooling and self.writer.layout != "tagged":
            chat = reward_model_chat(prompt, self.spec.step_token)
            return WrittenPrompt(self.writer.write_chat(chat, add_generation_prompt=False))
        return self.writer.write_for_score(prompt) if is_score else self.writer.write(prompt, sampling.thinking)

    def _encode_text(self, text: str) -> list[int]:
        return cast(list[int], self.tokenizer.encode(text, add_special_tokens=False))


def read_tokenizer_template(tokenizer: Any) -> Render | None:
    """The chat template of a tokeniser; None if it has none.

    Some tokenisers have no template but write the turns themselves; then theirs is the one. Raises ValueError if the
    template cannot be read.
    """
    if source := getattr(tokenizer, "chat_template", None):
        return ChatTemplate(choose_template(source), tokenizer.special_tokens_map)

    def render(messages: list[dict[str, str]], add_generation_prompt: bool = True, **variables: Any) -> str:
        options = {"tokenize": False, "add_generation_prompt": add_generation_prompt, **variables}
        return str(tokenizer.apply_chat_template(messages, **options))

    try:
        render([{"role": "user", "content": "1 + 1"}])
    except Exception:  # `transformers` refuses a tokeniser without a template
        return None
    return render


def open_engine(spec: VllmSpec) -> VllmEngine:
    """Start the engine, which takes at least half a minute. Raises ValueError if vLLM or the model is missing."""
    return VllmEngine(spec)


def pin_model(spec: VllmSpec) -> VllmSpec:
    """Return the spec with the digest of its directory, if it names one. Raises ValueError if that holds no model."""
    return spec.model_copy(update={"digest": hash_safetensors_model(Path(spec.path))}) if spec.path else spec
