"""Rates: so much per hour, per minute, per litre."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import GOODS, LIQUIDS, MACHINES, NAMES, VEHICLES, WORK

TOPIC = "rates"

TEMPLATES = (
    Template(
        name="trip_left",
        topic=TOPIC,
        phrasings="""
        - {A car} goes {v} km an hour[ for {t hours}]. The whole trip is {d} km.
          How many km are left?
        - The trip is {d} km long. {who}'s {car} goes {v} km in each hour and has driven[ for {t hours}| for a while].
          How many km are left to go?
        - {who} rides {a car} at {v} km an hour. {He} has a trip of {d} km[ and rides for {t hours}].
          How many km does {he} still have to go?
        """,
        numbers={"v": range(20, 100), "t": range(2, 9), "d": range(100, 900)},
        words={"who": NAMES, "car": VEHICLES},
        solution="""
        The {car} goes {done = v * t} km.
        There are {left = d - done} km left.
        """,
        claim="The {car} has gone {done?} km by then.",
    ),
    Template(
        name="same_speed",
        topic=TOPIC,
        phrasings="""
        - {A car} goes {d} km in {t hours}. It keeps the same speed[ for {s hours}].
          How many km does it go in that time?
        - In {t hours} {a car} goes {d} km. {who} keeps the same speed.
          How many km does {he} go in [{s}|the next] hours?
        - {who} rides {d} km in {t hours}. Then {he} rides[ {s hours}| on] at the same speed.
          How many km does the {car} go in the second part?
        """,
        numbers={"t": range(2, 9), "v": range(20, 100), "d": "v * t", "s": range(2, 10)},
        words={"who": NAMES, "car": VEHICLES},
        style="decimal",
        draw_conditions=("s != t",),
        solution="""
        In one hour it goes {v = d / t} km.
        In all it goes {far = v * s} km.
        """,
        second_method="""
        All km times the new hours is {product = d * s}.
        In all it goes {far = product / t} km.
        """,
        claim="Its speed is {v?} km an hour.",
    ),
    Template(
        name="machine_output",
        topic=TOPIC,
        phrasings="""
        - {A machine} makes {n things} in {t minutes}. It works at the same rate.
          How many {things} does it make in [{s}|the next few] minutes?
        - In {t minutes} {a machine} makes {n things}. {who} lets it run[ for {s minutes}].
          How many {things} does it make in that time?
        - {who} has {a machine} that makes {n things} in {t minutes}. It runs[ for {s minutes}| for a while].
          How many {things} does {he} get?
        """,
        numbers={"t": range(2, 10), "rate": range(2, 30), "n": "rate * t", "s": range(2, 20)},
        words={"who": NAMES, "machine": MACHINES, "thing": GOODS},
        draw_conditions=("s != t",),
        solution="""
        In one minute it makes {rate = n / t things}.
        So it makes {made = rate * s things}.
        """,
        second_method="""
        For all minutes together, {product = n * s}.
        So it makes {made = product / t things}.
        """,
        claim="It makes {rate? things} in one minute.",
    ),
    Template(
        name="two_machines",
        topic=TOPIC,
        phrasings="""
        - One {machine} makes {n things} an hour and another makes {k}. Both run[ for {t hours}].
          How many {things} do they make in all?
        - Two {machines} run[ for {t hours}| for a while]. One makes {n things} an hour, the other {k}.
          How many {things} are made in all?
        - {who} has two {machines}. In an hour one makes {n things} and the other {k}. {He} runs both[ for {t hours}].
          How many {things} does {he} get?
        """,
        numbers={"n": range(5, 60), "k": range(5, 60), "t": range(2, 10)},
        words={"who": NAMES, "machine": MACHINES, "thing": GOODS},
        solution="""
        In one hour they make {both = n + k things}.
        In all they make {all = both * t things}.
        """,
        second_method="""
        The first makes {one = n * t things}.
        The second makes {two = k * t things}.
        In all they make {all = one + two things}.
        """,
        claim="Together they make {both? things} an hour.",
    ),
    Template(
        name="moving_apart",
        topic=TOPIC,
        phrasings="""
        - {who} and {friend} start at one place and ride in opposite directions at {v} and {w} km an hour.
          Neither stops. How many km apart are they after [{t}|some] hours?
        - Two friends leave a town in opposite directions. {who} rides {v} km an hour and {friend} {w}.
          How far apart are they in km after [{t}|some] hours?
        - At {v} and {w} km an hour, {who} and {friend} ride away from each other[ for {t hours}].
          They start at the same place. How many km apart are they in the end?
        """,
        numbers={"v": range(5, 40), "w": range(5, 40), "t": range(2, 8)},
        words={"who": NAMES, "friend": NAMES},
        style="decimal",
        solution="""
        In one hour they get {both = v + w} km apart.
        After all hours it is {apart = both * t} km.
        """,
        second_method="""
        {who} rides {one = v * t} km.
        {friend} rides {two = w * t} km.
        They are {apart = one + two} km apart.
        """,
        claim="After one hour they are {both?} km apart.",
    ),
    Template(
        name="catching_up",
        topic=TOPIC,
        phrasings="""
        - {who} walks {v} m a minute and {friend} runs {w} m a minute behind {him}. {friend} is[ {d} m] behind now.
          After how many minutes do they meet?
        - {friend} is[ {d} m| some way] behind {who}. {who} walks {v} m a minute, {friend} runs {w} m a minute.
          In how many minutes does {friend} reach {him}?
        - {who} is[ {d} m] ahead of {friend} and walks {v} m a minute. {friend} follows at {w} m a minute.
          How many minutes does it take until they meet?
        """,
        numbers={"v": range(20, 70), "gain": range(5, 60), "w": "v + gain", "t": range(2, 10), "d": "gain * t"},
        words={"who": NAMES, "friend": NAMES},
        style="decimal",
        solution="""
        Each minute {friend} gets {gain = w - v} m closer.
        They meet after {time = d / gain} minutes.
        """,
        claim="{friend} gets {gain?} m closer each minute.",
        conditions=("v < w",),
    ),
    Template(
        name="filling_tank",
        topic=TOPIC,
        phrasings="""
        - A tank holds {n} litres of {liquid}. It has {k} litres now and gets[ {r} litres| some more] each minute.
          How many minutes does it take to fill it?
        - {who} pours[ {r} litres of|] {liquid} into a tank each minute. It holds {n} litres and has {k} litres now.
          After how many minutes is it full?
        - There are {k} litres of {liquid} in a tank for {n} litres. {who} adds[ {r} litres| some] every minute.
          After how many minutes is the tank full?
        """,
        numbers={"r": range(2, 10), "t": range(3, 50), "gap": "r * t", "k": range(5, 100), "n": "gap + k"},
        words={"who": NAMES, "liquid": LIQUIDS},
        style="decimal",
        solution="""
        The tank still needs {gap = n - k} litres.
        It takes {time = gap / r} minutes.
        """,
        claim="There is room for {gap?} litres more.",
        max_result=500,
    ),
    Template(
        name="work_speed",
        topic=TOPIC,
        phrasings="""
        - {who} does {n pages} an hour and {friend} does {k}. They work together on[ {w}| some] {pages}.
          How many hours do they need?
        - Together {who} and {friend} do[ {w}| all the] {pages}. {who} does {n} an hour and {friend} {k}.
          How many hours does it take them?
        - There are[ {w}| some] {pages} to do. Each hour {who} does {n} and {friend} does {k}.
          How many hours do they need together?
        """,
        numbers={"n": range(2, 20), "k": range(2, 20), "both": "n + k", "t": range(2, 10), "w": "both * t"},
        words={"who": NAMES, "friend": NAMES, "page": WORK},
        style="decimal",
        solution="""
        In one hour they do {both = n + k pages}.
        They need {time = w / both} hours.
        """,
        claim="Together they do {both? pages} an hour.",
    ),
)
