"""How a model writes questions from nothing: after the bare prefix of a user's turn, up to the token that ends it.

Prefix and question are always tokenised apart, in training as in generation: joined, they may merge at their seam,
where generation never does, and to a text that holds an opening token most tokenisers add a second one.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.questions.write import WriteQuestion

QUESTION_PLACEHOLDER = "QUESTION"
"""Stands for the question where a chat template is asked what it writes around one."""


@dataclass(frozen=True)
class QuestionFormat:
    """Bare prefix and end of a model's own format."""

    prefix: str
    """What stands before a question, opening token and standing system turn included."""
    leading_blanks: str
    """What a question begins with: blanks that the template leaves before it belong to its first word."""
    end_token: int
    """Token that ends a user's turn, or else the one that ends a text."""
    has_chat_template: bool
    """Whether the model has a chat template; the pupil has none, and reads tags."""

    def prefix_tokens(self, tokenizer: Any) -> list[int]:
        """Tokens of the prefix."""
        return _tokenize(tokenizer, self.prefix)

    def question_tokens(self, tokenizer: Any, text: str) -> list[int]:
        """Tokens of a question and its end; there is one end, and nothing after it."""
        return [*_tokenize(tokenizer, self.leading_blanks + text.strip()), self.end_token]

    def save_tokenizer(self, tokenizer: Any, folder: Path) -> None:
        """Write the tokeniser of a model that was taught this format, so that whoever loads it asks in the same way.

        Asked for a turn, its chat template is the bare prefix, whatever the messages: a questioner has nothing else to
        be told. Given a turn, it is prefix and question, so that `read_question_format` reads the same format from it
        again.
        """
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(self.end_token)
        if self.has_chat_template:
            turn = f"{json.dumps(self.leading_blanks)} + messages[-1]['content']"
            tokenizer.chat_template = f"{{{{ {json.dumps(self.prefix)} + ('' if add_generation_prompt else {turn}) }}}}"
        tokenizer.save_pretrained(folder)


def read_question_format(tokenizer: Any) -> QuestionFormat:
    """The bare format of a model, from its `transformers` tokeniser. Raises ValueError where no token ends a turn."""
    if not tokenizer.chat_template:
        return QuestionFormat(WriteQuestion().make_prompt().to_tagged_text(), "", _find_end_token(tokenizer, ""), False)
    text = tokenizer.apply_chat_template([{"role": "user", "content": QUESTION_PLACEHOLDER}], tokenize=False)
    before, _, after = text.partition(QUESTION_PLACEHOLDER)
    prefix = before.rstrip(" ")
    return QuestionFormat(prefix, before[len(prefix) :], _find_end_token(tokenizer, after), True)


def _find_end_token(tokenizer: Any, after: str) -> int:
    first = _tokenize(tokenizer, after.lstrip())[:1]
    if first and first[0] in tokenizer.all_special_ids:
        return first[0]
    if tokenizer.eos_token_id is None:
        raise ValueError(
            "the model's tokeniser names no token that ends a text; set eos_token in tokenizer_config.json"
        )
    return int(tokenizer.eos_token_id)


def _tokenize(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
