"""The same flow, and the questions to its lake, where the lake is behind S3 over HTTP."""

from collections.abc import Callable
from pathlib import Path

import pytest
import s3fs

from tests.support.forks import start_forked
from tests.support.gateway import gateway, without_body, without_condition
from tests.support.radosgw import ceph, ceph_lake
from tests.support.runs import Command, Lake, make_attempts, wait_for_exit, write_jsonl

__all__ = ["ceph", "ceph_lake"]  # fixtures


@pytest.mark.system
def test_worker_processes_share_a_lake_in_a_bucket(baseline: Lake, command: Command, s3_lake: str) -> None:
    words = ("run", "verify", "--store", s3_lake, "--shard_rows", "100", "--profile", "local")
    first = wait_for_exit(start_forked(*words, "--input", baseline.attempts))
    assert first.code == 0, first.err
    assert f"content {baseline.manifest.content}" in first.out

    counted = command("query", "SELECT verdict, count(*) n FROM verified GROUP BY 1 ORDER BY 1", "--store", s3_lake)
    expected = command(
        "query", "SELECT verdict, count(*) n FROM verified GROUP BY 1 ORDER BY 1", "--store", baseline.store.url
    )
    assert counted == expected
    assert command("query", "SELECT count(*) n FROM quarantine", "--store", s3_lake).out == '"n"\n3\n'

    fewer = baseline.attempts.read_text().splitlines()[-20:]
    few = baseline.attempts.with_name("few.jsonl")
    few.write_text("\n".join(fewer))
    second = command("run", "verify", "--store", s3_lake, "--input", few)
    assert second.code == 0, second.err
    [version] = [line.split()[2].rstrip(":") for line in second.out.splitlines() if line.startswith("published")]
    assert baseline.manifest.version in command("status", "--store", s3_lake).out
    back = command("rollback", "verified", baseline.manifest.version, "--store", s3_lake)
    assert back.out == f"verified: {version} -> {baseline.manifest.version}\n"
    assert command("query", "SELECT count(*) n FROM verified", "--store", s3_lake).out == '"n"\n297\n'


def test_an_input_behind_the_same_url_scheme_is_read(command: Command, s3_lake: str) -> None:
    source = s3_lake.replace("the lake", "attempts.jsonl")
    s3fs.S3FileSystem().pipe_file(source, b'{"question": "?", "response": "A: 1", "answer": "1"}\n')
    done = command("run", "verify", "--store", s3_lake, "--input", source.replace("attempts", "*"))
    assert done.code == 0, done.err
    assert command("query", "SELECT verdict FROM verified", "--store", s3_lake).out == '"verdict"\n"correct"\n'


def assert_a_second_run_finds_everything_done(lake: str, tmp_path: Path) -> None:
    few = write_jsonl(tmp_path / "few.jsonl", make_attempts(40))
    words = ("run", "verify", "--store", lake, "--input", few, "--shard_rows", "20", "--profile", "ci")
    first, second = wait_for_exit(start_forked(*words)), wait_for_exit(start_forked(*words))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    [told, again] = [
        [line for line in run.out.splitlines() if line.startswith("published ")] for run in (first, second)
    ]
    assert told == again and len(told) == 1
    looked = wait_for_exit(start_forked("doctor", "--store", lake, "--profile", "ci"))
    assert f"ok    store     {lake} is reachable and honours exclusive create" in looked.out, looked.out


@pytest.mark.system
@pytest.mark.parametrize("body", [without_condition, without_body])
def test_a_second_run_finds_everything_done_behind_a_server_that_words_its_errors_otherwise(
    api: str,
    s3_server: str,
    s3_lake: str,
    body: Callable[[int, bytes], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with gateway(s3_server) as gate:
        gate.body = body
        monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
        assert_a_second_run_finds_everything_done(s3_lake, tmp_path)
        assert ("PUT", 412) in gate.seen


@pytest.mark.system
def test_a_second_run_finds_everything_done_behind_ceph(api: str, ceph_lake: str, tmp_path: Path) -> None:
    assert_a_second_run_finds_everything_done(ceph_lake, tmp_path)
