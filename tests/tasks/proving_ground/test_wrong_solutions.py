"""Mistakes made on purpose are really wrong, and the diagnosis finds them again."""

from collections import Counter
from random import Random

import pytest

from tasks.proving_ground import library, oracle
from tasks.proving_ground.arithmetic import find_final_answer, parse_number
from tasks.proving_ground.wrong_solutions import (
    MISTAKES,
    SYSTEMATIC_ERRORS,
    Mistake,
    inject_error,
    misread_systematically,
)

EGGS = (
    "Mia picks 12 pears a day for 3 days. She sells 10 of them. How many pears does she have left?",
    "Mia picks 12 * 3 = 36 pears.\nShe has 36 - 10 = 26 pears left.\n#### 26",
)


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_corrupted_solution_is_wrong_in_the_way_asked_for(kind: Mistake) -> None:
    made: Counter[bool] = Counter()
    for seed in range(300):
        problem = library.draw_problem(seed)
        text = inject_error(problem, kind, Random(seed))
        made[text is not None] += 1
        if text is None:
            continue
        stated = find_final_answer(text)
        assert stated is not None and problem.answer is not None
        assert stated[1] != parse_number(problem.answer)
        diagnosis = oracle.diagnose_solution(problem, text)
        assert (diagnosis.correct, diagnosis.kind) == (False, kind), (problem, text)
        assert diagnosis.first_wrong_step is not None
        lines = text.splitlines()[: diagnosis.first_wrong_step]
        true = (problem.solution + "\n" + (problem.second_solution or "")).splitlines()
        assert all(line in true for line in lines)
    assert made[True] > 4 * made[False]


def test_corruption_depends_on_the_generator_only() -> None:
    problem = library.draw_problem(8)
    texts = {inject_error(problem, "arithmetic_slip", Random(4)) for _ in range(5)}
    assert len(texts) == 1


def test_a_single_step_cannot_be_missing_and_an_unsolvable_problem_cannot_be_corrupted() -> None:
    assert inject_error(library.draw_problem(1, template="share_equally"), "missing_step", Random(1)) is None
    assert inject_error(library.draw_problem(1, solvable=False), "arithmetic_slip", Random(1)) is None


def test_both_methods_are_judged_right() -> None:
    for seed in range(300):
        problem = library.draw_problem(seed)
        for text in filter(None, (problem.solution, problem.second_solution)):
            assert oracle.diagnose_solution(problem, text) == (True, "correct", None)


@pytest.mark.parametrize(
    ("response", "kind", "at"),
    [
        (EGGS[1], "correct", None),
        ("3 * 12 = 36\n36 - 10 = 26\n#### 26", "correct", None),
        ("12 * 3 = 35\n35 - 10 = 25\n#### 25", "arithmetic_slip", 0),
        ("12 * 3 = 36\n36 - 10 = 16\n#### 16", "arithmetic_slip", 1),
        ("12 + 3 = 15\n15 - 10 = 5\n#### 5", "wrong_operation", 0),
        ("12 * 3 = 36\n36 + 10 = 46\n#### 46", "wrong_operation", 1),
        ("12 * 3 = 36\n#### 36", "missing_step", 1),
        ("12 * 4 = 48\n48 - 10 = 38\n#### 38", "wrong_value", 0),
        ("12 * 3 = 36\n36 - 12 = 24\n#### 24", "wrong_value", 1),
        ("12 * 3 = 36\n36 - 10 = 26\n#### 62", "wrong_value", 2),
        ("12 * 3 = 36\n36 - 10 = 26", "no_answer", None),
        ("She has some left.\n#### 30", "other", 1),
        ("", "no_answer", None),
        ("12 * 3 = 35\n36 - 10 = 26\n#### 26", "correct", 0),
    ],
)
def test_the_diagnosis_names_the_first_fault(response: str, kind: str, at: int | None) -> None:
    problem = oracle.read_question(EGGS[0]).problem
    assert problem is not None and problem.solution == EGGS[1]
    assert oracle.diagnose_solution(problem, response) == (kind == "correct", kind, at)


def test_an_unsolvable_problem_is_answered_by_giving_no_number() -> None:
    problem = library.draw_problem(2, solvable=False)
    assert oracle.diagnose_solution(problem, "The question leaves something out.").correct
    assert oracle.diagnose_solution(problem, "1 + 1 = 2\n#### 2") == (False, "other", 1)


def test_a_habit_is_one_kind_of_mistake_in_every_problem_of_a_template() -> None:
    kinds: dict[str, set[str]] = {}
    for seed in range(1500):
        problem = library.draw_problem(seed)
        if (text := misread_systematically(problem)) is not None:
            found = oracle.diagnose_solution(problem, text)
            assert not found.correct
            kinds.setdefault(problem.template, set()).add(found.kind)
    assert all(len(found) == 1 for found in kinds.values())
    assert 0.3 * len(library.TEMPLATES) < len(kinds) < 0.7 * len(library.TEMPLATES)
    assert {kind for found in kinds.values() for kind in found} == {kind for kind in SYSTEMATIC_ERRORS if kind}


def test_a_habit_goes_wrong_at_the_same_step_of_a_template() -> None:
    places: dict[str, Counter[int | None]] = {}
    for seed in range(3000):
        problem = library.draw_problem(seed)
        if (text := misread_systematically(problem)) is not None:
            places.setdefault(problem.template, Counter())[
                oracle.diagnose_solution(problem, text).first_wrong_step
            ] += 1
    usual = sum(counts.most_common(1)[0][1] for counts in places.values())
    assert usual > 0.9 * sum(counts.total() for counts in places.values())
