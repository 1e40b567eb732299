"""Runs in a fork of its own: runs unit tests, whose calls of the program go to the process in which the program is.

The tests hold the expected values, so the program must not share a process with them. In the tests each name of the
program stands for a `ProgramObject`: calling it sends the arguments, by value, to `call_server`, and gives back the
value. Values that are not plain data stay in the program's process, and can be called and passed back, but not
compared: their equality is the program's, which could call everything equal.
"""

import ast
import builtins
import contextlib
import io
import json
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from tasks.verification.code_execution.sandbox.call_server import CHANGEABLE, MAX_REPLY_BYTES
from tasks.verification.code_execution.sandbox.plain_data import NotPlain, read_plain, write_plain

RECORDER = "__questmill_record__"
"""Name of the function by which a rewritten assert reports its result."""
_RECORDED_ASSERT = f"""
try:
    assert 0
except Exception as __error__:
    {RECORDER}(__error__)
else:
    {RECORDER}()
"""
_UNSAFE_TO_RAISE = (StopIteration, StopAsyncIteration)
"""Exceptions of a program that would end a loop of the tests without a word."""


class Suite(NamedTuple):
    """Unit tests, as plain JSON can hold them."""

    setup: tuple[str, ...] = ()
    """Code that runs first: imports and helpers. It is the tests' own, not the program's."""
    cases: tuple[str, ...] = ()
    """Asserts, functions named `test_...`, or a function `check` of one argument."""
    entries: tuple[str, ...] = ()
    """Names of the program that the tests are about. If empty, they may be about one name of the program."""
    copies_back: bool = False
    """Whether an argument that a call changed is changed in the tests even if the call returned a value."""


class NotComparable(BaseException):
    """The tests need more of a value than its process can prove. No `except Exception` of a test may hide it."""


class ProgramError(Exception):
    """What the program raised, if it is of no class that the tests know."""


class ProgramEnded(BaseException):
    """The program's process has ended."""


class Connection:
    """The pipes to the program's process."""

    def __init__(self, requests: int, replies: int, copies_back: bool) -> None:
        self._requests, self._replies = requests, open(replies, "rb")  # noqa: SIM115
        self._copies_back = copies_back
        self.is_closed = self.has_changed = False
        self.doubt = ""
        self.valued_names: set[str] = set()
        """Names of the program from which the tests had plain values."""

    def ask(self, name: str, target: Mapping[str, Any], action: str, *arguments: Any, **named: Any) -> Any:
        """The value of one action on the program. `name` is the global of the program from which the target comes."""
        try:
            request = {
                "target": target,
                "action": action,
                "arguments": [write_plain(part, _write_object) for part in arguments],
                "named": {key: write_plain(part, _write_object) for key, part in named.items()},
            }
        except NotPlain as error:
            return self.refuse(f"argument: {error}")

        def read_object(data: Mapping[str, Any]) -> ProgramObject:
            return ProgramObject(self, name, {"object": int(data["object"])})

        reply = self._send(request)
        if "raised" in reply:
            raise _make_error(reply["raised"], str(reply.get("message")))
        try:
            value = read_plain(reply["value"], read_object)
            changed = [None if part is None else read_plain(part, read_object) for part in reply.get("changed", ())]
        except (LookupError, NotPlain, RecursionError, TypeError):
            raise ProgramError("its value could not be read") from None
        self.has_changed |= bool(changed)
        if changed and (value is None or self._copies_back):
            for argument, content in zip(arguments, changed, strict=False):
                _replace_content(argument, content)
        if not isinstance(value, ProgramObject) and not (value is None and changed):
            self.valued_names.add(name)
        return value

    def refuse(self, why: str) -> NoReturn:
        """Note that the tests cannot decide, even if they hide the exception."""
        self.doubt = self.doubt or why
        raise NotComparable(why)

    def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        line = b""
        try:
            view = memoryview(json.dumps(request).encode() + b"\n")
            while view and not self.is_closed:
                view = view[os.write(self._requests, view) :]
            line = b"" if self.is_closed else self._replies.readline(MAX_REPLY_BYTES + 2)
        except BrokenPipeError:
            pass
        if not line.endswith(b"\n"):
            self.is_closed = True
            raise ProgramEnded
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            reply = None
        return reply if isinstance(reply, dict) else {}


class ProgramObject:
    """An object of the program's process: it can be called, read and passed back, but not compared."""

    _connection: Connection
    _name: str
    _target: Mapping[str, Any]

    def __init__(self, connection: Connection, name: str, target: Mapping[str, Any]) -> None:
        vars(self).update(_connection=connection, _name=name, _target=target)

    def _ask(self, action: str, *arguments: Any, **named: Any) -> Any:
        return self._connection.ask(self._name, self._target, action, *arguments, **named)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._ask("call", *arguments, **named)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        target = {**self._target, "attribute": attribute} if "attribute" not in self._target else None
        if target is None:
            return getattr(self._ask("get"), attribute)
        value = self._connection.ask(self._name, target, "get")
        return ProgramObject(self._connection, self._name, target) if isinstance(value, ProgramObject) else value

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ask("items"))

    def __next__(self) -> Any:
        try:
            return self._ask("next")
        except ProgramError as error:
            if str(error).startswith("StopIteration"):
                raise StopIteration from None
            raise

    def __len__(self) -> int:
        length = self._ask("length")
        return length if type(length) is int else self._connection.refuse("length")

    def __getitem__(self, key: Any) -> Any:
        return self._ask("item", key)

    def __str__(self) -> str:
        text = self._ask("text")
        return text if type(text) is str else self._connection.refuse("text")

    def __hash__(self) -> int:
        return id(self)

    def _refuse(self, *_: Any) -> NoReturn:
        self._connection.refuse("an object that is no plain data is compared")

    __repr__ = __str__
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = __instancecheck__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __mod__ = __pow__ = __and__ = __or__ = __xor__ = __neg__ = __abs__ = __round__ = _refuse
    __float__ = __int__ = __index__ = __setitem__ = __enter__ = __exit__ = _refuse


def _write_object(value: Any) -> dict[str, Any]:
    if type(value) is ProgramObject and "object" in value._target and "attribute" not in value._target:
        return {"object": value._target["object"]}
    raise NotPlain(type(value).__name__)


def _replace_content(argument: Any, content: Any) -> None:
    if type(argument) is not type(content) or not isinstance(argument, CHANGEABLE):
        return
    argument.clear()
    if isinstance(argument, dict | set):
        argument.update(content)
    else:
        argument.extend(content)


def _make_error(classes: Any, message: str) -> BaseException:
    """The exception that the program raised, as the nearest of Python's own that is safe to raise here."""
    names = [name for name in classes if isinstance(name, str)] if isinstance(classes, list) else []
    error: BaseException = ProgramError(f"{next(iter(names), 'an exception')}: {message}")
    for name in names:
        kind = vars(builtins).get(name)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
            if not issubclass(kind, _UNSAFE_TO_RAISE):
                with contextlib.suppress(TypeError):  # it takes more arguments than a message
                    error = kind(message)
            break
    vars(error)["raised_by_program"] = True
    return error


class _AssertRecorder(ast.NodeTransformer):
    """Rewrites each assert so that it records its result and the next one runs; not within `try` and `with`."""

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        if isinstance(node.test, ast.Constant):
            return ast.copy_location(ast.Pass(), node) if node.test.value else node
        attempt = ast.parse(_RECORDED_ASSERT).body[0]
        assert isinstance(attempt, ast.Try)
        attempt.body = [node]
        return ast.fix_missing_locations(ast.copy_location(attempt, node))

    def visit_Try(self, node: ast.Try) -> ast.stmt:
        return node

    def visit_With(self, node: ast.With) -> ast.stmt:
        return node


class SuiteRunner:
    """Runs the cases of a suite, and sends a line of JSON for each result to a descriptor."""

    def __init__(self, suite: Suite, connection: Connection, report: int) -> None:
        self._suite, self._connection, self._report = suite, connection, report
        self._names: dict[str, Any] = {"__name__": "tests", RECORDER: self._record}

    def run(self) -> None:
        """Run the suite. Faults of the tests are sent as `broken`, and what they cannot decide as `doubt`."""
        try:
            trees = [ast.parse(text) for text in (*self._suite.setup, *self._suite.cases)]
            free = self._find_free_names(trees)
            sys.modules.setdefault("solution", _SolutionModule("solution", self._make_object))
            self._names |= {name: self._make_object(name) for name in free}
            for tree in trees[: len(self._suite.setup)]:
                exec(compile(tree, "setup", "exec"), self._names)
        except Exception as error:
            self._send({"broken": f"{type(error).__name__}: {error}"[:300]})
            return
        self._names |= {name: self._make_object(name) for name in self._suite.entries}
        for tree in trees[len(self._suite.setup) :]:
            self._run_case(tree)
        connection, entries = self._connection, set(self._suite.entries)
        foreign = connection.valued_names - entries
        if not connection.doubt and (foreign if entries else len(foreign) > 1):
            connection.doubt = f"the tests measure with {', '.join(sorted(foreign))}"
        self._send({"done": True, "doubt": connection.doubt, "changed": connection.has_changed})

    def _run_case(self, tree: ast.Module) -> None:
        before = dict(self._names)
        self._attempt(lambda: exec(compile(_AssertRecorder().visit(tree), "tests", "exec"), self._names))
        defined = {name: self._names[name] for name in self._names if self._names[name] is not before.get(name)}
        check = defined.get("check")
        if isinstance(check, types.FunctionType) and self._suite.entries:
            self._attempt(lambda: check(self._make_object(self._suite.entries[0])))
        for name, function in defined.items():
            if name.startswith("test") and isinstance(function, types.FunctionType):
                self._attempt(function)

    def _attempt(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except (Exception, NotComparable, ProgramEnded) as error:
            self._record(error)
        except BaseException as error:
            self._send({"broken": type(error).__name__})

    def _record(self, error: BaseException | None = None) -> None:
        """Send the result of one assert, or of a test that was left by an exception."""
        if error is None:
            self._send({"passed": not self._connection.is_closed})
            return
        is_own = not vars(error).get("raised_by_program") and not isinstance(error, ProgramError)
        if is_own and isinstance(error, ImportError | NameError | SyntaxError):
            self._send({"broken": f"{type(error).__name__}: {error}"[:300]})
        elif not isinstance(error, NotComparable):
            kind = "ended" if isinstance(error, ProgramEnded) else "differs" if is_own else type(error).__name__
            self._send({"passed": False, "kind": kind, "error": f"{type(error).__name__}: {error}"[:300]})

    def _find_free_names(self, trees: list[ast.Module]) -> set[str]:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        return {name for name in used if name not in vars(builtins) and name != RECORDER}

    def _make_object(self, name: str) -> ProgramObject:
        return ProgramObject(self._connection, name, {"name": name})

    def _send(self, message: dict[str, Any]) -> None:
        os.write(self._report, json.dumps(message).encode() + b"\n")


class _SolutionModule(types.ModuleType):
    """The module `solution`, from which tests may import the program's names."""

    def __init__(self, name: str, make: Callable[[str], ProgramObject]) -> None:
        super().__init__(name)
        vars(self)["_make"] = make

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return vars(self)["_make"](name)


def run_tests(text: bytes, replies: int, requests: int) -> None:
    """Run the suite in `text`, which is JSON, and send the results to standard output. Never returns."""
    fields = json.loads(text)
    setup, cases, entries = (tuple(fields[name]) for name in ("setup", "cases", "entries"))
    suite = Suite(setup, cases, entries, fields["copies_back"])
    report = os.dup(1)
    sys.stdout = sys.stderr = io.StringIO()
    SuiteRunner(suite, Connection(requests, replies, suite.copies_back), report).run()
    os._exit(0)
