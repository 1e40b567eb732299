"""The slots of the template language: each writes a value into a text and reads it back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tasks.proving_ground.arithmetic import (
    COUNT_PATTERN,
    NUMBER_PATTERN,
    Style,
    Value,
    format_number,
    operand_value,
    parse_number,
)


@dataclass(frozen=True)
class Word:
    """A word in one grammatical form. `forms` maps the drawn word (egg) to the form that the text shows (eggs)."""

    key: str
    forms: Mapping[str, str]

    def write(self, values: Mapping[str, Value]) -> str:
        return self.forms[str(values.get(self.key, self.key))]

    @property
    def is_ambiguous(self) -> bool:
        """Whether one form stands for several words, as `she` stands for several names."""
        return len(set(self.forms.values())) < len(self.forms)

    @cached_property
    def pattern(self) -> str:
        return "(" + "|".join(sorted(map(re.escape, set(self.forms.values())), key=len, reverse=True)) + ")"

    def read(self, texts: Sequence[str], values: dict[str, Value]) -> bool:
        if self.key not in values and self.forms.keys() != {self.key}:
            words = [word for word, form in self.forms.items() if form == texts[0]]
            if len(words) != 1:
                return False
            values[self.key] = words[0]
        return self.write(values) == texts[0]


@dataclass(frozen=True)
class Figure:
    """A number that the text shows."""

    key: str
    style: Style

    def write(self, values: Mapping[str, Value]) -> str:
        return format_number(operand_value(self.key, values), self.style)

    @property
    def pattern(self) -> str:
        return f"({COUNT_PATTERN if self.style == 'count' else NUMBER_PATTERN})"

    def read(self, texts: Sequence[str], values: dict[str, Value]) -> bool:
        value = parse_number(texts[0])
        return values.setdefault(self.key, value) == value


@dataclass(frozen=True)
class Counted:
    """A number and its noun, which agrees with it: 1 egg, 2 eggs."""

    figure: Figure
    one: Word
    many: Word

    def noun_form(self, values: Mapping[str, Value]) -> Word:
        return self.one if values[self.figure.key] == 1 else self.many

    def write(self, values: Mapping[str, Value]) -> str:
        return f"{self.figure.write(values)} {self.noun_form(values).write(values)}"

    @property
    def pattern(self) -> str:
        return f"{self.figure.pattern} {self.many.pattern[:-1]}|{self.one.pattern[1:]}"

    def read(self, texts: Sequence[str], values: dict[str, Value]) -> bool:
        return self.figure.read(texts, values) and self.noun_form(values).read(texts[1:], values)


@dataclass(frozen=True)
class Sum:
    """One operation of a solution: `result = left op right`, shown as `3 * 12 = 36`."""

    result: str
    left: str
    op: str
    right: str
    style: Style
    noun: Counted | None = None

    def write(self, values: Mapping[str, Value]) -> str:
        left, right, result = (
            format_number(operand_value(o, values), self.style) for o in (self.left, self.right, self.result)
        )
        noun = f" {self.noun.noun_form(values).write(values)}" if self.noun else ""
        return f"{left} {self.op} {right} = {result}{noun}"


Slot = Word | Figure | Counted
Piece = str | Word | Figure | Counted | Sum
