"""Every kind of store keeps one contract, and one that cannot be used says so in a line, soon."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from infra.lake.store import Store
from schemas.errors import BadInput
from tests.support.store_contract import TABLE, StoreContract, make_receipt


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self, lake: str) -> Store:
        return Store(lake)


class TestLocalFolder(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return Store(str(tmp_path / "a lake [1] of 'é' #5%"))

    def test_temporary_files_are_never_listed(self, store: Store) -> None:
        part = store.put(TABLE)
        store.commit(make_receipt(parts=(part,)))
        for folder in ("objects", "receipts/solve"):
            (Path(store.root) / folder / ".tmp-of-a-killed-process").write_bytes(b"{ half a")
        assert len(store.list_paths("objects")) == 1 and [r.key for r in store.read_receipts()] == ["k1"]

    def test_writing_leaves_no_temporary_files(self, store: Store) -> None:
        store.put(TABLE)
        store.put(TABLE)
        assert list(Path(store.root).rglob(".tmp-*")) == []


class TestS3(StoreContract):
    @pytest.fixture
    def store(self, s3_lake: str) -> Store:
        return Store(s3_lake)


def refusal(url: str, write: bool = False) -> str:
    """What `check` says: one line, within seconds."""
    started = time.monotonic()
    with pytest.raises(BadInput) as caught:
        Store(url).check(write)
    assert time.monotonic() - started < 8
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_path_that_is_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for url in (tmp_path / "file", tmp_path / "file" / "lake"):
        assert "file is a file; give a writable folder" in refusal(str(url))
        with pytest.raises(BadInput, match="is a file; give a writable folder"):
            Store(str(url)).put(TABLE)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_readable_but_takes_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert Store(str(tmp_path)).check()
    assert "PermissionError" in refusal(str(tmp_path), write=True)
    with pytest.raises(BadInput, match="PermissionError"):
        Store(str(tmp_path)).put(TABLE)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a file system that takes no folders")
def test_a_place_that_takes_no_files_is_named() -> None:
    with pytest.raises(
        BadInput, match=r"store /proc/lake cannot be used: FileNotFoundError: .*; give a writable folder"
    ):
        Store("/proc/lake").put(TABLE)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="a file system whose names are short")
def test_a_name_that_is_too_long_is_told_at_once(tmp_path: Path) -> None:
    url = str(tmp_path / ("long" * 100))
    assert "File name too long" in refusal(url)
    with pytest.raises(BadInput, match="File name too long"):
        Store(url).put(TABLE)


def test_only_a_bucket_of_the_lake_is_asked_for_and_one_key_of_it(s3_lake: str) -> None:
    store = Store(s3_lake)
    store.fs.pipe_file(f"{s3_lake.rpartition('/')[0]}/beside", b"theirs")
    assert store.check() and store.list_paths("") == []
    bucket = s3_lake.rpartition("/")[0]
    assert Store(bucket).check()


def test_an_unknown_kind_of_store_is_named() -> None:
    with pytest.raises(BadInput, match=r"store 'nowhere://lake': .*nowhere.*; give a folder or a url such as s3://"):
        Store("nowhere://lake")


def test_a_bucket_that_is_not_there_is_named(s3_lake: str) -> None:
    assert "NoSuchBucket" in refusal("s3://no-such-bucket/lake")


def test_an_endpoint_that_refuses_is_given_up_in_seconds(s3_lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "check its url, AWS_ENDPOINT_URL and the keys" in refusal(s3_lake)


def test_an_endpoint_that_never_answers_is_given_up_in_seconds(s3_lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "no answer within 4 s" in refusal(s3_lake)


@pytest.fixture
def strict_server(s3_server: str) -> Iterator[None]:
    """The S3 server, asking for valid keys."""

    def allow(requests: str) -> None:
        url, plain = f"{s3_server}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(url, requests.encode(), plain)).close()

    allow("0")
    yield
    allow("inf")


def test_wrong_keys_are_refused(s3_lake: str, strict_server: None) -> None:
    s3fs.S3FileSystem.clear_instance_cache()
    assert "PermissionError" in (text := refusal(s3_lake)) or "InvalidAccessKeyId" in text
    with pytest.raises(BadInput, match="AWS_ACCESS_KEY_ID"):
        Store(s3_lake).put(TABLE)


def test_a_worker_inherits_from_the_command_that_arrow_keeps_no_heap_for_each_thread() -> None:
    worker = "import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    command = f"import infra, subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}])"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("ARROW_")}
    ran = subprocess.run([sys.executable, "-c", command], env=bare, check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "system"
