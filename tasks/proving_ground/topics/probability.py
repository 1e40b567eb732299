"""Simple probability: one thing is drawn without looking, or something is tried many times."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import COLORS, GOODS, NAMES, SMALL_THINGS

TOPIC = "probability"

TEMPLATES = (
    Template(
        name="draw_one",
        topic=TOPIC,
        phrasings="""
        - A bag has {r} {color} {things} and[ {b}| some] {tint} ones. {who} takes one without looking.
          What is the probability that it is {color}?
        - {who} takes one {thing} from a bag without looking. {r} are {color} and[ {b}| the others] are {tint}.
          What is the probability of a {color} one?
        - In a bag are {r} {color} and[ {b}| some] {tint} {things}. {who} draws one by chance.
          How likely is a {color} one?
        """,
        numbers={"r": range(2, 13), "b": range(2, 13)},
        words={"who": NAMES, "thing": SMALL_THINGS, "color": COLORS, "tint": COLORS},
        style="fraction",
        draw_conditions=("all <= 20",),
        solution="""
        In all there are {all = r + b things}.
        The probability is {p = r / all}.
        """,
        claim="The bag has {all? things} in all.",
    ),
    Template(
        name="draw_other",
        topic=TOPIC,
        phrasings="""
        - Of {n things} in a bag,[ {r}| some] are {color}. {who} takes one without looking.
          What is the probability that it is not {color}?
        - {who} draws one of {n things} by chance.[ {r} of them| Some of them] are {color}.
          How likely is one that is not {color}?
        - A bag holds {n things}, and[ {r}| some] of them are {color}. {who} draws one without looking.
          What is the probability of another color than {color}?
        """,
        numbers={"n": range(4, 21), "r": range(2, 19)},
        words={"who": NAMES, "thing": SMALL_THINGS, "color": COLORS},
        style="fraction",
        solution="""
        There are {other = n - r} others.
        The probability is {p = other / n}.
        """,
        claim="There are {other?} others in the bag.",
        conditions=("0 < n",),
    ),
    Template(
        name="expected_hits",
        topic=TOPIC,
        phrasings="""
        - {who} wins a game with probability 1/{q}. {He} plays[ {n} times| many times].
          How many wins can {he} expect?
        - In[ {n}| some] games {who} plays {friend} and wins each with probability 1/{q}. They play fair.
          How many wins can {who} expect?
        - The chance that {who} wins is 1/{q} in every game. {friend} and {he} play[ {n}| some] games.
          How many wins can {who} expect?
        """,
        numbers={"q": range(2, 10), "w": range(3, 90), "n": "q * w"},
        words={"who": NAMES, "friend": NAMES},
        style="fraction",
        conditions=("1 <= q",),
        max_result=500,
        solution="{who} can expect {wins = n / q} wins.",
        claim="Just {n?} games are played.",
    ),
    Template(
        name="pick_a_person",
        topic=TOPIC,
        phrasings="""
        - A class has {g} girls and[ {b}| some] boys. {who} picks one of them by chance. How likely is it a boy?
        - There are[ {b}| some] boys and {g} girls in a group. {who} picks one without looking.
          What is the probability of a boy?
        - {who} writes the names of {g} girls and[ {b}| some] boys on cards and draws one card.
          What is the probability of a boy?
        """,
        numbers={"g": range(2, 15), "b": range(2, 15)},
        words={"who": NAMES},
        style="fraction",
        draw_conditions=("all <= 24",),
        solution="""
        In all there are {all = g + b} children.
        The probability is {p = b / all}.
        """,
        claim="In all there are {all?} children.",
    ),
    Template(
        name="three_colors",
        topic=TOPIC,
        phrasings="""
        - A box has {r} {color}, {b} {tint} and[ {k}| some] {shade} {things}. {who} takes one without looking.
          What is the probability that it is {color} or {tint}?
        - {who} draws one {thing} by chance. There are {r} {color}, {b} {tint} and[ {k}| some] {shade} ones.
          How likely is a {color} or {tint} one?
        - Of the {things} in a box, {r} are {color}, {b} {tint} and[ {k}| some] {shade}. {who} takes one by chance.
          What is the probability of {color} or {tint}?
        """,
        numbers={"r": range(2, 10), "b": range(2, 10), "k": range(2, 10)},
        words={"who": NAMES, "thing": SMALL_THINGS, "color": COLORS, "tint": COLORS, "shade": COLORS},
        style="fraction",
        draw_conditions=("all <= 20",),
        solution="""
        There are {good = r + b} right ones.
        In all there are {all = good + k things}.
        The probability is {p = good / all}.
        """,
        second_method="""
        Without the first color there are {two = b + k things}.
        In all there are {all = r + two things}.
        Of these {good = all - k} are right ones.
        The probability is {p = good / all}.
        """,
        claim="The box has {all? things} in all.",
    ),
    Template(
        name="lucky_tickets",
        topic=TOPIC,
        phrasings="""
        - {who} has {n} tickets, and[ {w}| some] of them win. {friend} draws one by chance.
          How likely is it that {friend} wins?
        - Of {n} tickets[ {w}| some] win. {who} gives {friend} one by chance. How likely is it that {friend} wins?
        - There are {n} tickets, and[ {w}| some] of them win {a thing}. {who} takes one by chance.
          How likely is it that {he} wins?
        """,
        numbers={"n": (10, 12, 15, 20, 24, 25, 30, 40, 50, 60), "w": range(2, 30)},
        words={"who": NAMES, "friend": NAMES, "thing": GOODS},
        style="fraction",
        conditions=("w <= n",),
        draw_conditions=("w < n",),
        solution="The chance is {p = w / n}.",
        claim="Just {w?} of the tickets win.",
    ),
)
