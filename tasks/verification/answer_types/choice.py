"""Checks choices: the response must name the same options as the gold, by letter, by number or by their text."""

import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple

from tasks.verification.answer_types.checker import AnswerCase, AnswerChecker
from tasks.verification.answer_types.options import Options, find_labels, read_options
from tasks.verification.answer_types.stated_answer import cut_run_on, find_stated_answer, is_denied, is_revised
from tasks.verification.answer_types.text_forms import CONTROL_CHARACTERS, is_number, normalize_text, undress
from tasks.verification.math_verify.verdict import FORM_CHARACTERS, Verdict

MAX_CHOICE_CHARACTERS = 500
"""Longest text that is read as a choice, in characters."""
MAX_STATEMENTS = 20
"""Statements of a response that are looked at, counted from the last one."""
NOTHING = frozenset[str]()
# matches the start of "Option (B)", "most likely C", "the choice: C", "选项C", not of "optional"
_LEAD = re.compile(
    r"(?:(?:the|my|correct|right|best|final|option|choice|letter|answer|is|most|likely|probably|clearly|definitely|indeed"
    r"|both|number|选项|选|应选)(?![A-Za-z])[\s:：]*)+",  # noqa: RUF001
    re.IGNORECASE,
)
# matches all of "C", "(c)", "C.", "[2]", "C)", not of "CD", "C x"
_LABEL = re.compile(r"[(\[（【]?\s*([A-Za-z]|[0-9]{1,2}|[①-⑨])\s*[)\]）】]?\s*[.:。、)]?")  # noqa: RUF001
# matches all of "ACD", "BD", not of "A", "Ab", "AA"
_GLUED = re.compile(r"(?=[A-J]{2,10}\Z)(?!.*(.).*\1)[A-J]+")
# matches "A, C", "A and C", "A、C", "A; C", not "A or C", "AC"
_AND = re.compile(r"\s*(?:[,，、;；&]\s*(?:and\b|和|与)?|\band\b|和|与|及)\s*|(?<=[A-J)])\s+(?=\(?[A-J]\b)")  # noqa: RUF001
# matches "A or C", "either B", "A/C", "B或C", "might be", "C?", "neither", not "for", "Oregon", "x / y"
_HEDGE = re.compile(
    r"\b(?:or|either|neither|nor|otherwise|maybe|perhaps|possibly|might|may|could|unsure|not|cannot|if|but|none|[a-z]+n't)\b"
    r"|(?<![A-Za-z])[A-Ja-j]\s*/\s*[A-Ja-j](?![A-Za-z])|[?？]|或|不",  # noqa: RUF001
    re.IGNORECASE,
)
# matches all of "(C) 21", "C. x", "C: x", "C) x", "C - x", "(C)16", not of "C x", "C", "Cat. x"
_LABELED = re.compile(
    r"(?:[(\[（]\s*([A-Za-z]|[0-9]{1,2})\s*[)\]）]\s*[.:]?\s*"  # noqa: RUF001
    r"|([A-Z]|[0-9]{1,2})\s*(?:[).:．、：](?![0-9])|\s[-\N{EN DASH}\N{EM DASH}]\s)\s*)(\S.*)",  # noqa: RUF001
    re.DOTALL,
)
# matches all of "Canberra (C)", "21 (option C)", not of "(C)", "f(x) = 2"
_LABEL_BEHIND = re.compile(r"(\S.*?)\s*\((?:option\s+|choice\s+)?([A-J])\)", re.IGNORECASE)
# matches "C because ", "C, since", "C, not A", "C as ", not "because", "C, A"
_CLAUSE = re.compile(
    r"(?<=\S)(?:,?\s+(?:because|since|as|so|which|for|given|where|due)\b|,\s+(?:and\s+)?not\b|\s+\N{EM DASH}).*\Z",
    re.DOTALL | re.IGNORECASE,
)
# matches "I choose C", "I would pick option (C).", "It's C.", "应选 C", "选C"
# matches "so we choose C because", not "不选C", "choose Canberra", "It is A cat", "We choose C for", "they pick C."
_CHOSEN = re.compile(
    r"(?:(?:(?:\b(?:I|[Ww]e)\b[^.?!\n]{0,20}?\s|(?:\A|[.!]\s|\n)\s*)(?i:choose|chose|pick|select|go\s+with)"
    r"|\b[Ii]t(?:'s|\N{RIGHT SINGLE QUOTATION MARK}s|\s+is|\s+must\s+be|\s+has\s+to\s+be)"
    r"|\b(?:answer|choice|option)\s+(?:must|should|would|will|has\s+to)\s+be)"
    r"\s+(?:the\s+)?(?:(?i:option|choice|answer|letter)\s+)?"
    r"(?=[*$]*\(?[A-J]\)?[*$]*(?:[.,;!]|\s*\Z|\s*\n|\s+(?:because|since|as)\b))"
    r"[*$]*\(?([A-J])\)?(?![A-Za-z']))(?P<rest>[^.?!\n]{0,100})"
    r"|(?<![不勿])(?:应该?|所以|因此|故|只能)?选(?:择|项)?[\s:：]*(?:是|为)?[\s*(（]*([A-J]{1,8})(?![A-Za-z])(?P<rest2>[^。！？!?\n]{0,40})"  # noqa: RUF001
    r"|正确(?:的)?(?:选项|答案)[是为:：\s*(（]*([A-J]{1,8})(?![A-Za-z])(?P<rest3>[^。！？!?\n]{0,40})"  # noqa: RUF001
)
# matches "(C) Canberra is the correct answer", "Thus (C) is right", "C is the answer"
# matches "(A) is best", not "(C) is not correct", "C is wrong"
_IS_RIGHT = re.compile(
    r"(?:\(([A-J])\)(?P<value>(?:(?!\([A-J]\)|\b(?:not|or|and|nor)\b|n't)[^.?!\n]){0,80}?)\s+is\s+"
    r"(?:(?:the\s+)?(?:correct|right|best)\b|the\s+answer\b)"
    r"|(?<![\w'(])([A-J])\s+is\s+(?:(?:the\s+)?(?:correct|right)\b|the\s+(?:best\s+)?answer\b))(?P<rest>[^.?!\n]{0,100})"
)
# matches "Canberra - the", "x (y)", "x, y", not "x-ray", "Canberra"
_PART_END = re.compile(r"\s+[-\N{EN DASH}\N{EM DASH}]\s+|[,;:(]|\*\*")
# matches "so. ", "A, ", "。", not "3.5", "A and"
_CLAUSE_END = re.compile(r"[.?!,;]\s|[，。；]")  # noqa: RUF001
_MARKERS = ("【答案】", "答案：", "Correct answer:", "Correct option:")  # noqa: RUF001


class Reading(NamedTuple):
    """The labels that a text names; none and a rule if that is not certain."""

    labels: frozenset[str]
    rule: str


class ChoiceChecker(AnswerChecker):
    """Decides whether a response names the right options. A letter and the text of its option are the same answer.

    Details: `options` or `choices`, a list of texts, an object of labels and texts, or one of two lists `text` and
    `label`; without them the options are read from the question. `index_base`: see the field. Several letters are a
    set. A hedge, and a letter with the text of another option, are left open.
    """

    answer_type: ClassVar[str] = "choice"

    index_base: Literal[0, 1] | None = None
    """Number of the first option in golds that are numbers: 0 in MMLU. None: a number is taken for an index only where
    it cannot be anything else."""

    def check(self, case: AnswerCase) -> Verdict:
        options = read_options(case.question, case.details)
        base = self._read_base(case.details.get("index_base"))
        if options is None or base == "unreadable":
            return Verdict("unparseable", "details_unreadable")
        if CONTROL_CHARACTERS.search(case.gold):
            return Verdict("unparseable", "gold_unparseable")
        gold = _read_gold(case.gold.strip(), options, base)
        if not gold.labels:
            return Verdict("unparseable", gold.rule)
        if CONTROL_CHARACTERS.search(case.response):
            return Verdict("unparseable", "answer_unparseable", _form(gold))
        answer, found_by = find_choice(case.response, options)
        if not answer.labels:
            return Verdict("unparseable", answer.rule, _form(gold), found_by=found_by)
        verdict = "correct" if answer.labels == gold.labels else "wrong"
        if not options and verdict == "wrong" and {len(label) for label in answer.labels | gold.labels} != {1}:
            verdict = "unparseable"
        return Verdict(verdict, answer.rule, _form(gold), _form(answer), found_by=found_by)

    def _read_base(self, given: Any) -> Any:
        if given is None:
            return self.index_base
        return int(given) if str(given) in ("0", "1") else "unreadable"


def _form(reading: Reading) -> str:
    return ", ".join(sorted(reading.labels))[:FORM_CHARACTERS]


def _read_gold(gold: str, options: Options, base: int | None) -> Reading:
    """The labels of the gold. The rule says why there are none."""
    unread = Reading(NOTHING, "gold_unparseable")
    if len({normalize_text(option.text) if option.text else option.label for option in options}) < len(options):
        return Reading(NOTHING, "options_equal") if _has_twin(gold, options) else _read_gold_text(gold, options, base)
    return _read_gold_text(gold, options, base) if gold else unread


def _has_twin(gold: str, options: Options) -> bool:
    """Whether the option that the gold names has the text of another one."""
    labels = read_choice(gold, options).labels
    texts = [option.text for option in options if option.label in labels]
    return any(len(find_labels(text, options)) > 1 for text in texts) or not texts


def _read_gold_text(gold: str, options: Options, base: int | None) -> Reading:
    unread = Reading(NOTHING, "gold_unparseable")
    if gold.startswith("["):
        try:
            parts = [str(part) for part in json.loads(gold)]
        except (ValueError, TypeError, RecursionError):
            return unread
        readings = [read_choice(part, options) for part in parts]
        if not readings or not all(reading.labels for reading in readings):
            return unread
        return Reading(frozenset().union(*(reading.labels for reading in readings)), "choice")
    if options and re.fullmatch("[0-9]{1,2}", gold):
        return _read_index(int(gold), options, base)
    reading = read_choice(gold, options)
    return reading if reading.labels else unread


def _read_index(number: int, options: Options, base: int | None) -> Reading:
    """The option of a gold that is a number: an index, the number of an option, or its value."""
    labels = [option.label for option in options]
    if base is not None:
        is_inside = 0 <= number - base < len(labels)
        return (
            Reading(frozenset({labels[number - base]}), "choice") if is_inside else Reading(NOTHING, "gold_unparseable")
        )
    values = find_labels(str(number), options)
    meanings = set(values)
    if labels[0].isdigit():
        meanings |= {str(number)} & set(labels)
    elif number == 0 or number == len(labels) or 0 < number < len(labels):
        meanings |= {labels[number]} if number < len(labels) else set()
        meanings |= {labels[number - 1]} if number else set()
    return Reading(frozenset(meanings), "choice") if len(meanings) == 1 else Reading(NOTHING, "gold_index_unclear")


def find_choice(response: str, options: Options) -> tuple[Reading, str | None]:
    """The choice of a response and how it was found."""
    stated = find_stated_answer(response, _MARKERS)
    if stated and stated.is_stated:
        if stated.doubt:
            return Reading(NOTHING, stated.doubt), stated.found_by
        return read_choice(stated.text, options), stated.found_by
    text = cut_run_on(response)
    if chosen := list(_find_chosen(text, options)):
        is_one = len({reading.labels for reading in chosen}) == 1
        return chosen[0] if is_one else Reading(NOTHING, "several_choices"), "chosen"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and len(text) <= MAX_CHOICE_CHARACTERS and len(lines) == 1:
        reading = read_choice(text, options, is_weak=True)
        if reading.labels or reading.rule != "choice_unread":
            return reading, "whole"
    if found := _find_line(lines, options):
        return found
    if stated and not stated.doubt and options and (labels := find_labels(stated.text, options)):
        return Reading(labels, "choice_value") if len(labels) == 1 else Reading(
            NOTHING, "options_equal"
        ), stated.found_by
    return Reading(NOTHING, "no_answer"), None


def _find_chosen(text: str, options: Options) -> Iterator[Reading]:
    """What the text says is chosen or right."""
    for match in deque(_CHOSEN.finditer(text), maxlen=MAX_STATEMENTS):
        rest = (match["rest"] or match["rest2"] or match["rest3"] or "").strip()
        letters = next(group for group in (match[1], match[3], match[5]) if group)
        before = _find_clause_before(text, match.start())
        if _HEDGE.search(rest) or _HEDGE.search(before) or is_denied(before) or is_revised(text[match.end() :]):
            yield Reading(NOTHING, "choice_unsure")
        else:
            yield read_choice(letters, options)
    for match in deque(_IS_RIGHT.finditer(text), maxlen=MAX_STATEMENTS):
        before = _find_clause_before(text, match.start())
        is_unsure = _HEDGE.search(before) or _HEDGE.search(match["rest"]) or is_denied(before)
        if is_unsure or is_revised(text[match.end() :]):
            yield Reading(NOTHING, "choice_unsure")
        else:
            yield read_choice(f"({match[1] or match[3]}) {(match['value'] or '').strip()}".strip(), options)


def _find_clause_before(text: str, at: int) -> str:
    """The words of the same clause before a statement."""
    start = max(text.rfind("\n", 0, at) + 1, at - MAX_CHOICE_CHARACTERS)
    return _CLAUSE_END.split(text[start:at])[-1]


def _find_line(lines: list[str], options: Options) -> tuple[Reading, str] | None:
    """The choice of the first or the last line, if it is one and no line of a list of options."""
    if not lines:
        return None
    found = list[tuple[Reading, str]]()
    readings = {at: read_choice(lines[at], options, is_weak=True) for at in {0, len(lines) - 1}}
    for at, name in ((0, "first_line"), (len(lines) - 1, "last_line")):
        neighbour = lines[1] if at == 0 and len(lines) > 1 else lines[at - 1] if at else ""
        is_label = _LABEL.fullmatch(undress(lines[at])) or _LABELED.fullmatch(undress(lines[at]))
        if readings[at].labels and is_label and not _LABELED.fullmatch(undress(neighbour)):
            found.append((readings[at], name))
    if len({reading.labels for reading, _ in found}) > 1:
        return Reading(NOTHING, "several_choices"), "first_line"
    if not found or any(is_revised(line) for line in lines[1:]):
        return None
    return found[-1]


def read_choice(text: str, options: Options, is_weak: bool = False) -> Reading:
    """The labels that a text names: by letters, by the texts of options, or by both if they agree.

    If it `is_weak`, that is, no response said that it is the answer, a letter must not be followed by other words.
    """
    if len(text) > MAX_CHOICE_CHARACTERS:
        return Reading(NOTHING, "too_long")
    plain = undress(text).strip().rstrip(".。;,").strip()
    values = find_labels(plain, options)
    single = _read_label(plain, options)
    if single.labels or single.rule != "choice_unread":
        if values and single.labels != values:
            return Reading(NOTHING, "choice_ambiguous") if single.labels else Reading(values, "choice_value")
        return single
    if values:
        return Reading(values, "choice_value") if len(values) == 1 else Reading(NOTHING, "options_equal")
    for shorter in (_LEAD.sub("", plain, count=1) if _LEAD.match(plain) else plain, _CLAUSE.sub("", plain)):
        if shorter and shorter != plain:
            reading = read_choice(shorter, options, is_weak)
            if reading.labels or reading.rule != "choice_unread":
                return reading
    if labeled := _read_labeled(plain, options, is_weak):
        return labeled
    if _HEDGE.search(plain):
        return Reading(NOTHING, "choice_unsure")
    return _read_several(plain, options)


def _read_label(plain: str, options: Options) -> Reading:
    """The one label that a text consists of."""
    match = _LABEL.fullmatch(plain)
    if match is None:
        return Reading(NOTHING, "choice_unread")
    label = str("①②③④⑤⑥⑦⑧⑨".index(match[1]) + 1) if match[1] in "①②③④⑤⑥⑦⑧⑨" else match[1].upper()
    labels = {option.label for option in options}
    if not options:
        return (
            Reading(frozenset({label}), "choice_letter") if "A" <= label <= "J" else Reading(NOTHING, "choice_unread")
        )
    if label in labels:
        return Reading(frozenset({label}), "choice_letter")
    return Reading(NOTHING, "choice_unknown")


def _read_labeled(plain: str, options: Options, is_weak: bool) -> Reading | None:
    """The label of a text such as `(C) 21` or `21 (C)`. Its text must be that of the option."""
    if match := _LABELED.fullmatch(plain):
        label, value = (match[1] or match[2]).upper(), match[3]
    elif match := _LABEL_BEHIND.fullmatch(plain):
        label, value = match[2].upper(), match[1]
    else:
        return None
    single = _read_label(label, options)
    if not single.labels:
        return single if options else None
    if _LABELED.search(value) or _read_label(undress(value), options).labels or (pieces := _split(plain, options)):
        pieces = _split(plain, options)
        return Reading(pieces, "choice_letters") if pieces else None
    value = undress(value)
    named = find_labels(value, options) or find_labels(_CLAUSE.sub("", value), options)
    if single.labels <= named:
        return single
    if named or (options and is_number(value)):
        return Reading(NOTHING, "choice_contradiction")
    if _HEDGE.search(value):
        return Reading(NOTHING, "choice_unsure")
    if _find_first_part(value, options) == single.labels:
        return single
    own = next((set(normalize_text(option.text).split()) for option in options if option.label == label), set[str]())
    words = set(normalize_text(value).split())
    if options and (is_weak or not (own and words & own)):
        return Reading(NOTHING, "choice_contradiction")
    return single


def _find_first_part(value: str, options: Options) -> frozenset[str]:
    """The labels of the text in front of a comma, a dash or a bracket."""
    first = _PART_END.split(value)[0].strip()
    return find_labels(first, options) if first and first != value else NOTHING


def _read_several(plain: str, options: Options) -> Reading:
    """The labels of a text such as `ACD`, `A, C and D` or `2, 5, 7`."""
    labels = {option.label for option in options}
    if _GLUED.fullmatch(plain):
        letters = frozenset(plain)
        is_known = letters <= labels if options else list(plain) == sorted(plain)
        return Reading(letters, "choice_letters") if is_known else Reading(NOTHING, "choice_unread")
    if pieces := _split(plain, options):
        names = [option.label for option in options if _find_named(option.text, labels) == pieces]
        return Reading(frozenset(names), "choice_value") if len(names) == 1 else Reading(pieces, "choice_letters")
    return Reading(NOTHING, "choice_unread")


def _split(plain: str, options: Options) -> frozenset[str]:
    """The labels of the parts of a list; empty if one of them is no choice, or if there is only one."""
    parts = [part for part in _AND.split(plain) if part and part.strip()]
    if not 2 <= len(parts) <= 10:
        return NOTHING
    found = set[str]()
    for part in parts:
        label = _read_label(undress(part), options).labels
        labeled = _LABELED.fullmatch(part)
        if labeled and not label:
            label = _read_label((labeled[1] or labeled[2]).upper(), options).labels & find_labels(labeled[3], options)
        label = label or find_labels(part, options)
        if len(label) != 1:
            return NOTHING
        found |= label
    return frozenset(found)


def _find_named(text: str, labels: set[str]) -> frozenset[str]:
    """The other options that the text of an option names: A and B of `Both A and B`."""
    found = set(re.findall(r"(?<![A-Za-z])\(?([A-J])\)?(?![A-Za-z])", text)) & labels
    return frozenset(found) if len(found) > 1 and re.search(r"\band\b|和|与|,", text) else NOTHING
