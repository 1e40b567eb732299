"""A score is the probability of `yes` over that of `yes` and `no` together, as the first token of a reply."""

import math
from collections.abc import Callable, Iterable, Sequence

YES_SPELLINGS, NO_SPELLINGS = ("yes", "Yes", "YES", " yes", " Yes"), ("no", "No", "NO", " no", " No")
"""How models spell a verdict."""


def yes_probability(yes_logprobs: Iterable[float], no_logprobs: Iterable[float]) -> float:
    """P(yes) over P(yes) + P(no), from the log-probabilities of their spellings; 0.5 where the model gives neither."""
    for_yes, for_no = sum(map(math.exp, yes_logprobs)), sum(map(math.exp, no_logprobs))
    return for_yes / (for_yes + for_no) if for_yes + for_no else 0.5


def single_token_ids(encode: Callable[[str], Sequence[int]], spellings: Sequence[str]) -> list[int]:
    """Ids of those spellings that `encode` makes one token; none where it has no such token."""
    encoded = [encode(spelling) for spelling in spellings]
    return sorted({ids[0] for ids in encoded if len(ids) == 1})
