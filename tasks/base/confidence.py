"""Wilson's 95 % confidence interval of a rate, in Python and in SQL."""

from math import sqrt

Z_95 = 1.959964
"""Standard deviations around the mean within which 95 % of a normal distribution lie."""


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The interval of the rate `successes / trials`: low and high, both in [0, 1]. `trials` is at least 1."""
    rate, spread = successes / trials, Z_95 * Z_95 / trials
    middle = rate + spread / 2
    half_width = Z_95 * sqrt(rate * (1 - rate) / trials + spread / (4 * trials))
    return max(0.0, (middle - half_width) / (1 + spread)), min(1.0, (middle + half_width) / (1 + spread))


def with_wilson_interval(counts: str) -> str:
    """SQL that adds `rate`, `low` and `high` to the relation `counts`, which has the columns `k` and `n`.

    The rate is k / n. Where n is 0 the rate is 0 and the interval is [0, 1], since nothing is known.
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
