"""Checks short texts such as names: the response must give the gold or one of its aliases, and nothing else."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, ClassVar

from tasks.verification.answer_types.checker import AnswerCase, AnswerChecker
from tasks.verification.answer_types.stated_answer import (
    StatedAnswer,
    cut_run_on,
    find_stated_answer,
    is_denied,
    is_revised,
)
from tasks.verification.answer_types.text_forms import (
    ARTICLES,
    CONTROL_CHARACTERS,
    is_number,
    is_words,
    name_scripts,
    normalize_text,
    undress,
)
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict

MAX_TEXT_CHARACTERS = 500
"""Longest answer that is compared, in characters."""
MAX_SENTENCE_CHARACTERS = 300
"""Longest response of one sentence that is searched for its last words."""
MAX_WORDS_OF_ANSWER = 6
"""Longest answer, in words, that is wrong because it differs. A longer one may say the same in other words."""
MAX_WORDS_OF_REPLY = 3
"""Longest response that is an answer as a whole and may be wrong, in words."""
SIMILAR = 0.75
"""Similarity of two spellings, in [0, 1], from which they may be the same word."""
# matches " or ", "either", "not sure", "isn't", "unknown", "I don't know", not "Oregon", "Norway", "north"
_UNSURE = re.compile(
    r"\b(?:or|either|neither|nor|not|never|none|nobody|cannot|can't|unknown|unsure|unclear|sure|maybe|perhaps|possibly|might"
    r"|could|depends|sorry|idea|if|but|except|than|anything|i|know|according|formerly|until|[a-z]+n't|(?:do|does|did|is|was|are|were|ca|wo|would|could|should)nt)\b|[/?]|或",
    re.IGNORECASE,
)
# matches "Paris, which", "Paris because", "Paris, not Lyon", "whale since", not "Paris, Texas", "which"
_CLAUSE = re.compile(
    r"(?<=\S)(?:,?\s+(?:because|since|which|who|whose|as|where)\b|,\s+(?:and\s+)?not\b|\s+\N{EM DASH}\s).*\Z", re.DOTALL
)
# matches all of "The capital is Paris.", "It was written by Paris", not of "Paris", "is Paris."
_ECHO = re.compile(
    r"(?P<subject>[^.?!\n]{2,200}?)\s+(?:is|was|are|were)\s+(?P<answer>(?!(?:is|was|are|were)\b)[^?!\n]{1,100}?)\.?"
)
_ECHO_WORDS = frozenset(
    {
        "it",
        "this",
        "that",
        "of",
        "in",
        "to",
        "by",
        "for",
        "on",
        "at",
        "and",
        "is",
        "was",
        "are",
        "were",
        "city",
        "person",
    }
)
"""Words that a sentence may have without an equal in the question."""
# matches "**Paris**", not "**", "*Paris*"
_BOLD = re.compile(r"\*\*([^*\n]{1,100})\*\*")
_WORD = re.compile(r"\w+")


class TextChecker(AnswerChecker):
    """Decides whether a response gives a short text, e.g. a name. A part of it, or more than it, is no match.

    Details: `aliases`, a list of texts that are right too. A gold that is a number or a formula is not judged. Other
    words are `wrong`; words that share something with the gold, and hedges such as `A or B`, are left open.
    """

    answer_type: ClassVar[str] = "text"

    ignore_case: bool = True
    """Whether capital and small letters are the same."""
    ignore_accents: bool = True
    """Whether Latin letters are the same with and without accents."""
    ignore_articles: bool = True
    """Whether `a`, `an` and `the` are left out."""

    def check(self, case: AnswerCase) -> Verdict:
        aliases = _read_aliases(case.details.get("aliases"))
        golds = {name: self._normalize(name) for name in (case.gold.strip(), *aliases) if is_words(name)}
        if case.gold.strip() not in golds or CONTROL_CHARACTERS.search(case.gold):
            return Verdict("unparseable", "gold_unparseable")
        if CONTROL_CHARACTERS.search(case.response):
            return Verdict("unparseable", "answer_unparseable")
        verdict = Verdict("unparseable", "no_answer")
        for stated in self._find_candidates(case):
            verdict = self._compare(golds, case.gold, stated)
            if verdict.verdict != "unparseable" or stated.is_stated:
                return verdict
        return verdict

    def _normalize(self, text: str) -> str:
        return normalize_text(text, self.ignore_case, self.ignore_accents, self.ignore_articles)

    def _find_candidates(self, case: AnswerCase) -> list[StatedAnswer]:
        """What may be the answer: what the response says it is; otherwise all of it, or the end of its sentence."""
        stated = find_stated_answer(case.response)
        if stated and stated.is_stated:
            return [stated]
        whole = cut_run_on(case.response)
        if not whole or len(whole) > MAX_SENTENCE_CHARACTERS or "\n" in whole:
            return []
        candidates = [StatedAnswer(whole, "whole", "whole_response", False)]
        if echo := self._find_echo(whole, case.question):
            candidates.insert(0, StatedAnswer(echo, "echo", "whole_response", False))
        return candidates

    def _find_echo(self, sentence: str, question: str) -> str:
        """What the sentence says behind the words of the question: `Paris` of `The capital of France is Paris`."""
        match = _ECHO.fullmatch(sentence.replace("**", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
        if match is None or is_denied(match["subject"]) or _UNSURE.search(match["subject"]) or is_revised(sentence):
            return ""
        known = {word.rstrip("s") for word in _WORD.findall(question.casefold())} | _ECHO_WORDS | ARTICLES | {"s", ""}
        subject = {word.rstrip("s") for word in _WORD.findall(match["subject"].casefold())}
        is_pronoun = match["subject"].casefold() in ("it", "this", "that")
        return match["answer"] if subject <= known and (is_pronoun or not subject <= _ECHO_WORDS | ARTICLES) else ""

    def _compare(self, golds: dict[str, str], gold: str, stated: StatedAnswer) -> Verdict:
        text = undress(stated.text)
        forms = (gold[:FORM_CHARACTERS], text[:FORM_CHARACTERS])
        if len(text) > MAX_TEXT_CHARACTERS:
            return Verdict("unparseable", "too_long", found_by=stated.found_by)
        if stated.doubt and stated.doubt != "whole_response":
            return Verdict("unparseable", stated.doubt, *forms, found_by=stated.found_by)
        names = {form: name for name, form in reversed(golds.items())}
        answer = ""
        for answer in _find_readings(text):
            if (name := names.get(self._normalize(answer))) is not None:
                rule = "text" if name == gold.strip() else "alias"
                return Verdict("correct", rule, *forms, found_by=stated.found_by)
        is_open = stated.found_by == "whole" and len(text.split()) > MAX_WORDS_OF_REPLY
        rule = "whole_response" if is_open else _find_likeness(golds, self._normalize(answer), answer)
        return Verdict("unparseable" if rule else "wrong", rule or "text", *forms, found_by=stated.found_by)


def _read_aliases(aliases: Any) -> tuple[str, ...]:
    """The aliases that are texts; one text is a list of one."""
    listed = [aliases] if isinstance(aliases, str) else aliases if isinstance(aliases, list | tuple) else []
    return tuple(alias.strip() for alias in listed if isinstance(alias, str) and alias.strip())


def _find_readings(text: str) -> Sequence[str]:
    """The text, and what is left of it without a clause behind it. The last reading says what the text means."""
    bold = _BOLD.findall(text)
    if len(bold) == 1 and not _UNSURE.search(text.replace(bold[0], "")):
        return [bold[0]]
    shorter = _CLAUSE.sub("", text)
    return [text, shorter] if shorter != text and not _UNSURE.search(shorter) else [text]


def _find_likeness(golds: dict[str, str], answer: str, original: str) -> str:
    """Why an answer that is not equal to the gold may still mean the same, or mean nothing; empty if neither."""
    words = set(answer.split())
    if not words or (_UNSURE.search(original) and answer not in ("no", "not", "none", "never")):
        return "text_unsure"
    if len(words) > MAX_WORDS_OF_ANSWER:
        return "text_long"
    for gold in golds.values():
        if words & set(gold.split()) or _is_spelt_alike(gold.replace(" ", ""), answer.replace(" ", "")):
            return "text_similar"
        if not name_scripts(gold) & name_scripts(answer) and not is_number(original):
            return "text_other_script"
        if is_number(original) and any(is_number(word) for word in gold.split()):
            return "text_similar"
    return ""


def _is_spelt_alike(gold: str, answer: str) -> bool:
    """Whether one contains the other, is an abbreviation of it, or is spelt almost like it."""
    if gold in answer or answer in gold or sorted(gold) == sorted(answer):
        return True
    if min(len(gold), len(answer)) <= 4 and gold[0] == answer[0] and _is_subsequence(*sorted((gold, answer), key=len)):
        return True
    return len(gold) > 3 and SequenceMatcher(None, gold[:80], answer[:80], autojunk=False).ratio() >= SIMILAR


def _is_subsequence(short: str, long: str) -> bool:
    signs = iter(long)
    return all(sign in signs for sign in short)
