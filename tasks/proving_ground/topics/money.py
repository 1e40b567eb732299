"""Money: prices, change, savings and pay, in dollars."""

from fractions import Fraction

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import FOOD, FRUIT, GOODS, NAMES, PEOPLE, VENUES

TOPIC = "money"
HALVES = tuple(Fraction(n, 2) for n in range(3, 25))
"""Prices from 1.50 to 12 dollars."""

TEMPLATES = (
    Template(
        name="change",
        topic=TOPIC,
        phrasings="""
        - {who} buys[ {n}| some] {things} at ${p} each and pays with ${b}. How many dollars does {he} get back?
          Nothing else is bought.
        - {A thing} costs ${p}. {who} takes[ {n}| some] of them and pays with ${b}.
          How many dollars does {he} get back?
        - {who} has ${b}. {He} buys[ {n}| some] {things} for ${p} each. How many dollars are left?
        """,
        numbers={"n": range(2, 10), "p": HALVES, "b": (10, 20, 30, 40, 50, 60, 80, 100)},
        words={"who": NAMES, "thing": FOOD + FRUIT},
        style="money",
        solution="""
        The {things} cost {cost = n * p} dollars.
        {who} has {back = b - cost} dollars left.
        """,
        claim="In all {he} pays {cost?} dollars for the {things}.",
    ),
    Template(
        name="two_things",
        topic=TOPIC,
        phrasings="""
        - {who} buys {n things} at ${p} each and[ {m}| some] {foods} at ${q} each. How many dollars does {he} pay?
          There is no discount.
        - One {thing} is ${p} and one {food} is ${q}. {who} buys {n things} and[ {m}| some] {foods}.
          How many dollars is that?
        - {who} takes {n things} for ${p} each. {He} also takes[ {m}| some] {foods} for ${q} each.
          How many dollars does {he} pay in all?
        """,
        numbers={"n": range(2, 10), "m": range(2, 10), "p": range(2, 30), "q": range(2, 20)},
        words={"who": NAMES, "thing": GOODS, "food": FOOD},
        style="money",
        solution="""
        The {things} cost {one = n * p} dollars.
        The {foods} cost {two = m * q} dollars.
        {who} pays {all = one + two} dollars.
        """,
        claim="The {foods} cost {two?} dollars together.",
    ),
    Template(
        name="saving_up",
        topic=TOPIC,
        phrasings="""
        - {who} has ${k} and saves[ ${s}| some money] a week for {a thing}.
          After how many weeks does {he} have exactly ${n}?
        - {A thing} costs ${n}. {who} has ${k} and puts[ ${s}| some money] aside each week.
          After how many weeks does {he} have exactly the price?
        - Each week {who} saves[ ${s}| some money] for {a thing} that costs ${n}. {He} has ${k} already.
          In how many weeks will {he} have exactly enough?
        """,
        numbers={"s": range(3, 40), "w": range(2, 10), "gap": "s * w", "k": range(5, 100), "n": "gap + k"},
        words={"who": NAMES, "thing": GOODS},
        style="money",
        whole_results=("weeks",),
        max_result=500,
        solution="""
        {who} still needs {gap = n - k} dollars.
        That takes {weeks = gap / s} weeks.
        """,
        claim="{He} still needs {gap?} dollars.",
    ),
    Template(
        name="price_of_more",
        topic=TOPIC,
        phrasings="""
        - {n things} cost ${c}. {who} buys[ {m}| some] of them at the same price. How many dollars does {he} pay?
          All cost the same.
        - {who} pays ${c} for {n things}. All have the same price. How many dollars
          do[ {m}| some more] {things} cost?
        - At the {venue}, {n things} cost ${c}, all at one price. {who} takes[ {m}| some].
          How many dollars does {he} pay?
        """,
        numbers={"n": range(2, 10), "p": range(2, 40), "c": "n * p", "m": range(2, 10)},
        words={"who": NAMES, "thing": GOODS, "venue": VENUES},
        style="money",
        draw_conditions=("n != m",),
        solution="""
        One costs {one = c / n} dollars.
        {who} pays {pay = one * m} dollars.
        """,
        second_method="""
        The price times the new number is {product = c * m}.
        {who} pays {pay = product / n} dollars.
        """,
        claim="One {thing} costs {one?} dollars.",
    ),
    Template(
        name="pay_and_spend",
        topic=TOPIC,
        phrasings="""
        - {who} earns ${r} an hour and works[ {t hours}| a while]. {He} spends ${s}. How many dollars are left?
          {He} had no money before.
        - For each hour of work {who} gets ${r}. {He} works[ {t hours}| today] and then buys {a thing} for ${s}.
          How many dollars are left?
        - {who} buys {a thing} for ${s} from {his} pay. {He} worked[ {t hours}| some hours] at ${r} an hour.
          How many dollars of it are left?
        """,
        numbers={"r": range(5, 50), "t": range(2, 10), "s": range(3, 200)},
        words={"who": NAMES, "thing": GOODS},
        style="money",
        solution="""
        {who} earns {pay = r * t} dollars.
        Then {left = pay - s} dollars are left.
        """,
        claim="{His} pay is {pay?} dollars in all.",
        max_result=500,
    ),
    Template(
        name="tickets",
        topic=TOPIC,
        phrasings="""
        - A ticket for the {venue} costs ${p} for adults and ${q} for children. {n} adults and[ {m}| some] children go.
          How many dollars do they pay?
        - {n} adults and[ {m}| some] children visit the {venue}. Adults pay ${p} and children pay ${q} each.
          How many dollars is it in all?
        - {who} buys tickets for {n} adults at ${p} each and[ {m}| some] children at ${q} each.
          {He} goes to the {venue}. How many dollars does {he} pay?
        """,
        numbers={"n": range(2, 10), "m": range(2, 10), "p": range(5, 40), "q": range(2, 30)},
        words={"who": NAMES, "venue": VENUES[4:]},
        style="money",
        draw_conditions=("q < p",),
        solution="""
        The adults pay {one = n * p} dollars.
        The children pay {two = m * q} dollars.
        In all it is {all = one + two} dollars.
        """,
        claim="All the adults pay {one?} dollars.",
    ),
    Template(
        name="sharing_a_bill",
        topic=TOPIC,
        phrasings="""
        - {m people} eat for ${n} and give a tip of[ ${k}| some dollars]. They share the cost equally.
          How many dollars does each pay?
        - The bill is ${n}, and the tip is[ ${k}| not known]. {m people} share both equally.
          How many dollars does each pay?
        - {m people} share a bill of ${n}.[ {who} adds a tip of ${k} to it.| {who} adds a tip to it.]
          How many dollars does each of the {m} pay?
        """,
        numbers={"m": range(2, 9), "each": HALVES, "n0": "m * each", "k": range(1, 15), "n": "n0 - k"},
        words={"who": NAMES, "person": PEOPLE},
        style="money",
        draw_conditions=("k < n",),
        solution="""
        In all it is {all = n + k} dollars.
        Each pays {each = all / m} dollars.
        """,
        second_method="""
        Of the bill each pays {meal = n / m} dollars.
        Of the tip each pays {tip = k / m} dollars.
        Each pays {each = meal + tip} dollars.
        """,
        claim="With the tip it is {all?} dollars.",
    ),
    Template(
        name="buy_and_sell",
        topic=TOPIC,
        phrasings="""
        - {who} buys {n things} at ${p} each and sells all of them[ at ${q} each]. How many dollars does {he} win?
          Nothing else is paid.
        - {who} sells {n things}[ at ${q} each]. {He} bought them at ${p} each. How many dollars does {he} win?
        - One {thing} costs {who} ${p}. {He} sells it[ for ${q}| for more].
          How many dollars does {he} win with {n things}?
        """,
        numbers={"n": range(2, 10), "p": range(2, 50), "q": range(3, 80)},
        words={"who": NAMES, "thing": GOODS},
        style="money",
        solution="""
        On one {he} wins {gain = q - p} dollars.
        On all {he} wins {all = gain * n} dollars.
        """,
        second_method="""
        All sell for {in = n * q} dollars.
        All cost {out = n * p} dollars.
        {who} wins {all = in - out} dollars.
        """,
        claim="On each {thing} {he} wins {gain?} dollars.",
    ),
)
