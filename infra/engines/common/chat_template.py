"""Writes a prompt as the text that a model in the worker reads: through its chat template, as tags, or bare.

Templates are written for `transformers`; `ChatTemplate` offers them what they find there.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.chat_templates import choose_layout, find_bare_prefix, find_lost_turn, find_turn_end, write_template_date
from schemas.engine import Completion
from schemas.engine_specs import ChatModelSpec
from schemas.errors import EngineError
from schemas.prompts import SOLVE_TAG, Layout, Prompt
from schemas.reasoning import REASONING_MARKS, Marks

Messages = list[dict[str, str]]
Render = Callable[..., str]
"""Turns messages into text: `render(messages, add_generation_prompt=True, **variables)`."""
DEFAULT_TEMPLATE = "default"
"""Name of the template that is used where a model has several."""
NO_TEMPLATE = (
    "no chat template beside {name}; copy tokenizer_config.json and chat_template.jinja from the model that it was "
    "made from"
)
TAGGED_HELP = ", or set layout = 'tagged' if the model was trained on tagged text"
_PROBE_TEXTS = ("1 + 1", "2 x 3")
_PUPIL_TAGS = re.findall(r"<\w+>", Prompt(stage=SOLVE_TAG, inputs={"question": ""}).to_tagged_text())
logger = logging.getLogger(__name__)


class _GenerationBlock(Extension):
    """`{% generation %}` marks what an assistant said, for training; here it is plain text."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """A chat template, with the functions, filters and blocks that `transformers` gives to it."""

    def __init__(self, source: str, special_tokens: Mapping[str, Any]) -> None:
        """Raises ValueError if the template cannot be read."""
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals.update(raise_exception=_raise_exception, strftime_now=write_template_date)
        self.special_tokens = {name: text for name, text in special_tokens.items() if text is not None}
        try:
            self.template = environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"the chat template cannot be read: {error.message}, line {error.lineno}") from None

    def __call__(self, messages: Messages, add_generation_prompt: bool = True, **variables: Any) -> str:
        """Render `messages`. Raises whatever the template raises."""
        return self.template.render(
            messages=messages,
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **self.special_tokens,
            **variables,
        )


class WrittenPrompt(NamedTuple):
    """A prompt as a model reads it."""

    text: str
    """What is tokenised, without further opening tokens."""
    opened: Marks | None = None
    """Marks of the thought that the prompt itself opens; the reply begins inside it."""


class PromptWriter:
    """Writes the prompts of one model, and splits its replies."""

    def __init__(self, spec: ChatModelSpec, name: str, render: Render | None, added_tokens: Sequence[str]) -> None:
        """`render` is the model's chat template, `added_tokens` are those of its tokeniser. `name` says where it is.

        Raises ValueError if the model has no template and is not the pupil, or cannot be asked in the spec's layout.
        """
        self.spec, self.name, self.marks = spec, name, (*spec.reasoning_marks, *REASONING_MARKS)
        self.layout, self.bare_prefix, self.is_constant = spec.layout, "", False
        self.switch_is_checked = False
        self.ends: tuple[str, ...] = ()
        """Tokens of the tokeniser that end a reply, in addition to those that the model's configuration names."""
        self.stop: tuple[str, ...] = ()
        """Texts that end a reply, where no token does."""
        if self.layout == "auto" and render is None and set(_PUPIL_TAGS) <= set(added_tokens):
            self.layout = "tagged"
        if self.layout == "tagged":
            return
        if render is None:
            raise ValueError(NO_TEMPLATE.format(name=name) + TAGGED_HELP)
        self.render, self.is_constant = render, _is_constant(render)
        if self.layout == "bare":
            self._read_bare_prefix(added_tokens)
        elif end := _find_reply_end(render, added_tokens):
            self.ends = (end,)

    def write(self, prompt: Prompt, thinking: bool | None = None) -> WrittenPrompt:
        """Write a prompt whose reply is text. Raises `EngineError` if the model cannot be asked so."""
        if self.layout == "tagged":
            return WrittenPrompt(prompt.to_tagged_text())
        if self.layout == "bare" or self.is_constant:
            return WrittenPrompt(self._write_bare(prompt))
        # Templates call the switch by one of two names.
        variables = {} if thinking is None else {"enable_thinking": thinking, "thinking": thinking}
        text = self._render_prompt(prompt, variables)
        if variables:
            self._warn_if_without_switch(prompt, text, thinking)
        return WrittenPrompt(text, next((m for m in self.marks if text.rstrip().endswith(m[0])), None))

    def write_for_score(self, prompt: Prompt) -> WrittenPrompt:
        """Write a prompt whose score is read from the first token of the reply: a thought is left out or closed."""
        written = self.write(prompt, False if self.spec.thinks else None)
        if written.opened is None:
            return written
        return WrittenPrompt(f"{written.text.rstrip()}\n\n{written.opened[1]}\n\n")

    def write_chat(self, messages: Messages, **variables: Any) -> str:
        """Write `messages`, of which every one must be in the text. Raises `EngineError` if one is not."""
        try:
            text = self.render(messages, **variables)
        except Exception as error:
            raise self._refusal(" ".join(str(error).split())) from error
        if lost := find_lost_turn(text, messages):
            raise self._refusal(f"it drops the {lost} turn")
        return text

    def split(self, reply: Completion, written: WrittenPrompt) -> Completion:
        """The reply without its thought, which the prompt may have opened."""
        if written.opened is not None:
            reply = reply.model_copy(update={"text": written.opened[0] + reply.text})
        return reply.split_reasoning(self.marks)

    def _render_prompt(self, prompt: Prompt, variables: Mapping[str, Any]) -> str:
        layout: Layout
        if self.layout == "system_user" or self.layout == "user" or self.layout == "boxed":
            layout = self.layout
        else:
            layout = self._decide_layout(prompt, variables) if prompt.inputs else "user"
        return self.write_chat(prompt.to_messages(layout), **variables)

    def _decide_layout(self, prompt: Prompt, variables: Mapping[str, Any]) -> Layout:
        try:
            chosen = choose_layout(lambda messages: self.render(messages, **variables), prompt)
        except ValueError as error:
            raise self._refusal(str(error)) from error
        self.layout = chosen.layout
        if chosen.reason:
            logger.warning(
                "%s: the instruction goes into the user's turn (layout = %r), because of its chat template: %s",
                self.name,
                chosen.layout,
                chosen.reason,
            )
        return chosen.layout

    def _refusal(self, reason: str) -> EngineError:
        return EngineError(
            f"the chat template of {self.name} does not take the prompt ({reason}); set layout in the role of the "
            "profile, or give it another model"
        )

    def _warn_if_without_switch(self, prompt: Prompt, text: str, thinking: bool | None) -> None:
        if self.switch_is_checked:
            return
        self.switch_is_checked = True
        if self._render_prompt(prompt, {"enable_thinking": not thinking, "thinking": not thinking}) == text:
            logger.warning(
                "%s: its chat template has no switch for thinking; thinking = %s changes nothing", self.name, thinking
            )

    def _write_bare(self, prompt: Prompt) -> str:
        if prompt.inputs:
            way = "its chat template reads no message" if self.is_constant else "layout = 'bare'"
            raise EngineError(
                f"{self.name} only begins a user's turn ({way}), so it cannot be asked {prompt.stage}, which has "
                "inputs; give that role another model or layout"
            )
        return self.bare_prefix or self.render(prompt.to_messages())

    def _read_bare_prefix(self, added_tokens: Sequence[str]) -> None:
        """Read what begins and what ends a user's turn."""
        system = [{"role": "system", "content": self.spec.system_turn}] if self.spec.system_turn else []

        def render_user(text: str, add_generation_prompt: bool = False) -> str:
            return self.render([*system, {"role": "user", "content": text}], add_generation_prompt)

        try:
            bare = find_bare_prefix(render_user)
            after = bare.after
            if not find_turn_end(after, added_tokens) and not self.is_constant:
                after = find_bare_prefix(lambda text: render_user(text, True)).after
        except Exception as error:
            raise ValueError(
                f"the chat template of {self.name} has no bare prefix ({' '.join(str(error).split())}); "
                "set another layout, or leave system_turn out"
            ) from None
        if self.spec.system_turn.strip() not in bare.prefix:
            raise ValueError(f"the chat template of {self.name} drops the system turn; leave system_turn out")
        self.bare_prefix = bare.prefix
        if (end := find_turn_end(after, added_tokens)) is not None:
            self.ends = (end,)
        elif after.strip():
            self.stop = (after.rstrip(),)


def read_chat_template(folder: Path) -> ChatTemplate | None:
    """Read the chat template among a model's files; None if there is none. Raises ValueError if it is broken."""
    config = read_json(folder / "tokenizer_config.json")
    file = folder / "chat_template.jinja"
    source = file.read_text(encoding="utf-8") if file.is_file() else config.get("chat_template")
    source = source or read_json(folder / "chat_template.json").get("chat_template")
    if not source:
        return None
    special_tokens = {
        name: _token_text(token)
        for name, token in (read_json(folder / "special_tokens_map.json") | config).items()
        if name.endswith("_token")
    }
    try:
        return ChatTemplate(choose_template(source), special_tokens)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None


def choose_template(source: Any) -> str:
    """The text of the default template of a model that may have several, as a list or by name.

    Raises ValueError if there are several and none is the default.
    """
    if isinstance(source, str):
        return source
    named = dict(source) if isinstance(source, Mapping) else {each["name"]: each["template"] for each in source}
    if DEFAULT_TEMPLATE not in named and len(named) != 1:
        raise ValueError(
            f"none of the chat templates {', '.join(sorted(named))} is called {DEFAULT_TEMPLATE!r}; write the one to "
            "use into chat_template.jinja"
        )
    return str(named.get(DEFAULT_TEMPLATE) or next(iter(named.values())))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is no such file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def cut_at_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text before the first of the texts in `stop`, and whether one was there."""
    places = [place for each in stop if each and (place := text.find(each)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


def kept_special_tokens(special_tokens: Sequence[str], marks: Sequence[Marks]) -> frozenset[str]:
    """The special tokens that must not be dropped from a reply, because they mark a thought.

    Where a mark is made of several tokens, as those of gpt-oss, its neighbours are needed as well: all are kept.
    """
    texts = [mark for pair in marks for mark in pair]
    if any(token != mark and token in mark for token in special_tokens for mark in texts):
        return frozenset(special_tokens)
    return frozenset(token for token in special_tokens if token in texts)


def _is_constant(render: Render) -> bool:
    """Whether the template writes the same whatever the messages, as that of a model trained to write questions."""
    try:
        first, second = (render([{"role": "user", "content": text}]) for text in _PROBE_TEXTS)
    except Exception:
        return False
    return first == second


def _find_reply_end(render: Render, added_tokens: Sequence[str]) -> str | None:
    """The added token that the template writes after an assistant's turn; None if it writes no such turn or token."""
    user = {"role": "user", "content": _PROBE_TEXTS[0]}
    try:
        after = find_bare_prefix(lambda text: render([user, {"role": "assistant", "content": text}], False)).after
    except Exception:
        return None
    return find_turn_end(after, added_tokens)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON without the escapes for HTML of Jinja's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _token_text(token: Any) -> Any:
    return token["content"] if isinstance(token, dict) else token
