"""Linear equations in words: one or two unknown numbers are found from statements about them."""

from tasks.proving_ground.template import Template
from tasks.proving_ground.vocabulary import FRUIT, GOODS, NAMES, SMALL_THINGS

TOPIC = "equations"

TEMPLATES = (
    Template(
        name="think_of_a_number",
        topic=TOPIC,
        phrasings="""
        - {who} thinks of a positive number.[ {He} multiplies it by {m}| {He} multiplies it] and adds {k}.
          The result is {r}. What is the number?
        - A positive number times[ {m}| another one], plus {k}, is {r}. {who} knows it. What is the number?
        - {who} takes a positive number, multiplies it[ by {m}], adds {k} and gets {r}. What is the number?
          {He} did it right.
        """,
        numbers={"m": range(2, 10), "x": range(2, 90), "t": "m * x", "k": range(2, 90), "r": "t + k"},
        words={"who": NAMES},
        style="fraction",
        conditions=("0 < x",),
        solution="""
        Before adding it is {t = r - k}.
        The number is {x = t / m}.
        """,
        claim="Before adding {k}, the value was {t?}.",
    ),
    Template(
        name="divide_and_take",
        topic=TOPIC,
        phrasings="""
        - {who} thinks of a number. {He} divides it[ by {m}] and subtracts {k}. The result is {r}. What is the number?
        - A number divided by[ {m}| another one], less {k}, is {r}. {who} knows it. What is the number?
        - {who} takes a number, divides it[ by {m}], subtracts {k} and gets {r}. {friend} asks for it.
          What is the number?
        """,
        numbers={"m": range(2, 10), "r": range(2, 60), "k": range(2, 60)},
        words={"who": NAMES, "friend": NAMES},
        style="fraction",
        solution="""
        Before subtracting it is {q = r + k}.
        The number is {x = q * m}.
        """,
        claim="Before subtracting {k}, the value was {q?}.",
    ),
    Template(
        name="sum_and_difference",
        topic=TOPIC,
        phrasings="""
        - {who} and {friend} have {n things} in all. {who} has[ {d}|] more than {friend}.
          How many {things} does {friend} have?
        - {who} has[ {d}|] more {things} than {friend}. Together they have {n}. How many {things} does {friend} have?
        - {who} and {friend} put {n things} in a box. {friend} put in[ {d}|] fewer than {who}.
          How many {things} did {friend} put in?
        """,
        numbers={"x": range(3, 200), "d": range(2, 90), "two": "x * 2", "n": "two + d"},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS},
        max_result=500,
        solution="""
        Without the extra ones there are {two = n - d things}.
        {friend}'s part is {x = two / 2 things}.
        """,
        second_method="""
        With the extra ones twice there are {two = n + d things}.
        {who}'s part is {y = two / 2 things}.
        {friend}'s part is {x = y - d things}.
        """,
        claim="The part of {friend} is {x? things}.",
    ),
    Template(
        name="times_and_together",
        topic=TOPIC,
        phrasings="""
        - {who} has {m} times as many {things} as {friend}. Together they have[ {n}| some].
          How many {things} does {who} have?
        - Together {who} and {friend} have[ {n}| some] {things}. {who} has {m} times as many as {friend}.
          How many {things} does {who} have?
        - {friend} and {who} own[ {n}| some] {things}, and {who} owns {m} times as many as {friend}.
          They count them. How many belong to {who}?
        """,
        numbers={"m": range(2, 9), "parts": "m + 1", "x": range(3, 60), "n": "parts * x"},
        words={"who": NAMES, "friend": NAMES, "thing": SMALL_THINGS},
        max_result=400,
        solution="""
        There are {parts = m + 1} parts.
        One part is {x = n / parts things}.
        {who} has {many = x * m things}.
        """,
        second_method="""
        There are {parts = m + 1} parts.
        {friend} has {x = n / parts things}.
        {who} has {many = n - x things}.
        """,
        claim="The part of {friend} is {x? things}.",
    ),
    Template(
        name="three_in_a_row",
        topic=TOPIC,
        phrasings="""
        - The sum of three whole numbers in a row is[ {n}| known]. {who} writes them down. What is the largest of them?
        - {who} adds three whole numbers that follow each other[ and gets {n}]. {friend} wants to know the largest one.
          What is it?
        - Three whole numbers in a row make[ {n}| a sum] together. {who} looks for the largest. What is it?
        """,
        numbers={"mid": range(3, 330), "n": "mid * 3"},
        words={"who": NAMES, "friend": NAMES},
        solution="""
        The middle one is {mid = n / 3}.
        The largest is {top = mid + 1}.
        """,
        second_method="""
        Without the extra it is {rest = n - 3}.
        The smallest is {low = rest / 3}.
        The largest is {top = low + 2}.
        """,
        claim="The middle one of them is {mid?}.",
    ),
    Template(
        name="price_of_two",
        topic=TOPIC,
        phrasings="""
        - {A thing} and {a fruit} cost ${n} together. The {thing} costs[ ${d}|] more than the {fruit}.
          How many dollars does the {fruit} cost?
        - {who} pays ${n} for {a thing} and {a fruit}. The {thing} is[ ${d}|] dearer. How many dollars is the {fruit}?
        - The {thing} of {who} costs[ ${d}|] more than the {fruit}. Both together cost ${n}.
          How many dollars does the {fruit} cost?
        """,
        numbers={"x": range(2, 30), "d": range(2, 90), "two": "x * 2", "n": "two + d"},
        words={"who": NAMES, "thing": GOODS, "fruit": FRUIT},
        style="money",
        solution="""
        Without the difference it is {two = n - d} dollars.
        The {fruit} costs {x = two / 2} dollars.
        """,
        second_method="""
        With the difference it is {two = n + d} dollars.
        The {thing} costs {y = two / 2} dollars.
        The {fruit} costs {x = y - d} dollars.
        """,
        claim="The {fruit} alone costs {x?} dollars.",
    ),
    Template(
        name="heads_and_legs",
        topic=TOPIC,
        phrasings="""
        - A farm has {n} cows and hens with[ {l} legs| many legs] in all. {who} counts them. How many cows are there?
        - {who} counts {n} heads of cows and hens[ and {l} legs]. No leg is missing. How many cows are there?
        - Among {n} animals, some are hens and the rest are cows.[ {who} counts {l} legs.| {who} counts them.]
          How many cows are there?
        """,
        numbers={"c": range(2, 60), "h": range(2, 60), "n": "c + h", "x": "c * 2", "two": "n * 2", "l": "two + x"},
        words={"who": NAMES},
        max_result=300,
        solution="""
        Two legs each make {two = n * 2} legs.
        There are {more = l - two} legs more.
        There are {cows = more / 2} cows.
        """,
        second_method="""
        Four legs each make {four = n * 4} legs.
        There are {less = four - l} legs fewer.
        There are {hens = less / 2} hens.
        There are {cows = n - hens} cows.
        """,
        claim="{who} sees {cows?} cows.",
        conditions=("cows <= n",),
    ),
    Template(
        name="older_times",
        topic=TOPIC,
        phrasings="""
        - {who} is {n} years old. In[ {t}| some] years {he} will be {m} times as old as {friend} is now.
          How old is {friend} now?
        - In[ {t}| some] years {who}, now {n}, will be {m} times as old as {friend} is today. 
          How old is {friend} today?
        - Today {who} is {n}. When[ {t}| some] years have passed, {he} will be {m} times as old as {friend} is today.
          How old is {friend} today?
        """,
        numbers={"m": range(2, 6), "x": range(3, 30), "s": "m * x", "t": range(2, 20), "n": "s - t"},
        words={"who": NAMES, "friend": NAMES},
        style="fraction",
        solution="""
        In that time {who} will be {s = n + t}.
        {friend} is {x = s / m}.
        """,
        claim="At that time {who} will be {s?}.",
    ),
)
