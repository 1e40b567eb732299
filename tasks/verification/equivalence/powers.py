"""Powers, roots and factorials of exact values; whatever is too large to be worked out is left to others."""

from fractions import Fraction
from math import comb, factorial, isqrt

from tasks.verification.equivalence.exact_value import Value, linear, opaque, over, rational, symbol, times
from tasks.verification.equivalence.polynomials import BITS, ONE, TERMS, UNIT, Terms, Unsure, whole

LARGEST_ROOT, LARGEST_FACTORIAL = 12, 2100
FACTORED = 1000
"""Primes below are tried as factors under a root; what is left must be below their square, or the square of such."""
_PRIMES = [n for n in range(2, FACTORED) if all(n % d for d in range(2, isqrt(n) + 1))]


def power(base: Value, exponent: Value) -> Value:
    """`base` to `exponent`; raises `Unsure` for what is too large, or has no real value."""
    number = exponent.rational
    if number is None:
        return opaque("^", base, exponent)
    if not isinstance(number, int):
        known = base.rational
        if known is not None and known < 0:
            raise Unsure
        return power(root(base, number.denominator), rational(number.numerator))
    if not base.top and number <= 0:
        raise Unsure
    if number < 0:
        return power(over(Value(ONE, ONE), base), rational(-number))
    if number > BITS or (len(base.top) > 1 and number > TERMS):
        raise Unsure
    result = Value(ONE, ONE)
    while number:  # squaring: at most 15 rounds
        result = times(result, base) if number & 1 else result
        number >>= 1
        base = times(base, base) if number else base
    return result


def root(value: Value, degree: int) -> Value:
    """The real root; of a negative number, `i` times a square root or the negative odd one. Raises `Unsure`."""
    if not 1 < degree <= LARGEST_ROOT:
        raise Unsure
    number = value.rational
    if number is None:
        return opaque(f"root{degree}", value, free=bool(value.letters) and linear(value))
    if number < 0 and degree == 2:
        return times(symbol(UNIT), root(rational(-number), 2))
    if number < 0 and degree % 2 == 0:
        raise Unsure
    result = rational(-1 if number < 0 else int(number > 0))
    if number:
        below = [(prime, -count) for prime, count in factors(number.denominator)]
        for prime, count in factors(abs(number.numerator)) + below:
            up, rest = divmod(count, degree)
            factor: Terms = {((str(prime), Fraction(rest, degree)),) if rest else (): whole(Fraction(prime) ** up)}
            result = times(result, Value(factor, ONE))
    return result


def absolute(value: Value) -> Value:
    """Its absolute value."""
    number = value.rational
    return opaque("abs", value) if number is None else rational(-number if number < 0 else number)


def factorials(value: Value) -> Value:
    """`n!` of a small number."""
    number = value.rational
    if number is None:
        return opaque("!", value)
    if not isinstance(number, int) or not 0 <= number <= LARGEST_FACTORIAL:
        raise Unsure
    return rational(factorial(number))


def choose(top: Value, bottom: Value) -> Value:
    """The binomial coefficient of small numbers."""
    n, k = top.rational, bottom.rational
    if n is None or k is None:
        return opaque("choose", top, bottom)
    if not isinstance(n, int) or not isinstance(k, int) or not 0 <= k <= n <= 1000:
        raise Unsure
    return rational(comb(n, k))


def factors(number: int) -> list[tuple[int, int]]:
    """Primes of a positive number and how often each divides it; raises `Unsure` where finding them takes long."""
    found = list[tuple[int, int]]()
    for prime in _PRIMES:
        if prime * prime > number:
            break
        count = 0
        while number % prime == 0:
            number //= prime
            count += 1
        if count:
            found.append((prime, count))
    if number > 1:
        base, count = (isqrt(number), 2) if isqrt(number) ** 2 == number else (number, 1)
        if base >= FACTORED**2:
            raise Unsure
        found.append((base, count))
    return found
