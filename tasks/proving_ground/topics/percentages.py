"""Percentages: shares, discounts and raises in round numbers."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import FRUIT, GOODS, NAMES, PEOPLE, PLANTS, SMALL_THINGS, VENUES

TOPIC = "percentages"

TEMPLATES = (
    Template(
        name="percent_of",
        topic=TOPIC,
        phrasings="""
        - A {venue} has {n} {people}, and[ {p}%| some] of them are new. How many {people} are new?
          Nobody is counted twice.
        - Of {n} {people} at a {venue},[ {p}%| some] are new. The others are not. How many new {people} are there?
        - There are {n} {people} at the {venue}.[ {p}%| Some] of them are new. How many {people} are new?
        """,
        numbers={"u": range(1, 10), "n": "u * 100", "p": range(2, 60)},
        words={"venue": VENUES, "person": PEOPLE},
        conditions=("p <= 100",),
        solution="""
        1% is {one = n / 100}.
        {p}% is {some = one * p people}.
        """,
        second_method="""
        All times the percent is {times = n * p}.
        Then {some = times / 100 people} are new.
        """,
        claim="1% of the {people} is {one?}.",
        max_result=900,
    ),
    Template(
        name="discount",
        topic=TOPIC,
        phrasings="""
        - {A thing} costs ${n}. {who} gets[ {p}%| something] off. How many dollars does {he} pay?
        - {who} buys {a thing}. The price was ${n}, but now it is[ {p}%|] lower. How many dollars does {he} pay?
        - The price of {a thing} falls[ by {p}%] from ${n}. {who} buys one. How many dollars does it cost now?
        """,
        numbers={"u": range(2, 50), "n": "u * 10", "t": range(2, 10), "p": "t * 10"},
        words={"who": NAMES, "thing": GOODS},
        style="money",
        conditions=("p <= 100",),
        solution="""
        10% is {ten = n / 10} dollars.
        The part is {times = p / 10} times 10%.
        {p}% is {off = ten * times} dollars.
        {who} pays {pay = n - off} dollars.
        """,
        second_method="""
        {who} pays {rest = 100 - p} percent.
        1% is {one = n / 100} dollars.
        {who} pays {pay = one * rest} dollars.
        """,
        claim="The price falls by {off?} dollars.",
    ),
    Template(
        name="raise",
        topic=TOPIC,
        phrasings="""
        - {who} earns ${n} a week. {His} pay goes up[ by {p}%]. How many dollars a week does {he} earn then?
        - The pay of {who} is ${n} a week. It rises[ by {p}%| a little]. How many dollars does {he} get then?
        - {who} got ${n} a week. Now {he} gets[ {p}%|] more. How many dollars a week is that?
        """,
        numbers={"u": range(1, 9), "n": "u * 100", "p": range(2, 50)},
        words={"who": NAMES},
        style="money",
        solution="""
        1% is {one = n / 100} dollars.
        The raise is {up = one * p} dollars.
        The new pay is {pay = n + up} dollars.
        """,
        second_method="""
        The new pay is {new = 100 + p} percent.
        1% is {one = n / 100} dollars.
        The new pay is {pay = one * new} dollars.
        """,
        claim="The raise is {up?} dollars.",
    ),
    Template(
        name="percent_left",
        topic=TOPIC,
        phrasings="""
        - {who} has {n things} and sells[ {p}%| some] of them. How many {things} are left?
        - There are {n things} in a box. {who} takes[ {p}%| some] of them. How many {things} are still there?
        - {who} gives[ {p}%| some] of {his} {n things} to {friend}. How many {things} does {who} keep?
          Count whole ones.
        """,
        numbers={"u": range(2, 40), "n": "u * 10", "t": range(2, 10), "p": "t * 10"},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS},
        conditions=("p <= 100",),
        solution="""
        10% is {ten = n / 10 things}.
        {p}% has {times = p / 10} such parts.
        That is {gone = ten * times things}.
        There are {left = n - gone things} left.
        """,
        second_method="""
        There stay {rest = 100 - p} percent.
        All times that is {times = n * rest}.
        There are {left = times / 100 things} left.
        """,
        claim="After that, {left? things} were left.",
    ),
    Template(
        name="what_percent",
        topic=TOPIC,
        phrasings="""
        - {who} picks {n things}.[ {k}| Some] of them are bad. What percent of the {things} are bad?
        - Of {n things},[ {k}| some] are bad. {who} throws them away. What percent of the {things} is that?
        - {who} finds[ {k}| some] bad {things} among {n}. What percent of the {things} are bad? Give a number.
        """,
        numbers={"n": (10, 20, 25, 40, 50, 100, 200, 300, 400, 500), "k": range(1, 200)},
        words={"who": NAMES, "thing": FRUIT},
        style="decimal",
        conditions=("k <= n",),
        solution="""
        100 times the part is {times = k * 100}.
        That is {percent = times / n} percent.
        """,
        second_method="""
        One of them is {one = 100 / n} percent.
        That is {percent = one * k} percent.
        """,
        claim="Of the {things}, {k?} are bad and no more.",
        max_result=20000,
    ),
    Template(
        name="grow_and_lose",
        topic=TOPIC,
        phrasings="""
        - {who} plants {n trees}.[ {p}%| Some] of them die, and {he} plants {k} new ones. How many {trees} live now?
        - Of {n trees} in a garden,[ {p}%| some] die. Then {who} plants {k} more. How many {trees} live now?
        - {who} had {n trees}. A storm broke[ {p}%| some] of them, so {he} bought {k} more.
          How many {trees} are good now?
        """,
        numbers={"u": range(1, 10), "n": "u * 100", "p": range(2, 60), "k": range(5, 90)},
        words={"who": NAMES, "tree": PLANTS},
        conditions=("p <= 100",),
        solution="""
        1% is {one = n / 100 trees}.
        The loss is {gone = one * p trees}.
        Then {left = n - gone trees} are left.
        Now there are {now = left + k trees}.
        """,
        second_method="""
        There live {rest = 100 - p} percent.
        1% is {one = n / 100 trees}.
        So {left = one * rest trees} are left.
        Now there are {now = left + k trees}.
        """,
        exact_method="""
        {p} times the trees is {times = n * p}.
        The loss is {gone = times / 100 trees}.
        Then {left = n - gone trees} are left.
        Now there are {now = left + k trees}.
        """,
        claim="The loss was {gone? trees}.",
    ),
)
