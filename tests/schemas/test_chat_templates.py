"""What stands around a user's text is found for every template, whatever it says itself."""

import pytest

from infra.engines.common.chat_template import ChatTemplate
from schemas.chat_templates import (
    BarePrefix,
    choose_layout,
    find_bare_prefix,
    find_turn_end,
    quote,
    write_template_date,
)
from tests.support.chat_templates import DROPS_SYSTEM, FAMILIES
from tests.support.engine_contract import SOLVE


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bare_prefix_of_every_family(family: str) -> None:
    template, (prefix, blanks, end) = FAMILIES[family].template(), FAMILIES[family].bare
    bare = find_bare_prefix(lambda text: template([{"role": "user", "content": text}], True))
    assert (bare.prefix, bare.leading_blanks) == (prefix, blanks)
    assert (find_turn_end(bare.after, FAMILIES[family].added_tokens) or "") == end


@pytest.mark.parametrize(
    "system",
    ["Answer the QUESTION.", "QUESTION0 and QUESTION1", "\N{GRINNING FACE} Be kind.", "QUESTION", "Two  blanks. "],
)
def test_a_system_prompt_may_say_anything(system: str) -> None:
    assert find_bare_prefix(lambda text: f"{system}\nUser: {text}<end>") == BarePrefix(f"{system}\nUser:", " ", "<end>")


@pytest.mark.parametrize("times", [0, 2, 3])
def test_a_template_that_does_not_write_the_text_once_is_refused(times: int) -> None:
    with pytest.raises(ValueError, match=f"writes a user's text {times} times"):
        find_bare_prefix(lambda text: "Hello " + text * times)


@pytest.mark.parametrize(
    ("after", "tokens", "end"),
    [
        ("<|end|>\n<|assistant|>", ("<|end|>", "<|assistant|>"), "<|end|>"),
        (" [/INST]", ("[/INST]",), "[/INST]"),
        (" [/INST]", ("<s>", "</s>"), None),
        ("<end_of_turn>\n", ("<end", "<end_of_turn>"), "<end_of_turn>"),
        ("\n\n", ("\n\n", "\n"), None),
        ("", ("<end>",), None),
    ],
)
def test_a_turn_ends_with_the_added_token_that_follows_it(after: str, tokens: tuple[str, ...], end: str | None) -> None:
    assert find_turn_end(after, tokens) == end


def test_the_date_of_a_template_is_always_the_same() -> None:
    assert write_template_date("%d %b %Y") == "26 Jul 2024"


@pytest.mark.parametrize(
    ("family", "layout", "reason"),
    [
        ("smollm2", "system_user", ""),
        ("gemma-2", "user", "it refuses a system turn: System role not supported"),
        ("mistral-v0.1", "user", "it refuses a system turn: Roles must alternate"),
    ],
)
def test_a_system_turn_is_used_where_it_is_taken(family: str, layout: str, reason: str) -> None:
    chosen = choose_layout(FAMILIES[family].template(), SOLVE)
    assert chosen.layout == layout and chosen.reason.startswith(reason) and bool(chosen.reason) == bool(reason)


def test_a_system_turn_that_is_dropped_is_not_used() -> None:
    assert choose_layout(ChatTemplate(DROPS_SYSTEM, {}), SOLVE) == ("user", "it drops the system turn")
    with pytest.raises(ValueError, match="it drops the user turn"):
        choose_layout(lambda messages: "Hello", SOLVE)


@pytest.mark.parametrize(
    "text",
    ["\N{GRINNING FACE} Be kind.", "\N{CJK UNIFIED IDEOGRAPH-20000}", 'Say "no" \\ {{ twice }} {% if %}\n', "né\t"],
)
def test_a_text_that_is_quoted_in_a_template_is_rendered_as_it_is(text: str) -> None:
    assert ChatTemplate(f"{{{{ {quote(text)} }}}}", {})([]) == text
