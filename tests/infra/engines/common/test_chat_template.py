"""Prompts reach a model whatever its chat template does, and a model that cannot be asked is refused in one line."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.engines.common.chat_template import (
    ChatTemplate,
    PromptWriter,
    WrittenPrompt,
    cut_at_stop,
    kept_special_tokens,
    read_chat_template,
)
from schemas.engine import Completion
from schemas.engine_specs import ChatModelSpec
from schemas.errors import EngineError
from schemas.prompts import BOXED_REQUEST
from schemas.reasoning import REASONING_MARKS
from tests.support.chat_templates import CHATML_DEFAULT, CHATML_TOKENS, DROPS_SYSTEM, FAMILIES, bare_template
from tests.support.engine_contract import JUDGE, QUESTION, SOLVE, WRITE

PUPIL_TOKENS = ("<end>", "<reply>", "<solve>", "<question>")


def writer_of(family: str, **fields: Any) -> PromptWriter:
    described = FAMILIES[family]
    return PromptWriter(ChatModelSpec(**fields), family, described.template(), described.added_tokens)


def writer_with(source: str, added_tokens: Sequence[str] = CHATML_TOKENS, **fields: Any) -> PromptWriter:
    return PromptWriter(ChatModelSpec(**fields), "model", ChatTemplate(source, {}), added_tokens)


@pytest.mark.parametrize("family", FAMILIES)
def test_instruction_and_question_reach_every_family(family: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        writer = writer_of(family)
        texts = [writer.write(prompt).text for prompt in (WRITE, SOLVE, JUDGE, SOLVE)]
    assert SOLVE.instruction in texts[1] and QUESTION in texts[1] and "3 + 4 = 7" in texts[2] and texts[1] == texts[3]
    assert writer.layout == FAMILIES[family].layout
    notes = [record.message for record in caplog.records]
    if FAMILIES[family].layout == "system_user":
        assert not notes
    else:
        (note,) = notes
        assert family in note and "layout = 'user'" in note and "it refuses a system turn" in note


def test_an_instruction_that_is_dropped_goes_into_the_users_turn(caplog: pytest.LogCaptureFixture) -> None:
    writer = writer_with(DROPS_SYSTEM)
    with caplog.at_level(logging.WARNING):
        assert f"Solve it.\n\nQuestion:\n{QUESTION}" in writer.write(SOLVE).text
    assert "it drops the system turn" in caplog.text


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ raise_exception('Only for members') }}", "Only for members"),
        ("{% for m in messages %}{{ m.content.text.value }}{% endfor %}", "has no attribute"),
        ("{{ messages[-1].content[:4] }}", "drops the user turn"),
        ("{{ messages[0]['content'] + none }}", "NoneType"),
    ],
)
def test_a_template_that_takes_no_prompt_is_quoted(source: str, words: str) -> None:
    with pytest.raises(EngineError, match="the chat template of model does not take the prompt") as caught:
        writer_with(source).write(SOLVE)
    assert words in str(caught.value) and "set layout" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("layout", ["system_user", "user", "boxed"])
def test_a_layout_that_is_set_is_kept_to(layout: Any) -> None:
    assert writer_of("smollm2", layout=layout).write(SOLVE).text == FAMILIES["smollm2"].template()(
        SOLVE.to_messages(layout)
    )


def test_the_boxed_layout_asks_as_models_for_mathematics_were_trained() -> None:
    assert f"{QUESTION}\n{BOXED_REQUEST}<|im_end|>" in writer_of("qwen2.5", layout="boxed").write(SOLVE).text


@pytest.mark.parametrize("source", [FAMILIES["gemma-2"].source, FAMILIES["mistral-v0.1"].source, DROPS_SYSTEM])
def test_a_layout_that_the_template_does_not_take_is_an_error(source: str) -> None:
    with pytest.raises(EngineError, match=r"does not take the prompt \(.*set layout"):
        writer_with(source, layout="system_user").write(SOLVE)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"tokenizer_config.json": {"chat_template": "[{{ messages[-1].content }}]"}}, "[Hi & <b>]"),
        ({"chat_template.jinja": "({{ messages[-1].content }})", "tokenizer_config.json": {"chat_template": "x"}}, "("),
        ({"chat_template.json": {"chat_template": "<{{ messages[-1].content }}>"}}, "<Hi & <b>>"),
        (
            {"tokenizer_config.json": {"chat_template": [{"name": n, "template": n} for n in ("tools", "default")]}},
            "default",
        ),
        ({"tokenizer_config.json": {"chat_template": {"only": "one"}}}, "one"),
        (
            {
                "chat_template.jinja": "{{ bos_token }}|{{ eos_token }}|{{ pad_token }}",
                "special_tokens_map.json": {"bos_token": "<s>", "eos_token": {"content": "</s>"}},
                "tokenizer_config.json": {"bos_token": {"content": "<b>"}, "pad_token": None, "add_bos_token": True},
            },
            "<b>|</s>|",
        ),
        ({"chat_template.jinja": "{{ messages | tojson }}"}, '[{"role": "user", "content": "Hi & <b>"}]'),
        ({"chat_template.jinja": "{{ messages | tojson(indent=1) }}"}, '[\n {\n  "role"'),
        ({"chat_template.jinja": "{{ strftime_now('%Y-%m-%d') }}"}, "2024-07-26"),
        ({"chat_template.jinja": "{% generation %}a{% endgeneration %}"}, "a"),
        ({"chat_template.jinja": "{% for i in [1, 2] %}{{ i }}{% break %}{% endfor %}."}, "1."),
        ({"chat_template.jinja": "{{ tools is none }} {{ documents is none }}"}, "True True"),
    ],
)  # fmt: skip
def test_what_real_templates_use_is_there(files: dict[str, Any], text: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    template = read_chat_template(tmp_path)
    assert template is not None
    assert template([{"role": "user", "content": "Hi & <b>"}]).startswith(text)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for m in messages %}", "cannot be read: .*line 1"),
        ("{% nonsense %}", "cannot be read: .*nonsense"),
        ([{"name": "rag", "template": "x"}, {"name": "tool_use", "template": "y"}], "none of the chat templates"),
    ],
)
def test_a_broken_template_is_one_clear_line(source: Any, reason: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": source}))
    with pytest.raises(ValueError, match=reason) as caught:
        read_chat_template(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("added_tokens", [(), CHATML_TOKENS, PUPIL_TOKENS[:3]])
@pytest.mark.parametrize("layout", ["auto", "system_user", "bare"])
def test_a_model_without_a_template_is_refused_unless_it_is_the_pupil(added_tokens: Any, layout: Any) -> None:
    with pytest.raises(ValueError, match=r"no chat template beside model; copy tokenizer_config.json and chat_templ"):
        PromptWriter(ChatModelSpec(layout=layout), "model", None, added_tokens)


@pytest.mark.parametrize(("layout", "added_tokens"), [("auto", PUPIL_TOKENS), ("tagged", ()), ("tagged", PUPIL_TOKENS)])
def test_the_pupil_and_who_says_so_read_tagged_text(layout: Any, added_tokens: Any) -> None:
    writer = PromptWriter(ChatModelSpec(layout=layout), "model", None, added_tokens)
    assert writer.write(SOLVE, thinking=True) == WrittenPrompt(f"<solve><question>{QUESTION}<reply>")
    assert writer.write_for_score(JUDGE).text == JUDGE.to_tagged_text() and not writer.ends


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bare_turn_begins_and_ends_as_the_template_writes_it(family: str) -> None:
    writer, (prefix, _, end) = writer_of(family, layout="bare"), FAMILIES[family].bare
    assert writer.write(WRITE).text == prefix
    assert writer.ends == ((end,) if end else ())
    assert writer.stop == {"mistral-v0.1": (" [/INST]",), "deepseek": ("\n\nAssistant:",)}.get(family, ())
    with pytest.raises(EngineError, match=r"only begins a user's turn \(layout = 'bare'\).*asked solve, which has in"):
        writer.write(SOLVE)


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - {"gemma-2", "mistral-v0.1", "mistral-v0.3"}))
def test_a_bare_turn_may_follow_a_system_turn(family: str) -> None:
    text = writer_of(family, layout="bare", system_turn="You teach \N{GRINNING FACE}.").write(WRITE).text
    assert "You teach \N{GRINNING FACE}." in text and text.endswith(FAMILIES[family].bare[0][-5:])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (FAMILIES["gemma-2"].source, "System role not supported"),
        (FAMILIES["mistral-v0.1"].source, "Roles must alternate"),
        (DROPS_SYSTEM, "drops the system turn"),
    ],
)
def test_a_system_turn_that_is_refused_or_dropped_is_an_error(source: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{reason}.*leave system_turn out"):
        writer_with(source, layout="bare", system_turn="You teach.")


def test_a_system_turn_is_for_bare_turns_only() -> None:
    with pytest.raises(ValueError, match="only used with layout = 'bare'"):
        ChatModelSpec(system_turn="You teach.")


@pytest.mark.parametrize("prefix", ["<s>[INST]", "<|im_start|>user\n", 'Say "hi" \N{GRINNING FACE} \\n {{ }}\n'])
@pytest.mark.parametrize("layout", ["auto", "bare"])
def test_a_trained_questioner_writes_and_does_nothing_else(prefix: str, layout: Any) -> None:
    writer = writer_with(bare_template(prefix, " "), layout=layout)
    assert writer.write(WRITE).text == prefix
    with pytest.raises(EngineError, match="only begins a user's turn"):
        writer.write(SOLVE)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_end_of_a_reply_is_read_from_the_template(family: str) -> None:
    assert writer_of(family).ends == (FAMILIES[family].reply_end,)


def test_thinking_is_the_templates_switch(caplog: pytest.LogCaptureFixture) -> None:
    writer = writer_of("qwen3")
    plain, without, thoughtful = (writer.write(SOLVE, thinking).text for thinking in (None, False, True))
    assert without == f"{plain}<think>\n\n</think>\n\n" and thoughtful == plain
    assert not caplog.records
    granite = writer_with(f"{CHATML_DEFAULT}{{% if thinking %}}<think>{{% endif %}}")
    assert granite.write(SOLVE, True).opened == ("<think>", "</think>")
    deaf = writer_of("smollm2")
    with caplog.at_level(logging.WARNING):
        assert deaf.write(SOLVE, True).text == deaf.write(SOLVE, False).text == deaf.write(SOLVE).text
    (note,) = [record.message for record in caplog.records]
    assert "no switch for thinking" in note


@pytest.mark.parametrize(
    ("text", "reasoning", "reply", "finish_reason"),
    [
        ("Let me add.\n</think>\n\n#### 7", "Let me add.", "#### 7", "stop"),
        ("Let me add. It is 7.", "Let me add. It is 7.", "", "length"),
        ("", None, "", "length"),
        ("\n\n</think>\n\nIt is 7.", None, "It is 7.", "stop"),
    ],
)
def test_a_reply_begins_in_the_thought_that_its_prompt_opened(
    text: str, reasoning: str | None, reply: str, finish_reason: str
) -> None:
    writer = writer_of("r1-distill")
    written = writer.write(SOLVE)
    assert written.opened == ("<think>", "</think>")
    split = writer.split(Completion(text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=1), written)
    assert (split.reasoning, split.text, split.finish_reason) == (reasoning, reply, finish_reason)


def test_marks_of_a_role_are_split_as_well_as_the_known_ones() -> None:
    writer = writer_with(f"{CHATML_DEFAULT}<pad>", reasoning_marks=[["<pad>", "</pad>"]])
    written = writer.write(SOLVE)
    assert written.opened == ("<pad>", "</pad>")
    reply = Completion(text="Hm.</pad>7", finish_reason="stop", prompt_tokens=1, completion_tokens=1)
    assert writer.split(reply, written).text == "7"
    reply = reply.model_copy(update={"text": "<think>Hm.</think>\n7"})
    assert writer.split(reply, WrittenPrompt("")).reasoning == "Hm."


@pytest.mark.parametrize(
    ("family", "thinks", "end"),
    [
        ("qwen3", True, "<|im_start|>assistant\n<think>\n\n</think>\n\n"),
        ("qwen3", False, "<|im_start|>assistant\n"),
        ("r1-distill", True, "<|Assistant|><think>\n\n</think>\n\n"),
        ("r1-distill", False, "<|Assistant|><think>\n\n</think>\n\n"),
    ],
)
def test_a_score_is_asked_for_without_a_thought(family: str, thinks: bool, end: str) -> None:
    written = writer_of(family, thinks=thinks).write_for_score(JUDGE)
    assert written.text.endswith(end) and written.opened is None


@pytest.mark.parametrize(
    ("stop", "cut"),
    [((), ("a b a", False)), (("b",), ("a ", True)), (("z", "b", " "), ("a", True)), (("a",), ("", True))],
)
def test_a_reply_ends_before_the_first_text_that_ends_it(stop: Any, cut: tuple[str, bool]) -> None:
    assert cut_at_stop("a b a", stop) == cut


def test_special_tokens_that_mark_a_thought_are_kept() -> None:
    assert kept_special_tokens(["</s>", "[THINK]", "[/THINK]"], REASONING_MARKS) == {"[THINK]", "[/THINK]"}
    assert kept_special_tokens(["<end>", "<reply>", "<solution>"], REASONING_MARKS) == frozenset()
    harmony = ["<|channel|>", "<|message|>", "<|end|>", "<|start|>"]
    assert kept_special_tokens(harmony, REASONING_MARKS) == frozenset(harmony)


def test_a_prompt_without_inputs_decides_nothing() -> None:
    writer = writer_of("gemma-2")
    assert WRITE.instruction in writer.write(WRITE).text
    assert writer.layout == "auto"
