"""What chat templates do with a prompt: whether they take its system turn, and what they write around a user's text.

A model continues the *bare prefix*, what stands before a user's text, with a text of its own. ScaleQuest draws
questions in this way, from a model as it comes or after a training on questions.
"""

import itertools
import json
from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

from schemas.prompts import Layout, Prompt

TEMPLATE_DATE = date(2024, 7, 26)
"""Today, for every chat template that writes the date: a prompt must not change from one day to the next."""


class ChosenLayout(NamedTuple):
    """The layout of a prompt that a chat template takes."""

    layout: Layout
    """`system_user`, or `user` where the template refuses or drops a system turn."""
    reason: str
    """Why it is not `system_user`; empty if it is."""


def choose_layout(render: Callable[[list[dict[str, str]]], str], prompt: Prompt) -> ChosenLayout:
    """Choose how `prompt` is laid out for a template: with a system turn if it takes one, else in the user's turn.

    Raises ValueError, with the template's own words, if it takes neither.
    """
    reason = ""
    layouts: tuple[Layout, ...] = ("system_user", "user")
    for layout in layouts:
        messages = prompt.to_messages(layout)
        try:
            text = render(messages)
        except Exception as error:  # templates raise whatever they like
            reason = f"it refuses a {messages[0]['role']} turn: {' '.join(str(error).split())}"
            continue
        if not (lost := find_lost_turn(text, messages)):
            return ChosenLayout(layout, reason)
        reason = f"it drops the {lost} turn"
    raise ValueError(reason)


def find_lost_turn(text: str, messages: list[dict[str, str]]) -> str:
    """The role of the first message that is not in the rendered text; empty if all are there."""
    return next((m["role"] for m in messages if m["content"].strip() not in text), "")


class BarePrefix(NamedTuple):
    """What a chat template writes around a user's text."""

    prefix: str
    """Everything before the text, without the blanks that touch it."""
    leading_blanks: str
    """Blanks that touch the text. They belong to the tokens of its first word."""
    after: str
    """Everything after the text."""


def write_template_date(form: str) -> str:
    """`strftime_now` of a chat template, always on the same day: `26 Jul 2024`."""
    return TEMPLATE_DATE.strftime(form)


def find_bare_prefix(render: Callable[[str], str]) -> BarePrefix:
    """Find what `render` writes around a user's text. Raises ValueError if it leaves the text out, or repeats it."""
    blank_text = render("")
    placeholder = next(word for i in itertools.count() if (word := f"QUESTION{i}") not in blank_text)
    before, *others = render(placeholder).split(placeholder)
    if len(others) != 1:
        raise ValueError(f"the chat template writes a user's text {len(others)} times, so nothing begins a user's turn")
    prefix = before.rstrip(" ")
    return BarePrefix(prefix, before[len(prefix) :], others[0])


def find_turn_end(after: str, added_tokens: Iterable[str]) -> str | None:
    """The longest of the tokeniser's added tokens that begins `after`, blanks left out: it ends a turn."""
    return max((t for t in added_tokens if t.strip() and after.lstrip().startswith(t)), key=len, default=None)


def quote(text: str) -> str:
    """The text as a string of a chat template, which does not read the two halves of a character that JSON escapes."""
    return json.dumps(text, ensure_ascii=False)
