"""Ratios: sharing two ways, recipes, scales and mixtures."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import COLORS, FOOD, LIQUIDS, NAMES, POWDERS, SMALL_THINGS

TOPIC = "ratios"

TEMPLATES = (
    Template(
        name="split_ratio",
        topic=TOPIC,
        phrasings="""
        - {who} and {friend} share[ {n}| some] {things} in the ratio {p} to {q}. How many {things} does {who} get?
          {who} is named first in the ratio.
        - [{n}|Some] {things} are shared by {who} and {friend}, {p} for {who} to every {q} for {friend}.
          How many {things} does {who} get?
        - For every {p things} that {who} gets, {friend} gets {q}. In all there are[ {n}| some] {things}.
          How many {things} does {who} get?
        """,
        numbers={"p": range(2, 8), "q": range(2, 8), "sum": "p + q", "u": range(2, 20), "n": "sum * u"},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS},
        draw_conditions=("p != q",),
        max_result=200,
        solution="""
        There are {sum = p + q} parts.
        One part is {one = n / sum things}.
        {who} gets {share = one * p things}.
        """,
        second_method="""
        There are {sum = p + q} parts.
        One part is {one = n / sum things}.
        {friend} gets {other = one * q things}.
        {who} gets {share = n - other things}.
        """,
        exact_method="""
        There are {sum = p + q} parts.
        {p} times all is {times = n * p}.
        {who} gets {share = times / sum things}.
        """,
        claim="One part is {one? things}.",
    ),
    Template(
        name="ratio_one_known",
        topic=TOPIC,
        phrasings="""
        - A paint mix has {p} parts {color} to {q} parts {tint}. {who} uses[ {n}| some] litres of {color}.
          How many litres of {tint} does {he} need?
        - {who} mixes {color} and {tint} paint in the ratio {p} to {q}. {He} has[ {n}| some] litres of {color}.
          How many litres of {tint} does {he} need?
        - For {p} litres of {color} paint {who} takes {q} litres of {tint}. {He} takes[ {n}| some] litres of {color}.
          How many litres of {tint} are needed?
        """,
        numbers={"p": range(2, 9), "q": range(2, 10), "u": range(2, 30), "n": "p * u"},
        words={"who": NAMES, "color": COLORS, "tint": COLORS},
        style="decimal",
        draw_conditions=("p != q",),
        solution="""
        One part is {one = n / p} litres.
        {who} needs {need = one * q} litres.
        """,
        second_method="""
        The litres times the other part is {product = n * q}.
        {who} needs {need = product / p} litres.
        """,
        claim="One part is {one?} litres.",
        max_result=200,
    ),
    Template(
        name="recipe",
        topic=TOPIC,
        phrasings="""
        - {who} needs {n} grams of {flour} for {m things}. How many grams does {he} need for[ {k}| more] {things}?
          Every {thing} takes the same.
        - {m things} take {n} grams of {flour}. {who} makes[ {k}| some] {things} of the same kind.
          How many grams of {flour} does {he} need?
        - To make {m things}, {who} takes {n} grams of {flour}. Today {he} makes[ {k}| some more].
          How many grams of {flour} does {he} need today?
        """,
        numbers={"m": range(2, 10), "each": range(5, 60), "n": "m * each", "k": range(2, 20)},
        words={"who": NAMES, "thing": FOOD, "flour": POWDERS},
        style="decimal",
        draw_conditions=("k != m",),
        solution="""
        One {thing} takes {each = n / m} grams.
        {who} needs {need = each * k} grams.
        """,
        second_method="""
        All grams times the new number is {product = n * k}.
        {who} needs {need = product / m} grams.
        """,
        claim="One {thing} takes {each?} grams.",
    ),
    Template(
        name="map_scale",
        topic=TOPIC,
        phrasings="""
        - On a map, {n} cm stand for {d} km. Two towns are[ {k}| some] cm apart on it. How many km apart are they?
        - A map shows {d} km as {n} cm. {who} measures[ {k}| some] cm between two towns. How many km is that?
        - {who} has a map on which {n} cm mean {d} km. A road is[ {k}| some] cm long there. How many km long is it?
        """,
        numbers={"n": range(2, 9), "u": range(2, 30), "d": "n * u", "k": range(2, 30)},
        words={"who": NAMES},
        style="decimal",
        draw_conditions=("n != k",),
        solution="""
        1 cm stands for {one = d / n} km.
        The distance is {far = one * k} km.
        """,
        second_method="""
        The cm times the km is {product = d * k}.
        The distance is {far = product / n} km.
        """,
        claim="Each cm stands for {one?} km.",
    ),
    Template(
        name="ratio_difference",
        topic=TOPIC,
        phrasings="""
        - {who} and {friend} have {things} in the ratio {p} to {q}. {who} has[ {d}|] more than {friend}.
          How many {things} do they have in all?
        - {who} has {p things} for every {q} that {friend} has.[ {who} has {d} more.] How many {things} are there in
          all?
        - The {things} of {who} and {friend} are in the ratio {p} to {q}.[ The first has {d} more than the second.]
          How many {things} do they have together?
        """,
        numbers={"q": range(2, 8), "gap": range(1, 6), "p": "q + gap", "u": range(2, 20), "d": "gap * u"},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS},
        conditions=("q < p",),
        draw_conditions=("2 <= gap",),
        max_result=300,
        solution="""
        The difference is {gap = p - q} parts.
        One part is {one = d / gap things}.
        There are {sum = p + q} parts.
        In all there are {all = one * sum things}.
        """,
        exact_method="""
        The difference is {gap = p - q} parts.
        {p} times the difference is {more = d * p}.
        {who} has {mine = more / gap things}.
        {friend} has {yours = mine - d things}.
        In all there are {all = mine + yours things}.
        """,
        claim="One part is {one? things}.",
    ),
    Template(
        name="mixing_drink",
        topic=TOPIC,
        phrasings="""
        - {who} mixes {p} cups of {liquid} with {q} cups of {drink}. {He} makes this mix[ {m} times| many times].
          How many cups does {he} make in all?
        - A mix takes {p} cups of {liquid} and {q} cups of {drink}. {who} makes[ {m} such mixes| some of it].
          How many cups are there in all?
        - To {p} cups of {liquid}, {who} adds {q} cups of {drink}. {He} does that[ {m} times| again and again].
          How many cups is that in all?
        """,
        numbers={"p": range(2, 40), "q": range(2, 40), "m": range(2, 10)},
        words={"who": NAMES, "liquid": LIQUIDS, "drink": LIQUIDS},
        style="decimal",
        solution="""
        One mix has {sum = p + q} cups.
        In all there are {all = sum * m} cups.
        """,
        second_method="""
        The first takes {one = p * m} cups.
        The second takes {two = q * m} cups.
        In all there are {all = one + two} cups.
        """,
        claim="One mix has {sum?} cups.",
    ),
    Template(
        name="trade",
        topic=TOPIC,
        phrasings="""
        - {who} trades {p things} for {q} {others}. {He} trades[ {n}| some] {things}. How many {others} does {he} get?
        - For every {p things}, {who} gets {q} {others} from {friend}. {He} gives {friend}[ {n}| some] {things}.
          How many {others} does {he} get?
        - {friend} gives {q} {others} for {p things}. {who} has[ {n}| some] {things} and trades all.
          How many {others} does {he} get?
        """,
        numbers={"p": range(2, 9), "q": range(2, 9), "u": range(2, 30), "n": "p * u"},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS, "other": SMALL_THINGS},
        draw_conditions=("p != q",),
        max_result=250,
        solution="""
        {who} trades {times = n / p} times.
        {He} gets {got = times * q others}.
        """,
        second_method="""
        For all, the product is {product = n * q}.
        {He} gets {got = product / p others}.
        """,
        claim="{who} trades {times?} times and no more.",
    ),
)
