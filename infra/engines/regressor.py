"""A model with a scalar head in this process, through transformers: what it says of a text is a number in [0, 1]."""

import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from infra.engines import judged
from infra.engines.common.batching import CHUNK, chunked
from infra.engines.vllm import content_digest
from schemas.engine import UNWATCHED, Completion, Failure, Reply, Request, Watch
from schemas.engine_specs import RegressorSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt


class Regressor:
    """`Scorer` over one resident model with one label; threads take turns."""

    def __init__(self, spec: RegressorSpec) -> None:
        """Raises ValueError where torch or the model is missing, or where the model has no head of one label."""
        self.spec, self.path = spec, Path(spec.path)
        found = content_digest(self.path)
        if spec.digest and spec.digest != found:
            raise ValueError(f"the model in {self.path} is not the pinned one ({found[:12]}, not {spec.digest[:12]})")
        self.torch, self.tokenizer, self.model = _load(spec)
        self.longest = int(getattr(self.model.config, "max_position_embeddings", 0)) or 2**31
        self.turn = threading.Lock()

    def rate(self, requests: Sequence[Request], watch: Watch = UNWATCHED) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`: the head's value for each prompt, bounded as the spec says."""
        yield from chunked(list(requests), watch, CHUNK, self.turn, self._score)

    def close(self) -> None:
        """Give the model's memory back. May be called twice."""
        self.model = None
        if self.spec.device == "cuda":
            self.torch.cuda.empty_cache()

    def _score(self, requests: Sequence[Request]) -> list[Reply]:
        if self.model is None:
            raise EngineError("the engine was closed; the same command continues")
        read = [self._read(request.prompt) for request in requests]
        made: dict[int, Reply] = {}
        for places in self._batches(read):
            for place, value in zip(places, self._values([read[i] for i in places]), strict=True):
                tokens, text = len(read[place]), repr(self._bounded(value))
                made[place] = [Completion(text=text, finish_reason="stop", prompt_tokens=tokens, completion_tokens=1)]
        for place, ids in enumerate(read):
            if place not in made:
                made[place] = Failure("context too long", f"{len(ids):,} tokens, the model takes {self.longest:,}")
        return [made[place] for place in range(len(read))]

    def _batches(self, read: list[list[int]]) -> Iterator[list[int]]:
        """Places of prompts of like length, the longest first: what does not fit into memory fails at once."""
        places = [place for place, ids in enumerate(read) if len(ids) <= self.longest]
        places.sort(key=lambda place: -len(read[place]))
        while places:
            size = max(1, self.spec.max_batch_tokens // max(1, len(read[places[0]])))
            yield places[:size]
            places = places[size:]

    def _values(self, read: list[list[int]]) -> list[float]:
        """The head's value at the last token of each prompt; padding is to the right, where nothing looks."""
        torch, pad = self.torch, self.model.config.pad_token_id
        width = max(map(len, read))
        ids = torch.tensor([each + [pad] * (width - len(each)) for each in read], device=self.spec.device)
        seen = torch.tensor([[1] * len(each) + [0] * (width - len(each)) for each in read], device=self.spec.device)
        with torch.inference_mode():
            values: list[float] = self.model(input_ids=ids, attention_mask=seen).logits[:, 0].float().tolist()
        return values

    def _bounded(self, value: float) -> float:
        if self.spec.bound == "clip":
            return min(1.0, max(0.0, value))
        return 1 / (1 + math.exp(-min(700.0, max(-700.0, value))))

    def _read(self, prompt: Prompt) -> list[int]:
        """The prompt's tokens: as the model's chat template writes it, else tagged, as the pupil was taught."""
        text = prompt.tagged()
        if self.tokenizer.chat_template:
            text = self.tokenizer.apply_chat_template(judged(prompt), tokenize=False)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _load(spec: RegressorSpec) -> tuple[Any, Any, Any]:
    """torch, tokeniser and model."""
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is not installed; pip install 'questmill[train]'") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(spec.path)
        model, told = AutoModelForSequenceClassification.from_pretrained(
            spec.path, dtype=getattr(torch, spec.dtype), output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"the model in {spec.path} cannot be loaded ({str(error).splitlines()[0]}); {HELP}") from error
    if told["missing_keys"] or model.config.num_labels != 1:
        raise ValueError(f"the model in {spec.path} has no head of one label; {HELP}")
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id or tokenizer.eos_token_id or 0
    if spec.device == "cpu":
        torch.set_num_threads(spec.threads)
    return torch, tokenizer, model.to(spec.device).eval()


HELP = "train one with `LearnDifficulty`, or name a directory of AutoModelForSequenceClassification with num_labels=1"


def open_engine(spec: RegressorSpec) -> Regressor:
    """Load the model. Raises ValueError, in one line, where torch or the model is missing."""
    return Regressor(spec)


def pin(spec: RegressorSpec) -> RegressorSpec:
    """The same spec with the digest of what is in the directory now. Raises ValueError where that holds no model."""
    return spec.model_copy(update={"digest": content_digest(Path(spec.path))})
