"""Scores texts with a model that has a scalar head, in this process, through transformers; scores lie in [0, 1]."""

import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from infra.engines.common.batching import answer_in_batches
from infra.engines.common.chat_template import NO_TEMPLATE
from infra.engines.common.digest import check_pinned, hash_safetensors_model
from infra.engines.common.reward_models import count_steps, probability_of, read_score, reward_model_chat, single_token
from schemas.chat_templates import write_template_date
from schemas.engine import NO_OBSERVER, Completion, Failure, Reply, Request, RequestObserver
from schemas.engine_specs import RegressorSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt

BATCH_TEXTS = 64
"""Texts whose scores are handed over at a time: the most that a killed process loses."""


class Regressor:
    """`Scorer` over one resident model with one label; threads take turns."""

    def __init__(self, spec: RegressorSpec) -> None:
        """Load the model. Raises ValueError if torch or the model is missing, or if its head or tokens do not fit."""
        self.spec, self.path = spec, Path(spec.path)
        check_pinned(self.path, spec.digest, hash_safetensors_model(self.path))
        self.torch, self.tokenizer, self.model = _load_model(spec)
        self.context_tokens = int(getattr(self.model.config, "max_position_embeddings", 0)) or 2**31
        self.reward_id = single_token(self._tokenize, spec.reward_token, "reward_token")
        self.step_id = single_token(self._tokenize, spec.step_token, "step_token")
        self.lock = threading.Lock()

    def score(
        self, requests: Sequence[Request], observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`; the score is the head's value, mapped into [0, 1] by the spec's `bound`."""
        yield from answer_in_batches(list(requests), observer, BATCH_TEXTS, self.lock, self._score_batch)

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
            for place, rows in zip(places, self._predict([prompt_ids[i] for i in places]), strict=True):
                replies[place] = self._make_reply(requests[place].prompt, prompt_ids[place], rows)
        for place, ids in enumerate(prompt_ids):
            if place not in replies:
                replies[place] = Failure(
                    "context too long", f"{len(ids):,} tokens, the model takes {self.context_tokens:,}"
                )
        return [replies[place] for place in range(len(prompt_ids))]

    def _make_reply(self, prompt: Prompt, ids: list[int], rows: list[list[float]]) -> Reply:
        score = read_score(rows, ids, count_steps(prompt), self.spec, self.step_id, self._to_probability)
        if isinstance(score, Failure):
            return score
        return [Completion(text=repr(score), finish_reason="stop", prompt_tokens=len(ids), completion_tokens=1)]

    def _make_batches(self, prompt_ids: list[list[int]]) -> Iterator[list[int]]:
        """Yield indices of prompts of similar length, longest first: a batch too large for memory fails at once."""
        places = [place for place, ids in enumerate(prompt_ids) if len(ids) <= self.context_tokens]
        places.sort(key=lambda place: -len(prompt_ids[place]))
        while places:
            size = max(1, self.spec.max_batch_tokens // max(1, len(prompt_ids[places[0]])))
            yield places[:size]
            places = places[size:]

    def _predict(self, prompt_ids: list[list[int]]) -> list[list[list[float]]]:
        """Return the head's labels for each prompt: for its last token, or for each of its tokens.

        Padding is on the right and masked out.
        """
        torch, pad = self.torch, self.model.config.pad_token_id
        width = max(map(len, prompt_ids))
        ids = torch.tensor([each + [pad] * (width - len(each)) for each in prompt_ids], device=self.spec.device)
        mask = torch.tensor(
            [[1] * len(each) + [0] * (width - len(each)) for each in prompt_ids], device=self.spec.device
        )
        with torch.inference_mode():
            output = self.model(input_ids=ids, attention_mask=mask)
        labels = (output.logits if hasattr(output, "logits") else output[0]).float()
        if labels.dim() == 3:  # (texts, tokens, labels), not (texts, labels)
            return [rows[: len(each)] for rows, each in zip(labels.tolist(), prompt_ids, strict=True)]
        return [[row] for row in labels.tolist()]

    def _to_probability(self, labels: Sequence[float]) -> float:
        return self._apply_bound(labels[0]) if len(labels) == 1 else probability_of(labels)

    def _apply_bound(self, value: float) -> float:
        if self.spec.bound == "clip":
            return min(1.0, max(0.0, value))
        return 1 / (1 + math.exp(-min(700.0, max(-700.0, value))))

    def _encode(self, prompt: Prompt) -> list[int]:
        """Tokenise the prompt through the model's chat template. Raises `EngineError` if it leaves a turn out."""
        chat = reward_model_chat(prompt, self.spec.step_token)
        text = str(self.tokenizer.apply_chat_template(chat, tokenize=False, strftime_now=write_template_date))
        if chat[-1]["content"].strip() not in text:
            raise EngineError(
                f"the chat template of {self.path} drops the assistant turn, which is what is scored; write one that "
                "keeps it into chat_template.jinja"
            )
        return [*self._tokenize(text), *([] if self.reward_id is None else [self.reward_id])]

    def _tokenize(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _load_model(spec: RegressorSpec) -> tuple[Any, Any, Any]:
    """Load torch, the tokeniser and the model."""
    try:
        import torch
        from transformers import (
            AutoConfig,
            AutoModel,
            AutoModelForSequenceClassification,
            AutoModelForTokenClassification,
            AutoTokenizer,
        )
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is not installed; pip install 'questmill[train]'") from None
    code: dict[str, Any] = {"trust_remote_code": spec.trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(spec.path, **code)
        own_classes = getattr(AutoConfig.from_pretrained(spec.path, **code), "auto_map", None) or {}
        task_class = AutoModelForTokenClassification if spec.step_token else AutoModelForSequenceClassification
        # Code that comes with a reward model may offer its class under the general name only.
        is_general = "AutoModel" in own_classes and task_class.__name__ not in own_classes
        model, loading_info = (AutoModel if spec.trust_remote_code and is_general else task_class).from_pretrained(
            spec.path, dtype=getattr(torch, spec.dtype), output_loading_info=True, **code
        )
    except (OSError, ValueError, RuntimeError) as error:
        way_out = TRUST_HELP if "trust_remote_code" in str(error) else HELP
        line = str(error).splitlines()[0]
        raise ValueError(f"the model in {spec.path} cannot be loaded ({line}); {way_out}") from error
    has_labels = bool(spec.step_token) or spec.trust_remote_code or model.config.num_labels == 1
    if loading_info["missing_keys"] or not has_labels:
        raise ValueError(f"the model in {spec.path} has no head with exactly one label; {HELP}")
    if not tokenizer.chat_template:
        raise ValueError(NO_TEMPLATE.format(name=spec.path))
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id or tokenizer.eos_token_id or 0
    if spec.device == "cpu":
        torch.set_num_threads(spec.threads)
    return torch, tokenizer, model.to(spec.device).eval()


HELP = (
    "train one with `TrainDifficultyModel`, or name a directory of AutoModelForSequenceClassification with num_labels=1"
)
TRUST_HELP = "read the code that comes with the model, then set trust_remote_code = true in the role of the profile"


def open_engine(spec: RegressorSpec) -> Regressor:
    """Load the model. Raises ValueError with a one-line message if torch or the model is missing."""
    return Regressor(spec)


def pin_model(spec: RegressorSpec) -> RegressorSpec:
    """Return the spec with the current digest of its directory. Raises ValueError if that holds no model."""
    return spec.model_copy(update={"digest": hash_safetensors_model(Path(spec.path))})
