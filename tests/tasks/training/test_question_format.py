"""Questions are learnt in a model's own format, which its saved tokeniser gives back to whoever loads it."""

import logging
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra `train`")

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tasks.training.question_format import read_question_format
from tests.support.chat_templates import CHATML_DEFAULT, FAMILIES

pytestmark = pytest.mark.train
ENDS_OF_TEXT = {"deepseek": "<end>", "r1-distill": "<end>", "mistral-v0.1": "</s>"}
"""The end of families whose user turn has none of its own."""


def tokenizer_of(source: str, added_tokens: tuple[str, ...], special_tokens: dict[str, str]) -> Any:
    """A tokeniser of bytes. Its added tokens are special, but only `special_tokens` are named."""
    alphabet = {sign: number for number, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokens = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    tokens.pre_tokenizer, tokens.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokens.add_special_tokens(list(added_tokens))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, **special_tokens)
    tokenizer.chat_template = source
    return tokenizer


def family_tokenizer(family: str) -> Any:
    described = FAMILIES[family]
    named = described.special_tokens or {"eos_token": described.added_tokens[0]}
    return tokenizer_of(described.source, described.added_tokens, named)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_taught_and_asked_in_its_own_format(family: str, tmp_path: Path) -> None:
    tokenizer, (prefix, blanks, end) = family_tokenizer(family), FAMILIES[family].bare
    form = read_question_format(tokenizer)
    assert (form.prefix, form.leading_blanks) == (prefix, blanks)
    assert tokenizer.convert_ids_to_tokens(form.end_token) == ENDS_OF_TEXT.get(family, end)
    form.save_tokenizer(tokenizer, tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert (
        again.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False, add_generation_prompt=True)
        == prefix
    )
    assert read_question_format(again) == form and again.eos_token_id == form.end_token


@pytest.mark.parametrize(
    "system",
    [
        "\N{GRINNING FACE} Be kind.",
        "Answer the QUESTION.",
        'Say "no" \\ {{ twice }}.',
        "\N{CJK UNIFIED IDEOGRAPH-20000}",
    ],
)
def test_a_default_system_turn_may_say_anything(system: str, tmp_path: Path) -> None:
    quoted = system.replace("\\", "\\\\").replace("'", "\\'")
    source = CHATML_DEFAULT.replace("Be kind.", quoted)
    tokenizer = tokenizer_of(source, FAMILIES["smollm2"].added_tokens, {"eos_token": "<|endoftext|>"})
    form = read_question_format(tokenizer)
    assert form.prefix == f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n"
    form.save_tokenizer(tokenizer, tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    asked = again.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False, add_generation_prompt=True)
    assert form.prefix_tokens(again) == form.prefix_tokens(tokenizer) and asked == form.prefix


def test_a_date_is_learnt_as_a_fixed_one_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        form = read_question_format(family_tokenizer("llama3"))
        assert "Today Date: 26 Jul 2024" in form.prefix and "2024-07-26 always" in caplog.text
        caplog.clear()
        for family in ("smollm2", "qwen3", "phi-3"):
            read_question_format(family_tokenizer(family))
        assert not caplog.records
