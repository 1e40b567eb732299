"""What the tests of the real model share: runs of the recipes, a vLLM server, and what must hold of every lake."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from infra.engines.common.bare_prefix import profile_lines
from infra.lake import catalog
from infra.lake.store import Store
from tests.support.runs import ROOT, Command, Outcome, write_jsonl
from tests.support.smollm2 import GGUF

PROBLEMS = [json.loads(line) for line in (ROOT / "tests/data/word_problems.jsonl").read_text().splitlines()]
"""Twenty of the tests' own: `question`, `answer`, `solution`, a `response` and the verdict that is `expected` of it."""
ROLES = ("questioner", "solver", "judge", "reward", "student", "teacher")
SYSTEM_TURN = "You are a helpful maths tutor. The user asks a word problem of grade school mathematics."
"""Before a bare user's turn: with it about half of what this model writes is an attempt at a word problem."""
MAX_TOKENS, SOLUTION_TOKENS = 64, 96
VLLM_PYTHON = ROOT / ".venv-vllm/bin/python"
SERVED_NAME = "smollm2"
CONTEXT_TOKENS = 1024
START_SECONDS = 400.0
"""Seconds until a server that does not answer counts as lost; it takes 20 on two quiet cores."""
WRAPPERS = re.compile(
    r"</?think|<\|?im_|<\|endoftext|</?question>"
    r"|^\W*(sure|certainly|here is|here's|of course|i am sorry|i'm sorry|i can)\b"
    r"|^\W*(question|problem|answer|solution|verdict|final answer)\b\W*:|```|####\s*(answer|result)\b|\\boxed",
    re.IGNORECASE | re.MULTILINE,
)
"""What belongs into no published question: marks of a thought or of a turn, prefaces, labels, answers."""
PLACEHOLDERS = re.compile(r"\W*(answer|result|final answer|your answer|answer here|number|n/?a|none|\.+|_+)?\W*", re.I)
"""What is no answer, though it stands where one should."""


def limit(*stages: str) -> Iterator[str]:
    """Flags that keep the replies of stages short."""
    for stage in stages:
        tokens = SOLUTION_TOKENS if stage in ("solve", "attempt") else MAX_TOKENS
        yield from (f"--{stage}.sampling.max_tokens", str(tokens))


SCALEQUEST = (
    *("run", "scalequest", "--questions", "20", "--shard_rows", "10", "--solve.sampling.n", "2"),
    *limit("synthesize", "solvable", "solve"),
)
LEMMA = (
    *("run", "lemma", "--input", "problems.jsonl", "--shard_rows", "10"),
    *("--attempt.sampling.n", "2", "--draw_types.injections", "1", "--inject.tries", "1"),
    *limit("attempt", "diagnose", "inject", "locate", "fix_continue", "fresh_restart", "smooth"),
)
VERIFY = (
    *("run", "verify", "--input", "attempts.jsonl", "--shard_rows", "10"),
    *("--verifiers", '["answer_match", "llm_judge"]', *limit("llm_judge")),
)
RL_POOL = (
    *("run", "rl_pool", "--input", "problems.jsonl", "--columns.response", "solution", "--shard_rows", "10"),
    *("--solve.sampling.n", "2", "--keep_band.low", "0", "--keep_band.high", "1", "--keep_band.least_samples", "1"),
    *limit("solve"),
)
RECIPES: Mapping[str, tuple[str, ...]] = {
    "scalequest": SCALEQUEST,
    "scalequest from a bare prefix": SCALEQUEST,
    "lemma": LEMMA,
    "verify": VERIFY,
    "rl_pool": RL_POOL,
}
"""The commands, each over twenty rows, by what they show."""
ASKING_STAGES = {
    *("write_question", "judge_solvable", "solve", "improve_question", "sample_student", "diagnose", "inject"),
    *("fix_continue", "fresh_restart", "smooth", "judge_response", "sample_responses"),
}
"""Stages whose lost rows come with the replies of the model."""
PUBLISHED_TEXTS = {
    "scalequest": ("question", "solution", "answer"),
    "corrections": ("trajectory",),
    "pairs": ("chosen",),
    "verified": (),
    "rl_pool": (),
}
"""Columns that the model wrote, by dataset. Those of the last two come from the user."""


def write_inputs(folder: Path) -> None:
    """Write `problems.jsonl` and `attempts.jsonl`."""
    for name, columns in (
        ("problems", ("question", "answer", "solution")),
        ("attempts", ("question", "answer", "response", "expected")),
    ):
        write_jsonl(folder / f"{name}.jsonl", [{column: row[column] for column in columns} for row in PROBLEMS])


def write_profile(folder: Path, role: str, bare_lines: str = "") -> Path:
    """A profile in which one model, the lines `role`, plays every role; the questioner has further lines."""
    roles = dict.fromkeys(ROLES, role) | {"questioner": f"{role}\n{bare_lines}"}
    lines = ['[cluster]\nkind = "local"\nprocesses = false\n', *(f"[roles.{n}]\n{t}\n" for n, t in roles.items())]
    path = folder / "profile.toml"
    path.write_text("\n".join(lines))
    return path


def embedded_role(model: Path) -> str:
    """The model in this process."""
    return f'kind = "embedded"\npath = "{model / "int8"}"\nmax_model_len = {CONTEXT_TOKENS}'


def vllm_role(model: Path) -> str:
    """The model through vLLM in this process, small enough for two cores; nothing is compiled."""
    lines = f'kind = "vllm"\npath = "{model / "safetensors"}"\ndtype = "float32"\ndevice = "cpu"\nkv_cache_gib = 0.5'
    return f"{lines}\nmax_num_seqs = 32\nenforce_eager = true\nmax_model_len = {CONTEXT_TOKENS}"


def http_role(url: str) -> str:
    """The model behind a server."""
    return f'kind = "http"\nmodel = "{SERVED_NAME}"\nbase_url = "{url}/v1"\nmax_in_flight = 32\noutage_seconds = 300'


BARE = f'layout = "bare"\nsystem_turn = "{SYSTEM_TURN}"'


def http_bare(model: Path) -> str:
    """The lines that the project prints for a server with this model."""
    return profile_lines(model / "safetensors", SYSTEM_TURN)


@contextlib.contextmanager
def serve_with_vllm(model: Path, log: Path) -> Iterator[str]:
    """The url of vLLM's own server with the model, from its own environment, on this machine only."""
    port = _free_port()
    command = [
        *(VLLM_PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", model / "safetensors"),
        *("--served-model-name", SERVED_NAME, "--host", "127.0.0.1", "--port", port, "--dtype", "float32"),
        *("--max-model-len", CONTEXT_TOKENS, "--max-num-seqs", 32, "--enforce-eager"),
        "--no-enable-chunked-prefill",  # see docs/servers.md
    ]
    quiet = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    with _serve(command, quiet, port, log) as url:
        yield url


@contextlib.contextmanager
def serve_with_llama_cpp(program: str, model: Path, log: Path) -> Iterator[str]:
    """The url of llama.cpp's own server, `program`, with the model, on this machine only."""
    port, slots = _free_port(), 8
    command = [
        *(program, "--model", model / "gguf" / GGUF, "--host", "127.0.0.1", "--port", port),
        *("--parallel", slots, "--ctx-size", slots * CONTEXT_TOKENS, "--threads", 1),
    ]
    with _serve(command, {}, port, log) as url:
        yield url


def find_llama_server() -> str | None:
    """llama.cpp's server: what $QUESTMILL_LLAMA_SERVER names, or `llama-server` on the path."""
    return shutil.which(os.environ.get("QUESTMILL_LLAMA_SERVER") or "llama-server")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _serve(command: Sequence[object], variables: Mapping[str, str], port: int, log: Path) -> Iterator[str]:
    """The url of a server, once it says that it is healthy. It ends with the block."""
    left_out = ("PYTHONPATH", "QUESTMILL_ENGINE_OWNER")
    environment = {name: value for name, value in os.environ.items() if name not in left_out} | dict(variables)
    with log.open("w") as output:
        server = subprocess.Popen(
            [*map(str, command)], stdout=output, stderr=output, env=environment, cwd=log.parent, start_new_session=True
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None and time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def run_and_check(command: Command, folder: Path, recipe: str, profile: Path) -> tuple[Outcome, Store]:
    """Run a recipe and assert what must hold of any run, however little the model can do."""
    lake = folder / "lake"
    words = [str(folder / word) if word.endswith(".jsonl") else word for word in RECIPES[recipe]]
    done = command(*words, "--store", lake, "--profile", profile)
    assert done.code in (0, 3), done.err
    assert "Traceback" not in done.out + done.err, done.err
    if done.code == 3:
        assert re.search(r"^questmill: gate '\w+' stopped the run: .*; nothing was published, ", done.err, re.M), (
            done.err
        )
    store = Store(str(lake))
    check_ledger(store)
    check_lost_rows(store)
    check_published(store)
    return done, store


def check_ledger(store: Store) -> None:
    """Assert that every row of every step was kept, rejected or quarantined, and that nothing crashed on its way."""
    for step, *counts in rows_of(store, "SELECT step, rows_in, kept, rejected, quarantined FROM receipts"):
        rows_in, kept, rejected, quarantined = counts
        assert rows_in == kept + rejected + quarantined, (step, counts)
    crashed = rows_of(store, "SELECT stage, error FROM quarantine WHERE reason = 'stage failed'")
    assert not crashed, crashed[:3]


def check_lost_rows(store: Store) -> None:
    """Assert that every lost row is there, whole, with a reason in words, and with what the model wrote about it."""
    for table, column in (("rejects", "rejected"), ("quarantine", "quarantined")):
        lost = rows_of(store, f"SELECT stage, reason, row, replies FROM {table}")
        counts = dict(rows_of(store, f"SELECT step, sum({column})::INTEGER FROM receipts GROUP BY step"))
        ids: dict[str, set[str]] = {step: set() for step, rows in counts.items() if rows}
        shown: dict[str, set[str]] = {step: set() for step in ids}
        for stage, reason, row, replies in lost:
            assert re.search(r"[a-z]{3}", reason), (stage, reason)
            ids[stage].add(json.loads(row)["row_id"])
            if replies and any(reply["text"] or reply["reasoning"] for reply in replies):
                shown[stage].add(json.loads(row)["row_id"])
        assert all(len(found) >= counts[stage] for stage, found in ids.items()), (counts, ids)
        for stage in ids.keys() & ASKING_STAGES:
            assert shown[stage] == ids[stage], (stage, ids[stage] - shown[stage])


def check_published(store: Store) -> None:
    """Assert that no published text holds what a reply is wrapped in, and that every published answer is one."""
    with contextlib.closing(catalog.open_catalog(store)) as con:
        for dataset, columns in PUBLISHED_TEXTS.items():
            if store.datasets.current_version(dataset) is None:
                continue
            for row in fetch_dicts(con, f'SELECT * FROM "{dataset}"'):
                check_row(dataset, row, columns)


def check_row(dataset: str, row: Mapping[str, Any], columns: Sequence[str]) -> None:
    """Assert it of one published row."""
    for column in columns:
        text = row[column]
        found = re.search(r"</?think|<\|?im_|<\|endoftext", text) if column != "question" else WRAPPERS.search(text)
        assert text.strip() and not found, (dataset, column, text)
    for column in ("answer", "answer_parsed"):
        if row.get(column) is not None:
            assert not PLACEHOLDERS.fullmatch(str(row[column])), (dataset, column, row)


def fetch_dicts(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """Rows by the names of their columns."""
    found = con.sql(sql)
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def rows_of(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """Rows that `sql` finds in the lake."""
    with contextlib.closing(catalog.open_catalog(store)) as con:
        return con.sql(sql).fetchall()
