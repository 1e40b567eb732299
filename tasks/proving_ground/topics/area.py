"""Perimeter and area of rectangles, squares and triangles."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import COLORS, NAMES, PLANTS, SURFACES

TOPIC = "area"

TEMPLATES = (
    Template(
        name="fence_around",
        topic=TOPIC,
        phrasings="""
        - A rectangular {yard} is {n} m long and[ {m} m wide| not so wide]. {who} puts a fence around it.
          How many m of fence does {he} need?
        - {who} has a rectangular {yard}. It is {n} m long[ and {m} m wide]. How many m is it around?
        - How long is a fence around a {yard}? {who} measures {n} m for the length[ and {m} m for the width].
          The {yard} is rectangular. How many m is it?
        """,
        numbers={"n": range(4, 99), "m": range(3, 99)},
        words={"who": NAMES, "yard": SURFACES},
        style="decimal",
        draw_conditions=("m < n",),
        solution="""
        Two sides make {half = n + m} m.
        All around it is {around = half * 2} m.
        """,
        second_method="""
        The long sides make {long = n * 2} m.
        The short sides make {short = m * 2} m.
        All around it is {around = long + short} m.
        """,
        claim="One long and one short side make {half?} m.",
    ),
    Template(
        name="floor_area",
        topic=TOPIC,
        phrasings="""
        - A rectangular {yard} is {n} m long and[ {m}| some] m wide. {k} square m of it are wet.
          How many square m are dry?
        - {who} has a rectangular {yard}, {n} m long and[ {m}| some] m wide. A pool takes {k} square m.
          The rest is free. How many square m are free?
        - Of a rectangular {yard} {n} m long and[ {m}| some] m wide, {who} cleans {k} square m.
          How many square m are left to clean?
        """,
        numbers={"n": range(5, 60), "m": range(3, 10), "k": range(4, 200)},
        words={"who": NAMES, "yard": SURFACES},
        style="decimal",
        solution="""
        The whole area is {area = n * m} square m.
        The rest is {rest = area - k} square m.
        """,
        claim="The whole area is {area?} square m.",
        max_result=600,
    ),
    Template(
        name="side_from_perimeter",
        topic=TOPIC,
        phrasings="""
        - A fence around a rectangular {yard} is[ {p} m| rather] long. One side of the {yard} is {n} m.
          How many m is the other side?
        - {who} walks around a rectangular {yard}. That is[ {p} m| a short walk]. One side is {n} m long.
          How many m is the other side?
        - The {yard} of {who} is {n} m long and rectangular.[ All around it measures {p} m.] How many m wide is it?
        """,
        numbers={"n": range(3, 90), "m": range(3, 90), "half": "n + m", "p": "half * 2"},
        words={"who": NAMES, "yard": SURFACES},
        style="decimal",
        conditions=("0 < width",),
        max_result=400,
        solution="""
        Two sides make {half = p / 2} m.
        The other side is {width = half - n} m.
        """,
        second_method="""
        Two such sides make {two = n * 2} m.
        The other two make {rest = p - two} m.
        The other side is {width = rest / 2} m.
        """,
        claim="One long and one short side make {half?} m.",
    ),
    Template(
        name="side_from_area",
        topic=TOPIC,
        phrasings="""
        - A rectangular {yard} covers[ {s}| some] square m. It is {n} m wide. How many m around is it?
        - {who} has a {yard} of[ {s}| some] square m. It is rectangular and {n} m wide. How many m is it around?
        - The {yard} of {who} is rectangular, is {n} m wide and has[ {s} square m| some area].
          How many m of fence go around it?
        """,
        numbers={"n": range(3, 10), "m": range(4, 60), "s": "n * m"},
        words={"who": NAMES, "yard": SURFACES},
        style="decimal",
        solution="""
        The length is {long = s / n} m.
        Two sides make {half = long + n} m.
        All around it is {around = half * 2} m.
        """,
        claim="Its length is {long?} m.",
    ),
    Template(
        name="square_side",
        topic=TOPIC,
        phrasings="""
        - A square {yard} has a fence of[ {p} m| some m] around it. How many square m does the {yard} cover?
          All sides are equal.
        - {who} walks once around a square {yard}.[ That is {p} m.] How many square m is its area?
        - The fence around {who}'s square {yard} is[ {p} m| very] long. What is the area of the {yard} in square m?
        """,
        numbers={"side": range(3, 31), "p": "side * 4"},
        words={"who": NAMES, "yard": SURFACES},
        style="decimal",
        solution="""
        One side is {side = p / 4} m.
        The area is {area = side * side} square m.
        """,
        claim="One side is {side?} m.",
    ),
    Template(
        name="fence_cost",
        topic=TOPIC,
        phrasings="""
        - A fence costs ${c} a metre. {who} puts it around a {yard}[ that is {n} m long and {m} m wide].
          It is rectangular. How many dollars does {he} pay?
        - {who} fences a rectangular {yard}, {n} m long and[ {m}| some] m wide. One metre costs ${c}.
          How many dollars does the fence cost?
        - Around a rectangular {yard} of {n} m by[ {m}| some] m, {who} puts a fence for ${c} a metre.
          How many dollars does it cost?
        """,
        numbers={"n": range(5, 40), "m": range(3, 30), "c": range(2, 10)},
        words={"who": NAMES, "yard": SURFACES},
        style="money",
        draw_conditions=("m < n",),
        solution="""
        Two sides make {half = n + m} m.
        All around it is {around = half * 2} m.
        The fence costs {cost = around * c} dollars.
        """,
        second_method="""
        Two sides make {half = n + m} m.
        They cost {part = half * c} dollars.
        The fence costs {cost = part * 2} dollars.
        """,
        claim="The fence is {around?} m long in all.",
    ),
    Template(
        name="bed_of_plants",
        topic=TOPIC,
        phrasings="""
        - A rectangular bed is {n} m long and {m} m wide. {who} plants[ {k}| some] {trees} on each square m.
          How many {trees} does {he} plant?
        - {who} plants[ {k}| some] {trees} on every square m of a bed.
          It is {n} m long, {m} m wide and rectangular.
          How many {trees} is that?
        - On each square m of a rectangular bed, {n} m by {m} m, {who} puts[ {k}| some] {trees}.
          How many {trees} are there in all?
        """,
        numbers={"n": range(4, 40), "m": range(2, 9), "k": range(2, 9)},
        words={"who": NAMES, "tree": PLANTS},
        solution="""
        The bed has {area = n * m} square m.
        There are {all = area * k trees}.
        """,
        second_method="""
        One m of the length takes {strip = m * k trees}.
        There are {all = n * strip trees}.
        """,
        claim="The bed has {area?} square m.",
    ),
    Template(
        name="triangle_area",
        topic=TOPIC,
        phrasings="""
        - A triangle has a base of {b} cm and a height of[ {h}| some] cm. What is its area in square cm?
          {who} draws it.
        - {who} draws a triangle with base {b} cm[ and height {h} cm]. How many square cm is its area?
          It is {color}.
        - The base of a {color} triangle is {b} cm and its height is[ {h}| some] cm. {who} cut it out.
          What is its area in square cm?
        """,
        numbers={"u": range(2, 45), "b": "u * 2", "h": range(2, 10)},
        words={"who": NAMES, "color": COLORS},
        style="decimal",
        solution="""
        Base times height is {both = b * h}.
        The area is {area = both / 2} square cm.
        """,
        second_method="""
        Half of the base is {half = b / 2} cm.
        The area is {area = half * h} square cm.
        """,
        claim="Base times height is {both?}.",
    ),
)
