"""Asks a model on any server that implements the OpenAI API, through aiohttp."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson

from infra.engines.common.request_window import ConcurrencyLimit, RequestWindow, RetryableError
from infra.engines.common.server_pool import ServerPool
from infra.engines.common.yes_no import yes_probability
from schemas.engine import NO_OBSERVER, Completion, Failure, Reply, Request, RequestObserver
from schemas.engine_specs import HttpSpec
from schemas.errors import EngineError
from schemas.prompts import Sampling

ERROR_CHARACTERS = 300
"""Characters of a server's error message that are kept."""
MAX_RETRY_AFTER_SECONDS = 300.0
"""Longest `Retry-After`, in seconds, that is honoured; a longer one stops the run with an error."""
TOP_LOGPROBS = 20
"""Alternatives of the first token that are requested for a score; 20 is the most that servers return."""


class HttpEngine:
    """`Generator` and `Scorer` over HTTP servers; all shards of this process share one request window."""

    def __init__(self, spec: HttpSpec) -> None:
        self.spec, self.pool = spec, ServerPool(spec.base_url, spec.outage_seconds)
        self.api_key = os.environ.get(spec.key_from, "").strip() if spec.key_from else ""
        if spec.key_from and not self.api_key:
            raise EngineError(f"the environment variable {spec.key_from} holds no key; set it, or leave key_from out")
        self.window = RequestWindow(
            self._send,
            ConcurrencyLimit(spec.min_in_flight, spec.max_in_flight),
            deadline=spec.deadline,
            max_attempts=spec.max_attempts,
        )
        self.session: aiohttp.ClientSession | None = None
        self.endpoint = "/chat/completions" if spec.api == "chat" else "/completions"

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator`."""
        if self.spec.supports_n or all(len(request.seeds) == 1 for request in requests):
            yield from self.window.stream(requests, sampling, observer)
            return
        requests_by_row = {request.row_id: request for request in requests}
        completions: dict[str, dict[int, Completion]] = {request.row_id: {} for request in requests}
        pieces = [
            request._replace(seeds=(seed,), samples=(sample,))
            for request in requests
            for seed, sample in zip(request.seeds, request.sample_indices(), strict=True)
        ]
        for piece, reply in self.window.stream(pieces, sampling, observer):
            request = requests_by_row[piece.row_id]
            if isinstance(reply, Failure):
                if completions.pop(piece.row_id, None) is not None:
                    yield request, reply
            elif piece.row_id in completions:
                completions[piece.row_id][piece.samples[0]] = reply[0]
                if len(completions[piece.row_id]) == len(request.seeds):
                    yield request, [completions[piece.row_id][sample] for sample in request.sample_indices()]

    def score(
        self, requests: Sequence[Request], observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`; the score is read from the 20 likeliest first tokens of the reply."""
        yield from self.window.stream(requests, _SCORE_SAMPLING, observer)

    def close(self) -> None:
        """Close the window and its connections."""
        self.window.close(self._disconnect)

    async def _disconnect(self) -> None:
        if self.session is not None:
            await self.session.close()

    async def _send(self, request: Request, sampling: Sampling) -> Reply:
        server = self.pool.pick()
        try:
            status, headers, data = await self._post(server.url + self.endpoint, self._build_body(request, sampling))
            if status != 200:
                failure = self._handle_error(status, headers, data)
                self.pool.mark_refused(server, failure.error)
                return failure
            reply = self._parse_reply(self._parse_json(data), request, sampling)
            self.pool.mark_success(server)
            return reply
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self.pool.mark_unreachable(server, self._clean(str(error) or type(error).__name__)) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            cut_off = RetryableError("cut off", self._clean(f"{type(error).__name__}: {error}"))
            raise self.pool.mark_failed(server, request.row_id, cut_off) from None
        except RetryableError as error:
            raise self.pool.mark_failed(server, request.row_id, error) from None
        finally:
            server.in_flight -= 1
            server.is_probing = False

    async def _post(self, url: str, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        if self.session is None:
            self.session = self._open_session()
        async with self.session.post(url, data=orjson.dumps(body), allow_redirects=False) as response:
            return response.status, response.headers, await response.read()

    def _open_session(self) -> aiohttp.ClientSession:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        )
        return aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        )

    def _build_body(self, request: Request, sampling: Sampling) -> dict[str, Any]:
        """Build the JSON body; fields that are constant within a stage come first, so that servers can cache them."""
        prompt = request.prompt
        body: dict[str, Any] = {"model": self.spec.model}
        body |= {"messages": prompt.to_messages()} if self.spec.api == "chat" else {"prompt": prompt.to_tagged_text()}
        body |= {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p}
        body |= {"n": len(request.seeds), "seed": request.seeds[0]}
        if sampling.reply_schema:
            response_schema = {"name": prompt.stage, "schema": sampling.reply_schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": response_schema}
        top = TOP_LOGPROBS if sampling is _SCORE_SAMPLING else 0
        if sampling.logprobs:
            body |= {"logprobs": True, "top_logprobs": top} if self.spec.api == "chat" else {"logprobs": top}
        return body | dict(self.spec.extra_body)

    def _parse_json(self, data: bytes) -> Any:
        try:
            return orjson.loads(data)
        except ValueError:
            raise RetryableError("no JSON", self._clean(data.decode("utf-8", "replace"))) from None

    def _parse_reply(self, data: Any, request: Request, sampling: Sampling) -> Reply:
        try:
            choices, usage = data["choices"], data.get("usage") or {}
            n = len(request.seeds)
            if not choices:
                raise RetryableError("not understood", "a reply without choices")
            if len(choices) != n:
                raise EngineError(
                    f"the server sent {len(choices)} of {n} samples; set supports_n = false in the role of the profile"
                )
            completion_tokens, prompt_tokens = usage.get("completion_tokens", 0), usage.get("prompt_tokens", 0)
            tokens_by_sample = [completion_tokens // n + (i < completion_tokens % n) for i in range(n)]
            is_scored = sampling is _SCORE_SAMPLING
            return [
                self._parse_choice(c, 0 if i else prompt_tokens, tokens_by_sample[i], is_scored)
                for i, c in enumerate(choices)
            ]
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise RetryableError("not understood", f"{type(error).__name__}: {error} in the reply") from None

    def _parse_choice(
        self, choice: dict[str, Any], prompt_tokens: int, completion_tokens: int, is_scored: bool
    ) -> Completion:
        chat = self.spec.api == "chat"
        text = (choice["message"].get("content") if chat else choice["text"]) or ""
        logprobs = None
        if token_logprobs := choice.get("logprobs"):
            if is_scored:
                likely_tokens = _first_token_logprobs(token_logprobs, chat)
                text = repr(yes_probability(*(_logprobs_of(word, likely_tokens) for word in ("yes", "no"))))
            values = [t["logprob"] for t in token_logprobs["content"]] if chat else token_logprobs["token_logprobs"]
            logprobs = tuple(float(p) for p in values if p is not None)
            completion_tokens = len(logprobs) or completion_tokens
        elif is_scored:
            raise EngineError("the server returns no log-probabilities, which a scoring role needs; use another server")
        is_cut = choice.get("finish_reason") == "length"
        return Completion(
            text=text,
            finish_reason="length" if is_cut else "stop",
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            logprobs=logprobs,
        )

    def _handle_error(self, status: int, headers: Mapping[str, str], data: bytes) -> Failure:
        """Turn a status other than 200 into a `Failure`, or raise: to retry later, or to stop the run."""
        message = self._clean(data.decode("utf-8", "replace"))
        error = f"HTTP {status}: {message}"
        if status in (401, 402, 403) or (status == 429 and "insufficient_quota" in message):
            raise EngineError(f"{error}; check the key and the account, then the same command continues")
        if 300 <= status < 400:
            raise EngineError(f"HTTP {status}: redirected to {headers.get('Location')}; write that into the profile")
        if status == 404:
            raise EngineError(f"{error}; check model {self.spec.model!r} and base_url in the profile")
        retry_after = _parse_retry_after(headers)
        if retry_after is not None and not retry_after <= MAX_RETRY_AFTER_SECONDS:
            raise EngineError(f"{error}; the server asks to wait {retry_after:,.0f} s; try again after that")
        if status == 429 or status == 503:
            raise RetryableError("too many requests", error, retry_after=retry_after, overloaded=True)
        if status >= 500 or status in (408, 409, 425):
            raise RetryableError("server error", error, retry_after=retry_after)
        is_too_long = any(
            mark in message.lower() for mark in ("context_length", "context length", "maximum context", "too long")
        )
        return Failure("context too long" if is_too_long else f"refused with {status}", error)

    def _clean(self, text: str) -> str:
        """Shorten an error message to one line, without the API key."""
        text = text.replace(self.api_key, "***") if self.api_key else text
        return " ".join(text[: 4 * ERROR_CHARACTERS].split())[:ERROR_CHARACTERS]


_SCORE_SAMPLING = Sampling(max_tokens=1, logprobs=True)


def _first_token_logprobs(token_logprobs: dict[str, Any], chat: bool) -> dict[str, float]:
    """Map each likely first token to its log-probability."""
    if chat:
        return {a["token"]: float(a["logprob"]) for a in token_logprobs["content"][0]["top_logprobs"]}
    return {token: float(p) for token, p in token_logprobs["top_logprobs"][0].items()}


def _logprobs_of(word: str, logprobs: Mapping[str, float]) -> list[float]:
    """Log-probabilities of all tokens that spell `word`."""
    return [p for token, p in logprobs.items() if token.strip().lower() == word]


def _parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, from a header that holds seconds or a date; None if it holds neither."""
    value = headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def open_engine(spec: HttpSpec) -> HttpEngine:
    """Return an engine that connects at its first request. Raises `EngineError` if the API key is missing."""
    return HttpEngine(spec)


def pin_model(spec: HttpSpec) -> HttpSpec:
    """Return the spec unchanged: only the model name that the server uses is known."""
    return spec
