"""A child answers lines of JSON or is given up, and one that waits for work is used again."""

import os
import sys
from collections.abc import Iterator

import pytest

from tasks.verification.json_process import IdlePool, JsonProcess, ProcessDied, ProcessOwner, Timeout

ECHO = """
import json, os, sys, time
for line in sys.stdin:
    message = json.loads(line)
    if "exit" in message:
        sys.exit(message["exit"])
    time.sleep(message.get("wait", 0))
    print(line, end="", flush=True)
"""


class Echo(ProcessOwner):
    """Says what it is told."""

    def __init__(self, code: str = ECHO) -> None:
        super().__init__()
        self._child = JsonProcess([sys.executable, "-c", code], dict(os.environ))

    def say(self, message: dict[str, object], seconds: float = 60) -> dict[str, object]:
        child = self._child
        assert child is not None
        return self._close_on_error(lambda: child.ask(message, seconds))


@pytest.fixture
def pool() -> Iterator[IdlePool[Echo]]:
    pool = IdlePool(Echo)
    yield pool
    pool.close()


def test_a_message_longer_than_a_pipe_comes_back(pool: IdlePool[Echo]) -> None:
    with pool.lend() as echo:
        assert echo.say({"text": "x" * 50_000}) == {"text": "x" * 50_000}


def test_one_that_is_late_is_given_up_and_ended(pool: IdlePool[Echo]) -> None:
    with pytest.raises(Timeout, match="it did not answer"), pool.lend() as echo:
        echo.say({"wait": 600}, seconds=0.1)
    assert echo.pid is None


def test_one_that_ends_says_how_and_what_it_wrote_last(pool: IdlePool[Echo]) -> None:
    with pytest.raises(ProcessDied, match="it exited with 1; no room"), pool.lend() as echo:
        echo.say({"exit": "no room"})


def test_one_that_is_idle_is_used_again_and_one_that_failed_is_not(pool: IdlePool[Echo]) -> None:
    with pool.lend() as first, pool.lend() as second:
        assert first is not second
    with pool.lend() as third:
        assert third is first
    with pytest.raises(ProcessDied), pool.lend() as failed:
        failed.say({"exit": 1})
    with pool.lend() as next_one:
        assert next_one is not failed
        assert next_one.say({"number": 1}) == {"number": 1}


def test_settings_keep_the_idle_apart(pool: IdlePool[Echo]) -> None:
    with pool.lend() as plain:
        pass
    with pool.lend(ECHO + "# another") as other:
        assert other is not plain


def test_a_fork_uses_none_of_its_parents(pool: IdlePool[Echo]) -> None:
    with pool.lend() as owned:
        pass
    pid = os.fork()
    if not pid:
        owned.close()
        os._exit(int(owned.is_owned))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with pool.lend() as still:
        assert still is owned
        assert still.say({"number": 1}) == {"number": 1}
