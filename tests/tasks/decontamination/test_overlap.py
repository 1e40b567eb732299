"""Questions that a benchmark asks too: copies in every disguise are found, told and dropped, and others are not."""

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, get_args

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.cli import recipe_arguments
from infra.cluster import worker
from infra.lake.store import open_store
from schemas.arrow import conform
from schemas.errors import BadInput, QuestmillError
from schemas.identity import FrozenModel, fingerprint
from schemas.outcomes import Reject
from schemas.receipts import Receipt
from schemas.tables import benchmark_overlaps, questions
from tasks.decontamination.benchmark import Benchmark
from tasks.decontamination.ngram_index import HashedTexts, InvertedIndex, ngrams, normalize_words, without_numbers
from tasks.decontamination.overlap import DropOverlaps, FindOverlaps
from tests.support.recorded import SHARED_DATA

STORY = (
    "Mira bakes 24 rolls every morning and 1,200 on market days. She keeps three of them for her sister. "
    "The baker next door buys half of the rest for $2 each. How much does Mira earn on a day without a market?"
)
FORMULA = r"Let $f(x)=\frac{x^2-4}{x+2}$. For which values of $x$ is $f(x) \ge 3$, and for which is it not defined?"
SHORT = r"Compute $\frac{3}{8}-\frac{1}{4}$."
ITEMS = ["A kite has 90 m of string. How high can it go?", STORY, FORMULA, SHORT]


@pytest.fixture
def benchmark_file(tmp_path: Path) -> Path:
    path = tmp_path / "exam.jsonl"
    path.write_text("".join(json.dumps({"id": n, "problem": text}) + "\n" for n, text in enumerate(ITEMS)))
    return path


@pytest.fixture
def stage(benchmark_file: Path) -> FindOverlaps:
    return FindOverlaps(benchmarks=(exam(benchmark_file),))


def exam(path: Path | str, **more: str) -> Benchmark:
    return Benchmark(**({"name": "exam", "path": str(path), "column": "problem"} | more))


def matches(stage: FindOverlaps, *texts: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Question -> rule -> row; a question that matches nothing has its reason under `reject`."""
    rows = [{"row_id": text, "question": text} for text in texts]
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for outcome in stage.rows(rows, None):
        if isinstance(outcome, Reject):
            found[outcome.row["row_id"]]["reject"] = {"reason": outcome.reason}
        else:
            found[outcome["question_id"]][outcome["rule"]] = outcome
    return found


def rules(stage: FindOverlaps, text: str) -> set[str]:
    return set(matches(stage, text)[text])


def test_a_match_names_benchmark_line_rule_and_words(stage: FindOverlaps) -> None:
    rows = list(stage.rows([{"row_id": "7/0", "question": STORY}], None))
    conform(rows, benchmark_overlaps.SCHEMA, "test")
    assert [row["row_id"] for row in rows] == ["7/0/0", "7/0/1", "7/0/2"]
    assert [row["rule"] for row in rows] == ["whole", "gram", "coverage"]
    assert {(row["question_id"], row["benchmark"], row["item"], row["coverage"]) for row in rows} == {
        ("7/0", "exam", 1, 1.0)
    }
    assert {row["ngram"] for row in rows} == {" ".join(normalize_words(STORY))}


@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize(
    "disguise",
    [
        str.upper,
        str.title,
        lambda text: "\n  ".join(text.split()),
        lambda text: text.replace(" ", "\u00a0\t"),
        lambda text: text.replace("e", "e\u200b"),
        lambda text: text.replace("-", " - ").replace("=", " = ").replace("+", " \u2009+"),
        lambda text: text.replace("-", "\N{MINUS SIGN}").replace(",", ""),
        lambda text: text.replace("?", " ??").replace(".", "!"),
    ],
)
def test_case_blanks_and_punctuation_are_no_disguise(stage: FindOverlaps, item: str, disguise: Any) -> None:
    assert "whole" in rules(stage, disguise(item))


def test_a_copy_without_any_blanks_is_whole_too(stage: FindOverlaps) -> None:
    assert rules(stage, "".join(STORY.split())) == {"whole"}


def test_thirteen_words_in_a_row_are_a_match_and_twelve_are_none(stage: FindOverlaps) -> None:
    shared = "bakes 24 rolls every morning and 1200 on market days she keeps"
    found = matches(stage, f"Ben {shared} three apples.", f"Ben {shared} no apples.")
    thirteen, twelve = found.values()
    assert set(thirteen) == {"gram"} and thirteen["gram"]["ngram"] == f"{shared} three"
    assert thirteen["gram"]["coverage"] == pytest.approx(1 / (len(normalize_words(STORY)) - 12))
    assert twelve == {"reject": {"reason": "clean"}}


def test_an_item_inside_a_longer_question_is_covered(stage: FindOverlaps) -> None:
    assert rules(stage, f"It is windy today. {ITEMS[0]} Give metres.") == {"coverage"}
    assert rules(stage, "It is windy. A kite has 90 m of string. How high is it?") == {"reject"}


def test_coverage_counts_the_items_grams_and_not_the_questions(stage: FindOverlaps) -> None:
    half = STORY.replace("bakes", "makes").replace("keeps", "saves").replace("earn", "get")
    assert rules(stage, half) == {"gram"}
    assert rules(stage.model_copy(update={"coverage": 0.3}), half) == {"gram", "coverage"}
    assert rules(stage, STORY.replace("without a market", "without a fair")) == {"gram", "coverage"}


@pytest.mark.parametrize(
    "swapped",
    [
        STORY.replace("24", "137").replace("1,200", "3.5").replace("$2", "$12,500").replace("three", "9"),
        STORY.replace("24", "twenty-five").replace("three", "fourteen").replace("1,200", "7").replace("$2", "$8"),
        FORMULA.replace("4", "25").replace("+2", "+5").replace("3", "11"),
        SHORT.replace("3", "17").replace("8", "20").replace("4", "6"),
    ],
)
def test_other_numbers_are_told_as_such(stage: FindOverlaps, swapped: str) -> None:
    assert rules(stage, swapped) - {"gram"} == {"numbers"}
    assert "#" in matches(stage, swapped)[swapped]["numbers"]["ngram"]


def test_sentences_in_another_order_are_told_as_such(stage: FindOverlaps) -> None:
    first, second, third, fourth = STORY.replace(". ", ".|").split("|")
    assert "order" in rules(stage, f"{third} {first} {second} {fourth}")
    assert rules(stage, f"{third} {first} {second} {fourth} Explain.") == {"gram"}


def test_a_short_item_matches_whole_or_not_at_all(stage: FindOverlaps) -> None:
    assert rules(stage, r"Compute \(\frac{3}{8} - \frac{1}{4}\)") == {"whole"}
    assert rules(stage, f"{SHORT} Give a common fraction.") == {"reject"}


def test_questions_without_words_match_nothing(stage: FindOverlaps) -> None:
    assert [rules(stage, text) for text in ("", "?!", "7", "   ")] == [{"reject"}] * 4


def test_signs_belong_to_the_word_after_them_and_hyphens_to_none() -> None:
    assert normalize_words("x^2 - 1 = 0") == normalize_words("x^2-1=0") == ["x", "^2", "-1", "=0"]
    assert normalize_words("a half-price 5-year plan, $80,000") == ["a", "half", "price", "5", "year", "plan", "80000"]
    assert normalize_words(r"10,\!000 and (100, 200)") == ["10000", "and", "100", "200"]


def test_how_a_formula_is_set_makes_no_other_words() -> None:
    assert normalize_words(r"Find $\dfrac{1}{2}\left(x^2\right)$") == normalize_words(r"find $\frac{1}{2} \, (x²)$")


def test_masked_numbers_in_a_row_are_one() -> None:
    assert without_numbers(normalize_words("twenty-five of 1 1/2")) == ["#", "of", "#", "/#"]
    assert without_numbers(normalize_words("x^2+5")) == ["x", "^#", "+#"]


@settings(max_examples=60, deadline=None)
@given(*[st.lists(st.lists(st.sampled_from("ab"), max_size=9), min_size=1, max_size=5)] * 2)
def test_hashes_find_exactly_the_pairs_that_words_find(texts: list[list[str]], items: list[list[str]]) -> None:
    postings = InvertedIndex(*HashedTexts.from_texts(items).ngram_hashes(3))
    told = {
        (t, i): n
        for t, i, n in zip(
            *map(list, postings.count_shared(*HashedTexts.from_texts(texts).ngram_hashes(3))), strict=True
        )
    }
    shared = {
        (t, i): len(set(ngrams(text, 3)) & set(ngrams(item, 3)))
        for t, text in enumerate(texts)
        for i, item in enumerate(items)
    }
    assert told == {pair: n for pair, n in shared.items() if n}


def test_without_a_benchmark_nothing_is_called_clean() -> None:
    assert matches(FindOverlaps(), "Why?")["Why?"] == {"reject": {"reason": "no benchmark given"}}


class Recipe(FrozenModel):
    """A recipe that has the stage."""

    overlaps: FindOverlaps = FindOverlaps()


def opened(*benchmarks: dict[str, str]) -> FindOverlaps:
    return recipe_arguments.parse(Recipe, ["--overlaps.benchmarks", json.dumps(benchmarks)]).overlaps


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, r"exam\.jsonl: no such file; give a path or url that every worker can read"),
        ("\n", r"exam\.jsonl: is empty; give the file of a benchmark"),
        ('{"problem": "Why?"}\n{"problem', r"exam\.jsonl: line 2 is no JSON; give JSON Lines or Parquet"),
        ('{"question": "Why?", "id": 1}', r"line 1 has no text in column 'problem'; it has question, id"),
        ('{"problem": "Why?"}\n{"problem": null}', r"line 2 has no text in column 'problem'; it has problem"),
        ('["Why?"]', r"line 1 has no text in column 'problem'; it has no columns"),
    ],
)
def test_a_recipe_with_a_bad_benchmark_is_turned_down_in_one_line(
    tmp_path: Path, content: str | None, told: str
) -> None:
    path = tmp_path / "exam.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInput, match=told) as caught:
        opened({"name": "exam", "path": str(path), "column": "problem"})
    assert str(caught.value).startswith("--overlaps.benchmarks.0: ") and "\n" not in str(caught.value)


def test_other_mistakes_of_a_recipe_are_told_too(benchmark_file: Path) -> None:
    good = {"name": "exam", "path": str(benchmark_file), "column": "problem"}
    with pytest.raises(BadInput, match="two benchmarks are called 'exam'; give each a name of its own"):
        opened(good, good)
    with pytest.raises(BadInput, match=r"--overlaps\.benchmarks\.0\.column is required"):
        opened({"name": "exam", "path": str(benchmark_file)})
    with pytest.raises(BadInput, match=r"benchmarks\.0\.name"):
        opened(good | {"name": "The exam's"})


def test_what_is_in_the_file_is_the_identity_and_not_its_place(benchmark_file: Path, tmp_path: Path) -> None:
    packed, table, far = tmp_path / "exam.jsonl.gz", tmp_path / "exam.parquet", "memory://exam/exam.jsonl"
    packed.write_bytes(gzip.compress(benchmark_file.read_bytes()))
    pq.write_table(pa.table({"text": ITEMS}), table)
    with fsspec.open(far, "wb") as file:
        file.write(benchmark_file.read_bytes())
    same = [exam(benchmark_file), exam(packed), exam(table, column="text"), exam(far)]
    assert len({fingerprint(FindOverlaps(benchmarks=(each,))) for each in same}) == 1
    assert all(rules(FindOverlaps(benchmarks=(each,)), SHORT) == {"whole"} for each in same)
    before = fingerprint(exam(benchmark_file))
    benchmark_file.write_text(benchmark_file.read_text() + '{"problem": "One more?"}\n')
    assert fingerprint(exam(benchmark_file)) != before


def test_a_recipe_knows_the_file_it_was_made_with(benchmark_file: Path) -> None:
    made = Recipe(overlaps=FindOverlaps(benchmarks=(exam(benchmark_file),))).model_dump(mode="json")
    assert Recipe.model_validate(made).overlaps.benchmarks[0].digest
    benchmark_file.write_text('{"problem": "Another?"}\n')
    with pytest.raises(ValidationError, match="has changed; restore it, or leave out its digest"):
        Recipe.model_validate(made)


def asked(lake: str, *texts: str) -> Receipt:
    """A table of questions, in one shard."""
    rows = [{"row_id": f"{n}", "question": text} for n, text in enumerate(texts)]
    part = open_store(lake).put(conform(rows, questions.SCHEMA, "test"))
    return Receipt(step="questions", key="0" * 64, inputs=(), rows_in=len(rows), kept=len(rows), parts=(part,))


def test_a_worker_that_does_not_see_the_file_stops_and_quarantines_nothing(lake: str, benchmark_file: Path) -> None:
    gone, changed = [FindOverlaps(benchmarks=(exam(benchmark_file, name=name),)) for name in ("gone", "changed")]
    benchmark_file.write_text('{"problem": "Another?"}\n')
    with pytest.raises(QuestmillError, match=r"'changed'.*has changed since the recipe was opened"):
        worker.run_shard(changed, None, asked(lake, STORY).parts[0], lake)
    benchmark_file.unlink()
    with pytest.raises(QuestmillError, match=r"'gone'.*no such file"):
        worker.run_shard(gone, None, asked(lake, STORY).parts[0], lake)


def test_every_question_is_kept_or_dropped_with_the_benchmark_as_reason(lake: str, stage: FindOverlaps) -> None:
    swapped = SHORT.replace("3", "7")
    table = asked(lake, "How many?", STORY, swapped, f"Hello! {STORY}")
    told = worker.run_shard(stage, None, table.parts[0], lake)
    assert (told.rows_in, told.kept, told.rejected) == (4, 3, {"clean": 1})
    kept = worker.run_merge(DropOverlaps(), [[table], [told]], 100, lake)
    assert (kept.kept, kept.rejected) == (2, {"contaminated: exam": 2})
    assert open_store(lake).get(kept.parts[0]).to_pylist() == [
        {"row_id": "0", "question": "How many?"},
        {"row_id": "2", "question": swapped},
    ]
    strict = worker.run_merge(
        DropOverlaps(rules=get_args(benchmark_overlaps.OverlapRule)), [[table], [told]], 100, lake
    )
    assert strict.rejected == {"contaminated: exam": 3}
    lax = worker.run_merge(DropOverlaps(rules=()), [[table], [told]], 100, lake)
    assert lax.kept == 4


def test_clean_questions_leave_an_empty_table_of_matches(lake: str, stage: FindOverlaps) -> None:
    table = asked(lake, "How many?", "How much?")
    told = worker.run_shard(stage, None, table.parts[0], lake)
    assert told.rejected == {"clean": 2} and sum(part.rows for part in told.parts) == 0
    assert worker.run_merge(DropOverlaps(), [[table], [told]], 100, lake).kept == 2


GSM8K, MATH = SHARED_DATA / "gsm8k", SHARED_DATA / "math"
TRUE_OVERLAPS = {(20, 632), (406, 581), (1314, 602), (5162, 602)}
"""Lines of GSM8K's train file and of its test file that have 13 words in a row in common; with MATH it has none."""


def column(path: Path, name: str) -> list[str]:
    if not path.exists():
        pytest.skip(f"needs {path.name} in ../shared/data/{path.parent.name}/")
    return [json.loads(line)[name] for line in path.read_text().splitlines()]


def real(*files: tuple[str, Path, str]) -> FindOverlaps:
    return FindOverlaps(benchmarks=tuple(Benchmark(name=n, path=str(path), column=c) for n, path, c in files))


@pytest.mark.system
def test_of_real_questions_exactly_those_that_share_13_words_are_told() -> None:
    train, test = column(GSM8K / "train.jsonl", "question"), column(GSM8K / "test.jsonl", "question")
    problems = column(MATH / "test.jsonl", "problem")
    stage = real(("gsm8k", GSM8K / "test.jsonl", "question"), ("math", MATH / "test.jsonl", "problem"))
    rows = [{"row_id": f"{n}", "question": text} for n, text in enumerate(train)]
    told = [row for row in stage.rows(rows, None) if isinstance(row, dict)]
    assert {(row["benchmark"], row["rule"]) for row in told} == {("gsm8k", "gram")}
    assert {(int(row["question_id"]), row["item"]) for row in told} == TRUE_OVERLAPS
    items = [{gram for text in each for gram in ngrams(normalize_words(text), 13)} for each in (test, problems)]
    shared = [[n for n, text in enumerate(train) if each & set(ngrams(normalize_words(text), 13))] for each in items]
    assert shared == [sorted({question for question, _ in TRUE_OVERLAPS}), []]


@pytest.mark.system
def test_every_item_of_a_real_benchmark_is_found_in_its_own_words() -> None:
    problems = column(MATH / "test.jsonl", "problem")
    stage = real(("math", MATH / "test.jsonl", "problem"))
    rows = [{"row_id": f"{n}", "question": "\n ".join(text.upper().split())} for n, text in enumerate(problems)]
    told = [row for row in stage.rows(rows, None) if isinstance(row, dict)]
    assert set(range(len(rows))) == {row["item"] for row in told if row["question_id"] == f"{row['item']}"}
