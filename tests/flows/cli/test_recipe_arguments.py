"""From words to a recipe: what is not said stays as the recipe has it."""

import json
from pathlib import Path
from typing import Literal

import pytest

from flows.cli import recipe_arguments
from flows.cli.launch import load_recipe
from flows.scalequest import ScaleQuest
from flows.student import Student
from flows.verify import Verification
from schemas.errors import BadInput
from schemas.identity import fingerprint
from schemas.prompts import Sampling
from schemas.recipe import Recipe
from tasks.verification.code_execution.execute import Execute
from tasks.verification.code_execution.sandbox.sandbox import describe_interpreter

NOWHERE = '[{"name": "mine", "path": "/nowhere/mine.jsonl", "column": "question"}]'


def test_a_flag_of_a_nested_field_leaves_its_neighbours_as_the_recipe_has_them() -> None:
    made = recipe_arguments.parse(ScaleQuest, ["--solve.sampling.n", "3", "--synthesize.sampling.max_tokens", "99"])
    assert made.solve.sampling.model_dump() == ScaleQuest().solve.sampling.model_dump() | {"n": 3}
    assert (made.synthesize.sampling.temperature, made.synthesize.sampling.max_tokens) == (1.0, 99)
    assert made.synthesize.template == ScaleQuest().synthesize.template


def test_a_flag_of_a_stage_that_is_left_out_by_default_puts_it_in_with_its_own_defaults() -> None:
    made = recipe_arguments.parse(
        ScaleQuest, ["--fail_rate.sampling.n", "6", "--sample.drop_easy", '{"questioner": 0.3}']
    )
    assert made.fail_rate is not None and ScaleQuest().fail_rate is None
    assert (made.fail_rate.sampling.n, made.sample.drop_easy) == (6, {"questioner": 0.3})
    assert made.fail_rate.sampling.temperature == type(made.fail_rate)().sampling.temperature > 0


def test_a_file_of_overrides_leaves_the_rest_too(tmp_path: Path) -> None:
    path = tmp_path / "less.toml"
    path.write_text("[solve.sampling]\nn = 2\n")
    made = recipe_arguments.parse(ScaleQuest, [f"@{path}", "--select.least_agreement", "1"])
    assert (made.solve.sampling.n, made.solve.sampling.temperature) == (2, 0.7)
    assert made.select.least_agreement == 1.0 and made.select.within_majority


@pytest.mark.parametrize("libraries", [("sympy", "mpmath"), (), ("sympy",)])
def test_what_is_computed_from_a_field_is_computed_from_the_one_that_was_given(
    libraries: tuple[str, ...], tmp_path: Path
) -> None:
    words = ["--input", "a.jsonl"]
    path = tmp_path / "libraries.toml"
    path.write_text(f"[execute]\nlibraries = {json.dumps(libraries)}\n")
    for given in (["--execute.libraries", json.dumps(libraries)], [f"@{path}"]):
        for order in ([*given, "--execute.cpu_seconds", "7"], ["--execute.cpu_seconds", "7", *given]):
            made = recipe_arguments.parse(Verification, words + order).execute
            assert (made.libraries, made.interpreter, made.cpu_seconds) == (
                libraries,
                describe_interpreter(libraries),
                7,
            )
            assert made.column == "response", "and the rest is the recipe's"
            assert fingerprint(made) == fingerprint(Execute(column="response", libraries=libraries, cpu_seconds=7))


def test_what_was_given_is_not_computed() -> None:
    words = ["--input", "a.jsonl", "--execute.interpreter", "python 2.7"]
    with pytest.raises(BadInput, match=r"^--execute.interpreter: was asked for python 2\.7, but this machine has"):
        recipe_arguments.parse(Verification, words)

    words = ["--input", "a.jsonl", "--execute.libraries", "no_such"]
    told = r"^--execute.libraries: 'no_such' is not installed; install it, or leave it out of `libraries` \(got"
    with pytest.raises(BadInput, match=told + r" \['no_such'\]\)$"):
        recipe_arguments.parse(Verification, words)

    class Fixed(Recipe):
        """A part that holds another one, whose computed field the recipe states."""

        outer: Verification = Verification(
            input=("a.jsonl",), execute=Execute(libraries=(), interpreter=describe_interpreter(()))
        )

    assert recipe_arguments.parse(
        Fixed, ["--outer.execute.cpu_seconds", "7"]
    ).outer.execute.interpreter == describe_interpreter(())
    with pytest.raises(BadInput, match=r"execute.interpreter: was asked for python 3\.[0-9]+, but this machine has"):
        recipe_arguments.parse(Fixed, ["--outer.execute.libraries", '["sympy"]'])


def test_a_preset_is_a_file_of_overrides_that_has_a_name() -> None:
    made = recipe_arguments.parse(ScaleQuest, ["--preset", "simple", "--questions", "9"])
    assert (made.generators, made.solvable.role, made.questions) == (("solver",), "solver", 9)
    assert made.solvable.sampling == ScaleQuest().solvable.sampling
    with pytest.raises(BadInput, match=r"no preset .easy.; there are: .*simple"):
        recipe_arguments.parse(ScaleQuest, ["--preset=easy"])


def test_every_preset_that_ships_is_a_recipe() -> None:
    for name in recipe_arguments.list_presets(ScaleQuest):
        assert recipe_arguments.parse(ScaleQuest, ["--preset", name]) != ScaleQuest()


def test_a_switch_needs_no_value() -> None:
    assert recipe_arguments.parse(ScaleQuest, ["--solve.adaptive"]).solve.adaptive
    assert recipe_arguments.parse(ScaleQuest, ["--solve.adaptive", "--questions", "5"]).solve.adaptive
    assert not recipe_arguments.parse(ScaleQuest, ["--solve.adaptive", "false"]).solve.adaptive
    with pytest.raises(BadInput, match="--questions needs a value"):
        recipe_arguments.parse(ScaleQuest, ["--questions"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--near_duplicates.threshold", "1.5"], "less than or equal to 1"),
        (["--select.least_agreement", "-0.1"], "greater than or equal to 0"),
        (["--language.languages", "xx"], "'xx' is no language"),
        (["--overlaps.benchmarks", NOWHERE], "/nowhere/mine.jsonl"),
        (["--synthesize.sampling.top_p", "7"], "less than or equal to 1"),
        (["--solve.sampling.n", "0"], "greater than or equal to 1"),
        (["--solvable.sampling.n", "3"], "greedy samples say the same"),
        (["--generators", '["a", "a"]'], "named twice"),
        (["--sample.drop_easy", '{"questioner": 0.3}'], "none is measured"),
        (["--fail_rate.sampling.n", "4", "--sample.drop_easy", '{"typo": 0.3}'], "'typo', which is not a generator"),
        (["--solve.adaptive", "--select.least_agreement", "0.8"], "raise solve.stop_at_share to it"),
        (
            ["--solve.adaptive", "--select.within_majority", "false", "--select.least_agreement", "0.8"],
            "raise solve.stop_at_share to it",
        ),
        (["--synthesize.role", "nobody"], "is set from generators"),
    ],
)
def test_a_bad_recipe_is_told_in_one_line_before_anything_is_asked(words: list[str], told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        recipe_arguments.parse(ScaleQuest, words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--attempt.sampling.n", "4", "--attempt.sampling.temperature", "1"], "not on 4 at temperature 1"),
        (["--attempt.sampling.temperature", "0.7"], "not on 1 at temperature 0.7"),
    ],
)
def test_students_make_one_greedy_attempt_at_each_problem(words: list[str], told: str) -> None:
    with pytest.raises(BadInput, match=f"^--attempt: first pass is measured on one greedy .*{told}; leave") as caught:
        recipe_arguments.parse(Student, words)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250
    assert recipe_arguments.parse(Student, ["--attempt.sampling.max_tokens", "99"]).attempt.sampling.max_tokens == 99
    assert recipe_arguments.parse(Student, ["--preset", "pupil"]).attempt.sampling.n == 1


def test_a_recipe_is_told_by_its_flow_decorator_and_a_helper_named_as_its_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text('"""A helper."""\n\n\ndef helper() -> None: ...\n')
    (tmp_path / "plain.py").write_text('"""Plain."""\nfrom prefect import flow\n\n\n@flow\ndef plain() -> None: ...\n')
    (tmp_path / "named.py").write_text('"""Named."""\nimport prefect\n\n\n@prefect.flow(name="x")\ndef named(): ...\n')
    assert recipe_arguments.list_recipes(tmp_path) == {"named": "Named.", "plain": "Plain."}


def test_every_recipe_that_is_listed_can_be_loaded_and_has_a_model() -> None:
    assert {
        "scalequest",
        "lemma",
        "verify",
        "rl_pool",
        "student",
        "templates",
    } <= recipe_arguments.list_recipes().keys()
    for name in recipe_arguments.list_recipes().keys() - {"pupil"}:
        flow, model = load_recipe(name)
        assert flow.name == name and model.model_fields


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--solve.samplng.n", "3"], "solve has no field 'samplng'; did you mean --solve.sampling.n?"),
        (["--solv.sampling.n", "3"], "the recipe has no field 'solv'; did you mean --solve.sampling.n?"),
        (["--sampling.top_p", "1"], "did you mean --questioner.sample.sampling.top_p or --questioner.improve.samp"),
        (["--preset", "pupl"], "there is no preset 'pupl'; did you mean 'pupil'?"),
        (["--stor", "x"], "the recipe has no field 'stor'; did you mean --store?"),
    ],
)
def test_a_misspelt_flag_is_told_the_whole_flag_that_may_be_meant(words: list[str], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        recipe_arguments.parse(ScaleQuest, words, other_flags=("store", "profile"))
    assert told in str(caught.value) and "\n" not in str(caught.value)


class Renamed(Recipe):
    """A recipe with names of today."""

    answer_match: Sampling = Sampling()
    """A part that was called `judge`."""
    verifiers: tuple[Literal["answer_match", "llm_judge"], ...] = ("answer_match",)
    """A field whose values had other names."""


def test_an_old_word_is_told_the_new_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^--judge\.n: 'judge' is called 'answer_match' now; write --answer_match\.n$"):
        recipe_arguments.parse(Renamed, ["--judge.n", "3"])
    with pytest.raises(BadInput, match=r"^--verifiers: 'ladder' is called 'answer_match' now$"):
        recipe_arguments.parse(Renamed, ["--verifiers", "ladder"])
    path = tmp_path / "old.toml"
    path.write_text("[judge]\nn = 3\n")
    with pytest.raises(BadInput, match=r"^--judge: 'judge' is called 'answer_match' now; write --answer_match$"):
        recipe_arguments.parse(Renamed, [f"@{path}"])
    assert recipe_arguments.parse(Renamed, ["--answer-match.top-p", "0.5"]).answer_match.top_p == 0.5


def test_columns_of_single_files_are_named_by_a_flag_of_their_own(tmp_path: Path) -> None:
    words = ["--input", "a.jsonl", "--columns.answer", "gold", "--columns", "b=1/math.jsonl:question=problem"]
    words += ["--columns", "b=1/math.jsonl:answer=solution", "--columns=*.parquet:question=a:b=c"]
    columns = recipe_arguments.parse(Verification, words).columns
    assert columns.answer == "gold"
    assert columns.by_file == {
        "b=1/math.jsonl": {"question": "problem", "answer": "solution"},
        "*.parquet": {"question": "a:b=c"},
    }
    path = tmp_path / "columns.toml"
    path.write_text('[columns.by_file."b=1/math.jsonl"]\nquestion = "problem"\nanswer = "solution"\n')
    read = recipe_arguments.parse(Verification, ["--input", "a.jsonl", f"@{path}"]).columns
    assert read.by_file == {"b=1/math.jsonl": {"question": "problem", "answer": "solution"}}
    assert read.names_in("/data/b=1/math.jsonl") == {
        "question": "problem",
        "response": "response",
        "answer": "solution",
    }
    assert read.names_in("/data/b=2/math.jsonl") == dict(zip(*[("question", "response", "answer")] * 2, strict=True))


@pytest.mark.parametrize("text", ["math.jsonl", "question=problem", "math.jsonl:task=problem", "math.jsonl:question="])
def test_a_column_of_a_file_that_is_not_written_as_one_is_told_how(text: str) -> None:
    with pytest.raises(
        BadInput, match=r"write FILE:COLUMN=NAME with one of question, response, answer, .*, e\.g\. math"
    ):
        recipe_arguments.parse(Verification, ["--input", "a.jsonl", "--columns", text])
    with pytest.raises(
        BadInput, match=r"^--columns\.by_file: a\.jsonl: 'task' is no column that is needed; write FILE"
    ):
        recipe_arguments.parse(Verification, ["--input", "a.jsonl", "--columns.by_file", '{"a.jsonl": {"task": "x"}}'])
