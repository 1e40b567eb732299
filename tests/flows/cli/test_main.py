"""The command: what it accepts, what it refuses in one line, how it ends, and what a person sees meanwhile."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from infra.lake.store import Store
from schemas.errors import BadInput
from tests.support.forks import start_forked
from tests.support.runs import ROOT, Command, Lake, Outcome, start_questmill, wait_for_exit, wait_until, write_jsonl

RUN = ("run", "verify")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A file of one attempt."""
    return write_jsonl(tmp_path / "good.jsonl", [{"question": "?", "response": "A: 1", "answer": "1"}])


def refused(outcome: Outcome, lake: Path) -> str:
    """The one line in which bad input was refused, exit code 2, lake untouched."""
    told = [line for line in outcome.err.splitlines() if not line.startswith(("run ", "read "))]
    assert (outcome.code, len(told), outcome.out) == (2, 1, ""), outcome
    assert not lake.exists()
    return told[0]


# -- usage ------------------------------------------------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    code = """
        import sys
        from flows.cli.main import main
        try:
            main(["--help"])
        except SystemExit:
            pass
        heavy = {"prefect", "dask", "distributed", "pyarrow", "duckdb", "great_expectations", "pandas", "pydantic"}
        sys.exit(", ".join(heavy & set(sys.modules)) or 0)
    """
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(line[8:] for line in code.splitlines())],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert all(verb in done.stdout for verb in ("run", "query", "status", "doctor", "rollback"))


def test_python_m_flows_is_the_command() -> None:
    done = wait_for_exit(start_questmill("--help"))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("usage: questmill ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "the following arguments are required: VERB"),
        (("dance",), "verb 'dance' is unknown; there are: run, query, "),
        (("rn",), "verb 'rn' is unknown; did you mean 'run'?"),
        (("stub", "--port", "1"), "'stub' is called 'mock-server' now; write questmill mock-server"),
        (("run", "scalequst"), "recipe 'scalequst' is unknown; did you mean 'scalequest'?"),
        ((*RUN, "--budget-token", "3"), "did you mean --budget_tokens?"),
        (("status", "--frobnicate"), "unrecognized arguments: --frobnicate"),
        (("status", "--prof", "ci"), "unrecognized arguments: --prof"),
        (("query", "SELECT 1", "--format", "xml"), "invalid choice: 'xml'"),
        (("run", "dance"), "recipe 'dance' is unknown; there are: "),
        ((*RUN, "--profile", "mars", "--input", "x"), "profile 'mars' is unknown; there are: ci, local"),
        ((*RUN, "--frobnicate", "1"), "--frobnicate: the recipe has no field 'frobnicate'; there are: "),
        (
            (*RUN, "--answer_match.deadlin", "1"),
            "answer_match has no field 'deadlin'; did you mean --answer_match.deadline?",
        ),
        ((*RUN, "--dataset.name", "1"), "--dataset.name: 'dataset' has no fields of its own"),
        ((*RUN,), "--input is required"),
        ((*RUN, "--input"), "--input needs a value"),
        ((*RUN, "attempts.jsonl"), "'attempts.jsonl' is not a flag; write --field value or @overrides.toml"),
        ((*RUN, "--input", "x", "--answer_match.deadline", "soon"), "--answer_match.deadline: "),
        ((*RUN, "--input", "x", "--shard_rows=0"), "--shard_rows: "),
        ((*RUN, "@nowhere.toml"), "@nowhere.toml: cannot be read"),
        (
            (*RUN, "--input", "x", "--answer_match", "3", "--answer_match.deadline", "2"),
            "--answer_match.deadline: 'answer_match' was given as '3'; ",
        ),
        ((*RUN, "--input", ""), "--input '' is empty; give a path, a url or a glob"),
        ((*RUN, "--input", "x", "--dataset", "funnel"), "--dataset: every lake has a view of this name; give another"),
        ((*RUN, "--input", "x", "--profile", ""), "--profile is empty; give a value, or leave it out for the default"),
        (("rollback", "verified", "0123"), "dataset 'verified' has no version '0123'; published: none"),
    ],
)
def test_bad_usage_is_told_in_a_line_with_the_way_out(
    command: Command, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    lake = tmp_path / "lake"
    done = command(*words, *(("--store", lake) if words and words[0] != "dance" else ()))
    assert (done.code, done.out) == (2, "")
    assert said in done.err.splitlines()[-1]
    assert not lake.exists()


def test_overrides_come_from_a_file_and_from_flags_and_the_later_one_wins(
    command: Command, tmp_path: Path, good: Path
) -> None:
    lake, more = tmp_path / "lake", good.with_name("more.jsonl")
    write_jsonl(more, [{"question": "!", "solution": "A: 1", "answer": "1"}])
    overrides = tmp_path / "overrides.toml"
    overrides.write_text(f'input = ["{good}"]\ndataset = "theirs"\nshard_rows = 7\n[answer_match]\ndeadline = 3.0\n')
    done = command(*RUN, f"@{overrides}", "--dataset=ours", "--answer_match.deadline", "2", "--store", lake)
    assert done.code == 0, done.err
    manifest = Store(str(lake)).datasets.read_manifest("ours")
    assert manifest is not None
    assert (manifest.recipe["shard_rows"], manifest.recipe["answer_match"]["deadline"]) == (7, 2.0)

    overrides.write_text('colour = "red"')
    assert "the recipe has no field 'colour'" in command(*RUN, "--input", good, f"@{overrides}").err
    overrides.write_text("dataset = ")
    assert f"@{overrides}: cannot be read" in command(*RUN, "--input", good, f"@{overrides}").err


@pytest.mark.parametrize("words", [("status",), ("query", "SELECT 1"), (*RUN, "--input", "x")])
def test_an_empty_store_is_not_the_one_of_the_profile(command: Command, words: tuple[str, ...]) -> None:
    done = command(*words, "--store", "")
    assert (done.code, done.err.strip()) == (
        2,
        "questmill: --store is empty; give a value, or leave it out for the default",
    )


def test_a_lake_in_memory_and_worker_processes_do_not_go_together(command: Command, good: Path) -> None:
    done = command(*RUN, "--input", good, "--store", "memory://x", "--profile", "local")
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("x exists in this process only, but the cluster has others; use --profile ci\n")


def test_a_store_that_takes_no_files_is_told_in_one_line(command: Command, good: Path) -> None:
    told = refused(command(*RUN, "--input", good, "--store", "/proc/lake"), Path("/proc/lake"))
    assert told.startswith("questmill: store /proc/lake cannot be used: FileNotFoundError: ")


def test_a_list_goes_on_where_a_file_set_it_between(tmp_path: Path) -> None:
    from flows.cli.recipe_arguments import parse
    from schemas.input import Source

    (tmp_path / "o.toml").write_text('input = "bxyz"')
    assert parse(Source, ["--input", "a", f"@{tmp_path}/o.toml", "--input", "c"]).input == ("bxyz", "c")


def test_a_table_that_a_file_gave_as_a_value_is_told(tmp_path: Path) -> None:
    from flows.cli.recipe_arguments import parse
    from schemas.input import Source

    (tmp_path / "o.toml").write_text("columns = 3")
    with pytest.raises(BadInput, match=r"^--columns\.answer: 'columns' was given as 3; give its fields, or leave that"):
        parse(Source, [f"@{tmp_path}/o.toml", "--columns.answer", "x"])


def test_a_flag_may_be_repeated_for_a_list(command: Command, tmp_path: Path, good: Path) -> None:
    twin = write_jsonl(tmp_path / "twin.jsonl", [{"question": "?", "response": "A: 2", "answer": "1"}])
    done = command(*RUN, "--input", good, "--input", twin, "--store", tmp_path / "lake")
    assert done.code == 0, done.err
    assert ": 2 rows" in done.out


def test_a_recipe_describes_its_fields(command: Command) -> None:
    shown = command(*RUN, "--help")
    assert shown.code == 0
    assert re.search(r"--answer_match\.deadline \(2\.0\)\s+Seconds of CPU time that Math-Verify may take", shown.out)
    assert "--input (required)" in shown.out
    assert "verify" in command("run", "--help").out
    assert command(*RUN, "--typo", "x", "--help") == shown, "--help wins over whatever else is there"


# -- bad input --------------------------------------------------------------------------------------------------------

LINE = json.dumps({"question": "?", "response": "A: 1", "answer": "1"})
BAD: dict[str, tuple[bytes | None, str]] = {
    "missing.jsonl": (None, "no such file; give a path, a url or a glob"),
    "none-*.jsonl": (None, "no such file"),
    "empty.jsonl": (b"", "holds no rows; give at least one"),
    "column.jsonl": (
        b'{"question": "?", "answer": "1"}',
        "has no column 'response'; name the column",
    ),
    "type.jsonl": (f'{LINE}\n{{"question": "?", "response": [1], "answer": "1"}}'.encode(), "row 2: column 'response'"),
    "json.jsonl": (f"{LINE}\n{LINE[:-4]}\n".encode(), "row 2: is not JSON"),
    "utf8.jsonl": (LINE.replace("?", "\xe9").encode("latin-1"), "row 1: is not UTF-8 at byte"),
    "text.parquet": (LINE.encode(), "is not readable Parquet"),
    "half.parquet": (b"PAR1" + bytes(50), "is not readable Parquet"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_in_one_line_and_leaves_the_lake_untouched(
    command: Command, tmp_path: Path, name: str
) -> None:
    data, said = BAD[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    told = refused(command(*RUN, "--input", tmp_path / name, "--store", tmp_path / "lake"), tmp_path / "lake")
    assert told.startswith(f"questmill: {tmp_path / name}: ")
    assert said in told


def test_a_good_file_does_not_help_a_bad_one(command: Command, tmp_path: Path, good: Path) -> None:
    (tmp_path / "worse.jsonl").write_text("{")
    told = refused(command(*RUN, "--input", tmp_path / "*.jsonl", "--store", tmp_path / "lake"), tmp_path / "lake")
    assert "worse.jsonl: row 1: is not JSON" in told


def test_files_that_disagree_about_a_column_are_refused(command: Command, tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", "one")):
        write_jsonl(tmp_path / f"{name}.jsonl", [{**json.loads(LINE), "seed": value}])
    told = refused(command(*RUN, "--input", tmp_path / "*.jsonl", "--store", tmp_path / "lake"), tmp_path / "lake")
    assert "column 'seed' is string here and int64 in another file" in told


@pytest.mark.parametrize("words", [RUN, ("status",)])
def test_a_store_that_cannot_be_reached_is_told_in_one_line(
    command: Command, s3_lake: str, good: Path, words: tuple[str, ...]
) -> None:
    import s3fs

    with _environment(AWS_ENDPOINT_URL="http://127.0.0.1:9"):  # the discard port: nobody listens
        s3fs.S3FileSystem.clear_instance_cache()
        source = ("--input", good) if words == RUN else ()
        told = refused(command(*words, *source, "--store", s3_lake), Path("nowhere"))
    assert told.startswith(f"questmill: store {s3_lake} cannot be used: ")


def test_wrong_credentials_are_told_in_one_line(command: Command, s3_lake: str, s3_server: str, good: Path) -> None:
    import urllib.request

    import s3fs

    def unauthorised_after(actions: str) -> None:
        text = {"Content-Type": "text/plain"}
        request = urllib.request.Request(f"{s3_server}/moto-api/reset-auth", data=actions.encode(), headers=text)
        urllib.request.urlopen(request).close()

    unauthorised_after("0")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        told = refused(command(*RUN, "--input", good, "--store", s3_lake), Path("nowhere"))
    finally:
        unauthorised_after("inf")
    assert told.startswith(f"questmill: store {s3_lake} cannot be used: ")


# -- questions to a lake ----------------------------------------------------------------------------------------------

COUNT = "SELECT verdict, count(*) AS n FROM verified GROUP BY 1 ORDER BY 1"


def test_a_query_answers_in_the_format_asked_for(baseline: Lake) -> None:
    def asked(*words: str) -> bytes:
        store = ("--store", baseline.store.url)
        return subprocess.run(
            [sys.executable, "-m", "flows", "query", COUNT, *store, *words], cwd=ROOT, capture_output=True, check=True
        ).stdout

    rows = pq.read_table(io.BytesIO(asked("--format", "parquet"))).to_pylist()
    assert sum(row["n"] for row in rows) == 297
    assert [json.loads(line) for line in asked("--format", "json").splitlines()] == rows
    plain = asked()
    assert plain.decode().splitlines() == ['"verdict","n"', *(f'"{row["verdict"]}",{row["n"]}' for row in rows)]


def test_a_query_prints_a_table_for_people(command: Command, baseline: Lake) -> None:
    shown = command("query", COUNT, "--store", baseline.store.url, "--format", "table").out
    assert "│ correct" in shown


ODD = """SELECT 1 AS a, 2 AS a, sum(i) AS s, 1.5::DECIMAL(5, 2) AS d, [1, 2] AS l, {'k': 0.5} AS st, 'nan'::DOUBLE AS n,
         INTERVAL 3 DAY AS i, MAP {'x': 1} AS m, NULL AS none, DATE '2026-01-02' AS day FROM range(3) t(i)"""


def test_values_of_every_kind_go_into_a_pipe(baseline: Lake, tmp_path: Path) -> None:
    store = ("--store", baseline.store.url)
    done = wait_for_exit(start_forked("query", ODD, *store, "--format", "json"))
    assert (done.code, done.err) == (0, "")
    plain = {"a": 1, "a_1": 2, "s": 3, "d": 1.5, "l": [1, 2], "st": {"k": 0.5}, "n": None, "i": "P0M3DT0S"}
    assert json.loads(done.out) == plain | {"m": [["x", 1]], "none": None, "day": "2026-01-02"}
    assert '"s": 3,' in done.out
    done = wait_for_exit(start_forked("query", ODD, *store))
    assert (done.code, done.err) == (0, "")
    head, row = done.out.splitlines()
    assert head.startswith('"a","a_1","s","d","l"')
    assert row.startswith('1,2,3,1.50,"[1, 2]","{""k"": 0.5}",nan,"P0M3DT0S","[[""x"", 1]]",,2026-01-02')
    done = wait_for_exit(start_forked("query", "SELECT INTERVAL 3 DAY AS i", *store, "--format", "parquet"))
    assert done.code == 2
    assert done.err.startswith("questmill: query: ") and "cast the column" in done.err and "Traceback" not in done.err


@pytest.mark.parametrize("damage", ["receipts/verify/*.json", "objects/*.parquet", "datasets/verified/*/*.parquet"])
def test_a_damaged_lake_is_one_line_and_no_word_of_going_on(
    command: Command, baseline: Lake, tmp_path: Path, damage: str
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(baseline.store.url, lake)
    for path in lake.glob(damage):
        path.write_bytes(b"{")
    done = command("query", "SELECT 1", "--store", lake)
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1), done.err
    assert "restore" in done.err and "the same command" not in done.err


def test_a_bad_query_is_told_with_the_views_that_there_are(command: Command, baseline: Lake) -> None:
    done = command("query", "SELECT * FROM verifed", "--store", baseline.store.url)
    assert (done.code, done.out) == (2, "")
    assert "Table with name verifed does not exist" in done.err
    assert done.err.splitlines()[-1].startswith("views: funnel, gold_doubts, quarantine, receipts, rejects, verified")
    assert "Traceback" not in done.err


def test_status_of_an_empty_lake_says_how_to_start(command: Command, tmp_path: Path) -> None:
    shown = command("status", "--store", tmp_path / "lake")
    assert shown.code == 0
    assert "start with: questmill run verify --input" in shown.out
    assert not (tmp_path / "lake").exists()


def test_status_shows_runs_datasets_and_the_funnel(command: Command, baseline: Lake) -> None:
    shown = command("status", "--store", baseline.store.url).out
    [run] = [line for line in shown.splitlines() if f"published verified {baseline.manifest.version}" in line]
    assert run.split()[1] == "verify", "the recipe, as it was called"
    assert "3: null answer 1, null question 1, null response 1" in shown


# -- what a person sees -----------------------------------------------------------------------------------------------


def test_progress_into_a_file_is_one_plain_line_a_step(baseline: Lake) -> None:
    lines = baseline.outcome.err.splitlines()
    steps = ["seed", "verify", "gold_doubts", "gate", "attach_verdicts", "gate"]
    assert [line.split()[0] for line in lines] == ["run", "read", *steps]
    assert "297 / 297 rows, " in lines[3] and lines[3].endswith("rows/s")
    assert "\x1b" not in baseline.outcome.err


@pytest.mark.system
def test_ctrl_c_on_a_terminal_ends_the_live_bars_and_every_process_and_says_how_to_go_on(
    baseline: Lake, tmp_path: Path
) -> None:
    store = Store(str(tmp_path / "lake"))
    words = ("--input", baseline.attempts, "--store", store.url, "--shard_rows", "4", "--profile", "local")
    with _terminal(*RUN, *words) as (run, shown):
        wait_until(lambda: b"s left" in shown() or run.poll() is not None)
        family = psutil.Process(run.pid).children(recursive=True)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to every process of the group at once
        code, text = run.wait(timeout=60), shown().decode()
    assert code == 130, text
    assert "rows/s" in text and " / 297 rows" in text and "━" in text
    assert text.rstrip().endswith("questmill: interrupted; the same command continues where it stopped")
    assert "Traceback" not in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is back"
    wait_until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family), timeout=20)
    assert store.datasets.current_version("verified") is None


@contextlib.contextmanager
def _terminal(*words: str | Path) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], bytes]]]:
    """The command on a pseudo-terminal, and all that it has shown so far."""
    master, slave = os.openpty()
    os.set_blocking(master, False)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", *map(str, words)],
        stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=os.environ | {"TERM": "xterm"}, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    seen = bytearray()

    def shown() -> bytes:
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(master, 1 << 16):
                seen.extend(chunk)
        return bytes(seen)

    try:
        yield process, shown
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
