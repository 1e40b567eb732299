"""Runs in the fork of a program: calls its functions with the arguments that it is sent, and sends back the values.

The program may change this module, since it runs in the same process, and may send back whatever it likes. That gains
it nothing, because the process never holds an expected value: whoever compares is in another process.
"""

import itertools
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from tasks.verification.code_execution.sandbox.plain_data import NotPlain, read_plain, write_plain

MODULE_NAME = "solution"
"""Name of the program's module: not `__main__`, so that the program's main block does not run."""
MAX_ITEMS = 100_000
"""Most items that are taken from an iterator."""
MAX_REPLY_BYTES = 8 << 20
"""Bytes of a longest reply."""
CHANGEABLE = (list, dict, set, bytearray)
"""Arguments of these classes can be changed by a call."""


class CallServer:
    """The program and the objects of it that were handed out, which the other side knows only by number."""

    def __init__(self, text: bytes, file_name: str) -> None:
        self._module = sys.modules[MODULE_NAME] = types.ModuleType(MODULE_NAME)
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._failure: BaseException | None = None
        try:
            exec(compile(text, file_name, "exec", dont_inherit=True), self._module.__dict__)
        except BaseException as error:
            self._failure = error

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request: a value, or the classes of what was raised."""
        try:
            if self._failure:
                raise self._failure
            arguments = [read_plain(part, self._find_object) for part in request["arguments"]]
            named = {name: read_plain(part, self._find_object) for name, part in request["named"].items()}
            value = _ACTIONS[request["action"]](self._resolve(request["target"]), *arguments, **named)
            reply: dict[str, Any] = {"value": write_plain(value, self._hand_out)}
        except BaseException as error:
            return _describe_error(error)
        after = [write_plain(part, self._hand_out) if isinstance(part, CHANGEABLE) else None for part in arguments]
        if any(part is not None and part != before for part, before in zip(after, request["arguments"], strict=True)):
            reply["changed"] = after
        return reply

    def _resolve(self, target: dict[str, Any]) -> Any:
        if "object" in target:
            thing = self._objects[target["object"]]
        else:
            first, *rest = target["name"].split(".")
            thing = self._find_name(first)
            for name in rest:
                thing = getattr(thing() if isinstance(thing, type) else thing, name)
        return getattr(thing, target["attribute"]) if "attribute" in target else thing

    def _find_name(self, name: str) -> Any:
        """A global of the program, or a method of its `class Solution`."""
        if name in vars(self._module):
            return vars(self._module)[name]
        solution = vars(self._module).get("Solution")
        if isinstance(solution, type) and hasattr(solution, name):
            return getattr(solution(), name)
        raise NameError(f"name {name!r} is not defined")

    def _find_object(self, data: dict[str, Any]) -> Any:
        return self._objects[data["object"]]

    def _hand_out(self, value: Any) -> dict[str, Any]:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return {"object": self._numbers[id(value)]}


def _describe_error(error: BaseException) -> dict[str, Any]:
    classes = [kind.__name__[:100] for kind in type(error).__mro__ if issubclass(kind, BaseException)]
    try:
        message = str(error)[:300]
    except Exception:
        message = ""
    return {"raised": classes, "message": message}


def _call(thing: Any, *arguments: Any, **named: Any) -> Any:
    return thing(*arguments, **named)


def _list_items(thing: Any) -> list[Any]:
    items = list(itertools.islice(iter(thing), MAX_ITEMS + 1))
    if len(items) > MAX_ITEMS:
        raise OverflowError(f"more than {MAX_ITEMS} items")
    return items


_ACTIONS: dict[str, Callable[..., Any]] = {
    "call": _call,
    "get": lambda thing: thing,
    "items": _list_items,
    "next": lambda thing: next(thing),
    "length": lambda thing: len(thing),
    "item": lambda thing, key: thing[key],
    "text": lambda thing: str(thing),
}


def serve_calls(text: bytes, file_name: str, requests: int, replies: int) -> None:
    """Answer requests from one descriptor on another until there are no more. Never returns."""
    server = CallServer(text, file_name)
    with open(requests, "rb") as lines:
        for line in lines:
            try:
                data = json.dumps(server.answer(json.loads(line))).encode()
                if len(data) > MAX_REPLY_BYTES:
                    raise NotPlain("too long")
            except (NotPlain, MemoryError, RecursionError, ValueError) as error:
                data = json.dumps(_describe_error(error)).encode()
            view = memoryview(data + b"\n")
            while view:
                view = view[os.write(replies, view) :]
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(0)
