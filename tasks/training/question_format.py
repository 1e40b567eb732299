"""How a model writes questions from nothing: after the bare prefix of a user's turn, up to the token that ends it.

Prefix and question are always tokenised apart, in training as in generation: joined, they may merge at their seam,
where generation never does, and to a text that holds an opening token most tokenisers add a second one.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.questions.write import WriteQuestion

MARK = "QUESTION"
"""Stands for the question where a chat template is asked what it writes around one."""


@dataclass(frozen=True)
class Bare:
    """Bare prefix and end of a model's own format."""

    prefix: str
    """What stands before a question, opening token and standing system turn included."""
    blank: str
    """What a question begins with: blanks that the template leaves before it belong to its first word."""
    end: int
    """Token that ends a user's turn, or else the one that ends a text."""
    own: bool
    """Whether the model has a chat template; the pupil has none, and reads tags."""

    def opening(self, words: Any) -> list[int]:
        """Tokens of the prefix."""
        return _tokens(words, self.prefix)

    def question(self, words: Any, text: str) -> list[int]:
        """Tokens of a question and its end; there is one end, and nothing after it."""
        return [*_tokens(words, self.blank + text.strip()), self.end]

    def write(self, words: Any, folder: Path) -> None:
        """Write the tokeniser of a model that was taught this format, so that whoever loads it asks in the same way.

        Asked for a turn, its chat template is the bare prefix, whatever the messages: a questioner has nothing else to
        be told. Given a turn, it is prefix and question, so that `bare` reads the same format from it again.
        """
        words.eos_token = words.convert_ids_to_tokens(self.end)
        if self.own:
            turn = f"{json.dumps(self.blank)} + messages[-1]['content']"
            words.chat_template = f"{{{{ {json.dumps(self.prefix)} + ('' if add_generation_prompt else {turn}) }}}}"
        words.save_pretrained(folder)


def bare(words: Any) -> Bare:
    """The bare format of a model, from its `transformers` tokeniser. Raises ValueError where no token ends a turn."""
    if not words.chat_template:
        return Bare(WriteQuestion().ask().tagged(), "", _end(words, ""), False)
    text = words.apply_chat_template([{"role": "user", "content": MARK}], tokenize=False)
    before, _, after = text.partition(MARK)
    prefix = before.rstrip(" ")
    return Bare(prefix, before[len(prefix) :], _end(words, after), True)


def _end(words: Any, after: str) -> int:
    first = _tokens(words, after.lstrip())[:1]
    if first and first[0] in words.all_special_ids:
        return first[0]
    if words.eos_token_id is None:
        raise ValueError(
            "the model's tokeniser names no token that ends a text; set eos_token in tokenizer_config.json"
        )
    return int(words.eos_token_id)


def _tokens(words: Any, text: str) -> list[int]:
    ids: list[int] = words(text, add_special_tokens=False)["input_ids"]
    return ids
