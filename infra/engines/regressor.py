"""Scores texts with a model that has a scalar head, in this process, through transformers; scores lie in [0, 1]."""

import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from infra.engines import reward_model_chat
from infra.engines.common.batching import BATCH_SAMPLES, answer_in_batches
from infra.engines.common.digest import check_pinned, hash_safetensors_model
from schemas.engine import NO_OBSERVER, Completion, Failure, Reply, Request, RequestObserver
from schemas.engine_specs import RegressorSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt


class Regressor:
    """`Scorer` over one resident model with one label; threads take turns."""

    def __init__(self, spec: RegressorSpec) -> None:
        """Load the model. Raises ValueError if torch or the model is missing, or if no head has exactly one label."""
        self.spec, self.path = spec, Path(spec.path)
        check_pinned(self.path, spec.digest, hash_safetensors_model(self.path))
        self.torch, self.tokenizer, self.model = _load_model(spec)
        self.context_tokens = int(getattr(self.model.config, "max_position_embeddings", 0)) or 2**31
        self.lock = threading.Lock()

    def score(
        self, requests: Sequence[Request], observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`; the score is the head's value, mapped into [0, 1] by the spec's `bound`."""
        yield from answer_in_batches(list(requests), observer, BATCH_SAMPLES, self.lock, self._score_batch)

    def close(self) -> None:
        """Free the model's memory. May be called twice."""
        self.model = None
        if self.spec.device == "cuda":
            self.torch.cuda.empty_cache()

    def _score_batch(self, requests: Sequence[Request]) -> list[Reply]:
        if self.model is None:
            raise EngineError("the engine was closed; the same command continues")
        prompt_ids = [self._encode(request.prompt) for request in requests]
        replies: dict[int, Reply] = {}
        for places in self._make_batches(prompt_ids):
            for place, value in zip(places, self._predict([prompt_ids[i] for i in places]), strict=True):
                tokens, text = len(prompt_ids[place]), repr(self._apply_bound(value))
                replies[place] = [
                    Completion(text=text, finish_reason="stop", prompt_tokens=tokens, completion_tokens=1)
                ]
        for place, ids in enumerate(prompt_ids):
            if place not in replies:
                replies[place] = Failure(
                    "context too long", f"{len(ids):,} tokens, the model takes {self.context_tokens:,}"
                )
        return [replies[place] for place in range(len(prompt_ids))]

    def _make_batches(self, prompt_ids: list[list[int]]) -> Iterator[list[int]]:
        """Yield indices of prompts of similar length, longest first: a batch too large for memory fails at once."""
        places = [place for place, ids in enumerate(prompt_ids) if len(ids) <= self.context_tokens]
        places.sort(key=lambda place: -len(prompt_ids[place]))
        while places:
            size = max(1, self.spec.max_batch_tokens // max(1, len(prompt_ids[places[0]])))
            yield places[:size]
            places = places[size:]

    def _predict(self, prompt_ids: list[list[int]]) -> list[float]:
        """Return the head's value at the last token of each prompt; padding is on the right and masked out."""
        torch, pad = self.torch, self.model.config.pad_token_id
        width = max(map(len, prompt_ids))
        ids = torch.tensor([each + [pad] * (width - len(each)) for each in prompt_ids], device=self.spec.device)
        mask = torch.tensor(
            [[1] * len(each) + [0] * (width - len(each)) for each in prompt_ids], device=self.spec.device
        )
        with torch.inference_mode():
            values: list[float] = self.model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()
        return values

    def _apply_bound(self, value: float) -> float:
        if self.spec.bound == "clip":
            return min(1.0, max(0.0, value))
        return 1 / (1 + math.exp(-min(700.0, max(-700.0, value))))

    def _encode(self, prompt: Prompt) -> list[int]:
        """Tokenise the prompt: through the model's chat template if it has one, else as tagged text."""
        text = prompt.to_tagged_text()
        if self.tokenizer.chat_template:
            text = self.tokenizer.apply_chat_template(reward_model_chat(prompt), tokenize=False)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _load_model(spec: RegressorSpec) -> tuple[Any, Any, Any]:
    """Load torch, the tokeniser and the model."""
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is not installed; pip install 'questmill[train]'") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(spec.path)
        model, loading_info = AutoModelForSequenceClassification.from_pretrained(
            spec.path, dtype=getattr(torch, spec.dtype), output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"the model in {spec.path} cannot be loaded ({str(error).splitlines()[0]}); {HELP}") from error
    if loading_info["missing_keys"] or model.config.num_labels != 1:
        raise ValueError(f"the model in {spec.path} has no head with exactly one label; {HELP}")
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id or tokenizer.eos_token_id or 0
    if spec.device == "cpu":
        torch.set_num_threads(spec.threads)
    return torch, tokenizer, model.to(spec.device).eval()


HELP = (
    "train one with `TrainDifficultyModel`, or name a directory of AutoModelForSequenceClassification with num_labels=1"
)


def open_engine(spec: RegressorSpec) -> Regressor:
    """Load the model. Raises ValueError with a one-line message if torch or the model is missing."""
    return Regressor(spec)


def pin_model(spec: RegressorSpec) -> RegressorSpec:
    """Return the spec with the current digest of its directory. Raises ValueError if that holds no model."""
    return spec.model_copy(update={"digest": hash_safetensors_model(Path(spec.path))})
