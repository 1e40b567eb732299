"""What a score is made of."""

import math

import pytest

from infra.engines.common.yes_no import NO_SPELLINGS, YES_SPELLINGS, single_token_ids, yes_probability


def test_a_score_is_the_share_of_yes_among_both_words() -> None:
    assert yes_probability([math.log(0.3), math.log(0.3)], [math.log(0.2)]) == pytest.approx(0.75)


def test_a_model_that_gives_neither_word_is_undecided() -> None:
    assert yes_probability([], []) == yes_probability([-math.inf], [-math.inf]) == 0.5


def test_only_spellings_of_one_token_count_and_each_token_once() -> None:
    vocabulary = {"yes": [7], "Yes": [3], "YES": [1, 2], " yes": [7], " Yes": []}
    assert single_token_ids(vocabulary.__getitem__, YES_SPELLINGS) == [3, 7]
    assert single_token_ids(lambda text: [1, 2], NO_SPELLINGS) == []
