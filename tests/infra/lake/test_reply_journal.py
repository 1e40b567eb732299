"""No reply of a model is paid for twice: it is in the journal at once, on the disk soon, and read back whole."""

import errno
import math
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.lake import reply_journal as module
from infra.lake.reply_journal import Journal
from infra.lake.store import Store
from schemas.engine import Completion
from schemas.errors import QuestmillError

SOON = 30.0
"""Seconds after which what should have happened at once did not."""
NEVER = 3600.0

ODD = {
    "lines": "one\ntwo\r\nthree\u2028four\u2029five\x85six",
    "quotes": 'a "quoted" \\ backslash \x00 \x1f \x7f',
    "languages": "é ß Ω 日本 \U0001f600 \ufeff \ufffd",
    "a lone high surrogate": "x \ud800 y",
    "a lone low surrogate": "\udfff",
    "a journal": '{"row": "b", "sample": 0, "reply": {}}\n{"row"',
    "a megabyte": "3x + 4 = 19\n" * 90_000,
    "nothing": "",
}

DAMAGED = [
    b'{"row":"a","sample":0,"repl',
    b"\0" * 4096,
    b"\xff\xfe{}",
    b"[" * 20_000,
    b"[]",
    b'"row"',
    b"7",
    b'{"row":"a","sample":0}',
    b'{"row":"a","sample":"0","reply":{"text":"","finish_reason":"stop","prompt_tokens":1,"completion_tokens":1}}',
    b'{"row":["a"],"sample":0,"reply":{"text":"","finish_reason":"stop","prompt_tokens":1,"completion_tokens":1}}',
    b'{"row":"a","sample":0,"reply":{"text":"","finish_reason":7,"prompt_tokens":1,"completion_tokens":1}}',
    b'{"row":"a","sample":0,"reply":{"text":null,"finish_reason":"stop","prompt_tokens":1,"completion_tokens":1}}',
    b'{"row":"a","sample":0,"reply":[]}',
    b"",
]


def reply(text: str = "x = 5", logprobs: tuple[float, ...] | None = None) -> Completion:
    return Completion(text=text, finish_reason="stop", prompt_tokens=7, completion_tokens=3, logprobs=logprobs)


class Disk(Store):
    """A lake whose disk or server hangs or fails when told to, and says when it has kept something."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.free, self.asked, self.kept = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)
        self.free.set()
        self.error: Exception | None = None
        self.forgets = False
        self.ghosts: list[str] = []

    def sync(self, file: int) -> None:
        self._wait()
        os.fsync(file)
        self.kept.release()

    def write(self, path: str, data: bytes) -> bool:
        self._wait()
        written = self.forgets or super().write(path, data)
        self.kept.release()
        return written

    def paths(self, folder: str) -> list[str]:
        return sorted(super().list_paths(folder) + self.ghosts)

    def _wait(self) -> None:
        self.asked.release()
        self.free.wait()
        if self.error:
            raise self.error


Open = Callable[..., Journal]


class JournalContract:
    """Subclasses define the fixture `store`: an empty lake."""

    @pytest.fixture
    def journal(self, store: Disk) -> Iterator[Open]:
        """Opens a journal that keeps nothing by itself unless told to; it is closed after the test."""
        opened: list[Journal] = []

        def open_journal(key: str = "k", group: int = 10**9, seconds: float = NEVER) -> Journal:
            opened.append(Journal(store, key, flush_replies=group, flush_seconds=seconds, sync=store.sync))
            return opened[-1]

        yield open_journal
        store.error = None
        store.free.set()
        for one in opened:
            one.remove()

    def test_nothing_is_written_before_the_first_reply(self, store: Disk, journal: Open) -> None:
        assert journal().read_replies() == {}
        journal().add("a", {})
        journal().close()
        assert not store.exists()

    def test_what_was_added_is_read_back(self, journal: Open) -> None:
        given = {
            "a": {0: reply(), 3: Completion(text="", finish_reason="length", prompt_tokens=0, completion_tokens=9)},
            "3f2a9c1b7d04:00000123/0": {1: reply(logprobs=(-0.1, -1e-300, -0.0, -3.0)), 0: reply(logprobs=())},
        }
        first = journal()
        for row, replies in given.items():
            first.add(row, replies)
        first.close()
        assert journal().read_replies() == first.read_replies() == given

    def test_a_journal_is_of_one_key(self, journal: Open) -> None:
        one = journal("k1")
        one.add("a", {0: reply()})
        one.close()
        assert journal("k").read_replies() == journal("k2").read_replies() == {}

    def test_samples_of_a_row_come_together_from_all_writers(self, journal: Open) -> None:
        for sample in range(3):
            writer = journal()
            writer.add("a", {sample: reply(str(sample))})
            writer.close()
        assert journal().read_replies() == {"a": {n: reply(str(n)) for n in range(3)}}

    def test_of_two_replies_to_one_question_the_first_by_file_name_counts(self, store: Disk, journal: Open) -> None:
        writers = [journal(), journal()]
        for name, writer in zip("xy", writers, strict=True):
            writer.add("a", {0: reply(name)})
            writer.add("a", {0: reply("later, by the same writer")})
        for writer in writers:
            writer.close()
        first, second = store.paths("journal/k")
        text = "x" if b'"text":"x"' in (store.read(first) or b"") else "y"
        assert journal().read_replies()["a"][0].text == text and first < second

    def test_any_text_comes_back_as_it_was(self, journal: Open) -> None:
        one = journal()
        for kind, text in ODD.items():
            one.add(kind, {0: reply(text)})
        one.close()
        found = journal().read_replies()
        assert [kind for kind, text in ODD.items() if found[kind] != {0: reply(text)}] == []

    def test_log_probabilities_that_are_no_numbers_come_back(self, journal: Open) -> None:
        one = journal()
        one.add("a", {0: reply(logprobs=(-math.inf, math.inf, math.nan, -0.5))})
        one.close()
        low, high, nan, last = journal().read_replies()["a"][0].logprobs or ()
        assert (low, high, last) == (-math.inf, math.inf, -0.5) and math.isnan(nan)

    def test_a_damaged_line_is_owed_and_the_rest_is_read(self, store: Disk, journal: Open) -> None:
        one = journal()
        for n in range(len(DAMAGED)):
            one.add(str(n), {0: reply()})
        one.close()
        (path,) = store.paths("journal/k")
        lines = (store.read(path) or b"").split(b"\n")
        store.write(
            "journal/damaged/one.jsonl",
            b"\n".join(part for pair in zip(DAMAGED, lines[:-1], strict=True) for part in pair),
        )
        assert journal("damaged").read_replies() == {str(n): {0: reply()} for n in range(len(DAMAGED))}

    def test_all_files_of_a_key_are_removed_of_all_writers(self, store: Disk, journal: Open) -> None:
        writers, other = [journal(), journal()], journal("other")
        for writer in (*writers, other):
            writer.add("a", {0: reply()})
        other.close()
        writers[1].close()
        writers[0].remove()
        assert store.paths("journal/k") == [] and journal().read_replies() == {}
        assert other.read_replies() == {"a": {0: reply()}}
        for writer in (*writers, journal()):
            writer.remove()
            writer.close()

    def test_a_file_that_another_worker_removes_meanwhile_is_no_error(self, store: Disk, journal: Open) -> None:
        one = journal()
        one.add("a", {0: reply()})
        one.close()
        store.ghosts = ["journal/k/0.jsonl", "journal/k/z.jsonl"]
        assert journal().read_replies() == {"a": {0: reply()}}
        Journal(store, "k").remove()
        one.remove()

    def test_a_closed_journal_takes_no_more(self, journal: Open) -> None:
        one = journal()
        one.add("a", {0: reply()})
        one.close()
        one.close()
        with pytest.raises(ValueError, match="journal k is closed: a reply of row b came too late"):
            one.add("b", {0: reply()})

    def test_many_threads_may_add_at_once(self, journal: Open) -> None:
        one, start = journal(group=16), threading.Barrier(8)

        def add(thread: int) -> None:
            start.wait()
            for n in range(50):
                one.add(f"{thread}/{n}", {0: reply(f"{thread} {n}"), 1: reply("again")})

        threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        one.close()
        found = journal().read_replies()
        assert len(found) == 400
        assert all(found[f"{t}/{n}"] == {0: reply(f"{t} {n}"), 1: reply("again")} for t in range(8) for n in range(50))

    def test_replies_are_kept_in_groups(self, store: Disk, journal: Open) -> None:
        assert module.FLUSH_REPLIES == 64
        one = journal(group=64)
        for n in range(63):
            one.add(str(n), {0: reply()})
        assert not store.asked.acquire(blocking=False)
        one.add("63", {0: reply()})
        assert store.kept.acquire(timeout=SOON)
        assert len(journal().read_replies()) == 64

    def test_the_samples_of_a_row_count_each(self, store: Disk, journal: Open) -> None:
        journal(group=64).add("a", {n: reply() for n in range(70)})
        assert store.kept.acquire(timeout=SOON)

    def test_a_single_reply_is_kept_soon(self, store: Disk, journal: Open) -> None:
        assert module.FLUSH_SECONDS == 2.0
        one = journal(seconds=0.01)
        for row in "ab":
            one.add(row, {0: reply()})
            assert store.kept.acquire(timeout=SOON)
        assert len(journal().read_replies()) == 2

    def test_nobody_who_adds_waits_for_a_disk_or_a_server(self, store: Disk, journal: Open) -> None:
        store.free.clear()
        one, other = journal(group=1), journal("other", group=1)
        one.add("0", {0: reply()})
        assert store.asked.acquire(timeout=SOON), "it hangs from here on"
        for n in range(1, 300):
            one.add(str(n), {0: reply()})
        other.add("a", {0: reply()})
        assert not store.kept.acquire(blocking=False), "it still hangs"
        store.free.set()
        one.close()
        other.close()
        assert len(one.read_replies()) == 300 and other.read_replies() == {"a": {0: reply()}}

    def test_what_is_kept_is_not_held_in_memory(self, store: Disk, journal: Open) -> None:
        store.forgets = True
        one, text = journal(), "3x + 4 = 19. " * 1000
        one.add("a", {0: reply()})
        one.flush()
        tracemalloc.start()
        try:
            for n in range(200):
                one.add(str(n), {0: reply(text)})
                if n % 10 == 9:
                    one.flush()
            grown, _ = tracemalloc.get_traced_memory()  # the peak would count the S3 server's threads, too
        finally:
            tracemalloc.stop()
        assert grown < 200_000, "2.6 MB were added"

    def test_asking_goes_on_while_nothing_can_be_kept(self, store: Disk, journal: Open) -> None:
        store.error = OSError(errno.ENOSPC, "No space left on device")
        one = journal(group=2, seconds=0.01)
        for n in range(10):
            one.add(str(n), {0: reply()})
        with pytest.raises(
            QuestmillError,
            match=r"^journal k: 10 replies could not be kept in .*: OSError: .*No space left .*; they will be",
        ):
            one.close()
        with pytest.raises(QuestmillError, match="No space left"):
            one.close()
        one.remove()
        one.close()

    def test_a_failure_that_cannot_be_mended_ends_no_thread(self, store: Disk, journal: Open) -> None:
        store.error = RuntimeError("a client with a fault")
        one, other = journal(seconds=0.01), journal("other", seconds=0.01)
        one.add("a", {0: reply()})
        assert store.asked.acquire(timeout=SOON)
        store.error = None
        other.add("b", {0: reply()})
        assert store.kept.acquire(timeout=SOON) and store.kept.acquire(timeout=SOON), "both"
        assert one.read_replies() == {"a": {0: reply()}} and other.read_replies() == {"b": {0: reply()}}

    def test_the_thread_ends_with_the_last_journal(self, store: Disk, journal: Open) -> None:
        one = journal(group=1)
        one.add("a", {0: reply()})
        assert store.kept.acquire(timeout=SOON)
        threads = [t for t in threading.enumerate() if t.name == "questmill-journal"]
        assert threads and all(t.daemon for t in threads)
        one.close()
        for thread in threads:  # that of an earlier test may be ending still
            thread.join(SOON)
        assert not any(t.is_alive() for t in threads)
        journal(group=1).add("b", {0: reply()})
        assert store.kept.acquire(timeout=SOON), "another thread"

    def test_the_end_of_the_process_closes_its_journals(self, store: Disk, journal: Open) -> None:
        if store.is_memory:
            pytest.skip("this store ends with its process")
        ended = python(store.url, "journal.add('a', {0: reply()})")
        assert ended.returncode == 0 and ended.stderr == ""
        assert list(journal().read_replies()) == ["a"]


class Remote(JournalContract):
    """What only stores promise that cannot append."""

    def test_segments_are_small_and_stay_as_they_are(self, store: Disk, journal: Open) -> None:
        one = journal()
        for row in "abc":
            one.add(row, {0: reply()})
            one.flush()
        assert [p.rpartition("-")[2] for p in store.paths("journal/k")] == [f"{n:06}.jsonl" for n in (1, 2, 3)]

    def test_what_failed_is_tried_again_until_it_is_written(self, store: Disk, journal: Open) -> None:
        store.error = OSError("the server is away")
        one = journal(group=1, seconds=0.01)
        one.add("a", {0: reply()})
        for _ in range(3):
            assert store.asked.acquire(timeout=SOON)
        store.error = None
        assert store.kept.acquire(timeout=SOON)
        assert journal().read_replies() == {"a": {0: reply()}}

    def test_what_could_not_be_kept_may_be_closed_again(self, store: Disk, journal: Open) -> None:
        store.error = OSError("the server is away")
        one = journal(seconds=0.01)
        one.add("a", {0: reply()})
        with pytest.raises(QuestmillError, match=r"^journal k: 1 replies could not be kept in .*the server is away"):
            one.close()
        store.error = None
        one.close()
        assert journal().read_replies() == {"a": {0: reply()}}


class TestMemory(Remote):
    @pytest.fixture
    def store(self, lake: str) -> Disk:
        return Disk(lake)


@pytest.mark.system
class TestS3(Remote):
    @pytest.fixture
    def store(self, s3_lake: str) -> Disk:
        return Disk(s3_lake)


class TestLocalFolder(JournalContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Disk:
        return Disk(str(tmp_path / "a lake [1] of 'é' #5%"))

    def test_a_torn_last_line_is_owed_wherever_it_is_torn(self, store: Disk, journal: Open) -> None:
        one = journal()
        one.add("a", {0: reply("whole")})
        one.add("b", {0: reply("é \ud800"), 1: reply("é \u2028", (-0.5, -1e-9))})
        one.close()
        (path,) = store.paths("journal/k")
        first, second, third, _ = (store.read(path) or b"").split(b"\n")
        for last, kept in ((second, {0: reply("é \ud800")}), (third, {1: reply("é \u2028", (-0.5, -1e-9))})):
            for length in range(len(last)):
                file = Path(store.locate(f"journal/torn-{length}/one.jsonl"))
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(first + b"\n" + last[:length])
                assert journal(f"torn-{length}").read_replies() == {"a": {0: reply("whole")}}, last[:length]
            file.write_bytes(first + b"\n" + last)
            assert journal(f"torn-{length}").read_replies() == {"a": {0: reply("whole")}, "b": kept}, "only a newline"

    def test_a_reply_can_be_read_at_once(self, store: Disk, journal: Open) -> None:
        store.free.clear()
        one = journal(group=1)
        for n in range(100):
            one.add(str(n), {0: reply()})
            assert len(journal().read_replies()) == n + 1

    def test_a_killed_process_loses_no_reply(self, store: Disk, journal: Open) -> None:
        ended = python(
            store.url,
            "for n in range(100):\n"
            "    journal.add(str(n), {0: reply(), 1: reply()})\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n",
        )
        assert ended.returncode == -signal.SIGKILL
        assert list(journal().read_replies()) == [str(n) for n in range(100)]

    def test_a_disk_that_is_full_in_the_middle_of_a_line_tears_none(self, store: Disk, journal: Open) -> None:
        ended = python(
            store.url,
            "import resource\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))\n"
            "for n in range(100):\n"
            "    journal.add(str(n), {0: reply()})\n"
            "size = len(store.read(store.list_paths('journal')[0]))\n"
            "assert size == 1000, size\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))\n"
            "for n in range(100, 110):\n"
            "    journal.add(str(n), {0: reply()})\n"
            "assert list(journal.read_replies()) == [str(n) for n in range(110)]\n",
        )
        assert ended.returncode == 0, ended.stderr
        assert list(journal().read_replies()) == [str(n) for n in range(110)]

    def test_a_forked_child_has_a_thread_of_its_own(self, store: Disk, journal: Open) -> None:
        ended = python(
            store.url,
            "import sys, threading\n"
            "journal.add('parent', {0: reply()})\n"
            "if (child := os.fork()) == 0:\n"
            "    done = threading.Event()\n"
            "    mine = Journal(store, 'k', flush_replies=1, sync=lambda file: done.set())\n"
            "    mine.add('child', {0: reply()})\n"
            "    assert done.wait(30)\n"
            "    sys.exit(3)\n"
            "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3\n",
        )
        assert ended.returncode == 0, ended.stderr
        assert set(journal().read_replies()) == {"parent", "child"}

    def test_a_place_that_takes_no_files_is_told_at_the_end(self, store: Disk, journal: Open) -> None:
        store.write("journal", b"a file where a folder should be")
        one = journal(group=1, seconds=0.01)
        one.add("a", {0: reply()})
        one.add("b", {0: reply()})
        with pytest.raises(QuestmillError, match=r"2 replies could not be kept in .*(NotADirectory|FileExists)Error"):
            one.close()
        Path(store.locate("journal")).unlink()
        one.close()
        assert journal().read_replies() == {"a": {0: reply()}, "b": {0: reply()}}

    def test_a_sync_that_failed_once_is_not_taken_for_done(self, store: Disk, journal: Open) -> None:
        store.error = OSError(errno.EIO, "Input/output error")
        one = journal(group=1, seconds=0.01)
        one.add("a", {0: reply()})
        assert store.asked.acquire(timeout=SOON)
        with pytest.raises(QuestmillError, match="Input/output error"):
            one.close()
        store.error = None
        with pytest.raises(QuestmillError, match="Input/output error"):
            one.close()
        assert journal().read_replies() == {"a": {0: reply()}}

    def test_removing_leaves_no_folder_and_no_open_file(self, store: Disk, journal: Open) -> None:
        before = set(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else set()
        one = journal()
        one.add("a", {0: reply()})
        one.remove()
        assert not Path(store.locate("journal/k")).exists()
        assert not before or set(os.listdir("/proc/self/fd")) == before


def python(url: str, body: str) -> subprocess.CompletedProcess[str]:
    """Run `body` in a process of its own, with a `journal` of key `k` in the lake at `url`."""
    head = (
        "import os, signal\n"
        "from infra.lake.reply_journal import Journal\n"
        "from infra.lake.store import Store\n"
        "from tests.infra.lake.test_reply_journal import reply\n"
        f"store = Store({url!r})\n"
        "journal = Journal(store, 'k', flush_seconds=3600.0)\n"
    )
    root = Path(__file__).parents[3]
    return subprocess.run([sys.executable, "-c", head + body], cwd=root, capture_output=True, text=True, timeout=120)
