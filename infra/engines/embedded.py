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
from infra.engines.common.chat_template import (
    PromptWriter,
    WrittenPrompt,
    cut_at_stop,
    kept_special_tokens,
    read_chat_template,
    read_json,
)
from infra.engines.common.digest import check_pinned, hash_ctranslate2_model
from infra.engines.common.model_folder import CTRANSLATE2_HELP
from infra.engines.common.yes_no import (
    LEAST_YES_NO_MASS,
    NO_SPELLINGS,
    YES_SPELLINGS,
    no_verdict,
    single_token_ids,
    yes_probability,
)
from schemas.engine import NO_OBSERVER, Completion, Failure, Reply, Request, RequestObserver
from schemas.engine_specs import EmbeddedSpec
from schemas.errors import EngineError
from schemas.prompts import Prompt, Sampling

UNSUPPORTED_SAMPLING = ("min_p", "presence_penalty", "frequency_penalty")
"""Fields of `Sampling` that CTranslate2 does not have."""
UNLIMITED_TOKENS = 10**30
"""What a tokenizer without a limit writes as its own."""
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
        self.tokenizer = ModelTokenizer(self.path, spec)
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
        """See `schemas.engine.Generator`; `completion_tokens` includes the end token of a complete reply.

        Raises `EngineError` if `sampling` asks for what CTranslate2 does not have.
        """
        _check_sampling(sampling)
        for sample_count in sorted({len(request.seeds) for request in requests}):
            same_count = [request for request in requests if len(request.seeds) == sample_count]
            answer = partial(self._generate, sampling=sampling.model_copy(update={"n": sample_count}))
            batch_size = max(1, self._batch_samples() // sample_count)
            yield from answer_in_batches(same_count, observer, batch_size, self.lock, answer)

    def _batch_samples(self) -> int:
        """Samples that are handed over at a time. A large model takes long over each, so its batches are small."""
        return BATCH_SAMPLES if self.reloads else min(BATCH_SAMPLES, self.spec.max_batch_size)

    def _generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Reply]:
        self._check_open()
        if sampling.temperature > 0:
            self._seed([request.seeds for request in requests])
        written = [self.tokenizer.writer.write(request.prompt, sampling.thinking) for request in requests]
        prompts = [self.tokenizer.encode_text(each.text) for each in written]
        replies: dict[int, Reply] = {}
        rooms = [min(sampling.max_tokens, self.tokenizer.context_tokens - len(prompt)) for prompt in prompts]
        for room in sorted(set(rooms)):
            places = [i for i, each in enumerate(rooms) if each == room]
            if room <= 0:
                replies |= {i: self._too_long(prompts[i]) for i in places}
                continue
            shortened = sampling.model_copy(update={"max_tokens": room})
            completions = self._complete([written[i] for i in places], [prompts[i] for i in places], shortened)
            replies |= dict(zip(places, completions, strict=True))
        return [replies[i] for i in range(len(requests))]

    def _too_long(self, prompt: Sequence[str]) -> Failure:
        return Failure(
            "context too long",
            f"{len(prompt):,} tokens, the model takes {self.tokenizer.context_tokens:,} with the reply",
        )

    def _complete(
        self, written: Sequence[WrittenPrompt], prompts: list[list[str]], sampling: Sampling
    ) -> list[list[Completion]]:
        is_sampled = sampling.temperature > 0
        results = self.model.generate_batch(
            prompts,
            # Each sample is a row of the batch; 160 rows do not fit the cache and are a third slower than 40.
            max_batch_size=max(1, self.spec.max_batch_size // (sampling.n if is_sampled else 1)),
            num_hypotheses=sampling.n if is_sampled else 1,
            max_length=sampling.max_tokens,
            sampling_temperature=sampling.temperature if is_sampled else 1.0,
            sampling_topk=sampling.top_k if is_sampled else 1,
            sampling_topp=sampling.top_p if is_sampled else 1.0,
            repetition_penalty=sampling.repetition_penalty,
            include_prompt_in_result=False,
            end_token=self.tokenizer.end_tokens,
            return_end_token=True,
        )
        copies = 1 if is_sampled else sampling.n
        completions = [
            [
                self._make_completion(each, 0 if i else len(prompt), tokens, sampling.stop)
                for i, tokens in enumerate(result.sequences)
            ]
            for each, prompt, result in zip(written, prompts, results, strict=True)
        ]
        if sampling.logprobs:
            completions = self._add_logprobs(prompts, [result.sequences for result in results], completions)
        return [list(each) * copies for each in completions]

    def _make_completion(
        self, written: WrittenPrompt, prompt_tokens: int, tokens: list[str], stop: Sequence[str]
    ) -> Completion:
        is_complete = bool(tokens) and tokens[-1] in self.tokenizer.end_tokens
        text = self.tokenizer.decode(tokens[:-1] if is_complete else tokens)
        text, is_stopped = cut_at_stop(text, [*stop, *self.tokenizer.writer.stop])
        completion = Completion(
            text=text,
            finish_reason="stop" if is_complete or is_stopped else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(tokens),
        )
        return self.tokenizer.writer.split(completion, written)

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
        yield from answer_in_batches(list(requests), observer, self._batch_samples(), self.lock, self._score_batch)

    def _score_batch(self, requests: Sequence[Request]) -> list[Reply]:
        self._check_open()
        yes, no = self.tokenizer.single_token_ids(YES_SPELLINGS), self.tokenizer.single_token_ids(NO_SPELLINGS)
        written = [self.tokenizer.writer.write_for_score(request.prompt) for request in requests]
        prompts = [self.tokenizer.encode_text(each.text) for each in written]
        fitting = {tuple(prompt) for prompt in prompts if len(prompt) < self.tokenizer.context_tokens}
        probabilities: dict[tuple[str, ...], float | None] = {}
        # Many samples are identical: two thirds of the pupil's solutions need no pass of their own. Batches hold
        # prompts of one length, because CTranslate2 otherwise returns the logits that follow the shortest prompt.
        for _, group in groupby(sorted(fitting, key=lambda tokens: (len(tokens), tokens)), key=len):
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
        return [
            _make_score(probabilities[tuple(tokens)], len(tokens))
            if tuple(tokens) in fitting
            else self._too_long(tokens)
            for tokens in prompts
        ]

    def _check_open(self) -> None:
        if self.model is None:
            raise EngineError("the engine was closed; the same command continues")

    def close(self) -> None:
        """Free the model's memory and threads."""
        self.model = None
        _release_memory()


class ModelTokenizer:
    """The tokenizer of a model directory: turns prompts into tokens, and tokens into text."""

    def __init__(self, path: Path, spec: EmbeddedSpec) -> None:
        """Raises ValueError if the model has no chat template and needs one."""
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        added_tokens = self.tokenizer.get_added_tokens_decoder()
        added_texts = [token.content for token in added_tokens.values()]
        self.writer = PromptWriter(spec, str(path), read_chat_template(path), added_texts)
        ends = dict.fromkeys([*_read_end_tokens(path, self.tokenizer), *self.writer.ends])
        vocabulary = _read_vocabulary(path)
        self.end_tokens = [token for token in ends if token in vocabulary or not vocabulary]
        own_limit = read_json(path / "tokenizer_config.json").get("model_max_length")
        self.context_tokens = spec.max_model_len or int(own_limit or UNLIMITED_TOKENS)
        """Most tokens of a prompt and its reply together."""
        special = [token.content for token in added_tokens.values() if token.special]
        kept = kept_special_tokens(special, self.writer.marks)
        self.dropped_tokens = frozenset(special) - kept if kept else None
        """Special tokens that are dropped from a reply where others must stay; None: all are dropped."""

    def encode(self, prompt: Prompt) -> list[str]:
        """Tokenise a prompt as the model reads it."""
        return self.encode_text(self.writer.write(prompt).text)

    def encode_text(self, text: str) -> list[str]:
        """Tokenise a text that holds its opening token, if it has one."""
        return cast(list[str], self.tokenizer.encode(text, add_special_tokens=False).tokens)

    def decode(self, tokens: list[str]) -> str:
        """Turn the tokens of a reply into text. Special tokens are dropped, but not the marks of a thought."""
        if self.dropped_tokens is not None:
            tokens = [token for token in tokens if token not in self.dropped_tokens]
        ids = [self.tokenizer.token_to_id(token) for token in tokens]
        known_ids = [i for i in ids if i is not None]
        return cast(str, self.tokenizer.decode(known_ids, skip_special_tokens=self.dropped_tokens is None))

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


def _read_end_tokens(path: Path, tokenizer: Any) -> list[str]:
    """The tokens that end a reply by any of the model's configuration files."""
    ends: list[Any] = []
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        config = read_json(path / name)
        ids = config.get("eos_token_id")
        ends.append(config.get("eos_token"))
        ends += [tokenizer.id_to_token(i) for i in (ids if isinstance(ids, list) else [ids]) if i is not None]
    return [end["content"] if isinstance(end, dict) else end for end in ends if end]


def _read_vocabulary(path: Path) -> frozenset[str]:
    """The tokens that the converted model knows; an end token that is not one of them would be an error. Empty if
    they are not listed."""
    file = path / "vocabulary.json"
    return frozenset(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else frozenset()


def _check_sampling(sampling: Sampling) -> None:
    """Raise `EngineError` if `sampling` asks for what CTranslate2 does not have."""
    defaults = Sampling()
    names = [name for name in UNSUPPORTED_SAMPLING if getattr(sampling, name) != getattr(defaults, name)]
    if names:
        raise EngineError(
            f"the embedded engine has no {' and no '.join(names)}; leave it out, or give this role an engine of kind "
            "'vllm' or 'http'"
        )


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
