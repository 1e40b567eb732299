"""Constraints on what a response says where: its start and end, its language, two responses, one of some options."""

import re
from typing import ClassVar

from pydantic import Field, field_validator

from tasks.questions.language import KNOWN_LANGUAGES, KeepLanguage, load_identifier, text_segments
from tasks.verification.answer_types.constraints.base import (
    FAILS,
    HOLDS,
    UNCLEAR,
    CheckTimeout,
    Constraint,
    ConstraintFault,
    ConstraintText,
    Outcome,
    require,
)
from tasks.verification.answer_types.limited_process import CheckEnded, run_limited

_DRESS = " \t\n\"'*_`#>.!?\u201c\u201d\u2018\u2019"
# matches "******", not "*****", "*******"
_SIX_STARS = re.compile(r"(?<!\*)\*{6}(?!\*)")
# matches "*******", not "******"
_MORE_STARS = re.compile(r"\*{7,}")
OTHER_LANGUAGE_FROM = 0.9
"""Probability from which a response is in another language."""
WANTED_LANGUAGE_UP_TO = 0.05
"""Probability of the wanted language up to which a response is in another one."""
MAX_LANGUAGE_CHARACTERS = 200_000
"""Characters of a response whose language is identified."""
ONE_OF_OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
"""The options of IFEval's instruction, which holds none."""


class Language(Constraint):
    """All sentences of the response are in a language."""

    kind: ClassVar[str] = "language"

    language: str
    """The language, as an ISO 639-1 code; a region such as `-cn` is left out."""

    @field_validator("language")
    @classmethod
    def _check_code(cls, language: str) -> str:
        code = re.split("[-_]", language.casefold())[0]
        if code not in KNOWN_LANGUAGES:
            raise ValueError(f"{language!r} is no language that can be identified")
        return code

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether each segment is likeliest in the language; it fails if the whole is surely in another one."""
        segments = text_segments(text.visible[:MAX_LANGUAGE_CHARACTERS])
        if not segments:
            return UNCLEAR
        words = " ".join(word for segment in segments for word in segment)
        ranked = dict(load_identifier().rank(words))
        best = max(ranked, key=lambda code: ranked[code])
        strict = KeepLanguage(languages=(self.language,), least_relative_probability=1.0)
        if ranked[self.language] >= OTHER_LANGUAGE_FROM and not strict.detect_foreign(text.visible):
            return Outcome(True, str(best))
        is_other = ranked[best] >= OTHER_LANGUAGE_FROM and ranked[self.language] <= WANTED_LANGUAGE_UP_TO
        lenient = [load_identifier().classify(" ".join(segment))[0] for segment in segments]
        return Outcome(False if is_other and self.language not in lenient else None, str(best))


class StartsWith(Constraint):
    """The response begins with a phrase."""

    kind: ClassVar[str] = "starts_with"

    phrase: str = Field(min_length=1)
    """The phrase."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether it does; another case or marks before it leave it open."""
        phrase = self.phrase.strip()
        if text.text.startswith(phrase):
            return require(_is_boundary(text.text[len(phrase) - 1 : len(phrase) + 1]))
        return require(False, unclear=_loosen(text.text).startswith(_loosen(phrase)))


class EndsWith(Constraint):
    """The response ends with a phrase."""

    kind: ClassVar[str] = "ends_with"

    phrase: str = Field(min_length=1)
    """The phrase."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether it does; another case or marks behind it leave it open."""
        phrase, end = self.phrase.strip(), len(text.text)
        if text.text.endswith(phrase):
            return require(_is_boundary(text.text[max(0, end - len(phrase) - 1) : end - len(phrase) + 1]))
        return require(False, unclear=_loosen(text.text).endswith(_loosen(phrase)))


def _is_boundary(pair: str) -> bool:
    """Whether a word ends between two characters."""
    return len(pair) < 2 or not (pair[0].isalnum() and pair[1].isalnum())


def _loosen(text: str) -> str:
    return " ".join(text.strip(_DRESS).casefold().split())


class Quoted(Constraint):
    """The whole response stands in double quotation marks. Those of typography leave it open."""

    kind: ClassVar[str] = "quoted"

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether it does."""
        whole = text.text
        if not re.search(r"\w", whole):
            return FAILS
        pairs = ("\u201c\u201d", "\u201e\u201c", "\u00ab\u00bb", "\u300c\u300d", "''", "\u201d\u201d")
        is_curly = any(whole[0] in pair and whole[-1] in pair for pair in pairs)
        return require(whole[0] == whole[-1] == '"' and len(whole) > 2, unclear=is_curly)


class RepeatPrompt(Constraint):
    """The response repeats a prompt word for word and then goes on."""

    kind: ClassVar[str] = "repeat_prompt"

    prompt: str | None = None
    """The prompt; by default the question."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether it does; another case, or nothing behind the prompt, leaves it open."""
        prompt = " ".join((self.prompt or text.question).split())
        if not prompt:
            raise ConstraintFault("no prompt is known; give `prompt`")
        whole = " ".join(text.text.split())
        if whole.startswith(prompt):
            return require(re.search(r"\w", whole[len(prompt) :]), unclear=True)
        return require(False, unclear=_loosen(whole).startswith(_loosen(prompt)))


class TwoResponses(Constraint):
    """The response holds two different responses, parted by six stars."""

    kind: ClassVar[str] = "two_responses"

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether there are two; more stars, or two that nearly agree, leave it open."""
        if _MORE_STARS.search(text.text):
            return UNCLEAR
        parts = [part.strip() for part in _SIX_STARS.split(text.text) if re.search(r"\w", part)]
        if len(parts) != 2 or parts[0] == parts[1]:
            return Outcome(False, f"{len(parts)} responses")
        return require(re.sub(r"\W", "", parts[0].casefold()) != re.sub(r"\W", "", parts[1].casefold()), unclear=True)


class OneOf(Constraint):
    """The response is one of some options. Other words beside one of them leave it open."""

    kind: ClassVar[str] = "one_of"

    options: tuple[str, ...] = Field(default=ONE_OF_OPTIONS, min_length=1, max_length=100)
    """The options."""

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        if not all(option.strip() for option in options):
            raise ValueError("an option is empty")
        return options

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether it is one of them."""
        if text.text in {option.strip() for option in self.options}:
            return HOLDS
        loose = _loosen(text.text)
        return require(False, unclear=any(_loosen(option) in loose for option in self.options))


class Regex(Constraint):
    """The response fits a regular expression of Python, which runs in a child process with a limit of CPU time."""

    kind: ClassVar[str] = "regex"

    pattern: str = Field(min_length=1, max_length=10_000)
    """The regular expression."""
    anywhere: bool = False
    """Whether it may fit a part of the response."""
    ignore_case: bool = False
    """Whether capitals and small letters are the same."""

    def check(self, text: ConstraintText, cpu_seconds: float) -> Outcome:
        """Whether it does. Raises `ConstraintFault` for a pattern that is none, and `CheckTimeout`."""
        message = {"text": text.text, **self.model_dump(include={"pattern", "anywhere", "ignore_case"})}
        try:
            result = run_limited("pattern", message, cpu_seconds)
        except CheckEnded as ended:
            raise CheckTimeout(ended.rule) from None
        if "fault" in result:
            raise ConstraintFault(result["fault"])
        return require(result["valid"])
