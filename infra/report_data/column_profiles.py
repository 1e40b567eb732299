"""Profiles the columns of a published table: histograms of numbers and text lengths, and the most frequent values.

DuckDB reads each column once or twice and keeps no rows, so a million rows take seconds.
"""

import math
from dataclasses import dataclass
from typing import Any

import duckdb

from infra.lake.catalog import quote_identifier

HISTOGRAM_BINS = 20
"""Approximate number of bars in a histogram. The width of a bar is rounded, so the number varies."""
MAX_TOP_VALUES = 12
"""Most values to list for a column, the most frequent first."""
SHORT_TEXT_CHARACTERS = 60
"""Longest text, in characters, that is listed by value. Columns of longer texts are described by their lengths."""
TAIL_SHARE = 0.005
"""Share of the rows at each end that may lie beyond the bars. They are counted in the first or the last bar."""

INTEGER_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
NUMBER_TYPES = (*INTEGER_TYPES, *(f"U{name}" for name in INTEGER_TYPES), "FLOAT", "DOUBLE", "DECIMAL")


@dataclass(frozen=True)
class Bin:
    """One bar of a histogram: its range, e.g. `10 to 14`, and the number of its rows."""

    label: str
    rows: int


@dataclass(frozen=True)
class Distribution:
    """The distribution of a column's numbers, or of the lengths of its texts in characters."""

    column: str
    of_lengths: bool
    """Whether the column holds texts, so that all figures are lengths in characters."""
    nulls: int
    """Rows without a value, or whose value is not finite."""
    low: float
    median: float
    mean: float
    high: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class TopValues:
    """The most frequent values of a column."""

    column: str
    nulls: int
    distinct: int
    """Number of distinct values of at most `SHORT_TEXT_CHARACTERS` characters."""
    values: tuple[tuple[str, int], ...]
    """The most frequent values and the number of rows of each."""
    other_rows: int
    """Rows with a value that is not in `values`."""


def profile_columns(con: duckdb.DuckDBPyConnection, table: str) -> list[Distribution | TopValues]:
    """The profiles of a table's columns, in order. Identifiers and nested columns have no profile.

    One pass over the files, which may be remote, copies numbers, lengths and short texts into a temporary table.
    """
    kinds = [(str(name), str(kind)) for name, kind, *_ in con.execute(f"DESCRIBE {table}").fetchall()]
    staged = [each for n, (name, kind) in enumerate(kinds) for each in _staged_columns(n, quote_identifier(name), kind)]
    if not staged:
        return []
    con.execute(f"CREATE OR REPLACE TEMP TABLE apart AS SELECT {', '.join(staged)} FROM {table}")
    profiles: list[Distribution | TopValues | None] = []
    for n, (name, kind) in enumerate(kinds):
        if _is_number(kind):
            profiles.append(_measure_distribution(con, name, f"n{n}", of_lengths=False))
        elif kind == "VARCHAR" and _is_long(con, f"n{n}"):
            profiles.append(_measure_distribution(con, name, f"n{n}", of_lengths=True))
        elif kind in ("VARCHAR", "BOOLEAN"):
            profiles.append(_count_values(con, name, f"n{n}", f"t{n}"))
    con.execute("DROP TABLE apart")
    return [each for each in profiles if each is not None]


def _staged_columns(n: int, column: str, kind: str) -> list[str]:
    """SQL columns of the temporary table for column `n`: `n<n>` is its number or length, `t<n>` its text if short."""
    if _is_number(kind):
        return [f"CASE WHEN isfinite({column}::DOUBLE) THEN {column}::DOUBLE END AS n{n}"]
    if kind not in ("VARCHAR", "BOOLEAN"):
        return []
    text = f"{column}::VARCHAR"
    return [
        f"length({text})::DOUBLE AS n{n}",
        f"CASE WHEN length({text}) <= {SHORT_TEXT_CHARACTERS} THEN {text} END AS t{n}",
    ]


def _is_number(kind: str) -> bool:
    return kind.split("(")[0] in NUMBER_TYPES


def _is_long(con: duckdb.DuckDBPyConnection, number: str) -> bool:
    [(length,)] = con.execute(f"SELECT quantile_disc({number}, {1 - TAIL_SHARE}) FROM apart").fetchall()
    return length is not None and length > SHORT_TEXT_CHARACTERS


def _count_values(con: duckdb.DuckDBPyConnection, name: str, number: str, text: str) -> TopValues | None:
    """The most frequent values; None if all are null, or if values hardly repeat, as those of an identifier."""
    counted = f"SELECT count(*), count({number}), approx_count_distinct({text}) FROM apart"
    [(rows, value_count, distinct)] = con.execute(counted).fetchall()
    if not value_count or distinct > max(MAX_TOP_VALUES, value_count / 2):
        return None
    top = con.execute(
        f"SELECT {text}, count(*) AS n, count(*) OVER () FROM apart WHERE {text} IS NOT NULL "
        f"GROUP BY 1 ORDER BY n DESC, 1 LIMIT {MAX_TOP_VALUES}"
    ).fetchall()
    other_rows = value_count - sum(n for _, n, _ in top)
    return TopValues(name, rows - value_count, top[0][2], tuple((value, n) for value, n, _ in top), other_rows)


def _measure_distribution(
    con: duckdb.DuckDBPyConnection, name: str, number: str, of_lengths: bool
) -> Distribution | None:
    """The histogram; None if no row has a number, if all texts are equally long, or if the rows are just numbered."""
    [(rows, value_count, low, high, mean, quantiles, integers)] = con.execute(
        f"SELECT count(*), count(x), min(x), max(x), avg(x), quantile_cont(x, [{TAIL_SHARE}, 0.5, {1 - TAIL_SHARE}]), "
        f"bool_and(x = round(x)) FROM (SELECT {number} AS x FROM apart)"
    ).fetchall()
    if not value_count or (of_lengths and low == high):
        return None
    first, step, number_of_bins = _choose_bins(low, high, quantiles[0], quantiles[2], integers)
    counts = dict(
        con.execute(
            f"SELECT least(greatest(floor(({number} - $first) / $step + 1e-9), 0), $last)::INTEGER AS bin, count(*) "
            f"FROM apart WHERE {number} IS NOT NULL GROUP BY 1",
            {"first": first, "step": step, "last": number_of_bins - 1},
        ).fetchall()
    )
    if integers and high - low + 1 == value_count > number_of_bins and max(counts.values()) <= step:
        return None
    labels = _bin_labels(first, step, number_of_bins, integers, low, high)
    bins = tuple(Bin(label, counts.get(i, 0)) for i, label in enumerate(labels))
    return Distribution(name, of_lengths, rows - value_count, low, quantiles[1], mean, high, bins)


def _choose_bins(
    low: float, high: float, near_low: float, near_high: float, integers: bool
) -> tuple[float, float, int]:
    """Where the bars start, their width and their number. A few outliers do not squeeze all other rows into one bar."""
    span = near_high - near_low
    first = near_low if near_low - low > span / 2 > 0 else low
    last = near_high if high - near_high > span / 2 > 0 else high
    step = _round_up((last - first) / HISTOGRAM_BINS, integers)
    first = math.floor(first / step + 1e-9) * step
    number = (last - first) / step
    return first, step, max(1, math.floor(number + 1e-9) + 1 if integers else math.ceil(number - 1e-9))


def _round_up(width: float, integers: bool) -> float:
    """Round `width` up to 1, 2, 2.5 or 5 times a power of ten; with `integers`, to a whole number."""
    if width <= 0 or (integers and width <= 1):
        return 1.0
    power = 10.0 ** math.floor(math.log10(width))
    steps: list[float] = [power * factor for factor in (1, 2, 2.5, 5, 10)]
    return next(s for s in steps if s >= width * (1 - 1e-9) and not (integers and s % 1))


def _bin_labels(first: float, step: float, number: int, integers: bool, low: float, high: float) -> list[str]:
    """Labels such as `10 to 14`. The first and the last are `up to` and `and more` if they include outliers."""
    edges = [first + i * step for i in range(number + 1)]
    ends = [edge + step - 1 if integers else edge + step for edge in edges]
    labels = [
        format_number(a) if integers and step == 1 else f"{format_number(a)} to {format_number(b)}"
        for a, b in zip(edges[:-1], ends, strict=False)
    ]
    if low < first:
        labels[0] = f"up to {format_number(ends[0])}"
    if high > ends[number - 1] + step * 1e-6:
        labels[-1] = f"{format_number(edges[-2])} and more"
    return labels


def format_number(value: Any) -> str:
    """Format a number with four significant digits, but whole numbers exactly: `1,234`, `0.25`, `1.2e-07`."""
    if value == round(value) and abs(value) < 1e15:
        return f"{round(value):,}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
