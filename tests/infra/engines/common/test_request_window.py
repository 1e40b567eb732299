"""The request window: full whenever something waits, and narrower only where a server cannot keep up."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.engines.common.request_window import ConcurrencyLimit, RequestWindow, RetryableError
from schemas.engine import Completion, Failure, Reply, Request, RequestObserver
from schemas.errors import EngineError
from schemas.prompts import Prompt, Sampling

DONE = [Completion(text="", finish_reason="stop", prompt_tokens=1, completion_tokens=1)]
SAMPLING = Sampling()


def requests(shard: str, rows: int) -> list[Request]:
    return [Request(f"{shard}{i}", Prompt(stage="s"), (i,)) for i in range(rows)]


class Server:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting: dict[str, asyncio.Future[Reply]] = {}
        self.changed = threading.Condition()

    async def send(self, request: Request, sampling: Sampling) -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        with self.changed:
            self.asked.append(request.row_id)
            self.waiting[request.row_id] = answer
            self.changed.notify_all()
        return await answer

    def wait(self, rows: int) -> None:
        """Until so many are waiting."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.waiting) == rows, timeout=30), self.waiting.keys()

    def answer(self, window: RequestWindow, *rows: str) -> None:
        for row in rows:
            with self.changed:
                future = self.waiting.pop(row)
            window.loop.call_soon_threadsafe(future.set_result, DONE)


async def nothing() -> None:
    pass


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def window(server: Server) -> Iterator[RequestWindow]:
    window = RequestWindow(server.send, ConcurrencyLimit(1, 4), deadline=60, max_attempts=3)
    yield window
    window.close(nothing)


def test_the_next_shard_fills_the_window_while_the_last_one_drains(window: RequestWindow, server: Server) -> None:
    with ThreadPoolExecutor() as pool:
        first = pool.submit(lambda: len(list(window.stream(requests("a", 3), SAMPLING, RequestObserver()))))
        server.wait(3)
        second = pool.submit(lambda: len(list(window.stream(requests("b", 3), SAMPLING, RequestObserver()))))
        server.wait(4)
        assert server.asked == ["a0", "a1", "a2", "b0"]
        server.answer(window, "a1")
        server.wait(4)
        assert server.asked[-1] == "b1" and not first.done()
        server.answer(window, "a0", "a2", "b0")
        assert first.result(30) == 3
        server.wait(2)
        server.answer(window, "b1", "b2")
        assert second.result(30) == 3


def test_replies_are_handed_back_as_they_come(window: RequestWindow, server: Server) -> None:
    stream = window.stream(requests("a", 4), SAMPLING, RequestObserver())
    with ThreadPoolExecutor() as pool:
        first = pool.submit(next, stream)
        server.wait(4)
        server.answer(window, "a2")
        request, _ = first.result(30)
        assert request.row_id == "a2"
        server.answer(window, "a0", "a1", "a3")
        assert {request.row_id for request, _ in stream} == {"a0", "a1", "a3"}


def test_slow_parsing_never_holds_up_sending(window: RequestWindow, server: Server) -> None:
    stream = window.stream(requests("a", 9), SAMPLING, RequestObserver())
    with ThreadPoolExecutor() as pool:
        first = pool.submit(next, stream)
        server.wait(4)
        server.answer(window, "a0")
        first.result(30)  # nobody reads on
        for row in range(1, 6):
            server.wait(4)
            server.answer(window, f"a{row}")
        server.wait(3)
        server.answer(window, "a6", "a7", "a8")
        assert len(list(stream)) == 8


def test_a_shard_enters_when_less_than_a_windowful_waits(window: RequestWindow, server: Server) -> None:
    def shard(name: str, rows: int) -> int:
        window.admit()
        entered.append(name)
        return len(list(window.stream(requests(name, rows), SAMPLING, RequestObserver())))

    entered: list[str] = []
    with ThreadPoolExecutor() as pool:
        first = pool.submit(shard, "a", 10)
        server.wait(4)  # six wait, four are in flight
        second = pool.submit(shard, "b", 1)
        server.answer(window, "a0", "a1")
        server.wait(4)
        assert entered == ["a"]
        server.answer(window, "a2")
        server.wait(4)  # three wait
        server.answer(window, "a3", "a4", "a5")
        server.wait(4)
        server.answer(window, "a6", "a7", "a8", "a9")
        server.wait(1)
        server.answer(window, "b0")
        assert (first.result(30), second.result(30), entered) == (10, 1, ["a", "b"])


def test_closing_tells_whoever_still_waits(server: Server) -> None:
    window = RequestWindow(server.send, ConcurrencyLimit(1, 4), deadline=60, max_attempts=3)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: list(window.stream(requests("a", 2), SAMPLING, RequestObserver())))
        server.wait(2)
        window.close(nothing)
        with pytest.raises(EngineError, match="closed"):
            waiting.result(30)
    with pytest.raises(EngineError, match="closed"):
        list(window.stream(requests("a", 1), SAMPLING, RequestObserver()))


def test_two_attempts_at_one_request_may_fail_at_once(server: Server) -> None:
    window = RequestWindow(server.send, ConcurrencyLimit(1, 4), deadline=60, max_attempts=1)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: list(window.stream(requests("a", 1), SAMPLING, RequestObserver())))
        server.wait(1)
        first = server.waiting.pop("a0")
        window.loop.call_soon_threadsafe(lambda: [window._start_attempt(job) for job in list(window.in_flight)])
        server.wait(1)
        second = server.waiting.pop("a0")

        def fail() -> None:
            first.set_exception(RetryableError("cut off", "one"))
            second.set_exception(RetryableError("cut off", "other"))

        window.loop.call_soon_threadsafe(fail)
        ((_, reply),) = waiting.result(30)
    assert isinstance(reply, Failure) and reply.reason == "cut off"
    window.close(nothing)


def test_a_watch_that_fails_ends_the_stream_with_its_error(window: RequestWindow, server: Server) -> None:
    class Full(RequestObserver):
        def on_reply(self, request: Request, reply: Reply) -> None:
            raise OSError("no room")

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(lambda: list(window.stream(requests("a", 2), SAMPLING, Full())))
        server.wait(2)
        server.answer(window, "a0")
        with pytest.raises(OSError, match="no room"):
            waiting.result(30)


def told(limit: ConcurrencyLimit, replies: int, seconds: float = 1.0, complaints: int = 0) -> int:
    """The window's size after so many replies, the first of them complaints."""
    for i in range(replies):
        limit.record("s", seconds, overloaded=i < complaints)
    return limit.size


def test_a_server_that_complains_narrows_the_window_down_to_the_floor_and_one_that_recovers_opens_it() -> None:
    limit = ConcurrencyLimit(4, 64)
    assert told(limit, 32, complaints=16) == 32
    assert told(limit, 32, complaints=32) == 16
    assert told(limit, 32 * 20, complaints=32 * 20) == 4
    assert told(limit, 32) == 6
    assert told(limit, 32 * 40) == 64


def test_a_request_turned_down_now_and_then_does_not_narrow_the_window() -> None:
    assert told(ConcurrencyLimit(4, 256), 128, complaints=4) == 256


def test_latency_that_rises_for_every_stage_narrows_the_window() -> None:
    limit = ConcurrencyLimit(4, 64)
    told(limit, 32, seconds=1.0)
    assert told(limit, 32, seconds=6.0) == 51
    assert told(limit, 32, seconds=1.0) == 53


def test_replies_that_are_simply_longer_now_do_not_keep_the_window_small() -> None:
    limit = ConcurrencyLimit(4, 64)
    told(limit, 32, seconds=1.0)
    assert told(limit, 32 * 40, seconds=8.0) == 64


def test_a_slow_stage_beside_a_fast_one_is_no_congestion() -> None:
    limit = ConcurrencyLimit(4, 64)
    for stage, seconds in [("judge", 0.1), ("solve", 10.0)] * 64:
        limit.record(stage, seconds, overloaded=False)
    assert limit.size == 64
