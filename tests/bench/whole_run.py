"""What `questmill run rl_pool` takes as a whole: its processes on one core, a mock server on another.

Beside each run a bare aiohttp window sends the same requests to the same server. Figures are medians of
QUESTMILL_BENCH_RUNS runs (5), and ratios are taken within one run. QUESTMILL_BENCH_PARTS names the parts to measure.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
import psutil
import pyarrow.parquet as pq

from infra.engines.common.chat_requests import build_body
from infra.lake.store import Store, open_store
from infra.mock_server.behaviour import MockBehaviour
from infra.mock_server.counters import BodyRecord, Counters
from schemas.engine_specs import HttpSpec
from schemas.identity import fingerprint
from tasks.answers.pass_rate import SampleResponses
from tests.bench.support.mock_servers import Served, served
from tests.bench.support.process_tree import TreeCost, find_role, run_measured
from tests.bench.support.results import ROOT, Figure

RUNS = int(os.environ.get("QUESTMILL_BENCH_RUNS", "5"))
SIZES = tuple(map(int, os.environ.get("QUESTMILL_BENCH_ROWS", "2000,10000").split(",")))
"""Rows of a small and of a large run; each row is one request."""
PARTS = os.environ.get("QUESTMILL_BENCH_PARTS", "window,no_latency,kill,shards").split(",")
SHARD_ROWS = (100, 512)
NO_LATENCY_ROWS = 5000
SHARD_COUNTS = (2000, 8000)
"""Shards of one row that an empty stage passes on."""
SLOTS = 256
LATENCY = {"latency": 0.2, "latency_sigma": 1.0, "latency_cap": 6.0}
FULL_CORE_SHARE = 0.8
"""Share of its core above which the server, and not the run, decides how long a run takes."""
PROFILE = """
store = "{lake}"
[cluster]
kind = "local"
workers = 1
[roles.solver]
kind = "http"
model = "stub"
base_url = ["{url}/v1"]
max_in_flight = {slots}
"""


class Measured(NamedTuple):
    """One run, and what the server counted."""

    cost: TreeCost
    span: float
    """Seconds from the first request to the last reply."""
    server_share: float
    """Share of its core that the server used in these seconds."""


class Bench:
    """A folder with the input of every size, a Prefect home that has been used, and two cores."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree_core, self.server_core, *_ = [*sorted(os.sched_getaffinity(0)), *sorted(os.sched_getaffinity(0))]
        self.environment = os.environ | {"PREFECT_HOME": str(folder / "prefect"), "PYTHONPATH": str(ROOT)}
        self.lake_count = 0

    def write_input(self, rows: int) -> Path:
        """A file of problems."""
        path = self.folder / f"{rows}.jsonl"
        lines = [json.dumps({"question": f"What is {n} and {n}?", "answer": str(2 * n)}) for n in range(rows)]
        path.write_text("\n".join(lines) + "\n")
        return path

    def new_lake(self) -> Path:
        """A folder that does not exist yet."""
        self.lake_count += 1
        return self.folder / f"lake-{self.lake_count}"

    def command(self, url: str, rows: int, shard_rows: int, lake: Path) -> list[str]:
        """The command of one run; whatever the pass rate, a problem is published."""
        profile = self.folder / f"{lake.name}.toml"
        profile.write_text(PROFILE.format(lake=lake, url=url, slots=SLOTS))
        flags = {"input": self.write_input(rows), "shard_rows": shard_rows, "profile": profile}
        flags |= {"solve.sampling.n": 1, "keep_band.low": 0, "keep_band.high": 1, "keep_band.least_samples": 1}
        words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        return [sys.executable, "-m", "flows", "run", "rl_pool", *words]

    def run(self, server: Served, rows: int, shard_rows: int, lake: Path) -> Measured:
        """One run to its end."""
        server.reset()
        before = _cpu_seconds(server)
        cost = run_measured(self.command(server.url, rows, shard_rows, lake), {self.tree_core}, self.environment, ROOT)
        _check(cost, lake, rows)
        span = _span(server)
        return Measured(cost, span, (_cpu_seconds(server) - before) / span)

    def warm_up(self, server: Served) -> None:
        """Make Prefect's database, and check that a bare window sends what a run sends."""
        rows, lake = 300, self.new_lake()
        self.run(server, rows, SHARD_ROWS[0], lake)
        self.run_bare(server, _write_bodies(self, lake), hedges=False)
        if server.counts()["bodies"] != rows:
            raise RuntimeError("the bare window sends other requests than the run")

    def run_bare(self, server: Served, bodies: Path, hedges: bool) -> tuple[float, float]:
        """The same requests through a bare window; returns its span and its seconds of CPU."""
        job = {"url": server.url, "bodies": str(bodies), "slots": SLOTS, "core": self.tree_core, "hedges": hedges}
        command = [sys.executable, "-m", "tests.bench.support.bare_window", json.dumps(job)]
        out = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, text=True, stdout=subprocess.PIPE)
        return _span(server), json.loads(out.stdout)["cpu"]


def measure() -> Iterator[Figure]:
    """All parts; a run in which the server is the bottleneck counts for nothing, and is told."""
    earlier = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        os.sched_setaffinity(0, {bench.server_core})  # reading memory must not take the core of the run
        try:
            with served(core=bench.server_core) as server:
                bench.warm_up(server)
            if "window" in PARTS:
                yield from _measure_window(bench)
            if "no_latency" in PARTS:
                yield from _measure_without_latency(bench)
            if "kill" in PARTS:
                yield from _measure_kill(bench)
            if "shards" in PARTS:
                yield from _measure_shards(bench)
        finally:
            os.sched_setaffinity(0, earlier)


def _measure_window(bench: Bench) -> Iterator[Figure]:
    """How full the window is beside a bare one, CPU a row, and memory."""
    values: dict[str, list[float]] = defaultdict(list)
    roles: dict[str, list[str]] = defaultdict(list)
    with served(core=bench.server_core, **LATENCY) as server:
        for _ in range(RUNS):
            cpu: dict[tuple[int, int], float] = {}
            for rows in SIZES:
                spans: dict[int, float] = {}
                for shard_rows in SHARD_ROWS:
                    lake, size = bench.new_lake(), f"{shard_rows}_{rows}"
                    measured = bench.run(server, rows, shard_rows, lake)
                    _tell(size, measured)
                    cpu[rows, shard_rows], spans[shard_rows] = measured.cost.cpu, measured.span
                    if measured.server_share > FULL_CORE_SHARE:
                        del spans[shard_rows]
                    values[f"peak_pss_{size}"].append(measured.cost.peak_pss)
                    values[f"peak_rss_{size}"].append(measured.cost.peak_rss)
                    values[f"cpu_{size}"].append(measured.cost.cpu)
                    roles[size].append(_format_roles(measured.cost))
                bodies = _write_bodies(bench, lake)
                ideal = _ideal_seconds(bodies)
                server.reset()
                bare, bare_cpu = bench.run_bare(server, bodies, hedges=False)
                server.reset()
                hedged, _ = bench.run_bare(server, bodies, hedges=True)
                print(f"  bare window {rows}: {bare / ideal:.3f} of ideal, hedged {hedged / ideal:.3f}", flush=True)
                values[f"bare_span_over_ideal_{rows}"].append(bare / ideal)
                values[f"bare_cpu_per_row_{rows}"].append(1000 * bare_cpu / rows)
                for shard_rows, span in spans.items():
                    values[f"span_over_ideal_{shard_rows}_{rows}"].append(span / ideal)
                    values[f"span_over_bare_{shard_rows}_{rows}"].append(span / bare)
                    values[f"span_over_hedged_bare_{shard_rows}_{rows}"].append(span / hedged)
            small, large = SIZES[0], SIZES[-1]
            for shard_rows in SHARD_ROWS if large > small else ():
                slope = (cpu[large, shard_rows] - cpu[small, shard_rows]) / (large - small)
                values[f"cpu_per_row_{shard_rows}"].append(1000 * slope)
    targets = {"cpu_per_row_100": "<= 1.0", "cpu_per_row_512": "<= 0.9"}
    targets |= {f"span_over_bare_{shard_rows}_{rows}": "<= 1.02" for shard_rows in SHARD_ROWS for rows in SIZES}
    targets |= {f"peak_pss_{shard_rows}_{rows}": "<= 800" for shard_rows in SHARD_ROWS for rows in SIZES}
    for name, each in values.items():
        size = "_".join(name.split("_")[-2:])
        note = roles[size][0] if name.startswith("cpu_") and size in roles else ""
        note = f"slope from {SIZES[0]:,} to {SIZES[-1]:,} rows" if name.startswith("cpu_per_row") else note
        yield _figure(name, each, _unit(name), targets.get(name, ""), note)


def _measure_without_latency(bench: Bench) -> Iterator[Figure]:
    """Requests a second when the server answers at once."""
    speeds, shares = [], []
    with served(core=bench.server_core) as server:
        for _ in range(RUNS):
            measured = bench.run(server, NO_LATENCY_ROWS, SHARD_ROWS[-1], bench.new_lake())
            _tell("no latency", measured)
            shares.append(measured.server_share)
            if measured.server_share <= FULL_CORE_SHARE:
                speeds.append(NO_LATENCY_ROWS / measured.span)
    note = f"{NO_LATENCY_ROWS:,} rows; the server used {max(shares):.0%} of its core at most"
    if speeds:
        yield _figure("requests_per_second", speeds, "requests/s", ">= 2200", note)


def _measure_kill(bench: Bench) -> Iterator[Figure]:
    """kill -9 of all processes when half is answered, then the same command again."""
    values: dict[str, list[float]] = defaultdict(list)
    rows = SIZES[0]
    with served(core=bench.server_core, **LATENCY) as server:
        for _ in range(RUNS):
            lake = bench.new_lake()
            command = bench.command(server.url, rows, SHARD_ROWS[-1], lake)
            server.reset()
            before_signal, after_signal = _kill_at_half(bench, server, command, rows)
            server.reset()
            cost = run_measured(command, {bench.tree_core}, bench.environment, ROOT)
            _check(cost, lake, rows)
            found = rows - server.counts()["bodies"]
            values["kill.asked_again"].append(max(0, before_signal - found))
            values["kill.asked_again_after_signal"].append(max(0, after_signal - found))
            kept = _published_rows(open_store(str(lake)))
            values["kill.lost_rows"].append(rows - len(set(kept)))
            values["kill.doubled_rows"].append(len(kept) - len(set(kept)))
    notes = {
        "kill.asked_again": "of the replies that the server had sent before the signal; the most of all runs",
        "kill.asked_again_after_signal": "also those that it sent to a process which was being ended",
    }
    targets = {"kill.asked_again": "<= 2", "kill.lost_rows": "<= 0", "kill.doubled_rows": "<= 0"}
    for name, each in values.items():
        unit = "requests" if "asked" in name else "rows"
        yield Figure(name, max(each), unit, targets.get(name, ""), notes.get(name, ""))


def _kill_at_half(bench: Bench, server: Served, command: Sequence[str], rows: int) -> tuple[int, int]:
    """Start a run and kill it; returns the replies sent before the signal, and those sent in the end."""
    process = psutil.Popen(
        command, cwd=ROOT, env=bench.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    process.cpu_affinity([bench.tree_core])
    while server.counts()["answered"] < rows // 2:
        if process.poll() is not None:
            raise RuntimeError("the run ended before it could be killed")
    tree = [process, *process.children(recursive=True)]
    tree.sort(key=lambda one: find_role(one, process.pid) != "worker")
    before_signal = server.counts()["answered"]
    for one in tree:
        one.send_signal(signal.SIGKILL)
    process.wait()
    psutil.wait_procs(tree)
    while (counts := server.counts())["in_flight"]:
        pass
    return before_signal, counts["answered"]


def _measure_shards(bench: Bench) -> Iterator[Figure]:
    """What a shard takes beside its work: runs of an empty stage on shards of one row, less runs without the stage."""
    for shards in SHARD_COUNTS:
        values = []
        for _ in range(RUNS):
            cpu = []
            for stages in (0, 1):
                words = ["-m", "tests.bench.support.empty_shards", str(shards), str(stages), str(bench.new_lake())]
                cost = run_measured([sys.executable, *words], {bench.tree_core}, bench.environment, ROOT)
                if cost.out.split()[-1:] != [str(shards if stages else 1)]:
                    raise RuntimeError(f"{cost.out}\n{cost.err}")
                print(f"  {shards} shards, {stages} stages: {_format_roles(cost)}, PSS {cost.peak_pss:.0f}", flush=True)
                cpu.append(cost.cpu)
            values.append(1000 * (cpu[1] - cpu[0]) / shards)
        yield _figure(f"cpu_per_shard_{shards}", values, "ms CPU", "<= 5", "an empty stage on shards of one row")


def _figure(name: str, values: Sequence[float], unit: str, target: str, note: str = "") -> Figure:
    value = statistics.median(values)
    each = ", ".join(f"{value:.4g}" for value in values)
    return Figure(name, round(value, 3 if value < 100 else 0), unit, target, f"{note}; runs: {each}".lstrip("; "))


def _unit(name: str) -> str:
    if name.startswith("peak_"):
        return "MiB"
    if name.startswith("cpu_per") or name.startswith("bare_cpu"):
        return "ms CPU/row"
    return "s CPU" if name.startswith("cpu_") else "x"


def _tell(size: str, measured: Measured) -> None:
    void = ", VOID: the server was too busy" if measured.server_share > FULL_CORE_SHARE else ""
    cost, memory = measured.cost, f"PSS {measured.cost.peak_pss:.0f}, RSS {measured.cost.peak_rss:.0f} MiB"
    share = f"server {measured.server_share:.0%} of its core{void}"
    times = f"span {measured.span:.2f} s, wall {cost.wall:.1f} s, {_format_roles(cost)}"
    print(f"  {size}: {times}, {memory}, {share}", flush=True)


def _format_roles(cost: TreeCost) -> str:
    roles = ", ".join(f"{role} {seconds:.1f}" for role, seconds in sorted(cost.cpu_by_role.items()))
    return f"CPU {cost.cpu:.1f} s ({roles})"


def _check(cost: TreeCost, lake: Path, rows: int) -> None:
    if cost.code or len(_published_rows(open_store(str(lake)))) != rows:
        raise RuntimeError(f"the run failed with {cost.code}\n{cost.out}\n{cost.err}")


def _published_rows(store: Store) -> list[str]:
    """Ids of the rows that a run has published."""
    manifest = store.datasets.read_manifest("rl_pool")
    assert manifest is not None, "nothing is published"
    ids: list[str] = []
    for name in manifest.files:
        with store.open(f"datasets/rl_pool/{manifest.version}/{name}") as file:
            ids += pq.read_table(file, columns=["row_id"])["row_id"].to_pylist()
    return ids


def _span(server: Served) -> float:
    counts = server.counts()
    return float(counts["last_reply"] - counts["first_request"])


def _cpu_seconds(server: Served) -> float:
    times = psutil.Process(server.pid).cpu_times()
    return float(times.user + times.system)


def _write_bodies(bench: Bench, lake: Path) -> Path:
    """The bodies of the requests that a run has sent, in their order, as a file."""
    store = open_store(str(lake))
    seed = next(receipt for receipt in store.read_receipts() if receipt.step == "seed")
    stage = SampleResponses(sampling=SampleResponses().sampling.model_copy(update={"n": 1}))
    spec = HttpSpec(kind="http", model="stub", base_url=("http://127.0.0.1/v1",))
    lines = []
    for part in seed.parts:
        for _, request in stage._requests(store.get(part).to_pylist(), stage.sampling, fingerprint(spec)):
            assert request is not None
            lines.append(orjson.dumps(build_body(spec, request, stage.sampling, ())))
    path = bench.folder / "bodies.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path


def _ideal_seconds(bodies: Path) -> float:
    """Seconds that the server's latencies take at least: all of them over the slots, or the longest."""
    counters, behaviour = Counters(), MockBehaviour(**LATENCY)
    keys = [counters.identify_body(BodyRecord(), json.loads(line)) for line in bodies.read_bytes().splitlines()]
    latencies = [behaviour.draw_latency(key, 1) for key in keys]
    return max(sum(latencies) / SLOTS, *latencies)
