"""What a run survives, counted at the server: kills, chaos, equal prompts, changed configurations, budgets."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.support.mock_servers import Served, asked, begin, served
from tests.bench.support.results import Figure

CHAOS = {
    "fault_rate_limited": 0.02,
    "fault_server_error": 0.01,
    "fault_cut_off": 0.005,
    "forbidden": 0.001,
    "fault_hang": 0.001,
}


def measure() -> Iterator[Figure]:
    """Each row of the table with servers of its own."""
    yield from _killed()
    yield from _chaos()
    with served() as stub:
        yield _distinct(stub)
    yield _changed()
    yield from _budget()


def _killed() -> Iterator[Figure]:
    """kill -9 at four moments, then again to the end."""
    rows, worst, lost = 2000, 0, 0
    with served(latency=0.2, latency_sigma=0.5, latency_cap=1) as stub:
        for share in (0.1, 0.5, 0.9, 0.99):
            stub.reset()
            with tempfile.TemporaryDirectory() as lake:
                job = {"url": stub.url, "lake": lake, "rows": rows, "shard_rows": 250, "slots": 64}
                process = begin(**job)
                while stub.counts()["answered"] < share * rows:
                    time.sleep(0.002)
                os.kill(process.pid, signal.SIGKILL)
                process.communicate()
                told = asked(**job)
            worst = max(worst, stub.counts()["answered_more_than_once"])
            lost = max(lost, abs(told["kept"] - rows))
    yield Figure(
        "kill.repeated_requests", worst, "requests", "<= 8", "answered and asked again after a kill, worst of 4 moments"
    )
    yield Figure("kill.lost_rows", lost, "rows", "<= 0", "lost or doubled")


def _chaos() -> Iterator[Figure]:
    """5,000 rows, with and without chaos; hangs end at a deadline of 2 s."""
    job = {"rows": 5000, "shard_rows": 250, "deadline": 2.0}
    latency = {"latency": 0.2, "latency_sigma": 0.5, "latency_cap": 1.5}
    told = []
    for chaos in ({}, CHAOS):
        with served(retry_after=0.2, **latency, **chaos) as stub, tempfile.TemporaryDirectory() as lake:
            told.append(asked(url=stub.url, lake=lake, **job))
            forbidden = stub.counts()["by_status"].get("400", 0)
    clean, chaotic = told
    whole = chaotic["kept"] + sum(chaotic["quarantined"].values())
    fair = whole == 5000 and chaotic["quarantined"] == ({"refused with 400": forbidden} if forbidden else {})
    ratio = chaotic["seconds"] / clean["seconds"]
    yield Figure(
        "chaos.time_ratio", round(ratio, 2), "x clean", "<= 1.5", f"quarantined {chaotic['quarantined']}, hangs within"
    )
    yield Figure(
        "chaos.rows_kept", "all" if fair else "NOT ALL", "", "all", "answerable rows kept, forbidden ones named"
    )


def _distinct(stub: Served) -> Figure:
    """Blank prompts: the server must see as many seeds as rows."""
    with tempfile.TemporaryDirectory() as lake:
        told = asked(url=stub.url, lake=lake, rows=10_000, shard_rows=500, blank=True)
    seeds = stub.counts()["seeded"]
    return Figure(
        "distinct_seeds", seeds, "samples", ">= 10000", f"distinct seeds of 10,000 blank prompts, {told['kept']:,} kept"
    )


def _changed() -> Figure:
    """The same run again with one thing changed: how many of 500 rows are asked again."""
    changes: list[dict[str, Any]] = [{"system": "Answer it."}, {"temperature": 0.5}, {"model": "other"}, {}]
    with served() as one, served() as other, tempfile.TemporaryDirectory() as lake:
        job = {"lake": lake, "rows": 500, "shard_rows": 100}
        asked(url=one.url, **job)
        again = []
        for change in changes:
            one.reset()
            asked(url=one.url if change else other.url, **job, **change)
            again.append(one.counts()["requests"] + other.counts()["requests"])
    note = "asked again after a change of system prompt, temperature, model, base_url"
    return Figure("asked_again_after_change", "/".join(map(str, again)), "rows", "500/500/500/0", note)


def _budget() -> Iterator[Figure]:
    """Half of the tokens, then enough: never more than a window too much, and the rows of an uninterrupted run."""
    job = {"rows": 1000, "shard_rows": 100, "slots": 32}
    with served(latency=0.02) as stub, tempfile.TemporaryDirectory() as folder:
        whole = asked(url=stub.url, lake=str(Path(folder, "whole")), **job)
        budget = whole["spent"] // 2
        poor = asked(url=stub.url, lake=str(Path(folder, "half")), tokens=budget, **job)
        rich = asked(url=stub.url, lake=str(Path(folder, "half")), tokens=10**9, **job)
    same = rich["parts"] == whole["parts"] and rich["spent"] == whole["spent"]
    window = 32 * whole["spent"] / 1000
    note = f"spent {poor['spent']:,} of {budget:,}, then {rich['spent']:,}; {poor['unfinished']} shards owed at first"
    yield Figure(
        "budget.overspent_windows", round(max(0.0, poor["spent"] - budget) / window, 2), "windows", "<= 1", note
    )
    yield Figure(
        "budget.same_rows_and_cost",
        "same" if same else "NOT THE SAME",
        "",
        "same",
        "rows and cost of the continued run",
    )
