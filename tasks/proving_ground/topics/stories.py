"""Arithmetic stories: things are gathered, given away, packed and shared."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import (
    ANIMALS,
    BOXES,
    FOOD,
    FRUIT,
    GOODS,
    NAMES,
    PEOPLE,
    PLANTS,
    SMALL_THINGS,
    SWEETS,
    VENUES,
    WORK,
)

TOPIC = "stories"

TEMPLATES = (
    Template(
        name="gather_and_sell",
        topic=TOPIC,
        phrasings="""
        - {who} picks {n things} a day[ for {m days}]. {He} sells {k} of them.
          How many {things} does {he} have left?
        - Each day {who} picks {n things}. {He} does this[ for {m days}| for some days] and then sells {k things}.
          How many {things} are left?
        - {who} sells {k things} at the {venue}. Before that {he} picked {n things} a day[ for {m days}].
          How many {things} does {he} still have?
        """,
        numbers={"n": range(3, 60), "m": range(2, 10), "k": range(2, 200)},
        words={"who": NAMES, "thing": FRUIT, "venue": VENUES},
        solution="""
        {who} picks {all = n * m things}.
        {He} has {left = all - k things} left.
        """,
        claim="All in all {who} picked {all? things}.",
        max_result=500,
    ),
    Template(
        name="give_and_get",
        topic=TOPIC,
        phrasings="""
        - {who} has {n things}. {He} gives [{k}|some] of them to {friend} and then finds {m} more.
          How many {things} does {who} have now?
        - {who} had {n things}, gave [{k}|some] to {friend} and later found {m} more.
          {He} counts them now. How many {things} does {he} have?
        - {friend} gets [{k}|some] of the {n things} that {who} has. Then {who} finds {m} more.
          How many {things} does {who} have in the end?
        """,
        numbers={"n": range(10, 200), "k": range(2, 150), "m": range(2, 100)},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS},
        solution="""
        {who} keeps {kept = n - k things}.
        Now {he} has {now = kept + m things}.
        """,
        second_method="""
        With the new ones there are {both = n + m things}.
        Without the given ones there are {now = both - k things}.
        """,
        claim="Before finding more, {who} had {kept? things} left.",
        conditions=("k <= n",),
    ),
    Template(
        name="boxes_and_loose",
        topic=TOPIC,
        phrasings="""
        - {who} has {m boxes}[ of {n things} each| of {things}] and {k} loose {things}.
          {He} gives nothing away. How many {things} does {he} have in all?
        - There are [{n}|some] {things} in each of the {m boxes} that {who} has, and {k} more on the table.
          How many {things} are there in all?
        - {who} fills {m boxes} with [{n}|some] {things} each. {k things} do not fit.
          How many {things} does {who} have?
        """,
        numbers={"n": range(3, 60), "m": range(2, 10), "k": range(2, 60)},
        words={"who": NAMES, "thing": GOODS, "box": BOXES},
        solution="""
        In the {boxes} there are {packed = n * m things}.
        In all there are {all = packed + k things}.
        """,
        claim="All the {boxes} hold {packed? things} together.",
        max_result=500,
    ),
    Template(
        name="share_equally",
        topic=TOPIC,
        phrasings="""
        - {who} shares [{n}|some] {things} equally among {m children}. None is cut or left over.
          How many {things} does each {child} get?
        - {m children} share [{n}|some] {things} equally, and no {thing} is cut or left over.
          How many {things} does each {child} get?
        - {who} has [{n}|some] {things} for {m children}. Each {child} gets the same number, and no {thing} is left.
          How many whole {things} does one {child} get?
        """,
        numbers={"m": range(2, 10), "each": range(2, 60), "n": "m * each"},
        words={"who": NAMES, "thing": SWEETS, "child": PEOPLE},
        solution="Each {child} gets {share = n / m things}.",
        claim="Each {child} gets {share? things}.",
        max_result=400,
    ),
    Template(
        name="share_after_eating",
        topic=TOPIC,
        phrasings="""
        - {who} has {n things}. {He} eats [{k}|some] and shares the rest equally among {m children}, with none left
          over.
          How many {things} does each {child} get?
        - After eating [{k}|some] of {his} {n things}, {who} splits the rest equally among {m children}.
          No {thing} is cut. How many {things} does each {child} get?
        - {m children} share what is left of {n things} equally. {who} ate [{k}|some] of them before.
          How many whole {things} does each {child} get?
        """,
        numbers={"m": range(2, 10), "each": range(2, 30), "k": range(2, 30), "rest": "m * each", "n": "rest + k"},
        words={"who": NAMES, "thing": SWEETS, "child": PEOPLE},
        solution="""
        After eating, {rest = n - k things} are left.
        Each {child} gets {share = rest / m things}.
        """,
        claim="{rest? things} are shared.",
        max_result=300,
    ),
    Template(
        name="more_than_friend",
        topic=TOPIC,
        phrasings="""
        - {who} has {n things}. {friend} has [{k}|some] more than {who}.
          How many {things} do they have together?
        - {friend} has [{k}|some] more {things} than {who}, who has {n}. They put them together.
          How many {things} are there?
        - {who} and {friend} count their {things}. {who} has {n}, and {friend} has [{k}|some] more than that.
          How many {things} do both have in all?
        """,
        numbers={"n": range(5, 200), "k": range(2, 100)},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS},
        solution="""
        {friend} has {other = n + k things}.
        Together they have {all = n + other things}.
        """,
        second_method="""
        Two times the first number is {two = n * 2}.
        With the extra ones there are {all = two + k things}.
        """,
        claim="{friend} alone has {other? things}.",
        max_result=500,
    ),
    Template(
        name="times_as_many",
        topic=TOPIC,
        phrasings="""
        - {who} has {n things}. {friend} has [{m}|several] times as many.
          How many more {things} does {friend} have than {who}?
        - {friend} has [{m}|several] times as many {things} as {who}, who has {n}. They compare.
          By how many {things} is {friend} ahead?
        - {who} owns {n things}, and {friend} owns [{m}|several] times as many. Both keep all of them.
          How many {things} fewer does {who} have?
        """,
        numbers={"n": range(3, 90), "m": range(3, 10)},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS},
        solution="""
        {friend} has {other = n * m things}.
        The difference is {more = other - n things}.
        """,
        second_method="""
        The difference is {less = m - 1} times as many.
        That is {more = n * less things}.
        """,
        claim="{friend} has {other? things}.",
    ),
    Template(
        name="three_days",
        topic=TOPIC,
        phrasings="""
        - {who} bakes {n things} on Monday, [{k}|some] on Tuesday and {m} on Friday. {He} sells {s} of them.
          How many {things} are left?
        - On Monday {who} bakes {n things}, on Tuesday [{k}|some more] and on Friday {m}. {s things} are sold.
          How many {things} does {he} have left?
        - {who} sells {s things}. {He} baked {n} on Monday, [{k}|some] on Tuesday and {m} on Friday.
          How many {things} are not sold?
        """,
        numbers={"n": range(5, 100), "k": range(5, 100), "m": range(5, 100), "s": range(5, 200)},
        words={"who": NAMES, "thing": FOOD},
        solution="""
        By Tuesday {he} has {two = n + k things}.
        By Friday {he} has {all = two + m things}.
        After the sale {left = all - s things} are left.
        """,
        second_method="""
        The last two days make {two = k + m things}.
        All days make {all = n + two things}.
        Then {left = all - s things} are left.
        """,
        claim="In all {who} bakes {all? things}.",
    ),
    Template(
        name="work_left",
        topic=TOPIC,
        phrasings="""
        - {who} has {n pages} to do. {He} does {k pages} a day[ for {m days}].
          How many {pages} are left after that?
        - There are {n pages} to do. {who} does {k} of them each day[ for {m days}| for a while].
          How many {pages} are then left?
        - {who} does {k pages} a day. {He} started with {n pages}[ and worked for {m days}].
          How many {pages} are not done yet?
        """,
        numbers={"n": range(20, 300), "k": range(2, 40), "m": range(2, 10)},
        words={"who": NAMES, "page": WORK},
        solution="""
        {who} does {done = k * m pages}.
        There are {left = n - done pages} left.
        """,
        claim="In that time {who} does {done? pages}.",
    ),
    Template(
        name="two_kinds",
        topic=TOPIC,
        phrasings="""
        - A farm has {n animals} and {m} times as many {beasts}[. {k}|. Some] of the {beasts} are sold.
          How many animals are on the farm then?
        - There are {n animals} on a farm, and {m} times as many {beasts}. The farmer sells [{k}|some] of the {beasts}.
          How many animals are left?
        - A farmer keeps {n animals}. {He} has {m} times as many {beasts}, but then [{k}|some] of the {beasts} go.
          How many animals stay with {who}, the farmer?
        """,
        numbers={"n": range(4, 60), "m": range(2, 8), "k": range(2, 100)},
        words={"who": NAMES, "animal": ANIMALS, "beast": ANIMALS},
        solution="""
        At first there are {many = n * m beasts}.
        Then {stay = many - k beasts} stay.
        In all there are {all = n + stay} animals.
        """,
        second_method="""
        At first there are {many = n * m beasts}.
        There are {both = n + many} animals.
        After the sale there are {all = both - k}.
        """,
        claim="At first there were {many? beasts}.",
        conditions=("k <= many",),
        max_result=500,
    ),
    Template(
        name="plant_rows",
        topic=TOPIC,
        phrasings="""
        - {who} plants {n trees} in {m rows}, the same number in each row. Then {he} adds [{k}|some] to every row.
          How many {trees} are in one row now?
        - {n trees} stand in {m rows} of the same length. {who} plants [{k}|some] more in each row.
          How many {trees} does a row have now?
        - In each of {m rows} {who} plants [{k}|some] more {trees}.
          Before, all the rows together had {n}, equally shared.
          How many {trees} are in one row now?
        """,
        numbers={"m": range(2, 10), "each": range(3, 50), "n": "m * each", "k": range(2, 20)},
        words={"who": NAMES, "tree": PLANTS},
        solution="""
        At first a row has {first = n / m trees}.
        Now a row has {now = first + k trees}.
        """,
        second_method="""
        The new ones are {new = m * k trees}.
        In all there are {all = n + new trees}.
        A row has {now = all / m trees}.
        """,
        claim="Before that, a row had {first? trees}.",
        max_result=500,
    ),
)
