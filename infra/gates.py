"""Gates: checks a whole dataset with Great Expectations before it may be published. No other module imports it."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from infra.lake.file_errors import root_cause
from infra.lake.store import Store, open_store
from schemas.errors import QuestmillError
from schemas.identity import fingerprint
from schemas.markdown_table import format_table
from schemas.receipts import Part, Receipt
from schemas.steps import Expectation

if TYPE_CHECKING:
    import pandas as pd

# Great Expectations takes 2.1 s to import and pandas 0.5 s, so they are imported only when a gate runs.


def run_gate(suite: str, expectations: list[Expectation], tables: list[Receipt], lake: str) -> Receipt:
    """Check the parts of `tables` as one dataset, write a report and commit a receipt.

    The receipt's `details` hold `failed` (failed critical expectations, one per line), `warned` (failed expectations
    of severity `warning`, one per line) and `report` (its path in the lake). Raises `QuestmillError`, and commits
    nothing, if a critical check could not be carried out.
    """
    store, started = open_store(lake), time.monotonic()
    parts = [part for receipt in tables for part in receipt.parts]
    key = fingerprint("gate", suite, expectations, [part.digest for part in parts])
    if done := store.read_receipt("gate", key):
        return done
    store.begin_work("gate")
    results = _validate(_load_columns(store, expectations, parts), expectations)
    for expect, result in results:
        if expect.severity == "critical" and _find_exception(result.get("exception_info") or {}):
            raise QuestmillError(f"gate {suite!r}: {_format_result(expect, result)}; correct the suite and run again")
    report = f"reports/{suite}/{key[:12]}.md"
    rows = sum(part.rows for part in parts)
    store.write(report, _render_markdown(suite, rows, results).encode())
    receipt = Receipt(
        step="gate",
        key=key,
        inputs=tuple(part.digest for part in parts),
        rows_in=rows,
        kept=rows,
        seconds=round(time.monotonic() - started, 3),
        details={
            "suite": suite,
            "report": report,
            "failed": "\n".join(
                _format_result(e, r) for e, r in results if not r["success"] and e.severity == "critical"
            ),
            "warned": "\n".join(
                _format_result(e, r) for e, r in results if not r["success"] and e.severity == "warning"
            ),
        },
    )
    return store.commit(receipt)


def import_libraries() -> None:
    """Import what a check needs, ahead of time."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations.expectations.registry  # noqa: F401


def _load_columns(store: Store, expectations: list[Expectation], parts: list[Part]) -> "pd.DataFrame":
    """Load only the columns that the checks read, because responses are a thousand times as large as verdicts."""
    columns = sorted({column for expect in expectations for column in expect.columns})
    available = store.read_schema(parts[0]).names
    if missing := sorted(set(columns) - set(available)):
        raise QuestmillError(f"gate: the dataset has no column {missing[0]!r}; it has {', '.join(available)}")
    tables = [store.get(part, columns or available[:1]) for part in parts]
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return frame


def _validate(frame: "pd.DataFrame", expectations: list[Expectation]) -> list[tuple[Expectation, dict[str, Any]]]:
    import_libraries()
    import great_expectations as gx
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)  # its own level is INFO
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("lake")
    batch = source.add_dataframe_asset("dataset").add_batch_definition_whole_dataframe("whole")
    whole_batch = batch.get_batch({"dataframe": frame})
    results = []
    for expect in expectations:
        if own_check := OWN_CHECKS.get(expect.kind):
            results.append((expect, own_check(frame[expect.arguments["column"]], expect.arguments)))
            continue
        try:
            expectation = get_expectation_impl(expect.kind)(**expect.arguments)
        except (ExpectationNotFoundError, ValueError) as error:
            raise QuestmillError(
                f"gate: expectation {expect.kind!r}: {root_cause(error)}; correct the suite"
            ) from error
        outcome = whole_batch.validate(expectation, result_format="SUMMARY")
        results.append((expect, outcome.to_json_dict()))
    return results


def _check_most_common(column: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the most frequent value of a column covers at most `max_share` of its rows."""
    counts = column.value_counts()
    if len(column) < arguments.get("min_rows", FEWEST_ROWS) or not len(counts):
        return {"success": True, "result": {"observed_value": "too few rows to say"}}
    observed = f"{counts.iloc[0]:,} of {len(column):,} rows hold {counts.index[0]!r}"
    return {
        "success": bool(counts.iloc[0] <= arguments["max_share"] * len(column)),
        "result": {"observed_value": observed},
    }


def _check_not_constant(column: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a column holds more than one value: equal scores of many rows say nothing. Rows without one are left
    out, since a recipe may ask for no score."""
    present = column.dropna()
    values = present.nunique()
    observed = f"{values:,} different values in {len(present):,} rows"
    few = len(present) < arguments.get("min_rows", FEWEST_ROWS)
    return {"success": bool(few or values > 1), "result": {"observed_value": observed}}


def _check_golds(column: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Whether no gold is in doubt; rows without a value belong to the gold of another row."""
    counts = column.value_counts()
    doubted = counts[counts.index.isin(arguments["doubts"])].sort_index()
    kinds = ", ".join(f"{doubt} {golds:,}" for doubt, golds in doubted.items())
    observed = (
        f"{doubted.sum():,} of {counts.sum():,} golds are in doubt ({kinds}), and responses agree with "
        f"{counts.get(arguments['confirmed'], 0):,}; {arguments['query']} shows those in doubt"
    )
    return {"success": not len(doubted), "result": {"observed_value": observed}}


FEWEST_ROWS = 20
"""Rows from which on a check of how values are spread says anything."""
OWN_CHECKS: Mapping[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]] = {
    "expect_column_most_common_value_share_to_be_at_most": _check_most_common,
    "expect_column_values_to_vary": _check_not_constant,
    "expect_column_golds_to_be_in_no_doubt": _check_golds,
}
"""Checks that Great Expectations lacks, by the name that an `Expectation` gives; each takes a column and arguments."""


def _format_result(expect: Expectation, result: dict[str, Any]) -> str:
    """One line such as `row_id: values to be unique: 2 of 4 do not, e.g. 'b', 'b'`."""
    observed = result.get("result") or {}
    subject = str(expect.arguments.get("column", "table"))
    check = expect.kind.removeprefix("expect_").removeprefix("column_").replace("_", " ")
    if why := _find_exception(result.get("exception_info") or {}):
        return f"{subject}: {check}: could not be checked: {why}"
    if "unexpected_count" in observed:
        sample = ", ".join(map(repr, observed.get("partial_unexpected_list", [])[:3]))
        return f"{subject}: {check}: {observed['unexpected_count']} of {observed['element_count']} do not" + (
            f", e.g. {sample}" if sample else ""
        )
    return f"{subject}: {check}: observed {observed.get('observed_value')}"


def _find_exception(info: dict[str, Any]) -> str | None:
    """The error that a check raised, in one line; None if there is none.

    Great Expectations reports it directly, or once for each metric that the check needed.
    """
    for entry in [info] if "raised_exception" in info else info.values():
        if entry["raised_exception"]:
            return " ".join(str(entry["exception_message"]).split())
    return None


def _render_markdown(suite: str, rows: int, results: list[tuple[Expectation, dict[str, Any]]]) -> str:
    cells = []
    for expect, result in results:
        arguments = ", ".join(f"{k}={v!r}" for k, v in expect.arguments.items())
        outcome = "as expected" if result["success"] else _format_result(expect, result)
        mark = "pass" if result["success"] else ("FAIL" if expect.severity == "critical" else "warn")
        cells.append((mark, expect.severity, f"`{expect.kind}` {arguments}", outcome))
    table = format_table(["", "severity", "expectation", "found"], cells)
    return f"# Gate `{suite}`\n\n{rows} rows, {len(results)} expectations.\n\n{table}\n"
