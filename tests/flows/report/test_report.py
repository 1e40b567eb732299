"""The report of a dataset: what it tells, that nothing in a row can break it, and that publishing makes it."""

import asyncio
import datetime
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from flows.report.document import BarChart, ColumnChart, Report, Table
from flows.report.html import render_html
from flows.report.markdown import render_markdown
from flows.report.sections import MAX_ROW_CHARACTERS, build_report
from infra.report_data.column_profiles import Bin, Distribution, TopValues
from infra.report_data.dataset_summary import DatasetSummary, DroppedRows
from schemas.outcomes import Row
from schemas.receipts import Manifest, Part, StepCount, Usage
from tests.support.runs import Command, Lake, write_jsonl

VOID = {"meta", "rect", "br"}


class Checker(HTMLParser):
    """Reads a page as a browser does: every element is closed where it should be; scripts and links are noted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe", "object") or {"src", "href"} & {name for name, _ in attrs}:
            self.fetched.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def step(name: str, rows_in: int, kept: int, **more: Any) -> StepCount:
    return StepCount(step=name, shards=1, rows_in=rows_in, kept=kept, rows_out=kept, seconds=1.5, **more)


LEDGER = (
    step("empty_rows", 100, 100),
    step("write", 100, 80, rejected={"unfinished": 15, "empty": 5}, usage=Usage(prompt_tokens=600, usd=0.5)),
    step("solve", 80, 50, quarantined={"no reply": 30}, usage=Usage(completion_tokens=400, gpu_seconds=25.0)),
)


def figures(**more: Any) -> DatasetSummary:
    """Of 50 published rows; `more` replaces fields."""
    manifest = Manifest(
        dataset="sums",
        version="0123456789ab",
        content="0123456789ab" + "0" * 52,
        rows=50,
        files=("sums-00001-of-00001.parquet",),
        parts=(Part(digest="d", rows=50, size=2_000_000),),
        ledger=LEDGER,
        receipts=(),
        rows_of=(),
        recipe={"questions": 100},
        created=datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC).isoformat(),
    )
    columns = ("columns", "mix", "dropped", "warnings", "samples", "error_rates")
    empty: dict[str, Any] = {"run": {}, "generators": {}, **dict.fromkeys(columns, ())}
    return DatasetSummary(**({"manifest": manifest} | empty | more))


def titles(story: Report) -> list[str]:
    return [section.title for section in story.sections]


def test_the_mix_is_told_with_shares() -> None:
    mix = ({"source": "student", "type": "operator", "rows": 3}, {"source": "injected", "type": None, "rows": 1})
    [section] = [each for each in build_report(figures(mix=mix)).sections if each.title == "Combinations of values"]
    [grid] = section.blocks
    assert isinstance(grid, Table) and grid.columns == ["source", "type", "rows", "share"]
    assert grid.rows == [["student", "operator", "3", "75.0%"], ["injected", "null", "1", "25.0%"]]


def test_a_section_is_there_where_its_data_is() -> None:
    assert titles(build_report(figures())) == ["Rows by step", "How to get it"]
    alone = figures(generators={"ann": LEDGER})
    assert titles(build_report(alone)) == ["Rows by step", "Generators", "How to get it"]
    more = figures(
        generators={"ann": LEDGER, "bob": LEDGER},
        columns=(TopValues("topic", 0, 2, (("area", 30), ("time", 20)), 0),),
        dropped=(DroppedRows("write", "empty", False, 5, ({"row_id": "ann:1", "row": "{}"},)),),
        warnings=("agreement: mean to be between: observed 0.6",),
        samples=({"row_id": "ann:2"},),
        error_rates=({"figure": "false accepts", "value": 0.01, "low": 0.0, "high": 0.02, "n": 700, "note": None},),
    )
    assert titles(build_report(more)) == [
        "Rows by step",
        "Generators",
        "Generator ann",
        "Generator bob",
        "Measured error rates",
        "Warnings of the gate",
        "Columns",
        "Random samples",
        "Dropped rows",
        "How to get it",
    ]
    assert "| false accepts | 1.00% | 0.00% to 2.00% | 700 |  |" in render_markdown(build_report(more))
    assert "| ann | 100 | 50 | 50.0% | 20 | 0.01 | 0.5 |" in render_markdown(build_report(more))


def test_the_price_of_a_published_row_is_that_of_every_row_that_was_asked_about() -> None:
    assert build_report(figures()).tiles == [
        ("rows", "50"),
        ("published, of 100 rows in", "50.0%"),
        ("tokens a published row", "20"),
        ("USD a published row", "0.01"),
        ("GPU seconds a published row", "0.5"),
    ]


def test_the_funnel_says_why_rows_went_and_what_each_step_cost() -> None:
    lines = render_markdown(build_report(figures())).splitlines()
    assert "| write | 100 | 80 | 20: unfinished 15, empty 5 | 0 | 80 | 600 | 0.0 | 0.5000 | 1.5 |" in lines
    assert "| solve | 80 | 50 | 0 | 30: no reply 30 | 50 | 400 | 25.0 | 0.0000 | 1.5 |" in lines


HOSTILE = "</pre></details><script>alert(1)</script><img src=x onerror=alert(2)> | `x` \x00\x1b[31m \ud7ff & é 😀\n```"


def test_nothing_in_a_row_can_break_the_page() -> None:
    row: Row = {"row_id": HOSTILE, "question": HOSTILE, HOSTILE: [HOSTILE, 1], "answer": None}
    told = figures(
        samples=(row,),
        columns=(
            TopValues(HOSTILE, 1, 9, ((HOSTILE, 7),), 3),
            Distribution(HOSTILE, False, 0, 0.0, 0.5, 0.5, 1.0, (Bin(HOSTILE, 3),)),
        ),
        dropped=(DroppedRows("write", HOSTILE, True, 1, ({"row_id": HOSTILE, "row": HOSTILE, "error": HOSTILE},)),),
        warnings=(HOSTILE,),
        generators={HOSTILE: LEDGER, "bob": LEDGER},
        run={"recipe": HOSTILE, "id": "r", "started": "", "ended": ""},
    )
    html = render_html(build_report(told))
    read = Checker(html)
    assert read.fetched == []
    assert "\x00" not in html and "\x1b" not in html
    assert HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd") in read.texts, "shown as it is"
    assert "default-src 'none'" in html
    fences = re.findall("^`{3,}", render_markdown(build_report(told)), re.MULTILINE)
    assert "````" in fences, "a fence is longer than any in its text"


def test_published_rows_are_shown_whole_and_dropped_ones_are_cut() -> None:
    long = "x" * (MAX_ROW_CHARACTERS + 10)
    told = figures(
        samples=({"row_id": "a", "solution": long},),
        dropped=(DroppedRows("write", "empty", False, 1, ({"row_id": "b", "row": f'{{"text": "{long}"}}'},)),),
    )
    texts = Checker(render_html(build_report(told))).texts
    assert long in texts
    assert any(text.endswith("\n... and 16 more characters") for text in texts)


def test_one_row_among_a_million_has_a_bar_that_can_be_seen() -> None:
    bins = (Bin("0", 1_000_000), Bin("1", 1), Bin("2", 0))
    html = render_html(build_report(figures(columns=(Distribution("n", False, 0, 0.0, 0.0, 0.0, 2.0, bins),))))
    assert [float(height) for height in re.findall(r'height="([\d.]+)"><title>\d: ', html)] == [100.0, 1.5]


def test_what_is_the_same_in_every_row_is_said_once() -> None:
    same = (
        TopValues("verifier", 0, 1, (("ladder", 50),), 0),
        Distribution("samples", False, 0, 5.0, 5.0, 5.0, 5.0, (Bin("5", 50),)),
    )
    section = build_report(figures(columns=same)).sections[1]
    assert not any(isinstance(block, ColumnChart) for block in section.blocks)
    assert Checker(render_html(build_report(figures(columns=same)))).texts.count("ladder") == 1


def test_a_small_table_is_a_picture_of_its_rows() -> None:
    rows: tuple[Row, ...] = tuple(
        {"row_id": f"type:{i}", "type": kind, "student": i * 3, "share": i / 4, "same": 1, "odd": float("nan")}
        for i, kind in enumerate(("calculation", "operator", "missing_step"))
    )
    manifest = figures().manifest.model_copy(update={"rows": 3})
    told = build_report(
        figures(manifest=manifest, samples=rows, columns=(TopValues("topic", 0, 2, (("area", 30),), 0),))
    )
    assert "Every row" in titles(told) and "Columns" not in titles(told)
    (section,) = [section for section in told.sections if section.title == "Every row"]
    assert [(block.title, block.lines[2]) for block in section.blocks if isinstance(block, BarChart)] == [
        ("student", ("missing_step", (6,), "6")),
        ("share", ("missing_step", (0.5,), "0.5")),
    ]
    assert "missing_step: 0.5" in render_html(told)


# -- made by a run ----------------------------------------------------------------------------------------------------


def test_a_published_version_has_its_report_in_the_lake_and_in_prefect(baseline: Lake, api: str) -> None:
    from prefect.client.orchestration import get_client

    html = (baseline.store.read(f"reports/verified/{baseline.manifest.version}.html") or b"").decode()
    read = Checker(html)
    assert read.fetched == []
    assert "by recipe verify" in html and "297" in read.texts and "unparseable" in read.texts

    async def artifacts() -> dict[str | None, Any]:
        async with get_client() as client:
            return {a.key: a.data for a in await client.read_artifacts()}

    assert asyncio.run(artifacts())["report-verified"].startswith("# verified\n")


def test_the_command_says_where_the_report_is_and_makes_it_again(
    baseline: Lake, command: Command, tmp_path: Path
) -> None:
    version, store = baseline.manifest.version, ("--store", baseline.store.url)
    done = command("report", "verified", *store)
    assert (done.code, done.out) == (0, f"{baseline.store.locate(f'reports/verified/{version}.html')}\n")
    again, text = tmp_path / "again.html", tmp_path / "again.md"
    for out in (again, text):
        assert command("report", "verified", "--version", version, "--out", out, *store).code == 0
    assert again.read_bytes() == baseline.store.read(f"reports/verified/{version}.html")
    assert text.read_text().startswith("# verified\n")


def test_a_report_that_cannot_be_made_does_not_undo_the_publication(command: Command, tmp_path: Path) -> None:
    attempted = write_jsonl(tmp_path / "a.jsonl", [{"question": "?", "response": "A: 1", "answer": "1"}])
    words = ("run", "verify", "--input", attempted, "--store", tmp_path / "lake")
    assert command(*words).code == 0
    [file] = (tmp_path / "lake/datasets/verified").glob("*/*.parquet")
    file.unlink()
    again = command(*words)
    assert again.code == 0, again.err
    assert "no report of verified: view published cannot be read: " in again.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "nothing"), "report: no dataset 'nothing' is published; published: verified"),
        (("report", "verified", "--version", "12"), "report: dataset 'verified' has no version '12'; published: "),
        (("report", "verified", "--out", "/nowhere/x.html"), "--out /nowhere/x.html: No such file or directory; give"),
    ],
)
def test_what_cannot_be_told_is_one_line(words: tuple[str, ...], said: str, baseline: Lake, command: Command) -> None:
    done = command(*words, "--store", baseline.store.url)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"questmill: {said}") and done.err.count("\n") == 1
