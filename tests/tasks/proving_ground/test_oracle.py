"""The oracle reads back what the library writes, refuses what it did not, and names the reason."""

from random import Random

import pytest

from tasks.proving_ground import library, oracle
from tasks.proving_ground.template import Template

TEMPLATES = pytest.mark.parametrize("template", library.TEMPLATES, ids=lambda t: t.name)


@TEMPLATES
def test_every_text_of_a_template_is_read_back_as_it_was_drawn(template: Template) -> None:
    rng = Random(11)
    read = set()
    for kind in (None, *template.unsolvable_reasons):
        for _ in range(25):
            problem = template.draw(rng, kind)
            assert problem.unsolvable == kind
            assert oracle.find_readings(problem.question) == [problem], problem.question
            reading = oracle.read_question(problem.question)
            assert reading.template == template.name
            assert (reading.answer, reading.unsolvable) == (problem.answer, kind)
            read |= {v for v in template.variants if v.text.read(problem.question) is not None}
    assert read == set(template.variants), "some phrasing was never drawn"


def test_no_text_has_two_readings() -> None:
    for seed in range(3000):
        problem = library.draw_problem(seed, solvable=None)
        assert oracle.find_readings(problem.question) == [problem]


def test_white_space_does_not_count() -> None:
    problem = library.draw_problem(3)
    assert oracle.read_question("  " + problem.question.replace(" ", " \n ") + "\n").problem == problem


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("8 children share 14 sweets equally, and no sweet is cut or left over. "
         "How many sweets does each child get?", "non_integer"),
        ("0 children share 14 sweets equally, and no sweet is cut or left over. "
         "How many sweets does each child get?", "contradiction"),
        ("Mia has 5 coins. She gives 8 of them to Tom and then finds 6 more. "
         "How many coins does Mia have now?", "contradiction"),
        ("Mia has 5 coins. She gives some of them to Tom and then finds 6 more. "
         "How many coins does Mia have now?", "missing_condition"),
        ("Mia has 5 coins. She gives 2 of them to Tom and then finds 6 more. "
         "Before finding more, Mia had 4 coins left. How many coins does Mia have now?", "contradiction"),
    ],
)  # fmt: skip
def test_the_reason_follows_from_the_numbers(question: str, reason: str) -> None:
    reading = oracle.read_question(question)
    assert (reading.answer, reading.unsolvable) == (None, reason)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Mia has 5000 coins. She gives 4999 of them to Tom and then finds 6 more. "
         "How many coins does Mia have now?", "7"),
        ("Mia has 5 coins. She gives 1 of them to Tom and then finds 6 more. "
         "Before finding more, Mia had 4 coins left. How many coins does Mia have now?", "10"),
        ("A car goes 5 km in 2 hours. It keeps the same speed for 1 hour. How many km does it go in that time?", "2.5"),
        ("Lily has $60. She buys 3 pears for $2.50 each. How many dollars are left?", "52.50"),
        ("A robot makes 3 books in 2 minutes. It works at the same rate. "
         "How many books does it make in 4 minutes?", "6"),
    ],
)  # fmt: skip
def test_numbers_that_are_never_drawn_are_answered_too(question: str, answer: str) -> None:
    reading = oracle.read_question(question)
    assert (reading.answer, reading.unsolvable) == (answer, None)


@pytest.mark.parametrize(
    ("question", "answer", "unsolvable"),
    [
        ("Hugo and Felix share 120 beads in the ratio 6 to 3. How many beads does Hugo get? "
         "Hugo is named first in the ratio.", "80", None),
        ("Sam and Karl have marbles in the ratio 8 to 4. Sam has 9 more than Karl. "
         "How many marbles do they have in all?", "27", None),
        ("Nora has 10 stamps for every 6 that Eva has. Nora has 17 more. How many stamps are there in all?",
         None, "non_integer"),
        ("Mia plants 205 trees. 40% of them die, and she plants 10 new ones. How many trees live now?", "133", None),
        ("5/5 of the 10 apples in a bag belong to Mia. She takes them. How many apples does she take?", "10", None),
        ("Mia reads 60 pages. That is 3/3 of her book. How many pages does the book have?", "60", None),
        ("Mia reads 60 pages. That is 4/3 of her book. How many pages does the book have?", None, "contradiction"),
        ("Mia paints 5/6 of a wall, and Tom paints 4/6 of it. They paint different parts. "
         "What fraction of the wall is painted?", None, "contradiction"),
        ("Mia drinks 5/6 litre of milk. Tom drinks 4/6 litre. How many litres do they drink in all?", "3/2", None),
        ("Mia thinks of a positive number. She multiplies it by 4 and adds 5. The result is 5. What is the number?",
         None, "contradiction"),
        ("The garden of Mia is 10 m long and rectangular. All around it measures 20 m. How many m wide is it?",
         None, "contradiction"),
        ("3 players have a mean of 2.5 pens each. Mia has 4 pens and joins them. "
         "How many pens do they have in all then?", None, "non_integer"),
    ],
)  # fmt: skip
def test_what_can_be_solved_does_not_hang_on_the_method(
    question: str, answer: str | None, unsolvable: str | None
) -> None:
    reading = oracle.read_question(question)
    assert (reading.answer, reading.unsolvable) == (answer, unsolvable)


@pytest.mark.parametrize(
    "garbled",
    [
        "",
        "####",
        "How many?",
        "Mia has 5 coins.",
        "Mia has 5 coins. She gives 2 of them to Tom and then finds 6 more. How many coins does Anna have now?",
        "Mia has 5 coins. He gives 2 of them to Tom and then finds 6 more. How many coins does Mia have now?",
        "Mia has 5 coins. She gives 2 of them to Mia and then finds 6 more. How many coins does Mia have now?",
        "Mia has 5 coins. She gives 2 of them to Tom and then finds 6 more. How many cards does Mia have now?",
        "Mia has 1 coins. She gives 1 of them to Tom and then finds 6 more. How many coins does Mia have now?",
        "Mia has 05 coins. She gives 2 of them to Tom and then finds 6 more. How many coins does Mia have now?",
        "Mia has five coins. She gives 2 of them to Tom and then finds 6 more. How many coins does Mia have now?",
        "Mia has 5 spoons. She gives 2 of them to Tom and then finds 6 more. How many spoons does Mia have now?",
        "Mia has 5 coins. She gives 2 of them Tom to and then finds 6 more. How many coins does Mia have now?",
    ],
)
def test_garbled_texts_do_not_belong(garbled: str) -> None:
    assert oracle.read_question(garbled) == oracle.QuestionReading()


def test_a_question_that_lost_or_swapped_a_word_does_not_belong() -> None:
    rng = Random(5)
    for seed in range(300):
        words = library.draw_problem(seed).question.split()
        at = rng.randrange(len(words) - 1)
        if words[at] != words[at + 1]:
            swapped = [*words[:at], words[at + 1], words[at], *words[at + 2 :]]
            assert oracle.read_question(" ".join(swapped)).problem in (None, library.draw_problem(seed)), swapped
        assert oracle.read_question(" ".join(words[:-1])).template is None


def test_nothing_that_a_model_may_write_makes_the_oracle_raise() -> None:
    rng = Random(9)
    for seed in range(400):
        problem = library.draw_problem(seed)
        question, solution = list(problem.question), list(problem.solution)
        for text in (question, solution):
            for _ in range(3):
                text[rng.randrange(len(text))] = rng.choice("a0 9./?$%#\n-+*=")
        oracle.read_question("".join(question))
        oracle.diagnose_solution(problem, "".join(solution))


def test_a_number_too_long_to_read_does_not_belong() -> None:
    question = "Mia has {} coins. She gives 2 of them to Tom and then finds 6 more. How many coins does Mia have now?"
    assert oracle.read_question(question.format("9" * 9)).answer == "1000000003"
    assert oracle.read_question(question.format("9" * 5000)) == oracle.QuestionReading()
    assert (
        oracle.diagnose_solution(library.draw_problem(1), f"1 + 1 = {'9' * 5000}\n#### {'9' * 5000}").kind
        == "no_answer"
    )
