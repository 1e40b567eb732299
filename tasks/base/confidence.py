"""Wilson's interval of 95 % for a rate, in Python and in SQL."""

from math import sqrt

Z_95 = 1.959964
"""Of the normal distribution: 95 % lie within."""


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The interval for `successes` of `trials`, within [0, 1]."""
    rate, spread = successes / trials, Z_95 * Z_95 / trials
    middle = rate + spread / 2
    half_width = Z_95 * sqrt(rate * (1 - rate) / trials + spread / (4 * trials))
    return max(0.0, (middle - half_width) / (1 + spread)), min(1.0, (middle + half_width) / (1 + spread))


def with_wilson_interval(counts: str) -> str:
    """SELECT everything of the relation `counts`, which has the columns `k` and `n`, with `rate`, `low` and `high`.

    The rate is k of n; where n is 0 it is 0, and nothing is known: the interval is all of [0, 1].
    """
    z, m = Z_95 * Z_95, "greatest(n, 1)"
    p = f"(k / {m})"
    middle = f"({p} + {z} / (2 * {m})) / (1 + {z} / {m})"
    half_width = f"sqrt({z} * ({p} * (1 - {p}) + {z} / (4 * {m})) / {m}) / (1 + {z} / {m})"
    return f"""
        SELECT *, {p} AS rate,
            CASE WHEN n = 0 THEN 0 ELSE least({p}, greatest(0, {middle} - {half_width})) END AS low,
            CASE WHEN n = 0 THEN 1 ELSE greatest({p}, least(1, {middle} + {half_width})) END AS high
        FROM {counts}
    """
