"""Separates what a model thinks aloud from what it replies, so that no thought is ever read as a reply.

Models such as DeepSeek-R1, Qwen3 and Magistral write `<think>...</think>` before their reply. Some chat templates open
the thought themselves, so that only `</think>` is seen. Everything that reads a text of a model splits it here.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Marks = tuple[str, str]
"""What opens a thought, and what closes it."""

REASONING_MARKS: tuple[Marks, ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""The marks of today's models. A role names others with `reasoning_marks`."""
# matches "```python\nx\n```", "~~~\nx\n~~~", not "```x```"
_FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}|~{3,})[^\n`]*\n(?P<code>.*?)^[ \t]*(?P=fence)[ \t]*$", re.M | re.S)
_QUOTES = ("`", "'", '"', "\N{LEFT SINGLE QUOTATION MARK}", "\N{LEFT DOUBLE QUOTATION MARK}", "{", "$", "\\verb|")
"""What stands before a mark that a text only speaks of, as in `the tag "<think>"` or `\\text{<think>}`."""
_QUOTES_AFTER = ("`", "'", '"', "\N{RIGHT SINGLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}", "}", "$", "|")
_HARMONY_TOKENS = ("<|end|>", "<|start|>assistant", "<|return|>")


class SplitText(NamedTuple):
    """A text of a model, split into its thought and its reply."""

    reasoning: str | None
    """The thought without its marks; None if there is none."""
    text: str
    """The reply without the thought."""
    closed: bool
    """False if a thought never ends: then the reply was cut off, and `text` holds only what came before."""


def split_reasoning(text: str, marks: Sequence[Marks] = REASONING_MARKS) -> SplitText:
    """Split the text of a model at the marks of its thoughts.

    A thought runs from a mark at the beginning of the text, of a line or of a sentence to the last mark that closes it.
    A text that holds only the closing mark was opened by the chat template. A mark in quotes, in a formula or in a
    block of code is a part of the text. Text without a mark is returned as it is.
    """
    if marks is REASONING_MARKS and "<" not in text and "THINK]" not in text:
        return SplitText(None, text, True)  # most texts, ten times as fast
    for opening, closing in marks:
        if opening in text or closing in text:
            split = _split_at(text, opening, closing)
            if split.reasoning is not None or split.text != text:
                return split
    return SplitText(None, text, True)


def _split_at(text: str, opening: str, closing: str) -> SplitText:
    fences = [match.span("code") for match in _FENCE.finditer(text)]
    opens = [at for at in _find_all(text, opening) if not _is_quoted(text, at, opening) and not _is_in(at, fences)]
    closes = [at for at in _find_all(text, closing) if not _is_quoted(text, at, closing)]
    # Code within a thought may hold a fence that never ends, so a fence hides a closing mark only if it hides both.
    code_pairs = [span for span in fences if opening in text[slice(*span)]]
    closes = [at for at in closes if not _is_in(at, code_pairs)]
    if not opens and not closes:
        return SplitText(None, text, True)
    begin = opens[0] if opens and not (closes and closes[0] < opens[0]) else 0
    after_opening = begin + len(opening) if text.startswith(opening, begin) else begin
    end = max((at for at in closes if at >= begin), default=-1)
    before = text[:begin].strip()
    if end < 0 or any(at > end for at in opens):
        return SplitText(_clean(text[after_opening:], opening, closing), before, False)
    reply = text[end + len(closing) :]
    return SplitText(_clean(text[after_opening:end], opening, closing), f"{before}\n{reply}".strip(), True)


def _clean(thought: str, opening: str, closing: str) -> str | None:
    """The thought without marks between two of its parts, and without the control tokens of gpt-oss; None if blank."""
    thought = re.sub(rf"{re.escape(closing)}\s*{re.escape(opening)}", "\n", thought)
    for token in _HARMONY_TOKENS if opening.startswith("<|channel|>") else ():
        thought = thought.replace(token, "\n")
    return thought.strip() or None


def _is_quoted(text: str, at: int, mark: str) -> bool:
    """Whether the mark at `at` is only spoken of: between quotes or backticks, or as the content of a LaTeX command."""
    return text[max(0, at - 6) : at].endswith(_QUOTES) and text.startswith(_QUOTES_AFTER, at + len(mark))


def _is_in(at: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= at < end for start, end in spans)


def _find_all(text: str, mark: str) -> Iterator[int]:
    at = -1
    while (at := text.find(mark, at + 1)) >= 0:
        yield at
