"""Questions are typed by rules: what cannot be voted on is dropped, and multiple choice is asked for its value."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.arrow import conform
from schemas.outcomes import Reject
from tasks.questions.problem_type import KeepProblemTypes, find_type, without_options
from tests.support.recorded import SHARED_DATA

GSM8K = SHARED_DATA / "gsm8k" / "train.jsonl"

VALUES = [
    "A ferry takes 18 cars and makes 7 trips a day. How many cars can it take in 5 days?",
    "Find the sum of the first 20 odd numbers.",
    r"What is the value of $\frac{3}{4} + \frac{1}{6}$? Give your answer as a fraction.",
    "How long is the fence? Kim measures 28 m and 23 m. The field is rectangular. How many m is it?",
    "Can you find how many marbles Tom has if he has 3 bags of 12 marbles?",
    "Solve for $x$: $3x + 4 = 19$.",
    "A test has 20 true/false questions and 10 others. How many questions does it have?",
    "Do 12 apples at $2 cost more or less than 30 pears at $1, and by how much?",
    '"Is it far?" asks Ben. "We drive 120 km, and 45 km are behind us", says Eva. How many km are left?',
    "In triangle ABC, angle A is 50 degrees and angle B is 60 degrees. What is the measure of angle C?",
    "Points (A) and (B) lie on a line 12 cm long. How far are they apart?",
    "Let f(A) = A + 2, f(B) = 3B and f(C) = C - 1. What is f(4) + f(5)?",
    "Show your work: how much is 17 times 23?",
    "A number has three digits: (a) the first is 4, (b) the second is twice the first, (c) the last is 1. What is it?",
    "Three facts are known:\n1. x is even.\n2. x is more than 10.\n3. x divides 36.\n\nWhat is the smallest x?",
    "How many of the factorials from 1! to 20! are divisible by 9?",
    "Determine if the graph of x^2 + y^2 = 4 is a circle, a line or a point.",
    "Proof reading takes Lena 4 minutes a page. How many minutes does she need for 35 pages?",
    "Mr. Part has 12 hens and Ms. Part has 7. How many hens do they have?",
    "The answers to a survey were: A 12 times, B 30 times, C 8 times. What percent chose B?",
]
CHOICES = [
    "Which of these is prime?\n(A) 51\n(B) 53\n(C) 57\n(D) 87",
    "Which number is largest? A) 3/4 B) 0.7 C) 71% D) 2/3",
    "What is 12 times 11?\nA. 121\nB. 132\nC. 144",
    r"The sum is $\textbf{(A)}\ 3 \qquad \textbf{(B)}\ 4 \qquad \textbf{(C)}\ 5 \qquad \textbf{(D)}\ 6$",
    "Which shape has four equal sides?\na) a circle\nb) a rhombus\nc) a kite",
    "Tom runs 3 km a day. How far does he run in a week?\n\n**A)** 18 km\n**B)** 21 km\n**C)** 24 km\n**D)** 27 km",
    "If 3x = 21, then x equals: (A) 6 (B) 7 (C) 8 (D) 9 (E) 10",
    "Which of the following must be true? (A) x > 0 (B) x < 0 (C) x = 0 (D) none of these",
    "Choose the best estimate of 49 x 21.\nA: 800\nB: 1000\nC: 1200",
    "How many edges has a cube?\n(A) 8 (B) 10 (C) 12",
    "Which expression is equal to 2(x + 3)?\nA) 2x + 3\nB) 2x + 6\nC) x + 6\nD) 5x",
    "Is the number 91\nA) prime\nB) even\nC) a multiple of 7?",
]
PROOFS = [
    "Prove that the sum of two odd numbers is even.",
    r"Show that $n^2 + n$ is even for every integer $n$.",
    r"Let $a, b > 0$. Prove $\frac{a + b}{2} \ge \sqrt{ab}$.",
    "If n is odd, show that n^2 leaves the remainder 1 when it is divided by 8.",
    "Explain why a triangle cannot have two right angles.",
    "Prove or disprove: every prime number is odd.",
    "Let ABCD be a parallelogram. Demonstrate that its diagonals bisect each other.",
    "Verify that 3 is a root of x^2 - 5x + 6 = 0.",
    "A circle and a line meet in two points. Give a proof that the line is no tangent.",
    "Justify why the product of three consecutive integers is divisible by 6.",
]
PARTS = [
    "A tank holds 240 litres.\n(a) How many litres are in it when it is 5/8 full?\n(b) How many are missing?",
    "A bag holds 3 red and 5 blue balls. Part (a) What is the probability of red? Part (b) What is that of blue?",
    "Let f(x) = 2x + 1.\n1. Find f(3).\n2. Solve f(x) = 9.\n3. Sketch the graph.",
    "A train leaves at 9:15 and takes 95 minutes. When does it arrive? How many minutes are left till 11?",
    "a) Calculate 12 + 7. b) Calculate 12 x 7.",
    "Mia saves $5 a week. How much has she after 8 weeks? After how many weeks has she $75?",
    "A cone has the radius 3 and the height 4.\n(i) Find its volume.\n(ii) Find its slant height.",
    "Eva has 12 pens. How many are 3 boxes of them? And what do they cost at $2 each?",
    "The mean of 4 numbers is 7.\n\n1) What is their sum?\n\n2) What is the mean if 12 is added?",
    "Part A: Find the area of a 3 by 5 rectangle. Part B: Find its perimeter.",
]
YES_NO = [
    "Is 91 a prime number?",
    "Tom has $20 and a book costs $17.50. Can he buy it?",
    "If x = 3 and y = 4, is x + y even?",
    "A ladder of 5 m stands 3 m from a wall. Does it reach a window at a height of 4.5 m?",
    "True or false: 7/8 is larger than 6/7.",
    "Determine whether 1001 is divisible by 7.",
    "Are the lines y = 2x + 1 and y = 2x - 3 parallel?",
    "Two buses leave at 9:00. One comes back every 12 minutes, one every 18. Will both be there at 9:36?",
    "Does the triangle with the sides 5, 12 and 13 have a right angle? (yes or no)",
    "A box holds 24 eggs. Are 5 boxes enough for 130 eggs?",
]
CONVERTED = [
    (
        "Tom runs 3 km a day. How far does he run in a week?\n\nA) 18 km\nB) 21 km\nC) 24 km",
        "Tom runs 3 km a day. How far does he run in a week?",
    ),
    ("What is 12 times 11?\nA. 121\nB. 132\nC. 144", "What is 12 times 11?"),
    (
        r"What is $\frac{1}{2} + \frac{1}{3}$? $\textbf{(A)}\ \frac{2}{5} \qquad \textbf{(B)}\ \frac{5}{6} \qquad "
        r"\textbf{(C)}\ \frac{1}{6}$",
        r"What is $\frac{1}{2} + \frac{1}{3}$?",
    ),
    ("How many edges has a cube? (A) 8 (B) 10 (C) 12", "How many edges has a cube?"),
    (
        "A shirt of $40 is 15 % cheaper today. What does it cost?\n\nOptions:\n(A) $25\n(B) $34\n(C) $36",
        "A shirt of $40 is 15 % cheaper today. What does it cost?",
    ),
    (
        "What is the sum of 3 and 4? Answer with the letter only.\nA) 6\nB) 7\nC) 8",
        "What is the sum of 3 and 4?",
    ),
]
NOT_CONVERTED = [
    *CHOICES[:2],
    *CHOICES[4:5],
    *CHOICES[7:9],
    "What is the sum of 3 and 4?\nA) 6\nB) 7\nC) 8\nD) None of the above",
    "What is the closest number to 9.87 x 10.1?\nA) 90\nB) 100\nC) 110",
    "What could x be if 3 < x < 9?\nA) 2\nB) 5\nC) 10",
    "If 3x = 21, then x equals: (A) 6 (B) 7 (C) 8",
    VALUES[0],
]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        *((question, "value") for question in VALUES),
        *((question, "multiple_choice") for question in CHOICES),
        *((question, "proof") for question in PROOFS),
        *((question, "multi_part") for question in PARTS),
        *((question, "yes_no") for question in YES_NO),
    ],
)
def test_a_question_has_one_type(question: str, kind: str) -> None:
    assert find_type(question) == kind


@pytest.mark.parametrize(("question", "stem"), CONVERTED)
def test_options_are_removed_where_a_value_is_asked_for(question: str, stem: str) -> None:
    assert without_options(question) == stem
    assert find_type(stem) == "value"


@pytest.mark.parametrize("question", NOT_CONVERTED)
def test_a_question_that_needs_its_options_is_not_converted(question: str) -> None:
    assert without_options(question) is None


def test_the_stage_keeps_converts_and_rejects() -> None:
    texts = [VALUES[0], CONVERTED[0][0], CHOICES[0], PROOFS[0], PARTS[0], YES_NO[0]]
    rows = [{"row_id": str(n), "question": text} for n, text in enumerate(texts)]
    value, converted, *rejected = KeepProblemTypes().rows(rows, None)
    assert value == rows[0] | {"problem_type": "value"}
    assert converted == {"row_id": "1", "question": CONVERTED[0][1], "problem_type": "value"}
    assert [one.reason for one in rejected if isinstance(one, Reject)] == [
        *("problem type: multiple_choice", "problem type: proof", "problem type: multi_part", "problem type: yes_no"),
    ]
    stage = KeepProblemTypes(keep=("value", "yes_no", "multiple_choice"), convert_choices=False)
    kept = [row for row in stage.rows(rows, None) if isinstance(row, dict)]
    assert [row["problem_type"] for row in kept] == ["value", "multiple_choice", "multiple_choice", "yes_no"]
    assert KeepProblemTypes.adds is not None
    conform([{k: v for k, v in row.items() if k != "row_id"} for row in kept], KeepProblemTypes.adds, "test")


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValidationError, match="multi_part"):
        KeepProblemTypes(keep=("riddle",))


@pytest.mark.skipif(not GSM8K.exists(), reason="needs train.jsonl in ../shared/data/gsm8k/")
def test_word_problems_ask_for_values() -> None:
    questions = [json.loads(line)["question"] for line in Path(GSM8K).read_text().splitlines()]
    assert sum(find_type(question) == "value" for question in questions) >= 0.999 * len(questions)
