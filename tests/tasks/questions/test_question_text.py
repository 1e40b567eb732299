"""A question is taken out of whatever a model puts around it; what gives more than a question is rejected."""

import json
from pathlib import Path

import pytest

from schemas.prompts import Prompt
from tasks.proving_ground.draw_problems import DrawProblem
from tasks.questions.question_faults import Fault
from tasks.questions.question_text import read_question
from tasks.questions.write import RewriteQuestion, WriteQuestion
from tests.support.recorded import SHARED_DATA

GSM8K = SHARED_DATA / "gsm8k" / "train.jsonl"
MATH = SHARED_DATA / "math" / "test.jsonl"
FERRY = "A ferry takes 18 cars and makes 7 trips a day. How many cars can it take in 5 days?"
CIRCLE = (
    r"A circle has the area $49\pi$ square centimetres. What is its circumference? Give your answer in terms of $\pi$."
)
ROOTS = r"Find the sum of all real numbers $x$ with $\frac{x^2 - 5x}{x + 1} = 2$."
STORY = (
    "Mira bakes 4 trays of 12 buns each. She sells three quarters of them at the market.\n\n"
    "On the way home she gives 5 buns to her neighbour. How many buns does she still have?"
)

WRAPPED = [
    # prefaces and farewells
    (f"Sure! Here is a problem:\n\n{FERRY}", FERRY),
    (f"Sure! {FERRY}", FERRY),
    (f"Absolutely. {FERRY}", FERRY),
    (f"Here's a word problem about transport: {FERRY}", FERRY),
    (f"Okay, here is my improved version of the question:\n{FERRY}", FERRY),
    (f"Certainly — here's the rewritten problem.\n\n{FERRY}\n\nLet me know if you would like another one!", FERRY),
    (f"{FERRY} Let me know if you'd like the solution!", FERRY),
    (f"{FERRY}\n\nI hope this helps! Would you like me to make it harder?", FERRY),
    (f"I've rewritten the question so that it is complete:\n\n{FERRY}", FERRY),
    (f"Of course, I can do that!\n\n{STORY}", STORY),
    (f"Great! Here's one:\n\n> {FERRY}", FERRY),
    (f"{FERRY}\n\n*(This version has exactly one answer and needs two steps.)*", FERRY),
    (f"{FERRY}\n\nI added the number of days, since it was missing.\n\nFeel free to ask for another one.", FERRY),
    (f"{FERRY}\nThis problem requires multiplication only.", FERRY),
    # labels
    (f"**Problem:** {FERRY}", FERRY),
    (f"**Problem**: {FERRY}", FERRY),
    (f"**Problem: {FERRY}**", FERRY),
    (f"**Final Question:** {FERRY}", FERRY),
    (f"### Final Question\n\n{STORY}", STORY),
    (f"# Problem\n{CIRCLE}", CIRCLE),
    (f"Question: {CIRCLE}", CIRCLE),
    (f"Q: {FERRY}", FERRY),
    (f"Rewritten question:\n{ROOTS}", ROOTS),
    (f"Problem 1. {FERRY}", FERRY),
    (f"Problem 3 (Grade 6): {FERRY}", FERRY),
    (f"Word Problem\n\n{FERRY}", FERRY),
    (f"The final question is: {FERRY}", FERRY),
    (f"My improved question is:\n\n{FERRY}", FERRY),
    (f"\\textbf{{Problem.}} {CIRCLE}", CIRCLE),
    (f"\\section*{{Problem}}\n{CIRCLE}", CIRCLE),
    (f"\\begin{{problem}}\n{CIRCLE}\n\\end{{problem}}", CIRCLE),
    (f"_Question:_ {FERRY}", FERRY),
    (f"Harder question - {FERRY}", FERRY),
    (f"**The Ferry**\n\n{FERRY}", FERRY),
    (f"## The Busy Ferry\n\n{FERRY}", FERRY),
    (f"Title: The Busy Ferry\n\n{FERRY}", FERRY),
    (f"Here is the final question:\n\n**Problem:** {FERRY}", FERRY),
    # fences, quotes, bold, role words, rules, control tokens
    (f"```\n{FERRY}\n```", FERRY),
    (f"```text\n{STORY}\n```\n", STORY),
    (f"Here you go:\n\n```markdown\n**Question:** {FERRY}\n```\n\nEnjoy!", FERRY),
    (f'"{FERRY}"', FERRY),
    (f"\N{LEFT DOUBLE QUOTATION MARK}{FERRY}\N{RIGHT DOUBLE QUOTATION MARK}", FERRY),
    (f"**{FERRY}**", FERRY),
    (f"> {FERRY}", FERRY),
    (f"Assistant: {FERRY}", FERRY),
    (f"assistant\n{FERRY}<|im_end|>", FERRY),
    (f"---\n\n{FERRY}\n\n---", FERRY),
    (f"{FERRY}\n\nPlease reason step by step, and put your final answer within \\boxed{{}}.", FERRY),
    (f"{FERRY} Let's think step by step.", FERRY),
    (f"- {FERRY}", FERRY),
    (f"1. {FERRY}", FERRY),
    (f"{FERRY} \N{SLIGHTLY SMILING FACE}", FERRY),
    (f"\\[\\text{{{FERRY}}}\\]", FERRY),
    (f"Here's the question:\n\n{FERRY}\n\nKey changes:\n- Added trips\n- Fixed numbers", FERRY),
    (f"The Busy Ferry\n\n{FERRY}", FERRY),
    (f"### Problem: The Busy Ferry\n\n{FERRY}", FERRY),
    (f"[Question] {FERRY}", FERRY),
    (f"\\noindent \\textbf{{Problem:}} {FERRY}", FERRY),
    (f"Original: How many?\n\nCorrected: {FERRY}", FERRY),
    (json.dumps({"original": {"question": "How many are 3 and 4?"}, "final_question": FERRY}), FERRY),
    (f"Step 3: Final question: {FERRY}", FERRY),
    (f"#Finally Rewritten Problem#:\n{FERRY}", FERRY),
    (f"**Title:** The Busy Ferry\n\n**Problem:** {FERRY}", FERRY),
    # work before the final question
    (
        f"The rate is missing, so I set it to 18 cars.\n18 * 7 = 126.\n\n<question>\n{FERRY}\n</question>",
        FERRY,
    ),
    (f"<question>{STORY}</question>\n\nAnswer: 7", STORY),
    (f"It goes between <question> and </question>.\n<question>{FERRY}</question>", FERRY),
    (f"<question>**Problem:** {FERRY}</question>", FERRY),
    (f"18 * 7 * 5 = 630 is sensible.\n<question>{FERRY}", FERRY),
    (f"<final_question>{CIRCLE}</final_question>", CIRCLE),
    (f"**Analysis**\nThe trips are missing.\n\n**Revised question**\n{FERRY}", FERRY),
    (f"**Original question:** How many cars?\n**Improved question:** {FERRY}\n**Answer:** 630", FERRY),
    (f"Draft: How many cars in 5 days?\n\nFinal version: {FERRY}", FERRY),
    (f"Step 1: 18 * 7 = 126.\nStep 2: 126 * 5 = 630.\nFinal question: {FERRY}", FERRY),
    # JSON
    (json.dumps({"question": FERRY}), FERRY),
    (f"```json\n{json.dumps({'problem': STORY, 'answer': 7})}\n```", STORY),
    (f"Here it is:\n{json.dumps({'analysis': 'No rate.', 'improved_question': FERRY})}", FERRY),
    (json.dumps({"original_question": "How many cars?", "final_question": FERRY}), FERRY),
    ('{"question": "Find $\\frac{1}{2}$ of 18 cars."}', r"Find $\frac{1}{2}$ of 18 cars."),
    (json.dumps({"result": {"Question": FERRY}}), FERRY),
    # thoughts
    (f"<think>\nMaybe: How many boats? \\boxed{{9}}\n</think>\n\nQuestion: {FERRY}", FERRY),
    (f"A ferry, 18 cars... #### 630\n</think>\n{FERRY}", FERRY),
]

SOLUTIONS = [
    *(
        "\n\n630",
        " 630",
        " **630**",
        "\n\n= 630",
        "\nA: 630",
        "\n\n630 cars.",
        "\n$630$",
        "\n\n$$630$$",
        "\n\\[18 \\times 7 = 126\\]",
    ),
    *(
        "\n\nIt can take 630 cars.",
        " The ferry carries 126 cars daily.",
        "\n\nAns. 630",
        "\n\nCorrect answer: C",
        " [Answer: 630]",
    ),
    *(
        "\n\n1. Multiply 18 by 7.\n2. Multiply by 5.",
        "\n\n- Find the cars of a day.\n- Multiply.",
        " To solve it, multiply.",
    ),
    *(" Eighteen times seven is one hundred twenty-six.", "\n\nA) 600\nB) 630 (correct)\nC) 640", "\nx = 630"),
    *("\n\nSolution\n\n630", "\n\n# Answer\n\n630", "\n\nIt takes six hundred thirty cars."),
]
REMARKS = ["(I changed the number of trips.)", "(This ensures that the answer is whole.)", "(one correct answer: 630)"]
CHATTER = [
    *(
        "How about this one? ",
        "Hmm, let me think. ",
        "Okay, the user wants a problem. ",
        "Thank you for the question. ",
    ),
    *("We need the number of days, so let's add it. ", "The question lacks the number of trips. "),
    "To make this solvable, I need the number of trips. ",
]
LABELS = [
    *(
        "Let us look at the following problem: ",
        "A word problem for the class: ",
        "Pregunta: ",
        "Before: How many?\nAfter: ",
    ),
    *("The Busy Ferry\n", "Ferry fun!\n\n", "\N{SHIP} Ferry fun \N{SHIP}\n\n"),
    "**Grade level:** 5\n**Topic:** multiplication\n\n",
]

CHAT = [
    *(
        "Can you tell us some fun facts about money?",
        "Tell me some fun facts about one of the coins.",
        "I have a total of two coins. Please give me a few ideas.",
        "I'm planning a party for some friends. Can you help me with some ideas?",
        "I'm considering a career change and I'm unsure about the best one. Could you provide some advice?",
        "I'm starting a food blog. I have a team of 3 people. What steps should I take to start it?",
        "Can you suggest a book about the history of 19th-century music?",
        "I'd love to celebrate my 100th birthday. Can you please recommend a place?",
        "My crew is lost in some ruins. Where do you think I should land a group of three?",
        "What's the best way to keep an eye on one shop each day?",
        "One of us must cook for the total crew. What are some tips for that?",
        "Is there a way to make each day a better one?",
        "Will you write a story about one cat and several dogs?",
    )
]

FAULTY = [
    ("", "empty"),
    ("<think>A ferry ...", "thought"),
    (f"{FERRY}\n\nAnswer: 630", "solution"),
    (f"{FERRY} (Answer: 630)", "solution"),
    (f"{FERRY}\n\n**Solution:** 18 cars on each trip ...", "solution"),
    (f"{FERRY}\n#### 630", "solution"),
    (f"{FERRY} \\boxed{{630}}", "solution"),
    (f"{FERRY}\n\n18 * 7 = 126, and 126 * 5 = 630.", "solution"),
    (f"{FERRY}\n\nFirst, we find the cars a day.", "solution"),
    (f"{FERRY}\nThe answer is 630.", "solution"),
    (f"{FERRY}\n\nSo the ferry takes 630 cars.", "solution"),
    (f"<question>{FERRY} Answer: 630</question>", "solution"),
    (json.dumps({"question": f"{FERRY} The final answer is 630."}), "solution"),
    (f"Question: {FERRY}\nSo it takes 18 * 7 * 5 = 630 cars.", "solution"),
    ("Step 1: The ferry takes 18 cars.\nStep 2: Multiply.", "solution"),
    ("$\\boxed{630}$", "solution"),
    *((f"{FERRY}{after}", "solution") for after in SOLUTIONS),
    *((f"{FERRY} {after}", "comment") for after in REMARKS),
    *((f"{before}{FERRY}", "comment") for before in CHATTER),
    *((f"{before}{FERRY}", "label") for before in LABELS),
    ("Find the number of cars that a ferry of 18 cars takes in 7 trips.\n\n126", "solution"),
    ("Find the number of cars that a ferry of 18 cars takes in 7 trips. x = 126", "solution"),
    ("Find 18 times 7. 18 times 7 equals 126.", "solution"),
    (f"{FERRY}\n\nUser: thanks\nAssistant: you're welcome", "label"),
    *((f"{before}{FERRY}", "comment") for before in ("OK\n\n", "Done.\n\n", "Sure\n", "As asked, a problem\n")),
    *((f"{before}\n\n{FERRY}", "comment") for before in ("It takes 630 cars.", "The answer will be 630.")),
    *((f"{before}{FERRY}", "solution") for before in ("18 * 7 = 126. ", "18 * 7 * 5 = 630\n\n")),
    *((f"{before}{FERRY}", "label") for before in ("I think this is fine: ", "Rephrased for clarity: ")),
    (f"{FERRY} (Answer key withheld.)", "comment"),
    (f"{FERRY}\n\n||630||", "solution"),
    (f"{FERRY}\n\n(18 x 7 x 5)", "solution"),
    (f"a) {FERRY}\nb) How many are 3 and 4?", "several questions"),
    (f"{FERRY}\n\nOr:\n\nA train goes 30 km in an hour. How far does it go in 5?", "several questions"),
    (f"{{'question': '{FERRY}'}}", "unreadable JSON"),
    (f"<p>{FERRY}</p>", "label"),
    (f"({FERRY})", "label"),
    (f"{FERRY}\n\nHint: multiply twice.", "hint"),
    (f"{FERRY} (Hint: there are two steps.)", "hint"),
    (f"1. {FERRY}\n2. {CIRCLE}", "several questions"),
    (f"## Problem 1\n{FERRY}\n\n## Problem 2\n{CIRCLE}", "several questions"),
    (f"Here are two problems:\n\n{FERRY}\n\n{CIRCLE}", "several questions"),
    (f"<question>{FERRY}</question>\n<question>{CIRCLE}</question>", "several questions"),
    (json.dumps([{"question": FERRY}, {"question": CIRCLE}]), "several questions"),
    (f"{FERRY}\n\nA train covers 210 km in 3 hours. It stops for 20 minutes. How fast is it?", "several questions"),
    (f"{FERRY}\n\nBonus: How many in 6 days?", "several questions"),
    (f"{FERRY}\n\n**Follow-up:** How many in 6 days?", "label"),
    ("I'm ready to help. How can I assist you today?", "refusal"),
    ("Could you please provide the question?", "refusal"),
    ("I'm sorry, but I cannot help with that.", "refusal"),
    ("What topic and which grade should the problem be for?", "refusal"),
    ("Invent one mathematics word problem.", "echo"),
    ("It must state everything that is needed. Reply with the problem only: no title, no solution.", "echo"),
    ("No changes are needed.", "comment"),
    ("The question is already clear and can be solved as it stands.", "comment"),
    ("The original question is unsolvable because the rate is missing. What is the rate?", "comment"),
    ("The problem asks for the cars in 5 days, which is easy.", "comment"),
    ("A ferry takes 18 cars and makes 7 trips a day.", "no question"),
    ("2024", "no question"),
    ("(" * 6000, "degenerate"),
    ("How many? " * 5000, "degenerate"),
    ("My sister lost her job last week. Which job would suit her?", "no question"),
    ("You lost your bag and have 10 days left. You need to find the ship before it sails.", "no question"),
    ("It is 5 o'clock, and that is exactly what I meant.", "no question"),
    ("I am looking for 3 ideas for a story. Can you give me some?", "refusal"),
    ("I want to put 20 word problems on my page. Why don't you help me?", "comment"),
    (f"Tom stands at the pier.\n**Question:** {FERRY}", "label"),
    (f"**Setting:** a pier\n\n**Task:** {FERRY}", "label"),
    ('{"question": "A ferry takes 18 cars', "unreadable JSON"),
    (f"{FERRY}\n\n---\n\nSomething else is here.", "label"),
    # nothing is asked, or no quantity, or there is none to work with
    ("A rectangle is 8 cm by 5 cm. To find its area, multiply the sides.", "no question"),
    ("A rectangle is 8 cm by 5 cm. To get the area, you simply multiply the two sides.", "no question"),
    ("A ferry takes 18 cars. We then multiply by 7 and add 5.", "no question"),
    ("A ferry takes 18 cars, which are red.", "no question"),
    ("The captain of 3 ships knows how many cars there are.", "no question"),
    ("If a number of pens is bought for an amount, how many pens are already.", "no question"),
    ("How many cars are there?", "no question"),
    ("How do you solve 2000 in a day?", "no question"),
    ("Three boxes stand in front of two doors. But there is a window. How does that work?", "no question"),
    ("A ferry takes 18 cars, but 3 of them are missing. What should I do?", "no question"),
    ("The ferry takes 18 cars. Why is that?", "no question"),
    ("10 cm * 8 cm = 80 cm^2", "no question"),
    ("area = 10 cm * 8 cm = 80 square cm", "no question"),
    ("The sides: 10cm + 8cm = 18cm. Find the area.", "solution"),
    # chat with an assistant
    *((text, "no question") for text in CHAT),
    # an old and a new version
    (f'"How many cars?" -> "{FERRY}"', "several questions"),
    (f'"How many cars are there?" \N{RIGHTWARDS ARROW} "{FERRY}"', "several questions"),
    (f"How many cars? => {FERRY}", "several questions"),
    (f'"How many cars?" becomes "{FERRY}"', "several questions"),
    # a remark and a proposal before the question, on its line
    (f"The trips are not given. I'd suggest: {FERRY}", "label"),
    (f"18 cars need a ferry. So the final version is: {FERRY}", "label"),
    (f"A rate of 18 was chosen. I would rephrase it like this: {FERRY}", "label"),
    (f'It lacks a rate. A clearer wording would be "{FERRY}"', "label"),
    # marks of a thought that are not quoted
    (f"{FERRY} <think> Maybe 630.", "thought"),
]

BARE = [
    FERRY,
    CIRCLE,
    ROOTS,
    STORY,
    "Let $f(x) = 2x + 3$. What is $f(f(1))$?",
    "Let ABCD be a square with side 6. Points E and F divide AB into three equal parts. Find the area of triangle EFD.",
    'Anna says: "I have twice as many stamps as Ben." Ben says: "Together we have 48." How many stamps does Anna have?',
    '"Give me 3 of your marbles", says Tom, "and we have the same number." Ana has 21 marbles. How many has Tom?',
    "A shop sells:\n- pens at $2\n- books at $7\n- bags at $31\nKim buys 3 pens, 2 books and a bag. What does she pay?",
    "| day | visitors |\n|---|---|\n| Monday | 120 |\n| Tuesday | 95 |\n\nHow many more visitors came on Monday?",
    "A number is doubled and 7 is added. The result is 31. What is the number? Answer in simplest form.",
    "A bag holds 3 red and 5 blue balls.\n\nPart (a) What is the probability of drawing a red ball?\n\n"
    "Part (b) What is it if one blue ball is taken out first?",
    "Three things are true:\n1. x is even.\n2. x is more than 10.\n3. x is a divisor of 36.\n\nWhat is the smallest x?",
    "A tank leaks 3 litres an hour:\n1. How many litres are lost in 5 hours?\n2. How many in two days?",
    "Solve for $x$: $3x + 4 = 19$.",
    "Prove that the sum of two odd numbers is even.",
    "Which of these is largest?\n(A) 3/4\n(B) 0.7\n(C) 71%\n(D) 2/3",
    "In this problem, $x$ and $y$ are positive integers with $xy = 36$. How many pairs $(x, y)$ are there?",
    "Note: 1 mile is 1.6 km. How many km are 25 miles?",
    "How much is 25 % of 80? (Round to the nearest whole number.)",
    "I think of a number, add 5 and get 12. What is my number?",
    "The **sum** of two numbers is 20 and their *difference* is 4. What are the numbers?",
    "Mia answers 3 questions a minute. The test has 45 questions. How many minutes does she need?",
    "The answer to a riddle is a number between 10 and 20 that is divisible by 7. What is the number?",
    "Is 91 a prime number?",
    "A page shows `<think>` for 3 seconds, 4 times a second. How often does it show the word in 11 pages?",
    "1/6 of 540 lines hold a `<think>`, two thirds of these a `</think>`. How many hold only a `<think>`?",
    'A file has 12 lines with "<answer>" and 7 with "</answer>". How many more have the first?',
    "The new version is 20 % faster than the old one, which took 50 seconds. How long does it take?",
    "Leo adds three numbers in a row and gets 57. Hugo wants to know the largest one. What is it?",
    "A clock gains 5 minutes a day. How does its time compare with the right one after 3 days?",
    "You must find $x$. Let $3x = 12$. Find $x$.",
    "Can you help me find the number of legs of 5 dogs?",
    "Will you tell us how many legs some 5 dogs have?",
    "I have the cards 3, 3, 8 and 8. Can you help me make 24 with all of them?",
    "A farmer has 20 m of fence and wants the largest area. What is the best way to use 4 pieces of 5 m?",
    "I'm planning a trip of 300 km at 60 km an hour. When should I start to arrive at 5 p.m.?",
    "Will you give me the sum of the first ten odd numbers?",
    "Will you give me the probability that a fair die shows an even number?",
    "Can you write 0.75 as a fraction in lowest terms?",
    "What is the first step at which a sum of two dice can be 12?",
    "Un fermier a 12 moutons et en achète 5 de plus. Combien de moutons a-t-il maintenant ?",
    "Calcule o produto de 12 por 7.",
    "小明有12个苹果, 又买了5个。他现在有多少个苹果\uff1f",
]


@pytest.mark.parametrize(("reply", "question"), WRAPPED)
def test_wrapping_is_taken_off(reply: str, question: str) -> None:
    assert read_question(reply) == question


@pytest.mark.parametrize(("reply", "reason"), FAULTY)
def test_what_is_more_or_less_than_a_question_is_rejected(reply: str, reason: str) -> None:
    assert read_question(reply) == Fault(reason)


@pytest.mark.parametrize("question", BARE)
def test_a_question_passes_unchanged(question: str) -> None:
    assert read_question(question) == question
    assert read_question(f" {question}\n") == question
    assert read_question(f"<question>{question}</question>") == question
    assert read_question(json.dumps({"question": question})) == question


@pytest.mark.parametrize("question", [FERRY, STORY, ROOTS, *BARE[4:9]])
@pytest.mark.parametrize("before", ["", "Sure! Here's the problem:\n\n", "**Final question:** ", "## Question\n\n"])
@pytest.mark.parametrize(
    "after", ["", "\n\nLet me know if you need anything else!", "\n\n**Answer:** 12", "\n\nAnswer: 12"]
)
def test_no_wrapping_and_no_answer_is_ever_published(question: str, before: str, after: str) -> None:
    assert read_question(f"{before}{question}{after}") in (question, Fault("solution"))


@pytest.mark.system
@pytest.mark.parametrize(("path", "column", "source"), [(GSM8K, "question", "gsm8k"), (MATH, "problem", "math")])
def test_real_questions_pass_unchanged(path: Path, column: str, source: str) -> None:
    if not path.exists():
        pytest.skip(f"needs {path.name} in ../shared/data/{source}/")
    questions = [json.loads(line)[column].strip() for line in path.read_text().splitlines()]
    read = [read_question(question) for question in questions]
    rejected = sum(isinstance(each, Fault) for each in read)
    changed = [question for each, question in zip(read, questions, strict=True) if each != question]
    assert len(changed) == rejected, "a question was changed"
    assert rejected < 0.005 * len(questions)


@pytest.mark.system
@pytest.mark.parametrize("solvable", [True, False])
def test_questions_of_the_proving_ground_pass_unchanged(solvable: bool) -> None:
    empty = [{"row_id": str(number), "number": number} for number in range(2500)]
    questions = [row["question"] for row in DrawProblem(solvable=solvable).rows(empty, None)]
    assert [read_question(question) for question in questions] == questions


@pytest.mark.parametrize("stage", [WriteQuestion(), RewriteQuestion()])
def test_an_instruct_model_is_told_the_tags_and_the_pupil_is_asked_as_before(stage: WriteQuestion) -> None:
    prompt = stage.prompt({"row_id": "0", "question": FERRY})
    bare = Prompt(stage=prompt.stage, inputs=prompt.inputs, instruction=prompt.instruction)
    assert "between <question> and </question>" in prompt.to_messages()[0]["content"]
    assert "<question> and" not in bare.to_messages()[0]["content"]
    assert (prompt.as_plain(), prompt.to_tagged_text()) == (bare.as_plain(), bare.to_tagged_text())
