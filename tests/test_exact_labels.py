"""The labels of mutants come from an evaluator that shares no code with the verifier and leaves doubtful pairs out."""

import ast
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from infra.report_data.rule_rates import RULE_RATES_FILE, describe_weakest_rule
from schemas.tables import error_rates
from tasks.verification.equivalence.compare import compare
from tasks.verification.equivalence.question_hints import parse_hints
from tasks.verification.math_verify.verdict import describe_library
from tasks.verification.verify import Verify
from tests.support import exact_labels, gold_mutations
from tests.support.exact_labels import label
from tests.support.gold_mutations import MUTATIONS, mutate, respell

GOLDS = (
    (r"2x^2 - \frac{3}{4}y + 5", "Expand."),
    (r"\left(-3, \frac{\sqrt{2}}{7}\right]", "Give the interval."),
    (r"\text{Marta}", "Who?"),
    ("48", "How many more hours does the ferry need?"),
    (r"12\text{ cm}^2", "What is the area?"),
    ("1,250", "How many stamps are there?"),
)


@pytest.mark.parametrize("module", [exact_labels, gold_mutations])
def test_the_labels_share_no_code_with_the_verifier(module: object) -> None:
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert not {name for name in imported if name.partition(".")[0] in ("tasks", "infra", "flows", "schemas")}


@pytest.mark.parametrize(
    ("gold", "answer", "question", "expected"),
    [
        (r"\frac12", "0.5", "", "equal"),
        (r"\sqrt{8}", r"2\sqrt{2}", "", "equal"),
        ("x+y", "y+x", "", "equal"),
        ("(x-1)(x+1)", "x^2-1", "", "equal"),
        (r"2\frac12", "2.5", "", None),  # a mixed number, or a product
        ("3+2i", "3-2i", "", "different"),
        ("(1,2)", "(2,1)", "", "different"),
        ("(1,2)", "(1,2]", "Where does the line end?", None),
        ("(1,2)", "(1,2]", "Give the interval.", "different"),
        ("1,2", "2,1", "", "equal"),
        ("7", r"7\text{ cm}", "How long is it?", None),
        ("7", r"7\text{ minutes}", "How many hours does it take?", "different"),
        (r"5\text{ cm}", r"50\text{ mm}", "", "equal"),
        ("45", r"45\%", "What percentage is it?", None),
        ("45", r"45\%", "How many are left?", "different"),
        ("123_4", "132_4", "", "different"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}", "", "different"),
        (r"(-\infty,1)\cup(2,3)", r"(2,3)\cup(-\infty,1)", "", "equal"),
        ("10^{10^{10}}", "1", "", None),
    ],
)
def test_a_pair_is_labelled_only_where_every_reading_says_the_same(
    gold: str, answer: str, question: str, expected: str | None
) -> None:
    assert label(gold, answer, question) == expected


def test_every_kind_of_mutation_makes_answers_that_certainly_differ() -> None:
    kinds = Counter(
        kind
        for gold, question in GOLDS
        for kind, _, mutant in mutate(gold, question)
        if label(gold, mutant, question) == "different"
    )
    assert set(kinds) == set(MUTATIONS)


def test_no_mutant_is_accepted_and_no_respelling_is_wrong() -> None:
    for gold, question in GOLDS:
        hints = parse_hints(question)
        for _, _, mutant in mutate(gold, question):
            verdict = compare(gold, mutant, hints)
            assert not (label(gold, mutant, question) == "different" and verdict and verdict.verdict == "correct"), (
                mutant
            )
        for _, spelling in respell(gold, question):
            verdict = compare(gold, spelling, hints)
            assert verdict is None or verdict.verdict == "correct", spelling


@pytest.mark.parametrize("word", ["more", "fewer", "total", "additional", "more whole"])
def test_a_word_between_how_many_and_the_unit_does_not_hide_the_unit(word: str) -> None:
    hints = parse_hints(f"How many {word} hours does the ferry need?")
    verdicts = [compare("26", f"26 {unit}", hints) for unit in ("minutes", "hours", "weeks")]
    assert [verdict and verdict.verdict for verdict in verdicts] == ["unparseable", "correct", "unparseable"]


@pytest.mark.parametrize("answer", ["15^\\circ", "15\\text{ dollars}", "15 cm", "15 hours"])
def test_a_percentage_is_no_quantity_of_another_unit(answer: str) -> None:
    for gold, other in (("15\\%", answer), (answer, "15\\%")):
        verdict = compare(gold, other, parse_hints("What percentage is taken off?"))
        assert verdict is not None
        assert (verdict.verdict, verdict.rule) == ("unparseable", "units_differ")


def test_the_rates_of_rules_were_measured_of_this_verifier() -> None:
    rates = tomllib.loads(RULE_RATES_FILE.read_text())
    expected = f"questmill.answer_match {Verify.version} with {describe_library()}"
    assert rates["verifier"] == expected, "make bench ONLY=gold_mutants"
    assert all(row.keys() == set(error_rates.SCHEMA.names) for row in rates["figures"])
    assert {"number", "expression", "unit"} <= {row["rule"] for row in rates["rules"]}


def test_the_weakest_rule_has_the_highest_bound_of_false_accepts() -> None:
    line = describe_weakest_rule({"identical": 50, "number": 40, "matrix": 2, "no such rule": 1})
    assert line.startswith("The weakest rule that accepted rows here is matrix: 2 of 93 accepted rows.")
    assert "No mutant was decided by the rules no such rule (1 rows)" in line
    assert describe_weakest_rule({"identical": 5}) == ""
