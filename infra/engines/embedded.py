"""Runs a model on the CPU of this process, through CTranslate2: the pupil, or any other converted model.

CTranslate2 seeds each of its threads once, when the thread first samples, and cannot seed a single request. A small
model is therefore reloaded before each call and seeded from all seeds of the call: the same call gives the same
samples, and equal prompts within a call differ. A large model is seeded once, by the first call after it is loaded.
"""

import contextlib
import ctypes
import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from infra.engines.common.batching import BATCH_SAMPLES, answer_in_batches
from infra.engines.common.digest import CTRANSLATE2_HELP, check_pinned, hash_ctranslate2_model
from infra.engines.common.yes_no import (
    LEAST_YES_NO_MASS,
    NO_SPELLINGS,
    YES_SPELLINGS,
    no_verdict,
    single_token_ids,
    yes_probability,
)
from schemas.engine import NO_OBSERVER, Completion, Reply, Request, RequestObserver
from schemas.engine_specs import EmbeddedSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt, Sampling

RELOAD_MAX_BYTES = 64 * 2**20
"""Largest model, in bytes, that is reloaded to be seeded: this takes 20 ms for the pupil, seconds for a large one."""
MALLOC_OPTIONS_BYTES = {-3: 32 * 2**20, -1: 512 * 2**20}
"""glibc's M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, in bytes; see `_keep_freed_memory`."""


class EmbeddedEngine:
    """`Generator` and `Scorer` over one resident CTranslate2 model; threads take turns."""

    def __init__(self, spec: EmbeddedSpec) -> None:
        _keep_freed_memory()
        self.spec, self.path = spec, Path(spec.path)
        self.digest = hash_ctranslate2_model(self.path)
        check_pinned(self.path, spec.digest, self.digest)
        self.tokenizer = ModelTokenizer(self.path)
        self.reloads = (self.path / "model.bin").stat().st_size <= RELOAD_MAX_BYTES
        self.is_seeded = False
        # Seeding, reloading and sampling must not be interrupted: two shards at once would draw from one seed.
        self.lock = threading.Lock()
        self.model: Any = self._load_model()

    def _load_model(self) -> Any:
        import ctranslate2

        try:
            # One generating thread: a second one would start from the same seed and repeat its samples.
            return ctranslate2.Generator(
                str(self.path), compute_type=self.spec.compute_type, inter_threads=1, intra_threads=self.spec.threads
            )
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"the model in {self.path} cannot be loaded ({error}); {CTRANSLATE2_HELP}") from error

    def _seed(self, seeds: Sequence[Sequence[int]]) -> None:
        import ctranslate2

        if self.is_seeded and not self.reloads:
            return
        text = json.dumps([list(s) for s in seeds])
        ctranslate2.set_random_seed(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big"))
        if self.is_seeded:
            self.model = self._load_model()
        self.is_seeded = True

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator`; `completion_tokens` includes the end token of a complete reply."""
        for sample_count in sorted({len(request.seeds) for request in requests}):
            same_count = [request for request in requests if len(request.seeds) == sample_count]
            answer = partial(self._generate, sampling=sampling.model_copy(update={"n": sample_count}))
            yield from answer_in_batches(same_count, observer, max(1, BATCH_SAMPLES // sample_count), self.lock, answer)

    def _generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion]]:
        self._check_open()
        is_sampled = sampling.temperature > 0
        if is_sampled:
            self._seed([request.seeds for request in requests])
        prompts = [self.tokenizer.encode(request.prompt) for request in requests]
        results = self.model.generate_batch(
            prompts,
            # Each sample is a row of the batch; 160 rows do not fit the cache and are a third slower than 40.
            max_batch_size=max(1, self.spec.max_batch_size // (sampling.n if is_sampled else 1)),
            num_hypotheses=sampling.n if is_sampled else 1,
            max_length=sampling.max_tokens,
            sampling_temperature=sampling.temperature if is_sampled else 1.0,
            sampling_topk=0 if is_sampled else 1,
            sampling_topp=sampling.top_p if is_sampled else 1.0,
            include_prompt_in_result=False,
            end_token=self.tokenizer.end_tokens,
            return_end_token=True,
        )
        copies = 1 if is_sampled else sampling.n
        completions = [
            [self._make_completion(0 if i else len(prompt), tokens) for i, tokens in enumerate(result.sequences)]
            for prompt, result in zip(prompts, results, strict=True)
        ]
        if sampling.logprobs:
            completions = self._add_logprobs(prompts, [result.sequences for result in results], completions)
        return [list(each) * copies for each in completions]

    def _make_completion(self, prompt_tokens: int, tokens: list[str]) -> Completion:
        is_complete = bool(tokens) and tokens[-1] in self.tokenizer.end_tokens
        return Completion(
            text=self.tokenizer.decode(tokens[:-1] if is_complete else tokens),
            finish_reason="stop" if is_complete else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(tokens),
        ).split_reasoning()

    def _add_logprobs(
        self, prompts: list[list[str]], replies: list[list[list[str]]], completions: list[list[Completion]]
    ) -> list[list[Completion]]:
        """Add log-probabilities at temperature 1, by one more forward pass: the sampler reports only their sums."""
        texts = [prompt + tokens for prompt, each in zip(prompts, replies, strict=True) for tokens in each]
        longest = max(map(len, texts))
        scores = iter(self.model.score_batch(texts, max_batch_size=32, max_input_length=longest))
        logprobs = [
            [tuple(float(p) for p in next(scores).log_probs[len(prompt) - 1 :]) for _ in each]
            for prompt, each in zip(prompts, replies, strict=True)
        ]
        return [
            [c.model_copy(update={"logprobs": p}) for c, p in zip(each, probabilities, strict=True)]
            for each, probabilities in zip(completions, logprobs, strict=True)
        ]

    def score(
        self, requests: Sequence[Request], observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`; the score is read from the first reply token, over the usual spellings."""
        yield from answer_in_batches(list(requests), observer, BATCH_SAMPLES, self.lock, self._score_batch)

    def _score_batch(self, requests: Sequence[Request]) -> list[Reply]:
        self._check_open()
        yes, no = self.tokenizer.single_token_ids(YES_SPELLINGS), self.tokenizer.single_token_ids(NO_SPELLINGS)
        prompts = [self.tokenizer.encode(request.prompt) for request in requests]
        probabilities: dict[tuple[str, ...], float | None] = {}
        # Many samples are identical: two thirds of the pupil's solutions need no pass of their own. Batches hold
        # prompts of one length, because CTranslate2 otherwise returns the logits that follow the shortest prompt.
        for _, group in groupby(sorted(set(map(tuple, prompts)), key=lambda tokens: (len(tokens), tokens)), key=len):
            same_length = list(group)
            results = self.model.generate_batch(
                [list(tokens) for tokens in same_length],
                max_batch_size=self.spec.max_batch_size,
                max_length=1,
                include_prompt_in_result=False,
                return_logits_vocab=True,
            )
            probabilities |= {
                tokens: _yes_probability_of_logits(_to_array(r.logits[0][0]), yes, no)
                for tokens, r in zip(same_length, results, strict=True)
            }
        return [_make_score(probabilities[tuple(tokens)], len(tokens)) for tokens in prompts]

    def _check_open(self) -> None:
        if self.model is None:
            raise EngineError("the engine was closed; the same command continues")

    def close(self) -> None:
        """Free the model's memory and threads."""
        self.model = None
        _release_memory()


class ModelTokenizer:
    """The tokenizer of a model directory: turns prompts into tokens, and tokens into text."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        config, tokenizer_config = _read_json(path / "config.json"), _read_json(path / "tokenizer_config.json")
        ends = [config.get("eos_token"), tokenizer_config.get("eos_token")]
        self.end_tokens = list(dict.fromkeys(e["content"] if isinstance(e, dict) else e for e in ends if e))
        template_file = path / "chat_template.jinja"
        self.chat_template = (
            template_file.read_text(encoding="utf-8")
            if template_file.is_file()
            else tokenizer_config.get("chat_template")
        )
        self.special_tokens = {k: _token_text(v) for k, v in tokenizer_config.items() if k.endswith("_token")}

    def encode(self, prompt: Prompt) -> list[str]:
        """Tokenise the prompt: through the model's chat template if it has one, else as tagged text."""
        text = self._render_chat(prompt) if self.chat_template else prompt.to_tagged_text()
        return cast(list[str], self.tokenizer.encode(text, add_special_tokens=False).tokens)

    def _render_chat(self, prompt: Prompt) -> str:
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        template = environment.from_string(cast(str, self.chat_template))
        return template.render(messages=prompt.to_messages(), add_generation_prompt=True, **self.special_tokens)

    def decode(self, tokens: list[str]) -> str:
        """Turn the tokens of a reply into text."""
        ids = [self.tokenizer.token_to_id(token) for token in tokens]
        return cast(str, self.tokenizer.decode([i for i in ids if i is not None]))

    def single_token_ids(self, spellings: Sequence[str]) -> list[int]:
        """Ids of the spellings that are a single token. Raises ValueError if there are none."""
        token_ids = single_token_ids(lambda s: self.tokenizer.encode(s, add_special_tokens=False).ids, spellings)
        if not token_ids:
            raise ValueError(f"no spelling of {spellings[0]!r} is a single token; give this scoring role another model")
        return token_ids


def open_engine(spec: EmbeddedSpec) -> EmbeddedEngine:
    """Load the model. Raises ValueError with a one-line message if the directory is missing or broken."""
    return EmbeddedEngine(spec)


def pin_model(spec: EmbeddedSpec) -> EmbeddedSpec:
    """Return the spec with the current digest of its directory. Raises ValueError if that holds no model."""
    return spec.model_copy(update={"digest": hash_ctranslate2_model(Path(spec.path))})


def _keep_freed_memory() -> None:
    """Keep freed memory in the process: at each token a decoder replaces its cache by a new, larger array.

    By default the allocator returns such arrays to the system at once, more so in a Dask worker, which Dask sets to
    trim; a worker then spent two thirds of its time on page faults. Does nothing without glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, size in MALLOC_OPTIONS_BYTES.items():
            mallopt(parameter, size)


def _release_memory() -> None:
    """Return unused memory to the system."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _token_text(token: Any) -> Any:
    return token["content"] if isinstance(token, dict) else token


def _to_array(view: Any) -> Any:
    import numpy as np

    return np.asarray(view, dtype=np.float64)


def _make_score(probability: float | None, prompt_tokens: int) -> Reply:
    if probability is None:
        return no_verdict()
    return [Completion(text=repr(probability), finish_reason="stop", prompt_tokens=prompt_tokens, completion_tokens=1)]


def _yes_probability_of_logits(logits: Any, yes: Sequence[int], no: Sequence[int]) -> float | None:
    """P(yes) from the logits of all tokens; None if yes and no have too small a share of the probability."""
    import numpy as np

    exponentials = np.exp(logits - logits.max())
    if exponentials[[*yes, *no]].sum() < LEAST_YES_NO_MASS * exponentials.sum():
        return None
    top = max(logits[i] for i in (*yes, *no))  # the exponential of raw logits might overflow
    return yes_probability(*([logits[i] - top for i in ids] for ids in (yes, no)))
