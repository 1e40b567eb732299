"""The patterns by which an answer is found in a response, each with what it matches and what it must not match."""

import re

BOX = re.compile(r"\\(?:boxed|fbox)\s*+\{")
SPACED_BOX = re.compile(r"\\((?:boxed|fbox)\s++)\{")
BARE_BOX = re.compile(r"\\boxed[ \t]++((?:[0-9][0-9.,]*+|[A-Za-z])(?![A-Za-z0-9])(?:\\?%)?)")
ANSWER_IS = re.compile(
    r"\banswer(?:\s++is\b|(?=:|\*\*:))\s*+(?::?\*\*(?=\s)|\*\*:|:)?+\s*+(?:(?:\$\$|\\\[)[ \t]*+\n\s*+)?+"
)
r"""With the end of bold type, and with a `$$` or `\[` that is alone on its line."""
OUTPUT_BLOCK = re.compile(r"^```output[ \t]*+\n(.*?)^```", re.MULTILINE | re.DOTALL)
SENTENCE_END = re.compile(r"[.?](?=\s|\Z|\*\*)|\n")
HEADING = re.compile(r"(?![ \t]*[-+$€£¥₹(\[{\\]*[0-9])[^\n]*[A-Za-z]{3}[^\n]*\n\s*\S")
"""A line of words, and more below it: in Markdown, `####` opens a heading."""
DIGIT = re.compile(r"[0-9]")
NUMERAL_REVERSED = re.compile(
    r"(?:[0-9]++[-+]?[eE](?=[0-9]))?+"
    r"(?:[0-9]++/[0-9]++ [0-9]++(?![0-9.,/])|(?:[0-9]{3} )++[0-9]{1,3}(?![0-9.,/])|[0-9.,/]*+)(?:\$\\?|[€£¥₹])?[-−]?"  # noqa: RUF001
)
LEADING_POINT = re.compile(r"(?:\A|[^\w.])\.\Z")
"""A decimal point with nothing before it: that of `.5`, but not that of `p.5`."""
PERCENT = re.compile(r"\s?\\?%|\sper\s?cent\b")
PERCENT_OF_BOX = re.compile(r"(?:\$|\\\))?(?:%|[ \t]?\\%)")
r"""Behind the brace that closes a box: of `\boxed{5}\%`, `\boxed{5}%` and `$\boxed{5}$\%`."""
PART_OF_LARGER_BEFORE = re.compile(
    r"""(?:[{^_][-+(]*+|qrt|rac)\Z  # inside of braces, and behind `^`, `_`, `\sqrt` and `\frac`
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
"""A number behind it is only a part: of a power, a ratio, a range or a sum, or with a sign that it cannot carry."""
WORD_BEFORE = re.compile(r"(?<!\\)[A-Za-z]\Z")
CURRENCY_BEFORE = re.compile(r"(?<![A-Za-z])(?:[A-Z]{3}|Rs|RM)\Z")
SUFFIX = re.compile(
    r"""(?:km|cm|mm|kg|mg|lbs?|oz|ft|mph|π)(?![\w^/*+]|\s*[-+*/\N{MULTIPLICATION SIGN}÷·])
    |(?:[ \t]|\n[ \t]*+)?(?:hundred|thousand|million|billion|trillion|lakh|crore|dozen|gross|score|squared|cubed
        |factorial|pi|bn|mn|percentage|basis|bps|ppm|ppb|pct)s?(?![A-Za-z])
    |\s[kKMB](?![\w'])
    |\s(?:and\s(?:an?|one|two|three|four|five|six|seven)[\s-])?(?:half|halves|thirds?|fourths?|quarters?|fifths?|sixths?
        |sevenths?|eighths?|ninths?|tenths?|[a-z]++(?:dred|sand|lion)ths?)(?![A-Za-z])""",
    re.VERBOSE,
)
"""What is taken with a number, for it changes it: `25π`, `5 million`, `3 and a half`."""
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
"""A number before it is only a part of what stands there."""
BRACKETED_LIST = re.compile(
    r"[(\[](?:[-+\N{MINUS SIGN}0-9./\s√π∞{}]|\\[a-z]++|(?<![A-Za-z])[A-Za-z](?![A-Za-z])|[,;])*[)\]]"
)
PART_OF_LIST_BEFORE = re.compile(r"(?:[\w^)\]}]|\N{UNION}\s*+|\\[a-z]+\s*+|[)\]],?\s++(?:(?:and|or)\s++)?)\Z")
LIST_OF_FORMULAS = re.compile(r"(?:\$|\\\))\s*+(?:,(?:\s*+(?:and|or)\b)?|(?:and|or)\b)\s*+\Z")
MINUEND_BEFORE = re.compile(r"(?:[0-9)\]}]|\b[B-HJ-Zb-z]|[0-9][a-z])\s++\Z|-\Z")
"""Before a minus, what it is taken from."""
WORD_AFTER = re.compile(r"[A-Za-z²³½%‰万萬亿億千百十兆分半倍]|-per\s?cent")
THOUSANDS = re.compile(r"[-+]?[$€£¥₹]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_ROW_ENVIRONMENTS = r"(?:align(?:ed|at)?|gather(?:ed)?|equation|split|multline|eqnarray)\*?"
FORMULA_MARK = re.compile(r"\\\\|\\\$|(\$\$?|\\[()\[\]]|\\(?:begin|end)\{" + _ROW_ENVIRONMENTS + r"\})")
TEXT_COMMAND = re.compile(r"\\(?:text|textrm|textbf|textit|mathrm|mathbf|mbox|begin|end)\s*+\{[^{}]*+\}")
PROSE = re.compile(r"(?:\A|(?<=\s))[A-Za-z]{2,}+(?![A-Za-z(^_])")
STRUCTURE = re.compile(
    r"\\\\|\\(?:begin|end)(?![A-Za-z])|\\?[({\[]|\\?[)}\]]|[<>!]=|\\not\s*+=|&?=&?(?![=>])|[,;<>≤≥≠≈]|\\[A-Za-z]++|\\."
)
JOINING_WORD = re.compile(r"\s*+\{\W*+(?:and|or|if|when|where|for|so|then|but)\b")
RELATION = re.compile(
    r"[<>≤≥≠≈]|[<>!]=|\\(?:lt|gt|[lg]e(?:q|qslant)?|neq?|not|(?:not)?in|approx|equiv|sim|cong|mid)(?![A-Za-z])"
)
"""Relations other than `=`: what they tell is told by the whole formula."""
IN_BRACES = re.compile(r"\\(?:text|textrm|mathrm|mbox)\s*+\{[^{}]*+\}|\\[A-Za-z]++|\([^()]*+\)")
SUM = re.compile(r"\S\s*+[-+]")
LETTER = re.compile(r"[A-Za-z]")
PLAIN_NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?[0-9][0-9.,]*+")
