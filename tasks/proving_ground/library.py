"""The proving ground: every template there is, and `draw` to take a problem from them."""

import hashlib
import math
from collections.abc import Iterator
from functools import cache
from random import Random

from tasks.proving_ground.arithmetic import Value
from tasks.proving_ground.problem import Problem
from tasks.proving_ground.template import Template, derive
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
"""Share of solvable problems in a mix."""


def draw(seed: int, *, solvable: bool | None = True, template: str | None = None, topic: str | None = None) -> Problem:
    """A problem that depends on the arguments only, in every process and on every platform.

    `solvable=None` draws a mix. Raises ValueError for a template or topic that does not exist.
    """
    key = f"{seed}/{solvable}/{template}/{topic}".encode()
    rng = Random(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))
    chosen = rng.choice(_pool(template, topic))
    if solvable is None:
        solvable = rng.random() < SOLVABLE_SHARE
    return chosen.draw(rng, None if solvable else rng.choice(chosen.kinds))


@cache
def _pool(template: str | None, topic: str | None) -> tuple[Template, ...]:
    pool = tuple(t for t in TEMPLATES if template in (None, t.name) and topic in (None, t.topic))
    if not pool:
        raise ValueError(f"no template {template!r} in topic {topic!r}; topics are {topics()}")
    return pool


def named(name: str) -> Template:
    """The template of this name. Raises ValueError if there is none."""
    return _pool(name, None)[0]


def topics() -> tuple[str, ...]:
    """Topics in the order of the library."""
    return tuple(dict.fromkeys(t.topic for t in TEMPLATES))


@cache
def distinct(points: int = 4000) -> int:
    """A sound lower bound on the number of distinct solvable questions."""
    return sum(count(t, points) for t in TEMPLATES)


def count(template: Template, points: int = 4000) -> int:
    """A sound lower bound for one template, exact where its ranges have no more than `points` settings.

    It is the number of distinct sets of shown numbers among at most `points` settings that fit, times the choices of
    words that a phrasing shows, summed over the phrasings.
    """
    return _numbers(template, points) * _dresses(template)


def _numbers(template: Template, points: int) -> int:
    shown = [v.text.figures for v in template.variants if v.reason is None and not v.claims]
    common = sorted(frozenset.intersection(*shown))
    return len({tuple(s[k] for k in common) for s in _settings(template, points) if template.fits(s)})


def _settings(template: Template, points: int) -> Iterator[dict[str, Value]]:
    free = {k: v for k, v in template.numbers.items() if not isinstance(v, str)}
    size = math.prod(len(v) for v in free.values())
    stride = max(1, size // points)
    for index in range(0, size - size % stride, stride):
        at, values = index, dict[str, Value]()
        for key, source in template.numbers.items():
            if isinstance(source, str):
                values[key] = derive(source, values)
            else:
                at, i = divmod(at, len(source))
                values[key] = source[i]
        yield values


def _dresses(template: Template) -> int:
    """Choices of words over the phrasings; a word that is drawn from the same list as another one must differ."""
    total = 0
    for text in (v.text for v in template.variants if v.reason is None and not v.claims):
        lists = [entries for key, entries in template.words.items() if key in text.words]
        total += math.prod(max(1, len(entries) - taken) for taken, entries in enumerate(lists))
    return total
