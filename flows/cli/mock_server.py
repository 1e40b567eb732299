"""Runs the mock server as a separate process. Every field of its behaviour is a flag."""

import gc
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from flows.cli import recipe_arguments, recipe_help
from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.server import MockServer
from schemas.errors import BadInput


def serve(port: int, arguments: Sequence[str]) -> int:
    """Print the server's URL as the first line, and serve until interrupted.

    Raises `BadInput` if the port cannot be opened or a flag is wrong.
    """
    behaviour = recipe_arguments.parse(MockBehaviour, arguments)
    with ExitStack() as opened:
        try:
            server = opened.enter_context(MockServer(behaviour, port=port))
        except (OSError, OverflowError) as error:
            raise BadInput(f"--port {port}: {error}; give another, or leave it out for a free one") from error
        with suppress(KeyboardInterrupt):  # from the first moment on: whoever reads the URL may interrupt
            print(server.url, flush=True)
            gc.freeze()  # imported modules live as long as the server, so garbage collection can skip them
            threading.Event().wait()
    return 0


def describe() -> int:
    """Print every flag with its default and its purpose."""
    print("questmill mock-server [--port 0] [@behaviour.toml] [--field value ...]\n")
    print(*recipe_help.format_flags(MockBehaviour, recipe_help.describe(MockBehaviour), short=False), sep="\n")
    return 0
