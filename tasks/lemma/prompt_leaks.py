"""Finds what must not stay in a training text that a teacher wrote: prompt labels, and talk about the task."""

import re

# matches "<|user|>", "**Correction:** 3", "## Step", "```", not "The correct step is 3.", "x < y"
# matches "Reference area: 84", "Correct value: 3", "Expected answer: 3", not "Area: 84", "The reference area: 84"
_PROMPT_LABELS = re.compile(
    r"<\|?/?[a-z_]+\|?>|\[/?(?:question|attempt|reference|reflection|correction|solution|inst)\]|^#{1,3} "
    r"|^[\s*_#>-]*(?:reflection|correct(?:ion|ed [a-z]+)|continuation|attempt|reference|question|step|type|verdict"
    r"|trajectory)[\s*_]*:"
    r"|^[\s*_#>-]*(?:reference|correct|expected|official|gold|true|target|given)(?: [a-z]+){1,3}[\s*_]*:"
    r"|```|\{\s*\"|\bas an ai\b|\blanguage model\b",
    re.IGNORECASE | re.MULTILINE,
)
# matches "the student forgot", "the previous attempt", not "my previous attempt", "a student forgot"
# matches "in the attempt", "compared with the reference", "by reference", not "my attempt", "a reference angle"
_TASK_TALK = re.compile(
    r"\b(?:the (?:student|teacher|prompt|reference|attempt)"
    r"|(?<!frame of )(?<!with )(?<!in )references?(?! (?:angles?|points?|frames?|triangles?|lines?|numbers?|to)\b)"
    r"|(?<!my )(?:previous|given|provided|above|earlier|your|original)"
    r" (?:attempt|trajectory|reference|solution(?! [a-z] *[=<>]))"
    r"|(?:official|expected|model|target) (?:answer|solution)|ground truth|answer key|gold answer"
    r"|(?:looking at|according to|compar(?:ed|ing) (?:it )?(?:with|to)) the (?:right |correct )?(?:solution|answer|key)"
    r"|this (?:attempt|continuation|trajectory)|(?:in|as) the (?:hint|key)"
    r"|(?:solution|answer|hint|reference) (?:that )?(?:I|we) (?:was|were|am|are|have been) given|according to the hint"
    r"|as instructed|the error type|smooth(?:ed|er) version|smoothed|revised version|rewritten (?:version|solution)"
    r"|corrected (?:continuation|version|solution)|here is the|the instructions?)\b",
    re.IGNORECASE,
)
# matches "a wrong step", not "the wrong way", "a terror"
_ERROR_WORDS = re.compile(
    r"\b(?:mistakes?|errors?|incorrect|erroneous|wrong (?:step|solution|answer))\b", re.IGNORECASE
)


# matches "the correct answer is 4", "the right answer should be", not "the answer is 4", "is that the right answer"
_KNOWN_ANSWER = re.compile(
    r"\b(?:correct|right|true|actual|expected|real) (?:final )?(?:answer|result) (?:is|was|should|must|would|has to)\b",
    re.IGNORECASE,
)


def knows_answer(reflection: str) -> bool:
    """Whether a reflection speaks of the right answer, which a student does not know before it is worked out."""
    return bool(_KNOWN_ANSWER.search(reflection))


def leaks_prompt(text: str, *problem_texts: str) -> bool:
    """Whether a text contains prompt labels, or talk about the task that does not occur in `problem_texts`."""
    return bool(_PROMPT_LABELS.search(text)) or _matches_beyond(_TASK_TALK, text, problem_texts)


def admits_error(text: str, *problem_texts: str) -> bool:
    """Whether an injected solution says that it is wrong, in words that do not occur in `problem_texts`."""
    return _matches_beyond(_ERROR_WORDS, text, problem_texts)


def _matches_beyond(pattern: re.Pattern[str], text: str, problem_texts: tuple[str, ...]) -> bool:
    known_text = "\n".join(problem_texts).lower()
    return any(match.group().lower() not in known_text for match in pattern.finditer(text))
