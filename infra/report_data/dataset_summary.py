"""Summarizes a published version for its report: funnel, columns, dropped rows with reasons, samples, error rates.

DuckDB reads the columns in place; only the sample rows are loaded. `flows/report` renders the summary.
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
from infra.report_data.rule_rates import describe_weakest_rule, read_figures
from schemas.errors import QuestmillError
from schemas.outcomes import Row
from schemas.receipts import Manifest, Receipt, StepCount
from schemas.tables import error_rates

SAMPLE_ROWS = 8
"""Number of published rows to show as samples."""
SMALL_TABLE_ROWS = 16
"""A table of at most this many rows is shown completely."""
DOUBT_ROWS = 12
"""Most golds in doubt that are shown."""
DOUBT_CHARACTERS = 200
"""Characters of a gold or question in doubt that are shown."""
EXAMPLE_ROWS = 2
"""Dropped rows to show for each step and reason."""
ERROR_RATES_FILE = Path(__file__).parent / "verifier_error_rates.toml"
"""Error rates of the rule-based verifier, as measured by `make bench ONLY=verifier_error_rates`."""
ANSWER_MATCH_VERIFIER = "questmill.answer_match"
"""Name of the rule-based verifier in the rows that it judged."""
ANSWER_MATCH_STEPS: dict[str, tuple[str, ...]] = {
    "verify": ("answer_match",),
    "keep_decided": ("keep_decided", "answer_match"),
    "validate_correction": ("validate_corrections", "answer_match"),
    "execute": ("execute", "answer_match"),
    "verify_by_oracle": ("oracle", "answer_match"),
}
"""Steps that use the rule-based verifier, and where in the recipe it is configured."""
_DEPENDS_ON_MODEL = "how often it is wrong depends on the model and on the questions"
UNMEASURED_STEPS = {
    "execute": "the rates are those of the rule-based verifier, which compares the program's output with the gold; "
    "none were measured for programs, because there is no set of programs with known verdicts",
    "verify_by_oracle": "the rates are those of the rule-based verifier, which compares two answers; none were "
    "measured for the oracle, which computes the answer itself and gives no verdict on questions that it cannot read",
    "majority_vote": f"no rates were measured for this verifier, because it has no gold: {_DEPENDS_ON_MODEL}",
    "weighted_vote": f"no rates were measured for this verifier, because it has no gold: {_DEPENDS_ON_MODEL}",
    "reward_threshold": "no rates were measured for this verifier, because a model gives the rewards: "
    f"{_DEPENDS_ON_MODEL}",
    "judge_response": f"no rates were measured for this verifier, because a model judges: {_DEPENDS_ON_MODEL}",
    "verdict_from_pairs": f"no rates were measured for this verifier, because a model judges: {_DEPENDS_ON_MODEL}",
    "combine_verdicts": "no rates were measured for combined verifiers, because they depend on how often the verifiers "
    "are wrong together",
    "select_answer": "no rates were measured for answers that samples agree on, because they have no gold: "
    f"{_DEPENDS_ON_MODEL}",
}
"""Why false accepts and false rejects are unknown for the steps that do not use the rule-based verifier alone."""
NO_VERIFIER = "No verifier judged these rows, so there are no rates of false accepts and false rejects."
MIX_COLUMNS = ("source", "strategy", "type", "chosen_by")
"""Columns whose combinations are counted, if a table has at least two of them."""
MAX_MIX_ROWS = 50
"""Most combinations to show. If there are more, none are shown."""
ERROR_RATES_DATASET = "error_rates"
"""Name of the dataset that holds a lake's measured error rates."""


@dataclass(frozen=True)
class DroppedRows:
    """Rows that one step rejected, or that failed for good there, for one reason."""

    step: str
    reason: str
    failed: bool
    """Whether the rows failed for good; False: they were rejected."""
    outcomes: int
    """Number of dropped outcomes. A row with several outcomes may have others that were kept."""
    examples: tuple[Row, ...]
    """A few of the rows: `row_id`, `row` as JSON text, and `error` if it failed."""


@dataclass(frozen=True)
class DatasetSummary:
    """All data of a report."""

    manifest: Manifest
    run: Row
    """The run that first published it: `recipe`, `id`, `started` and `ended` (times in UTC). Empty if there is no
    record of it."""
    generators: dict[str, tuple[StepCount, ...]]
    """A funnel for each generator; empty if no row id names one."""
    columns: tuple[column_profiles.Distribution | column_profiles.TopValues, ...]
    """A profile of each column that has one."""
    mix: tuple[Row, ...]
    """Combinations of the columns in `MIX_COLUMNS`, with the number of their `rows`, the most frequent first. Empty if
    there are more than `MAX_MIX_ROWS`."""
    dropped: tuple[DroppedRows, ...]
    """Rejected and failed rows, by step and reason."""
    warnings: tuple[str, ...]
    """Warnings of the gate, one line each."""
    samples: tuple[Row, ...]
    """Published rows, drawn by the version's name."""
    error_rates: tuple[Row, ...]
    """Rows of `schemas.tables.error_rates`: those of the verifier, and those measured in this lake."""
    unmeasured_verifiers: tuple[str, ...] = ()
    """Lines that say which error rates are unknown, and why."""
    gold_doubts: tuple[Row, ...] = ()
    """Golds in doubt, at most `DOUBT_ROWS`, those first against which most responses agree. Long texts are cut."""
    gold_doubt_counts: tuple[tuple[str, int], ...] = ()
    """The number of golds in doubt by `schemas.tables.gold_doubts.Doubt`."""
    weakest_rule: str = ""
    """The rule whose false accepts are least excluded among those that accepted published rows; empty: none did."""


def run_summary(manifest: Manifest, lake: str) -> DatasetSummary:
    """Summarize a published version of the lake at the url `lake`. Raises as `read_summary` does."""
    store = open_store(lake)
    store.begin_work(f"report {manifest.dataset}")
    return read_summary(store, manifest)


def read_summary(store: Store, manifest: Manifest, measured_rates: Sequence[Row] | None = None) -> DatasetSummary:
    """Summarize a published version. Raises `QuestmillError` if a file of it is missing or damaged.

    `measured_rates` are rows of `schemas.tables.error_rates`; None: those of the lake's dataset `error_rates`, if it
    has one.
    """
    all_receipts = store.read_receipts()
    known = {f"{receipt.step}/{receipt.key}": receipt for receipt in all_receipts}
    receipts = [known[name] for name in manifest.receipts if name in known]
    gates = [r for r in all_receipts if manifest.report and r.details.get("report") == manifest.report]
    warnings = [line for gate in gates[:1] for line in gate.details.get("warned", "").splitlines()]
    try:
        with contextlib.closing(catalog.connect(store)) as con:
            _create_published_view(con, "published", store, manifest)
            catalog.create_gold_doubts_view(con, store, all_receipts, [manifest])
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
                gold_doubts=tuple(_find_gold_doubts(con, manifest.dataset)),
                gold_doubt_counts=tuple(_count_gold_doubts(con, manifest.dataset)),
                weakest_rule=_describe_weakest_rule(con, "published"),
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
    """The first run that published this version, by its record; empty if there is no record."""
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
    """Sample rows in the order of the table. The version's name is the seed, so they are always the same."""
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
    """Dropped rows by step, the most frequent reason first. Examples are chosen by the digest of their ids."""
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
    """The chosen example rows, by step and reason. Only the files that hold them are read."""
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
    """False accepts and false rejects of the rule-based verifier; empty if it judged none of these rows."""
    judging_steps = [step for step in ANSWER_MATCH_STEPS if step in {count.step for count in manifest.ledger}]
    if not judging_steps:
        return []
    rows: list[Row] = [*tomllib.loads(ERROR_RATES_FILE.read_text())["figures"], *read_figures()]
    tolerances = [f"{step} allowed {given:g}" for step in judging_steps if (given := _tolerance_of(manifest, step))]
    suffix = f"; measured without a tolerance, but {', '.join(tolerances)}" if tolerances else ""
    return [row | {"note": f"{row['note']}{suffix}"} for row in rows]


def _describe_weakest_rule(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """About the rule-based verifier's weakest rule; empty if the rows have no verdicts of it."""
    columns = {str(name) for name, *_ in con.execute(f"DESCRIBE {table}").fetchall()}
    if not columns >= {"verdict", "rule", "verifier"}:
        return ""
    verifier = "coalesce(decided_by, verifier)" if "decided_by" in columns else "verifier"
    accepted = con.execute(
        f"SELECT rule, count(*) FROM {table} WHERE verdict = 'correct' AND {verifier} = $verifier GROUP BY rule",
        {"verifier": ANSWER_MATCH_VERIFIER},
    ).fetchall()
    return describe_weakest_rule(dict(accepted))


def _find_gold_doubts(con: duckdb.DuckDBPyConnection, dataset: str) -> list[Row]:
    short = ", ".join(f"left({name}, {DOUBT_CHARACTERS}) AS {name}" for name in ("question", "gold", "other_answer"))
    rows = con.execute(
        f"SELECT row_id, doubt, reason, {short}, agreeing, correct, attempts FROM gold_doubts WHERE dataset = $dataset "
        f"ORDER BY agreeing DESC NULLS LAST, doubt, row_id LIMIT {DOUBT_ROWS}",
        {"dataset": dataset},
    )
    return list(rows.to_arrow_table().to_pylist())


def _count_gold_doubts(con: duckdb.DuckDBPyConnection, dataset: str) -> list[tuple[str, int]]:
    sql = "SELECT doubt, count(*) FROM gold_doubts WHERE dataset = $dataset GROUP BY doubt ORDER BY doubt"
    return con.execute(sql, {"dataset": dataset}).fetchall()


def _tolerance_of(manifest: Manifest, step: str) -> float:
    """The numeric tolerance of a step's verifier; 0 if the recipe sets none."""
    value: Any = manifest.recipe
    for name in (*ANSWER_MATCH_STEPS[step], "tolerance"):
        value = value.get(name) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else 0.0


def _explain_unmeasured(manifest: Manifest) -> list[str]:
    """A line for each verifier whose own rates are unknown, or one line that there was no verifier."""
    steps = list(dict.fromkeys(count.step for count in manifest.ledger))
    if not {*steps} & {*ANSWER_MATCH_STEPS, *UNMEASURED_STEPS}:
        return [NO_VERIFIER]
    return [f"{step}: {UNMEASURED_STEPS[step]}." for step in steps if step in UNMEASURED_STEPS]


def _lake_error_rates(con: duckdb.DuckDBPyConnection, store: Store) -> list[Row]:
    """Rows of the lake's dataset `error_rates`; empty if there is none, or if its columns are others."""
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
