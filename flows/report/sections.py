"""Builds the sections of a report from the summary of a published version."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flows.report.document import BarChart, Block, CodeBlock, ColumnChart, Details, Paragraph, Report, Section, Table
from infra.report_data.column_profiles import Distribution, TopValues, format_number
from infra.report_data.dataset_summary import DatasetSummary, DroppedRows
from schemas.outcomes import Row
from schemas.receipts import StepCount, Usage

MAX_ROW_CHARACTERS = 5_000
"""Characters shown of a dropped row; published rows are shown completely."""
MAX_LABEL_CHARACTERS = 60
"""Most characters of a text that can serve as the label of a row."""
MAX_TITLE_CHARACTERS = 110
"""Characters of a sample's summary line, shown before it is opened."""
OUTCOMES = ("kept", "rejected", "quarantined")
USAGE_UNITS = ("tokens", "USD", "GPU seconds")


def build_report(summary: DatasetSummary) -> Report:
    """Build the report of a published version; sections without data are left out."""
    manifest, run = summary.manifest, summary.run
    line = f"version {manifest.version}, published {manifest.created[:19].replace('T', ' ')} UTC"
    if run:
        line += f" by recipe {run['recipe']} (run {run['id']}, begun {run['started']} UTC)"
    return Report(manifest.dataset, line, _build_tiles(summary), [s for s in _build_sections(summary) if s.blocks])


def _build_sections(summary: DatasetSummary) -> Iterator[Section]:
    manifest = summary.manifest
    yield Section("Rows by step", _build_funnel(manifest.ledger))
    yield Section("Generators", _build_generators(summary.generators))
    for name, ledger in summary.generators.items() if len(summary.generators) > 1 else ():
        yield Section(f"Generator {name}" if name else "Rows of no generator", _build_funnel(ledger))
    notes = [*filter(None, [summary.weakest_rule]), *summary.unmeasured_verifiers]
    labels = [*_build_error_rates(summary.error_rates), *map(Paragraph, notes)]
    yield Section("Measured error rates", labels)
    yield Section("Golds in doubt", _build_gold_doubts(summary))
    yield Section("Warnings", [Paragraph(line) for line in manifest.warnings])
    yield Section("Warnings of the gate", [Paragraph(line) for line in summary.warnings])
    small = len(summary.samples) == manifest.rows and _chart_rows(summary.samples)
    if small:
        yield Section("Every row", small, side_by_side=True)
    else:
        yield Section("Columns", _build_columns(summary.columns), side_by_side=True)
    yield Section("Combinations of values", _build_combinations(summary.mix))
    yield Section("Random samples", _build_samples(summary.samples))
    yield Section("Dropped rows", list(_build_dropped_rows(summary.dropped)))
    yield Section("How to get it", _build_how_to_get_it(summary))


def _build_tiles(summary: DatasetSummary) -> list[tuple[str, str]]:
    """Build the key figures: rows, their share of the first step's rows, and the price of a row."""
    manifest = summary.manifest
    usage = sum((count.usage for count in manifest.ledger), Usage())
    tiles = [("rows", f"{manifest.rows:,}")]
    if manifest.ledger and (first := sum(c.rows_in for c in manifest.ledger if c.step == manifest.ledger[0].step)):
        tiles.append((f"published, of {first:,} rows in", f"{manifest.rows / first:.1%}"))
    return tiles + [(f"{what} a published row", text) for what, text in _format_prices(usage, manifest.rows)]


def _format_prices(usage: Usage, rows: int) -> list[tuple[str, str]]:
    amounts = zip(USAGE_UNITS, (usage.tokens, usage.usd, usage.gpu_seconds), strict=True)
    return [(what, format_number(amount / max(1, rows))) for what, amount in amounts if amount]


def _build_generators(ledgers: dict[str, tuple[StepCount, ...]]) -> list[Block]:
    """Build a table with one line for each generator: its published rows and their price."""
    prices, rows = [], []
    for name, ledger in ledgers.items():
        first, last = ledger[0].rows_in, ledger[-1].rows_out
        prices.append(dict(_format_prices(sum((count.usage for count in ledger), Usage()), last)))
        rows.append([name or "(none)", f"{first:,}", f"{last:,}", f"{last / max(1, first):.1%}"])
    named = [what for what in USAGE_UNITS if any(what in price for price in prices)]
    cells = [row + [price.get(what, "0") for what in named] for row, price in zip(rows, prices, strict=True)]
    columns = ["generator", "rows in", "published", "share", *(f"{what} a published row" for what in named)]
    return [Table(columns, cells, frozenset({"generator"}))] if rows else []


def _build_funnel(ledger: tuple[StepCount, ...]) -> list[Block]:
    """Show the ledger as a bar chart and as a table."""
    lines = []
    for count in ledger:
        outcomes = (count.kept, sum(count.rejected.values()), sum(count.quarantined.values()))
        lines.append((count.step, outcomes, f"{count.kept:,} of {count.rows_in:,}"))
    optional = [
        (
            "tokens",
            [f"{count.usage.tokens:,}{count.usage.estimate_note}" for count in ledger],
            any(c.usage.tokens for c in ledger),
        ),
        ("GPU s", [f"{count.usage.gpu_seconds:,.1f}" for count in ledger], any(c.usage.gpu_seconds for c in ledger)),
        ("USD", [f"{count.usage.usd:,.4f}" for count in ledger], any(c.usage.usd for c in ledger)),
    ]
    more = [(name, cells) for name, cells, there in optional if there]
    columns = ["step", "rows in", "kept", "rejected", "quarantined", "rows out", *(name for name, _ in more), "seconds"]
    rows = [
        [
            count.step,
            f"{count.rows_in:,}",
            f"{count.kept:,}",
            _format_reasons(count.rejected),
            _format_reasons(count.quarantined),
            f"{count.rows_out:,}",
            *(cells[number] for _, cells in more),
            f"{count.seconds:,.1f}",
        ]
        for number, count in enumerate(ledger)
    ]
    left = frozenset({"step", "rejected", "quarantined"})
    return [BarChart("rows by step", OUTCOMES, lines), Table(columns, rows, left)] if ledger else []


def _format_reasons(counts: dict[str, int]) -> str:
    """Format counts, e.g. `7: null answer 5, null response 2`, the most frequent first."""
    named = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return f"{sum(counts.values()):,}" + (": " + ", ".join(f"{why} {n:,}" for why, n in named) if named else "")


def _build_error_rates(rows: Iterable[Row]) -> list[Block]:
    cells = [
        [r["figure"], f"{r['value']:.2%}", f"{r['low']:.2%} to {r['high']:.2%}", f"{r['n']:,}", r["note"] or ""]
        for r in rows
    ]
    columns = ["metric", "measured", "95 % interval", "of rows", "note"]
    return [Table(columns, cells, frozenset({"metric", "note"}))] if cells else []


def _build_gold_doubts(summary: DatasetSummary) -> list[Block]:
    """List golds in doubt with the evidence, and say how many there are."""
    if not summary.gold_doubts:
        return []
    counts = ", ".join(f"{doubt} {golds:,}" for doubt, golds in summary.gold_doubt_counts)
    golds = sum(golds for _, golds in summary.gold_doubt_counts)
    cells = [
        [
            row["doubt"] + (f" ({row['reason']})" if row["reason"] else ""),
            *(_shorten(row[name] or "", MAX_LABEL_CHARACTERS) for name in ("question", "gold", "other_answer")),
            *(f"{row[name] or 0:,}" for name in ("agreeing", "correct", "attempts")),
        ]
        for row in summary.gold_doubts
    ]
    names = ["doubt", "question", "gold", "other answer", "agreeing", "correct", "attempts"]
    query = f"questmill query \"SELECT * FROM gold_doubts WHERE dataset = '{summary.manifest.dataset}'\""
    text = f"{golds:,} in doubt: {counts}. A gold in doubt may be right; the verdicts do not depend on it. All: {query}"
    return [Paragraph(text), Table(names, cells, frozenset(names[:4]))]


def _build_columns(columns: Iterable[Distribution | TopValues]) -> list[Block]:
    """Chart each column. Columns with one value in all rows are listed together."""
    pictures, same = list[Block](), list[tuple[str, str]]()
    for column in columns:
        if isinstance(column, TopValues) and column.distinct == 1 and not column.nulls:
            same.append((column.column, column.values[0][0]))
        elif isinstance(column, Distribution) and column.low == column.high and not column.nulls:
            same.append((column.column, format_number(column.low)))
        else:
            pictures.append(_chart_column(column))
    return [*pictures, Details("the same in every row", same, is_open=True)] if same else pictures


def _chart_rows(rows: Sequence[Row]) -> list[Block]:
    """Chart each numeric column of a small table, one bar for each row, labelled by the first unique text column."""
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
    texts = [
        name
        for name, values in columns.items()
        if all(isinstance(v, str) and len(v) <= MAX_LABEL_CHARACTERS for v in values)
    ]
    label = next((name for name in texts if name != "row_id" and len({*columns[name]}) == len(rows)), None)
    return [
        BarChart(
            name,
            (name,),
            [(at, (max(0, value),), format_number(value)) for at, value in zip(columns[label], values, strict=True)],
        )
        for name, values in columns.items()
        if label and all(map(_is_number, values)) and len({*values}) > 1
    ]


def _build_combinations(rows: Sequence[Row]) -> list[Block]:
    """List every combination of values, and its share of all rows."""
    total = sum(row["rows"] for row in rows)
    columns = [name for name in rows[0] if name != "rows"] if rows else []
    cells = [
        [*(_to_text(row[name]) for name in columns), f"{row['rows']:,}", f"{row['rows'] / total:.1%}"] for row in rows
    ]
    return [Table([*columns, "rows", "share"], cells, frozenset(columns))] if rows else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _chart_column(column: Distribution | TopValues) -> Block:
    nulls = f"; {column.nulls:,} without a value" if column.nulls else ""
    if isinstance(column, Distribution):
        title = f"{column.column}, characters" if column.of_lengths else column.column
        spread = [
            f"{what} {format_number(value)}"
            for what, value in [
                ("from", column.low),
                ("median", column.median),
                ("mean", column.mean),
                ("to", column.high),
            ]
        ]
        return ColumnChart(title, [(bin.label, bin.rows) for bin in column.bins], ", ".join(spread) + nulls)
    lines = [(_shorten(value, 60), (n,), f"{n:,}") for value, n in column.values]
    rest = f"; {column.other_rows:,} rows with one of the others" if column.other_rows else ""
    return BarChart(column.column, ("rows",), lines, f"{column.distinct:,} values{rest}{nulls}")


def _build_samples(rows: Iterable[Row]) -> list[Block]:
    folds: list[Block] = []
    for row in rows:
        texts = [(name, _to_text(value)) for name, value in row.items() if value is not None]
        longest = max((text for _, text in texts[:3]), key=len, default="")
        folds.append(
            Details(_shorten(str(row.get("question") or longest), MAX_TITLE_CHARACTERS), texts, is_open=not folds)
        )
    return folds


def _build_dropped_rows(dropped: Iterable[DroppedRows]) -> Iterator[Block]:
    for each in dropped:
        what = "failed" if each.failed else "rejected"
        texts = []
        for example in each.examples:
            texts += [(f"{example['row_id']}, error", str(example["error"]))] if "error" in example else []
            texts.append((str(example["row_id"]), _truncate(_format_row(str(example["row"])))))
        yield Details(f"{each.step}: {each.outcomes:,} {what}: {each.reason}", texts)


def _build_how_to_get_it(summary: DatasetSummary) -> list[Block]:
    manifest = summary.manifest
    lines = [
        f'questmill query "FROM {manifest.dataset}" --format parquet > {manifest.dataset}.parquet',
        f'questmill query "FROM {manifest.dataset} LIMIT 5" --format json',
        f"questmill query \"SELECT * FROM funnel WHERE dataset = '{manifest.dataset}' ORDER BY position\"",
        f"questmill rollback {manifest.dataset} {manifest.version}",
        f"questmill report {manifest.dataset} --version {manifest.version} --out report.html",
    ]
    files = f"datasets/{manifest.dataset}/{manifest.version}/"
    size = sum(part.size for part in manifest.parts) / 1e6
    file_summary = (
        f"The files: {len(manifest.files):,} in {files} of the lake, {size:,.1f} MB. Content {manifest.content}."
    )
    recipe = Details("the recipe, every field", [("recipe", json.dumps(manifest.recipe, indent=2, ensure_ascii=False))])
    return [CodeBlock("\n".join(lines)), Paragraph(file_summary), recipe]


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _format_row(text: str) -> str:
    """Format a row stored as JSON text, with one line for each column."""
    try:
        row = json.loads(text)
    except ValueError:
        return text
    return "\n".join(f"{name}: {_to_text(value)}" for name, value in row.items()) if isinstance(row, dict) else text


def _shorten(text: str, max_characters: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= max_characters else line[: max_characters - 3] + "..."


def _truncate(text: str) -> str:
    return (
        text
        if len(text) <= MAX_ROW_CHARACTERS
        else f"{text[:MAX_ROW_CHARACTERS]}\n... and {len(text) - MAX_ROW_CHARACTERS:,} more characters"
    )
