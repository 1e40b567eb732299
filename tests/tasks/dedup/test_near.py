"""Duplicates among questions: what is one, which of them is kept, and what is reported beside."""

import json
import os
import subprocess
import sys
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.steps import Merge
from tasks.dedup.exact import DropExactDuplicates
from tasks.dedup.near import DropNearDuplicates
from tasks.dedup.published import DropPublished
from tests.bench.support.results import ROOT
from tests.support.recorded import SHARED_DATA

CON = duckdb.connect()
Found = dict[str, dict[str, Any]]
SCHEMA = pa.schema([("row_id", pa.string()), ("question", pa.string())])
STORY = (
    "Tom has 12 red marbles and 5 blue ones in a box. He gives 4 of them to Ann. How many marbles are left in the box?"
)
OTHER = "A train leaves at 9 and drives 60 km an hour until 11. How far does it get before it stops in the next town?"


def merged(merge: Merge, *tables: dict[str, str]) -> Found:
    """The merged rows by id; each table is a question by row id."""
    for name, table in zip(merge.inputs, tables, strict=True):
        rows = [{"row_id": row_id, "question": question} for row_id, question in table.items()]
        CON.register(name, pa.Table.from_pylist(rows, schema=SCHEMA))
    merge.prepare(CON)
    return {row["row_id"]: row for row in CON.sql(merge.sql()).to_arrow_table().to_pylist()}


def near(*texts: str, merge: Merge | None = None) -> list[dict[str, Any]]:
    """What becomes of `texts`, whose row ids are their places."""
    return list(merged(merge or DropNearDuplicates(), {f"{n:03}": text for n, text in enumerate(texts)}).values())


def reasons(*texts: str) -> list[str | None]:
    return [row["reject"] for row in near(*texts)]


NEAR = [None, "near duplicate"]


def test_the_first_of_equal_texts_is_kept_whatever_their_case_and_blanks() -> None:
    texts = ["How many?", "How  many?\n", "HOW MANY?", "How much?"]
    assert [row["reject"] for row in near(*texts, merge=DropExactDuplicates())] == [
        None,
        "duplicate",
        "duplicate",
        None,
    ]


@pytest.mark.parametrize(
    "other",
    [
        STORY.upper().replace("?", " ?!"),
        STORY.replace("gives", "hands"),
        STORY.replace("in the box", "there"),
        STORY.replace("red ", ""),
        "Now, " + STORY,
        "\n\t " + STORY.replace(" ", "  "),
    ],
)
def test_a_question_that_says_nearly_the_same_with_the_same_numbers_is_dropped(other: str) -> None:
    found = near(STORY, OTHER, other)
    assert [row["reject"] for row in found] == [None, None, "near duplicate"]
    assert [row["cluster"] for row in found] == ["000", None, "000"]


@pytest.mark.parametrize(
    "other",
    [
        STORY.replace("12", "13"),
        STORY.replace("12", "5").replace("5 blue", "12 blue"),
        STORY.replace("12", "-12"),
        STORY.replace("12", "12%"),
        STORY.replace("12", "1.2"),
        STORY.replace("12", "twice 12"),
        STORY.replace(" 4 ", " "),
        STORY.replace(" 4 ", " five "),
    ],
)
def test_the_same_template_with_other_numbers_is_no_duplicate(other: str) -> None:
    assert reasons(STORY, other) == [None, None]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("one fourth", "one fifth"),
        ("three-fourths", "three-fifths"),
        ("a tenth", "an eighth"),
        ("the fourth", "the fifth"),
        ("doubled", "tripled"),
        ("x ≤ 5", "x ≥ 5"),
        (r"$x \leq 5$", r"$x \geq 5$"),
        ("√2", "2"),
        ("x²", "x2"),
        ("a million", "a billion"),
        ("-x", "x"),
        ("-(3 + 4)", "(3 + 4)"),
        ("7 - n", "n - 7"),
        ("5!", "5"),
        ("the largest", "the smallest"),
        (r"$\sin A$", r"$\tan A$"),
        ("one hexagon", "one pentagon"),
    ],
)
def test_a_number_in_words_and_a_sign_make_another_question(one: str, other: str) -> None:
    text = "On a farm with hens and cows, a farmer collects some eggs and then {} of them are counted again; how many?"
    assert reasons(text.format(one), text.format(other)) == [None, None]


def test_a_hyphen_makes_no_other_question() -> None:
    text = "A well known vice-president rents twenty-one two-room flats for a co-worker; how many rooms does she rent?"
    assert reasons(text, text.replace("-", " ")) == NEAR


def test_another_sign_makes_another_question() -> None:
    text = "Find the value of x that solves the equation 3x + 5 = 20, and write it down as a whole number."
    assert reasons(text, text.replace("+", "-"), text.replace("+", "*")) == [None] * 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000", "1000"),
        ("$3.50", "$3.5"),
        ("3.00", "3"),
        (".5", "0.5"),
        ("three", "3"),
        ("20%", "20 percent"),
        ("a 5-pound", "a 5 pound"),
        ("12 - 5", "12-5"),
        ("12 \N{MINUS SIGN} 5", "12 - 5"),
        ("3 \N{MULTIPLICATION SIGN} 5", "3 * 5"),
    ],
)
def test_a_number_in_another_form_is_the_same_number(one: str, other: str) -> None:
    assert reasons(f"{STORY} Add {one} to it.", f"{STORY} Add {other} to it.") == NEAR


def test_a_comma_between_numbers_joins_none() -> None:
    assert reasons(f"{STORY} Add 3,4,5 to it.", f"{STORY} Add 345 to it.") == [None, None]


def test_the_survivor_is_the_lowest_row_id_and_not_the_first_in_the_table() -> None:
    found = merged(DropNearDuplicates(), {"2": STORY, "0": OTHER, "1": STORY.replace("red ", "")})
    assert {row_id: (row["cluster"], row["reject"]) for row_id, row in found.items()} == {
        "0": (None, None),
        "1": ("1", None),
        "2": ("1", "near duplicate"),
    }


def test_a_chain_is_one_cluster_though_its_ends_are_unlike() -> None:
    words = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(60)]
    one, two, three = (" ".join(words[start : start + 40]) for start in (0, 10, 20))
    assert reasons(one, three) == [None, None]
    assert [row["cluster"] for row in near(one, two, three)] == ["000"] * 3
    assert [row["cluster"] for row in near(one, three, two)] == ["000"] * 3


def test_versions_of_a_template_are_counted_and_kept() -> None:
    found = near(STORY, STORY.replace("12", "13"), STORY.replace("12", "thirteen"), OTHER, STORY.replace("Tom", "Jim"))
    assert [row["same_template"] for row in found] == [2, 2, 2, 1, 1]
    assert [row["reject"] for row in found] == [None, None, "near duplicate", None, "near duplicate"]


def test_no_questions_at_all_have_no_duplicates() -> None:
    assert merged(DropNearDuplicates(), {}) == {}
    assert merged(DropPublished(dataset="old"), {}, {}) == {}


def test_texts_without_words_are_all_the_same_text() -> None:
    assert reasons("", " ?", "7", "Add 1 and 2") == [None, "near duplicate", None, None]


@pytest.mark.parametrize("gram", [1, 2, 5])
def test_any_length_of_n_gram_finds_an_equal_text(gram: int) -> None:
    found = near(STORY, OTHER, STORY.upper(), "Add 1", "", merge=DropNearDuplicates(ngram=gram))
    assert [row["cluster"] for row in found] == ["000", None, "000", None, None]


def test_a_higher_threshold_keeps_more() -> None:
    merge = DropNearDuplicates(threshold=0.95)
    found = near(STORY, STORY.replace("red ", ""), STORY.lower(), merge=merge)
    assert [row["reject"] for row in found] == [None, None, "near duplicate"]


VERB, THING, NUMBER = (st.sampled_from(words) for words in (["gives", "hands"], ["red", "old", ""], ["4", "5", "four"]))
TEXTS = st.one_of(
    st.builds(lambda v, t, n: STORY.replace("gives", v).replace("red", t).replace("4", n), VERB, THING, NUMBER),
    st.text("ab 1,.-?", max_size=12),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, max_size=12), st.randoms(use_true_random=False))
def test_which_texts_are_one_cluster_does_not_depend_on_their_order(texts: list[str], rng: Any) -> None:
    numbers = list(range(len(texts)))
    rng.shuffle(numbers)
    clusters = []
    for order in (sorted(numbers), numbers):
        ids = {f"{place:03}": n for place, n in enumerate(order)}
        found = merged(DropNearDuplicates(), {row_id: texts[n] for row_id, n in ids.items()})
        together: dict[str, set[int]] = {}
        for row_id, row in found.items():
            together.setdefault(row["cluster"] or row_id, set()).add(ids[row_id])
            assert (row["reject"] is None) == (row["cluster"] in (None, row_id))
            assert (row["cluster"] or row_id) <= row_id
        clusters.append(sorted(map(sorted, together.values())))
    assert clusters[0] == clusters[1]


@settings(max_examples=40, deadline=None)
@given(st.permutations(["3", "14", "15", "92"]), st.permutations(["3", "14", "15", "92"]))
def test_numbers_in_another_order_are_never_a_duplicate(one: list[str], other: list[str]) -> None:
    text = "Ann buys {} pens, {} pads, {} clips and {} cards for her shop. How many things does she buy in all?"
    assert reasons(text.format(*one), text.format(*other)) == (NEAR if one == other else [None, None])


def test_what_is_compared_is_the_same_in_every_process() -> None:
    script = """if True:
        import json, sys, numpy as np, pyarrow as pa
        from tasks.dedup.minhash import QuestionSketches
        sketch = QuestionSketches.from_texts(pa.array(sys.argv[1:]), 3)
        found = (sketch.number_hashes, sketch.template_hashes, sketch.band_keys(np.arange(2), 4))
        print(json.dumps([x.tolist() for x in found]))
    """
    told = []
    for seed in ("1", "2"):
        salted = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", script, STORY, OTHER]
        told.append(subprocess.run(command, cwd=ROOT, env=salted, check=True, capture_output=True).stdout)
    assert told[0] == told[1] != b""


def test_more_rows_than_are_read_at_once_are_one_table() -> None:
    texts = {f"{n:06}": f"Take {n} apples and {n + 1} pears. How many is that?" for n in range(12_000)}
    texts |= {"a": texts["000003"].upper(), "b": texts["011999"].replace("Take", "Add")}
    found = merged(DropNearDuplicates(), texts)
    assert {i for i, row in found.items() if row["reject"]} == {"a", "b"}
    assert [found[i]["cluster"] for i in ("a", "b")] == ["000003", "011999"]
    assert np.unique([row["same_template"] for i, row in found.items() if i != "b"]) == [12_000]


PUBLISHED = {"p/0": STORY, "p/1": OTHER}


@pytest.mark.parametrize(
    ("text", "known_as", "reason"),
    [
        (OTHER.upper() + "\n", "p/1", "published in old"),
        (STORY.replace("gives", "hands"), "p/0", "near duplicate of one in old"),
        (STORY.replace("12", "13"), None, None),
        ("What is 3 plus 4?", None, None),
    ],
)
def test_what_is_published_already_is_dropped_by_name(text: str, known_as: str | None, reason: str | None) -> None:
    row = merged(DropPublished(dataset="old"), {"0": text}, PUBLISHED)["0"]
    assert (row["known_as"], row["reject"]) == (known_as, reason)


def test_new_questions_are_compared_with_published_ones_only() -> None:
    found = merged(DropPublished(dataset="old"), {"0": STORY, "1": STORY}, {"p/1": OTHER})
    assert [row["reject"] for row in found.values()] == [None, None]


def test_the_most_alike_published_question_is_named() -> None:
    published = {"p/0": STORY.replace("gives", "hands"), "p/1": STORY.lower().replace("?", "!"), "p/2": STORY + "!"}
    assert merged(DropPublished(dataset="old"), {"0": STORY + " ?"}, published)["0"]["known_as"] == "p/1"


def test_nothing_published_drops_nothing() -> None:
    found = merged(DropPublished(dataset="old"), {"0": STORY}, {})
    assert [row["reject"] for row in found.values()] == [None]


def test_a_dataset_is_named_as_one() -> None:
    with pytest.raises(ValueError, match="dataset"):
        DropPublished(dataset="it's")


def test_hardly_any_of_the_questions_of_gsm8k_is_like_another() -> None:
    path = SHARED_DATA / "gsm8k" / "train.jsonl"
    if not path.exists():
        pytest.skip(f"needs {path.name} of OpenAI's grade-school-math in ../shared/data/gsm8k/")
    texts = [json.loads(line)["question"] for line in path.read_text().splitlines()]
    rejected = [row for row in near(*texts) if row["reject"]]
    assert len(rejected) < len(texts) / 1000


def test_a_second_published_dataset_may_follow_the_first() -> None:
    con = duckdb.connect()
    con.register(
        "questions", pa.table({"row_id": ["0"], "question": [STORY], "known_as": pa.array([None], pa.string())})
    )
    con.register("published", pa.table({"row_id": ["p/1"], "question": [STORY]}))
    merge = DropPublished(dataset="newer")
    merge.prepare(con)
    (row,) = con.sql(merge.sql()).to_arrow_table().to_pylist()
    assert row == {"row_id": "0", "question": STORY, "known_as": "p/1", "reject": "published in newer"}
