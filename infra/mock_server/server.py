"""Serves the mock over HTTP, on this machine only, in its own thread."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from contextlib import nullcontext
from http import HTTPStatus
from typing import Self, TypeVar

from aiohttp import web

from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.counters import Counters, CounterSnapshot
from infra.mock_server.dialects import DIALECTS, Endpoint
from infra.mock_server.replies import (
    SCORING_ENDPOINTS,
    Body,
    HttpRefusal,
    ReplyFunction,
    ReplyWriter,
    check_dialect,
    count_words,
    parse_request,
    prompt_of,
)

Result = TypeVar("Result")

BACKLOG_CONNECTIONS = 4096
"""Connections that may wait to be accepted; a benchmark opens all of its connections at once."""


class _SentResponse(web.StreamResponse):
    """A response already sent: aiohttp's own writer and headers would take longer than all the rest together."""

    def __init__(self, keep: bool) -> None:
        super().__init__()
        self._keep_open = keep

    @property
    def keep_alive(self) -> bool:
        return self._keep_open

    async def prepare(self, request: web.BaseRequest) -> None:
        """Do nothing: the response is already sent."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the whole body is already sent."""


STATUS_PHRASES = {status.value: status.phrase for status in HTTPStatus}
KEEP_ALIVE_RESPONSE, CLOSE_RESPONSE = _SentResponse(True), _SentResponse(False)


class _Call:
    """One request for a completion, and how to answer its client."""

    __slots__ = ("attempt", "counters", "endpoint", "keep_alive", "query", "record", "request")

    def __init__(self, request: web.BaseRequest, counters: Counters, endpoint: Endpoint, raw: bytes) -> None:
        self.request, self.counters = request, counters
        self.endpoint, self.keep_alive = endpoint, request.keep_alive
        path, _, self.query = request.raw_path.partition("?")
        self.record = counters.open_request(path, raw)
        self.attempt = self.record.times_asked

    def build_head(self, status: int, length: int, retry_after: float | None = None) -> bytes:
        """Return status line and headers, and count the status."""
        self.counters.by_status[status] += 1
        extra_headers = "" if retry_after is None else f"Retry-After: {retry_after:g}\r\n"
        extra_headers += "" if self.keep_alive else "Connection: close\r\n"
        return (
            f"HTTP/1.1 {status} {STATUS_PHRASES.get(status, 'Error')}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n{extra_headers}\r\n"
        ).encode()

    async def send(self, data: bytes) -> bool:
        """Send `data`; return whether the operating system took all of it."""
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


class _RequestHandler:
    """Answers the requests of one server; lives in one event loop at a time."""

    def __init__(self, behaviour: MockBehaviour, reply: ReplyFunction | None) -> None:
        self.behaviour, self.writer = behaviour, ReplyWriter(behaviour, reply)
        self.counters, self.dialect = Counters(), DIALECTS[behaviour.dialect]
        self.capacity_semaphore: asyncio.Semaphore | None = None

    async def serve(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then cut off the clients that are still connected."""
        self.capacity_semaphore = asyncio.Semaphore(self.behaviour.capacity) if self.behaviour.capacity else None
        # Without cancellation, a client that gave up would count and hold its place until its latency is over.
        server = web.Server(self.handle, access_log=None, handler_cancellation=True)
        listener = await asyncio.get_running_loop().create_server(server, sock=listening, backlog=BACKLOG_CONNECTIONS)
        await stop.wait()
        listener.close()
        for connection in server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of any kind."""
        path = request.raw_path.partition("?")[0]
        endpoint = self.dialect.find_endpoint(path)
        if endpoint is None or request.method != "POST":
            return self._answer_page(f"{request.method} {path}")
        raw = await request.content.read()
        counters = self.counters  # a reset replaces it
        call = _Call(request, counters, endpoint, raw)
        try:
            await self._answer(call, raw)
        except HttpRefusal as refused:
            body = refused.encode_body(self.dialect)
            await call.send(call.build_head(refused.status, len(body), refused.retry_after) + body)
        finally:
            counters.close_request()
        return KEEP_ALIVE_RESPONSE if call.keep_alive else CLOSE_RESPONSE

    def _answer_page(self, request_line: str) -> web.Response:
        if request_line == "GET /counts":
            return web.Response(text=self.counters.snapshot().model_dump_json(), content_type="application/json")
        if request_line == "POST /reset":
            self.counters = Counters()
            return web.json_response({})
        if request_line == "GET /health":
            return web.json_response({})
        if request_line == "GET /v1/models":
            model = {"id": self.behaviour.model, "object": "model", "created": 0, "owned_by": "questmill"}
            return web.json_response({"object": "list", "data": [model]})
        return web.Response(status=404, body=HttpRefusal(404, f"{request_line}: no such page").encode_body())

    async def _answer(self, call: _Call, raw: bytes) -> None:
        behaviour = self.behaviour
        body = parse_request(raw, call.endpoint)
        check_dialect(self.dialect, body, call.request.headers, call.query)
        key = call.counters.identify_body(call.record, body)
        self._check_refusals(body)
        fault = behaviour.draw_fault(key, call.attempt)
        if fault is not None:
            call.counters.faults[fault] += 1
        if fault == "fault_rate_limited":
            raise HttpRefusal(429, "too many requests", retry_after=behaviour.retry_after)
        if (
            self.capacity_semaphore is not None
            and behaviour.over_capacity == "refuse"
            and self.capacity_semaphore.locked()
        ):
            raise HttpRefusal(429, f"{behaviour.capacity} requests are being served", retry_after=behaviour.retry_after)
        async with self.capacity_semaphore or nullcontext():
            call.counters.start_serving()
            try:
                await self._serve(call, body, key, fault)
            finally:
                call.counters.stop_serving()

    def _check_refusals(self, body: Body) -> None:
        """Raise the `HttpRefusal` that this request always gets, if any."""
        behaviour = self.behaviour
        if behaviour.status is not None:
            retry_after = behaviour.retry_after if behaviour.status in (429, 503) else None
            raise HttpRefusal(behaviour.status, "this server refuses every request", retry_after=retry_after)
        if behaviour.context is not None and (words := count_words(prompt_of(body))) > behaviour.context:
            message = f"the prompt has {words} tokens, and the context {behaviour.context}"
            raise HttpRefusal(400, message, "context_length_exceeded")
        if behaviour.forbidden and behaviour.forbids(json.dumps(prompt_of(body), sort_keys=True).encode()):
            raise HttpRefusal(400, "this prompt is refused", "content_policy_violation")

    async def _serve(self, call: _Call, body: Body, key: bytes, fault: str | None) -> None:
        """Answer one request within the capacity."""
        behaviour = self.behaviour
        if fault == "fault_hang":
            call.keep_alive = False
            await asyncio.sleep(behaviour.hang_seconds)
            return
        if behaviour.latency:
            await asyncio.sleep(behaviour.draw_latency(key, call.attempt))
        if fault == "fault_server_error":
            raise HttpRefusal(500, "the server failed")
        if call.endpoint in SCORING_ENDPOINTS:
            data = self.writer.write_score(body, key, call.endpoint)
        else:
            data = self.writer.write_completion(body, key, call.endpoint == "chat", broken=fault == "fault_dialect")
        if fault == "fault_cut_off":
            call.keep_alive = False
            await call.send(call.build_head(200, len(data)) + data[: len(data) // 2])
        elif fault == "fault_invalid_json":
            await call.send(call.build_head(200, len(data) // 2) + data[: len(data) // 2])
        elif await (
            self._send_slowly(call, data)
            if fault == "fault_slow_body"
            else call.send(call.build_head(200, len(data)) + data)
        ):
            call.counters.record_answer(call.record)

    async def _send_slowly(self, call: _Call, data: bytes) -> bool:
        clock = asyncio.get_running_loop().time
        started_at = clock()
        await call.send(call.build_head(200, len(data)))
        for index in range(len(data)):
            await asyncio.sleep(started_at + (index + 1) * self.behaviour.slow_body_seconds / len(data) - clock())
            if not await call.send(data[index : index + 1]):
                return False
        return True


class MockServer:
    """An OpenAI-compatible server without a model, open inside `with`; `behaviour` sets its latency and its faults.

    Serves `/v1/chat/completions`, `/v1/completions`, `/pooling`, `/score`, `/classify`, `/v1/models` and `/health`, or
    the paths of its dialect. `GET /counts` returns
    `read_counters()` as JSON, and `POST /reset` calls `reset()`. It may be opened again, on the same port and with
    the counts so far.
    """

    def __init__(
        self, behaviour: MockBehaviour | None = None, reply: ReplyFunction | None = None, port: int = 0
    ) -> None:
        """`reply` writes each sample, in the server's thread; `port` 0 takes a free port."""
        self._handler = _RequestHandler(behaviour or MockBehaviour(), reply)
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without `/v1`; the port is known once the server has been opened."""
        return f"http://127.0.0.1:{self._port}"

    def read_counters(self) -> CounterSnapshot:
        """Return the counts of requests and answers; also works after the server was closed."""
        return self._run_in_server(lambda: self._handler.counters.snapshot())

    def reset(self) -> None:
        """Set all counts to zero; requests in flight are not counted any more."""
        self._run_in_server(lambda: setattr(self._handler, "counters", Counters()))

    def __enter__(self) -> Self:
        """Start the server. Raises `OSError` if the port is taken."""
        # Requests that arrive before the thread runs wait in the socket's queue.
        listening = socket.create_server(("127.0.0.1", self._port), backlog=BACKLOG_CONNECTIONS)
        self._port = listening.getsockname()[1]
        self._loop, self._stop = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop, listening), name="questmill-mock-server", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop = None

    def _run(self, loop: asyncio.AbstractEventLoop, listening: socket.socket) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._handler.serve(listening, self._stop))

    def _run_in_server(self, work: Callable[[], Result]) -> Result:
        """Run `work` in the server's thread, so that a client sees the counts that include its own reply."""
        if self._loop is None:
            return work()

        async def run_work() -> Result:
            return work()

        return asyncio.run_coroutine_threadsafe(run_work(), self._loop).result()
