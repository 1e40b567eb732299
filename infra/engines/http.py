"""A model behind any server that speaks OpenAI's protocol, over aiohttp."""

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson

from infra.engines.common.request_window import Limit, Passing, Window
from infra.engines.common.server_pool import Servers
from schemas.engine import UNWATCHED, Completion, Failure, Reply, Request, Watch
from schemas.engine_specs import HttpSpec
from schemas.errors import EngineError
from schemas.prompts import Sampling

SHOWN = 300
"""Characters of a server's complaint that are kept."""
LONGEST_WAIT = 300.0
"""Seconds of `Retry-After` that are waited for; a server that wants more is told to the user."""
TOP = 20
"""Alternatives of the first token that are asked for when a probability is wanted; the most that servers give."""


class Http:
    """`Generator` and `Scorer`; requests of all shards of this process share one window."""

    def __init__(self, spec: HttpSpec) -> None:
        self.spec, self.servers = spec, Servers(spec.base_url, spec.patience)
        self.key = os.environ.get(spec.key_from, "").strip() if spec.key_from else ""
        if spec.key_from and not self.key:
            raise EngineError(f"the environment variable {spec.key_from} holds no key; set it, or leave key_from out")
        self.window = Window(self._send, Limit(spec.floor, spec.slots), deadline=spec.deadline, attempts=spec.attempts)
        self.session: aiohttp.ClientSession | None = None
        self.path = "/chat/completions" if spec.form == "chat" else "/completions"

    def stream(
        self, requests: Sequence[Request], sampling: Sampling, watch: Watch = UNWATCHED
    ) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Generator`."""
        if self.spec.many or all(len(request.seeds) == 1 for request in requests):
            yield from self.window.stream(requests, sampling, watch)
            return
        whole = {request.row: request for request in requests}
        made: dict[str, dict[int, Completion]] = {request.row: {} for request in requests}
        pieces = [
            request._replace(seeds=(seed,), samples=(sample,))
            for request in requests
            for seed, sample in zip(request.seeds, request.sampled(), strict=True)
        ]
        for piece, reply in self.window.stream(pieces, sampling, watch):
            request = whole[piece.row]
            if isinstance(reply, Failure):
                if made.pop(piece.row, None) is not None:
                    yield request, reply
            elif piece.row in made:
                made[piece.row][piece.samples[0]] = reply[0]
                if len(made[piece.row]) == len(request.seeds):
                    yield request, [made[piece.row][sample] for sample in request.sampled()]

    def rate(self, requests: Sequence[Request], watch: Watch = UNWATCHED) -> Iterator[tuple[Request, Reply]]:
        """See `schemas.engine.Scorer`: of the first reply token, over its 20 likeliest alternatives."""
        yield from self.window.stream(requests, _SCORED, watch)

    def close(self) -> None:
        """End the window and its connections."""
        self.window.close(self._disconnect)

    async def _disconnect(self) -> None:
        if self.session is not None:
            await self.session.close()

    async def _send(self, request: Request, sampling: Sampling) -> Reply:
        server = self.servers.pick()
        try:
            status, headers, data = await self._post(server.url + self.path, self._body(request, sampling))
            if status != 200:
                failure = self._refused(status, headers, data)
                self.servers.refused(server, failure.error)
                return failure
            reply = self._completions(self._parsed(data), request, sampling)
            self.servers.answered(server)
            return reply
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self.servers.lost(server, self._clean(str(error) or type(error).__name__)) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            cut = Passing("cut off", self._clean(f"{type(error).__name__}: {error}"))
            raise self.servers.failed(server, request.row, cut) from None
        except Passing as passing:
            raise self.servers.failed(server, request.row, passing) from None
        finally:
            server.flying -= 1
            server.probing = False

    async def _post(self, url: str, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        if self.session is None:
            self.session = self._connect()
        async with self.session.post(url, data=orjson.dumps(body), allow_redirects=False) as response:
            return response.status, response.headers, await response.read()

    def _connect(self) -> aiohttp.ClientSession:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        return aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        )

    def _body(self, request: Request, sampling: Sampling) -> dict[str, Any]:
        """What is constant over a stage comes first, so that servers can cache it."""
        prompt = request.prompt
        body: dict[str, Any] = {"model": self.spec.model}
        body |= {"messages": prompt.messages()} if self.spec.form == "chat" else {"prompt": prompt.tagged()}
        body |= {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p}
        body |= {"n": len(request.seeds), "seed": request.seeds[0]}
        if sampling.reply_schema:
            named = {"name": prompt.stage, "schema": sampling.reply_schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        top = TOP if sampling is _SCORED else 0
        if sampling.logprobs:
            body |= {"logprobs": True, "top_logprobs": top} if self.spec.form == "chat" else {"logprobs": top}
        return body | dict(self.spec.extra)

    def _parsed(self, data: bytes) -> Any:
        try:
            return orjson.loads(data)
        except ValueError:
            raise Passing("no JSON", self._clean(data.decode("utf-8", "replace"))) from None

    def _completions(self, told: Any, request: Request, sampling: Sampling) -> Reply:
        try:
            choices, usage = told["choices"], told.get("usage") or {}
            n = len(request.seeds)
            if not choices:
                raise Passing("not understood", "a reply without choices")
            if len(choices) != n:
                raise EngineError(
                    f"the server sent {len(choices)} of {n} samples; set many = false in the role of the profile"
                )
            spent, asked = usage.get("completion_tokens", 0), usage.get("prompt_tokens", 0)
            each = [spent // n + (i < spent % n) for i in range(n)]
            scored = sampling is _SCORED
            return [self._completion(c, 0 if i else asked, each[i], scored) for i, c in enumerate(choices)]
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise Passing("not understood", f"{type(error).__name__}: {error} in the reply") from None

    def _completion(self, choice: dict[str, Any], asked: int, spent: int, scored: bool) -> Completion:
        chat = self.spec.form == "chat"
        text = (choice["message"].get("content") if chat else choice["text"]) or ""
        logprobs = None
        if told := choice.get("logprobs"):
            if scored:
                text = repr(_odds(_alternatives(told, chat)))
            found = [t["logprob"] for t in told["content"]] if chat else told["token_logprobs"]
            logprobs = tuple(float(p) for p in found if p is not None)
            spent = len(logprobs) or spent
        elif scored:
            raise EngineError("the server gives no log-probabilities; it cannot play a role that is scored")
        cut = choice.get("finish_reason") == "length"
        return Completion(
            text=text,
            finish_reason="length" if cut else "stop",
            prompt_tokens=asked,
            completion_tokens=spent,
            logprobs=logprobs,
        )

    def _refused(self, status: int, headers: Mapping[str, str], data: bytes) -> Failure:
        """What a status other than 200 means: try again, give this request up, or stop the run."""
        said = self._clean(data.decode("utf-8", "replace"))
        told = f"HTTP {status}: {said}"
        if status in (401, 402, 403) or (status == 429 and "insufficient_quota" in said):
            raise EngineError(f"{told}; check the key and the account, then the same command continues")
        if 300 <= status < 400:
            raise EngineError(f"HTTP {status}: redirected to {headers.get('Location')}; write that into the profile")
        if status == 404:
            raise EngineError(f"{told}; check model {self.spec.model!r} and base_url in the profile")
        after = _retry_after(headers)
        if after is not None and not after <= LONGEST_WAIT:
            raise EngineError(f"{told}; the server wants to be left alone for {after:,.0f} s: try again then")
        if status == 429 or status == 503:
            raise Passing("too many requests", told, after=after, congested=True)
        if status >= 500 or status in (408, 409, 425):
            raise Passing("server error", told, after=after)
        long = any(mark in said.lower() for mark in ("context_length", "context length", "maximum context", "too long"))
        return Failure("context too long" if long else f"refused with {status}", told)

    def _clean(self, text: str) -> str:
        """A complaint in one line, without the key."""
        text = text.replace(self.key, "***") if self.key else text
        return " ".join(text[: 4 * SHOWN].split())[:SHOWN]


_SCORED = Sampling(max_tokens=1, logprobs=True)


def _alternatives(told: dict[str, Any], chat: bool) -> dict[str, float]:
    """Log-probability of each likely first token."""
    if chat:
        return {a["token"]: float(a["logprob"]) for a in told["content"][0]["top_logprobs"]}
    return {token: float(p) for token, p in told["top_logprobs"][0].items()}


def _odds(alternatives: Mapping[str, float]) -> float:
    """P(yes) over P(yes) + P(no); 0.5 where the model thought of neither."""
    sides = [
        sum(math.exp(p) for token, p in alternatives.items() if token.strip().lower() == word) for word in ("yes", "no")
    ]
    return sides[0] / sum(sides) if sum(sides) else 0.5


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from a header that holds seconds or a date; None where it holds neither."""
    value = headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def open_engine(spec: HttpSpec) -> Http:
    """An engine whose connections open with the first request. Raises `EngineError` where the key is missing."""
    return Http(spec)


def pin(spec: HttpSpec) -> HttpSpec:
    """The spec as it is: what a server calls its model is all that can be known of it."""
    return spec
