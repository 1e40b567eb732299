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
from infra.lake.file_errors import root_cause
from infra.lake.store import Store, open_store
from infra.report_data import column_profiles, generator_funnels
from schemas.errors import QuestmillError
from schemas.outcomes import Row
from schemas.receipts import Manifest, Receipt, StepCount
from schemas.tables import error_rates

SAMPLE_ROWS = 8
"""Published rows that are shown whole."""
SMALL_TABLE_ROWS = 16
"""A table of so many rows is one to look at: all of it is shown."""
EXAMPLE_ROWS = 2
"""Dropped rows that are shown for each step and reason."""
ERROR_RATES_FILE = Path(__file__).parent / "verifier_error_rates.toml"
"""What the ladder's verdicts are worth, as `make bench ONLY=verifier_error_rates` measured it."""
ANSWER_MATCH_STEPS: dict[str, tuple[str, ...]] = {
    "verify": ("answer_match",),
    "keep_decided": ("keep_decided", "answer_match"),
    "validate_correction": ("validate_corrections", "answer_match"),
    "execute": ("execute", "answer_match"),
    "verify_by_oracle": ("oracle", "answer_match"),
}
"""Steps that let the ladder judge, and where in the recipe it is configured."""
_DEPENDS_ON_MODEL = "how often it is wrong depends on the model and on the questions"
UNMEASURED_STEPS = {
    "execute": "the rates are those of the ladder, which compares what was printed with the gold; none were measured "
    "for programs, for want of programs whose right verdict is known",
    "verify_by_oracle": "the rates are those of the ladder, which compares two answers; none were measured for the "
    "oracle, which computes the answer itself and says nothing of a question that it does not know",
    "majority_vote": f"no rates were measured for this verifier, for it has no gold: {_DEPENDS_ON_MODEL}",
    "weighted_vote": f"no rates were measured for this verifier, for it has no gold: {_DEPENDS_ON_MODEL}",
    "reward_threshold": f"no rates were measured for this verifier, for a model gives the rewards: {_DEPENDS_ON_MODEL}",
    "judge_response": f"no rates were measured for this verifier, for a model judges: {_DEPENDS_ON_MODEL}",
    "verdict_from_pairs": f"no rates were measured for this verifier, for a model judges: {_DEPENDS_ON_MODEL}",
    "combine_verdicts": "no rates were measured for several verifiers as one, for these depend on how often they "
    "err together",
    "select_answer": f"no rates were measured for answers that samples agree on, for they have no gold: "
    f"{_DEPENDS_ON_MODEL}",
}
"""Steps that judge otherwise or not by the ladder alone, and why no rates of false accepts and rejects are told."""
NO_VERIFIER = "No verifier judged these rows, so there are no rates of false accepts and false rejects to tell."
MIX_COLUMNS = ("source", "strategy", "type", "chosen_by")
"""Columns that make a mix: where a table has several of them, the rows of each combination are counted."""
MAX_MIX_ROWS = 50
"""Combinations from which there is no mix to look at."""
ERROR_RATES_DATASET = "error_rates"
"""The dataset of a lake that holds its measured error rates."""


@dataclass(frozen=True)
class DroppedRows:
    """Rows that one step turned down for one reason, or that failed for good there."""

    step: str
    reason: str
    failed: bool
    outcomes: int
    """Of a row with several, another one may have been kept."""
    examples: tuple[Row, ...]
    """`row_id`, `row` as JSON text, and the `error` where it failed."""


@dataclass(frozen=True)
class DatasetSummary:
    """Everything that a report tells."""

    manifest: Manifest
    run: Row
    """The run that published it first: `recipe`, `id`, `started` and `publication` (UTC); empty where no record is
    left."""
    generators: dict[str, tuple[StepCount, ...]]
    """A funnel for each generator, where row ids name one."""
    columns: tuple[column_profiles.Distribution | column_profiles.TopValues, ...]
    mix: tuple[Row, ...]
    """Combinations of the columns in `MIX_COLUMNS`, and their `rows`, the most frequent first; empty where too many."""
    dropped: tuple[DroppedRows, ...]
    warnings: tuple[str, ...]
    """What the gate warned of, one line each."""
    samples: tuple[Row, ...]
    error_rates: tuple[Row, ...]
    """Rows of `schemas.tables.error_rates`: of the verifier, and what was measured in this lake."""
    unmeasured_verifiers: tuple[str, ...] = ()
    """What is not known of the verifiers, and why, one line each."""


def run_summary(manifest: Manifest, lake: str) -> DatasetSummary:
    """Read the figures of a published version."""
    return read_summary(open_store(lake), manifest)


def read_summary(store: Store, manifest: Manifest, measured_rates: Sequence[Row] | None = None) -> DatasetSummary:
    """Read the figures of a published version; raises `QuestmillError` where something of it is missing or damaged.

    `measured_rates`: rows of `schemas.tables.error_rates`; None: those of the dataset `error_rates`, where the lake
    has one.
    """
    everything = store.read_receipts()
    known = {f"{receipt.step}/{receipt.key}": receipt for receipt in everything}
    receipts = [known[name] for name in manifest.receipts if name in known]
    gates = [r for r in everything if manifest.report and r.details.get("report") == manifest.report]
    warnings = [line for gate in gates[:1] for line in gate.details.get("warned", "").splitlines()]
    try:
        with contextlib.closing(catalog.connect(store)) as con:
            _create_published_view(con, "published", store, manifest)
            return DatasetSummary(
                manifest=manifest,
                run=_find_run(store, manifest),
                generators=generator_funnels.build_funnels(
                    con, store, receipts, (count.step for count in manifest.ledger)
                ),
                columns=tuple(column_profiles.profile_columns(con, "published")),
                mix=tuple(_count_mix(con, "published")),
                dropped=tuple(_count_dropped(con, store, receipts, [count.step for count in manifest.ledger])),
                warnings=tuple(warnings),
                samples=tuple(_draw_samples(con, store, manifest)),
                error_rates=(
                    *_verifier_error_rates(manifest),
                    *(_lake_error_rates(con, store) if measured_rates is None else measured_rates),
                ),
                unmeasured_verifiers=tuple(_explain_unmeasured(manifest)),
            )
    except (duckdb.Error, OSError) as error:
        raise QuestmillError(
            f"report of {manifest.dataset} {manifest.version}: {root_cause(error)}; restore the file, or delete the "
            "receipts that name it and run again"
        ) from error


def _create_published_view(con: duckdb.DuckDBPyConnection, name: str, store: Store, manifest: Manifest) -> None:
    folder = f"datasets/{manifest.dataset}/{manifest.version}"
    catalog.create_files_view(con, name, [store.locate(f"{folder}/{file}") for file in manifest.files])


def _find_run(store: Store, manifest: Manifest) -> Row:
    """The first run whose record says that it published this version."""
    records: dict[str, dict[str, Row]] = defaultdict(dict)
    for path, data in store.read_all("runs"):
        folder, _, event = path.rpartition("/")
        records[folder][event.removesuffix(".json")] = json.loads(data)
    for folder, record in sorted(records.items(), key=lambda item: item[0].rpartition("/")[2]):
        publication = record.get(f"published-{manifest.dataset}", {})
        if publication.get("version") == manifest.version and "started" in record:
            started = record["started"]
            return {
                "recipe": started["recipe"],
                "id": folder.split("/")[1],
                "started": started["time"],
                "ended": publication["time"],
            }
    return {}


def _count_mix(con: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    columns = {str(name) for name, *_ in con.execute(f"DESCRIBE {table}").fetchall()}
    column_list = ", ".join(catalog.quote_identifier(name) for name in MIX_COLUMNS if name in columns)
    if "," not in column_list:
        return []
    sql = f"SELECT {column_list}, count(*) AS rows FROM {table} GROUP BY ALL ORDER BY rows DESC, {column_list}"
    rows = list(con.execute(f"{sql} LIMIT {MAX_MIX_ROWS + 1}").to_arrow_table().to_pylist())
    return rows if len(rows) <= MAX_MIX_ROWS else []


def _draw_samples(con: duckdb.DuckDBPyConnection, store: Store, manifest: Manifest) -> list[Row]:
    """Rows drawn by the version's name, the same every time, in the order of the table."""
    count = manifest.rows if manifest.rows <= SMALL_TABLE_ROWS else SAMPLE_ROWS
    sample_numbers = sorted(random.Random(manifest.version).sample(range(manifest.rows), count))
    folder, samples, before = f"datasets/{manifest.dataset}/{manifest.version}", list[Row](), 0
    for name, part in zip(manifest.files, manifest.parts, strict=True):
        places = [place - before for place in sample_numbers if before <= place < before + part.rows]
        before += part.rows
        if places:
            url = store.locate(f"{folder}/{name}")
            sql = "SELECT * EXCLUDE (file_row_number) FROM read_parquet($url, file_row_number = true) "
            where = f"WHERE file_row_number IN ({', '.join(map(str, places))}) ORDER BY file_row_number"
            samples += con.execute(sql + where, {"url": url}).to_arrow_table().to_pylist()
    return samples


def _count_dropped(
    con: duckdb.DuckDBPyConnection, store: Store, receipts: list[Receipt], steps: list[str]
) -> list[DroppedRows]:
    """By step, the most frequent reason first; examples are drawn by the digest of their ids."""
    dropped = []
    for failed in (False, True):
        parts = catalog.unique_parts(p for r in receipts if (p := r.quarantine if failed else r.rejects) is not None)
        if not parts:
            continue
        groups = con.execute(
            "SELECT stage, reason, count(*), "
            f"arg_min(struct_pack(row_id := row_id, file := filename), md5(row_id), {EXAMPLE_ROWS}) "
            f"FROM {catalog.read_parts_sql(store, parts)} GROUP BY ALL"
        ).fetchall()
        examples = _read_examples(con, groups, failed)
        dropped += [DroppedRows(step, why, failed, n, tuple(examples[step, why])) for step, why, n, _ in groups]
    return sorted(dropped, key=lambda d: (steps.index(d.step), d.failed, -d.outcomes, d.reason))


def _read_examples(con: duckdb.DuckDBPyConnection, groups: list[Any], failed: bool) -> dict[tuple[str, str], list[Row]]:
    """The rows that were picked, by step and reason: a second look, at the files that hold them alone."""
    wanted = {(step, why, each["row_id"]) for step, why, _, chosen in groups for each in chosen}
    names = sorted({each["file"] for *_, chosen in groups for each in chosen})
    rows = con.execute(
        f"SELECT stage, reason, row_id, row, {'error' if failed else 'NULL'} "
        "FROM read_parquet($files) WHERE row_id IN (SELECT unnest($ids)) ORDER BY ALL",
        {"files": names, "ids": sorted({row_id for *_, row_id in wanted})},
    ).fetchall()
    examples: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for step, why, row_id, row, error in rows:
        if (step, why, row_id) in wanted:
            wanted.discard((step, why, row_id))
            examples[step, why].append({"row_id": row_id, "row": row} | ({"error": error} if failed else {}))
    return examples


def _verifier_error_rates(manifest: Manifest) -> list[Row]:
    """False accepts and false rejects of the ladder, for what it has judged."""
    judging_steps = [step for step in ANSWER_MATCH_STEPS if step in {count.step for count in manifest.ledger}]
    if not judging_steps:
        return []
    rows: list[Row] = tomllib.loads(ERROR_RATES_FILE.read_text())["figures"]
    tolerances = [f"{step} allowed {given:g}" for step in judging_steps if (given := _tolerance_of(manifest, step))]
    suffix = f"; measured without a tolerance, and {', '.join(tolerances)}" if tolerances else ""
    return [row | {"note": f"{row['note']}{suffix}"} for row in rows]


def _tolerance_of(manifest: Manifest, step: str) -> float:
    """What a step forgave of a number; 0 where its recipe does not say."""
    value: Any = manifest.recipe
    for name in (*ANSWER_MATCH_STEPS[step], "tolerance"):
        value = value.get(name) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else 0.0


def _explain_unmeasured(manifest: Manifest) -> list[str]:
    """A line for each verifier whose own rates are not known, or that there was none."""
    steps = list(dict.fromkeys(count.step for count in manifest.ledger))
    if not {*steps} & {*ANSWER_MATCH_STEPS, *UNMEASURED_STEPS}:
        return [NO_VERIFIER]
    return [f"{step}: {UNMEASURED_STEPS[step]}." for step in steps if step in UNMEASURED_STEPS]


def _lake_error_rates(con: duckdb.DuckDBPyConnection, store: Store) -> list[Row]:
    """What the lake's dataset of that name says; a dataset of another shape is none of ours."""
    if (manifest := store.datasets.read_manifest(ERROR_RATES_DATASET)) is None:
        return []
    _create_published_view(con, ERROR_RATES_DATASET, store, manifest)
    columns = {str(name) for name, *_ in con.execute(f"DESCRIBE {ERROR_RATES_DATASET}").fetchall()}
    if not columns >= set(error_rates.SCHEMA.names):
        return []
    column_list = ", ".join(error_rates.SCHEMA.names)
    return list(
        con.execute(f"SELECT {column_list} FROM {ERROR_RATES_DATASET} ORDER BY figure").to_arrow_table().to_pylist()
    )
