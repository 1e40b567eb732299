"""The template language: texts with slots in braces, which are filled with values and read back.

    {n}            a number                         {who}   a word         {things}  its plural
    {n things}     a number and its noun: 1 egg     {a thing}  an egg      {He} {his} {him}  pronouns of `who`
    {all?} {all? things}  a number that the text claims for `all`, true or not
    {all = n * m} {all = n * m things}  an equation: 3 * 12 = 36 eggs   (in solutions only)

A noun that is not a word list of the template stands for itself ({n days}: 3 days, 1 day).
A slot with a capital starts a sentence ({Things}).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tasks.proving_ground.arithmetic import Style, Value
from tasks.proving_ground.slots import Counted, Figure, Piece, Slot, Sum, Word
from tasks.proving_ground.vocabulary import Entry, Name, Noun

WordLists = Mapping[str, Sequence[Entry]]
_SINGULARS = {"people": "person", "children": "child"}
# matches all of "total = price * count", "total = price * count cats", not of "total = price", "2 + 3 = 5 in all"
_EQUATION = re.compile(r"(\w+) = (\w+) ([-+*/]) (\w+)(?: (\w+))?")


@dataclass(frozen=True, eq=False)
class TemplateText:
    """A parsed text with slots: it can be written with values, and values can be read from a written text."""

    pieces: tuple[Piece, ...]

    def write(self, values: Mapping[str, Value]) -> str:
        """The text with all slots filled. Raises KeyError if a value is missing."""
        return "".join(p if isinstance(p, str) else p.write(values) for p in self.pieces)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(p for p in self.pieces if isinstance(p, Word | Figure | Counted))

    @cached_property
    def sums(self) -> tuple[Sum, ...]:
        """The equations of the text; a step of a solution has one."""
        return tuple(p for p in self.pieces if isinstance(p, Sum))

    @cached_property
    def number_keys(self) -> frozenset[str]:
        """Names of the numbers that the text shows; the names of claims end with a question mark."""
        figures = (s.figure if isinstance(s, Counted) else s for s in self.slots)
        return frozenset(f.key for f in figures if isinstance(f, Figure))

    @cached_property
    def word_keys(self) -> frozenset[str]:
        """Keys of the word lists that the text uses."""
        return frozenset(w.key for slot in self.slots for w in _words_of(slot))

    @cached_property
    def word_forms(self) -> frozenset[str]:
        """All forms that its word slots can show."""
        return frozenset(form for slot in self.slots for w in _words_of(slot) for form in w.forms.values())

    @property
    def fixed_text(self) -> str:
        """The text between the slots."""
        return " ".join(p for p in self.pieces if isinstance(p, str))

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        shown = (p for p in self.pieces if not isinstance(p, Sum))
        return re.compile("".join(re.escape(p) if isinstance(p, str) else p.pattern for p in shown))

    def read(self, text: str) -> dict[str, Value] | None:
        """The values with which this text is written; None if there are none (a name changes midway, 1 eggs ...)."""
        match = self._regex.fullmatch(text)
        if match is None:
            return None
        values: dict[str, Value] = {}
        groups = match.groups()
        return values if all(slot.read(groups[at:], values) for at, slot in self._read_order) else None

    @cached_property
    def _read_order(self) -> tuple[tuple[int, Slot], ...]:
        """Slots, each after the index of its first group; pronouns come last, when their names are known."""
        widths = [2 if isinstance(s, Counted) else 1 for s in self.slots]
        placed = [(sum(widths[:i]), slot) for i, slot in enumerate(self.slots)]
        return tuple(sorted(placed, key=lambda p: isinstance(p[1], Word) and p[1].is_ambiguous))


def _words_of(slot: Slot) -> tuple[Word, ...]:
    if isinstance(slot, Counted):
        return slot.one, slot.many
    return (slot,) if isinstance(slot, Word) else ()


def parse_text(text: str, words: WordLists, numbers: set[str], style: Style) -> TemplateText:
    """Parse a text with slots. `numbers` are the names of numbers. Raises ValueError for an unknown slot."""
    parts = re.split(r"\{([^}]*)\}", text)
    return TemplateText(
        tuple(_parse_slot(part, words, numbers, style) if i % 2 else part for i, part in enumerate(parts) if part)
    )


def _parse_slot(inner: str, words: WordLists, numbers: set[str], style: Style) -> Piece:
    if match := _EQUATION.fullmatch(inner):
        result, left, op, right, noun = match.groups()
        counted = _parse_counted(result, noun, words, style) if noun else None
        return Sum(result, left, op, right, style, counted)
    first, _, noun = inner.partition(" ")
    if first.rstrip("?") in numbers:
        return _parse_counted(first, noun, words, style) if noun else Figure(first, style)
    return _parse_word(inner, words)


def _parse_counted(key: str, noun: str, words: WordLists, style: Style) -> Counted:
    list_name = _find_word_list(noun, words)
    entries = (
        words[list_name] if list_name else (Noun(noun.removesuffix("es" if noun.endswith("ches") else "s"), noun),)
    )
    one, many = {e.one: e.one for e in entries}, {e.one: e.many for e in entries if isinstance(e, Noun)}
    return Counted(Figure(key, style), Word(list_name or entries[0].one, one), Word(list_name or entries[0].one, many))


def _parse_word(inner: str, words: WordLists) -> Word:
    name = inner[0].lower() + inner[1:]
    if name in ("he", "his", "him"):
        forms = {e.one: str(getattr(e, name)) for e in words["who"] if isinstance(e, Name)}
        return Word("who", _match_case(forms, inner))
    noun = name.removeprefix("a ")
    key = _find_word_list(noun, words)
    if key is None:
        raise ValueError(f"slot {{{inner}}} names neither a number nor a word list; have {sorted(words)}")
    entries = words[key]
    if noun != key:
        return Word(key, _match_case({e.one: e.many for e in entries if isinstance(e, Noun)}, inner))
    article = {e.one: ("an " if e.one[0] in "aeiou" else "a ") if noun != name else "" for e in entries}
    return Word(key, _match_case({e.one: article[e.one] + e.one for e in entries}, inner))


def _find_word_list(name: str, words: WordLists) -> str | None:
    """The word list that a slot names in singular or plural (thing, things, boxes); None if there is none."""
    guesses = (name, _SINGULARS.get(name, name), name.removesuffix("s"), name.removesuffix("es"))
    return next((k for k in guesses if k in words), None)


def _match_case(forms: dict[str, str], inner: str) -> dict[str, str]:
    return {k: v[0].upper() + v[1:] for k, v in forms.items()} if inner[0].isupper() else forms
