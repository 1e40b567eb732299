"""Computes powers, roots, factorials and binomial coefficients of exact values, unless they are too large."""

from fractions import Fraction
from math import comb, factorial, isqrt

from tasks.verification.equivalence.exact_value import (
    Value,
    divide,
    is_linear,
    make_rational,
    make_symbol,
    make_uninterpreted,
    multiply,
)
from tasks.verification.equivalence.polynomials import (
    IMAGINARY_UNIT,
    MAX_BITS,
    MAX_TERMS,
    ONE,
    NoExactForm,
    Terms,
    simplify_number,
)

MAX_ROOT_DEGREE, MAX_FACTORIAL = 12, 2100
TRIAL_DIVISION_LIMIT = 1000
"""Primes below this are tried as factors under a root. The rest must be below its square, or the square of such."""
_PRIMES = [n for n in range(2, TRIAL_DIVISION_LIMIT) if all(n % d for d in range(2, isqrt(n) + 1))]


def raise_power(base: Value, exponent: Value) -> Value:
    """`base` to the power of `exponent`. Raises `NoExactForm` if the result is too large or not real."""
    number = exponent.rational
    if number is None:
        return make_uninterpreted("^", base, exponent)
    if not isinstance(number, int):
        rational_base = base.rational
        if rational_base is not None and rational_base < 0:
            raise NoExactForm
        return raise_power(take_root(base, number.denominator), make_rational(number.numerator))
    if not base.top and number <= 0:
        raise NoExactForm
    if number < 0:
        return raise_power(divide(Value(ONE, ONE), base), make_rational(-number))
    if number > MAX_BITS or (len(base.top) > 1 and number > MAX_TERMS):
        raise NoExactForm
    result = Value(ONE, ONE)
    while number:  # squaring: at most 15 rounds
        result = multiply(result, base) if number & 1 else result
        number >>= 1
        base = multiply(base, base) if number else base
    return result


def take_root(value: Value, degree: int) -> Value:
    """The real root; for a negative number, `i` times the square root, or the negative odd root.

    Raises `NoExactForm`.
    """
    if not 1 < degree <= MAX_ROOT_DEGREE:
        raise NoExactForm
    number = value.rational
    if number is None:
        return make_uninterpreted(f"root{degree}", value, is_irrational=bool(value.letters) and is_linear(value))
    if number < 0 and degree == 2:
        return multiply(make_symbol(IMAGINARY_UNIT), take_root(make_rational(-number), 2))
    if number < 0 and degree % 2 == 0:
        raise NoExactForm
    result = make_rational(-1 if number < 0 else int(number > 0))
    if number:
        denominator_factors = [(prime, -count) for prime, count in factorize(number.denominator)]
        for prime, count in factorize(abs(number.numerator)) + denominator_factors:
            up, remainder = divmod(count, degree)
            factor: Terms = {
                ((str(prime), Fraction(remainder, degree)),) if remainder else (): simplify_number(
                    Fraction(prime) ** up
                )
            }
            result = multiply(result, Value(factor, ONE))
    return result


def take_absolute(value: Value) -> Value:
    """The absolute value."""
    number = value.rational
    return make_uninterpreted("abs", value) if number is None else make_rational(-number if number < 0 else number)


def take_factorial(value: Value) -> Value:
    """The factorial of a number up to `MAX_FACTORIAL`. Raises `NoExactForm`."""
    number = value.rational
    if number is None:
        return make_uninterpreted("!", value)
    if not isinstance(number, int) or not 0 <= number <= MAX_FACTORIAL:
        raise NoExactForm
    return make_rational(factorial(number))


def choose(top: Value, bottom: Value) -> Value:
    """The binomial coefficient of whole numbers up to 1,000. Raises `NoExactForm`."""
    n, k = top.rational, bottom.rational
    if n is None or k is None:
        return make_uninterpreted("choose", top, bottom)
    if not isinstance(n, int) or not isinstance(k, int) or not 0 <= k <= n <= 1000:
        raise NoExactForm
    return make_rational(comb(n, k))


def factorize(number: int) -> list[tuple[int, int]]:
    """Prime factors of a positive number with their exponents. Raises `NoExactForm` if finding them takes long."""
    prime_powers = list[tuple[int, int]]()
    for prime in _PRIMES:
        if prime * prime > number:
            break
        count = 0
        while number % prime == 0:
            number //= prime
            count += 1
        if count:
            prime_powers.append((prime, count))
    if number > 1:
        base, count = (isqrt(number), 2) if isqrt(number) ** 2 == number else (number, 1)
        if base >= TRIAL_DIVISION_LIMIT**2:
            raise NoExactForm
        prime_powers.append((base, count))
    return prime_powers
