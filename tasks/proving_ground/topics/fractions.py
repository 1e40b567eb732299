"""Fractions of things: a part is eaten, sold or painted, and the question asks for the remainder."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import FOOD, FRUIT, GOODS, LIQUIDS, NAMES, PEOPLE, SMALL_THINGS

TOPIC = "fractions"

TEMPLATES = (
    Template(
        name="fraction_of",
        topic=TOPIC,
        phrasings="""
        - {who} has[ {n}| some] {things}. {He} sells {k}/{q} of them. How many {things} does {he} sell?
        - {k}/{q} of[ the {n}| the] {things} in a bag belong to {who}. {He} takes them.
          How many {things} does {he} take?
        - Of[ {n}| all] {things}, {k}/{q} are sold today. {who} sells them. How many {things} does {he} sell?
        """,
        numbers={"q": range(2, 10), "k": range(1, 9), "part": range(2, 30), "n": "part * q"},
        words={"who": NAMES, "thing": FRUIT},
        conditions=("k <= q",),
        draw_conditions=("k coprime q", "1 < k"),
        solution="""
        1/{q} is {part = n / q things}.
        {k}/{q} is {some = part * k things}.
        """,
        second_method="""
        {k} times all is {times = n * k}.
        Then {some = times / q things} are sold.
        """,
        claim="1/{q} of the {things} is {part?}.",
    ),
    Template(
        name="fraction_left",
        topic=TOPIC,
        phrasings="""
        - {who} bakes {n things} and eats[ 1/{q}| some] of them. How many {things} are left?
        - There were {n things}. {who} sold[ 1/{q}| a part] of them. How many {things} are left?
        - {who} gives away[ 1/{q}| a part] of {his} {n things}. The rest stays here. How many {things} stay?
        """,
        numbers={"q": range(3, 10), "part": range(2, 50), "n": "part * q"},
        words={"who": NAMES, "thing": FOOD},
        conditions=("1 < q",),
        max_result=400,
        solution="""
        1/{q} is {part = n / q things}.
        There are {left = n - part things} left.
        """,
        second_method="""
        The rest is {less = q - 1} parts of {q}.
        One part is {part = n / q things}.
        There are {left = part * less things} left.
        """,
        claim="After that, {left? things} were left.",
    ),
    Template(
        name="half_and_more",
        topic=TOPIC,
        phrasings="""
        - {who} had {n things}. {He} gave half of them to {friend} and then[ {k}| some] more to a sister.
          How many {things} are left?
        - {friend} got half of the {n things} that {who} had. {who} then lost[ {k}| some] more.
          How many {things} does {who} have left?
        - {who} sold half of {his} {n things} to {friend} and[ {k}| some] more at a shop. The rest stayed at home.
          How many {things} stayed at home?
        """,
        numbers={"half": range(8, 200), "n": "half * 2", "k": range(2, 100)},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS},
        max_result=400,
        solution="""
        Half of them is {half = n / 2 things}.
        Then {left = half - k things} are left.
        """,
        second_method="""
        Twice the lost ones is {double = k * 2}.
        Without them {rest = n - double things} remain.
        Then {left = rest / 2 things} are left.
        """,
        claim="{friend} counted {half? things} from {who}.",
    ),
    Template(
        name="two_parts",
        topic=TOPIC,
        phrasings="""
        - Of {n people}, 1/{p} come by bus and[ 1/{q}| some] walk. The rest come by bike.
          How many {people} come by bike?
        - A group has {n people}. 1/{p} of all take the bus,[ 1/{q} of all| some] walk, and the rest ride a bike.
          How many {people} ride a bike?
        - 1/{p} of {n people} came by bus and[ 1/{q}| others] on foot. All others came by bike.
          How many {people} came by bike?
        """,
        numbers={"p": range(2, 7), "q": range(2, 10), "u": range(2, 12), "n0": "p * q", "n": "n0 * u"},
        words={"person": PEOPLE},
        draw_conditions=("p != q",),
        max_result=500,
        solution="""
        By bus: {bus = n / p people}.
        On foot: {foot = n / q people}.
        These are {both = bus + foot people}.
        By bike: {bike = n - both people}.
        """,
        second_method="""
        By bus: {bus = n / p people}.
        Then {rest = n - bus people} remain.
        On foot: {foot = n / q people}.
        By bike: {bike = rest - foot people}.
        """,
        claim="{bus? people} took the bus.",
    ),
    Template(
        name="whole_from_part",
        topic=TOPIC,
        phrasings="""
        - {who} reads[ {n}| some] pages. That is {k}/{q} of {his} book. How many pages does the book have?
        - {k}/{q} of {who}'s book is[ {n}| some] pages. {He} counts them all. How many pages does the book have?
        - {who} has read {k}/{q} of a book[, which is {n} pages]. The book is new. How many pages does it have?
        """,
        numbers={"q": range(2, 10), "k": range(2, 9), "part": range(3, 50), "n": "part * k"},
        words={"who": NAMES},
        conditions=("k <= q",),
        draw_conditions=("k coprime q",),
        max_result=500,
        solution="""
        1/{q} of the book is {part = n / k} pages.
        The book has {all = part * q} pages.
        """,
        second_method="""
        {q} times the pages is {times = n * q}.
        The book has {all = times / k} pages.
        """,
        claim="1/{q} of the book is {part?} pages.",
    ),
    Template(
        name="pouring_cups",
        topic=TOPIC,
        phrasings="""
        - {who} has {n} litres of {liquid}. One cup holds 1/{q} litre. {He} has[ filled {k} cups| filled some cups].
          How many more cups can {he} fill?
        - A cup holds 1/{q} litre of {liquid}. {who} has {n} litres and has filled[ {k} cups| some cups] so far.
          How many more cups can {he} fill?
        - From {n} litres of {liquid} {who} fills cups of 1/{q} litre.[ {k}| Some] cups are full now.
          How many more cups can {he} fill?
        """,
        numbers={"n": range(3, 40), "q": range(2, 9), "k": range(2, 60)},
        words={"who": NAMES, "liquid": LIQUIDS},
        max_result=300,
        solution="""
        In all it makes {all = n * q} cups.
        There are {left = all - k} cups left to fill.
        """,
        claim="All the {liquid} fills {all?} cups.",
    ),
    Template(
        name="add_fractions",
        topic=TOPIC,
        phrasings="""
        - {who} paints {k}/{q} of a wall, and {friend} paints[ {m}/{q}| a part] of it.
          They paint different parts. What fraction of the wall is painted?
        - {friend} ate[ {m}/{q}| a part] of a pie and {who} ate {k}/{q} of it. What fraction of the pie is gone?
          Write one fraction.
        - {who} drinks {k}/{q} litre of {liquid}. {friend} drinks[ {m}/{q} litre| some].
          How many litres do they drink in all?
        """,
        numbers={"q": range(3, 13), "k": range(1, 12), "m": range(1, 12)},
        words={"who": NAMES, "friend": NAMES, "liquid": LIQUIDS},
        style="fraction",
        conditions=("all <= q unless liquid",),
        draw_conditions=("k < q", "m < q", "all <= q"),
        solution="""
        There are {all = k + m} parts.
        The fraction is {sum = all / q}.
        """,
        claim="The two parts are {all?}/{q} in all.",
    ),
    Template(
        name="fraction_of_left",
        topic=TOPIC,
        phrasings="""
        - {who} has {n things}. {He} sells {k} and then gives 1/{q} of the rest away.
          How many {things} does {he} give away?
        - After[ {k}| some] of {n things} are sold, {who} packs 1/{q} of the rest. How many {things} does {he} pack?
          Count whole ones.
        - {who} sells[ {k}| some] of {his} {n things}. Then 1/{q} of the rest breaks. How many {things} break?
        """,
        numbers={"q": range(2, 10), "part": range(2, 40), "rest": "part * q", "k": range(3, 80), "n": "rest + k"},
        words={"who": NAMES, "thing": GOODS},
        max_result=500,
        solution="""
        After the sale {rest = n - k things} are left.
        1/{q} of that is {part = rest / q things}.
        """,
        claim="After the sale {rest? things} were left.",
    ),
)
