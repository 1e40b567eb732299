"""A server that answers exactly what a test says, byte for byte, and keeps what it was asked."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit


class Asked(NamedTuple):
    """One request."""

    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: dict[str, Any]


class Answer(NamedTuple):
    """One reply; `content` that is no bytes is sent as JSON."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = {}


class ScriptedServer:
    """Answers each request by a function of it, open inside `with`; `asked` holds the requests in order."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        asked = self.asked

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Say nothing of clients that hang up."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                parts = urlsplit(self.path)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                request = Asked(parts.path, parse_qs(parts.query), dict(self.headers.items()), body)
                asked.append(request)
                content, status, headers = answer(request)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def chat_reply(*messages: Mapping[str, Any] | str, finish_reason: Any = "stop", **more: Any) -> dict[str, Any]:
    """A reply of the chat API with one choice for each message."""
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", **({"content": each} if isinstance(each, str) else each)},
            "finish_reason": finish_reason,
        }
        for i, each in enumerate(messages)
    ]
    usage = {"prompt_tokens": 7, "completion_tokens": 5 * len(messages), "total_tokens": 7 + 5 * len(messages)}
    return {"choices": choices, "usage": usage} | more
