"""Finds what a question asks for: a letter or formula, several named values, or one of the options of a choice."""

import re
from itertools import takewhile

# matches "Find $x$", "What is the value of $a+b$", "solve for $t$", not "Find the number of $x$"
_FORMULA_ASKED = re.compile(
    r"\b(?:find|what\s+is|what's|compute|determine|evaluate|calculate|solve\s+for|求)\s*"
    r"(?:the\s+)?(?:(?:exact|numerical|positive|real|largest|smallest|possible|maximum|minimum|integer)\s+)*"
    r"(?:(?:values?|length|measure|magnitude|size)\s+of\s+)?(?:the\s+)?(?:expression\s+)?(?:\$([^$]{1,80})\$|\\\((.{1,80}?)\\\))",
    re.IGNORECASE,
)
# matches "Find x.", "solve for t", "equation for y,", "value of n", not "Find a way", "for x apples", "find X-rays"
_LETTER_ASKED = re.compile(
    r"\b(?:find|what\s+is|solve\s+for|for|values?\s+of|求)\s+([a-zA-Z])"
    r"(?=\s*(?:[.?!,;:。]|\Z|\s(?:if|such|when|given|where|in)\b))",
    re.IGNORECASE,
)
_LETTER = r"\$?\\?\(?[A-Za-z]\\?\)?\$?"
# matches "values of p and q", "Find $a$, $b$ and $c$", "what are x and y", not "find a and then", "values of x"
_SEVERAL_LETTERS = re.compile(
    rf"\b(?:values?\s+of|as|find|what\s+(?:is|are)|determine|compute|give)\s+{_LETTER}(?:,\s*{_LETTER})*(?:,?\s+and\s+|,\s*)"
    rf"{_LETTER}"
    r"(?=[\s.?!,;:]|\Z)(?!\s+(?:then|find))",
    re.IGNORECASE,
)
# matches "What are the length and the width of", "find the quotient and remainder", not "find the red and blue balls"
_SEVERAL_NOUNS = re.compile(
    r"\b(?:wh(?:at|o|ich)\s+(?:is|are)|find|give|determine|compute|state|write)\s+the\s+(?:[a-z]+,\s+(?:the\s+)?)*[a-z]+,?\s+and\s+"
    r"(?:the\s+)?[a-z]+(?=\s+(?:of|when|if|in|for|between)\b|[?.,]|\Z)",
    re.IGNORECASE,
)
# matches "How old are Tom and Ann?", "How many quarters and how many dimes does", "ages of the father and the son"
# matches "the x-intercept and the y-intercept", "the smallest and largest values", "does each boy have", "the sequence"
# matches "How much did Ben and Carl pay", "the number of cows and the number of hens", "radius, height and volume"
# matches "AB and of BC", not "Find all values of x", "the roots of the equation", "How many apples are left"
_SEVERAL_QUANTITIES = re.compile(
    r"""\bhow\s+(?:many|much|old|far|long|tall|heavy|fast)\b[^.?!]{0,60}?\b[a-z]+,?\s+and\s+(?:how\s+(?:many|much)\s+)?[a-z]+\b
    |\b[a-z]-\s+and\s+[a-z]-
    |\b(?:ages?|prices?|costs?|lengths?|weights?|heights?|speeds?|numbers?|amounts?|scores?|measures?|probabilit(?:y|ies)|areas?
       |volumes?|perimeters?|populations?|means?|lengths?)\s+(?:of|for)\s+(?:the\s+|an?\s+|each\s+)?(?:[a-z]+\s+){1,3}?and\s+
       (?!(?:then|find|is|are|it|he|she)\b)(?:of\s+)?(?:the\s+|an?\s+)?[a-z]+
    |\bthe\s+(?:[a-z]+(?:-[a-z]+)?,?\s+){1,2}and\s+(?:the\s+)?[a-z]+(?:-[a-z]+)?(?:\s+(?:values?|numbers?|of)\b|\s*[.?!,]|\s*\Z)
    |\beach\s+(?:of\s+(?:them|these|the)|person|boy|girl|child|friend|one|[a-z]+)\b[^.?!]*\?
    |\b(?:the|following|next)\s+(?:sequence|progression|pattern)\b
    |\b[A-Z]{2}\s+and\s+(?:of\s+)?[A-Z]{2}\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words that ask for several quantities, each of which has its place in a list."""
_SEVERAL_WORDS = (" and ", "each ", "sequence", "progression", "pattern")
"""Words of which one is in every match of the pattern above."""
# matches "(A) 19", "B. 17\n", r"\textbf{(C) } 5 \qquad", "(a) 5", not "A point", "f(x)"
_OPTION = re.compile(
    r"(?:\\(?:text|mathrm)(?:bf|rm)?\s*\{)?"
    r"(?:\(([A-Ja-j])\)|(?<![A-Za-z$])([A-J])[.):\uff0e\uff1a](?=[ \t$\\\w])|(?<=\n)([a-j])[.)](?=[ \t]))"
)
_FIRST_OPTION = ("A)", "A.", "A:", "A\uff0e", "A\uff1a", "(a)", "\na.", "\na)")
"""The first option in the forms of `_OPTION`: looking for it is many times as fast."""
# matches r"\quad", r"\\", "  ", "~", not "x", r"\text"
_LAYOUT = re.compile(r"\\q?quad|\\\\|\\hspace\{[^}]*\}|\\[,;:! ]|[ \t\n]+|~")
_OPTION_END = re.compile(r"\s(?:or|and)\Z")
MAX_OPTION_CHARACTERS = 200
"""Longest text of an option."""
# matches "In terms of", "which expression", "formula for", not "express in meters"
_EXPRESSION_ASKED = re.compile(
    r"\bin\s+terms\s+of\b|\bexpression\b|\bformula\b|\bfactor(?:ed|ize|ise)?\b", re.IGNORECASE
)
# matches "$A$", r"\(x\)", not "$AB$", "A"
_FORMULA_LETTER = re.compile(r"\$([A-Za-z])\$|\\\(([A-Za-z])\\\)")


def find_target(question: str) -> str:
    """The letter or formula that the question asks for, as it is written there; empty if there is none.

    It means nothing where the question names several values, see `names_several`.
    """
    targets = [(match.start(), match[1] or match[2]) for match in _FORMULA_ASKED.finditer(question)]
    targets += [(match.start(), match[1]) for match in _LETTER_ASKED.finditer(question)]
    return max(targets)[1].strip() if targets else ""


def names_several(question: str) -> bool:
    """Whether the question asks for several values that it names, so that each has its place in a list."""
    return bool(_SEVERAL_LETTERS.search(question) or _SEVERAL_NOUNS.search(question))


def may_name_several(question: str) -> bool:
    """Whether the question may ask for several quantities; words of many other questions look like that too."""
    lowered = question.casefold()
    return any(word in lowered for word in _SEVERAL_WORDS) and _SEVERAL_QUANTITIES.search(question) is not None


def asks_expression(question: str) -> bool:
    """Whether an expression in letters is asked for, so that `AB` is a product."""
    return _EXPRESSION_ASKED.search(question) is not None


def find_letters(question: str) -> frozenset[str]:
    """The single letters that stand as formulas in the question."""
    return frozenset(match[1] or match[2] for match in _FORMULA_LETTER.finditer(question))


def find_options(question: str) -> tuple[tuple[str, str], ...]:
    """The options of a choice as pairs of letter and text, in order from A; empty if there are fewer than two."""
    if not any(map(question.__contains__, _FIRST_OPTION)):
        return ()
    marks = [
        (match.start(), match.end(), (match[1] or match[2] or match[3]).upper()) for match in _OPTION.finditer(question)
    ]
    first = max((at for at, mark in enumerate(marks) if mark[2] == "A"), default=len(marks))
    run = [mark for at, mark in takewhile(lambda item: item[1][2] == chr(ord("A") + item[0]), enumerate(marks[first:]))]
    if len(run) < 2:
        return ()
    ends = [mark[0] for mark in run[1:]] + [len(question)]
    return tuple((mark[2], _clean_option(question[mark[1] : end])) for mark, end in zip(run, ends, strict=True))


def _clean_option(text: str) -> str:
    """The text of an option without layout; its last line may be followed by other text."""
    text = text.strip().lstrip("}").strip()
    text = _LAYOUT.sub(" ", text.split("\n")[0][:MAX_OPTION_CHARACTERS]).strip()
    if text.count("$") % 2:  # the formula ends behind the last option
        text = text.partition("$")[0].strip()
    return _OPTION_END.sub("", text.rstrip(".;,? ")).rstrip(".;, ")
