"""The same flow, and the questions to its lake, where the lake is behind S3 over HTTP."""

from tests.support.forks import forked
from tests.support.runs import Command, Lake, end


def test_worker_processes_share_a_lake_in_a_bucket(baseline: Lake, command: Command, s3_lake: str) -> None:
    words = ("run", "verify", "--store", s3_lake, "--shard_rows", "100", "--profile", "local")
    first = end(forked(*words, "--input", baseline.attempts))
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
    import s3fs

    source = s3_lake.replace("the lake", "attempts.jsonl")
    s3fs.S3FileSystem().pipe_file(source, b'{"question": "?", "response": "A: 1", "answer": "1"}\n')
    done = command("run", "verify", "--store", s3_lake, "--input", source.replace("attempts", "*"))
    assert done.code == 0, done.err
    assert command("query", "SELECT verdict FROM verified", "--store", s3_lake).out == '"verdict"\n"correct"\n'
