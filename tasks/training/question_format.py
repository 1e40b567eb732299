"""The format in which a model writes new questions: after the bare prefix of a user's turn, up to its end token.

Prefix and question are always tokenised separately, in training as in generation. Tokenised together they might merge
where they meet, which never happens in generation, and most tokenisers would add a second opening token.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.chat_templates import TEMPLATE_DATE, find_bare_prefix, find_turn_end, quote, write_template_date
from tasks.questions.write import WriteQuestion

logger = logging.getLogger(__name__)


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
            turn = f"{quote(self.leading_blanks)} + messages[-1]['content']"
            tokenizer.chat_template = f"{{{{ {quote(self.prefix)} + ('' if add_generation_prompt else {turn}) }}}}"
        tokenizer.save_pretrained(folder)


def read_question_format(tokenizer: Any) -> QuestionFormat:
    """Read the format of a model from its `transformers` tokeniser. Raises ValueError if no token ends a turn.

    A template that writes today's date writes `TEMPLATE_DATE` instead, so that the prefix is the same on every day.
    """
    if not tokenizer.chat_template:
        return QuestionFormat(WriteQuestion().make_prompt().to_tagged_text(), "", _find_end_token(tokenizer, ""), False)
    bare = find_bare_prefix(lambda text: _render(tokenizer, text, strftime_now=write_template_date))
    if _render(tokenizer, "") != _render(tokenizer, "", strftime_now=write_template_date):
        logger.warning("the chat template writes today's date; questions are learnt with %s always", TEMPLATE_DATE)
    return QuestionFormat(bare.prefix, bare.leading_blanks, _find_end_token(tokenizer, bare.after), True)


def _render(tokenizer: Any, text: str, **variables: Any) -> str:
    return str(tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False, **variables))


def _find_end_token(tokenizer: Any, after: str) -> int:
    """The token that ends a turn, whether or not the tokeniser's configuration names it; else the end of a text."""
    if (turn_end := find_turn_end(after, tokenizer.get_added_vocab())) is not None:
        return int(tokenizer.convert_tokens_to_ids(turn_end))
    if tokenizer.eos_token_id is None:
        raise ValueError(
            "the model's tokeniser names no token that ends a text; set eos_token in tokenizer_config.json"
        )
    return int(tokenizer.eos_token_id)


def _tokenize(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
