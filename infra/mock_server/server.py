"""Serves the stub over HTTP on this machine only: in a thread of its own, for as long as it is open."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from contextlib import nullcontext
from http import HTTPStatus
from typing import Self, TypeVar

from aiohttp import web

from infra.mock_server.behaviour import Behaviour
from infra.mock_server.counters import Counts, Tally
from infra.mock_server.replies import Body, Refused, Reply, Writer, prompt_of, read, words_in

Value = TypeVar("Value")

ENDPOINTS = {"/v1/chat/completions": True, "/v1/completions": False}
"""Path: whether it speaks of messages."""

QUEUE = 4096
"""Connections that may wait to be accepted; a benchmark opens all of its own at once."""


class _Sent(web.StreamResponse):
    """Tells aiohttp that the reply is sent: its writer and headers cost more than everything else here together."""

    def __init__(self, keep: bool) -> None:
        super().__init__()
        self._keep = keep

    @property
    def keep_alive(self) -> bool:
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> None:
        """There is nothing left to do."""

    async def write_eof(self, data: bytes = b"") -> None:
        """There is nothing left to send."""


REASONS = {status.value: status.phrase for status in HTTPStatus}
KEPT, CLOSED = _Sent(True), _Sent(False)


class _Call:
    """One request for a completion and its way back to the client."""

    __slots__ = ("asked", "attempt", "chat", "keep", "request", "tally")

    def __init__(self, request: web.BaseRequest, tally: Tally, path: str, raw: bytes) -> None:
        self.request, self.tally = request, tally
        self.chat, self.keep = ENDPOINTS[path], request.keep_alive
        self.asked = tally.enter(path, raw)
        self.attempt = self.asked.asked

    def head(self, status: int, length: int, wait: float | None = None) -> bytes:
        """Status line and headers; counts the status."""
        self.tally.by_status[status] += 1
        more = "" if wait is None else f"Retry-After: {wait:g}\r\n"
        more += "" if self.keep else "Connection: close\r\n"
        return (
            f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n{more}\r\n"
        ).encode()

    async def send(self, data: bytes) -> bool:
        """Whether the operating system took all of it."""
        transport = self.request.transport
        if transport is None or transport.is_closing():
            return False
        transport.write(data)
        if transport.get_write_buffer_size():
            transport.set_write_buffer_limits(0)  # so that drain() waits for the last byte
            try:
                await self.request.writer.drain()
            except ConnectionError:
                return False
        return not transport.is_closing()


class _Desk:
    """Answers the requests of one server; lives in one event loop at a time."""

    def __init__(self, behaviour: Behaviour, reply: Reply | None) -> None:
        self.behaviour, self.writer = behaviour, Writer(behaviour, reply)
        self.tally = Tally()
        self.slots: asyncio.Semaphore | None = None

    async def serve(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; whoever is still connected then is cut off."""
        self.slots = asyncio.Semaphore(self.behaviour.capacity) if self.behaviour.capacity else None
        # A client that gives up must not be counted, or hold its place, until its latency is over.
        server = web.Server(self.handle, access_log=None, handler_cancellation=True)
        listener = await asyncio.get_running_loop().create_server(server, sock=listening, backlog=QUEUE)
        await stop.wait()
        listener.close()
        for connection in server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request of any kind."""
        path = request.raw_path.partition("?")[0]
        if path not in ENDPOINTS or request.method != "POST":
            return self._page(f"{request.method} {path}")
        raw = await request.content.read()
        tally = self.tally  # a reset begins another one
        call = _Call(request, tally, path, raw)
        try:
            await self._answer(call, raw)
        except Refused as refused:
            body = refused.body()
            await call.send(call.head(refused.status, len(body), refused.wait) + body)
        finally:
            tally.leave()
        return KEPT if call.keep else CLOSED

    def _page(self, asked: str) -> web.Response:
        if asked == "GET /counts":
            return web.Response(text=self.tally.counts().model_dump_json(), content_type="application/json")
        if asked == "POST /reset":
            self.tally = Tally()
            return web.json_response({})
        if asked == "GET /health":
            return web.json_response({})
        if asked == "GET /v1/models":
            model = {"id": self.behaviour.model, "object": "model", "created": 0, "owned_by": "questmill"}
            return web.json_response({"object": "list", "data": [model]})
        return web.Response(status=404, body=Refused(404, f"{asked}: no such page").body())

    async def _answer(self, call: _Call, raw: bytes) -> None:
        behaviour = self.behaviour
        body = read(raw, call.chat)
        key = call.tally.understood(call.asked, body)
        self._turn_away(body)
        fault = behaviour.fault(key, call.attempt)
        if fault is not None:
            call.tally.faults[fault] += 1
        if fault == "too_many":
            raise Refused(429, "too many requests", wait=behaviour.retry_after)
        if self.slots is not None and behaviour.full == "refuse" and self.slots.locked():
            raise Refused(429, f"{behaviour.capacity} requests are being served", wait=behaviour.retry_after)
        async with self.slots or nullcontext():
            call.tally.serve()
            try:
                await self._serve(call, body, key, fault)
            finally:
                call.tally.served()

    def _turn_away(self, body: Body) -> None:
        """Raise what this request meets every time it is made."""
        behaviour = self.behaviour
        if behaviour.status is not None:
            wait = behaviour.retry_after if behaviour.status in (429, 503) else None
            raise Refused(behaviour.status, "every request meets this", wait=wait)
        if behaviour.context is not None and (words := words_in(prompt_of(body))) > behaviour.context:
            said = f"the prompt has {words} tokens, and the context {behaviour.context}"
            raise Refused(400, said, "context_length_exceeded")
        if behaviour.forbidden and behaviour.forbids(json.dumps(prompt_of(body), sort_keys=True).encode()):
            raise Refused(400, "this prompt is refused", "content_policy_violation")

    async def _serve(self, call: _Call, body: Body, key: bytes, fault: str | None) -> None:
        """The work of one request that has got its turn."""
        behaviour = self.behaviour
        if fault == "hangs":
            call.keep = False
            await asyncio.sleep(behaviour.hang)
            return
        if behaviour.latency:
            await asyncio.sleep(behaviour.seconds(key, call.attempt))
        if fault == "fails":
            raise Refused(500, "the server failed")
        data = self.writer.completion(body, key, call.chat)
        if fault == "cut":
            call.keep = False
            await call.send(call.head(200, len(data)) + data[: len(data) // 2])
        elif fault == "wrong_json":
            await call.send(call.head(200, len(data) // 2) + data[: len(data) // 2])
        elif await (self._drip(call, data) if fault == "drips" else call.send(call.head(200, len(data)) + data)):
            call.tally.answer(call.asked)

    async def _drip(self, call: _Call, data: bytes) -> bool:
        clock = asyncio.get_running_loop().time
        begun = clock()
        await call.send(call.head(200, len(data)))
        for at in range(len(data)):
            await asyncio.sleep(begun + (at + 1) * self.behaviour.drip / len(data) - clock())
            if not await call.send(data[at : at + 1]):
                return False
        return True


class Stub:
    """An OpenAI-compatible server without a model, open inside `with`; `behaviour` says how slow and how broken it is.

    Serves `/v1/chat/completions`, `/v1/completions`, `/v1/models` and `/health`; `GET /counts` is `counts()` as JSON
    and `POST /reset` is `reset()`. It may be opened again, on the same port and with the counts so far.
    """

    def __init__(self, behaviour: Behaviour | None = None, reply: Reply | None = None, port: int = 0) -> None:
        """`reply`: writes each sample, in the server's thread. `port` 0: a free one."""
        self._desk = _Desk(behaviour or Behaviour(), reply)
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without the `/v1`; known once the server was opened."""
        return f"http://127.0.0.1:{self._port}"

    def counts(self) -> Counts:
        """What it was asked and what it answered; also after it was closed."""
        return self._there(lambda: self._desk.tally.counts())

    def reset(self) -> None:
        """Count from nothing; a request in flight is counted no more."""
        self._there(lambda: setattr(self._desk, "tally", Tally()))

    def __enter__(self) -> Self:
        """Raises `OSError` where the port is taken."""
        listening = socket.create_server(("127.0.0.1", self._port), backlog=QUEUE)  # early requests wait in its queue
        self._port = listening.getsockname()[1]
        self._loop, self._stop = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(self._loop, listening), name="stub", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop = None

    def _run(self, loop: asyncio.AbstractEventLoop, listening: socket.socket) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._desk.serve(listening, self._stop))

    def _there(self, work: Callable[[], Value]) -> Value:
        """Do `work` in the server's thread, so that what a reply has changed is seen by whoever got it."""
        if self._loop is None:
            return work()

        async def working() -> Value:
            return work()

        return asyncio.run_coroutine_threadsafe(working(), self._loop).result()
