"""The child of `pool.py`: answers batches of pairs with Math-Verify until its standard input closes.

It runs the library in its main thread, with limits on memory and recursion, and never outlives its parent.
"""

import logging
import os
import signal
import time
import warnings
from typing import Any

from tasks.verification.json_child import ParentPipe, limit_resources
from tasks.verification.math_verify.difference import prove_different
from tasks.verification.math_verify.verdict import (
    FORM_CHARACTERS,
    LATEX_THOUSANDS,
    Comparator,
    Verdict,
    describe_library,
)

MEMORY_BYTES = 2 << 30
"""Largest address space of a child, in bytes."""
RECURSION_FRAMES = 3000
"""Recursion limit of a child, in Python frames: sympy needs more than 1,000, and 3,000 fit easily in an 8 MiB stack."""
PRECISION_DIGITS = 50
"""Digits to which a difference is computed before it counts as zero: at Math-Verify's 15, near misses are equal."""


def serve(comparator: Comparator, library: str) -> None:
    """Answer batches from stdin with `comparator` until stdin closes. Runs in the child and never returns.

    A timer of the CPU time that a pair takes ends the child by SIGPROF, whose default action works even inside a long
    operation of C code that lets no thread run. Unlike RLIMIT_CPU it counts fractions of a second and starts anew for
    every pair.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    parent = ParentPipe()
    parent.send({"library": library})
    while True:
        batch = parent.receive()
        for gold, answer in batch["pairs"]:
            signal.setitimer(signal.ITIMER_PROF, batch["cpu_seconds"])
            began = time.perf_counter()
            try:
                verdict = comparator(gold, answer)
            except BaseException as error:
                parent.send({"died": f"{type(error).__name__}: {error}"[:FORM_CHARACTERS]})
                os._exit(1)  # after a MemoryError nothing in this process can be trusted
            milliseconds = (time.perf_counter() - began) * 1e3
            parent.send({"verdict": verdict._replace(milliseconds=milliseconds)})
        signal.setitimer(signal.ITIMER_PROF, 0)


def load_comparator() -> Comparator:
    """Load Math-Verify and return a comparator that uses it without its own timeouts, always gold first.

    The whole text is read as LaTeX or not at all: Math-Verify's fallback takes any number, such as the 5 of `(3, 5`.
    Each pair is judged as by a new process: sympy shuffles the facts it deduces from, and remembers what it found.
    """
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify
    from sympy.core.cache import clear_cache
    from sympy.core.random import seed

    keep_units = NormalizationConfig(units=False, malformed_operators=True, nits=True)  # `t` is a letter, and no unit
    latex_only = (LatexExtractionConfig(normalization_config=keep_units),)

    def parse_forms(text: str) -> list[Any]:
        try:
            forms = parse(
                _wrap_in_box(text), latex_only, fallback_mode="no_fallback", parsing_timeout=None, raise_on_error=True
            )
            return [_replace_floats(form) for form in forms]
        except MemoryError:
            raise
        except Exception:
            return []

    def compare(gold: str, answer: str) -> Verdict:
        clear_cache()
        seed(0)
        left, right = parse_forms(gold), parse_forms(answer)
        forms = (_format_form(left), _format_form(right))
        if not left or not right:
            return Verdict("unparseable", "answer_unparseable" if left else "gold_unparseable", *forms)
        if _prove_different(left, right):  # before the algebra of the library, which is slow and less exact
            return Verdict("wrong", "math_verify", *forms)
        try:
            equal = verify(left, right, numeric_precision=PRECISION_DIGITS, timeout_seconds=None, raise_on_error=True)
        except MemoryError:
            raise
        except Exception:  # the library could not compare them, which does not mean that they differ
            return Verdict("unparseable", "incomparable", *forms)
        return Verdict("correct", "math_verify", *forms) if equal else Verdict("unparseable", "not_proved", *forms)

    return compare


def _prove_different(left: list[Any], right: list[Any]) -> bool:
    try:
        return prove_different(left, right)
    except MemoryError:
        raise
    except Exception:  # a form that sympy cannot evaluate
        return False


def _replace_floats(form: Any) -> Any:
    """A parsed form with decimals as fractions: Math-Verify compares floats to six digits, and `\\ln 2` has more."""
    from sympy import Float, Rational

    floats = form.atoms(Float) if hasattr(form, "atoms") else ()
    return form.xreplace({number: Rational(str(number)) for number in floats}) if floats else form


def _wrap_in_box(text: str) -> str:
    """`text` in the box that Math-Verify searches for: without one it extracts `1/2` from `5\\frac{1}{2}`."""
    if text.count("$") >= 2 or ("\\(" in text and "\\)" in text) or ("\\[" in text and "\\]" in text):
        return text
    text = LATEX_THOUSANDS.sub("", text)
    return "\\boxed{" + text.replace("\\$", "").replace("$", "") + "}"


def _format_form(forms: list[Any]) -> str | None:
    try:
        return str(forms[0]).encode(errors="replace").decode()[:FORM_CHARACTERS] if forms else None
    except Exception:  # e.g. more digits than Python prints
        return None


def main() -> None:
    """Set the child's limits, import the library, and serve."""
    limit_resources(MEMORY_BYTES, RECURSION_FRAMES)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    serve(load_comparator(), describe_library())


if __name__ == "__main__":
    main()
