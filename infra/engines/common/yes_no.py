"""Computes a score from the first token of a reply: P(yes) / (P(yes) + P(no))."""

import math
from collections.abc import Callable, Iterable, Sequence

YES_SPELLINGS, NO_SPELLINGS = ("yes", "Yes", "YES", " yes", " Yes"), ("no", "No", "NO", " no", " No")
"""The spellings of yes and no that count as a verdict."""


def yes_probability(yes_logprobs: Iterable[float], no_logprobs: Iterable[float]) -> float:
    """P(yes) / (P(yes) + P(no)), from the log-probabilities of their spellings; 0.5 if the model gives neither."""
    for_yes, for_no = sum(map(math.exp, yes_logprobs)), sum(map(math.exp, no_logprobs))
    return for_yes / (for_yes + for_no) if for_yes + for_no else 0.5


def single_token_ids(encode: Callable[[str], Sequence[int]], spellings: Sequence[str]) -> list[int]:
    """Ids of the spellings that `encode` turns into a single token, sorted; empty if there are none."""
    encoded = [encode(spelling) for spelling in spellings]
    return sorted({ids[0] for ids in encoded if len(ids) == 1})
