"""Reads a diagnosis: which step is the first wrong one, and the type of its error. What is ambiguous is not read.

Students number their own steps, so `Step: 2` may mean their second step or the second label. A label counts if it is
unmistakable (`[S2]`), or if nothing else in the attempt bears its number; else the reply must quote the step.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from tasks.base.json_reply import parse_count
from tasks.base.typed_reply import TypedReply, find_objects, read_reply_text, undress
from tasks.lemma.error_types import ErrorType, parse_error_type
from tasks.lemma.quotes import drop_quotes, find_quoted, find_quotes, split_words


class DiagnosisReply(TypedReply):
    """A diagnosis in JSON. For a correct solution `step` and `type` are `none`, and `first_words` is empty."""

    reason: str
    verdict: Literal["correct", "wrong"]
    step: str
    first_words: str
    type: Literal[ErrorType, "none"]


class Diagnosis(NamedTuple):
    """The diagnosis in one reply. Only a `wrong` verdict comes with a step and a type."""

    verdict: Literal["wrong", "correct", "unreadable", "step out of range"]
    step: int = 0
    """Number of the first wrong step, from 1; 0 if there is none."""
    type: ErrorType | None = None


UNREADABLE = Diagnosis("unreadable")
OUT_OF_RANGE = Diagnosis("step out of range")

_SEPARATOR = r"\s*(?::|=|\||(?<=\s)[-\u2013\u2014](?=\s)|\b(?:is|was)\b:?)\s*"
# matches all of "Step: [S2]", "the first wrong step is step 2", "Wrong line = 3", not of "Step 2: add", "In step: 2"
_STEP_LABEL = re.compile(
    r"(?:(?:so|thus|therefore|hence|and|then),?\s+)?(?:(?:the|my|its)\s+)?(?:(?:first|earliest)\s+)?"
    r"(?:(?:wrong|incorrect|erroneous|faulty|mistaken|error)[\s_]+)?(?:step|line)"
    r"(?:[\s_]+(?:number|no\.?|label|(?:with|of|that\s+has)\s+(?:the|an|a|its)\s+(?:first\s+)?(?:error|mistake)"
    rf"|(?:that|which)\s+is\s+wrong))?{_SEPARATOR}(?P<value>.*)",
    re.IGNORECASE | re.DOTALL,
)
# matches all of "Type: operator", "error type = counting", "and the type of its error is operator", not of "Types"
_TYPE_LABEL = re.compile(
    r"(?:(?:so|and|with|its|the|my)\s+)*(?:(?:error|mistake)[\s_]+)?(?:type|kind|category)"
    rf"(?:[\s_]+of[\s_]+(?:(?:the|its|this|that)[\s_]+)?(?:error|mistake))?{_SEPARATOR}(?P<value>.*)",
    re.IGNORECASE | re.DOTALL,
)
# matches all of "Verdict: correct", "My final verdict is wrong", not of "The verdicts"
_VERDICT_LABEL = re.compile(
    rf"(?:(?:the|my|so|final|overall)\s+)*(?:verdict|judge?ment|conclusion|result){_SEPARATOR}(?P<value>.*)",
    re.IGNORECASE | re.DOTALL,
)
# matches all of "Step", "First wrong step:", "Verdict", not of "Step 2", "Verdict: correct"
_LABEL_ALONE = re.compile(
    r"(?:the\s+)?(?:final\s+)?(?:(?:first\s+)?(?:(?:wrong|incorrect|erroneous)\s+)?step|(?:error\s+)?type|verdict)\s*:?",
    re.IGNORECASE,
)
# matches "2, Type: operator", "2 and its type is operator", "2 \\qquad Type: operator", not "Type: operator"
_TYPE_WITHIN = re.compile(
    r"(?<=\S)[\s,;.|/&\u2013\u2014\u2192>-]*(?:\\q?quad)*[\s,;]*(?:\b(?:and|with)\b)?\s*"
    r"(?=\b(?:(?:its|the)\s+)?(?:(?:error|mistake)\s+)?type(?:\s+of\s+(?:the|its|this)\s+error)?\s*(?::|=|\bis\b))",
    re.IGNORECASE,
)
# matches all of "Step 2", "Step #2.", "[S2]", "step 2:", not of "Step 2: add", "12"
_STEP_ALONE = re.compile(r"(?:step\s*#?\s*[0-9]{1,4}|\[?S[0-9]{1,4}\]?)\s*[.:]?", re.IGNORECASE)
# matches all of "The first error occurs in [S2]", "first mistake: step 2", not of "The first errors", "errors in 2"
_FIRST_ERROR = re.compile(
    r"(?:so\s+|thus,?\s+)?(?:the\s+)?first\s+(?:error|mistake)\s*(?:(?:is|occurs|lies|appears|happens|stands|comes)\s+)?"
    r"(?:in|at|on|with|:)\s*(?P<value>.*)",
    re.IGNORECASE | re.DOTALL,
)
# matches all of "Error: operator", "Mistake: counting", not of "Errors: 2", "The error is"
_ERROR_LABEL = re.compile(r"(?:error|mistake)\s*[:=]\s*(?P<value>.*)", re.IGNORECASE | re.DOTALL)
# matches all of "Step 2 is the first wrong step.", "[S2] is the first incorrect one", not of "[S2] is wrong"
_STEP_CALLED_WRONG = re.compile(
    r"(?:so\s+|thus,?\s+)?(?P<value>(?:step\s*)?\[?S?[0-9]{1,4}\]?)\s+is\s+the\s+first\s+(?:wrong|incorrect|erroneous)"
    r"\s+(?:step|one|line)\W*",
    re.IGNORECASE,
)
# matches all of "[S2] operator", "S2: unit conversion", not of "[S2] is 12", "2: operator"
_STEP_AND_TYPE = re.compile(
    r"(?P<step>\[?S[0-9]{1,4}\]?)[\s:,;\u2013\u2014|-]+(?P<type>[a-z]+(?:[ _-][a-z]+){0,2})\W*", re.IGNORECASE
)
_TYPE_IN_BRACKETS = re.compile(r"\((?P<type>[^()]+)\)")
# matches all of "none", "No step is wrong.", "N/A", not of "none of 2", "0.5"
_NO_STEP = re.compile(r"\W*(?:none|no(?:\s+wrong)?\s+steps?(?:\s+is\s+wrong)?|n/?a|nil|null|-*)\W*", re.IGNORECASE)
# matches all of "correct", "right.", "correct up to 2", not of "not correct", "corrected"
_CALLED_CORRECT = re.compile(
    r"\W*(?:(?:the\s+)?(?:attempt|solution|answer)\s+is\s+)?(?:(?:all|entirely|fully|completely)\s+)?(?:correct|right)"
    r"(?P<rest>\W.*|)",
    re.IGNORECASE | re.DOTALL,
)
# matches all of "No step is wrong.", "All of the steps are correct", not of "No step is wrong up to 3."
_NOTHING_WRONG = re.compile(
    r"\W*(?:no\s+steps?\s+(?:is|are)\s+wrong|there\s+is\s+no\s+(?:wrong\s+step|error|mistake)"
    r"|(?:all|every|each)(?:\s+of\s+the)?(?:\s+the)?\s+steps?\s+(?:is|are)\s+(?:correct|right)"
    r"|the\s+(?:attempt|solution)\s+is\s+(?:entirely\s+|fully\s+|completely\s+)?(?:correct|right)|correct)\W*",
    re.IGNORECASE,
)
# matches "correct up to", "but", "[S2]", "step 3", not "correct", "the answer is 12", "all steps follow"
_RESTRICTION = re.compile(
    r"\b(?:up\s+to|until|till|except|but|however|although|though|unless|if|only|partly|partially|mostly|almost|apart"
    r"|aside|not|nor|wrong|incorrect|mistakes?|errors?|first|or|maybe|perhaps|actually|wait|hmm+|would|could|then)\b"
    r"|\b(?:steps?|lines?)\s*\[?S?[0-9]|n't\b|\[?\bS[0-9]",
    re.IGNORECASE,
)
# matches "no step is wrong", "without any mistake", "nothing wrong", not "a mistake", "no. wrong"
_NO_ERRORS = re.compile(
    r"\bno\s+(?:wrong\s+steps?|steps?\s+(?:is|are)\s+wrong|(?:errors?|mistakes?))\b"
    r"|\bwithout\s+(?:any\s+)?(?:errors?|mistakes?)\b|\bnothing\s+(?:is\s+)?wrong\b",
    re.IGNORECASE,
)
# matches "Actually, it is", "Wait", "On second thought", not "Let me know", "but it is"
_SECOND_THOUGHTS = re.compile(
    r"\b(?:actually|wait|hmm+|on\s+second\s+thoughts?|hold\s+on|let\s+me\s+(?:re-?)?(?:check|consider|think|examine)"
    r"|reconsider|scratch\s+that|never\s+mind|no,|alternatively)(?!\w)",
    re.IGNORECASE,
)
_NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
# matches "[S2]", "S 2", "s2", "S-2", not "2", "is 2", "[2]"
_LABEL = re.compile(r"(?<![A-Za-z0-9])\[?S[ _-]?([0-9]{1,9})\]?(?![0-9A-Za-z])", re.IGNORECASE)
# matches the start of "[2]", "Step [2] is", not of "2", "[S2]"
_BRACKETED_NUMBER = re.compile(r"\W{0,3}(?:step\s*)?\[\s*([0-9]{1,9})\s*\]", re.IGNORECASE)
# matches the start of "2)", "Step #2 (the", "the second step", "number 2", "2nd", not of "2.5", "2 + 3", "1.1", "12/4"
_BARE_NUMBER = re.compile(
    r"[\s#(\[\"'*:]{0,3}(?:(?:the|step|line|number|no|nr)\b[\s.]*|\#\s*)*\(?"
    rf"(?P<number>[0-9]+|(?:{'|'.join(_ORDINALS)})\b|(?:{'|'.join(_NUMBER_WORDS)})\b(?=\s*(?:$|[^\w\s])))(?:st|nd|rd|th)?"
    r"(?![0-9A-Za-z^]|[.,:/][0-9]|\s+[0-9]|\s*[-+*/=\u00d7x\u2212]\s*[0-9(])(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
# matches the start of " and 4", ", 4", " or step 3", "-4", "/[S3]", not of " (the 4", ". 4 is", ", as 3"
_ANOTHER_STEP = re.compile(
    r"[\s)\].]*(?:and|or|,|;|&|/|\bto\b|through|[-\u2013\u2014+])\s*(?:also\s+)?(?:steps?\s*|lines?\s*)?[#\[(]*S?[0-9]+"
    r"(?!\s*[-+*/=\u00d7.]\s*[0-9(])\b",
    re.IGNORECASE,
)
# matches the start of "Step 2: add", "2. Area", "(3) So", "**Step 2**", "step two - x", not of "2.5 km", "12 * 3"
_OWN_NUMBER = re.compile(
    r"[\s*_#>|-]*(?:(?:step|part|stage)\s*\#?\s*\(?"
    rf"(?P<named>[0-9]{{1,3}}|{'|'.join(_NUMBER_WORDS)})(?![\w.]*[0-9])"
    r"|\(?(?P<listed>[0-9]{1,3})(?:[.)](?=[\s*]|$)|\s*:(?=\s)))",
    re.IGNORECASE,
)
_TYPE_SYNONYMS: Mapping[str, ErrorType] = {
    **dict.fromkeys(("arithmetic", "computation", "computational", "miscalculation"), "calculation"),
    **dict.fromkeys(("miscounting", "count"), "counting"),
    **dict.fromkeys(("misinterpretation", "misreading"), "question_misinterpretation"),
    **dict.fromkeys(("formula", "wrong formula"), "formula_confusion"),
    **dict.fromkeys(("concept confusion", "concept", "conceptual"), "confusing_concept"),
    **dict.fromkeys(("skipped step", "omitted step", "left-out step", "omission"), "missing_step"),
    **dict.fromkeys(("conversion", "unit", "units"), "unit_conversion"),
    **dict.fromkeys(("operation", "wrong operation", "wrong operator"), "operator"),
    **dict.fromkeys(("contradiction", "contradictory"), "contradictory_step"),
}
"""Other words for the types, in lower case, as models write them."""
# matches the start of "or counting", ", counting", "/ counting", not of "(counting", "orange"
_TYPE_JOINED = re.compile(r"\W*(?:\b(?:or|and|also|possibly|perhaps|maybe|rather)\b|[/|,+&])", re.IGNORECASE)
MIN_QUOTE_WORDS = 3
"""Words of a quote that must fit a step; shorter ones may be a manner of speaking."""


class _Fields(NamedTuple):
    """What a reply says, as it is written."""

    verdicts: list[str]
    steps: list[str]
    types: list[str]
    text: str = ""
    """The whole reply without dress."""
    behind: str = ""
    """What follows the last field."""
    called_correct: bool = False
    """Whether a reply without any field ends in a sentence that calls the attempt correct."""


def parse_diagnosis(text: str, steps: Sequence[str]) -> Diagnosis:
    """Read the diagnosis of a solution with these steps from the labelled lines or the JSON of a reply."""
    reply = read_reply_text(text)
    if reply is None:
        return UNREADABLE
    fields = _find_fields(reply)
    if fields is None or _SECOND_THOUGHTS.search(fields.behind):
        return UNREADABLE
    named = [value for value in fields.steps if not _NO_STEP.fullmatch(value)]
    types = [value for value in fields.types if not _NO_STEP.fullmatch(value)]
    if not fields.types:
        in_brackets = (match["type"] for value in named for match in _TYPE_IN_BRACKETS.finditer(value))
        types = [each for each in in_brackets if _read_type(each)]
    verdicts = {_read_verdict(value) for value in fields.verdicts}
    if not named and not types:
        says_none = bool(fields.steps and fields.types) or fields.called_correct
        is_correct = verdicts == {"correct"} or (not verdicts and says_none)
        return Diagnosis("correct") if is_correct else UNREADABLE
    if verdicts - {"wrong"} or not named or not types or len(named) < len(fields.steps):
        zero = verdicts == {"correct"} and {value.strip() for value in named} <= {"0"} and not types
        return Diagnosis("correct") if zero else UNREADABLE
    kinds = {_read_type(value) for value in types}
    found = {_read_step(value, steps, fields.text) for value in named}
    (kind, *other_kinds), (step, *other_steps) = kinds, found
    if kind is None or step is None or other_kinds or other_steps:
        return UNREADABLE
    return Diagnosis("wrong", step, kind) if 1 <= step <= len(steps) else OUT_OF_RANGE


def _find_fields(reply: str) -> _Fields | None:
    """The fields of a reply; None if it holds several JSON objects that differ."""
    objects = [fields for each in find_objects(reply) if (fields := _fields_of_object(each))]
    if objects:
        return objects[0] if all(each == objects[0] for each in objects) else None
    return _fields_of_text(reply)


def _fields_of_object(parsed: Mapping[str, Any]) -> _Fields | None:
    """The fields of a JSON object, under whatever names; None if it is no diagnosis."""
    verdicts, steps, types, quotes = list[str](), list[str](), list[str](), list[str]()
    inner = [value for value in parsed.values() if isinstance(value, dict)]
    for name, value in (*parsed.items(), *(item for each in inner for item in each.items())):
        key, text = name.lower().replace("_", " ").replace("-", " "), _to_text(value)
        if key in ("verdict", "judgement", "judgment"):
            verdicts.append(text)
        elif _TYPE_LABEL.fullmatch(f"{key}: ") or (key in ("error", "mistake") and _read_type(text)):
            types.append(text)
        elif _STEP_LABEL.fullmatch(f"{key}: ") or key in ("first error", "error location", "label", "step label"):
            steps.append(text)
        elif key in ("first words", "quote", "step text", "words", "text"):
            quotes.append(text)
    if not verdicts and not (steps and types):
        return None
    if len(steps) == 1 and quotes and quotes[0].strip():
        steps = [f'{steps[0]} "{quotes[0].strip().strip(chr(34))}"']
    return _Fields(verdicts, steps, types)


def _to_text(value: Any) -> str:
    if value is None:
        return "none"
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


def _fields_of_text(reply: str) -> _Fields:
    """The fields of the labelled lines of a reply."""
    plain = undress(_keep_code_quotes(reply))
    lines = [line for line in _split_fields(plain) if line]
    verdicts, steps, said_steps, types = list[str](), list[str](), list[str](), list[str]()
    last, at = -1, 0
    while at < len(lines):
        line, following = lines[at], lines[at + 1] if at + 1 < len(lines) else ""
        width = 1
        if _LABEL_ALONE.fullmatch(line) and following and not _match_label(following):
            line, width = f"{line.rstrip(' :')}: {following}", 2
        elif _STEP_ALONE.fullmatch(line) and _TYPE_LABEL.fullmatch(following):
            line = f"Step: {line}"
        if (field := _match_label(line)) is not None:
            kind, value = field
            if kind == "step" and not find_quotes(value) and _opens_quote(lines, at + width):
                value, width = f"{value} {lines[at + width]}", width + 1
            {"verdict": verdicts, "step": steps, "said step": said_steps, "type": types}[kind].append(value)
            last = at + width
        else:
            width = 1
        at += width
    steps = steps or said_steps
    if not verdicts and not steps and not types and lines:
        if match := _STEP_AND_TYPE.fullmatch(lines[-1]):
            return _Fields([], [match["step"]], [match["type"]])
        called_correct = bool(_NOTHING_WRONG.fullmatch(lines[-1]))
        return _Fields([], [], [], called_correct=called_correct)
    return _Fields(verdicts, steps, types, plain, "\n".join(lines[last:]) if last >= 0 else "")


def _opens_quote(lines: Sequence[str], at: int) -> bool:
    return at < len(lines) and lines[at][:1] in "\"'\u201c\u00ab"


def _match_label(line: str) -> tuple[Literal["verdict", "step", "said step", "type"], str] | None:
    """Which field a line holds, and its value; None for a line of the reasons. A `said step` is part of a sentence."""
    if match := _TYPE_LABEL.fullmatch(line):
        return ("type", match["value"]) if _read_type(match["value"]) or _is_short(match["value"]) else None
    if (match := _ERROR_LABEL.fullmatch(line)) and _read_type(match["value"]):
        return ("type", match["value"])
    if match := _STEP_LABEL.fullmatch(line):
        value = match["value"]
        return ("step", value) if _names_step(value) or _NO_STEP.fullmatch(value) else None
    if match := _STEP_CALLED_WRONG.fullmatch(line) or _FIRST_ERROR.fullmatch(line):
        return ("said step", match["value"]) if _names_step(match["value"]) else None
    if match := _VERDICT_LABEL.fullmatch(line):
        return ("verdict", match["value"]) if _read_verdict(match["value"]) else None
    return None


def _is_short(value: str) -> bool:
    return len(value.split()) <= 4


def _names_step(value: str) -> bool:
    return bool(_LABEL.search(value) or _BRACKETED_NUMBER.match(value) or _BARE_NUMBER.match(value))


def _split_fields(text: str) -> list[str]:
    """The lines of a text; sentences and fields within a line are lines of their own."""
    lines = list[str]()
    for line in text.split("\n"):
        # A table row `| Step | 2 |` holds a field as well.
        row = re.fullmatch(r"\|\s*([^|]+?)\s*\|\s*([^|]+?)\s*\|?", line)
        text = f"{row[1]}: {row[2]}" if row else line
        if not _match_label(text) and (sentences := re.split(r"(?<=[.!?])\s+(?=[A-Z])", text))[1:]:
            text = "\n".join(sentences)
        lines += _TYPE_WITHIN.sub("\n", text).split("\n")
    return [line.strip(" \t,;") for line in lines]


def _keep_code_quotes(reply: str) -> str:
    """Put what stands between backticks into quotes, unless it is a field; the dress that is taken off holds both."""
    plain = reply.replace("\\_", "_")
    return re.sub(r"(?<!`)`([^`\n]*\s[^`\n]*)`(?!`)", lambda m: m[1] if _match_label(m[1]) else f'"{m[1]}"', plain)


def _read_verdict(value: str) -> Literal["correct", "wrong", "unclear"] | None:
    """What a verdict says; None if the value is no verdict."""
    if match := _CALLED_CORRECT.fullmatch(value):
        return "unclear" if _RESTRICTION.search(_NO_ERRORS.sub(" ", match["rest"])) else "correct"
    if _NOTHING_WRONG.fullmatch(value):
        return "correct"
    if re.match(r"\W*(?:the\s+)?(?:attempt\s+is\s+|solution\s+is\s+)?(?:wrong|incorrect|not\s+correct)\b", value, re.I):
        return "wrong"
    return None


def _read_type(value: str) -> ErrorType | None:
    """The one error type that a value opens with; what follows may explain it, but not name another."""
    plain = re.sub(r"^\W*(?:an?\s+|the\s+)?", "", value.strip())
    words = re.findall(r"[A-Za-z]+|[^A-Za-z\s_-]+", plain)
    for length in (2, 1):
        opening = " ".join(words[:length])
        kind = parse_error_type(opening) or _TYPE_SYNONYMS.get(opening.lower())
        if kind is None:
            continue
        rest = " ".join(words[length:]).lower()
        joined = _TYPE_JOINED.match(rest.removeprefix("error").removeprefix("mistake").strip())
        again = {
            parse_error_type(" ".join(rest.split()[at : at + n])) for at in range(len(rest.split())) for n in (1, 2)
        }
        return None if joined and again - {None, kind} else kind
    return None


def _read_step(value: str, steps: Sequence[str], text: str) -> int | None:
    """The number of the step that a value names; None if that is not certain."""
    unquoted = drop_quotes(value)
    labels = {_to_number(number) for number in _LABEL.findall(unquoted)}
    if len(labels) > 1:
        return None
    bracketed, bare = _BRACKETED_NUMBER.match(unquoted), _BARE_NUMBER.match(unquoted)
    is_unmistakable = bool(labels or bracketed)
    if labels:
        (number,) = labels
        rest = unquoted[[*_LABEL.finditer(unquoted)][-1].end() :]
    elif bracketed:
        number, rest = _to_number(bracketed[1]), unquoted[bracketed.end() :]
    elif bare:
        number, rest = _to_number(bare["number"]), bare["rest"]
    else:
        return None
    if _ANOTHER_STEP.match(rest):
        return None
    fitting = _steps_quoted(value, rest, steps)
    if fitting is None or (fitting and number not in fitting):
        return None
    own = _steps_with_own_number(number, steps)
    if is_unmistakable or own in (set(), {number}):
        return number
    if number > len(steps):
        return None
    if not fitting:
        fitting = {_to_number(each) for each in _LABEL.findall(text)} | _steps_quoted_in(text, steps)
    return number if number in fitting and not fitting & (own - {number}) else None


def _to_number(text: str) -> int:
    if (count := parse_count(text)) is not None:
        return count
    words = _NUMBER_WORDS if text.lower() in _NUMBER_WORDS else _ORDINALS
    return words.index(text.lower()) + 1


def _steps_quoted(value: str, rest: str, steps: Sequence[str]) -> set[int] | None:
    """The numbers of the steps that the value of a label quotes; None if its quote fits no step at all."""
    quotes = [quote for quote in find_quotes(value) if len(split_words(quote)) >= 2]
    if quotes:
        before = value[: value.find(quotes[0])].lower().replace("step", "")
        fitting = {at + 1 for at in find_quoted(quotes[0], steps)}
        if fitting:
            return fitting
        is_quote_of_step = not re.search("[A-Za-z]{2}", before) and len(split_words(quotes[0])) >= MIN_QUOTE_WORDS
        return None if is_quote_of_step else set()
    # Without quotes, words that stand behind the label may still be those of a step.
    words = rest.strip(" \t\n.:;,()-\N{EN DASH}\N{EM DASH}")
    return {at + 1 for at in find_quoted(words, steps, 1.0)} if len(split_words(words)) > MIN_QUOTE_WORDS else set()


def _steps_quoted_in(text: str, steps: Sequence[str]) -> set[int]:
    """The numbers of the steps that the reasons quote, where a quote fits only one."""
    fits = (find_quoted(quote, steps) for quote in find_quotes(text) if len(split_words(quote)) >= MIN_QUOTE_WORDS)
    return {at + 1 for fit in fits if len(fit) == 1 for at in fit}


def _steps_with_own_number(number: int, steps: Sequence[str]) -> set[int]:
    """The steps, from 1, that the student's own numbering calls `number`, with the unnumbered ones that follow."""
    found, current = set[int](), None
    for at, step in enumerate(steps, 1):
        if match := _OWN_NUMBER.match(step):
            current = _to_number(match["named"] or match["listed"])
        if current == number:
            found.add(at)
    return found
