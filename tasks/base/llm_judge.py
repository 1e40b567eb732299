"""The base class of LLM judges: a model gives a reason and a verdict; several samples may vote."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

from schemas.engine import Completion
from schemas.identity import fingerprint
from schemas.outcomes import Row
from schemas.prompts import Sampling
from tasks.base.ask import Ask
from tasks.base.typed_reply import (
    Labelled,
    find_all_labelled,
    find_objects,
    match_word,
    names_another,
    read_reply_text,
    undress,
)

Synonyms = Mapping[str, Sequence[str]]
"""Other words for each verdict, in lower case."""
NO_SYNONYMS: Synonyms = MappingProxyType({})
VERDICT_PREFIX = "Verdict:"
"""Opens the last line of a judgement; the verdict follows it."""
VERDICT_LABELS = ("verdict", "judgement", "judgment", "final decision")
"""Words that open the line of a verdict, in any case and dress, also with `final` before them."""
_DOUBT_WORDS = {
    *("actually", "wait", "but", "however", "if", "unless", "otherwise", "except", "though", "although"),
    *("hmm", "instead", "maybe", "perhaps", "or"),
}
# matches "it isn't solvable", "inconsistent", not "it is notable"
_NEGATION = re.compile(
    r"n't|\b(?:not|never|cannot|nothing|missing|lacks?|lacking|without|contradict\w*|impossible|invalid|incorrect"
    r"|in(?:consistent|sufficient|complete)|un(?:solvable|clear|known|determined|defined|certain|sure))\b"
)
# matches "no information is missing", "without contradiction", not "no, information is missing"
_DOUBLE_NEGATION = re.compile(
    r"\b(?:no(?:thing)?(?: [a-z]+){0,2} (?:is|are|was|were|seems?|seem) (?:missing|lacking|unclear|inconsistent)"
    r"|nothing contradicts(?: [a-z]+){0,3}"
    r"|(?:no|without(?: any)?|not?(?: any)?) (?:[a-z]+ )?(?:contradictions?|inconsistenc(?:y|ies)"
    r"|missing (?:information|data|units?|numbers?|values?)|ambiguit(?:y|ies)|problems?|issues?|errors?|mistakes?))\b"
)
_NEGATIVE_VERDICTS = frozenset({"no", "wrong"})
"""Verdicts that a following negation confirms rather than contradicts."""
# matches "Let me know if you have questions!", "I hope this helps.", not "Let me check again."
_FAREWELL = re.compile(
    r"[^.!?\n]*\b(?:let me know|feel free|(?:i )?hope (?:this|that|it)|happy to|glad to"
    r"|if you (?:have|need|want|would|'d)|any (?:more|other|further) questions|please (?:ask|tell)|good luck)\b"
    r"[^.!?\n]*[.!?]*",
    re.IGNORECASE,
)
"""A sentence by which a chat model takes its leave; it says nothing about the verdict."""


class JudgeStage(Ask):
    """A stage that judges each row by majority vote: each sample gives a reason and one of `verdict_words`."""

    version: ClassVar[int] = 3
    verdict_words: ClassVar[tuple[str, ...]]
    """The verdicts that a sample may give."""
    verdict_synonyms: ClassVar[Synonyms] = {}
    """Other words that stand for each of them, in lower case."""
    role: str | None = "judge"
    """Role of the model that judges."""
    sampling: Sampling = Sampling(max_tokens=512)
    """How the judge is sampled. `n` is the number of votes; more than one vote needs a temperature above 0."""
    structured: bool = True
    """Whether engines that can (http, vllm) enforce a JSON object with reason and verdict; others write text."""

    @cached_property
    def judge_version(self) -> str:
        """Identifies the judge in published rows: its version and a fingerprint of its configuration."""
        return f"{self.version} {fingerprint(self)[:12]}"

    def initial_sampling(self) -> Sampling:
        return self.sampling.model_copy(
            update={"reply_schema": judgement_schema(self.verdict_words) if self.structured else {}}
        )

    def follow_up(self, row: Row, replies: list[Completion]) -> Sampling | None:
        """Samples without a verdict are repeated once, at 0.7 or warmer: a greedy reply would be the same again."""
        missing = [vote_of(reply, self.verdict_words, self.verdict_synonyms) for reply in replies].count(None)
        if not missing or len(replies) > self.sampling.n:
            return None
        return self.initial_sampling().model_copy(
            update={"n": missing, "temperature": max(self.sampling.temperature, 0.7)}
        )

    def majority(self, replies: list[Completion]) -> tuple[str | None, str, str | None]:
        """The verdict of more than half of the `n` samples, or None; all votes as text; a reason for the verdict."""
        votes_cast = [vote_of(reply, self.verdict_words, self.verdict_synonyms) for reply in replies]
        word, count = Counter(filter(None, votes_cast)).most_common(1)[0] if any(votes_cast) else (None, 0)
        votes = " ".join(each or "-" for each in votes_cast)
        if 2 * count <= self.sampling.n:
            return None, votes, None
        return word, votes, parse_reason(replies[votes_cast.index(word)].text)


def judgement_schema(words: Sequence[str]) -> dict[str, Any]:
    """JSON schema of a structured judgement that ends in one of `words`."""
    properties = {"reason": {"type": "string"}, "verdict": {"type": "string", "enum": list(words)}}
    return {
        "type": "object",
        "properties": properties,
        "required": ["reason", "verdict"],
        "additionalProperties": False,
    }


def vote_of(reply: Completion, words: Sequence[str], synonyms: Synonyms = NO_SYNONYMS) -> str | None:
    """The verdict of one sample; None if it gives none or was cut off before it could."""
    return parse_verdict(reply.text, words, synonyms) if reply.fault is None else None


def parse_verdict(text: str, words: Sequence[str], synonyms: Synonyms = NO_SYNONYMS) -> str | None:
    """The one of `words` that a judgement ends in: on a line with a label, as JSON or alone on its last line.

    None if it reaches no verdict. A verdict that is followed by second thoughts does not count, because the model may
    have changed its mind. Second thoughts are another of the words, a word of doubt (`Actually`, `if`), or a negation
    after an affirming verdict (`yes, a number is missing`). An earlier verdict does not count beside a later one.
    """
    if (reply := read_reply_text(text)) is None:
        return None
    if objects := [each for each in find_objects(reply) if "verdict" in {key.lower() for key in each}]:
        verdicts = [str(value) for each in objects for key, value in each.items() if key.lower() == "verdict"]
        found = {match_word(verdict, words, synonyms) for verdict in verdicts}
        word, after = found.pop() if len(found) == 1 else None, reply[reply.rfind("}") + 1 :]
    elif labelled := find_all_labelled(reply, VERDICT_LABELS):
        word = _last_word(labelled, words, synonyms)
        after = f"{labelled[-1].value}\n{labelled[-1].rest}"
    else:
        lines = [line for line in undress(_FAREWELL.sub("", reply)).split("\n") if line.strip(" .")]
        word, after = _word_alone(lines[-1], words, synonyms) if lines else None, ""
    return word if word and not _is_doubted(word, after, words, synonyms) else None


def _last_word(labelled: Sequence[Labelled], words: Sequence[str], synonyms: Synonyms) -> str | None:
    """The word of the last verdict; None if the one before it was another and no word of doubt stands between them."""
    found = [match_word(_DOUBLE_NEGATION.sub(" ", each.value.lower()), words, synonyms) for each in labelled]
    if len(found) > 1 and found[-2] not in (found[-1], None):
        between = labelled[-1].before[len(labelled[-2].before) :]
        if not {*re.findall("[a-z]+", between.lower())} & _DOUBT_WORDS:
            return None
    return found[-1]


def _word_alone(line: str, words: Sequence[str], synonyms: Synonyms) -> str | None:
    """The word that is all that a line says."""
    plain = line.lower().strip(" .!\"'()")
    return next((word for word in words if plain in (word, *synonyms.get(word, ()))), None)


def _is_doubted(word: str, after: str, words: Sequence[str], synonyms: Synonyms) -> bool:
    """Whether what stands on and after the line of a verdict takes it back."""
    text = undress(_FAREWELL.sub(" ", after)).lower()
    text = _DOUBLE_NEGATION.sub(" ", text)
    if names_another(text, word, words, synonyms):
        return True
    for own in (word, *synonyms.get(word, ())):  # `not solvable` after a `no` is no negation of it
        text = re.sub(rf"(?<![\w-]){re.escape(own)}(?![\w-])", " ", text)
    if {*re.findall("[a-z]+", text)} & _DOUBT_WORDS:
        return True
    return word not in _NEGATIVE_VERDICTS and bool(_NEGATION.search(text))


def parse_reason(text: str) -> str:
    """The reason in a judgement: the text before its verdict, or its field `reason`."""
    reply = read_reply_text(text) or ""
    parsed = next((each for each in find_objects(reply) if "reason" in each), None)
    if parsed is not None:
        return str(parsed["reason"]).strip()
    return reply[: match.start()].strip() if (match := _last_label(reply)) else reply.strip()


def _last_label(text: str) -> re.Match[str] | None:
    """The last place in a text where a line begins with the label of a verdict."""
    matches = list(re.finditer(r"^[^\w\n]*(?:(?:final|my|the)\s+)*verdict\b", text, re.IGNORECASE | re.MULTILINE))
    return matches[-1] if matches else None
