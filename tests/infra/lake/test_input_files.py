"""Input that cannot be used is refused in one line that says where and what to do; all other input is kept whole."""

import datetime
import decimal
import gzip
import json
import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs

from infra.cluster import worker
from infra.lake import input_files
from infra.lake.store import Store, open_store
from schemas.errors import BadInput
from schemas.input import ColumnNames, Source
from schemas.outcomes import Row
from schemas.tables import verdicts
from tests.support.pipeline import make_attempt, read_rows, seed, write_jsonl

GOOD = b'{"question": "q", "response": "r", "answer": "a"}\n'


def refused(lake: str, *urls: str, **options: Any) -> str:
    """The one line that a run ends with; nothing may have been written."""
    with pytest.raises(BadInput) as caught:
        seed(Source(input=urls, **options), lake)
    assert "\n" not in str(caught.value)
    assert not open_store(lake).exists()
    return str(caught.value)


def kept(lake: str, *urls: str, **options: Any) -> list[Row]:
    """The rows of the seed, without their ids."""
    receipts = seed(Source(input=urls, **options), lake, verdicts.VERDICT_SCHEMA.names)
    rows = read_rows(open_store(lake), receipts)
    return [{k: v for k, v in row.items() if k != "row_id" and (k, v) != ("reasoning", None)} for row in rows]


def parquet(path: Path, **columns: Any) -> str:
    pq.write_table(pa.table({"question": ["q"], "response": ["r"], "answer": ["a"]} | columns), path)
    return str(path)


BAD_LINES = {
    "invalid JSON": (b'{"question": "q",,}\n', "row 3: is not JSON: .* at character 18; give one JSON object per line"),
    "an array": (b"[1, 2]\n", "row 3: is not a JSON object but list; give one object per line"),
    "a bare value": (b"7\n", "row 3: is not a JSON object but int; give one object per line"),
    "two objects": (b"{} {}\n", "row 3: is not JSON: Extra data at character 4; give one JSON object per line"),
    "invalid UTF-8": (b'{"question": "\xff"}\n', "row 3: is not UTF-8 at byte 14; save the file as UTF-8"),
    "nested too deeply": (b"[" * 5000 + b"\n", "row 3: cannot be read: RecursionError: .*; shorten it"),
    "an endless integer": (b'{"n": ' + b"1" * 5000 + b"}\n", "row 3: cannot be read: ValueError: .*; shorten it"),
    "a wrong type": (
        b'{"question": 7, "response": "r", "answer": "a"}\n',
        "row 3: column 'question' holds int, not a string; convert the column",
    ),
    "a wrong gold": (
        b'{"question": "q", "response": "r", "answer": true}\n',
        "row 3: column 'answer' holds bool, not a string or a number; convert the column",
    ),
}


@pytest.mark.parametrize(("line", "expected"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_named_by_file_and_row(line: bytes, expected: str, tmp_path: Path, lake: str) -> None:
    (tmp_path / "bad.jsonl").write_bytes(GOOD * 2 + line)
    assert re.search(rf"bad\.jsonl: {expected}", refused(lake, str(tmp_path / "bad.jsonl")))


BAD_FILES = {
    "an empty file": ("bad.jsonl", b"", "holds no rows; give at least one"),
    "blank lines only": ("bad.jsonl", b"\n \n", "holds no rows; give at least one"),
    "a JSON array": ("bad.json", b'[\n{"question": "q"}\n]', "row 1: is not JSON: .*; give one JSON object per line"),
    "UTF-16": ("bad.jsonl", GOOD.decode().encode("utf-16"), "row 1: is not UTF-8 at byte 0; save the file as UTF-8"),
    "garbage for Parquet": (
        "bad.parquet",
        b"garbage" * 9,
        "is not readable Parquet after row 0: .*; write the file again",
    ),
    "an empty Parquet": ("bad.parquet", b"", "is not readable Parquet after row 0: .*; write the file again"),
    "garbage for gzip": ("bad.jsonl.gz", b"garbage", "cannot be read: .*; check that the file is complete"),
    "half a gzip": ("bad.jsonl.gz", gzip.compress(GOOD)[:-9], "cannot be read: .*; check that the file is complete"),
    "a damaged gzip": ("bad.jsonl.gz", gzip.compress(GOOD)[:12] + b"\xff" * 40, "cannot be read: .*; check that"),
    "a damaged xz": ("bad.jsonl.xz", b"\xfd7zXZ\x00\xff\xff", "cannot be read: .*; check that the file is complete"),
    "no zip": ("bad.zip", b"garbage", "cannot be read: .*; check that the file is complete"),
}


@pytest.mark.parametrize(("name", "data", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_named(name: str, data: bytes, expected: str, tmp_path: Path, lake: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert re.search(f"{name}: {expected}", refused(lake, str(tmp_path / name)))


def test_truncated_parquet_is_named(tmp_path: Path, lake: str) -> None:
    whole = Path(parquet(tmp_path / "whole.parquet")).read_bytes()
    (tmp_path / "half.parquet").write_bytes(whole[: len(whole) // 2])
    assert "half.parquet: is not readable Parquet after row 0" in refused(lake, str(tmp_path / "half.parquet"))
    (tmp_path / "torn.parquet").write_bytes(whole[:4] + b"\xff" * (len(whole) // 2) + whole[4 + len(whole) // 2 :])
    assert "torn.parquet: " in refused(lake, str(tmp_path / "torn.parquet"))


def test_parquet_without_rows_is_named(tmp_path: Path, lake: str) -> None:
    empty = pa.array([], pa.string())
    assert "holds no rows" in refused(
        lake, parquet(tmp_path / "a.parquet", question=empty, response=empty, answer=empty)
    )


def test_parquet_of_a_wrong_type_is_named(tmp_path: Path, lake: str) -> None:
    expected = "row 1: column 'response' holds list, not a string; convert the column"
    assert expected in refused(lake, parquet(tmp_path / "a.parquet", response=[["r"]]))


def test_what_is_not_there_is_named(tmp_path: Path, lake: str) -> None:
    assert "none.jsonl: no such file; give a path, a url or a glob" in refused(lake, str(tmp_path / "none.jsonl"))
    assert "*.jsonl: no such file" in refused(lake, str(tmp_path / "*.jsonl"))
    (tmp_path / "folder.jsonl").mkdir()
    assert "*.jsonl: no such file" in refused(lake, str(tmp_path / "*.jsonl"))
    assert "folder.jsonl: is a folder; give its files, e.g. " in refused(lake, str(tmp_path / "folder.jsonl"))
    assert "cannot be reached" in refused(lake, "nowhere://a.jsonl")


def test_input_on_a_server_that_refuses_is_named_in_seconds(s3_lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    started = time.monotonic()
    with pytest.raises(BadInput, match=r"s3://b/x\.jsonl: cannot be reached: .*; check the url and its keys"):
        input_files.resolve_globs(Source(input=("s3://b/x.jsonl",)))
    assert time.monotonic() - started < 8


def test_input_on_a_web_server_that_is_not_there_is_no_missing_file() -> None:
    with pytest.raises(BadInput, match=r"http://127\.0\.0\.1:9/x\.jsonl: cannot be reached: .*; check the url"):
        input_files.resolve_globs(Source(input=("http://127.0.0.1:9/x.jsonl",)))


def test_a_file_that_a_web_server_does_not_have_is_no_such_file(s3_server: str) -> None:
    with pytest.raises(BadInput, match=r"/moto-api/none\.jsonl: no such file; give a path, a url or a glob"):
        input_files.resolve_globs(Source(input=(f"{s3_server}/moto-api/none.jsonl",)))


def test_an_empty_input_is_told() -> None:
    with pytest.raises(BadInput, match=r"^--input '' is empty; give a path, a url or a glob$"):
        input_files.resolve_globs(Source(input=("",)))


def test_rows_of_a_file_that_was_replaced_after_the_check_are_never_committed(tmp_path: Path, lake: str) -> None:
    source = Source(input=(write_jsonl(tmp_path / "a.jsonl", [make_attempt(1), make_attempt(2)]),))
    file = worker.check_source(source.input[0], source, lake)
    write_jsonl(tmp_path / "a.jsonl", [make_attempt(3), make_attempt(4)])
    with pytest.raises(BadInput, match=r"a\.jsonl: changed while it was read; run again"):
        worker.run_seed(file, file.types, source, [], lake)
    assert open_store(lake).read_receipts() == []


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path, lake: str) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"question": "q", "solution": "s", "answer": "1"}])
    expected = "has no column 'response'; name the column that holds it with --columns.response NAME, or for this file "
    expected += f"alone with --columns {tmp_path.name}/a.jsonl:response=NAME (there are: answer, question, solution)"
    assert f"a.jsonl: {expected}" in refused(lake, path)
    assert kept(lake, path, columns=ColumnNames(response="solution")) == [
        {"question": "q", "response": "s", "answer": "1"}
    ]


GRADE_SCHOOL = [{"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2"}]
COMPETITION = [{"problem": "$2 + 2$?", "level": "Level 1", "solution": "It is $\\boxed{4}$."}]
BOTH = {"grade.jsonl": {"response": "answer"}, "contest.jsonl": {"question": "problem"}}
"""Like GSM8K and MATH, which name their columns differently."""


def corpora(folder: Path, contest: list[dict[str, Any]] = COMPETITION) -> tuple[str, str]:
    grade = write_jsonl(folder / "grade.jsonl", GRADE_SCHOOL)
    return grade, write_jsonl(folder / "contest.jsonl", contest)


def test_files_whose_columns_have_the_same_names_need_one_mapping(tmp_path: Path, lake: str) -> None:
    renamed = [{"question": "2 + 2?", "answer": "#### 4"}]
    rows = kept(lake, *corpora(tmp_path, renamed), columns=ColumnNames(response="answer"))
    assert sorted((row["question"], row["response"], row["answer"]) for row in rows) == [
        ("1 + 1?", "1 + 1 = 2\n#### 2", "1 + 1 = 2\n#### 2"),
        ("2 + 2?", "#### 4", "#### 4"),
    ]


@pytest.mark.parametrize("named", ["contest.jsonl", "*/contest.*", "con*st.jsonl", "FOLDER/contest.jsonl"])
def test_files_whose_columns_have_other_names_are_read_together(named: str, tmp_path: Path, lake: str) -> None:
    names = {"question": "problem", "response": "solution", "answer": "solution"}
    by_file = {named.replace("FOLDER", str(tmp_path)): names}
    rows = kept(lake, *corpora(tmp_path), columns=ColumnNames(response="answer", by_file=by_file))
    assert sorted(rows, key=lambda row: str(row["question"])) == [
        {
            "question": "$2 + 2$?",
            "response": "It is $\\boxed{4}$.",
            "answer": "It is $\\boxed{4}$.",
            "level": "Level 1",
        },
        {"question": "1 + 1?", "response": "1 + 1 = 2\n#### 2", "answer": "1 + 1 = 2\n#### 2", "level": None},
    ]


def test_a_file_that_lacks_its_column_is_told_how_to_name_it_for_this_file_alone(tmp_path: Path, lake: str) -> None:
    told = refused(lake, *corpora(tmp_path), columns=ColumnNames(response="answer", by_file=BOTH))
    assert "contest.jsonl: has no column 'answer'; name the column" in told
    assert f"--columns {tmp_path.name}/contest.jsonl:response=NAME (there are: level, problem, solution)" in told
    wrong = BOTH | {"contest.jsonl": {"question": "task", "answer": "solution", "response": "solution"}}
    assert "contest.jsonl: has no column 'task'; name the column that holds it with --columns.question NAME" in refused(
        lake, *corpora(tmp_path), columns=ColumnNames(by_file=wrong)
    )


def test_names_for_a_file_that_is_not_read_or_that_contradict_each_other_are_refused(tmp_path: Path, lake: str) -> None:
    typo = refused(lake, *corpora(tmp_path), columns=ColumnNames(by_file={"contests.jsonl": {"question": "problem"}}))
    expected = "--columns names columns of 'contests.jsonl', which is none of the files; there are: "
    assert typo == f"{expected}{tmp_path.name}/contest.jsonl, {tmp_path.name}/grade.jsonl"
    twice = {"contest.jsonl": {"question": "problem"}, "*.jsonl": {"question": "task"}}
    told = refused(lake, *corpora(tmp_path), columns=ColumnNames(by_file=twice))
    assert "column 'question' is 'problem' by 'contest.jsonl' and 'task' by '*.jsonl'; name it once" in told


def test_files_of_problems_are_read_without_responses_whatever_their_columns_are_called(
    tmp_path: Path, lake: str
) -> None:
    columns = ColumnNames(by_file={"contest.jsonl": {"question": "problem"}, "con*": {"answer": "solution"}})
    rows = kept(lake, *corpora(tmp_path), columns=columns.without_responses())
    assert sorted((row["response"], row["answer"]) for row in rows) == [
        ("$2 + 2$?", "It is $\\boxed{4}$."),
        ("1 + 1?", "1 + 1 = 2\n#### 2"),
    ]


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path, lake: str) -> None:
    for name, rows in (("grade", GRADE_SCHOOL), ("contest", COMPETITION)):
        (tmp_path / name).mkdir()
        write_jsonl(tmp_path / name / "train.jsonl", rows)
    names = {"question": "problem", "response": "solution", "answer": "solution"}
    columns = ColumnNames(by_file={"contest/train.jsonl": names, "grade/*": {"response": "answer"}})
    rows = kept(lake, str(tmp_path / "*" / "train.jsonl"), columns=columns)
    assert sorted(row["question"] for row in rows) == ["$2 + 2$?", "1 + 1?"]


def test_other_names_in_another_file_do_not_seed_a_file_again(tmp_path: Path, lake: str) -> None:
    grade, contest = corpora(tmp_path)
    alone = seed(Source(input=(grade,), columns=ColumnNames(response="answer")), lake)
    names = {"question": "problem", "response": "solution", "answer": "solution"}
    columns = ColumnNames(response="answer", by_file={"contest.jsonl": names})
    write_jsonl(
        tmp_path / "contest.jsonl", [{name: row[name] for name in ("problem", "solution")} for row in COMPETITION]
    )
    assert alone[0].key in {receipt.key for receipt in seed(Source(input=(grade, contest), columns=columns), lake)}


def test_every_file_is_checked_before_the_first_row_is_written(tmp_path: Path, lake: str) -> None:
    good, bad = (
        write_jsonl(tmp_path / "a.jsonl", [make_attempt(1)]),
        write_jsonl(tmp_path / "b.jsonl", [make_attempt(1), 7]),
    )
    assert "b.jsonl: row 2" in refused(lake, good, bad)


def test_files_that_disagree_about_a_column_are_named(tmp_path: Path, lake: str) -> None:
    one, two = (
        write_jsonl(tmp_path / "a.jsonl", [make_attempt(1, n="x")]),
        write_jsonl(tmp_path / "b.jsonl", [make_attempt(2, n=1)]),
    )
    assert "b.jsonl: column 'n' is int64 here and string in another file; give both one type" in refused(lake, one, two)


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path: Path) -> None:
    source = Source(input=(write_jsonl(tmp_path / "a.jsonl", [make_attempt(1)]),))
    file = input_files.check_file(source.input[0], source)
    for later in ([make_attempt(1), make_attempt(2)], [make_attempt(1, new=1)], [make_attempt(2)]):
        write_jsonl(tmp_path / "a.jsonl", later)
        with pytest.raises(BadInput, match=r"a\.jsonl: changed while it was read; run again"):
            list(input_files.read_rows(file, source, file.types))


# -- good input -------------------------------------------------------------------------------------------------------


def test_jsonl_parquet_compressed_files_and_globs_give_the_same_rows(tmp_path: Path) -> None:
    table = [make_attempt(n) for n in range(5)]
    text = Path(write_jsonl(tmp_path / "a.jsonl", table)).read_bytes()
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(text))
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "c.parquet")
    for name in ("a.jsonl", "b.jsonl.gz", "c.parquet", "[a]*.json?"):
        assert kept(f"memory://{tmp_path.name}-{name[0]}", str(tmp_path / name)) == table


def test_input_comes_from_any_file_system(s3_lake: str, lake: str) -> None:
    fs = Store(s3_lake).fs
    fs.pipe_file(f"{s3_lake}/in/a.jsonl", GOOD * 3)
    row = {"question": "q", "response": "r", "answer": "a"}
    assert kept(lake, f"{s3_lake}/in/*.jsonl") == [row] * 3


def test_blank_lines_crlf_a_byte_order_mark_and_a_missing_last_newline_are_fine(tmp_path: Path, lake: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n") + b"\r\n\n" + GOOD.rstrip())
    assert len(kept(lake, str(tmp_path / "a.jsonl"))) == 2


def test_every_other_column_is_kept_with_its_type(tmp_path: Path, lake: str) -> None:
    more = {"s": "x", "i": 7, "f": 0.5, "b": True, "none": None, "list": [1, {"a": None}], "big": 2**70, "mixed": 1}
    path = write_jsonl(tmp_path / "a.jsonl", [make_attempt(1, **more), make_attempt(2, f=2, mixed="two")])
    first, second = kept(lake, path)
    assert first == make_attempt(1) | more | {"list": '[1, {"a": null}]', "big": str(2**70), "mixed": "1"}
    assert second["f"] == 2.0 and second["mixed"] == '"two"' and second["s"] is None


def test_columns_of_parquet_that_have_no_plain_type_are_kept_as_json(tmp_path: Path, lake: str) -> None:
    day, price = datetime.date(2026, 1, 2), decimal.Decimal("1.50")
    (row,) = kept(lake, parquet(tmp_path / "a.parquet", day=[day], price=[price], raw=[b"x"], tags=[{"k": [1]}]))
    assert row["day"] == '"2026-01-02"' and row["price"] == '"1.50"' and row["tags"] == '{"k": [1]}'


def test_names_that_would_hide_ours_are_kept_as_input(tmp_path: Path, lake: str) -> None:
    names = ["verdict", "Row_ID", "RULE", "reject", "input_verdict", "model", "Model"]
    (row,) = kept(lake, write_jsonl(tmp_path / "a.jsonl", [make_attempt(1, **dict.fromkeys(names, "x"))]))
    assert sorted(row.keys() - make_attempt(1).keys()) == [
        "Model",
        "input_RULE",
        "input_Row_ID",
        "input_input_verdict",
        "input_model",
        "input_reject",
        "input_verdict",
    ]


def test_a_renamed_column_does_not_hide_the_one_that_has_our_name(tmp_path: Path, lake: str) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [make_attempt(1, prompt="mine", question="theirs")])
    (row,) = kept(lake, path, columns=ColumnNames(question="prompt"))
    assert row["question"] == "mine" and row["input_question"] == "theirs"


@pytest.mark.parametrize(
    ("response", "text", "reasoning"),
    [
        ("<think>\n3 + 4 is 7.\n</think>\n\n#### 7", "#### 7", "3 + 4 is 7."),
        ("3 + 4 is 7.\n</think>\n\n#### 7", "#### 7", "3 + 4 is 7."),
        ("[THINK]x[/THINK]#### 7", "#### 7", "x"),
        ("<think>\n\n</think>\n\n#### 7", "#### 7", None),
        ("<think>3 + 4 is", "<think>3 + 4 is", None),
        ("The mark `<think>` is a tag. #### 7", "The mark `<think>` is a tag. #### 7", None),
        ("#### 7", "#### 7", None),
    ],
)
def test_a_thought_in_a_response_becomes_its_own_column(
    response: str, text: str, reasoning: str | None, tmp_path: Path, lake: str
) -> None:
    given = make_attempt(1) | {"response": response}
    (row,) = kept(lake, write_jsonl(tmp_path / "a.jsonl", [given]))
    assert (row["response"], row.get("reasoning")) == (text, reasoning)


def test_the_thoughts_of_a_file_are_kept_in_the_same_column(tmp_path: Path, lake: str) -> None:
    path = write_jsonl(
        tmp_path / "a.jsonl",
        [
            make_attempt(1, reasoning="I add."),
            make_attempt(2, reasoning=None),
            make_attempt(3) | {"response": "<think>x</think>3"},
        ],
    )
    assert [row.get("reasoning") for row in kept(lake, path)] == ["I add.", None, "x"]
    other = write_jsonl(tmp_path / "b.jsonl", [make_attempt(1, reasoning=["a", "b"])])
    (row,) = kept(lake, other)
    assert row["input_reasoning"] == '["a", "b"]' and "reasoning" not in row


def test_one_column_may_serve_twice(tmp_path: Path, lake: str) -> None:
    (row,) = kept(
        lake,
        write_jsonl(tmp_path / "a.jsonl", [{"question": "q", "text": "7"}]),
        columns=ColumnNames(response="text", answer="text"),
    )
    assert row["response"] == row["answer"] == "7"


def test_rows_without_question_response_or_answer_go_to_quarantine(tmp_path: Path, lake: str) -> None:
    bad = [make_attempt(1, question=None), make_attempt(2, response=None), {"question": "q", "response": "r"}]
    (receipt,) = seed(Source(input=(write_jsonl(tmp_path / "a.jsonl", [make_attempt(0), *bad]),)), lake)
    assert (receipt.rows_in, receipt.kept) == (4, 1) and receipt.is_balanced
    assert receipt.quarantined == {"null answer": 1, "null question": 1, "null response": 1}
    assert receipt.quarantine is not None
    quarantined = open_store(lake).get(receipt.quarantine).to_pylist()
    assert [r["error"] for r in quarantined] == [f"column '{n}' is null" for n in ("question", "response", "answer")]
    assert json.loads(quarantined[0]["row"])["response"] == "1"


def test_gold_answers_may_be_numbers(tmp_path: Path, lake: str) -> None:
    golds = [7, 0.5, -3, 2**70]
    path = write_jsonl(tmp_path / "a.jsonl", [make_attempt(0, answer=gold) for gold in golds])
    assert [row["answer"] for row in kept(lake, path)] == [str(gold) for gold in golds]
    (row,) = kept(lake, parquet(tmp_path / "a.parquet", answer=[decimal.Decimal("1.50")]))
    assert row["answer"] == "1.50"


def test_odd_but_legal_json_is_taken(tmp_path: Path, lake: str) -> None:
    odd = [
        '{"question": "q", "question": "last wins", "response": "r", "answer": NaN, "f": Infinity}',
        '{"question": "q", "response": "cut \\ud83d", "answer": "\\ud83d\\ude00", "f": 1, "x\\udc00": ["\\ud800"]}',
        '{"question": "q", "response": "' + "long " * 200_000 + '", "answer": "nul \\u0000"}',
        '{"question": "q", "response": "r", "answer": "a", "deep": ' + "[" * 500 + "]" * 500 + "}",
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(odd))
    first, second, third, fourth = kept(lake, str(tmp_path / "a.jsonl"))
    assert first["question"] == "last wins" and first["answer"] == "nan" and first["f"] == float("inf")
    assert second["response"] == "cut \ufffd" and second["answer"] == "\U0001f600" and second["x\ufffd"] == '["\ufffd"]'
    assert len(third["response"]) == 1_000_000 and third["answer"] == "nul \x00"
    assert fourth["deep"] == "[" * 500 + "]" * 500


def test_integers_too_large_for_a_float_column_do_not_stop_a_run(tmp_path: Path, lake: str) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [make_attempt(1, n=2**60 + 1), make_attempt(2, n=0.5)])
    assert [row["n"] for row in kept(lake, path)] == [float(2**60), 0.5]


def test_the_same_file_twice_is_read_once_and_a_copy_is_rows_of_its_own(tmp_path: Path, lake: str) -> None:
    one, copy = (
        write_jsonl(tmp_path / "a.jsonl", [make_attempt(1)]),
        write_jsonl(tmp_path / "b.jsonl", [make_attempt(1)]),
    )
    receipts = seed(Source(input=(one, one, copy)), lake)
    ids = [row["row_id"] for row in read_rows(open_store(lake), receipts)]
    assert len(receipts) == len(set(ids)) == 2


def test_files_with_different_columns_are_one_table(tmp_path: Path, lake: str) -> None:
    one = write_jsonl(tmp_path / "a.jsonl", [make_attempt(1, seed=1, note=None)])
    two = write_jsonl(tmp_path / "b.jsonl", [make_attempt(2, seed=0.5, note={"by": "me"}, model="m")])
    first, second = sorted(kept(lake, one, two), key=lambda row: str(row["question"]))
    assert first == make_attempt(1) | {"seed": 1.0, "note": None, "model": None}
    assert second == make_attempt(2) | {"seed": 0.5, "note": '{"by": "me"}', "model": "m"}


def test_rows_are_cut_into_shards_in_order(tmp_path: Path, lake: str) -> None:
    (receipt,) = seed(
        Source(input=(write_jsonl(tmp_path / "a.jsonl", [make_attempt(n) for n in range(10)]),), shard_rows=4), lake
    )
    assert [part.rows for part in receipt.parts] == [4, 4, 2]
    assert [row["response"] for row in read_rows(open_store(lake), [receipt])] == [str(n) for n in range(10)]


def test_a_second_seed_of_the_same_bytes_is_found(tmp_path: Path, lake: str) -> None:
    source = Source(input=(write_jsonl(tmp_path / "a.jsonl", [make_attempt(1)]),))
    assert [receipt.was_cached for receipt in seed(source, lake) + seed(source, lake)] == [False, True]


def test_scanning_holds_no_rows(tmp_path: Path) -> None:
    with (tmp_path / "a.jsonl").open("wb") as file:
        for _ in range(100):
            file.write(GOOD.replace(b'"r"', b'"%s"' % (b"r" * 1000)) * 200)
    source = Source(input=(str(tmp_path / "a.jsonl"),))
    tracemalloc.start()
    scanned = input_files.check_file(source.input[0], source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert scanned.rows == 20_000 and peak < 8 << 20
