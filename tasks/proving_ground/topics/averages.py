"""Averages: the mean of a few numbers, and a missing number computed from a mean."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import FRUIT, GOODS, NAMES, PEOPLE, WORK

TOPIC = "averages"

TEMPLATES = (
    Template(
        name="mean_of_three",
        topic=TOPIC,
        phrasings="""
        - {who} does {x pages} on Monday,[ {y}| some] on Tuesday and {z} on Friday.
          What is the mean number a day?
        - In three days {who} does {x},[ {y}| some] and {z pages}. What is the mean number of {pages} a day?
          Divide the sum by three.
        - {who} counts the {pages} of three days: {x},[ {y}| some] and {z}. What is the mean?
        """,
        numbers={"x": range(3, 90), "y": range(3, 90), "z": range(3, 90)},
        words={"who": NAMES, "page": WORK},
        style="decimal",
        solution="""
        The first two make {two = x + y pages}.
        All three make {sum = two + z pages}.
        The mean is {mean = sum / 3}.
        """,
        second_method="""
        The last two make {two = y + z pages}.
        All three make {sum = x + two pages}.
        The mean is {mean = sum / 3}.
        """,
        claim="All three days make {sum? pages}.",
    ),
    Template(
        name="mean_of_two",
        topic=TOPIC,
        phrasings="""
        - {who} scores {x} points and {friend} scores[ {y}| some] points. What is the mean of the two scores?
          Both play once.
        - In a game {who} gets {x} points. {friend} gets[ {y}| some]. What is their mean score?
        - Two scores are {x} and[ {y}| something else]. They belong to {who} and {friend}. What is the mean of them?
        """,
        numbers={"x": range(3, 300), "y": range(3, 300)},
        words={"who": NAMES, "friend": NAMES},
        style="decimal",
        draw_conditions=("x != y",),
        solution="""
        The sum is {sum = x + y}.
        The mean is {mean = sum / 2}.
        """,
        claim="Both scores make {sum?} points.",
        max_result=500,
    ),
    Template(
        name="total_from_mean",
        topic=TOPIC,
        phrasings="""
        - {m people} have a mean of {n things} each. {who} has[ {k}| some] {things} and joins them.
          How many {things} do they have in all then?
        - The mean for {m people} is {n things} each. Then {who} comes with[ {k}| some] more {things}.
          How many {things} are there in all?
        - {who} brings[ {k}| some] {things} to {m people}, who have a mean of {n} each.
          How many {things} are there in all?
        """,
        numbers={"m": range(2, 10), "n": range(3, 60), "k": range(2, 90)},
        words={"who": NAMES, "person": PEOPLE, "thing": GOODS},
        style="decimal",
        whole_results=("sum",),
        solution="""
        The {people} have {sum = m * n things}.
        In all there are {all = sum + k things}.
        """,
        claim="Without {who}, there are {sum? things} in all.",
        max_result=600,
    ),
    Template(
        name="missing_score",
        topic=TOPIC,
        phrasings="""
        - The mean of three scores is[ {n}| known]. Two of the scores of {who} are {x} and {y}.
          What is the third score?
        - {who} scores {x} and {y} in two games.
          What must {he} score in the third to have a mean of[ {n}| a fixed value]?
          Scores count alike.
        - {who} plays three games with[ a mean score of {n}| a good mean score]. The first two scores are {x} and {y}.
          What is the third?
        """,
        numbers={"n": range(10, 99), "x": range(5, 120), "y": range(5, 120)},
        words={"who": NAMES},
        style="decimal",
        solution="""
        All three make {all = n * 3}.
        The two make {two = x + y}.
        The third is {third = all - two}.
        """,
        second_method="""
        All three make {all = n * 3}.
        Without the first it is {rest = all - x}.
        The third is {third = rest - y}.
        """,
        claim="All three scores make {all?}.",
        max_result=300,
    ),
    Template(
        name="mean_after_one_more",
        topic=TOPIC,
        phrasings="""
        - The mean of {m} scores of {who} is {n}. The next score is[ {k}| better]. What is the mean of all scores then?
          All scores count alike.
        - {who} has a mean of {n} points in {m} games. Then {he} gets[ {k}| more] points in one more game.
          What is {his} mean now?
        - In {m} games {who} had a mean of {n} points. One game later[, with {k} points,] {he} looks again.
          What is the mean of all games?
        """,
        numbers={"m": range(2, 10), "n": range(3, 40), "g": range(1, 10), "m1": "m + 1", "up": "m1 * g", "k": "n + up"},
        words={"who": NAMES},
        style="decimal",
        max_result=300,
        solution="""
        Before, the sum is {old = m * n}.
        Now the sum is {sum = old + k}.
        There are {games = m + 1} scores.
        The mean is {mean = sum / games}.
        """,
        claim="Before that, all points made {old?}.",
    ),
    Template(
        name="mean_price",
        topic=TOPIC,
        phrasings="""
        - {who} buys {m things} at a mean price of ${p}. One of them costs[ ${k}| more].
          How many dollars do the others cost in all?
        - {m things} have a mean price of ${p}. {who} takes back one for[ ${k}| some money].
          How many dollars do the rest cost in all?
        - The mean price of the {m things} of {who} is ${p}.[ One costs ${k}.] What do all the others cost in dollars?
        """,
        numbers={"m": range(3, 10), "p": range(3, 60), "k": range(2, 100)},
        words={"who": NAMES, "thing": GOODS},
        style="money",
        solution="""
        All cost {all = m * p} dollars.
        The others cost {rest = all - k} dollars.
        """,
        claim="All of them cost {all?} dollars.",
    ),
    Template(
        name="even_out",
        topic=TOPIC,
        phrasings="""
        - {who} has {x things} and {friend} has[ {y}| some]. They share all of them evenly, and none is cut.
          How many {things} does each get?
        - {who} picks {x things} and {friend} picks[ {y}| some]. Both want the same number, so they share evenly.
          How many whole {things} does each get?
        - From two trees come {x} and[ {y}| some] {things}. {who} and {friend} share them all evenly.
          How many whole {things} does each one get?
        """,
        numbers={"x": range(5, 300), "each": range(5, 250), "n": "each * 2", "y": "n - x"},
        words={"who": NAMES, "friend": NAMES, "thing": FRUIT},
        draw_conditions=("x != y",),
        max_result=500,
        solution="""
        In all there are {all = x + y things}.
        Each gets {share = all / 2 things}.
        """,
        claim="In all there are {all? things}.",
    ),
)
