"""Finds where a response ends: at the token of a chat that closes it, or before a question that it invents."""

import re
from collections.abc import Callable
from itertools import islice

# matches "<|im_end|>", "</s>", "<|eot_id|>", not "<answer>", "<|im_start|>assistant"
_END_TOKEN = re.compile(
    r"<\|(?:im_end|eot_id|end_of_text|endoftext|end|eom_id|end_of_turn)\|>|</s>|<end_of_turn>|<eos>|\[INST\]"
    r"|<\uff5cend\u2581of\u2581sentence\uff5c>|<\|im_start\|>user|\n\#{2,3}[ ]Instruction:"
)
"""Tokens with which models of several makers end a turn."""
_END_SIGNS = ("<", "[INST]", "# Instruction:")
"""Signs of which one is in every such token."""
# matches "\nQuestion: How", "\n## Exercise 7\n", "\nHuman: And", "\nProblem 2.", not "\nQuestion how", "\nQ is 5"
# matches "\nuser\nWhat", "\nFollow-up question: Why", "\nNow try this one: 2+2", not "\nThe user", "\nTry 5"
# matches "\n[Question] 2", "\nInput: 3 4", not "\nThe input: 3"
_NEW_QUESTION = re.compile(
    r"""^[ \t]*+(?:\#{1,6}[ \t]*+|\*\*[ \t]*+)?
    (?:(?:question|problem|exercise|task|example|q)(?:[ \t]*(?:no\.[ \t]*)?[0-9]{1,3})?[ \t]*(?:\*\*)?[ \t]*[:.]
      |(?:question|problem|exercise|example)[ \t]+[0-9]{1,3}[ \t]*(?:\*\*)?[ \t]*$
      |\#{1,6}[ \t]*(?:(?:instruction|input|human|user)\b|(?:question|problem|exercise)[ \t]*$)
      |(?:human|user|assistant|instruction|input)[ \t]*:|(?:user|human)[ \t]*$|\[(?:question|problem)\]
      |(?:(?:follow-?up|next|new|bonus|similar|another|related)[ \t]+)(?:question|problem|exercise|example)\b[^\n]*[:.?]
      |(?:now[ \t,]+)?(?:try|solve|consider|let's[ \t]+(?:try|solve|do))[ \t]+(?:this|the[ \t]+next|another)[ \t]+
       (?:one|question|problem|exercise|example)\b
      |(?:please[ \t]+)?(?:solve|answer)[ \t]+the[ \t]+following\b
      |(?:问题|题目|例题|問題|質問|문제|вопрос|задача|frage|aufgabe|pregunta|pergunta|domanda)
       [ \t]*[0-9]{0,3}[ \t]*[:\uff1a.])""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""The line that opens another question, as a model writes that goes on behind its answer."""
_WORDS = (
    *("question", "problem", "exercise", "task", "example", "q:", "q.", "q1", "q2", "instruction", "human", "user"),
    *("input", "问题", "题目", "例题", "問題", "質問", "문제", "вопрос", "задача", "frage", "aufgabe", "pregunta"),
    *("pergunta", "domanda", "this one", "another one", "assistant", "the following"),
)
"""Words of which one opens such a line: looking for them is faster than looking at every line."""
_ASCII_WORDS = tuple(word for word in _WORDS if word.isascii())
# matches "\n\n2. Compute $2+9$.", "\n\n3) What is", not "\n2. Add", "\n\n2. We add"
_NEXT_NUMBER = re.compile(
    r"\n\n[ \t*]*[2-9][.)]\**[ \t]+(?:compute|find|solve|evaluate|what|how|determine|calculate|simplify|which)\b",
    re.IGNORECASE,
)
"""A numbered question. It is another one if the text before it has no `1.`, of which it would be the next step."""
# matches "\n1. Add", "1) Add", not "21. Add", "1.5"
_FIRST_NUMBER = re.compile(r"^[ \t*#]*(?:step[ \t]+)?1[.):]\**[ \t]", re.IGNORECASE | re.MULTILINE)
# matches "\n#### 9\n\nHow many are left?\n", not "#### 9\nHow", "#### 9\n\nSo 9 are left.\n"
_ASKED_AFTER_HASH = re.compile(r"^####[ \t]*[^\s#][^\n]*\n\s*\n(?=[^\n#]+\?[ \t]*\n)", re.MULTILINE)
"""A marked answer with a question below it."""
MAX_CANDIDATES = 4
"""Lines that may open another question and are looked at, counted from the first."""


def find_end(text: str, has_answer: Callable[[str], bool]) -> int:
    """Position behind the response itself. A new question ends it only if the text before it `has_answer`."""
    token = _END_TOKEN.search(text) if any(map(text.__contains__, _END_SIGNS)) else None
    end = token.start() if token and text[: token.start()].strip() else len(text)
    if "####" in text and (asked := _ASKED_AFTER_HASH.search(text, 0, end)):
        end = asked.end()
    next_number = _NEXT_NUMBER.search(text, 0, end) if "\n\n" in text else None
    if next_number and not _FIRST_NUMBER.search(text, 0, end) and has_answer(text[: next_number.start()]):
        end = next_number.start()
    lowered = text[:end].lower()
    if not any(map(lowered.__contains__, _ASCII_WORDS if lowered.isascii() else _WORDS)):
        return end
    for line in islice(_NEW_QUESTION.finditer(text, 0, end), MAX_CANDIDATES):
        if text[: line.start()].strip() and has_answer(text[: line.start()]):
            return line.start()
    return end
