"""A gateway in front of the S3 server of the tests, which answers as other servers do, and fails when told to."""

import asyncio
import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

HOP = {"connection", "content-length", "expect", "keep-alive", "transfer-encoding"}
CONDITION = re.compile(rb"<Condition>.*?</Condition>")
PAGE = b"<html><body><h1>404</h1><p>nginx</p></body></html>"


class Gateway:
    """Passes requests on to `server`. The error bodies of its answers are what the tests change."""

    def __init__(self, server: str) -> None:
        self.server, self.url = server, ""
        self.body: Callable[[int, bytes], bytes] = lambda status, body: body
        """The body of an answer of this status that is an error."""
        self.refused: list[tuple[str, int]] = []
        """Method and status: the next such request is answered so, without a body, and not passed on."""
        self.lost: list[tuple[str, int | None]] = []
        """The same, but passed on first; None: instead of an answer the connection is closed."""
        self.meanwhile: Callable[[str], None] = lambda request: None
        """What others do before a request, e.g. `PUT /bucket/key`, is passed on."""
        self.seen: list[tuple[str, int]] = []
        """Method and status of every answer; 0 for a closed connection."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        for number, (method, status) in enumerate(self.refused):
            if method == request.method:
                del self.refused[number]
                await request.read()
                self.seen.append((method, status))
                return web.Response(status=status)
        await asyncio.to_thread(self.meanwhile, f"{request.method} {request.raw_path}")
        sent = io.BytesIO(await request.read())
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, f"{self.server}{request.raw_path}", data=sent, headers=headers) as answer,
        ):
            body = await answer.read()
        for number, (method, status) in enumerate(self.lost):
            if method == request.method:
                del self.lost[number]
                self.seen.append((method, status or 0))
                if status is None and request.transport is not None:
                    request.transport.abort()
                return web.Response(status=status or 500)
        self.seen.append((request.method, answer.status))
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
        if request.method == "HEAD":
            return web.Response(
                status=answer.status, headers=kept | {"Content-Length": answer.headers["Content-Length"]}
            )
        return web.Response(status=answer.status, headers=kept, body=self.body(answer.status, body))


@contextmanager
def gateway(server: str) -> Iterator[Gateway]:
    """A gateway that listens on this machine for as long as this is open."""
    gate, loop, ready = Gateway(server), asyncio.new_event_loop(), threading.Event()

    async def serve() -> web.AppRunner:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", gate.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        gate.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        return runner

    def run() -> None:
        runner = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert ready.wait(30)
        yield gate
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)


def without_condition(status: int, body: bytes) -> bytes:
    """As Ceph's gateway answers: the error does not name the condition that failed."""
    return CONDITION.sub(b"", body) if status == 412 else body


def without_body(status: int, body: bytes) -> bytes:
    """As proxies and some gateways answer: the status is all there is of an error."""
    return b"" if status >= 400 else body


def as_page(status: int, body: bytes) -> bytes:
    """As a proxy answers that replaces every error with a page of its own."""
    return PAGE if status >= 400 else body
