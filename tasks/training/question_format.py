"""The format in which a model writes new questions: after the bare prefix of a user's turn, up to its end token.

Prefix and question are always tokenised separately, in training as in generation. Tokenised together they might merge
where they meet, which never happens in generation, and most tokenisers would add a second opening token.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.questions.write import WriteQuestion

QUESTION_PLACEHOLDER = "QUESTION"
"""Placeholder for a question, to find out what a chat template writes around one."""


@dataclass(frozen=True)
class QuestionFormat:
    """The bare prefix and the end token of questions in a model's own format."""

    prefix: str
    """Text before a question, including the opening token and a default system turn."""
    leading_blanks: str
    """Blanks that the template puts before a question. They belong to the tokens of its first word."""
    end_token: int
    """Id of the token that ends a user's turn or, if there is none, of the one that ends a text."""
    has_chat_template: bool
    """Whether the model has a chat template. The pupil has none; its prompts are tagged text."""

    def prefix_tokens(self, tokenizer: Any) -> list[int]:
        """Token ids of the prefix."""
        return _tokenize(tokenizer, self.prefix)

    def question_tokens(self, tokenizer: Any, text: str) -> list[int]:
        """Token ids of a question, followed by one end token."""
        return [*_tokenize(tokenizer, self.leading_blanks + text.strip()), self.end_token]

    def save_tokenizer(self, tokenizer: Any, folder: Path) -> None:
        """Save the tokeniser of a model trained in this format, so that engines that load it use the same format.

        With a generation prompt, its chat template is the bare prefix, whatever the messages, because a questioner
        needs no other input. Without one, it is prefix and question, so that `read_question_format` reads the same
        format again.
        """
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(self.end_token)
        if self.has_chat_template:
            turn = f"{json.dumps(self.leading_blanks)} + messages[-1]['content']"
            tokenizer.chat_template = f"{{{{ {json.dumps(self.prefix)} + ('' if add_generation_prompt else {turn}) }}}}"
        tokenizer.save_pretrained(folder)


def read_question_format(tokenizer: Any) -> QuestionFormat:
    """Read the format of a model from its `transformers` tokeniser. Raises ValueError if no token ends a turn."""
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
