"""The library of the proving ground: all templates, and `draw_problem`, which draws a problem from them."""

import hashlib
import math
from collections.abc import Iterator
from functools import cache
from random import Random

from tasks.proving_ground.arithmetic import Value
from tasks.proving_ground.problem import Problem
from tasks.proving_ground.template import Template, derive_number
from tasks.proving_ground.topics import (
    area,
    averages,
    clock,
    counting,
    equations,
    fractions,
    money,
    percentages,
    probability,
    rates,
    ratios,
    stories,
    units,
)

TEMPLATES: tuple[Template, ...] = (
    *stories.TEMPLATES,
    *rates.TEMPLATES,
    *fractions.TEMPLATES,
    *percentages.TEMPLATES,
    *ratios.TEMPLATES,
    *averages.TEMPLATES,
    *area.TEMPLATES,
    *clock.TEMPLATES,
    *money.TEMPLATES,
    *units.TEMPLATES,
    *equations.TEMPLATES,
    *counting.TEMPLATES,
    *probability.TEMPLATES,
)

SOLVABLE_SHARE = 0.7
"""Share of solvable problems in a mixture."""


def draw_problem(
    seed: int, *, solvable: bool | None = True, template: str | None = None, topic: str | None = None
) -> Problem:
    """Draw a problem. It depends on the arguments only, in every process and on every platform.

    `solvable=None` draws a mixture. Raises ValueError for a template or topic that does not exist.
    """
    key = f"{seed}/{solvable}/{template}/{topic}".encode()
    rng = Random(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))
    chosen = rng.choice(_find_templates(template, topic))
    if solvable is None:
        solvable = rng.random() < SOLVABLE_SHARE
    return chosen.draw(rng, None if solvable else rng.choice(chosen.unsolvable_reasons))


@cache
def _find_templates(template: str | None, topic: str | None) -> tuple[Template, ...]:
    pool = tuple(t for t in TEMPLATES if template in (None, t.name) and topic in (None, t.topic))
    if not pool:
        raise ValueError(f"no template {template!r} in topic {topic!r}; topics are {list_topics()}")
    return pool


def find_template(name: str) -> Template:
    """The template of this name. Raises ValueError if there is none."""
    return _find_templates(name, None)[0]


def list_topics() -> tuple[str, ...]:
    """Topics in the order of the library."""
    return tuple(dict.fromkeys(t.topic for t in TEMPLATES))


@cache
def count_questions(max_settings: int = 4000) -> int:
    """A lower bound on the number of distinct solvable questions of the library."""
    return sum(count_template_questions(t, max_settings) for t in TEMPLATES)


def count_template_questions(template: Template, max_settings: int = 4000) -> int:
    """A lower bound for one template, exact if its ranges have no more than `max_settings` settings.

    Up to `max_settings` settings are tried, and the distinct sets of shown numbers that fit are counted. That count is
    multiplied by the choices of words, which are summed over the phrasings.
    """
    return _count_number_sets(template, max_settings) * _count_word_choices(template)


def _count_number_sets(template: Template, max_settings: int) -> int:
    shown = [v.text.number_keys for v in template.variants if v.reason is None and not v.has_claim]
    common = sorted(frozenset.intersection(*shown))
    return len({tuple(s[k] for k in common) for s in _iterate_settings(template, max_settings) if template.fits(s)})


def _iterate_settings(template: Template, max_settings: int) -> Iterator[dict[str, Value]]:
    free = {k: v for k, v in template.numbers.items() if not isinstance(v, str)}
    size = math.prod(len(v) for v in free.values())
    stride = max(1, size // max_settings)
    for index in range(0, size - size % stride, stride):
        at, values = index, dict[str, Value]()
        for key, source in template.numbers.items():
            if isinstance(source, str):
                values[key] = derive_number(source, values)
            else:
                at, i = divmod(at, len(source))
                values[key] = source[i]
        yield values


def _count_word_choices(template: Template) -> int:
    """Choices of words, summed over the phrasings. Every list counts as if the lists before it had used up one word."""
    total = 0
    for text in (v.text for v in template.variants if v.reason is None and not v.has_claim):
        lists = [entries for key, entries in template.words.items() if key in text.word_keys]
        total += math.prod(max(1, len(entries) - taken) for taken, entries in enumerate(lists))
    return total
