"""The proving ground draws the same problem everywhere, and every answer in it is exact."""

import hashlib
import re
import subprocess
import sys
from collections import Counter
from random import Random

import pytest

from tasks.proving_ground import library, template
from tasks.proving_ground.arithmetic import find_equations, find_final_answer, format_number, parse_number
from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import FRUIT, NAMES

TEMPLATES = pytest.mark.parametrize("template", library.TEMPLATES, ids=lambda t: t.name)
DIGEST = """
import hashlib
from tasks.proving_ground import library
texts = [repr(library.draw_problem(seed, solvable=None)) for seed in range(200)]
print(hashlib.sha256("".join(texts).encode()).hexdigest())
"""


def test_a_seed_draws_the_same_problem_in_another_process() -> None:
    texts = [repr(library.draw_problem(seed, solvable=None)) for seed in range(200)]
    here = hashlib.sha256("".join(texts).encode()).hexdigest()
    for salt in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", DIGEST],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": salt, "PYTHONPATH": "."},
        )
        assert there.stdout.strip() == here


def test_there_are_sixty_templates_over_ten_topics_with_names_of_their_own() -> None:
    assert len(library.TEMPLATES) >= 60
    assert len(library.list_topics()) >= 10
    assert max(Counter(t.name for t in library.TEMPLATES).values()) == 1


@pytest.mark.system
def test_there_are_a_thousand_million_distinct_problems() -> None:
    assert library.count_questions() >= 10**9


def test_the_bound_on_distinct_problems_is_sound_and_tight_where_all_can_be_written_down() -> None:
    template = library.find_template("handshakes")
    texts = {
        variant.text.write({"n": n, "who": who.one, "person": person.one})
        for variant in template.variants
        for who in template.words["who"]
        for person in template.words["person"]
        for n in template.numbers["n"]
        if variant.reason is None and not variant.has_claim
    }
    assert 0.75 * len(texts) < library.count_template_questions(template) <= len(texts)


@TEMPLATES
def test_a_template_has_three_phrasings_and_can_be_made_unsolvable(template: Template) -> None:
    solvable = [v for v in template.variants if v.reason is None and not v.has_claim]
    assert len(solvable) >= 3
    assert {"missing_condition", "contradiction"} <= set(template.unsolvable_reasons)


def test_half_of_the_templates_have_a_second_method() -> None:
    assert 2 * sum(len(t.methods) == 2 for t in library.TEMPLATES) >= len(library.TEMPLATES)


@TEMPLATES
def test_every_equation_is_true_and_the_last_one_is_the_answer(template: Template) -> None:
    for seed in range(25):
        problem = library.draw_problem(seed, template=template.name)
        assert problem.answer is not None
        for text in filter(None, (problem.solution, problem.second_solution)):
            lines = find_equations(text)
            assert [at for at, _ in lines] == list(range(len(text.splitlines()) - 1)), text
            assert all(e.is_true for _, e in lines), text
            assert format_number(lines[-1][1].result, template.style) == problem.answer
            assert find_final_answer(text) == (len(lines), parse_number(problem.answer))
        assert problem.solution == "\n".join((*problem.steps, f"#### {problem.answer}"))


@TEMPLATES
def test_texts_are_short_and_tidy(template: Template) -> None:
    for seed in range(12):
        problem = library.draw_problem(seed, template=template.name, solvable=None)
        assert 8 <= len(problem.question.split()) <= 48, problem.question
        assert not {"  ", " .", " ,", "..", "[", "]", "{", "}"} & set(_pairs(problem.question)), problem.question
        assert len(problem.steps) <= 5


def _pairs(text: str) -> list[str]:
    return [text[i : i + 2] for i in range(len(text))] + list(text)


@TEMPLATES
def test_enough_draws_fit_to_make_drawing_cheap(template: Template) -> None:
    rng = Random(7)
    assert sum(template.fits(template.draw_numbers(rng)) for _ in range(300)) >= 9


def test_a_mix_is_mostly_solvable_and_shows_every_reason() -> None:
    reasons = Counter(library.draw_problem(seed, solvable=None).unsolvable for seed in range(1000))
    assert 640 < reasons[None] < 760
    assert set(reasons) == {None, "missing_condition", "contradiction", "non_integer"}


def test_an_unsolvable_problem_has_no_answer_and_no_steps() -> None:
    for seed in range(100):
        problem = library.draw_problem(seed, solvable=False)
        assert problem.unsolvable
        assert (problem.answer, problem.steps, problem.solution, problem.second_solution) == (None, (), "", None)


def test_harder_problems_have_more_digits_to_move() -> None:
    easy = library.draw_problem(1, template="share_equally")
    hard = library.draw_problem(1, template="two_parts")
    assert 0 < easy.difficulty < hard.difficulty


def test_a_topic_that_does_not_exist_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match="astrology"):
        library.draw_problem(1, topic="astrology")


def test_a_kind_that_a_template_does_not_offer_is_refused() -> None:
    with pytest.raises(ValueError, match="non_integer"):
        library.find_template("moving_apart").draw(Random(1), "non_integer")


def test_the_template_that_the_docstring_shows_works_as_it_stands() -> None:
    example = re.search(r"    (Template\(.*?\n    \))", str(template.__doc__), re.DOTALL)
    assert example is not None
    shown: Template = eval(example[1], {"Template": Template, "TOPIC": "stories", "NAMES": NAMES, "FRUIT": FRUIT})
    problem = shown.draw(Random(1), None)
    assert problem.answer is not None
    assert problem.solution.endswith(f"#### {problem.answer}")
