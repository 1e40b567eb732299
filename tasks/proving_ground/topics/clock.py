"""Time: hours and minutes, days and weeks, ages."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import DAYS, NAMES, PEOPLE, VEHICLES, VENUES, WORK

TOPIC = "time"

TEMPLATES = (
    Template(
        name="hours_and_minutes",
        topic=TOPIC,
        phrasings="""
        - A {car} trip takes {h hours} and {m minutes}. It gets[ {d minutes}| a bit] longer.
          How many minutes does it take in all?
        - {who} rides {a car} for {h hours} and {m minutes} and then waits[ {d minutes}| a while].
          How many minutes is that in all?
        - {who} plays for {h hours} and {m minutes}. Then {he} reads[ for {d minutes}| a bit].
          How many minutes does {he} use in all?
        """,
        numbers={"h": range(2, 10), "m": range(2, 60), "d": range(2, 60)},
        words={"who": NAMES, "car": VEHICLES},
        style="decimal",
        solution="""
        The hours have {hours = h * 60} minutes.
        With the minutes it is {both = hours + m} minutes.
        In all it is {all = both + d} minutes.
        """,
        second_method="""
        The minutes make {both = m + d} minutes.
        The hours have {hours = h * 60} minutes.
        In all it is {all = hours + both} minutes.
        """,
        claim="The hours alone make {hours?} minutes.",
    ),
    Template(
        name="weekly_practice",
        topic=TOPIC,
        phrasings="""
        - {who} plays {n minutes} every day and[ {k}| some] more on {sunday}. How many minutes does {he} play in a week?
          Count seven days.
        - Every day of a week {who} plays {n minutes}. On {sunday} {he} adds[ {k minutes}| some time].
          How many minutes is that in a week?
        - On {sunday} {who} plays[ {k minutes}| a bit] more than on other days. All other days have {n minutes}.
          How many minutes does a week have?
        """,
        numbers={"n": range(5, 90), "k": range(5, 60)},
        words={"who": NAMES, "sunday": DAYS},
        style="decimal",
        solution="""
        Seven days make {week = n * 7} minutes.
        With the extra time it is {all = week + k} minutes.
        """,
        second_method="""
        The other six days make {six = n * 6} minutes.
        The long day has {long = n + k} minutes.
        The week has {all = six + long} minutes.
        """,
        claim="Without the extra time, a week has {week?} minutes.",
    ),
    Template(
        name="time_per_piece",
        topic=TOPIC,
        phrasings="""
        - {who} needs {t minutes} for one {page}. {He} does[ {n pages}| a few] and then rests {r minutes}.
          How many minutes does this take?
        - One {page} takes {who} {t minutes}. {He} does[ {n}| some] {pages} and rests {r minutes} at the end.
          How many minutes is that?
        - {who} rests {r minutes}. Before that {he} did[ {n}| some] {pages} in {t minutes} each.
          How many minutes is that in all?
        """,
        numbers={"t": range(2, 60), "n": range(2, 10), "r": range(2, 60)},
        words={"who": NAMES, "page": WORK},
        style="decimal",
        solution="""
        The {pages} take {work = t * n} minutes.
        With the rest it is {all = work + r} minutes.
        """,
        claim="All the {pages} take {work?} minutes.",
    ),
    Template(
        name="age_sum",
        topic=TOPIC,
        phrasings="""
        - {who} is {n} years old, and {friend} is[ {k} years| a bit] older. How old are they together in {t} years?
          Add both ages.
        - {friend} is[ {k} years| a bit] older than {who}, who is {n}. What is the sum of their ages in {t} years?
        - {who} is {n}. {friend} has[ {k} years| some years] more. In {t} years, what will be the sum of their ages?
        """,
        numbers={"n": range(3, 60), "k": range(2, 30), "t": range(2, 20)},
        words={"who": NAMES, "friend": NAMES},
        style="decimal",
        max_result=250,
        solution="""
        {friend} is {other = n + k} now.
        Now the sum is {sum = n + other}.
        Both get older by {older = t * 2} years in all.
        The sum will be {all = sum + older}.
        """,
        second_method="""
        {who} will be {first = n + t}.
        {friend} will be {second = first + k}.
        The sum will be {all = first + second}.
        """,
        claim="Now {friend} is {other?} years old.",
    ),
    Template(
        name="buses_all_day",
        topic=TOPIC,
        phrasings="""
        - {A car} comes to the {venue} every {t minutes}, the first one after {t minutes}.
          {who} waits[ {h hours}| there] and takes the last one just then. How many {cars} come?
        - {who} stays at the {venue}[ for {h hours}]. Every {t minutes} {a car} comes, the first after {t minutes}
          and the last just at the end. How many {cars} come?
        - At the {venue} there is {a car} every {t minutes}, the first after {t}. {who} looks on[ for {h hours}].
          The last {car} comes just at the end. How many {cars} does {he} see?
        """,
        numbers={"t": (2, 3, 4, 5, 6, 10, 12, 15, 20, 30), "h": range(2, 13)},
        words={"who": NAMES, "car": VEHICLES, "venue": VENUES},
        solution="""
        It is {all = h * 60} minutes.
        There come {come = all / t cars}.
        """,
        second_method="""
        In one hour there come {one = 60 / t cars}.
        In all there come {come = one * h cars}.
        """,
        claim="In one hour {who} counts {one? cars}.",
    ),
    Template(
        name="split_hours",
        topic=TOPIC,
        phrasings="""
        - A day at the {venue} has[ {h hours}| some hours]. {m people} guard it, one after another, equally long.
          For how many minutes does each guard it?
        - {m people} share a job of[ {h hours}| some hours] at the {venue}. Each works equally long, alone.
          How many minutes does each work?
        - {who} gives {m people} a job of[ {h hours}| several hours]. They do it in turns of the same length.
          How many minutes does each work?
        """,
        numbers={"h": range(2, 15), "m": range(2, 13)},
        words={"who": NAMES, "person": PEOPLE, "venue": VENUES},
        style="decimal",
        solution="""
        The time is {all = h * 60} minutes.
        Each has {turn = all / m} minutes.
        """,
        claim="The whole time is {all?} minutes.",
    ),
    Template(
        name="late_start",
        topic=TOPIC,
        phrasings="""
        - {who} has {n minutes} at the {venue}. {He} comes[ {k minutes}| a bit] late and leaves {m minutes} early.
          How many minutes is {he} there?
        - A show at the {venue} takes {n minutes}. {who} misses[ the first {k minutes}| the start] and the last {m}.
          How many minutes does {he} see?
        - Of a show of {n minutes}, {who} misses[ {k minutes}| a bit] at the start and {m} at the end.
          How many minutes does {he} see?
        """,
        numbers={"n": range(40, 300), "k": range(2, 60), "m": range(2, 60)},
        words={"who": NAMES, "venue": VENUES},
        style="decimal",
        solution="""
        After the start {rest = n - k} minutes are left.
        {who} is there for {seen = rest - m} minutes.
        """,
        second_method="""
        In all {who} misses {lost = k + m} minutes.
        {who} is there for {seen = n - lost} minutes.
        """,
        claim="In all {who} misses {lost?} minutes.",
    ),
)
