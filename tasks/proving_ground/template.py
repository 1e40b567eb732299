"""Templates of problems: a text with slots, an exact solution, and the ways in which the problem can be unsolvable.

To add a template, append it to the `TEMPLATES` of its topic's file; nothing else needs to change. For example:

    Template(
        name="gather_and_sell",
        topic=TOPIC,
        phrasings='''
        - {who} picks {n things} a day[ for {m days}]. {He} sells {k} of them. How many {things} does {he} have left?
        - Each day {who} picks {n things}. {He} does this[ for {m days}] and sells {k things}. How many are left?
        ''',
        numbers={"n": range(3, 60), "m": range(2, 10), "k": range(2, 200)},
        words={"who": NAMES, "thing": FRUIT},
        solution='''
        {who} picks {all = n * m things}.
        {He} has {left = all - k things} left.
        ''',
        claim="All in all {who} picked {all? things}.",
    )

`template_text.py` explains the slots, and `vocabulary.py` holds the names and nouns. The tests of the library draw
every template in all of its phrasings, check each equation, and read each text back.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import NamedTuple

from tasks.proving_ground.arithmetic import (
    Number,
    Style,
    Value,
    calculate,
    condition_holds,
    decimal_places,
    format_number,
    operand_value,
)
from tasks.proving_ground.problem import Problem, UnsolvableReason, measure_difficulty
from tasks.proving_ground.template_text import TemplateText, parse_text
from tasks.proving_ground.vocabulary import Entry

MAX_DRAWS = 2000
"""Draws after which a template gives up. Every template accepts far more than one draw in 2000 (tested)."""


class Variant(NamedTuple):
    """One text of a template, and the reason, if any, why it is unsolvable with any numbers."""

    text: TemplateText
    reason: UnsolvableReason | None
    has_claim: bool


class _WrittenSolution(NamedTuple):
    """A solution as text. `is_short`: its numbers are as short as those of drawn problems."""

    steps: tuple[str, ...]
    answer: str
    text: str
    is_short: bool


@dataclass(frozen=True, eq=False)
class Template:
    """A family of problems. `template_text.py` explains the slots, and the topic files are examples.

    Raises ValueError on first use if the solution needs a number that the question does not show.
    """

    name: str
    topic: str
    phrasings: str
    """The phrasings, each after `- `. To make a problem unsolvable, `[for {m days}]` is left out, or `[{m}|some]` is
    written as `some`."""
    numbers: Mapping[str, Sequence[Number] | str]
    """The numbers, each drawn from a sequence or derived: `"n": "m * each"` makes n / m whole. Numbers that no
    phrasing shows only help to derive others."""
    solution: str
    """The solution. Each line is one step with one equation; the last result is the answer."""
    second_method: str = ""
    """A solution by another method; empty if there is none."""
    exact_method: str = ""
    """A method that works for every solvable problem, for templates whose other methods need a whole number that the
    problem does not need, such as 1 %. The oracle uses it; it is not taught. Empty if there is none."""
    claim: str = ""
    """A sentence that is put before the last one. If its claim `{all?}` is wrong, it contradicts the others."""
    words: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    style: Style = "count"
    """How numbers are written. `count`: every result must be whole; `money`: two decimals; `decimal`: at most one
    decimal when drawn; `fraction`: 3/8."""
    conditions: tuple[str, ...] = ()
    """Conditions such as `k < n` without which the problem contradicts itself. `all <= q unless liquid` does not apply
    to phrasings that show a `{liquid}`."""
    draw_conditions: tuple[str, ...] = ()
    """Conditions that apply to drawn problems only."""
    whole_results: tuple[str, ...] = ()
    """Results that must be whole although the style allows decimals, such as the number of things that are bought."""
    max_result: int = 1000
    """Largest result of a drawn problem."""

    @cached_property
    def methods(self) -> tuple[tuple[TemplateText, ...], ...]:
        """The one or two methods that are taught, each as one text per step."""
        return tuple(self._parse_steps(text) for text in (self.solution, self.second_method) if text.strip())

    @cached_property
    def all_methods(self) -> tuple[tuple[TemplateText, ...], ...]:
        """The methods, and the exact method if there is one."""
        return (*self.methods, *((self._parse_steps(self.exact_method),) if self.exact_method.strip() else ()))

    def _parse_steps(self, text: str) -> tuple[TemplateText, ...]:
        lines = [line.strip() for line in text.strip().splitlines()]
        known = set(self.numbers) | set(re.findall(r"\{(\w+) =", text))
        return tuple(parse_text(line, self.words, known, self.style) for line in lines)

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """All texts of this template: solvable, with a number missing, and with a claim."""
        variants = [
            v
            for phrasing in re.split(r"^\s*- ", self.phrasings, flags=re.MULTILINE)[1:]
            for v in self._make_variants(phrasing)
        ]
        for text, reason, _ in variants:
            shown_numbers = (
                text.number_keys | {k.removesuffix("?") for k in text.number_keys} if reason else text.number_keys
            )
            needed = {o for step in self.methods[0] for s in step.sums for o in (s.left, s.right)}
            lacking = {
                o for o in needed - shown_numbers if o in self.numbers and o not in result_names(self.methods[0])
            }
            if (reason == "missing_condition") != bool(lacking):
                raise ValueError(f"template {self.name!r}: {reason or 'a solvable text'} lacks {sorted(lacking)}")
        return tuple(variants)

    def _make_variants(self, phrasing: str) -> Iterator[Variant]:
        raw = " ".join(phrasing.split())
        full = re.sub(r"\[([^|\]]*)[^\]]*\]", r"\1", raw)
        yield Variant(self._parse_variant(full), None, False)
        for gap in re.finditer(r"\[([^|\]]*)\|?([^\]]*)\]", raw):
            around = [re.sub(r"\[([^|\]]*)[^\]]*\]", r"\1", part) for part in (raw[: gap.start()], raw[gap.end() :])]
            yield Variant(self._parse_variant(around[0] + gap[2] + around[1]), "missing_condition", False)
        if self.claim:
            last = max(full.rfind(". "), full.rfind("! ")) + 2
            if last < 2:
                raise ValueError(f"template {self.name!r}: no room for the claim in {full!r}; use two sentences")
            yield Variant(self._parse_variant(f"{full[:last]}{self.claim} {full[last:]}"), None, True)

    def _parse_variant(self, text: str) -> TemplateText:
        known = set(self.numbers) | {name for steps in self.all_methods for name in result_names(steps)}
        return parse_text(text, self.words, known, self.style)

    @cached_property
    def unsolvable_reasons(self) -> tuple[UnsolvableReason, ...]:
        """The ways in which this template can be made unsolvable."""
        reasons: list[UnsolvableReason] = ["missing_condition"] if any(v.reason for v in self.variants) else []
        reasons += ["contradiction"] if self.claim else []
        can_break = (self.style == "count" or self.whole_results) and self._draw_failing_numbers(
            Random(0), "non_integer"
        )
        return (*reasons, "non_integer") if can_break else tuple(reasons)

    def run_steps(
        self, steps: Sequence[TemplateText], values: Mapping[str, Value]
    ) -> dict[str, Value] | UnsolvableReason:
        """All values after the steps, or the reason why a step makes no sense in the problem."""
        state = dict(values)
        for step in steps:
            for s in step.sums:
                left, right = operand_value(s.left, state), operand_value(s.right, state)
                if s.op == "/" and right == 0:
                    return "contradiction"
                result = state[s.result] = calculate(left, s.op, right)
                if result < 0:
                    return "contradiction"
                if not isinstance(result, int) and (self.style == "count" or s.result in self.whole_results):
                    return "non_integer"
        return state

    def evaluate(self, values: Mapping[str, Value]) -> dict[str, Value] | UnsolvableReason:
        """All values, or the reason why the problem is unsolvable. One method that works is enough."""
        runs = [self.run_steps(steps, values) for steps in self.all_methods]
        states = [r for r in runs if not isinstance(r, str)]
        if not states:
            return next(r for r in runs if isinstance(r, str))
        state = {**states[-1], **states[0]}
        wrong = any(k.endswith("?") and state.get(k[:-1]) != v for k, v in values.items())
        return (
            "contradiction"
            if wrong or not all(condition_holds(c, state) for c in self._conditions_for(state))
            else state
        )

    def _conditions_for(self, state: Mapping[str, Value]) -> Iterator[str]:
        for condition in self.conditions:
            needed, _, word = condition.partition(" unless ")
            if word not in state:
                yield needed

    def make_problem(self, question: str, values: dict[str, Value], reason: UnsolvableReason | None) -> Problem:
        """The problem of a question with these values. `reason`: why the text alone is unsolvable, or None."""
        result = reason or self.evaluate(values)
        if isinstance(result, str):
            return Problem(question, None, (), "", None, self.name, self.topic, 0.0, values, result)
        solutions = [t for method in self.methods if (t := self._write_solution(method, values)) is not None]
        first, *others = solutions or [
            t for way in self.all_methods if (t := self._write_solution(way, values)) is not None
        ]
        second = next((t.text for t in others if t.is_short and t.answer == first.answer), None)
        size = measure_difficulty(first.text)
        return Problem(question, first.answer, first.steps, first.text, second, self.name, self.topic, size, values)

    def _write_solution(self, steps: Sequence[TemplateText], values: Mapping[str, Value]) -> _WrittenSolution | None:
        state = self.run_steps(steps, values)
        if isinstance(state, str):
            return None
        lines = tuple(step.write(state) for step in steps)
        answer = format_number(operand_value(steps[-1].sums[0].result, state), self.style)
        is_short = all(self._is_short(operand_value(name, state)) for name in result_names(steps))
        return _WrittenSolution(lines, answer, "\n".join((*lines, f"#### {answer}")), is_short)

    def draw(self, rng: Random, kind: UnsolvableReason | None = None) -> Problem:
        """Draw a problem, solvable or unsolvable for the reason `kind`. Raises ValueError if that is impossible."""
        if kind is not None and kind not in self.unsolvable_reasons:
            raise ValueError(
                f"template {self.name!r} cannot be made unsolvable by {kind}; it offers {self.unsolvable_reasons}"
            )
        draws_failing = kind == "non_integer" or (kind == "contradiction" and rng.random() < 0.4)
        numbers = self._draw_failing_numbers(rng, kind) if draws_failing else None
        claims = kind == "contradiction" and numbers is None
        reason = kind if kind == "missing_condition" else None
        text = rng.choice([v.text for v in self.variants if v.reason == reason and v.has_claim == claims])
        values = self._draw_words(rng) | (numbers or self._draw_fitting_numbers(rng))
        for key in sorted(k for k in text.number_keys if k.endswith("?")):
            values[key] = _misstate(rng, operand_value(key[:-1], {**values, **self._solved_state(values)}))
        question = text.write(values)
        problem = self.make_problem(question, text.read(question) or {}, reason)
        return problem if problem.unsolvable == kind else self.draw(rng, kind)  # the condition may not apply

    def _solved_state(self, values: Mapping[str, Value]) -> dict[str, Value]:
        state = self.evaluate(values)
        return {} if isinstance(state, str) else state

    def _draw_words(self, rng: Random) -> dict[str, Value]:
        words: dict[str, Value] = {}
        for key, entries in self.words.items():
            words[key] = rng.choice([e.one for e in entries if e.one not in words.values()])
        return words

    def draw_numbers(self, rng: Random) -> dict[str, Value]:
        """Draw numbers, whether or not they make a good problem."""
        values: dict[str, Value] = {}
        for key, source in self.numbers.items():
            values[key] = derive_number(source, values) if isinstance(source, str) else rng.choice(source)
        return values

    def _draw_fitting_numbers(self, rng: Random) -> dict[str, Value]:
        for _ in range(MAX_DRAWS):
            if self.fits(values := self.draw_numbers(rng)):
                return values
        raise RuntimeError(f"template {self.name!r}: {MAX_DRAWS} draws and none fits; widen its ranges")

    def fits(self, values: Mapping[str, Value]) -> bool:
        """Whether the numbers make a good problem: they and all results are positive, small and short when written."""
        state = self.run_steps(self.methods[0], values)
        if isinstance(state, str) or not all(
            condition_holds(c, state) for c in (*self._conditions_for(state), *self.draw_conditions)
        ):
            return False
        return all(
            0 < v <= self.max_result and self._is_short(v)
            for v in (operand_value(name, state) for name in self._number_names)
        )

    @cached_property
    def _number_names(self) -> tuple[str, ...]:
        return (*self.numbers, *result_names(self.methods[0]))

    def _is_short(self, value: Number) -> bool:
        if isinstance(value, int):
            return True
        needed = decimal_places(value)
        limit = {"count": 0, "decimal": 1, "money": 2, "fraction": 0}[self.style]
        return value.denominator <= 60 if self.style == "fraction" else needed is not None and needed <= limit

    def _draw_failing_numbers(self, rng: Random, kind: UnsolvableReason | None) -> dict[str, Value] | None:
        """Numbers that make a problem unsolvable for this reason, near numbers that do not; None if there are none."""
        shown = [k for k in self.numbers if k in self.variants[0].text.number_keys]
        for _ in range(MAX_DRAWS if kind == "non_integer" else 60):
            values = self.draw_numbers(rng)
            if kind == "non_integer":
                key = rng.choice(shown)
                values[key] = operand_value(key, values) + rng.randint(1, 9)
            if self.evaluate(values) == kind and all(0 < operand_value(k, values) <= self.max_result for k in shown):
                return values
        return None


def result_names(steps: Sequence[TemplateText]) -> set[str]:
    """Names of the numbers that the steps compute."""
    return {s.result for step in steps for s in step.sums}


def derive_number(source: str, values: Mapping[str, Value]) -> Number:
    """The value of a derived number such as `m * each`."""
    left, op, right = source.split()
    return calculate(operand_value(left, values), op, operand_value(right, values))


def _misstate(rng: Random, value: Number) -> Number:
    """A wrong value for a positive number: off by up to a third or by up to 3, whichever is more."""
    off = rng.randint(1, max(3, int(value) // 3))
    return value - off if rng.random() < 0.5 and off < value else value + off
