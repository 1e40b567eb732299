"""Computes a score from the first token of a reply: P(yes) / (P(yes) + P(no))."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from schemas.engine import Failure
from schemas.reasoning import REASONING_MARKS

YES_SPELLINGS, NO_SPELLINGS = ("yes", "Yes", "YES", " yes", " Yes"), ("no", "No", "NO", " no", " No")
"""The spellings of yes and no that count as a verdict."""
LEAST_YES_NO_MASS = 0.1
"""Least probability of yes and no together. Below it the model was about to say something else, and what is left of
the two words says nothing about the row."""
NO_VERDICT, THINKS_FIRST = "says neither yes nor no", "thinks before it replies"
"""Reasons of requests that end without a score."""
LIKELIEST_SHOWN = 3
"""Likely first tokens that the error of a request without a score names."""


def yes_probability(yes_logprobs: Iterable[float], no_logprobs: Iterable[float]) -> float | None:
    """P(yes) / (P(yes) + P(no)), from the log-probabilities of their spellings.

    None if both together have less than `LEAST_YES_NO_MASS`: then there is no evidence for a score.
    """
    for_yes, for_no = sum(map(math.exp, yes_logprobs)), sum(map(math.exp, no_logprobs))
    return for_yes / (for_yes + for_no) if for_yes + for_no >= LEAST_YES_NO_MASS else None


def no_verdict(likely_tokens: Mapping[str, float] | None = None) -> Failure:
    """The failure of a request whose reply begins with neither word; names the likeliest tokens if they are known."""
    message = f"yes and no have less than {LEAST_YES_NO_MASS:.0%} of the probability of the first token"
    if likely_tokens:
        likeliest = sorted(likely_tokens, key=lambda token: -likely_tokens[token])[:LIKELIEST_SHOWN]
        message += f"; the likeliest are {', '.join(repr(token) for token in likeliest)}"
    return Failure(NO_VERDICT, f"{message}; give this scoring role a model that replies yes or no at once")


def thinks_first(token: str, asked_not_to: bool) -> Failure:
    """The failure of a request whose reply begins with a thought; `asked_not_to`: although the spec says `thinks`."""
    way_out = (
        "although it was asked not to; give this scoring role another model"
        if asked_not_to
        else "set thinks = true in the role of the profile, or give it another model"
    )
    return Failure(THINKS_FIRST, f"the reply begins with a thought ({token.strip()!r}); {way_out}")


def opens_thought(token: str) -> bool:
    """Whether the first token of a reply opens a thought: a mark such as `<think>`, or the beginning of one."""
    text = token.strip(" \n\t\u0120\u2581")
    return len(text) > 1 - text.startswith("<") and any(
        mark.startswith(text) or text.startswith(mark) for mark, _ in REASONING_MARKS
    )


def single_token_ids(encode: Callable[[str], Sequence[int]], spellings: Sequence[str]) -> list[int]:
    """Ids of the spellings that `encode` turns into a single token, sorted; empty if there are none."""
    encoded = [encode(spelling) for spelling in spellings]
    return sorted({ids[0] for ids in encoded if len(ids) == 1})
