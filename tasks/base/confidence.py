"""Wilson's interval of 95 % for a rate, in Python and in SQL."""

from math import sqrt

Z = 1.959964
"""Of the normal distribution: 95 % lie within."""


def wilson(counted: int, of: int) -> tuple[float, float]:
    """The interval for `counted` of `of`, within [0, 1]."""
    rate, spread = counted / of, Z * Z / of
    middle = rate + spread / 2
    reach = Z * sqrt(rate * (1 - rate) / of + spread / (4 * of))
    return max(0.0, (middle - reach) / (1 + spread)), min(1.0, (middle + reach) / (1 + spread))


def rated(counts: str) -> str:
    """SELECT everything of the relation `counts`, which has the columns `k` and `n`, with `rate`, `low` and `high`.

    The rate is k of n; where n is 0 it is 0, and nothing is known: the interval is all of [0, 1].
    """
    z, m = Z * Z, "greatest(n, 1)"
    p = f"(k / {m})"
    middle = f"({p} + {z} / (2 * {m})) / (1 + {z} / {m})"
    wide = f"sqrt({z} * ({p} * (1 - {p}) + {z} / (4 * {m})) / {m}) / (1 + {z} / {m})"
    return f"""
        SELECT *, {p} AS rate,
            CASE WHEN n = 0 THEN 0 ELSE least({p}, greatest(0, {middle} - {wide})) END AS low,
            CASE WHEN n = 0 THEN 1 ELSE greatest({p}, least(1, {middle} + {wide})) END AS high
        FROM {counts}
    """
