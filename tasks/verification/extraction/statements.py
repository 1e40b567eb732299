"""Finds sentences that state the answer, in eleven languages: `the answer is`, `the correct option is`, `故选`.

A language is data: the nouns for the answer and the words that join a noun to its value.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Language(NamedTuple):
    """How a language states an answer: regular expressions in lower case, and words of which one must be there."""

    words: tuple[str, ...]
    nouns: str
    joins: str


_COLON = r"[:\uff1a]"
LANGUAGES = {
    "German": Language(("antwort", "ergebnis"), r"antwort|ergebnis", r"ist|lautet"),
    "French": Language(("réponse", "résultat"), r"réponse(?: finale)?|résultat(?: final)?", r"est|vaut"),
    "Spanish": Language(("respuesta", "resultado"), r"respuesta(?: final| correcta)?|resultado(?: final)?", r"es"),
    "Portuguese": Language(("resposta", "resultado"), r"resposta(?: final| correta)?|resultado(?: final)?", r"é"),
    "Italian": Language(("risposta", "risultato"), r"risposta(?: finale| corretta)?|risultato(?: finale)?", r"è"),
    "Russian": Language(("ответ",), r"ответ(?:ом)?", r"является|равен|это|[-—]"),
    "Chinese": Language(("答",), r"(?:最终|正确)?答案|答", r"应?[是为选]"),
    "Japanese": Language(("答",), r"答え|解答", r"は"),
    "Korean": Language(("답",), r"정답|답", r"[은는]"),
    "Arabic": Language(("الجواب", "الإجابة", "الاجابة"), r"الجواب|الإجابة|الاجابة", r"هو|هي"),
}
"""The languages beside English whose statements are found."""
_WORDS = ("故", *(word for language in LANGUAGES.values() for word in language.words))
_ASCII_WORDS = tuple(word for word in _WORDS if word.isascii())
_OTHER_STATEMENTS = "|".join(
    rf"(?<!\w)(?:{language.nouns})(?:\s*{_COLON}|\s*(?:{language.joins})(?:(?<=[^\W\da-zà-ÿа-я])|(?![A-Za-zà-ÿа-я])))"
    for language in LANGUAGES.values()
)
# matches "die antwort lautet ", "答案:", "정답은 ", "故选:", not "antwort", "die antworten"
_STATEMENT = re.compile(rf"(?:{_OTHER_STATEMENTS}|故(?:本题)?选{_COLON}?)[\s*]*{_COLON}?[\s*]*")
# matches "the correct option is (c) 21", "the right choice is: b", not "an option is to add", "choice is hard"
_CHOICE_IS = re.compile(
    r"\b(?:correct|right|best)\s+(?:answer\s+)?(?:choice|option|letter)\s*(?:is|:)\s*:?\s*(?=[*$\\({\s]*(?:text\w*\{)?\(?[a-j]\b)"
    r"|\bthe\s+(?:choice|option)\s+is\s*:?\s*(?=[*$\\({\s]*(?:text\w*\{)?\(?[a-j]\b)"
)
# matches "option b is correct", "(c) is the right answer", not "option b", "a is the right answer"
_CHOICE_IS_RIGHT = re.compile(
    r"\b(?:option|choice)\s+\(?([a-j])\)?\s+is\s+(?:the\s+)?(?:correct|right|best)\b"
    r"|\(([a-j])\)\s+is\s+(?:the\s+)?(?:correct|right|best)\b"
)
# matches all of "です", "입니다.", " になります", not of "5です"
POLITE_END = re.compile(r"\s*(?:です|である|になります|となります|입니다|이다|이에요|예요)\s*[。.]?")
"""The verb behind a value, in Japanese and Korean."""


def find_statements(lowered: str) -> Iterator[int]:
    """Where the values of statements in other languages begin, and of those about choices; in no order."""
    if any(map(lowered.__contains__, _ASCII_WORDS if lowered.isascii() else _WORDS)):
        for match in _STATEMENT.finditer(lowered):
            yield match.end()
    if "choice" in lowered or "option" in lowered:
        for match in _CHOICE_IS.finditer(lowered):
            yield match.end()


def find_right_choice(lowered: str) -> tuple[int, int] | None:
    """The span of the letter in the last `option B is correct`; None if there is none."""
    if not (")" in lowered or "option" in lowered or "choice" in lowered):
        return None
    if "correct" not in lowered and "right" not in lowered and "best" not in lowered:
        return None
    matches = list(_CHOICE_IS_RIGHT.finditer(lowered))
    return matches[-1].span(matches[-1].lastindex or 0) if matches else None
