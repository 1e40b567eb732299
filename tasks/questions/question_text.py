"""Reads the question in a reply: takes off what the model put around it, and rejects what is more than a question.

A question is given between tags, in JSON or in plain text. Prefaces, labels, fences, quotes and remarks are taken off.
What still holds a label, a solution, a hint or a second question is rejected: a question that is lost costs little,
while one that gives its answer away, or begins with `Sure!`, is learned from.
"""

import re
from typing import Any

from schemas.reasoning import split_reasoning
from tasks.base.typed_reply import find_objects
from tasks.questions.question_faults import TAG_NAMES, Fault, find_fault
from tasks.questions.question_labels import read_label
from tasks.questions.question_wrapping import unwrap

OPENING_TAG, CLOSING_TAG = "<question>", "</question>"
"""Between these an instruct model shall put its question."""
REPLY_FORMAT = f"Put it between {OPENING_TAG} and {CLOSING_TAG}."
"""Follows the instruction that an instruct model reads."""
# matches "<question>How many?</question>", "<final_question>x</final_question>", not "<p>x</p>"
_TAGGED = re.compile(
    rf"<(?P<tag>{TAG_NAMES})>(?P<text>(?:(?!<{TAG_NAMES}>).)*?)(?:</(?P=tag)>|\Z)", re.DOTALL | re.IGNORECASE
)
# matches "<question>", "</final_question>", not "<p>"
_TAG = re.compile(rf"</?{TAG_NAMES}>", re.IGNORECASE)
MOST_CHARACTERS = 20_000
"""Characters of a reply up to which it is read."""
# matches "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((", not "-----"
_RUN = re.compile(r"([^\w\s])(?:\s?\1){90}|\n{200}")
LEAST_WORDS_IN_TAGS = 4
"""Fewest words between two tags that are read. Fewer are the tags of the instruction, repeated."""
# matches '{"question": "x', '"problem" : "x', not 'the word "question" is'
_JSON_KEY = re.compile(r"\"[a-z_ ]*(?:question|problem)[a-z_]*\"\s*:", re.IGNORECASE)
# matches "<|im_end|>", "</s>", "<end_of_turn>", not "<s", "x < y"
_CONTROL_TOKEN = re.compile(r"<\|[a-z_]+\|>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]", re.IGNORECASE)


def read_question(text: str) -> str | Fault:
    """The question in a reply, without any wrapping, or the fault for which it is rejected."""
    _, text, closed = split_reasoning(text)
    text = _CONTROL_TOKEN.sub("", text).strip()
    if not closed:
        return Fault("thought")
    if not text:
        return Fault("empty")
    if len(text) > MOST_CHARACTERS or _RUN.search(text):
        return Fault("degenerate")
    for read in (_read_tags, _read_json):
        found = read(text)
        if isinstance(found, Fault):
            return found
        if found is not None:
            text = found
            break
    question = unwrap(text)
    if isinstance(question, Fault):
        return question
    reason = find_fault(question)
    return question if reason is None else Fault(reason)


def _read_tags(text: str) -> str | Fault | None:
    """The text between tags; None if there are no tags with a text between them."""
    texts = [match["text"].strip() for match in _TAGGED.finditer(text)]
    texts = [each for each in texts if len(each.split()) >= LEAST_WORDS_IN_TAGS or not each.isascii()]
    if not texts:
        return None if _TAG.sub("", text) == text else _TAG.sub("", text).strip()
    return _only(texts)


def _read_json(text: str) -> str | Fault | None:
    """The question in a JSON object; None if the text holds no object with one."""
    values = [found for each in find_objects(text) for found in _find_values(each)]
    if values:
        best = [value for rank, value in values if rank == max(rank for rank, _ in values)]
        if any(not isinstance(value, str) for value in best):
            return Fault("unreadable JSON")
        return _only([value.strip() for value in best])
    return Fault("unreadable JSON") if _JSON_KEY.search(text) else None


def _find_values(parsed: Any) -> list[tuple[int, Any]]:
    """The values under keys that name a question, such as `final_question`, with their ranks."""
    if isinstance(parsed, list):
        return [found for each in parsed for found in _find_values(each)]
    if not isinstance(parsed, dict):
        return []
    values: list[tuple[int, Any]] = []
    for key, value in parsed.items():
        label = read_label(f"{re.sub(r'[_-]+', ' ', key.strip())}:")
        below = _find_values(value)
        if label is not None and label.kind == "question":
            values += below or [(label.rank, value)]
        elif label is None or label.kind != "draft":
            values += below
    return values


def _only(texts: list[str]) -> str | Fault:
    """The one text of a list; a fault if there are different ones."""
    return texts[-1] if len({" ".join(text.split()) for text in texts}) == 1 else Fault("several questions")
