"""What a template is: a story with slots, an exact solution, and the ways in which the story can fail.

To add one, append it to the `TEMPLATES` of its topic's file; nothing else has to know of it. For example:

    Template(
        name="gather_and_sell",
        topic=TOPIC,
        ask='''
        - {who} picks {n things} a day[ for {m days}]. {He} sells {k} of them. How many {things} does {he} have left?
        - Each day {who} picks {n things}. {He} does this[ for {m days}] and sells {k things}. How many are left?
        ''',
        numbers={"n": range(3, 60), "m": range(2, 10), "k": range(2, 200)},
        words={"who": NAMES, "thing": FRUIT},
        solve='''
        {who} picks {all = n * m things}.
        {He} has {left = all - k things} left.
        ''',
        claim="All in all {who} picked {all? things}.",
    )

`template_text.py` explains the slots, `vocabulary.py` holds the names and nouns. The tests of the library draw
every template in all of its phrasings, check each equation, and read each text back.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import NamedTuple

from tasks.proving_ground.arithmetic import Number, Style, Value, calculate, holds, operand, places, write
from tasks.proving_ground.problem import Problem, Reason, difficulty
from tasks.proving_ground.template_text import Text, parse
from tasks.proving_ground.vocabulary import Entry

TRIES = 2000
"""Draws before a template gives up; every template accepts far more than one draw in 2000 (tested)."""


class Variant(NamedTuple):
    """One way to pose a template: a text, and the reason why it is unsolvable whatever the numbers are."""

    text: Text
    reason: Reason | None
    claims: bool


class _Told(NamedTuple):
    """A solution in words; `handy` when its numbers are as short as those of drawn problems."""

    steps: tuple[str, ...]
    answer: str
    text: str
    handy: bool


@dataclass(frozen=True, eq=False)
class Template:
    """A family of problems. `texts` describes the slots; the topic files are the examples.

    Raises ValueError when a template is used whose solution needs a number that the question does not show.
    """

    name: str
    topic: str
    ask: str
    """The phrasings, each opened by `- `. `[for {m days}]` may be left out to make the problem unsolvable;
    `[{m}|some]` is replaced instead."""
    numbers: Mapping[str, Sequence[Number] | str]
    """Numbers to draw from a range or a choice; `"n": "m * each"` derives one, so that n / m comes out whole.
    Numbers that no phrasing shows are only helpers."""
    solve: str
    """The solution, one step and one equation a line; the last result is the answer."""
    again: str = ""
    """The same answer by another method."""
    exact: str = ""
    """A way that goes through wherever the problem can be solved, where those above make a number that the story does
    not need to be whole, such as 1 %. The oracle answers by it; it is not taught as a method."""
    claim: str = ""
    """A sentence, put before the last one, that contradicts the rest when its claim `{all?}` is wrong."""
    words: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    style: Style = "count"
    """count: every result must be whole; money: two decimals; decimal: at most one when drawn; fraction: 3/8."""
    given: tuple[str, ...] = ()
    """Conditions such as `k < n` without which the story contradicts itself; `all <= q unless liquid` does not hold for
    the phrasings that show a `{liquid}`."""
    nice: tuple[str, ...] = ()
    """Conditions on drawn problems only."""
    whole: tuple[str, ...] = ()
    """Results that must be whole although the style allows others: things bought with money."""
    most: int = 1000
    """Largest result of a drawn problem."""

    @cached_property
    def methods(self) -> tuple[tuple[Text, ...], ...]:
        """One or two solutions, each a text per step."""
        return tuple(self._steps(text) for text in (self.solve, self.again) if text.strip())

    @cached_property
    def ways(self) -> tuple[tuple[Text, ...], ...]:
        """The methods, and the exact way where there is one."""
        return (*self.methods, *((self._steps(self.exact),) if self.exact.strip() else ()))

    def _steps(self, text: str) -> tuple[Text, ...]:
        lines = [line.strip() for line in text.strip().splitlines()]
        known = set(self.numbers) | set(re.findall(r"\{(\w+) =", text))
        return tuple(parse(line, self.words, known, self.style) for line in lines)

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """Every text that poses this template."""
        found = [v for phrasing in re.split(r"^\s*- ", self.ask, flags=re.MULTILINE)[1:] for v in self._pose(phrasing)]
        for text, reason, _ in found:
            shown = text.figures | {k.removesuffix("?") for k in text.figures} if reason else text.figures
            needed = {o for step in self.methods[0] for s in step.sums for o in (s.left, s.right)}
            lacking = {o for o in needed - shown if o in self.numbers and o not in results(self.methods[0])}
            if (reason == "missing_condition") != bool(lacking):
                raise ValueError(f"template {self.name!r}: {reason or 'a solvable text'} lacks {sorted(lacking)}")
        return tuple(found)

    def _pose(self, phrasing: str) -> Iterator[Variant]:
        raw = " ".join(phrasing.split())
        full = re.sub(r"\[([^|\]]*)[^\]]*\]", r"\1", raw)
        yield Variant(self._text(full), None, False)
        for gap in re.finditer(r"\[([^|\]]*)\|?([^\]]*)\]", raw):
            around = [re.sub(r"\[([^|\]]*)[^\]]*\]", r"\1", part) for part in (raw[: gap.start()], raw[gap.end() :])]
            yield Variant(self._text(around[0] + gap[2] + around[1]), "missing_condition", False)
        if self.claim:
            last = max(full.rfind(". "), full.rfind("! ")) + 2
            if last < 2:
                raise ValueError(f"template {self.name!r}: no room for the claim in {full!r}; use two sentences")
            yield Variant(self._text(f"{full[:last]}{self.claim} {full[last:]}"), None, True)

    def _text(self, text: str) -> Text:
        known = set(self.numbers) | {name for steps in self.ways for name in results(steps)}
        return parse(text, self.words, known, self.style)

    @cached_property
    def kinds(self) -> tuple[Reason, ...]:
        """The ways in which this template can be made unsolvable."""
        found: list[Reason] = ["missing_condition"] if any(v.reason for v in self.variants) else []
        found += ["contradiction"] if self.claim else []
        breaks = (self.style == "count" or self.whole) and self._clash(Random(0), "non_integer")
        return (*found, "non_integer") if breaks else tuple(found)

    def run(self, steps: Sequence[Text], values: Mapping[str, Value]) -> dict[str, Value] | Reason:
        """All values after the steps, or the reason why a step makes no sense in the story."""
        state = dict(values)
        for step in steps:
            for s in step.sums:
                left, right = operand(s.left, state), operand(s.right, state)
                if s.op == "/" and right == 0:
                    return "contradiction"
                result = state[s.result] = calculate(left, s.op, right)
                if result < 0:
                    return "contradiction"
                if not isinstance(result, int) and (self.style == "count" or s.result in self.whole):
                    return "non_integer"
        return state

    def outcome(self, values: Mapping[str, Value]) -> dict[str, Value] | Reason:
        """The first method that goes through, or why none does: a way around a broken step is a solution too."""
        runs = [self.run(steps, values) for steps in self.ways]
        states = [r for r in runs if not isinstance(r, str)]
        if not states:
            return next(r for r in runs if isinstance(r, str))
        state = {**states[-1], **states[0]}
        wrong = any(k.endswith("?") and state.get(k[:-1]) != v for k, v in values.items())
        return "contradiction" if wrong or not all(holds(c, state) for c in self._given(state)) else state

    def _given(self, state: Mapping[str, Value]) -> Iterator[str]:
        for condition in self.given:
            needed, _, word = condition.partition(" unless ")
            if word not in state:
                yield needed

    def problem(self, question: str, values: dict[str, Value], reason: Reason | None) -> Problem:
        """The problem that a question with these values poses. `reason`: why its text alone makes it unsolvable."""
        reached = reason or self.outcome(values)
        if isinstance(reached, str):
            return Problem(question, None, (), "", None, self.name, self.topic, 0.0, values, reached)
        told = [t for method in self.methods if (t := self._tell(method, values)) is not None]
        first, *others = told or [t for way in self.ways if (t := self._tell(way, values)) is not None]
        second = next((t.text for t in others if t.handy and t.answer == first.answer), None)
        size = difficulty(first.text)
        return Problem(question, first.answer, first.steps, first.text, second, self.name, self.topic, size, values)

    def _tell(self, steps: Sequence[Text], values: Mapping[str, Value]) -> _Told | None:
        state = self.run(steps, values)
        if isinstance(state, str):
            return None
        lines = tuple(step.write(state) for step in steps)
        answer = write(operand(steps[-1].sums[0].result, state), self.style)
        handy = all(self._short(operand(name, state)) for name in results(steps))
        return _Told(lines, answer, "\n".join((*lines, f"#### {answer}")), handy)

    def draw(self, rng: Random, kind: Reason | None = None) -> Problem:
        """A random problem, solvable or unsolvable for the given reason. Raises ValueError for a kind not offered."""
        if kind is not None and kind not in self.kinds:
            raise ValueError(f"template {self.name!r} cannot be made unsolvable by {kind}; it offers {self.kinds}")
        clash = kind == "non_integer" or (kind == "contradiction" and rng.random() < 0.4)
        numbers = self._clash(rng, kind) if clash else None
        claims = kind == "contradiction" and numbers is None
        reason = kind if kind == "missing_condition" else None
        text = rng.choice([v.text for v in self.variants if v.reason == reason and v.claims == claims])
        values = self._dress(rng) | (numbers or self._numbers(rng))
        for key in sorted(k for k in text.figures if k.endswith("?")):
            values[key] = _misstate(rng, operand(key[:-1], {**values, **self._state(values)}))
        question = text.write(values)
        problem = self.problem(question, text.read(question) or {}, reason)
        return problem if problem.unsolvable == kind else self.draw(rng, kind)  # a phrasing without the condition

    def _state(self, values: Mapping[str, Value]) -> dict[str, Value]:
        state = self.outcome(values)
        return {} if isinstance(state, str) else state

    def _dress(self, rng: Random) -> dict[str, Value]:
        drawn: dict[str, Value] = {}
        for key, entries in self.words.items():
            drawn[key] = rng.choice([e.one for e in entries if e.one not in drawn.values()])
        return drawn

    def roll(self, rng: Random) -> dict[str, Value]:
        """Numbers from the ranges, whether or not they make a nice problem."""
        values: dict[str, Value] = {}
        for key, source in self.numbers.items():
            values[key] = derive(source, values) if isinstance(source, str) else rng.choice(source)
        return values

    def _numbers(self, rng: Random) -> dict[str, Value]:
        for _ in range(TRIES):
            if self.fits(values := self.roll(rng)):
                return values
        raise RuntimeError(f"template {self.name!r}: {TRIES} draws and none fits; widen its ranges")

    def fits(self, values: Mapping[str, Value]) -> bool:
        """Whether the numbers make a problem worth drawing: results positive, small, and short when written."""
        state = self.run(self.methods[0], values)
        if isinstance(state, str) or not all(holds(c, state) for c in (*self._given(state), *self.nice)):
            return False
        return all(0 < v <= self.most and self._short(v) for v in (operand(name, state) for name in self._made))

    @cached_property
    def _made(self) -> tuple[str, ...]:
        return (*self.numbers, *results(self.methods[0]))

    def _short(self, value: Number) -> bool:
        if isinstance(value, int):
            return True
        needed = places(value)
        limit = {"count": 0, "decimal": 1, "money": 2, "fraction": 0}[self.style]
        return value.denominator <= 60 if self.style == "fraction" else needed is not None and needed <= limit

    def _clash(self, rng: Random, kind: Reason | None) -> dict[str, Value] | None:
        """Numbers that fail in the story for this reason, near numbers that do not; None if none turn up."""
        shown = [k for k in self.numbers if k in self.variants[0].text.figures]
        for _ in range(TRIES if kind == "non_integer" else 60):
            values = self.roll(rng)
            if kind == "non_integer":
                key = rng.choice(shown)
                values[key] = operand(key, values) + rng.randint(1, 9)
            if self.outcome(values) == kind and all(0 < operand(k, values) <= self.most for k in shown):
                return values
        return None


def results(steps: Sequence[Text]) -> set[str]:
    """Names of the numbers that a solution makes."""
    return {s.result for step in steps for s in step.sums}


def derive(source: str, values: Mapping[str, Value]) -> Number:
    """A derived number, from `m * each`."""
    left, op, right = source.split()
    return calculate(operand(left, values), op, operand(right, values))


def _misstate(rng: Random, value: Number) -> Number:
    """A wrong claim about a positive number: off by up to a third, or by up to 3."""
    off = rng.randint(1, max(3, int(value) // 3))
    return value - off if rng.random() < 0.5 and off < value else value + off
