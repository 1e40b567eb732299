"""What there is to tell about a published version: its funnel, its columns, what was dropped and why, and samples.

DuckDB reads the columns where they lie; of the rows only the samples come here. `flows/report` tells it.
"""

import contextlib
import json
import random
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from infra.lake import catalog
from infra.lake.store import Store, open_store, reason
from infra.report_data import column_profiles, generator_funnels
from schemas.errors import QuestmillError
from schemas.outcomes import Row
from schemas.receipts import Manifest, Part, Receipt, StepCount
from schemas.tables import error_rates

SAMPLES = 8
"""Published rows that are shown whole."""
SMALL = 16
"""A table of so many rows is one to look at: all of it is shown."""
EXAMPLES = 2
"""Dropped rows that are shown for each step and reason."""
TRUST = Path(__file__).parent / "verifier_error_rates.toml"
"""What the ladder's verdicts are worth, as `make bench ONLY=verify.d` measured it."""
JUDGED: dict[str, tuple[str, ...]] = {
    "verify": ("judge",),
    "grade": ("grade", "judge"),
    "check": ("check", "judge"),
    "execute": ("execute", "equality"),
    "consult_oracle": ("oracle", "equality"),
}
"""Steps that let the ladder judge, and where in the recipe it is configured."""
_BY_MODEL = "how often it is wrong depends on the model and on the questions"
UNMEASURED = {
    "execute": "the rates are those of the ladder, which compares what was printed with the gold; none were measured "
    "for programs, for want of programs whose right verdict is known",
    "consult_oracle": "the rates are those of the ladder, which compares two answers; none were measured for the "
    "oracle, which computes the answer itself and says nothing of a question that it does not know",
    "vote": f"no rates were measured for this verifier, for it has no gold: {_BY_MODEL}",
    "weighed_vote": f"no rates were measured for this verifier, for it has no gold: {_BY_MODEL}",
    "accept_reward": f"no rates were measured for this verifier, for a model gives the rewards: {_BY_MODEL}",
    "judge_response": f"no rates were measured for this verifier, for a model judges: {_BY_MODEL}",
    "settle_pairs": f"no rates were measured for this verifier, for a model judges: {_BY_MODEL}",
    "combine": "no rates were measured for several verifiers as one, for these depend on how often they err together",
    "select_answer": f"no rates were measured for answers that samples agree on, for they have no gold: {_BY_MODEL}",
}
"""Steps that judge otherwise or not by the ladder alone, and why no rates of false accepts and rejects are told."""
NO_VERIFIER = "No verifier judged these rows, so there are no rates of false accepts and false rejects to tell."
CROSSED = ("source", "strategy", "type", "chosen_by")
"""Columns that make a mix: where a table has several of them, the rows of each combination are counted."""
MIXED = 50
"""Combinations from which there is no mix to look at."""
NOISE = "noise"
"""The dataset of a lake that holds the measured noise."""


@dataclass(frozen=True)
class Dropped:
    """Rows that one step turned down for one reason, or that failed for good there."""

    step: str
    reason: str
    failed: bool
    outcomes: int
    """Of a row with several, another one may have been kept."""
    examples: tuple[Row, ...]
    """`row_id`, `row` as JSON text, and the `error` where it failed."""


@dataclass(frozen=True)
class Figures:
    """Everything that a report tells."""

    manifest: Manifest
    run: Row
    """The run that published it first: `recipe`, `id`, `started` and `ended` (UTC); empty where no record is left."""
    generators: dict[str, tuple[StepCount, ...]]
    """A funnel for each generator, where row ids name one."""
    columns: tuple[column_profiles.Histogram | column_profiles.Values, ...]
    mix: tuple[Row, ...]
    """Combinations of the columns in `CROSSED`, and their `rows`, the most frequent first; empty where too many."""
    dropped: tuple[Dropped, ...]
    warned: tuple[str, ...]
    """What the gate warned of, one line each."""
    samples: tuple[Row, ...]
    noise: tuple[Row, ...]
    """Rows of `schemas.tables.error_rates`: of the verifier, and what was measured in this lake."""
    unmeasured: tuple[str, ...] = ()
    """What is not known of the verifiers, and why, one line each."""


def run_figures(manifest: Manifest, lake: str) -> Figures:
    """Read the figures of a published version."""
    return read(open_store(lake), manifest)


def read(store: Store, manifest: Manifest, measured: Sequence[Row] | None = None) -> Figures:
    """Read the figures of a published version; raises `QuestmillError` where something of it is missing or damaged.

    `measured`: rows of `schemas.tables.error_rates`; None: those of the dataset `noise`, where the lake has one.
    """
    everything = store.receipts()
    known = {f"{receipt.step}/{receipt.key}": receipt for receipt in everything}
    receipts = [known[name] for name in manifest.receipts if name in known]
    gates = [r for r in everything if manifest.report and r.detail.get("report") == manifest.report]
    warned = [line for gate in gates[:1] for line in gate.detail.get("warned", "").splitlines()]
    try:
        with contextlib.closing(catalog.connect(store)) as con:
            _published(con, "published", store, manifest)
            return Figures(
                manifest=manifest,
                run=_run(store, manifest),
                generators=generator_funnels.funnels(con, store, receipts, (count.step for count in manifest.ledger)),
                columns=tuple(column_profiles.describe(con, "published")),
                mix=tuple(_mix(con, "published")),
                dropped=tuple(_dropped(con, store, receipts, [count.step for count in manifest.ledger])),
                warned=tuple(warned),
                samples=tuple(_samples(con, store, manifest)),
                noise=(*_trust(manifest), *(_noise(con, store) if measured is None else measured)),
                unmeasured=tuple(_unmeasured(manifest)),
            )
    except (duckdb.Error, OSError) as error:
        raise QuestmillError(
            f"report of {manifest.dataset} {manifest.version}: {reason(error)}; restore the file, or delete the "
            "receipts that name it and run again"
        ) from error


def _published(con: duckdb.DuckDBPyConnection, name: str, store: Store, manifest: Manifest) -> None:
    folder = f"datasets/{manifest.dataset}/{manifest.version}"
    catalog.files(con, name, [store.locate(f"{folder}/{file}") for file in manifest.files])


def _run(store: Store, manifest: Manifest) -> Row:
    """The first run whose record says that it published this version."""
    records: dict[str, dict[str, Row]] = defaultdict(dict)
    for path, data in store.read_all("runs"):
        folder, _, event = path.rpartition("/")
        records[folder][event.removesuffix(".json")] = json.loads(data)
    for folder, record in sorted(records.items(), key=lambda item: item[0].rpartition("/")[2]):
        ended = record.get(f"published-{manifest.dataset}", {})
        if ended.get("version") == manifest.version and "started" in record:
            started = record["started"]
            return {
                "recipe": started["recipe"],
                "id": folder.split("/")[1],
                "started": started["time"],
                "ended": ended["time"],
            }
    return {}


def _mix(con: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    there = {str(name) for name, *_ in con.execute(f"DESCRIBE {table}").fetchall()}
    named = ", ".join(catalog.quoted(name) for name in CROSSED if name in there)
    if "," not in named:
        return []
    counted = f"SELECT {named}, count(*) AS rows FROM {table} GROUP BY ALL ORDER BY rows DESC, {named}"
    rows = list(con.execute(f"{counted} LIMIT {MIXED + 1}").to_arrow_table().to_pylist())
    return rows if len(rows) <= MIXED else []


def _samples(con: duckdb.DuckDBPyConnection, store: Store, manifest: Manifest) -> list[Row]:
    """Rows drawn by the version's name, the same every time, in the order of the table."""
    count = manifest.rows if manifest.rows <= SMALL else SAMPLES
    drawn = sorted(random.Random(manifest.version).sample(range(manifest.rows), count))
    folder, found, before = f"datasets/{manifest.dataset}/{manifest.version}", list[Row](), 0
    for name, part in zip(manifest.files, manifest.parts, strict=True):
        places = [place - before for place in drawn if before <= place < before + part.rows]
        before += part.rows
        if places:
            url = store.locate(f"{folder}/{name}")
            sql = "SELECT * EXCLUDE (file_row_number) FROM read_parquet($url, file_row_number = true) "
            where = f"WHERE file_row_number IN ({', '.join(map(str, places))}) ORDER BY file_row_number"
            found += con.execute(sql + where, {"url": url}).to_arrow_table().to_pylist()
    return found


def _dropped(con: duckdb.DuckDBPyConnection, store: Store, receipts: list[Receipt], steps: list[str]) -> list[Dropped]:
    """By step, the most frequent reason first; examples are drawn by the digest of their ids."""
    found = []
    for failed in (False, True):
        parts = catalog.unique(p for r in receipts if (p := r.quarantine if failed else r.rejects) is not None)
        if not parts:
            continue
        picked = con.execute(
            "SELECT stage, reason, count(*), "
            f"arg_min(struct_pack(row_id := row_id, file := filename), md5(row_id), {EXAMPLES}) "
            f"FROM {_objects(store, parts)} GROUP BY ALL"
        ).fetchall()
        examples = _examples(con, picked, failed)
        found += [Dropped(step, why, failed, n, tuple(examples[step, why])) for step, why, n, _ in picked]
    return sorted(found, key=lambda d: (steps.index(d.step), d.failed, -d.outcomes, d.reason))


def _examples(con: duckdb.DuckDBPyConnection, picked: list[Any], failed: bool) -> dict[tuple[str, str], list[Row]]:
    """The rows that were picked, by step and reason: a second look, at the files that hold them alone."""
    wanted = {(step, why, each["row_id"]) for step, why, _, chosen in picked for each in chosen}
    names = sorted({each["file"] for *_, chosen in picked for each in chosen})
    rows = con.execute(
        f"SELECT stage, reason, row_id, row, {'error' if failed else 'NULL'} "
        "FROM read_parquet($files) WHERE row_id IN (SELECT unnest($ids)) ORDER BY ALL",
        {"files": names, "ids": sorted({row_id for *_, row_id in wanted})},
    ).fetchall()
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for step, why, row_id, row, error in rows:
        if (step, why, row_id) in wanted:
            wanted.discard((step, why, row_id))
            found[step, why].append({"row_id": row_id, "row": row} | ({"error": error} if failed else {}))
    return found


def _objects(store: Store, parts: list[Part]) -> str:
    listed = ", ".join("'" + store.object_url(part).replace("'", "''") + "'" for part in parts)
    return f"read_parquet([{listed}], filename = true)"


def _trust(manifest: Manifest) -> list[Row]:
    """False accepts and false rejects of the ladder, for what it has judged."""
    judges = [step for step in JUDGED if step in {count.step for count in manifest.ledger}]
    if not judges:
        return []
    rows: list[Row] = tomllib.loads(TRUST.read_text())["figures"]
    allowed = [f"{step} allowed {given:g}" for step in judges if (given := _tolerance(manifest, step))]
    told = f"; measured without a tolerance, and {', '.join(allowed)}" if allowed else ""
    return [row | {"note": f"{row['note']}{told}"} for row in rows]


def _tolerance(manifest: Manifest, step: str) -> float:
    """What a step forgave of a number; 0 where its recipe does not say."""
    found: Any = manifest.recipe
    for name in (*JUDGED[step], "tolerance"):
        found = found.get(name) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else 0.0


def _unmeasured(manifest: Manifest) -> list[str]:
    """A line for each verifier whose own rates are not known, or that there was none."""
    steps = list(dict.fromkeys(count.step for count in manifest.ledger))
    if not {*steps} & {*JUDGED, *UNMEASURED}:
        return [NO_VERIFIER]
    return [f"{step}: {UNMEASURED[step]}." for step in steps if step in UNMEASURED]


def _noise(con: duckdb.DuckDBPyConnection, store: Store) -> list[Row]:
    """What the lake's dataset of that name says; a dataset of another shape is none of ours."""
    if (manifest := store.manifest(NOISE)) is None:
        return []
    _published(con, NOISE, store, manifest)
    there = {str(name) for name, *_ in con.execute(f"DESCRIBE {NOISE}").fetchall()}
    if not there >= set(error_rates.SCHEMA.names):
        return []
    named = ", ".join(error_rates.SCHEMA.names)
    return list(con.execute(f"SELECT {named} FROM {NOISE} ORDER BY figure").to_arrow_table().to_pylist())
