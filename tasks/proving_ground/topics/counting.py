"""Counting: choices, pairs, rows and gaps."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import COLORS, FOOD, GOODS, NAMES, PEOPLE, PLANTS

TOPIC = "counting"

TEMPLATES = (
    Template(
        name="outfits",
        topic=TOPIC,
        phrasings="""
        - {who} has {n} hats, {m} shirts and[ {k}| some] bags. {He} takes one of each.
          In how many ways can {he} choose?
        - A shop has {n} hats,[ {k}| some] bags and {m} shirts. {who} picks one of each. How many choices are there?
        - From {n} hats, {m} shirts and[ {k}| some] bags, {who} takes one of each for {friend}.
          How many choices are there?
        """,
        numbers={"n": range(2, 16), "m": range(2, 10), "k": range(2, 10)},
        words={"who": NAMES, "friend": NAMES},
        solution="""
        Hats and shirts give {two = n * m} ways.
        With bags there are {all = two * k} ways.
        """,
        second_method="""
        Shirts and bags give {two = m * k} ways.
        With hats there are {all = n * two} ways.
        """,
        claim="Hats and shirts alone give {two?} ways.",
    ),
    Template(
        name="handshakes",
        topic=TOPIC,
        phrasings="""
        - At a party there are[ {n}| some] {people}. Each one shakes hands once with each other one.
          How many handshakes are there?
        - {who} sees[ {n}| many] {people} who all shake hands once with each other. {He} counts.
          How many handshakes are there?
        - {who} looks on while[ {n}| some] {people} shake hands once with each other.
          How many handshakes are there?
        """,
        numbers={"n": range(4, 41)},
        words={"who": NAMES, "person": PEOPLE},
        solution="""
        Each one shakes {each = n - 1} hands.
        That counts {twice = n * each} hands.
        There are {all = twice / 2} handshakes.
        """,
        claim="Each one shakes {each?} hands.",
        max_result=2000,
    ),
    Template(
        name="rows_of_seats",
        topic=TOPIC,
        phrasings="""
        - A room has {n rows} of[ {m}| some] seats. {k people} come, and each takes a seat. How many seats stay free?
        - {k people} sit in a room with {n rows} of[ {m}| some] seats. {who} counts. How many seats are free?
        - {who} puts[ {m}| some] seats in each of {n rows}. {k people} sit down. How many seats are still free?
        """,
        numbers={"n": range(3, 40), "m": range(3, 10), "k": range(5, 250)},
        words={"who": NAMES, "person": PEOPLE},
        solution="""
        There are {all = n * m} seats.
        There are {free = all - k} free seats.
        """,
        claim="In all there are {all?} seats.",
        max_result=400,
    ),
    Template(
        name="trees_along_road",
        topic=TOPIC,
        phrasings="""
        - A road is {n} m long. {who} plants a {tree} every[ {d}| few] m, also at both ends.
          How many {trees} does {he} plant?
        - {who} puts a {tree} every[ {d}| few] m along a road of {n} m, from end to end. Both ends have one.
          How many {trees} are there?
        - Along a road of {n} m there is a {tree} every[ {d}| few] m, also at both ends. {who} counts.
          How many {trees} are there?
        """,
        numbers={"d": range(2, 10), "gaps": range(3, 90), "n": "gaps * d"},
        words={"who": NAMES, "tree": PLANTS},
        max_result=600,
        solution="""
        There are {gaps = n / d} gaps.
        There are {all = gaps + 1 trees}.
        """,
        claim="There are {gaps?} gaps between the {trees}.",
    ),
    Template(
        name="league_games",
        topic=TOPIC,
        phrasings="""
        - {n people} are in a club. Each one plays each other one[ {k} times| a few times].
          How many games does one {person} play in all?
        - In a club of {n people}, everyone meets everyone else for[ {k}| some] games. {who} is one of them.
          How many games does {who} play?
        - {who} is one of {n people} and plays[ {k}| some] games with each of the others.
          {He} never misses one. How many games does {who} play?
        """,
        numbers={"n": range(4, 60), "k": range(2, 10)},
        words={"who": NAMES, "person": PEOPLE},
        solution="""
        There are {others = n - 1} others.
        That makes {games = others * k} games.
        """,
        second_method="""
        With one more it would be {more = n * k} games.
        So it is {games = more - k} games.
        """,
        claim="There are {others?} others in the club.",
    ),
    Template(
        name="colored_pieces",
        topic=TOPIC,
        phrasings="""
        - {who} has {n things}: {r} are {color},[ {b}| some] are {tint} and the rest are {shade}.
          How many {things} are {shade}?
        - Of {n things}, {r} are {color} and[ {b}| some] are {tint}. {who} says that all others are {shade}.
          How many {things} are {shade}?
        - {r} of the {n things} of {who} are {color}.[ {b}| Some] are {tint}, and the others are {shade}.
          How many {things} are {shade}?
        """,
        numbers={"n": range(20, 300), "r": range(3, 120), "b": range(3, 120)},
        words={"who": NAMES, "thing": GOODS, "color": COLORS, "tint": COLORS, "shade": COLORS},
        solution="""
        Two colors make {two = r + b things}.
        The rest is {rest = n - two things}.
        """,
        second_method="""
        Without the first color {left = n - r things} remain.
        The rest is {rest = left - b things}.
        """,
        claim="The {color} and {tint} ones make {two? things}.",
    ),
    Template(
        name="menus",
        topic=TOPIC,
        phrasings="""
        - A menu has {n} kinds of {food} and[ {m}| some] drinks. {who} takes one of each. {k} of all pairs are sold out.
          How many pairs can {he} take?
        - {who} wants one {food} and one drink. There are {n} kinds of {food} and[ {m}| some] drinks,
          but {k} pairs are not sold. How many pairs can {he} take?
        - With {n} kinds of {food} and[ {m}| some] drinks, {who} makes pairs of one {food} and one drink.
          {He} dislikes {k} pairs. How many pairs are left?
        """,
        numbers={"n": range(3, 30), "m": range(2, 10), "k": range(2, 30)},
        words={"who": NAMES, "food": FOOD},
        max_result=300,
        solution="""
        In all there are {all = n * m} pairs.
        There are {left = all - k} pairs left.
        """,
        claim="In all there are {all?} pairs.",
    ),
)
