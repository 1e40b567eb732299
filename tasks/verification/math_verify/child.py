"""The child of `pool.py`: answers batches of pairs with Math-Verify until its standard input closes.

It runs the library in its main thread, within bounds of memory and recursion, and never outlives its parent.
"""

import json
import logging
import os
import queue
import resource
import signal
import sys
import threading
import time
import warnings
from typing import Any

from tasks.verification.math_verify.pool import PRINTED, THOUSANDS, Rule, Ruling, library

MEMORY = 2 << 30
"""Bytes of address space of a child."""
RECURSION = 3000
"""Python frames in a child: sympy needs more than 1,000, and at 3,000 an 8 MiB stack is far away."""
DIGITS = 50
"""Digits to which a difference is worked out before it counts as zero: at Math-Verify's 15, near misses are equal."""


def serve(rule: Rule, library: str) -> None:
    """The child: answer batches from stdin with `rule` until stdin closes. Never returns.

    A thread reads, so that the child also ends when the parent dies in the middle of a pair; an alarm left at its
    default, death, ends it even inside one long operation of C code, where no thread gets a turn.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    replies = os.dup(1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # what libraries print must not reach the pipe
    os.dup2(silence, 2)
    batches: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(batches,), daemon=True).start()
    _reply(replies, {"library": library})
    while True:
        batch = batches.get()
        for gold, answer in batch["pairs"]:
            signal.setitimer(signal.ITIMER_REAL, 2 * batch["deadline"])
            began = time.perf_counter()
            try:
                ruling = rule(gold, answer)
            except BaseException as error:
                _reply(replies, {"died": f"{type(error).__name__}: {error}"[:PRINTED]})
                os._exit(1)  # after a MemoryError nothing in here can be trusted
            milliseconds = (time.perf_counter() - began) * 1e3
            _reply(replies, {"ruling": ruling._replace(milliseconds=milliseconds)})
        signal.setitimer(signal.ITIMER_REAL, 0)


def _read(batches: "queue.SimpleQueue[dict[str, Any]]") -> None:
    for line in sys.stdin.buffer:
        batches.put(json.loads(line))
    os._exit(0)


def _reply(pipe: int, message: dict[str, Any]) -> None:
    data = memoryview(json.dumps(message).encode() + b"\n")
    while data:
        data = data[os.write(pipe, data) :]


def math_verify() -> Rule:
    """The rule of the real child: Math-Verify without its own timeouts, always gold first.

    It reads the whole text as LaTeX or not at all: its other way looks for a number anywhere, and finds 5 in `(3, 5`.
    """
    from math_verify import LatexExtractionConfig, parse, verify

    whole = (LatexExtractionConfig(),)

    def parsed(text: str) -> list[Any]:
        try:
            forms = parse(_framed(text), whole, fallback_mode="no_fallback", parsing_timeout=None, raise_on_error=True)
            return [_exact(form) for form in forms]
        except MemoryError:
            raise
        except Exception:
            return []

    def rule(gold: str, answer: str) -> Ruling:
        left, right = parsed(gold), parsed(answer)
        forms = (_printed(left), _printed(right))
        if not left or not right:
            return Ruling("unparseable", "answer_unparseable" if left else "gold_unparseable", *forms)
        try:
            apart = "." in gold + answer and _apart(left, right)
            equal = not apart and verify(
                left, right, numeric_precision=DIGITS, timeout_seconds=None, raise_on_error=True
            )
        except MemoryError:
            raise
        except Exception:  # the library could not compare them, so it does not know that they differ
            return Ruling("unparseable", "incomparable", *forms)
        return Ruling("correct" if equal else "wrong", "math_verify", *forms)

    return rule


def _exact(form: Any) -> Any:
    """A parsed form with its decimals as quotients: of floats Math-Verify compares six digits; `\\ln 2` has more."""
    from sympy import Float, Rational

    floats = form.atoms(Float) if hasattr(form, "atoms") else ()
    return form.xreplace({number: Rational(str(number)) for number in floats}) if floats else form


def _apart(left: list[Any], right: list[Any]) -> bool:
    """Whether both are numbers that differ in their first digits: algebra takes long over the powers of decimals."""
    from sympy import Expr

    if len(left) != 1 or len(right) != 1 or not all(isinstance(form, Expr) for form in (*left, *right)):
        return False
    if left[0].free_symbols or right[0].free_symbols:
        return False
    difference = abs((left[0] - right[0]).evalf(DIGITS))
    return bool(difference.is_Float and difference > 10.0 ** -(DIGITS // 2))


def _framed(text: str) -> str:
    """`text` in the box Math-Verify looks for: without one it picks `1/2` out of `5\\frac{1}{2}`."""
    if text.count("$") >= 2 or ("\\(" in text and "\\)" in text) or ("\\[" in text and "\\]" in text):
        return text
    text = THOUSANDS.sub("", text)
    return "\\boxed{" + text.replace("\\$", "").replace("$", "") + "}"


def _printed(forms: list[Any]) -> str | None:
    try:
        return str(forms[0]).encode(errors="replace").decode()[:PRINTED] if forms else None
    except Exception:  # e.g. more digits than Python prints
        return None


def main() -> None:
    """Set the limits of the child, import the library, serve."""
    allowed = resource.getrlimit(resource.RLIMIT_AS)[1]
    memory = MEMORY if allowed == resource.RLIM_INFINITY else min(MEMORY, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(RECURSION)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    serve(math_verify(), library())


if __name__ == "__main__":
    main()
