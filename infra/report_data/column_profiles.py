"""What the columns of a published table hold: histograms of numbers and lengths, and the most frequent values.

DuckDB reads each column once or twice and keeps no rows, so a million of them take seconds.
"""

import math
from dataclasses import dataclass
from typing import Any

import duckdb

from infra.lake.catalog import quoted

BINS = 20
"""Bars of a histogram, about: their width is a round number."""
TOP = 12
"""Values that are named, the most frequent first."""
SHORT = 60
"""Characters from which a text is described by its length and not by its values."""
TAIL = 0.005
"""Share of the rows at each end that may lie outside the bars, in the first one or the last one."""

WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
NUMBERS = (*WHOLE, *(f"U{name}" for name in WHOLE), "FLOAT", "DOUBLE", "DECIMAL")


@dataclass(frozen=True)
class Bin:
    """One bar of a histogram: what it holds, `10 to 14`, and how many rows."""

    label: str
    rows: int


@dataclass(frozen=True)
class Histogram:
    """How the numbers of a column, or the lengths of its texts in characters, are spread."""

    column: str
    lengths: bool
    nulls: int
    """Rows without a value, or with one that is not finite."""
    low: float
    median: float
    mean: float
    high: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Values:
    """The most frequent values of a column."""

    column: str
    nulls: int
    distinct: int
    """Those of at most `SHORT` characters."""
    top: tuple[tuple[str, int], ...]
    rest: int
    """Rows with another value."""


def describe(con: duckdb.DuckDBPyConnection, table: str) -> list[Histogram | Values]:
    """Every column that has something to show, in order; identifiers and nested columns have nothing.

    What is counted is set apart in one pass over the files, numbers, lengths and short texts: they may be far away.
    """
    kinds = [(str(name), str(kind)) for name, kind, *_ in con.execute(f"DESCRIBE {table}").fetchall()]
    apart = [each for n, (name, kind) in enumerate(kinds) for each in _apart(n, quoted(name), kind)]
    if not apart:
        return []
    con.execute(f"CREATE OR REPLACE TEMP TABLE apart AS SELECT {', '.join(apart)} FROM {table}")
    found: list[Histogram | Values | None] = []
    for n, (name, kind) in enumerate(kinds):
        if _is_number(kind):
            found.append(_histogram(con, name, f"n{n}", lengths=False))
        elif kind == "VARCHAR" and _is_long(con, f"n{n}"):
            found.append(_histogram(con, name, f"n{n}", lengths=True))
        elif kind in ("VARCHAR", "BOOLEAN"):
            found.append(_values(con, name, f"n{n}", f"t{n}"))
    con.execute("DROP TABLE apart")
    return [each for each in found if each is not None]


def _apart(n: int, column: str, kind: str) -> list[str]:
    """What is counted of a column: `n<number>` its number or length, `t<number>` its text where it is short."""
    if _is_number(kind):
        return [f"CASE WHEN isfinite({column}::DOUBLE) THEN {column}::DOUBLE END AS n{n}"]
    if kind not in ("VARCHAR", "BOOLEAN"):
        return []
    text = f"{column}::VARCHAR"
    return [f"length({text})::DOUBLE AS n{n}", f"CASE WHEN length({text}) <= {SHORT} THEN {text} END AS t{n}"]


def _is_number(kind: str) -> bool:
    return kind.split("(")[0] in NUMBERS


def _is_long(con: duckdb.DuckDBPyConnection, number: str) -> bool:
    [(length,)] = con.execute(f"SELECT quantile_disc({number}, {1 - TAIL}) FROM apart").fetchall()
    return length is not None and length > SHORT


def _values(con: duckdb.DuckDBPyConnection, name: str, number: str, text: str) -> Values | None:
    """None for a column of nulls, and for one whose values hardly repeat: an identifier."""
    counted = f"SELECT count(*), count({number}), approx_count_distinct({text}) FROM apart"
    [(rows, there, distinct)] = con.execute(counted).fetchall()
    if not there or distinct > max(TOP, there / 2):
        return None
    top = con.execute(
        f"SELECT {text}, count(*) AS n, count(*) OVER () FROM apart WHERE {text} IS NOT NULL "
        f"GROUP BY 1 ORDER BY n DESC, 1 LIMIT {TOP}"
    ).fetchall()
    rest = there - sum(n for _, n, _ in top)
    return Values(name, rows - there, top[0][2], tuple((value, n) for value, n, _ in top), rest)


def _histogram(con: duckdb.DuckDBPyConnection, name: str, number: str, lengths: bool) -> Histogram | None:
    """None where no row has a number, for texts of one length, and for numbered rows."""
    [(rows, there, low, high, mean, quantiles, whole)] = con.execute(
        f"SELECT count(*), count(x), min(x), max(x), avg(x), quantile_cont(x, [{TAIL}, 0.5, {1 - TAIL}]), "
        f"bool_and(x = round(x)) FROM (SELECT {number} AS x FROM apart)"
    ).fetchall()
    if not there or (lengths and low == high):
        return None
    first, step, number_of_bins = _edges(low, high, quantiles[0], quantiles[2], whole)
    counts = dict(
        con.execute(
            f"SELECT least(greatest(floor(({number} - $first) / $step + 1e-9), 0), $last)::INTEGER AS bin, count(*) "
            f"FROM apart WHERE {number} IS NOT NULL GROUP BY 1",
            {"first": first, "step": step, "last": number_of_bins - 1},
        ).fetchall()
    )
    if whole and high - low + 1 == there > number_of_bins and max(counts.values()) <= step:
        return None
    labels = _labels(first, step, number_of_bins, whole, low, high)
    bins = tuple(Bin(label, counts.get(i, 0)) for i, label in enumerate(labels))
    return Histogram(name, lengths, rows - there, low, quantiles[1], mean, high, bins)


def _edges(low: float, high: float, near_low: float, near_high: float, whole: bool) -> tuple[float, float, int]:
    """Where the bars begin, how wide each is, and how many there are; a few rows far out do not press the rest flat."""
    span = near_high - near_low
    first = near_low if near_low - low > span / 2 > 0 else low
    last = near_high if high - near_high > span / 2 > 0 else high
    step = _round_up((last - first) / BINS, whole)
    first = math.floor(first / step + 1e-9) * step
    number = (last - first) / step
    return first, step, max(1, math.floor(number + 1e-9) + 1 if whole else math.ceil(number - 1e-9))


def _round_up(width: float, whole: bool) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten; whole numbers have whole steps."""
    if width <= 0 or (whole and width <= 1):
        return 1.0
    power = 10.0 ** math.floor(math.log10(width))
    steps: list[float] = [power * factor for factor in (1, 2, 2.5, 5, 10)]
    return next(s for s in steps if s >= width * (1 - 1e-9) and not (whole and s % 1))


def _labels(first: float, step: float, number: int, whole: bool, low: float, high: float) -> list[str]:
    """`10 to 14`; the first and the last one say so where they hold what lies farther out."""
    edges = [first + i * step for i in range(number + 1)]
    ends = [edge + step - 1 if whole else edge + step for edge in edges]
    labels = [
        number_text(a) if whole and step == 1 else f"{number_text(a)} to {number_text(b)}"
        for a, b in zip(edges[:-1], ends, strict=False)
    ]
    if low < first:
        labels[0] = f"up to {number_text(ends[0])}"
    if high > ends[number - 1] + step * 1e-6:
        labels[-1] = f"{number_text(edges[-2])} and more"
    return labels


def number_text(value: Any) -> str:
    """`1,234`, `0.25`, `1.2e-07`: four figures, and whole numbers whole."""
    if value == round(value) and abs(value) < 1e15:
        return f"{round(value):,}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
