"""Unit conversion: metres, grams, litres, dozens and feet."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import BOXES, FOOD, FRUIT, LIQUIDS, NAMES, POWDERS, VEHICLES

TOPIC = "units"

TEMPLATES = (
    Template(
        name="cutting_rope",
        topic=TOPIC,
        phrasings="""
        - {who} cuts a rope of {n} m into pieces of[ {k} cm| equal length]. No rope is left over.
          How many pieces does {he} get?
        - A rope is {n} m long. {who} cuts all of it into pieces, each[ {k} cm| equally] long.
          How many pieces are there?
        - {who} has a rope of {n} m. {He} makes pieces of[ {k} cm| equal length] and uses all the rope.
          How many pieces are there?
        """,
        numbers={"n": range(2, 10), "k": (4, 5, 10, 20, 25, 40, 50)},
        words={"who": NAMES},
        solution="""
        The rope has {cm = n * 100} cm.
        That makes {pieces = cm / k} pieces.
        """,
        second_method="""
        Each m gives {per = 100 / k} pieces.
        In all it is {pieces = per * n} pieces.
        """,
        claim="The rope has {cm?} cm.",
    ),
    Template(
        name="bags_of_powder",
        topic=TOPIC,
        phrasings="""
        - {who} fills {m} bags with[ {k}| some] grams of {flour} each. {He} had {n} kg. How many grams are left?
          1 kg is 1000 grams.
        - From {n} kg of {flour} {who} fills {m} bags of[ {k} grams| equal weight]. How many grams are left?
        - {who} has {n} kg of {flour}. {He} fills {m} bags, each with[ {k} grams| the same].
          How many grams of {flour} are left?
        """,
        numbers={"n": range(1, 6), "m": range(2, 10), "k": range(20, 500, 10)},
        words={"who": NAMES, "flour": POWDERS},
        style="decimal",
        solution="""
        There are {grams = n * 1000} grams.
        The bags take {used = m * k} grams.
        There are {left = grams - used} grams left.
        """,
        claim="All the bags take {used?} grams.",
        max_result=5000,
    ),
    Template(
        name="litres_to_ml",
        topic=TOPIC,
        phrasings="""
        - {who} drinks {k} ml of {liquid} every day[ for {t days}]. {He} had {n} litres. How many ml are left?
          1 litre is 1000 ml.
        - From {n} litres of {liquid} {who} takes {k} ml a day[ for {t days}]. How many ml are left then?
        - A can has {n} litres of {liquid}. {who} uses {k} ml on each of[ {t}| a few] days. How many ml are left?
        """,
        numbers={"n": range(1, 6), "t": range(2, 10), "k": range(20, 500, 10)},
        words={"who": NAMES, "liquid": LIQUIDS},
        style="decimal",
        solution="""
        There are {ml = n * 1000} ml.
        {who} uses {used = k * t} ml.
        There are {left = ml - used} ml left.
        """,
        claim="In that time {who} uses {used?} ml.",
        max_result=5000,
    ),
    Template(
        name="dozens",
        topic=TOPIC,
        phrasings="""
        - {who} buys[ {n}| some] dozen {things} and uses {k} of them. How many {things} are left?
          A dozen is 12.
        - A {box} holds a dozen {things}. {who} has[ {n}| some] of them and eats {k things}.
          How many {things} are left?
        - {who} uses {k things} out of[ {n}| some] dozen. The rest is kept. How many {things} are kept?
        """,
        numbers={"n": range(2, 30), "k": range(2, 200)},
        words={"who": NAMES, "thing": FOOD + FRUIT, "box": BOXES},
        solution="""
        At first there are {all = n * 12 things}.
        Then {left = all - k things} are left.
        """,
        claim="At first there are {all? things}.",
        max_result=400,
    ),
    Template(
        name="metres_and_cm",
        topic=TOPIC,
        phrasings="""
        - A plank is {n} m and {k} cm long. {who} cuts[ {c} cm| a bit] off. How many cm are left?
          1 m is 100 cm.
        - {who} cuts[ {c} cm| a bit] from a plank of {n} m and {k} cm. How many cm long is it now?
        - {who} has a plank of {n} m and {k} cm. {He} needs to take[ {c} cm| a bit] away.
          How many cm long will it be?
        """,
        numbers={"n": range(2, 10), "k": range(2, 100), "c": range(5, 300)},
        words={"who": NAMES},
        style="decimal",
        solution="""
        The metres have {cm = n * 100} cm.
        The plank has {all = cm + k} cm.
        Then {left = all - c} cm are left.
        """,
        second_method="""
        The metres have {cm = n * 100} cm.
        Without the cut part it is {rest = cm - c} cm.
        Then {left = rest + k} cm are left.
        """,
        claim="The whole plank has {all?} cm.",
    ),
    Template(
        name="km_to_m",
        topic=TOPIC,
        phrasings="""
        - {who} walks {n} km to a shop. Every minute {he} walks[ {v} m| at one speed]. How many minutes does it take?
          1 km is 1000 m.
        - A way is {n} km long. {who} walks[ {v} m| on] each minute. How many minutes does {he} need?
        - {who} goes {n} km and walks[ {v} m a minute| slowly]. {He} never stops. How many minutes does it take?
        """,
        numbers={"n": range(1, 10), "v": (20, 25, 40, 50, 80, 100)},
        words={"who": NAMES},
        style="decimal",
        solution="""
        The way has {m = n * 1000} m.
        It takes {time = m / v} minutes.
        """,
        claim="The way has {m?} m.",
        max_result=9000,
    ),
    Template(
        name="feet_and_inches",
        topic=TOPIC,
        phrasings="""
        - A {car} is {f} feet and {i inches} long. A trailer adds[ {k inches}| a bit].
          How many inches long is it in all?
          1 foot is 12 inches.
        - {who} measures {a car}: {f} feet and {i inches}. A box behind it has[ {k inches}| some more].
          How many inches do both have?
        - {who}'s {car} has {f} feet and {i inches}. {He} adds a part[ of {k inches}]. How many inches long is it now?
        """,
        numbers={"f": range(10, 50), "i": range(2, 12), "k": range(5, 60)},
        words={"who": NAMES, "car": VEHICLES},
        style="decimal",
        max_result=600,
        solution="""
        The feet have {feet = f * 12} inches.
        With the inches it is {both = feet + i} inches.
        In all it is {all = both + k} inches.
        """,
        second_method="""
        The inches make {both = i + k} inches.
        The feet have {feet = f * 12} inches.
        In all it is {all = feet + both} inches.
        """,
        claim="The feet alone make {feet?} inches.",
    ),
)
