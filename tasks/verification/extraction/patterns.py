"""The regular expressions that find an answer in a response, with examples of what they match and must not match."""

import re

BOX = re.compile(r"\\(?:boxed|fbox)\s*+\{")
SPACED_BOX = re.compile(r"\\((?:boxed|fbox)\s++)\{")
# matches all of "{", "}", r"\{", r"\boxed {", "\\\\", not of r"\boxed", r"\sqrt{", r"\left\{"
BRACE = re.compile(r"[{}]|\\(?:[{}]|(?:boxed|fbox)\s*+\{|\\(?!(?:boxed|fbox)\s*+\{))")
"""A brace, a box with its opening brace, or an escaped sign, which is neither."""
# matches the start of r"\boxed 5", r"\boxed x\%", not of r"\boxed{5}", r"\boxed ab"
BARE_BOX = re.compile(r"\\boxed[ \t]++((?:[0-9][0-9.,]*+|[A-Za-z])(?![A-Za-z0-9])(?:\\?%)?)")
# matches the start of "answer is 5", "answer: 5", "answer:** 5", not of "answers are 5", "answer island"
ANSWER_IS = re.compile(
    r"\banswer(?:\s++is\b|(?=:|\*\*:))\s*+(?::?\*\*(?=\s)|\*\*:|:)?+\s*+(?:(?:\$\$|\\\[)[ \t]*+\n\s*+)?+"
)
r"""Includes the end of bold type, and a `$$` or `\[` alone on its line."""
# matches "```output\n5\n```", not "```python\n5\n```", "```output\n5"
OUTPUT_BLOCK = re.compile(r"^```output[ \t]*+\n(.*?)^```", re.MULTILINE | re.DOTALL)
# matches "end. So", "4?", "**4.**", "四。", not "3.5", "v.1"
SENTENCE_END = re.compile(r"[.?](?=\s|\Z|\*\*)|\n|[。？]")  # noqa: RUF001
# matches the start of "final answer\n58", "**answer**\n\n66", "## final answer:\n58", not of "answer 58", "answers\n5"
ANSWER_HEADING = re.compile(r"[#*_\s]*(?:the\s)?(?:final\s|correct\s)?answer[*_:]*[ \t]*\n\s*")
# matches the start of "44", "$x$", "(B)", "D", r"\frac12", "-$5", not of "right", "less than 5", "A is 5", "Done"
STATED_VALUE = re.compile(r"[-+$€£¥(\[{*\s]*(?:[0-9]|\\[A-Za-z({\[]|[A-J](?![A-Za-z' ])|(?<=\$)[a-z]|[a-z]\s?=)")
# matches the start of "B because", "(D), since it", not of "B", "Because"
CHOICE_CLAUSE = re.compile(r"(\(?[A-J]\)?),?\s+(?:since|because|as|so|which)\b")
# matches all of "```json\n{}\n```", "```\nx\n```", not of "```x```", "a"
CODE_BLOCK = re.compile(r"```[a-z]*[ \t]*\n(.*?)\n```", re.DOTALL)
# matches all of "C", "(B)", "D.", "**A**", not of "Paris", "A:"
WHOLE_LETTERS = re.compile(r"[*$({\[ ]*[A-J][*$)}\]. ]*")
# matches all of "Paris", "no solution.", "the north", not of "It is hard to say", "No. Yes.", "x-5"
WHOLE_VALUE = re.compile(r"[^\W\d_]+(?: [^\W\d_]+){0,2}\.?")
# matches the start of " Step one\nWe add.", not of " 5 cats\nWe add.", " Step one"
HEADING = re.compile(r"(?![ \t]*[-+$€£¥₹(\[{\\]*[0-9])[^\n]*[A-Za-z]{3}[^\n]*\n\s*\S")
"""A line of words with text below it: in Markdown, `####` opens a heading."""
# matches the start of " Step 3: Add", " Part b", " Case 2.", not of " Steps", " 3"
STEP_HEADING = re.compile(r"[\s*_]*(?:step|part|case|stage|section|method|problem|question)\s+(?:[0-9]+|[a-z])\b", re.I)
# matches the start of " Answer: 4", " **Final answer**: 4", "The answer is 4", not of " answering", " answer sheet 4"
ANSWER_LABEL = re.compile(
    r"[\s*_`]*(?:the\s+)?(?:final\s+|correct\s+)?(?:answer|result|solution)[*_`]*\s*(?:[:=]|is\b[:\s]|(?=\n|\Z))[\s*_`:]*",
    re.IGNORECASE,
)
# matches all of "**12**", "`12`", "__12__", "*12*", not of "12", "**1** and **2**"
DRESS = re.compile(r"\*\*((?:(?!\*\*).)+)\*\*\.?|__((?:(?!__).)+)__|\*([^*]+)\*|`([^`]+)`")
# matches r"\text", "<", "...", not r"\sqrt", "answer"
PLACEHOLDER_DRESS = re.compile(r"\\(?:text[a-z]*|math[a-z]+|boxed|l?dots|cdots)|[\[\]<>{}()$*_`.\u2026?:\"']")
"""What may stand around a placeholder: commands, brackets, quotes and points."""
PLACEHOLDERS = frozenset(
    {
        *("", "answer", "the answer", "final answer", "the final answer", "your answer", "your final answer"),
        *("result", "the result", "final result", "number", "the number", "value", "answer here", "answer only"),
        *("insert answer here", "your answer here", "number only", "numeric answer", "numerical answer", "result here"),
        *("solution", "final answer here", "the answer here", "correct answer", "answer value", "xxx", "xx"),
    }
)
"""Words that prompts show in place of an answer. Nothing but dots, brackets and question marks is none either."""
# matches "ends", "at", not r"\sqrt", "x"
PROSE_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}(?![A-Za-z({])")
# matches all of "12 cats", "$x = 5$", "Monday", not of "So we add them and get a number."
VALUE_LINE = re.compile(r"(?=.*[0-9\\$])[^\n]{1,80}|[^\s.]+(?: [^\s.]+){0,2}\.?")
# matches "\"answer\": \"12\"", "\"final_answer\": 12", not "\"reason\": \"12\"", "answer: 12"
JSON_ANSWER = re.compile(
    r"\"(?:final[_ ]?)?(?:answer|result)\"\s*:\s*(?:\"((?:[^\"\\\n]|\\.)*)\"|(-?[0-9][0-9.eE+-]*))", re.IGNORECASE
)
# matches "**12**", "**$5**", not "**cats**"
BOLD_VALUE = re.compile(r"\*\*((?:(?!\*\*)[^\n])*[0-9](?:(?!\*\*)[^\n])*)\*\*")
# matches the start of " **C. 12**", "**(B) 5**", not of "**C**", "**Cats. 5**", "C. 12"
BOLD_CHOICE = re.compile(r"\s*\*\*(\(?[A-J][.)] [^*\n]+)\*\*")
# matches the start of "13000, which is the total", "5 because it", "72, in total, so", not of "5 and 6", "x, y"
CLAUSE = re.compile(
    r"([^\n]*?[0-9][^\n]*?)"
    r"(?:,\s+(?:which|since|because|as|so|where|in\s+total|altogether|in\s+all)|\s+(?:because|since))\b"
)
DIGIT = re.compile(r"[0-9]")
# matches all of "432,1$", "2/1 3", "7-e1", "5-", not of "x5", "2/1 "
NUMERAL_REVERSED = re.compile(
    r"(?:[0-9]++[-+]?[eE](?=[0-9]))?+"
    r"(?:[0-9]++/[0-9]++ [0-9]++(?![0-9.,/])|(?:[0-9]{3} )++[0-9]{1,3}(?![0-9.,/])|[0-9.,/]*+)(?:\$\\?|[€£¥₹])?[-−]?"  # noqa: RUF001
)
LEADING_POINT = re.compile(r"(?:\A|[^\w.])\.\Z")
"""A decimal point with no digit or letter before it: that of `.5`, but not that of `p.5`."""
PERCENT = re.compile(r"\s?\\?%|\sper\s?cent\b")
# matches the start of "%", r" \%", r"$\%", not of " %", "percent"
PERCENT_OF_BOX = re.compile(r"(?:\$|\\\))?(?:%|[ \t]?\\%)")
r"""A percent sign after the closing brace of a box: `\boxed{5}\%`, `\boxed{5}%` and `$\boxed{5}$\%`."""
# matches "10^", r"\sqrt{", "3:", "x-", "f(", not "it is "
# matches r"\log ", "2\u2013", "a - ", "x + ", "2 * ", "3 x ", not r"\implies ", "- ", "the * "
# matches "≤ ", "!= ", "minus ", "half of ", not "= "
# matches "3, ", "3 and ", "3 out of the ", not "so, ", "cats and ", "one of the "
PART_OF_LARGER_BEFORE = re.compile(
    r"""(?:[{^_][-+(]*+|qrt|rac)\Z  # inside of braces, and after `^`, `_`, `\sqrt` and `\frac`
    |[0-9](?::|\ :\ |['\u2019\u00a0\u2009\u202f])\Z|\}[ \t]*+\Z  # a ratio, the thousands of a number, a command
    |(?:[0-9)\]}]|(?<![A-Za-z]{2})[A-Za-z])[-\N{MINUS SIGN}]\Z|(?<!\\)(?<!\\[nt])\w\(\Z
    |\\(?!approx|Rightarrow|implies|therefore|quad|qquad|item|newline|displaystyle|n\Z|t\Z)[A-Za-z]++\s*+\Z|\\[!,;:]\s*+\Z
    |[\N{EN DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\uff0d\ufe63]\Z
    |[^A-Za-z)]\N{EM DASH}\Z|[^\s][ \t]+[-\N{MINUS SIGN}\N{EN DASH}][ \t]+\Z
    |[A-Za-z0-9)\]}]\s*+[+/\N{MULTIPLICATION SIGN}÷·⋅]\s*+\Z|(?:[0-9)]|\b[A-Za-z])\s*+\*\s*+\Z|[0-9)]\s*+[xX]\s*+\Z
    |[<≤≥≠±√∛\N{UNION}]\s*+\Z|[<>!]=\s*+\Z|[\w)\]]\s>\s*+\Z
    |\b(?:minus|negative|plus|times|twice|double|triple|root|sqrt|mod|modulo|choose
        |(?:half|root|square|cube|factorial)\ of)\s++\Z
    |[0-9)\]}],\s*+\Z|[0-9]\s++(?:and|or)\s++\Z  # several
    |[0-9]\\?%?\s++(?:to|over|divided\s+by|(?:out\s+)?of(?:\s+the)?)\s++\Z""",
    re.VERBOSE,
)
"""Text after which a number is only a part of a power, ratio, range or sum, or has a sign that changes it."""
WORD_BEFORE = re.compile(r"(?<!\\)[A-Za-z]\Z")
# matches "USD", "pay Rs", not "COVID", "Mrs"
CURRENCY_BEFORE = re.compile(r"(?<![A-Za-z])(?:[A-Z]{3}|Rs|RM)\Z")
# matches the start of "km", " million", " K", " and a half", "π", not of " cats", "km/h", " and"
SUFFIX = re.compile(
    r"""(?:km|cm|mm|kg|mg|lbs?|oz|ft|mph|π)(?![\w^/*+]|\s*[-+*/\N{MULTIPLICATION SIGN}÷·])
    |(?:[ \t]|\n[ \t]*+)?(?:hundred|thousand|million|billion|trillion|lakh|crore|dozen|gross|score|squared|cubed
        |factorial|pi|bn|mn|percentage|basis|bps|ppm|ppb|pct)s?(?![A-Za-z])
    |\s[kKMB](?![\w'])
    |\s(?:and\s(?:an?|one|two|three|four|five|six|seven)[\s-])?(?:half|halves|thirds?|fourths?|quarters?|fifths?|sixths?
        |sevenths?|eighths?|ninths?|tenths?|[a-z]++(?:dred|sand|lion)ths?)(?![A-Za-z])""",
    re.VERBOSE,
)
"""Text that is extracted with a number because it changes its value: `25π`, `5 million`, `3 and a half`."""
# matches the start of "^2", "!", ":30", "x", "}", not of " cats", ". So"
# matches the start of r"\pi", r" \times 2", "_2", "*x", "/x", "(x", "-x", not of "\\", "-year", ", 4"
# matches the start of " - x", " * y", "$x$", " over 3", " plus 3", not of " - a cat", " overall"
PART_OF_LARGER_AFTER = re.compile(
    r"""[})]?\^|!|:[0-9]|\s:\s[0-9a-z]\b|[万萬亿億千百十兆分半倍%\uff05‰]|(?![\u2e80-\uffff])[^\W_]|\}
    |\\[A-Za-z!,;:{(]|[ \t]++\\[A-Za-z]|[ \t]*+[\N{MULTIPLICATION SIGN}÷·⋅√∛\N{UNION}]|,\s*+[-+]?(?:\\|∞)
    |_\{?[A-Za-z0-9]|\*[A-Za-z(]|/(?:[A-Za-z](?![A-Za-z])|[(\\])
    |\([A-Za-z0-9]|[-\N{MINUS SIGN}+](?:[b-zB-Z](?![A-Za-z'])|[(\\])|-per\s?cent|[ \t]++[*+/][ \t]++[A-Za-z(\\]
    |[ \t]++[-\N{MINUS SIGN}][ \t]*+(?:[b-zB-HJ-Z](?![A-Za-z'])|[(\\])
    |\$[A-Za-z\\][^$\n]{0,200}\$
    |\s(?:over|to\sthe|divided\sby|multiplied\sby|plus|minus|root|sqrt|choose|mod)\b""",
    re.VERBOSE,
)
"""Text before which a number is only a part of something larger."""
# matches all of "(1, 2)", r"[0, \infty)", "(x; 2)", not of "(see 2)", "(1, cats)"
BRACKETED_LIST = re.compile(
    r"[(\[](?:[-+\N{MINUS SIGN}0-9./\s√π∞{}]|\\[a-z]++|(?<![A-Za-z])[A-Za-z](?![A-Za-z])|[,;])*[)\]]"
)
# matches "f", "(1, 2), and ", r"\cup ", not "the pair ", "is, "
PART_OF_LIST_BEFORE = re.compile(r"(?:[\w^)\]}]|\N{UNION}\s*+|\\[a-z]+\s*+|[)\]],?\s++(?:(?:and|or)\s++)?)\Z")
# matches "$3$ and ", "$3$, ", not "3 and ", "$3$ or more "
LIST_OF_FORMULAS = re.compile(r"(?:\$|\\\))\s*+(?:,(?:\s*+(?:and|or)\b)?|(?:and|or)\b)\s*+\Z")
# matches "5 ", "x ", "-", not "a ", "is "
MINUEND_BEFORE = re.compile(r"(?:[0-9)\]}]|\b[B-HJ-Zb-z]|[0-9][a-z])\s++\Z|-\Z")
"""Text before a minus sign from which the number is subtracted."""
# matches the start of "th", "%", "-percent", not of " th", "-year"
WORD_AFTER = re.compile(r"[A-Za-z²³½%‰万萬亿億千百十兆分半倍]|-per\s?cent")
# matches all of "1,234", "$12,345.6", not of "1,23", "1234"
THOUSANDS = re.compile(r"[-+]?[$€£¥₹]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_ROW_ENVIRONMENTS = r"(?:align(?:ed|at)?|gather(?:ed)?|equation|split|multline|eqnarray)\*?"
# matches all of "$$", r"\(", r"\begin{align*}", not of r"\begin{matrix}", "(", r"\sqrt"
FORMULA_MARK = re.compile(r"\\\\|\\\$|(\$\$?|\\[()\[\]]|\\(?:begin|end)\{" + _ROW_ENVIRONMENTS + r"\})")
# matches r"\text{ cats}", r"\begin{cases}", not r"\sqrt{2}", r"\text{a {b}}"
TEXT_COMMAND = re.compile(r"\\(?:text|textrm|textbf|textit|mathrm|mathbf|mbox|begin|end)\s*+\{[^{}]*+\}")
# matches "3 and 4", not "x = 4", "sin(x)", "x_ab"
PROSE = re.compile(r"(?:\A|(?<=\s))[A-Za-z]{2,}+(?![A-Za-z(^_])")
# matches all of "\\\\", r"\left", "&=", ",", r"\frac", not of "=>", "x"
STRUCTURE = re.compile(
    r"\\\\|\\(?:begin|end)(?![A-Za-z])|\\?[({\[]|\\?[)}\]]|[<>!]=|\\not\s*+=|&?=&?(?![=>])|[,;<>≤≥≠≈]|\\[A-Za-z]++|\\."
)
# matches the start of "{ and }", " {, if", not of "{cats}", "and"
JOINING_WORD = re.compile(r"\s*+\{\W*+(?:and|or|if|when|where|for|so|then|but)\b")
# matches "x < 3", r"x \leq 3", r"x \not= 3", not "x = 3", r"\left(", r"\include"
RELATION = re.compile(
    r"[<>≤≥≠≈]|[<>!]=|\\(?:lt|gt|[lg]e(?:q|qslant)?|neq?|not|(?:not)?in|approx|equiv|sim|cong|mid)(?![A-Za-z])"
)
"""Relations other than `=`. A formula that has one is the answer as a whole, not one of its sides."""
# matches r"\text{cats}", r"\sin", "(x + 1)", not "[x + 1]", "{x}"
IN_BRACES = re.compile(r"\\(?:text|textrm|mathrm|mbox)\s*+\{[^{}]*+\}|\\[A-Za-z]++|\([^()]*+\)")
# matches "x + 2y", "y^2", "2x", not "x", "ABC", "x_1", "S_{12}"
OPERATION = re.compile(r"\S\s*+[-+*/]|\^|(?<![A-Za-z_{0-9])[0-9]+\s*[A-Za-z]|\|")
"""What makes more than a name of the side of an equation."""
LETTER = re.compile(r"[A-Za-z]")
# matches all of "-1,234.5", "\u22125", not of "x", "5x", "- 5"
PLAIN_NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?[0-9][0-9.,]*+")
