"""Asks a model on any server that implements the OpenAI API, through aiohttp."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import aiohttp
import orjson

from infra.engines.common import chat_replies, refusals
from infra.engines.common.chat_requests import (
    CHAT_ENDPOINT,
    SCORE_ENDPOINTS,
    SCORE_SAMPLING,
    SYSTEM_TURN,
    TEXT_ENDPOINT,
    Secrets,
    asks_chat,
    build_body,
    build_score_body,
    chat_messages,
    plain_prompt,
    request_url,
)
from infra.engines.common.request_window import ConcurrencyLimit, RequestWindow, RetryableError
from infra.engines.common.server_pool import Server, ServerPool
from infra.engines.common.yes_no import no_verdict, opens_thought, thinks_first, yes_probability
from schemas.engine import NO_OBSERVER, Completion, Failure, Reply, Request, RequestObserver
from schemas.engine_specs import HttpSpec
from schemas.errors import EngineError
from schemas.prompts import Sampling
from schemas.reasoning import REASONING_MARKS

ERROR_CHARACTERS = 300
"""Characters of a server's error message that are kept."""
MAX_RETRY_AFTER_SECONDS = 300.0
"""Longest `Retry-After`, in seconds, that is honoured; a longer one stops the run with an error."""
CONNECT_SECONDS = 10
"""Seconds until a connection counts as not made."""
OPTIONAL_REQUESTS = {
    "n": "each sample is asked for by a request of its own",
    "response_format": "replies are not held to a JSON schema",
    SYSTEM_TURN: "instructions go into the user's turn",
}
"""Parts that a request can do without when a server refuses them, and what is done instead."""
REFUSAL_STATUSES = (400, 422, 500, 501)
"""Statuses with which servers refuse a field; llama.cpp sends 500 and 501 as well."""
SHOWN_CHARACTERS = 20
"""Characters of a thought that an error shows."""
SHORT_PROMPT_SHARE = 0.5
"""A prompt that fills less than this share of the context is not what is too long."""
logger = logging.getLogger(__name__)


class HttpEngine:
    """`Generator` and `Scorer` over HTTP servers; all shards of this process share one request window."""

    def __init__(self, spec: HttpSpec) -> None:
        self.spec, self.pool = spec, ServerPool(spec.base_url, spec.outage_seconds)
        self.secrets, self.is_chat = Secrets(spec), asks_chat(spec)
        self.window = RequestWindow(
            self._send,
            ConcurrencyLimit(spec.min_in_flight, spec.max_in_flight),
            deadline=spec.deadline,
            max_attempts=spec.max_attempts,
        )
        self.session: aiohttp.ClientSession | None = None
        self.answered_stages: set[str] = set()
        self.urls: dict[tuple[str, str], str] = {}
        self.has_reported_estimate = False

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, observer: RequestObserver = NO_OBSERVER
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator`."""
        if self.spec.score_api != "chat":
            raise EngineError(f"{self.spec.model} only scores; give this role a model that generates text")
        takes_n = self.spec.supports_n and not self.pool.lacks("n")
        if takes_n or all(len(request.seeds) == 1 for request in requests):
            yield from self.window.stream(requests, sampling, observer)
            return
        requests_by_row = {request.row_id: request for request in requests}
        completions: dict[str, dict[int, Completion]] = {request.row_id: {} for request in requests}
        pieces = [piece for request in requests for piece in _single_samples(request)]
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
        """See `schemas.engine.Scorer`; read from the 20 likeliest first tokens of a reply, or by `spec.score_api`."""
        yield from self.window.stream(requests, SCORE_SAMPLING, observer)

    def close(self) -> None:
        """Close the window and its connections."""
        self.window.close(self._disconnect)

    async def _disconnect(self) -> None:
        if self.session is not None:
            await self.session.close()

    async def _send(self, request: Request, sampling: Sampling) -> Reply:
        server = self.pool.pick()
        try:
            reply = await self._ask(server, request, sampling)
            if isinstance(reply, Failure):
                verb = "answered without a score" if sampling is SCORE_SAMPLING and _has_no_score(reply) else "refused"
                self.pool.mark_refused(server, reply.error, verb)
            else:
                self.pool.mark_success(server)
                self.answered_stages.add(request.prompt.stage)
            return reply
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self.pool.mark_unreachable(server, self._clean(_explain_connection(error, server.name))) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            cut_off = RetryableError(
                "cut off", self._clean(f"{type(error).__name__}: {error}") + self._tls_hint(server)
            )
            raise self.pool.mark_failed(server, request.row_id, cut_off) from None
        except RetryableError as error:
            raise self.pool.mark_failed(server, request.row_id, error) from None
        finally:
            server.in_flight -= 1
            server.is_probing = False

    async def _ask(self, server: Server, request: Request, sampling: Sampling) -> Reply:
        """Make one attempt; a server that refuses a field which is not needed is asked again without it."""
        if len(request.seeds) > 1 and "n" in server.lacks:
            return await self._ask_one_by_one(server, request, sampling)
        body, endpoint = self._build_body(server, request, sampling)
        url = self.urls.get((server.url, endpoint)) or request_url(server.url, endpoint, self.secrets.query)
        self.urls[server.url, endpoint] = url
        status, headers, data = await self._post(url, body)
        content = self._decode(data) if status == 200 else None
        if inside := chat_replies.find_error(content):
            status, message = inside
            data = orjson.dumps({"error": {"message": message}})
        if inside or status != 200:
            if status in REFUSAL_STATUSES and self._do_without(server, data, body):
                return await self._ask(server, request, sampling)
            return self._handle_error(status, headers, data, body, request, sampling)
        try:
            reply = self._read_reply(content, request, sampling)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            detail = f"{type(error).__name__}: {error} in the reply {self._clean(data.decode('utf-8', 'replace'))}"
            raise RetryableError("not understood", detail, is_paid=True) from None
        return await self._complete_samples(server, request, sampling, reply)

    async def _complete_samples(self, server: Server, request: Request, sampling: Sampling, reply: Reply) -> Reply:
        """Ask for the samples that are missing in the reply of a server that ignores `n`, or sends fewer."""
        if isinstance(reply, Failure) or len(reply) == len(request.seeds):
            return reply
        sent, wanted = len(reply), len(request.seeds)
        if not self.pool.lacks("n"):
            logger.warning("%s sends %d of %d samples; %s", server.name, sent, wanted, OPTIONAL_REQUESTS["n"])
        server.lacks.add("n")
        missing = request._replace(seeds=request.seeds[sent:], samples=request.sample_indices()[sent:])
        others = await self._ask_one_by_one(server, missing, sampling)
        return others if isinstance(others, Failure) else reply + others

    async def _ask_one_by_one(self, server: Server, request: Request, sampling: Sampling) -> Reply:
        """Ask for each sample by a request of its own, all within one attempt."""
        tasks = [asyncio.ensure_future(self._ask(server, piece, sampling)) for piece in _single_samples(request)]
        try:
            replies = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        failure = next((reply for reply in replies if isinstance(reply, Failure)), None)
        return failure or [
            completion for reply in replies for completion in reply if isinstance(completion, Completion)
        ]

    def _build_body(self, server: Server, request: Request, sampling: Sampling) -> tuple[dict[str, Any], str]:
        if sampling is SCORE_SAMPLING and self.spec.score_api != "chat":
            return build_score_body(self.spec, request), SCORE_ENDPOINTS[self.spec.score_api]
        endpoint = CHAT_ENDPOINT if self.is_chat else TEXT_ENDPOINT
        return build_body(self.spec, request, sampling, server.lacks), endpoint

    def _do_without(self, server: Server, data: bytes, body: Mapping[str, Any]) -> bool:
        """Note what the server refuses that is not needed; return whether it did refuse such a part of `body`."""
        message = data.decode("utf-8", "replace")
        if refusals.is_too_long(message):
            return False
        ours = OPTIONAL_REQUESTS.keys() - self.spec.extra_body.keys()
        refused = [field for field in refusals.find_refused_fields(data, body).names if field in ours]
        has_system_turn = any(each["role"] == "system" for each in body.get("messages", ()))
        if self.spec.layout == "auto" and has_system_turn and refusals.refuses_system_turn(message):
            refused.append(SYSTEM_TURN)
        for part in refused:
            if not self.pool.lacks(part):
                logger.warning("%s refuses %s; %s", server.name, part, OPTIONAL_REQUESTS[part])
            server.lacks.add(part)
        return bool(refused)

    async def _post(self, url: str, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        if self.session is None:
            self.session = self._open_session()
        async with self.session.post(url, data=orjson.dumps(body), allow_redirects=False) as response:
            return response.status, response.headers, await response.read()

    def _open_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers={"Content-Type": "application/json"} | self.secrets.headers,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )

    def _decode(self, data: bytes) -> Any:
        try:
            return chat_replies.decode_body(data)
        except ValueError as error:
            message = self._clean(data.decode("utf-8", "replace"))
            is_stream = not isinstance(error, orjson.JSONDecodeError)
            raise RetryableError("no JSON", f"{error}: {message}" if is_stream else message) from None

    def _read_reply(self, data: Any, request: Request, sampling: Sampling) -> Reply:
        write_prompt, usage, is_chat = partial(self._prompt_text, request), data.get("usage"), self.is_chat
        if sampling is SCORE_SAMPLING and self.spec.score_api != "chat":
            value = chat_replies.read_score(data, self.spec.score_api)
            return [chat_replies.score_completion(value, usage, write_prompt)]
        choices, n = data["choices"], len(request.seeds)
        if not choices:
            raise ValueError("no choices")
        if len(choices) > n:
            asked = f"{n} {'was' if n == 1 else 'were'} asked for"
            raise EngineError(f"the server sent {len(choices)} samples where {asked}; check extra_body in the profile")
        messages = [chat_replies.read_message(choice, is_chat) for choice in choices]
        replies = [message.text + (message.reasoning or "") for message in messages]
        if chat_replies.counts_one_sample(data, replies):
            usage = {"prompt_tokens": usage.get("prompt_tokens")}
        counts = chat_replies.count_tokens(usage, write_prompt, replies)
        if counts.is_estimate and not self.has_reported_estimate:
            self.has_reported_estimate = True
            logger.warning(
                "%s does not count all tokens; they are estimated by the length of the texts", request.prompt.stage
            )
        if sampling is SCORE_SAMPLING:
            return self._read_score(choices[0], messages[0], counts, is_chat)
        completions = []
        for i, (choice, message) in enumerate(zip(choices, messages, strict=True)):
            logprobs = chat_replies.token_logprobs(choice.get("logprobs"), is_chat)
            completion = Completion(
                text=message.text,
                reasoning=message.reasoning,
                finish_reason=message.finish_reason,
                prompt_tokens=0 if i else counts.prompt,
                completion_tokens=len(logprobs) if logprobs else counts.completions[i],
                logprobs=logprobs,
                tokens_estimated=counts.is_estimate,
            )
            completions.append(completion.split_reasoning((*self.spec.reasoning_marks, *REASONING_MARKS)))
        return completions

    def _read_score(
        self, choice: Mapping[str, Any], message: chat_replies.Message, counts: chat_replies.TokenCounts, is_chat: bool
    ) -> Reply:
        """Read P(yes) from the first token of a reply; a `Failure` if it is no evidence for either word."""
        likely = chat_replies.first_token_logprobs(choice.get("logprobs") or {}, is_chat)
        if message.reasoning:
            return thinks_first(message.reasoning[:SHOWN_CHARACTERS], self.spec.thinks)
        if not likely:
            raise EngineError("the server returns no log-probabilities, which a scoring role needs; use another server")
        probability = yes_probability(*(_logprobs_of(word, likely) for word in ("yes", "no")))
        if probability is None:
            first = max(likely, key=lambda token: likely[token])
            return thinks_first(first, self.spec.thinks) if opens_thought(first) else no_verdict(likely)
        return [
            Completion(
                text=repr(probability),
                finish_reason="stop",
                prompt_tokens=counts.prompt,
                completion_tokens=counts.completions[0] or 1,
                tokens_estimated=counts.is_estimate,
            )
        ]

    def _handle_error(
        self,
        status: int,
        headers: Mapping[str, str],
        data: bytes,
        body: Mapping[str, Any],
        request: Request,
        sampling: Sampling,
    ) -> Failure:
        """Turn an error of the server into a `Failure`, or raise: to retry later, or to stop the run."""
        whole = self.secrets.mask(data.decode("utf-8", "replace"))
        message = self._clean(whole)
        error = f"HTTP {status}: {message}"
        if status == 403 and refusals.is_moderation(whole):
            return Failure("refused with 403", error)
        if status in (401, 402, 403) or (status == 429 and "insufficient_quota" in whole):
            raise EngineError(f"{error}; check the key and the account, then the same command continues")
        if 300 <= status < 400:
            location = self._clean(headers.get("Location", ""))
            raise EngineError(f"HTTP {status}: redirected to {location}; write that into the profile")
        if status == 404 or (status == 400 and refusals.is_unknown_model(whole)):
            raise EngineError(f"{error}; check model {self.spec.model!r} and base_url in the profile")
        retry_after = _parse_retry_after(headers)
        if retry_after is not None and not retry_after <= MAX_RETRY_AFTER_SECONDS:
            raise EngineError(f"{error}; the server asks to wait {retry_after:,.0f} s; try again after that")
        if status == 429 or status == 503:
            raise RetryableError("too many requests", error, retry_after=retry_after, overloaded=True)
        if status in (400, 413, 422, 500) and (status == 413 or refusals.is_too_long(whole)):
            return self._handle_too_long(error, whole, request, sampling)
        if status >= 500 or status in (408, 409, 425):
            raise RetryableError("server error", error, retry_after=retry_after)
        if refusals.is_moderation(whole):
            return Failure(f"refused with {status}", error)
        if refusals.is_reply_too_long(whole):
            raise EngineError(f"{error}; lower max_tokens of {request.prompt.stage}, which is {sampling.max_tokens:,}")
        refused = refusals.find_refused_fields(data, body)
        if refused.names:
            advice = refusals.advise(refused.names, refused.use_instead, self.spec.rename)
            explained = f"the server refuses {', '.join(refused.names)}; {advice} ({error})"
            if request.prompt.stage not in self.answered_stages:
                raise EngineError(explained)
            return Failure(f"refused with {status}", explained)
        return Failure(f"refused with {status}", error)

    def _handle_too_long(self, error: str, message: str, request: Request, sampling: Sampling) -> Failure:
        """Tell a prompt that is too long for the context from a reply budget that is."""
        window, max_tokens, stage = refusals.window_tokens(message), sampling.max_tokens, request.prompt.stage
        prompt_tokens = chat_replies.estimate_tokens(self._prompt_text(request))
        lower = f"lower max_tokens of {stage}, which is {max_tokens:,}, or give the server a larger context"
        if not refusals.counts_reply(message):
            return Failure("context too long", error)
        if window is not None and max_tokens >= window > prompt_tokens:
            raise EngineError(f"no prompt fits beside the reply; {lower} ({error})")
        if prompt_tokens < SHORT_PROMPT_SHARE * (window or max_tokens):
            return Failure("max_tokens too large", f"the prompt fits, but not its reply; {lower} ({error})")
        return Failure("context too long", error)

    def _tls_hint(self, server: Server) -> str:
        """What may be wrong where a server without TLS has hung up on every request."""
        is_suspect = server.url.startswith("http://") and not self.pool.answer_count
        return "; if the server wants TLS, write https:// into base_url" if is_suspect else ""

    def _prompt_text(self, request: Request) -> str:
        """The text of a prompt, to estimate its length."""
        if not self.is_chat:
            return plain_prompt(self.spec, request.prompt)
        return "\n".join(message["content"] for message in chat_messages(self.spec, request.prompt))

    def _clean(self, text: str) -> str:
        """Shorten an error message to one line, without any secret."""
        return " ".join(self.secrets.mask(text)[: 4 * ERROR_CHARACTERS].split())[:ERROR_CHARACTERS]


def _single_samples(request: Request) -> list[Request]:
    """A request for each sample of `request`."""
    return [
        request._replace(seeds=(seed,), samples=(sample,))
        for seed, sample in zip(request.seeds, request.sample_indices(), strict=True)
    ]


def _has_no_score(failure: Failure) -> bool:
    return not failure.reason.startswith(("refused", "context", "max_tokens"))


def _logprobs_of(word: str, logprobs: Mapping[str, float]) -> list[float]:
    """Log-probabilities of all tokens that spell `word`; some servers write a blank before it as one of two letters."""
    return [p for token, p in logprobs.items() if token.strip(" \n\t\u0120\u2581").lower() == word]


def _explain_connection(error: Exception, url: str) -> str:
    """Why no connection was made, and what may be wrong in the profile."""
    detail = str(getattr(error, "os_error", "") or getattr(error, "certificate_error", "") or error).strip()
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the host name of {url} cannot be resolved; check base_url"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {url} is not trusted: {detail}"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"no TLS with {url}: {detail}; https:// is assumed unless base_url says http://"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection to {url} within {CONNECT_SECONDS} s; check host, port and firewall"
    if isinstance(getattr(error, "os_error", None), ConnectionRefusedError):
        return f"the connection to {url} was refused; check that the server runs, and its port"
    return f"no connection to {url}: {detail or type(error).__name__}"


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
