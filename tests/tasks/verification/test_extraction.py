"""The final answer is found where a response says it is, and however degenerate the response, in no time."""

import json
import random
import re
import time

import pytest

from tasks.verification.equivalence.question_hints import parse_hints
from tasks.verification.extraction import boxes
from tasks.verification.extraction.rules import extract
from tasks.verification.verify import Verify, extract_gold
from tests.support import recorded

MATH = recorded.SHARED_DATA / "math" / "test.jsonl"
SAMPLE = 10
"""Of so many answers of MATH, one is asked about."""


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        (r"so \boxed{18}.", "18", "boxed"),
        (r"\boxed{1} no, \boxed{2}", "2", "boxed"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", "boxed"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}", "boxed"),
        (r"\boxed {3}", "3", "boxed"),
        (r"\\boxed{3}", "3", "boxed"),
        ("\x01 \\boxed{3}", "3", "boxed"),
        (r"\boxed{x \fbox{3}}", "3", "boxed"),
        (r"\fbox{4} A: 5", "4", "boxed"),
        (r"\boxed{\boxed{3}}", "3", "boxed"),
        ("é\U0001d7d8 \\boxed{7}", "7", "boxed"),
        (r"\boxed{6} and then \boxed{\frac{1}{2}", "6", "boxed"),
        ("#### 1,000\n", "1,000", "hash"),
        ("#### 1\nno\n#### 2", "2", "hash"),
        ("step\nA: 18", "18", "marker"),
        ("  A: 18  \n", "18", "marker"),
        ("A: 1\nB\nA: 2\nnot A: 3", "2", "marker"),
        ("A:\n18", "18", "marker"),
        ("The answer is 3.5. I am sure.", "3.5", "answer_is"),
        ("the answer is 1; no, THE FINAL ANSWER IS: $18.", "$18", "answer_is"),
        ("the answer is\n4", "4", "answer_is"),
        ("it costs $1,234.50.", "1,234.50", "last_number"),
        ("it is -$5 now", "-$5", "last_number"),
        ("after COVID-19", "19", "last_number"),
        ("about 20%.", "20%", "last_number"),
        ("he eats 3/4 of it", "3/4", "last_number"),
        ("The answer is:\n\n$\\frac{1}{2}$", r"$\frac{1}{2}$", "answer_is"),
        ("**The answer is:**\n\n42", "42", "answer_is"),
        ("**The answer is**: 42", "42", "answer_is"),
        ("The answer is **42**.", "42", "answer_is"),
        ("The answer is 42, which is the sum of both.", "42", "answer_is"),
        ("**Final Answer:** The numbers are **5 and 42**.", "5 and 42", "answer_is"),
        ("The answer is\n$$\n\\frac12\n$$", r"\frac12", "answer_is"),
        ("it is \N{MINUS SIGN}5 now", "\N{MINUS SIGN}5", "last_number"),
        ("it weighs .5 kg", ".5", "last_number"),
        (".5", ".5", "last_number"),
        ("see p.5", "5", "last_number"),
        ("so it is...5", "5", "last_number"),
        ("about 5e3 of them", "5e3", "last_number"),
        ("total:18", "18", "last_number"),
        ("he ate 1 1/2 cups", "1 1/2", "last_number"),
        ("it is 20 percent", "20 percent", "last_number"),
        (r"it is 20\%.", r"20\%", "last_number"),
        ("I got 12,345,678.90 dollars", "12,345,678.90", "last_number"),
        (r"So $x = \sqrt{2}$.", r"\sqrt{2}", "last_formula"),
        (r"which is $\frac{3}{4}$ of it", r"\frac{3}{4}", "last_formula"),
        (r"so \boxed 5", "5", "boxed"),
        (r"\boxed{5} \boxed{} \boxed{ }", "5", "boxed"),
        ("A: 3\nB: 4\nhence the answer is B.", "B", "answer_is"),
        ("#### Step 2: Double\n5*2=10\n\nThe answer is 10.", "10", "answer_is"),
        ("#### Final Answer\n42", "42", "hash"),
        ("#### Answer\n\n\\boxed{42}", "42", "boxed"),
        ("####\n42", "42", "hash"),
        ("#### Answer: 42 cats", "42 cats", "hash"),
        ("**#### 42**", "42", "hash"),
        ("#### **42**", "42", "hash"),
        ("#### answer\nThe answer is 42.", "42", "hash"),
        ("#### Step 1: Count\n6 * 7 = 42\n\n#### 42", "42", "hash"),
        ("I end with `#### answer`.\n#### 42", "42", "hash"),
        ('{"reason": "6 * 7", "final_answer": 42}', "42", "json"),
        ('```json\n{"answer": "$42", "sure": true}\n```', "$42", "json"),
        (r"\boxed{42}, as in \boxed{answer}", "42", "boxed"),
        ("#### 18 dollars", "18 dollars", "hash"),
        ("#### 42\nThat is all.", "42", "hash"),
        ("**The answer is 5**", "5", "answer_is"),
        ("**The final answer is 5.**", "5", "answer_is"),
        ("There are 1 000 people", "1 000", "last_number"),
        ("in 2020 100 people came", "100", "last_number"),
        ("So it is £5.", "£5", "last_number"),
        (r"\boxed{\text{the answer is } 5}", r"\text{the answer is } 5", "boxed"),
        ("Answer: (B)", "(B)", "answer_is"),
        ("**Answer:** 42", "42", "answer_is"),
        ("**Final answer**: 42", "42", "answer_is"),
        ("```output\n42\n```", "42", "printed"),
        ("```python\nf()\n```\n```output\n7\n[1, 2]\n```\nDone in 3 steps.", "[1, 2]", "printed"),
        ("```output\n42\n```\nSo the answer is 43.", "43", "answer_is"),
    ],
)
def test_the_most_explicit_rule_wins_and_shows_its_span(text: str, answer: str, rule: str) -> None:
    found = extract(text)
    assert found is not None
    assert (found.text.removeprefix("$") if rule == "last_number" else found.text) == answer
    assert found.found_by == rule
    assert text[found.start : found.end] == found.text


@pytest.mark.parametrize(
    ("text", "answer", "doubt"),
    [
        (r"\boxed{x=1} and \boxed{y=2}", "x=1, y=2", ""),
        (r"$\boxed{2}$, $\boxed{3}$ or $\boxed{5}$", "2, 3, 5", ""),
        (r"\boxed{2} cm, \boxed{3} cm and \boxed{5} cm", "2, 3, 5", ""),
        (r"(a) \boxed{2}. (b) \boxed{3}.", "2, 3", "several_boxes"),
        (r"Area: \boxed{2}. Perimeter: \boxed{3}.", "2, 3", "several_boxes"),
        (r"It is \boxed{2} at the point \boxed{3}.", "2, 3", "several_boxes"),
        (r"The base is \boxed{2}. The area is \boxed{3}.", "2, 3", "several_boxes"),
        (r"The base is \boxed{2}. Then the area is \boxed{3}.", "3", ""),
        (r"The answer is \boxed{2}. The correct answer is \boxed{3}.", "3", ""),
        ("- $\\boxed{2}$\n- $\\boxed{3}$", "2, 3", ""),
        ("1. $\\boxed{2}$.\n2. $\\boxed{3}$.", "2, 3", "several_boxes"),
        ("\\[\\boxed{2}\\]\n\n\\[\\boxed{3}\\]", "2, 3", "several_boxes"),
        ("x = \\boxed{2}\n\ny = \\boxed{3}", "x = 2, y = 3", "several_boxes"),
        (r"The base is \boxed{2}, so the area is \boxed{3}.", "3", ""),
        (r"It is \boxed{0.5} = \boxed{\frac12}.", r"\frac12", ""),
        (r"\boxed{2}, that is, \boxed{2}.", "2", ""),
        ("First \\boxed{40}. With tax:\n**Final Answer: 44**", "44", ""),
        (r"\boxed{40}. The answer is reasonable.", "40", ""),
    ],
)
def test_several_boxes_are_a_list_or_are_doubted(text: str, answer: str, doubt: str) -> None:
    found = extract(text)
    assert found is not None
    assert (found.text, found.doubt) == (answer, doubt)


@pytest.mark.parametrize(
    "text",
    [
        "#### 4\n\nQuestion: What is 2+3?\n#### 5",
        "The answer is 4.\n\n## Problem 2\nWhat is 2+3? The answer is 5.",
        "\\boxed{4}<|im_end|>\n<|im_start|>user\nWhat is 2+3?\n\\boxed{5}",
        "A: 4\n\nHuman: What is 2+3?\nA: 5",
        "Question: What is 2+2?\nAnswer: 4\n\nQuestion: What is 2+3?\nAnswer: 5",
    ],
)
def test_a_question_that_the_response_invents_is_not_answered(text: str) -> None:
    found = extract(text)
    assert found is not None and found.text == "4"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("La réponse est 12.", "12"),
        ("Die Antwort lautet 12.", "12"),
        ("Respuesta final: 12", "12"),
        ("A resposta é 12.", "12"),
        ("La risposta è 12.", "12"),
        ("Ответ: 12", "12"),
        ("答案是12。", "12"),
        ("答案\uff1aD", "D"),
        ("故选C。", "C"),
        ("答えは12です。", "12"),
        ("정답은 12입니다.", "12"),
        ("الجواب هو 12", "12"),
        ("The correct option is C.", "C"),
        ("Therefore, the correct choice is (C) 21.", "(C) 21"),
        ("Option B is correct.", "B"),
        ("The best answer is B because A is too small.", "B"),
        ("The answer is 72, in total, so she sells them.", "72"),
        ("<answer>Paris</answer>", "Paris"),
        ("Final Answer\n58\n\nConfidence: 90%", "58"),
        ("D.", "D."),
    ],
)
def test_an_answer_is_found_in_other_words_and_languages(text: str, answer: str) -> None:
    found = extract(text)
    assert found is not None and found.text == answer


def test_a_few_words_are_an_answer_only_where_they_may_be_one() -> None:
    assert extract("Paris") is None
    found = extract("Paris", takes_words=True)
    assert found is not None and (found.text, found.doubt) == ("Paris", "whole_response")
    assert extract("It is hard to say that.", takes_words=True) is None


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("So he has 58 stamps left after 3 days.", "several_numbers"),
        ("He had 60. He gave 2 away. So 58 are left.", "earlier_numbers"),
        ("So 58 are left.", ""),
        ("6 * 7 = 42", "earlier_numbers"),
        ("The total is 96 (see equation 4)", "no_answer"),
        ("Confidence: 90%", "no_answer"),
        ("Is it 4?", "no_answer"),
        ("By step 2 it is 5.", ""),
    ],
)
def test_a_last_number_is_doubted_where_there_are_others(text: str, doubt: str) -> None:
    found = extract(text)
    assert found is not None and (found.found_by, found.doubt) == ("last_number", doubt)


@pytest.mark.parametrize(
    "text",
    [r"\frac{3}{4}", r"1\frac{1}{2}", "10^6", "10^{6}", "10^-6", "6^x", "at 1:30", "1:3 it is", "so 5!", "it is 5e"],
)
def test_the_last_number_is_not_taken_out_of_something_larger(text: str) -> None:
    assert extract(text) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"Therefore the area is $25\pi$.", r"25\pi"),
        (r"It is $ 25\pi $.", r"25\pi"),
        (r"It is \(25\pi\).", r"25\pi"),
        ("It is\n\\[\n25\\pi.\n\\]", r"25\pi"),
        ("It is\n$$25\\pi.$$", r"25\pi"),
        ("So\n\\begin{align*}\nx &= 3+y \\\\\n&= 25\\pi.\n\\end{align*}", r"25\pi"),
        ("\\[\\begin{aligned} x &= 3 \\\\ y &= 6\\pi \\\\ \\end{aligned}\\]", r"6\pi"),
        ("\\[\\begin{aligned} x &= 3 \\\\ 2x &= 6\\pi \\\\ \\end{aligned}\\]", r"2x &= 6\pi"),
        ("It is $3x$.", "3x"),
        (r"It is $A = \pi r^2 = 25\pi$.", r"25\pi"),
        (r"so $\frac 54$", r"\frac 54"),
        (r"so $9,\!240$", r"9,\!240"),
        (r"so $x \in [-2, 7]$", r"x \in [-2, 7]"),
        (r"so $x \le 7$", r"x \le 7"),
        ("so $x >= 7$", "x >= 7"),
        ("so $x = 1, y = 2$", "x = 1, y = 2"),
        (r"so $x = 1 \text{ and } y = 2$", r"x = 1 \text{ and } y = 2"),
        (r"so $\text{Area} = 4 \text{ cm} \cdot 2 \text{ cm} = 8 \text{ cm}^2$", r"8 \text{ cm}^2"),
        (r"so $2x = 10 \implies x = 5$", "5"),
        ("so $x^2 + y^2 = 13$", "x^2 + y^2 = 13"),
        ("so $5 = x$", "5 = x"),
        (r"so $\sum_{i=1}^{5} i$", r"\sum_{i=1}^{5} i"),
        (r"so $\begin{pmatrix} 1 \\ x = 2 \end{pmatrix}$", r"\begin{pmatrix} 1 \\ x = 2 \end{pmatrix}"),
        ("He has $5 and then $7", "$7"),
        ("$5 and $7 is $12 in all", "$12"),
        ("It costs $5, so $x = 3$.", "3"),
        ("5$ and 13$, in total 18$", "18"),
        (r"It is \$5 and \$7, so \$12", r"\$12"),
        (r"so $\$15,\!000$", r"\$15,\!000"),
        ("It is 25π.", "25π"),
        ("It weighs 5kg.", "5kg"),
        ("It is $5 million.", "$5 million"),
        ("He has 2 dozen eggs.", "2 dozen"),
        ("It takes 3 and a half hours", "3 and a half"),
        ("It rose by 5 percentage points", "5 percentage"),
        ("The point is (3, 5).", "(3, 5)"),
        (r"So it is (-\infty, 5]", r"(-\infty, 5]"),
        ("in all (1,000)", "1,000"),
        ("a **5** and", "5"),
        ("Step 2: 5 apples", "5"),
        ("- 5 apples", "5"),
        ("For $x = 2$, $y = 3$", "3"),
        ("the total\N{EM DASH}5", "5"),
        ("a 5-foot rope", "5"),
        ("$5/hour", "$5"),
        (r"The rate is \boxed{5}\%.", r"{5}\%"),
        (r"The rate is \boxed{5} \%.", r"{5} \%"),
        ("The rate is \\boxed{5}%.", "{5}%"),
        (r"The rate is $\boxed{5}\%$.", r"{5}\%"),
        (r"The rate is $\boxed{5}$\%.", r"{5}$\%"),
        (r"The rate is \boxed 5\%.", r"5\%"),
        (r"\boxed{5} % the end", "5"),
    ],
)
def test_nothing_is_cut_out_of_what_it_is_a_part_of(text: str, answer: str) -> None:
    found = extract(text)
    assert found is not None
    assert found.text == answer
    assert text[found.start : found.end] == found.text


@pytest.mark.parametrize(
    ("gold", "response"),
    [
        ("25", r"Therefore the area is $25\pi$."),
        ("3", "It is $3x$."),
        ("25", "It is 25π."),
        ("5", "It is $5 million."),
        ("2", "He has 2 dozen eggs."),
        ("3", "It takes 3 and a half hours"),
        ("5", "So the temperature is \N{EN DASH}5"),
        ("5", r"The rate is \boxed{5}\%."),
        ("5", "The rate is \\boxed{5}%."),
        ("5", r"The rate is $\boxed{5}\%$."),
        ("5", r"The rate is $\boxed{5}$\%."),
        ("5", "The rate is $\\boxed{5}$%."),
        ("5", "The rate is $5$%."),
        ("5", r"The rate is \(5\)\%."),
        ("5", "It is $5$ million."),
        ("54", r"It is $\frac 54$."),
        ("240", r"It is $9,\!240$."),
    ],
)
def test_a_piece_is_not_the_answer(gold: str, response: str) -> None:
    assert _verdicts([(gold, response)]) != ["correct"]


@pytest.mark.parametrize(
    ("gold", "response"),
    [
        (r"25\pi", r"Therefore the area is $25\pi$."),
        (r"25\pi", "It is 25π."),
        ("0.05", r"The rate is \boxed{5}\%."),
        ("5%", "The rate is \\boxed{5}%."),
        ("5%", r"The rate is $\boxed{5}\%$."),
        (r"\frac{5}{4}", r"It is $\frac 54$."),
        ("9240", r"It is $9,\!240$."),
        ("(3,5)", "The point is (3, 5)."),
        ("8", r"so $\text{Area} = 8 \text{ cm}^2$"),
    ],
)
def test_the_whole_is_the_answer(gold: str, response: str) -> None:
    assert _verdicts([(gold, response)]) == ["correct"]


def test_a_sum_is_the_answer_if_it_is_asked_for() -> None:
    pairs = [("45", "so $m + n = 45$")]
    assert _verdicts(pairs, "Find $m + n$.") == ["correct"]
    assert _verdicts(pairs) == ["unparseable"]


@pytest.mark.parametrize(
    "question",
    [
        "What is $20$% of $50$?",
        r"What is 50$\%$ of $\frac{1}{3}$ of 36?",
        r"What is \(20\)\% of 50?",
        r"What is $12\frac{1}{2}\%$ of 80?",
        "What is the price after a discount of twenty percent?",
        "Compute one hundred percent of ten.",
        "Find 15 per cent of 80.",
        "What is a quarter of a percent of 4000?",
        "How much does he pay if the same percentage is taken off?",
    ],
)
def test_a_percentage_that_is_given_is_not_asked_for(question: str) -> None:
    assert _verdicts([("10", "#### 10%")], question) == ["wrong"]


@pytest.mark.parametrize(
    "question",
    [
        "What percent of 50 is 5?",
        "5 is what % of 50?",
        "By what percent did it grow after a discount of 20%?",
        "By how many percent did it grow?",
        "What is the overall percent change after a discount of 20%?",
        "Find the percentage of red balls.",
        "Express it as a percent.",
        "If it is sold for less, what percentage is lost?",
        r"It grew by $x\%$. What is $x$?",
        r"Round to the nearest $1\%$.",
        "Round to the nearest tenth of a percent.",
        "Round to the nearest whole percent.",
        "5 is ___% of 50.",
    ],
)
def test_a_percentage_that_is_asked_for_may_be_a_number(question: str) -> None:
    assert _verdicts([("10", "#### 10%"), ("10%", "#### 10")], question) == ["correct", "correct"]


def test_a_question_full_of_percent_signs_takes_milliseconds() -> None:
    began = time.thread_time()
    parse_hints("what " * 10 + "what % " * 3000 + "2 %" * 3000)
    parse_hints("find 2" + " " * 9000 + "% " * 5000)
    assert time.thread_time() - began < 0.2


def _verdicts(pairs: list[tuple[str, str]], question: str = "") -> list[str]:
    """Of each gold answer and response."""
    batch = [{"row_id": "1", "question": question, "answer": gold, "response": response} for gold, response in pairs]
    return [row["verdict"] for row in Verify().rows(batch, None)]


@pytest.mark.skipif(not MATH.exists(), reason="needs the test set of MATH in ../shared/data/math/")
@pytest.mark.parametrize("sentence", ["It is ${}$.", r"It is \({}\).", "It is\n\\[\n{}.\n\\]", "It is $$ {} $$"])
def test_the_answers_of_math_are_found_whole_in_a_sentence(sentence: str) -> None:
    golds = [extract_gold(json.loads(line)["solution"]) for line in MATH.read_text().splitlines()[::SAMPLE]]
    responses = [sentence.replace("{}", gold) for gold in golds]
    verdicts = _verdicts(list(zip(golds, responses, strict=True)))
    assert [gold for gold, verdict in zip(golds, verdicts, strict=True) if verdict == "wrong"] == []
    assert verdicts.count("correct") > 0.95 * len(golds)
    pieces = [(found[-1].rstrip(".,"), gold) for gold in golds if (found := re.findall(r"-?[0-9][0-9.,]*", gold))]
    of_golds = _verdicts([(piece, f"#### {gold}") for piece, gold in pieces])
    of_responses = _verdicts([(piece, sentence.replace("{}", gold)) for piece, gold in pieces])
    told = zip(pieces, of_golds, of_responses, strict=True)
    assert [pair for pair, of_gold, said in told if said == "correct" != of_gold] == []


@pytest.mark.parametrize(
    "text",
    [
        *("from 7-5", "3-5 days", "3\N{EN DASH}5 days", "so \N{EN DASH}5", "x-5", "x + 5", "5 + x", "2 x 3", "2*3"),
        *("5 or 6", "12, 10, 6", "3 to 5", "3 out of 5", "3 : 5", "f(5)", "x5", "5th", "5k", "5L", "3½", "2√3", "x²5x"),
        *("minus 5", "negative 5", "± 5", "x > 5", "x ≤ 5", "x = - 5", "twice 5", "the square root of 5", "5万"),
        *("25$\\pi$", "25\\pi", "5 \\text{ cm}", "9,\\!240", "9{,}240", "1'000", "[5, \\infty)", "\\frac{625}4"),
        *("-$5$", "negative $5$", "3$\\frac12$", "$5$ million", "$5$ and a half", "$5$%", "$5$ percent", "$5$th"),
        *("the roots are $3$ and $5$", r"\(3\), \(5\)", "(1, 2) and (3, 4)"),
    ],
)
def test_a_number_is_no_answer_where_it_is_a_part(text: str) -> None:
    assert extract(text) is None


@pytest.mark.parametrize("text", ["", "no number at all", "\n\n", r"\boxed{}", "A:", "####", "\x00"])
def test_nothing_is_made_up(text: str) -> None:
    assert extract(text) is None


def test_a_box_that_is_never_closed_falls_through() -> None:
    found = extract("\\boxed{\\frac{1}{2}\nA: 18")
    assert found is not None
    assert (found.text, found.found_by) == ("18", "marker")


def test_the_markers_can_be_chosen() -> None:
    found = extract("Answer: 4\nA: 5\nResult: 6", ("Answer:", "Result:"))
    assert found is not None
    assert (found.text, found.found_by) == ("6", "marker")


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed" + "{" * 1_000_000,
        "\\boxed{" + "{}" * 500_000,
        "\\boxed{" * 143_000,
        "\\boxed{" * 143_000 + "{}",
        "\\boxed{}" * 125_000,
        "\\boxed" + " " * 1_000_000,
        "A:" * 500_000,
        "A:\n" * 333_000,
        "the answer is " * 71_000,
        "answer " + " " * 1_000_000,
        "1" * 1_000_000,
        "1 " * 500_000,
        "1e" * 500_000,
        "." * 1_000_000 + "5",
        "#" * 1_000_000,
        "\n" * 1_000_000,
        "\\" * 1_000_000 + "\\boxed{3}",
        "lorem ipsum dolor. " * 52_000,
        "```output\n" * 100_000,
        "\\boxed 5" * 125_000,
        "1 1/1 " * 166_000,
        "$" * 1_000_000 + "{1}",
        "$ " * 500_000 + "5",
        "$x$" * 333_000 + " 5",
        r"\[" * 500_000 + "5" + r"\]" * 10_000,
        "(" * 1_000_000 + "5)",
        "1," * 500_000 + "5)",
        "$" + "{" * 1_000 + "= , " * 200 + "5$",
        "5" + " " * 1_000_000,
        " " * 1_000_000 + "5",
        "5" + "\\" * 1_000_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_megabyte_takes_milliseconds(text: str) -> None:
    best = min(_seconds(text) for _ in range(5))
    assert best < 0.05 * 2  # on an idle core at most 0.03; twice the promise for one that is shared


def test_braces_of_short_and_long_texts_are_matched_alike() -> None:
    pieces = [r"\boxed{", r"\boxed {", r"\fbox{", *"{}1$%\n\x01", r"\{", r"\}", r"\\", "\\", r"\boxed", "}}", "a "]
    rng = random.Random(8)
    for _ in range(5000):
        text = r"\boxed{" + "".join(rng.choices(pieces, k=rng.randrange(1, 18)))
        assert boxes._match_braces(text, 0) == boxes._match_many_braces(text, 0), text


def _seconds(text: str) -> float:
    began = time.thread_time()
    extract(text)
    return time.thread_time() - began
