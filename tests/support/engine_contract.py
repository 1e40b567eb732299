"""What every engine must do; a suite per engine subclasses this and says how to open one."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from schemas.engine import Generator, Scorer, generate, score
from schemas.prompts import Prompt, Sampling

QUESTION = "Tom has 3 eggs and buys 4 more. How many eggs does he have?"
SOLVE = Prompt(stage="solve", inputs={"question": QUESTION}, instruction="Solve it.")
WRITE = Prompt(stage="write_question", instruction="Write a question.")
JUDGE = Prompt(
    stage="judge_answer",
    inputs={"question": QUESTION, "solution": "3 + 4 = 7\n#### 7"},
    instruction="Reply with yes or no.",
)


class GeneratorContract:
    """Subclasses define the fixture `engine`."""

    def test_it_is_a_generator(self, engine: Any) -> None:
        assert isinstance(engine, Generator)

    def test_replies_come_in_order_with_n_samples_each(self, engine: Any) -> None:
        prompts = [SOLVE, WRITE, SOLVE]
        seeds = [[3 * i + j for j in range(3)] for i in range(3)]
        replies = generate(engine, prompts, Sampling(n=3, temperature=0.7, max_tokens=16), seeds)
        assert [len(each) for each in replies] == [3, 3, 3]
        counts = [each[0].prompt_tokens for each in replies]
        assert counts[0] == counts[2] > counts[1] > 0

    def test_greedy_replies_do_not_depend_on_the_seed_or_the_batch(self, engine: Any) -> None:
        sampling = Sampling(max_tokens=12)
        (alone,) = generate(engine, [SOLVE], sampling, [[1]])
        _, within = generate(engine, [WRITE, SOLVE], sampling, [[2], [3]])
        assert alone[0].text == within[0].text

    def test_greedy_samples_of_one_prompt_are_equal(self, engine: Any) -> None:
        ((one, two),) = generate(engine, [SOLVE], Sampling(n=2, max_tokens=8), [[1, 2]])
        assert one.text == two.text

    def test_a_reply_that_is_cut_off_says_so(self, engine: Any) -> None:
        ((reply,),) = generate(engine, [SOLVE], Sampling(max_tokens=1), [[1]])
        assert reply.finish_reason == "length" and reply.completion_tokens == 1

    def test_identical_prompts_with_different_seeds_differ(self, engine: Any) -> None:
        sampling = Sampling(temperature=1.0, max_tokens=24)
        replies = generate(engine, [WRITE] * 16, sampling, [[i] for i in range(16)])
        assert len({each[0].text for each in replies}) > 8

    def test_samples_of_one_prompt_differ(self, engine: Any) -> None:
        (replies,) = generate(engine, [WRITE], Sampling(n=16, temperature=1.0, max_tokens=24), [list(range(16))])
        assert len({reply.text for reply in replies}) > 8

    def test_later_calls_do_not_repeat_earlier_ones(self, engine: Any) -> None:
        sampling = Sampling(temperature=1.0, max_tokens=24)
        first = generate(engine, [WRITE] * 4, sampling, [[i] for i in range(4)])
        second = generate(engine, [WRITE] * 4, sampling, [[i] for i in range(4, 8)])
        assert {each[0].text for each in first} != {each[0].text for each in second}

    def test_shards_that_ask_at_once_draw_from_their_own_seeds(self, engine: Any) -> None:
        sampling = Sampling(temperature=1.0, max_tokens=16)

        def shard(number: int) -> list[str]:
            seeds = [[1000 * number + i] for i in range(8)]
            return [each[0].text for each in generate(engine, [WRITE] * 8, sampling, seeds)]

        alone = [shard(number) for number in range(4)]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(shard, range(4)))
        assert together == alone
        assert len({tuple(texts) for texts in together}) == 4

    def test_each_completion_token_has_a_log_probability(self, engine: Any) -> None:
        sampling = Sampling(n=2, temperature=0.7, max_tokens=8, logprobs=True)
        for reply in generate(engine, [SOLVE, WRITE], sampling, [[1, 2], [3, 4]])[1]:
            assert reply.logprobs is not None and len(reply.logprobs) == reply.completion_tokens
            assert all(p <= 1e-4 and math.isfinite(p) for p in reply.logprobs)

    def test_no_log_probabilities_unless_asked_for(self, engine: Any) -> None:
        assert generate(engine, [SOLVE], Sampling(max_tokens=4), [[1]])[0][0].logprobs is None

    def test_nothing_asked_nothing_answered(self, engine: Any) -> None:
        assert generate(engine, [], Sampling(), []) == []


class ScorerContract:
    """Subclasses define the fixture `engine`."""

    def test_it_is_a_scorer(self, engine: Any) -> None:
        assert isinstance(engine, Scorer)

    def test_scores_are_probabilities_and_come_in_order(self, engine: Any) -> None:
        other = JUDGE.model_copy(update={"inputs": {"question": QUESTION, "solution": "#### 8"}})
        scores = score(engine, [JUDGE, other, JUDGE])
        assert all(0.0 <= score <= 1.0 for score in scores)
        assert scores[0] == pytest.approx(scores[2], abs=1e-3)
        assert score(engine, [other])[0] == pytest.approx(scores[1], abs=1e-3)

    def test_a_score_does_not_depend_on_the_lengths_of_the_prompts_beside_it(self, engine: Any) -> None:
        texts = [f"{' so '.join(['3 + 4 = 7'] * n)}\n#### 7" for n in (1, 2, 4, 7)]
        prompts = [JUDGE.model_copy(update={"inputs": {"question": QUESTION, "solution": text}}) for text in texts]
        assert score(engine, prompts) == pytest.approx([score(engine, [p])[0] for p in prompts], abs=1e-2)

    def test_nothing_asked_nothing_scored(self, engine: Any) -> None:
        assert score(engine, []) == []
