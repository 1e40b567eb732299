"""Checks a response that is an SQL query: its rows must be those of the gold query on a fixture, in DuckDB.

Each query runs in a process of its own in the sandbox, on a database in memory that was filled by the fixture. It must
be one SELECT. It reaches no file, because DuckDB is told so and the kernel refuses it.

Rows are compared as a bag. They are compared as a sequence if the gold query has ORDER BY: rows with equal keys may
change places if the keys can be seen among the columns, otherwise it is `unparseable`. Column names do not count, the
order of columns does. NULL equals NULL.
"""

import decimal
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from pydantic import Field

from tasks.verification.answer_types.checker import AnswerCase
from tasks.verification.answer_types.sandboxed_checker import SandboxedChecker, explain_failure
from tasks.verification.code_execution.program_extraction import find_block
from tasks.verification.code_execution.sandbox import sandbox
from tasks.verification.code_execution.sandbox.plain_data import NotPlain, read_plain
from tasks.verification.code_execution.sandbox.results import ExecutionResult, SandboxFailure
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict

# matches the start of "SELECT 1", "with t as (select 1) ...", "FROM t", not of "The query", "selection"
_QUERY = re.compile(r"(?i)\s*(?:--[^\n]*\n\s*)*(?:\(\s*)*(?:select|with|from|values)\b")
# matches "The query is: SELECT 1;", not "Selecting rows"
_QUERY_IN_TEXT = re.compile(r"(?is):\s*((?:select|with)\s.+?)(?:;|$)")
LANGUAGES = frozenset({"sql", "duckdb", "sqlite", "postgresql", "postgres", "mysql"})
"""Languages of a fenced block that holds a query."""
_DIALECT_ERRORS = ("ParserException", "NotImplementedException", "Function with name")
"""Errors that a right query of another dialect can have."""

RUNNER = """
import datetime, json, sys, uuid
import duckdb
from tasks.verification.code_execution.sandbox.plain_data import write_plain

task = json.load(sys.stdin)
connection = duckdb.prepared

def end(**message):
    print(json.dumps(message), flush=True)
    sys.exit(0)

def write_other(value):
    if isinstance(value, uuid.UUID):
        return {"uuid": str(value)}
    raise ValueError(type(value).__name__)

try:
    connection.execute("SET memory_limit = '%dMB'" % task["memory_mb"])
    connection.execute("SET lock_configuration = true")
    connection.execute(task["fixture"])
except duckdb.Error as error:
    end(fixture="%s: %s" % (type(error).__name__, str(error)[:300]))
try:
    statements = connection.extract_statements(task["query"])
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        end(refused="not one SELECT")
    text = "'" + task["query"].replace("'", "''") + "'"  # with a parameter DuckDB imports libraries that start threads
    tree = json.loads(connection.execute("SELECT json_serialize_sql(" + text + "::VARCHAR)").fetchone()[0])
    if tree.get("error"):
        end(refused=tree.get("error_message", "no query"))
    cursor = connection.execute(statements[0])
    names = [column[0] for column in cursor.description]
    rows = cursor.fetchmany(task["max_rows"] + 1)
except duckdb.OutOfMemoryException:
    end(limit="memory")
except duckdb.Error as error:
    end(failed="%s: %s" % (type(error).__name__, str(error)[:300]))
if len(rows) > task["max_rows"]:
    end(limit="result_too_large")
modifiers = tree["statements"][0]["node"]["modifiers"]
orders = [order["expression"] for each in modifiers if each["type"] == "ORDER_MODIFIER" for order in each["orders"]]
end(
    names=names,
    rows=[write_plain(row, write_other) for row in rows],
    orders=[
        each["column_names"][-1] if each["class"] == "COLUMN_REF"
        else each["value"]["value"] - 1 if each["class"] == "CONSTANT" and isinstance(each["value"].get("value"), int)
        else None
        for each in orders
    ],
    is_limited=any(each["type"].startswith("LIMIT") for each in modifiers),
)
"""
"""The program that runs one query, which is data for it."""


class QueryResult(NamedTuple):
    """The rows of a query, or why there are none."""

    rows: list[tuple[Any, ...]]
    keys: list[int] | None = None
    """Columns by which the rows are ordered; empty if they are not, None if a key is no column."""
    is_limited: bool = False
    verdict: Verdict | None = None
    """The verdict if the query gave no rows; a failing gold query makes it `gold_unparseable`."""


class SqlChecker(SandboxedChecker):
    """The verdict on an SQL query. The gold is a query. Details: `fixture`, SQL that fills the database, or `fixtures`,
    a list of such; the rows must be equal on each."""

    answer_type: ClassVar[str] = "sql"

    libraries: tuple[str, ...] = ("duckdb",)
    """The library that runs the queries."""
    output_kib: int = Field(default=4096, ge=1, le=65536)
    """KiB that the rows of a query may take."""
    max_rows: int = Field(default=10_000, ge=1)
    """Most rows that a query may give."""
    tolerance: float = Field(default=1e-9, ge=0, le=0.05)
    """Largest relative difference of two floats that are equal."""

    def check(self, case: AnswerCase) -> Verdict:
        """The verdict on one query."""
        fixtures = case.details.get("fixtures") or [case.details.get("fixture")]
        if not isinstance(fixtures, list | tuple) or not all(isinstance(each, str) and each for each in fixtures):
            return Verdict("unparseable", "gold_unparseable", answer_parsed="the row has no fixture")
        query = find_query(case.response)
        gold = find_query(case.gold) or case.gold
        verdict = Verdict("unparseable", "no_query", gold[:FORM_CHARACTERS])
        if query is None:
            return verdict
        verdicts = []
        for fixture in fixtures:
            expected = self._query(fixture, gold)
            if expected.verdict:
                return expected.verdict._replace(verdict="unparseable", rule="gold_unparseable")
            given = self._query(fixture, query)
            verdicts.append(given.verdict or self._compare(expected, given))
            if verdicts[-1].verdict != "correct" and verdicts[-1].rule != "empty_result":
                break
        decided = [each for each in verdicts if each.rule != "empty_result"]
        same_text = _simplify(query) == _simplify(gold)
        verdict = decided[-1] if decided else Verdict("correct", "identical") if same_text else verdicts[-1]
        return verdict._replace(
            gold_parsed=gold[:FORM_CHARACTERS], answer_parsed=(verdict.answer_parsed or query)[:FORM_CHARACTERS]
        )

    def _query(self, fixture: str, query: str) -> QueryResult:
        task = {"fixture": fixture, "query": query, "max_rows": self.max_rows, "memory_mb": self.memory_mib // 2}
        result = self._run(RUNNER, sandbox.Work(stdin=json.dumps(task)))
        message = _read_message(result)
        if message is None:
            return QueryResult([], verdict=explain_failure(result, "query_failed"))
        if rule := message.get("limit"):
            return QueryResult([], verdict=Verdict("unparseable", rule))
        if "fixture" in message:
            return QueryResult([], verdict=Verdict("unparseable", "gold_unparseable", answer_parsed=message["fixture"]))
        if "refused" in message:
            return QueryResult([], verdict=Verdict("unparseable", "no_select", answer_parsed=message["refused"]))
        if "failed" in message:
            is_dialect = any(words in message["failed"] for words in _DIALECT_ERRORS)
            verdict = Verdict("unparseable", "dialect") if is_dialect else Verdict("wrong", "query_failed")
            return QueryResult([], verdict=verdict._replace(answer_parsed=message["failed"]))
        try:
            rows = [read_plain(row, _read_uuid) for row in message["rows"]]
        except NotPlain as error:
            return QueryResult([], verdict=Verdict("unparseable", "query_failed", answer_parsed=str(error)))
        return QueryResult(rows, _find_keys(message["names"], message["orders"]), message["is_limited"])

    def _compare(self, expected: QueryResult, given: QueryResult) -> Verdict:
        rule = "rows"
        if not expected.rows and not given.rows:
            return Verdict("unparseable", "empty_result")
        if len(expected.rows) == len(given.rows) and self._are_equal(expected.rows, given.rows):
            return Verdict("correct", rule)
        if not self._are_equal(sorted(expected.rows, key=_sort_key), sorted(given.rows, key=_sort_key)):
            # which rows a limit keeps is open without an order, or among rows with equal keys
            if expected.is_limited and len(expected.rows) == len(given.rows):
                return Verdict("unparseable", "limit")
            return Verdict("wrong", rule, answer_parsed=f"{len(given.rows)} rows for {len(expected.rows)}, or others")
        if expected.keys == []:
            return Verdict("correct", rule)
        if expected.keys is None:
            return Verdict("unparseable", "order")
        keys = [[tuple(row[at] for at in expected.keys) for row in each.rows] for each in (expected, given)]
        return Verdict("correct" if self._are_equal(*keys) else "wrong", "order")

    def _are_equal(self, first: Any, second: Any) -> bool:
        """Whether two values, rows or lists of rows are equal. Floats may differ by the tolerance."""
        if isinstance(first, list | tuple) and isinstance(second, list | tuple):
            return len(first) == len(second) and all(map(self._are_equal, first, second))
        if isinstance(first, dict) and isinstance(second, dict):
            return self._are_equal(list(first.items()), list(second.items()))
        if isinstance(first, bool) or isinstance(second, bool) or not (_is_number(first) and _is_number(second)):
            return type(first) is type(second) and bool(first == second)
        if first == second:
            return True
        if not isinstance(first, float) and not isinstance(second, float):
            return False
        a, b = float(first), float(second)
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return math.isclose(a, b, rel_tol=self.tolerance, abs_tol=self.tolerance)


def find_query(text: str) -> str | None:
    """The query of a response: its last SQL block, else its last block without a language, else the whole text."""
    block = find_block(text, LANGUAGES)
    if block is None and "```" not in text:
        block = text if _QUERY.match(text) else match[1] if (match := _QUERY_IN_TEXT.search(text)) else None
    return block.strip() or None if block else None


def _simplify(query: str) -> str:
    return " ".join(query.strip().rstrip(";").split())


def _read_message(result: ExecutionResult | SandboxFailure) -> dict[str, Any] | None:
    if isinstance(result, SandboxFailure) or result.reason not in ("ok", "no_output"):
        return None
    try:
        message = json.loads(result.printed)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _read_uuid(data: Mapping[str, Any]) -> tuple[str, str]:
    return ("uuid", str(data["uuid"]))


def _find_keys(names: Sequence[str], orders: Sequence[str | int | None]) -> list[int] | None:
    folded = [name.casefold() for name in names]
    keys = []
    for order in orders:
        if isinstance(order, str) and folded.count(order.casefold()) == 1:
            keys.append(folded.index(order.casefold()))
        elif isinstance(order, int) and 0 <= order < len(names):
            keys.append(order)
        else:
            return None
    return keys


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | decimal.Decimal)


def _sort_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A key that puts equal rows at equal places: numbers last, floats by nine digits."""
    texts = tuple("" if _is_number(value) else f"{type(value).__name__} {value!r}" for value in row)
    return texts, tuple(float(f"{float(value):.9g}") if _is_number(value) else 0.0 for value in row)
