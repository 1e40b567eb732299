"""What a report says of a published version, section by section."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flows.report.document import Bars, Block, Code, Columns, Fold, Grid, Section, Story, Text
from infra.report_data.column_profiles import Histogram, Values, number_text
from infra.report_data.dataset_summary import Dropped, Figures
from schemas.outcomes import Row
from schemas.receipts import Spent, StepCount

LONG = 5_000
"""Characters of a dropped row that are shown; published rows are shown whole."""
LABEL = 60
"""Characters of a text that can name a row."""
GLANCE = 110
"""Characters of a fold that are seen before it is opened."""
FATES = ("kept", "rejected", "quarantined")
AMOUNTS = ("tokens", "USD", "GPU seconds")


def tell(figures: Figures) -> Story:
    """The report of a published version; a section is there where its data is."""
    manifest, run = figures.manifest, figures.run
    line = f"version {manifest.version}, published {manifest.created[:19].replace('T', ' ')} UTC"
    if run:
        line += f" by recipe {run['recipe']} (run {run['id']}, begun {run['started']} UTC)"
    return Story(manifest.dataset, line, _tiles(figures), [s for s in _sections(figures) if s.blocks])


def _sections(figures: Figures) -> Iterator[Section]:
    manifest = figures.manifest
    yield Section("From the first row to the last", _funnel(manifest.ledger))
    yield Section("The generators", _generators(figures.generators))
    for name, ledger in figures.generators.items() if len(figures.generators) > 1 else ():
        yield Section(f"Generator {name}" if name else "Rows of no generator", _funnel(ledger))
    labels = [*_noise(figures.noise), *(Text(line) for line in figures.unmeasured)]
    yield Section("What the labels are worth", labels)
    yield Section("Warnings of the gate", [Text(line) for line in figures.warned])
    small = len(figures.samples) == manifest.rows and _rows(figures.samples)
    if small:
        yield Section("Row by row", small, side_by_side=True)
    else:
        yield Section("What the columns hold", _columns(figures.columns), side_by_side=True)
    yield Section("The mix", _mix(figures.mix))
    yield Section("A few rows, drawn by chance", _samples(figures.samples))
    yield Section("What was dropped, and why", list(_dropped(figures.dropped)))
    yield Section("How to get it", _ways(figures))


def _tiles(figures: Figures) -> list[tuple[str, str]]:
    """Rows, share of the first step's, and the price of one row."""
    manifest = figures.manifest
    spent = sum((count.spent for count in manifest.ledger), Spent())
    tiles = [("rows", f"{manifest.rows:,}")]
    if manifest.ledger and (first := sum(c.rows_in for c in manifest.ledger if c.step == manifest.ledger[0].step)):
        tiles.append((f"published, of {first:,} begun with", f"{manifest.rows / first:.1%}"))
    return tiles + [(f"{what} a published row", text) for what, text in _price(spent, manifest.rows)]


def _price(spent: Spent, rows: int) -> list[tuple[str, str]]:
    amounts = zip(AMOUNTS, (spent.tokens, spent.usd, spent.gpu_seconds), strict=True)
    return [(what, number_text(amount / max(1, rows))) for what, amount in amounts if amount]


def _generators(ledgers: dict[str, tuple[StepCount, ...]]) -> list[Block]:
    """One line each: how many of its rows were published, and at what price."""
    prices, rows = [], []
    for name, ledger in ledgers.items():
        first, last = ledger[0].rows_in, ledger[-1].rows_out
        prices.append(dict(_price(sum((count.spent for count in ledger), Spent()), last)))
        rows.append([name or "(none)", f"{first:,}", f"{last:,}", f"{last / max(1, first):.1%}"])
    named = [what for what in AMOUNTS if any(what in price for price in prices)]
    cells = [row + [price.get(what, "0") for what in named] for row, price in zip(rows, prices, strict=True)]
    columns = ["generator", "begun with", "published", "share", *(f"{what} a published row" for what in named)]
    return [Grid(columns, cells, frozenset({"generator"}))] if rows else []


def _funnel(ledger: tuple[StepCount, ...]) -> list[Block]:
    """The same as a picture and as a table."""
    lines = []
    for count in ledger:
        fates = (count.kept, sum(count.rejected.values()), sum(count.quarantined.values()))
        lines.append((count.step, fates, f"{count.kept:,} of {count.rows_in:,}"))
    optional = [
        ("tokens", [f"{count.spent.tokens:,}" for count in ledger], any(c.spent.tokens for c in ledger)),
        ("GPU s", [f"{count.spent.gpu_seconds:,.1f}" for count in ledger], any(c.spent.gpu_seconds for c in ledger)),
        ("USD", [f"{count.spent.usd:,.4f}" for count in ledger], any(c.spent.usd for c in ledger)),
    ]
    more = [(name, cells) for name, cells, there in optional if there]
    columns = ["step", "rows in", "kept", "rejected", "quarantined", "rows out", *(name for name, _ in more), "seconds"]
    rows = [
        [
            count.step,
            f"{count.rows_in:,}",
            f"{count.kept:,}",
            _reasons(count.rejected),
            _reasons(count.quarantined),
            f"{count.rows_out:,}",
            *(cells[number] for _, cells in more),
            f"{count.seconds:,.1f}",
        ]
        for number, count in enumerate(ledger)
    ]
    left = frozenset({"step", "rejected", "quarantined"})
    return [Bars("rows by step", FATES, lines), Grid(columns, rows, left)] if ledger else []


def _reasons(counts: dict[str, int]) -> str:
    """`7: null answer 5, null response 2`, the most frequent first."""
    named = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return f"{sum(counts.values()):,}" + (": " + ", ".join(f"{why} {n:,}" for why, n in named) if named else "")


def _noise(rows: Iterable[Row]) -> list[Block]:
    cells = [
        [r["figure"], f"{r['value']:.2%}", f"{r['low']:.2%} to {r['high']:.2%}", f"{r['n']:,}", r["note"] or ""]
        for r in rows
    ]
    columns = ["figure", "measured", "95 % interval", "of rows", "note"]
    return [Grid(columns, cells, frozenset({"figure", "note"}))] if cells else []


def _columns(columns: Iterable[Histogram | Values]) -> list[Block]:
    """A picture each; columns that say the same of every row share a fold."""
    pictures, same = list[Block](), list[tuple[str, str]]()
    for column in columns:
        if isinstance(column, Values) and column.distinct == 1 and not column.nulls:
            same.append((column.column, column.top[0][0]))
        elif isinstance(column, Histogram) and column.low == column.high and not column.nulls:
            same.append((column.column, number_text(column.low)))
        else:
            pictures.append(_column(column))
    return [*pictures, Fold("the same in every row", same, open=True)] if same else pictures


def _rows(rows: Sequence[Row]) -> list[Block]:
    """Of a table small enough to be looked at whole: each column of numbers as bars, one a row, by its first text."""
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
    texts = [name for name, values in columns.items() if all(isinstance(v, str) and len(v) <= LABEL for v in values)]
    label = next((name for name in texts if name != "row_id" and len({*columns[name]}) == len(rows)), None)
    return [
        Bars(
            name,
            (name,),
            [(at, (max(0, value),), number_text(value)) for at, value in zip(columns[label], values, strict=True)],
        )
        for name, values in columns.items()
        if label and all(map(_is_number, values)) and len({*values}) > 1
    ]


def _mix(rows: Sequence[Row]) -> list[Block]:
    """Every combination, and its share of all rows."""
    total = sum(row["rows"] for row in rows)
    columns = [name for name in rows[0] if name != "rows"] if rows else []
    cells = [
        [*(_plain(row[name]) for name in columns), f"{row['rows']:,}", f"{row['rows'] / total:.1%}"] for row in rows
    ]
    return [Grid([*columns, "rows", "share"], cells, frozenset(columns))] if rows else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _column(column: Histogram | Values) -> Block:
    nulls = f"; {column.nulls:,} without a value" if column.nulls else ""
    if isinstance(column, Histogram):
        title = f"{column.column}, characters" if column.lengths else column.column
        spread = [
            f"{what} {number_text(value)}"
            for what, value in [
                ("from", column.low),
                ("median", column.median),
                ("mean", column.mean),
                ("to", column.high),
            ]
        ]
        return Columns(title, [(bin.label, bin.rows) for bin in column.bins], ", ".join(spread) + nulls)
    lines = [(_short(value, 60), (n,), f"{n:,}") for value, n in column.top]
    rest = f"; {column.rest:,} rows with one of the others" if column.rest else ""
    return Bars(column.column, ("rows",), lines, f"{column.distinct:,} values{rest}{nulls}")


def _samples(rows: Iterable[Row]) -> list[Block]:
    folds: list[Block] = []
    for row in rows:
        texts = [(name, _plain(value)) for name, value in row.items() if value is not None]
        longest = max((text for _, text in texts[:3]), key=len, default="")
        folds.append(Fold(_short(str(row.get("question") or longest), GLANCE), texts, open=not folds))
    return folds


def _dropped(dropped: Iterable[Dropped]) -> Iterator[Block]:
    for each in dropped:
        what = "failed" if each.failed else "rejected"
        texts = []
        for example in each.examples:
            texts += [(f"{example['row_id']}, error", str(example["error"]))] if "error" in example else []
            texts.append((str(example["row_id"]), _cut(_laid_out(str(example["row"])))))
        yield Fold(f"{each.step}: {each.outcomes:,} {what}: {each.reason}", texts)


def _ways(figures: Figures) -> list[Block]:
    manifest = figures.manifest
    lines = [
        f'questmill query "FROM {manifest.dataset}" --format parquet > {manifest.dataset}.parquet',
        f'questmill query "FROM {manifest.dataset} LIMIT 5" --format json',
        f"questmill query \"SELECT * FROM funnel WHERE dataset = '{manifest.dataset}' ORDER BY position\"",
        f"questmill rollback {manifest.dataset} {manifest.version}",
        f"questmill report {manifest.dataset} --version {manifest.version} --out report.html",
    ]
    files = f"datasets/{manifest.dataset}/{manifest.version}/"
    size = sum(part.size for part in manifest.parts) / 1e6
    told = f"The files: {len(manifest.files):,} in {files} of the lake, {size:,.1f} MB. Content {manifest.content}."
    recipe = Fold("the recipe, every field", [("recipe", json.dumps(manifest.recipe, indent=2, ensure_ascii=False))])
    return [Code("\n".join(lines)), Text(told), recipe]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _laid_out(text: str) -> str:
    """A row that was kept as JSON text, one column a line."""
    try:
        row = json.loads(text)
    except ValueError:
        return text
    return "\n".join(f"{name}: {_plain(value)}" for name, value in row.items()) if isinstance(row, dict) else text


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."


def _cut(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]}\n... and {len(text) - LONG:,} more characters"
