"""Says why a text is no question that may be used: it holds a label, a solution, a second question, or asks nothing."""

import re
from typing import NamedTuple

from tasks.questions.question_labels import split_sections


class Fault(NamedTuple):
    """Why a reply holds no question that may be used."""

    reason: str
    """A few words that can be counted, e.g. `solution` or `several questions`."""


TAG_NAMES = r"(?:(?:final|improved|rewritten|revised|harder|new)[_ -])?(?:question|problem)"
"""Names of the tags that a question may stand between, as a pattern."""
# matches "How many are there", not "Combien de moutons"
_ENGLISH = re.compile(
    r"\b(?:the|of|is|are|and|what|how|many|for|this|with|to|in|if|has|have|her|his|my|you|it|was|would|which|that)\b",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W\d_]{2}")
_TASK_VERBS = (
    r"find|determine|compute|calculate|evaluate|solve|simplify|prove|show that|show why|how many|how much|what"
    r"|which|who"
    r"|when|where|why|express|write|give|list|factor|expand|estimate|round|convert|sketch|graph|state|name|identify"
    r"|complete|fill in|choose|select|order|arrange|rationalize|enter|explain|verify|derive|draw|describe|decide"
    r"|rewrite"
    r"|multiply|divide|add|sum|subtract|reduce|let f|prove or disprove|construct|justify|integrate|differentiate"
    r"|minimize"
    r"|maximize|classify|compare|plot|count|suppose|work out|say|tell|figure out|predict|check"
)
# matches "How many are there?", "Find x.", "If x = 2, what is 3x", not "Tom has 3 apples.", "He goes to find it."
REQUEST = re.compile(
    rf"[?\uff1f\u061f]|(?:^|[.!:;,)\]}}$]\s*|\n\s*|\b(?:then|and|or|please|also|now|must|should) )(?:{_TASK_VERBS})\b",
    re.IGNORECASE,
)
"""What asks for something: a question mark, or the verb of a task where an English sentence or clause begins."""
_WH_WORDS = "how many|how much|what|which|who|when|where|why"
# matches "3 cats", r"$x$", "twice as old", "the area", not "What is the best job?", "How many are there?"
_GIVEN_QUANTITY = re.compile(
    r"[0-9$=+]|\\[a-z]|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty"
    r"|fifty"
    r"|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|half|halves|thirds?|quarters?|twice|thrice|doubled?"
    r"|doubles|dozens?|percent|sums?|products?|areas?|perimeters?|volumes?|angles?|triangles?|circles?|squares?|primes?"
    r"|digits?|integers?|even|odd|probability|average|mean|median|ratios?|fractions?|equations?|functions?|polynomials?"
    r"|factors?|divisors?|multiples?|remainders?|degrees?|lines?|likely|longest|shortest"
    r"|greatest|least|letters?|words?|arrange(?:d|ments?)|base|coins?|dice|die|figure|shown|one|some|several"
    r"|each|every|once|same|distinct"
    r"|different|edges?|diagonals?|\w+gon(?:al)?s?|days?|total)\b",
    re.IGNORECASE,
)
_SUBJECT = (
    r"(?:the|this|your) (?:(?:given|original|above|current|provided|revised|improved|rewritten|new|final|initial) )?"
    r"(?:question|problem)"
)


def _compile_tag(names: str) -> re.Pattern[str]:
    """A pattern of tags that are not only spoken of, between quotes or backticks."""
    tag = rf"</?(?:{names})>"
    return re.compile(rf"(?<![`'\"\u2018\u201c]){tag}|{tag}(?![`'\"\u2019\u201d])", re.IGNORECASE)


# matches "<think>x", "</think>", not "think", "a `<think>` on the screen"
_THOUGHT_TAG = _compile_tag("think|thinking|thought|reasoning")
# matches "x <answer>", "</solution>", not "a < b"
_OTHER_TAG = _compile_tag(f"{TAG_NAMES}|answer|solution|hint|final_answer")
# matches r"\boxed{12}", "x\n#### 12", not r"\boxed{\phantom{12}}", r"\boxed{}"
_MARKED_ANSWER = re.compile(
    r"\\f?boxed\s*\{(?!\s*(?:\}|\\phantom|\\hphantom|\\text\{\s*\}|\\[ ,;]|\?))|^\s*#{4}\s", re.MULTILINE
)
# matches "How many? Answer: 9", "(Answer: 9)", "The answer is 9.", not "Answer in simplest form.", "Answer choices:"
_SOLUTION_LABEL = re.compile(
    r"(?:^|[\n.?!(\[$*])[\s*_(\[]*(?:the |my |so,? the |therefore,? the |thus,? the |hence,? the )?"
    r"(?:(?:final|correct|right|expected) )?(?:answer|ans|solution)[*_]*(?:\s*[:=]|\s+(?:is|would be"
    r"|equals)\b(?! (?:a|an|the|to be|an? \w+) )(?!\s*(?:an? )?\w*\s*(?:\?|if|when|where|of the form|in the form"
    r"|expressed)))",
    re.IGNORECASE,
)
# matches "x\nStep 1: add", "Step 2. Multiply", not "in step 1 he adds"
_STEP_LABEL = re.compile(r"^[\s*_#>-]*step [0-9]+[*_]*\s*[:.)\u2013-]", re.MULTILINE | re.IGNORECASE)
# matches "Hint: draw it", "(Hint: draw)", not "a hint of salt"
_HINT_LABEL = re.compile(r"\bhints?[*_]*\s*[:\u2013\u2014]", re.IGNORECASE)
# matches "x\n---\ny", not "a - b"
_MARKDOWN = re.compile(r"^\s*(?:-{3,}|\*{3,}|_{3,}|={3,})\s*$|^\s*#{1,6}\s+\S|^\s*(?:`{3,}|~{3,})", re.MULTILINE)
# matches "**Context:** a farm", "**Given**: x", not "**many** apples"
_BOLD_LABEL = re.compile(r"\*\*[^*\n]{1,40}:\*\*|\*\*[^*\n]{1,40}\*\*:")
# matches "Bonus: how many?", "x\nAnother version: y", not "a bonus of $5"
_SECOND_QUESTION = re.compile(
    r"^or[ \t]*:?[ \t]*$|^[\s*_#>]*(?:bonus|extension|follow[- ]?up|alternatively|another (?:one|problem|question"
    r"|version|option)"
    r"|(?:problem|question|version|option) [0-9]+|or,? (?:if you|for a|a))\b[^\n:.]{0,40}[:.,]",
    re.MULTILINE | re.IGNORECASE,
)
# matches "B) 630 (correct)", "B) 630 \u2713", not "is it correct"
_MARKED_OPTION = re.compile(r"\((?:the )?(?:correct|right)(?: answer)?\)|[\u2713\u2714\u2705]", re.IGNORECASE)
# matches "Find x.\n126", "Find x. x = 126", not "Find x if y = 126."
_RESULT_AT_END = re.compile(
    r"(?:[.:?]\s+|\n)(?:\$*|\\\[\s*)(?:[a-zA-Z]\s*=\s*)?-?[0-9][0-9.,]*\s*(?:\$*|\\\])(?: \w{1,12})?\.?\Z"
)
# matches "How many? (one correct answer: 630)", "x? (I changed the rate.)", not "x? (Round your answer to cents.)"
_REMARK_IN_BRACKETS = re.compile(
    r"[(\[*_]+(?:i (?:have |[\u2019']ve )?[a-z]+ed\b|i (?:chose|made|kept)\b|(?:this|the"
    r"|that) [^)\]\n]{0,40}\b(?:ensures|makes|requires|keeps|gives"
    r"|version|question|problem)\b|[^)\]\n?]{0,40}\banswers?\s*[:=]|(?:difficulty|topic|grade|level|source|subject"
    r"|final answer|word count)\b)"
    r"|\([^()\n]*\b(?:answer key|solutions?|hint|spoiler|(?<!this )(?:problem|question))\b[^()\n]*\)\Z",
    re.IGNORECASE,
)
# matches "Let's consider this: x", "Hmm, let me think. x", "Here are the facts", not "First class tickets cost $5."
_CHATTER = re.compile(
    r"\A[\W_]*(?:let[\u2019']s|let me|how about|hmm|wait\b|ok(?:ay)?[,.!:]|alright|sure[,.!:]|certainly|of course"
    r"|absolutely"
    r"|great[,.!:]|thank (?:you|god)|thanks|well,|so,|first,|we (?:need|can|should|must)\b|the user|i need to"
    r"|i(?:[\u2019']ll| will)\b"
    r"|i want to (?:make|write|create)|to make (?:this|the|it)|(?:your|this) (?:question|problem)\b"
    r"|here(?:[\u2019']s| is| are)\b|now,)",
    re.IGNORECASE,
)
# matches "Consider the following problem: x", "Your question, improved: x", not "Zoe counts the problems: 4 and 5"
_ANNOUNCEMENT = re.compile(
    r"\A[^.?!\n]{0,80}\b(?:following|this|the|new|harder|improved|final|your|an?|another|maths?|word"
    r"|one) (?:[\w-]+ ){0,2}"
    r"(?:question|problem|version|puzzle|exercise|rewrite|revision)\b[^.?!\n]{0,60}:",
    re.IGNORECASE,
)
# matches "Pregunta: x", "After: x", not "Solve: x", "Note: x", "Tom has 3 bags: one red"
_FIRST_LABEL = re.compile(
    rf"\A[\W_]*(?!note|given|data|consider|let|suppose|the|in|for|{_TASK_VERBS})[^\W\d_][\w-]*(?: (?!has|is|are"
    rf"|says?)[\w-]+)?\s*[:\uff1a](?![0-9])",
    re.IGNORECASE,
)
# matches "The Busy Ferry\nA", "Ferry fun!\n\nA", not "Given that\nx", "Let f be\nx"
_TITLE_LINE = re.compile(
    r"\A(?:[^\w\n]*(?:[A-Z][\w\u2019'-]*|of|the|a|an|and|in|at|for|to|with|on)(?: (?:[A-Z][\w\u2019'-]*|of|the|a|an"
    r"|and|in|at|for|to|with|on)){1,7}"
    r"[^\w\n$\\{(\[.]*\n|[^\n.?$\\]{1,40}![^\w\n]*\n)",
)
# matches "<p>x</p>", "(How many?)", "\U0001f6a2 x", "1. How many?", "\\text{How many?}", not "(a) 5"
_MARK_UP = re.compile(
    r"</?(?:p|b|i|br|div|span|strong|em|h[0-9]|ul|li|ol)\b[^>\n]*>|\A[(\[](?![A-Za-z0-9][)\]])[^()\[\]]*[)\]]\Z"
    r"|\A\s*(?:[-*\u2022]|[0-9]{1,2}[.)])\s"
    r"|\A\\(?:text|\[\s*\\text)|[\U0001f300-\U0001faff]|^\W*(?:user|human|assistant|system)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
# matches "Invent one mathematics word problem.", "Reply with the problem only", not "He invents a story."
_ECHO = re.compile(
    r"\binvent (?:one|a|an)\b[^\n.]{0,40}\bproblem|\breply with the\b|\bno title, no (?:solution|hint)"
    r"|\bmake (?:the|this) question (?:harder|clear)|\b(?:improve|rewrite) (?:the|this) (?:question|problem)\b"
    r"|\bwrite (?:one|an?) (?:\w+ )?(?:math\w* )?(?:word )?problem\b",
    re.IGNORECASE,
)
# matches "I'm sorry, but I", "Could you provide the question?", "How can I assist you today?", not "I can run 3 km."
_REFUSAL = re.compile(
    r"\A(?:i(?:[\u2019']m| am) (?:sorry|ready|unable|not able|not sure|happy|glad|here to|an? (?:ai|language"
    r"|assistant))"
    r"|sorry|unfortunately|apolog|as an? (?:ai|language)|i (?:cannot|can[\u2019']t|could not|couldn[\u2019']t"
    r"|don[\u2019']t (?:have|know|see"
    r"|understand)|won[\u2019']t|would need|need (?:more|the|you)|can (?:do that|help|certainly|assist))"
    r"|i[\u2019'](?:d|ll) (?:be|need|help)"
    r"|(?:could|can) you (?:please )?(?:provide|tell me|clarify|share|give me|specify)|please (?:provide|share"
    r"|specify|tell|clarify|send)"
    r"|(?:what|which) (?:topic|grade|kind of (?:problem|question)|type of (?:problem|question)|subject)"
    r"|how (?:can|may) i)|\b(?:assist|help) you (?:today|with)\b|\bprovide (?:me )?(?:with )?(?:more"
    r"|the) (?:details|information|question|problem)"
    r"|\bwhat would you like\b|\bi(?:[\u2019']m| am) looking for\b|\bhelp me with (?:this|that)\b|\b(?:which"
    r"|what) (?:grade|difficulty) level\b",
    re.IGNORECASE,
)
# matches "No changes are needed.", "The question is clear.", not "In this problem, x is real.", "What is the problem?"
_COMMENT = re.compile(
    r"\bno (?:\w+ )?(?:changes?|modifications?|rewriting|rewrite|improvements?|repairs?) (?:is |are |was "
    r"|were )?(?:needed|necessary|required|made)"
    rf"|(?:^|[\n.!?]\s*|\bsince |\bbecause |\bso )(?:{_SUBJECT}) (?:is|was|can|cannot|could|does|has|had|lacks?"
    rf"|asks?|requires?|seems?|appears?|states?|works?"
    r"|needs?|contains?|gives?|now|already|as|should|would|tests?|involves?|cannot|doesn[\u2019']t|isn[\u2019']t"
    r"|can[\u2019']t|did)\b"
    r"|\bas it stands\b|\b(?:un)?solvable\b|\b(?:original|improved|rewritten|revised) (?:question|problem)\b"
    r"|\bword problems?\b|(?:^|\n)\W*the (?:statement|question|problem|task) is\s*:|\bmissing information\b|\b(?:i"
    r"|we) (?:need to|should|will|can) (?:fix|repair|rewrite"
    r"|improve|make the|choose)",
    re.IGNORECASE,
)
# matches "Below you will find the problem.", "As asked, a puzzle", not "The problems are worth 5 points."
_ABOUT_QUESTION = re.compile(r"\b(?:problem|question|puzzle|version|re-?write|exercise)\b", re.IGNORECASE)
# matches "18 * 7 = 126. A ferry", "x\n18 * 7 * 5 = 630\n", not "If $3 + 4 = 7$", "x + 3 = 7"
_PLAIN_CALCULATION = re.compile(
    r"(?:^|[.!?:\n]\s*)[0-9][0-9., ]*[-+*/x\u00d7\u00f7][^.?!\n$\\=A-Za-wyz]*=\s*[0-9]", re.MULTILINE
)
# matches "{'question': 'x'}", '{"a": 1}', not "{x}"
_OBJECT = re.compile(r"\A\s*\{\s*['\"]")
# matches "Rephrased for clarity: x", "I think this is fine: x", not "Find x: 3", "The best of 3: x"
_CHANGE_ANNOUNCED = re.compile(
    r"\A[^.?!\n0-9$\\]{0,50}\b(?:fix\w*|re-?phras\w*|versions?|clarity|better|fine|final|improv\w*|revis\w*|re-?writ\w*"
    r"|wording|works?|sense)\b[^.?!\n0-9$\\]{0,30}:",
    re.IGNORECASE,
)
# matches '"How many?" -> "How many cars?"', 'x? => Y', '"x" becomes "Y?"', not "f: A -> B", "x -> 3"
_OLD_AND_NEW = re.compile(
    r"[?.!\"\u201d][*_)]*\s*(?:-{1,3}>|={1,2}>|[\u2192\u21d2\u27a1\u279c\u2794])\s*[*_(]*[\"\u201cA-Z]"
    r"|[\"\u201d]\s+(?:becomes|is now|(?:(?:was|is) )?(?:changed|rewritten|re-?worded|replaced) (?:to|as|into"
    r"|with|by)|to"
    r"|into)\s*:?\s+[\"\u201c][^\"\u201d\n]*\?"
)
# matches "It lacks a rate. I'd suggest: A", "So the final version is A", not "The new version is 20 % faster."
_PROPOSAL = re.compile(
    r"(?:^|[.!?\n]\s*)[*_\s]*(?:(?:so|then|thus|therefore|hence|finally|now|instead|and|but|maybe|perhaps)\b,? )*"
    r"(?:i(?:[\u2019']d| would|[\u2019']ll| will| could| can| might)?(?: \w+)? (?:suggest|propose|recommend"
    r"|phrase|rephrase"
    r"|re-?word|re-?write|write|put|ask|word|go with|settle on)\b[^.?!:\n]{0,60}:"
    r"|(?:the|my|our|a|one) (?:\w+ )?(?:final|finished|new|improved|revised|rewritten|corrected|better|clear"
    r"|clearer|complete"
    r"|harder|possible|full|solvable|fixed) (?:version|question|problem|wording|text|statement|one|rewrite|form"
    r"|formulation)[^.?!:\n]{0,30} ?(?:is|reads|becomes|runs|would be|would read|could be|could read|might be)"
    r"(?: (?:then|now|as follows|this|thus))?[,:]?\s+(?-i:[\"\u201cA-Z]))",
    re.IGNORECASE,
)
_FAULTS = (
    ("thought", _THOUGHT_TAG),
    ("several questions", _OLD_AND_NEW),
    ("label", _PROPOSAL),
    ("label", _OTHER_TAG),
    ("solution", _MARKED_ANSWER),
    ("solution", _SOLUTION_LABEL),
    ("solution", _STEP_LABEL),
    ("hint", _HINT_LABEL),
    ("label", _MARKDOWN),
    ("label", _BOLD_LABEL),
    ("several questions", _SECOND_QUESTION),
    ("solution", _MARKED_OPTION),
    ("solution", _RESULT_AT_END),
    ("comment", _REMARK_IN_BRACKETS),
    ("comment", _CHATTER),
    ("label", _ANNOUNCEMENT),
    ("label", _CHANGE_ANNOUNCED),
    ("unreadable JSON", _OBJECT),
    ("solution", _PLAIN_CALCULATION),
    ("label", _FIRST_LABEL),
    ("label", _TITLE_LINE),
    ("label", _MARK_UP),
    ("echo", _ECHO),
    ("refusal", _REFUSAL),
    ("comment", _COMMENT),
)
"""What a question must not hold, and the reason for rejecting it."""
_CALCULATION = (
    r"(?<![\w^\\.])[0-9][0-9.,]*[)%]?(?: [a-z]+)?\s*(?:[-+*/\u00d7\u00f7\u00b7\u2212]|\\times|\\cdot"
    r"|\\div)\s*[$(]*[0-9](?:[0-9.,)%\s+*/\u00d7\u00f7\u00b7\u2212-]|\\times|\\cdot"
    r"|\\div| [a-z]+)*=\s*[$(]*[0-9]"
)
# matches "10cm + 8 cm = 18cm", "3 * 4 = 12", not "x + 3 = 7", "3 = 1 + 2"
_ANY_CALCULATION = re.compile(
    r"(?<![\w^\\.])[0-9][0-9.,]{0,12} ?[a-z]{0,12} ?[-+*/\u00d7\u00f7] ?"
    r"[0-9][0-9., a-z+*/\u00d7\u00f7%()-]{0,60}= ?[0-9]",
    re.IGNORECASE,
)
# matches " 3 * 4 = 12", "So he has 5.", "First, we add", not "Give your answer in cm."
_SOLUTION_AFTER = re.compile(
    _CALCULATION
    + r"|(?:^\s*|[\n.?!]\s*)(?:so|thus|therefore|hence|first|to (?:solve|find)|we (?:have|get|know|can|need|find"
    r"|start|add|must|first)"
    r"|let[\u2019']s|this (?:gives|means)|that (?:gives|means)|by the|the total (?:is|number is)|in total|subtract"
    r"|substitut\w+)\b[ ,]"
    r"|^\s*(?:[0-9]{1,2}[.)]|[-*\u2022])\s+(?:\*\*)?(?:multiply|calculate|add|divide|subtract|find|determine"
    r"|compute|first|start|solve)\b"
    r"|\b(?:times|plus|minus|divided by|multiplied by)\b[^.?!\n]*\b(?:is|equals|makes|gives|are)\b",
    re.IGNORECASE | re.MULTILINE,
)
# matches all of "||630||", "(18 x 7 x 5)", not of "630 cars", r"$x$"
_BARE_NUMBERS = re.compile(r"[^A-Za-z\\$&]*[0-9][^A-Za-z\\$&]*|[(\[]?[0-9x*+ /().=-]+[)\]]?")
MOST_COMMAS = 2
"""Commas of a line of numbers from which it is a list that the question asks about."""
# matches "She has 5", "six hundred thirty", not "Two such squares are shown."
_NUMBER = re.compile(
    r"[0-9]|\b(?:eleven|twelve|\w+teen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-\w+)?|hundred"
    r"|thousand"
    r"|million)\b",
    re.IGNORECASE,
)
# matches r"How many?\n\[18 \times 7 = 126\]", not "Is $3 + 4 = 7$ true?"
_RESULT = re.compile(rf"\?[^?]*?(?:\$\$|\\\[)[^?]*?{_CALCULATION}", re.DOTALL)
# matches the start of "Give your answer in cm.", "(Use 3.14.)", "- 5 pens", "A) 12", "$x > 0$", not of "She has 5."
_CONDITION = re.compile(
    r"\s*(?:[(\[|\\$&{]|[-*\u2022]\s|\(?[A-Ea-e1-9][).][^a-z0-9]|(?:[0-9.]+, ){3}|one such |(?:please |you (?:may"
    r"|can|should) )?(?:give|express|round|write|assume|use"
    r"|note|answer|ignore|take|suppose|leave|enter|do not|don[\u2019']t|state|your|include|report|if|recall"
    r"|remember|reminder|where"
    r"|all|each|every|for|simplify|list|consider|separate|submit|provide|be sure|disregard|explain|both|count|treat"
    r"|neglect"
    r"|as (?:a|an) )\b)",
    re.IGNORECASE,
)
# matches the start of "1 m is 100 cm.", "A dozen is 12.", "There are 7 days in a week.", not of "12 eggs", "It is 12."
_CONVERSION = re.compile(
    r"\s*(?:(?:1|an?|one) [\w ]{1,20} (?:is|are|has|equals|contains|=)|there are [0-9.,]+ [\w ]+ in (?:1|an?|one"
    r"|each) )",
    re.IGNORECASE,
)
# matches "It is so. How many?", "Find x. x = 5", not "3.5 km", "5! + 3"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\"'*])|(?<=\.)\s+(?=[0-9]|[a-z] = )")
# matches "[asy]draw(A);[/asy]", r"\[x + 1\]", "$$1, 2$$", not "$5 and $6"
_FIGURE = re.compile(
    r"\[asy\].*?(?:\[/asy\]|\Z)|\\\[(?!\s*-?[0-9.,]+\s*\\).*?\\\]|\$\$(?!\s*-?[0-9.,]+\s*\$).*?\$\$"
    r"|\\begin\{(tabular|array|align\*?|matrix)\}.*?\\end\{\1\}",
    re.DOTALL,
)
# matches "1. A baker\n", "2) A train", not "1.5 km"
NUMBERED_LINE = re.compile(
    r"^[ \t]*(?:\*\*)?(?:[0-9]{1,2}[.)]|[a-h][.)]|[-*\u2022])(?:\*\*)?[ \t]+(?P<text>.*)$", re.MULTILINE
)
MOST_WORDS_OF_LABEL = 5
"""Most words of a first line, without a number, that is no part of the question below it."""
LEAST_WORDS_OF_STEM = 6
"""Fewest words before numbered questions that make them parts of one question."""


def find_fault(question: str) -> str | None:
    """Why a text without wrapping is no question to use, or None if it is one."""
    if _are_several(question):
        return "several questions"
    for reason, pattern in _FAULTS:
        if pattern.search(question):
            return reason
    sections = split_sections(question)
    if any(section.kind for section in sections):
        kinds = {section.kind for section in sections}
        return next((kind for kind in ("solution", "hint") if kind in kinds), "label")
    if _begins_with_remark(question):
        return "comment"
    if not _asks_for_quantity(question):
        return "no question"
    if not _MARKS.search(question) and _ANY_CALCULATION.search(_FORMULA.sub(" ", question)):
        return "solution"
    return _fault_after_request(question)


def has_request(text: str) -> bool:
    """Whether a text asks for something: by a question mark or by the verb of a task. Only English is judged."""
    return bool(REQUEST.search(text)) or (bool(_LETTERS.search(text)) and not _ENGLISH.search(text))


# matches "$x$", r"\\[ x \\]", r"\\(x\\)", not "$5 and 6"
_FORMULA = re.compile(r"\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)", re.DOTALL)
_MARKS = re.compile(r"[?\uff1f\u061f]")
# matches "Find x.", "If so, find x", "How many are there", not "He has 3 cars, which are red."
_IMPERATIVE = re.compile(
    rf"(?:^|[.!:;,)\]}}$]\s*|\n\s*|\b(?:then|and|or|please|also|now|must"
    rf"|should) )(?!(?:{_WH_WORDS})\b)(?:{_TASK_VERBS})\b"
    rf"|(?:^|[.!:)]\s+|\n\s*)(?:(?:for|in|by|at|on|to|of|from) )?(?:{_WH_WORDS})\b|, (?:then )?(?:what (?:is"
    rf"|are|was|must|will)|how many|how much)\b",
    re.IGNORECASE,
)
# matches "To find x, multiply", "you simply multiply", "we then add", not "You must find x."
_WAY_TO_SOLVE = re.compile(
    r"\b(?:to|in order to) (?:find|get|compute|calculate|determine|solve|work out|figure out|know|answer"
    r"|obtain)\b[^.?!\n]*,"
    r"|\b(?:you|we|one|i) (?:(?:can|could|will|would|need to|have to) )?(?:(?:simply|just|easily|then|now|first"
    r"|also|only) )*"
    rf"(?:{_TASK_VERBS})\b",
    re.IGNORECASE,
)
# matches "How does that work?", "How do you solve 2000?", "What should I do?", not "How does 3/4 compare with 2/3?"
_ASKS_NO_QUANTITY = re.compile(
    r"(?:^|[.!,;:)\n]\s*)(?:and |so |but |then |now )?(?:how (?:do|does|did|can|could|would|should|come)\b"
    r"(?![^?]*\b(?:compare|factor|change|relate|many|much|far|long|old|differ)\b)|why\b|what (?:do you think"
    r"|should (?:i|we|you|he"
    r"|she|they) do\b|can (?:i|we|you) do\b|(?:does|do|did) (?:this|that|it) mean|happens\b|happened\b|now\b"
    r"|is (?:going on"
    r"|wrong)\b|about\b|if\b))[^?\uff1f.!]*[?\uff1f]?\s*\Z",
    re.IGNORECASE,
)
# matches "Can you give me some tips?", "What steps should I take?", not "Can you tell me how many there are?"
_ASKS_FOR_ADVICE = re.compile(
    r"\b(?:can|could|would|will) (?:you|i|we) (?:(?:please|just|also|kindly|maybe|perhaps|ask you to) )*"
    r"(?:help (?:me|us|my|our)|assist|provide|suggest|recommend|advise|offer|share|introduce|explain|describe|improve"
    r"|optimi[sz]e|(?:write|create|design|plan) (?:me |us )?(?:an?|some|my|our|the)|give (?:me|us)"
    r"|tell (?:me|us) (?:some|about|more|a (?:joke|story)))\b"
    r"|(?:^|[,;:] ?|\bplease )(?:tell|give) (?:me|us) (?:some|a few|a little|more|about|a (?:joke|story|tip))\b"
    r"|\bwhat (?:\w+ ){0,4}(?:should|can|could|would) (?:i|we|you) (?:take|do|consider|go for|start|recommend"
    r"|suggest)\b"
    r"|\b(?:where|what|which \w+) do you (?:think|recommend|suggest|advise)\b"
    r"|\bwhat(?:[\u2019']s| is| are| would be) (?:(?:the|an?|some|your) )?(?:(?:best|good|great|most \w+|first|right"
    r"|correct) )?(?:ways? (?:to|of)|steps? (?:i|to)|plan|approach|advice|tips?|ideas?|factors (?:i|we|you|to))\b"
    r"|\bis there (?:a|any) (?:good |better )?way (?:to|of)\b",
    re.IGNORECASE,
)
# matches "how many", "find the", "what is the area", not "find some recipes", "help me"
_ASKS_VALUE = re.compile(
    r"\bhow (?:many|much|long|far|old|tall|big|large|fast|often)\b"
    r"|\b(?:find|compute|calculate|determine|solve|evaluate|prove|simplify|work out)\b(?! (?:some|any|an?|more|out)\b)"
    r"|\bwhat (?:is|are|was|were) the (?!(?:best|most|first|right)\b)"
    r"|\b(?:sum|product|area|probability|perimeter|volume|percent\w*|equation|number) ",
    re.IGNORECASE,
)
MOST_NUMBERS_OF_CHAT = 1
"""Most numbers of a text in which somebody may only ask for advice; with more, it is something to work out."""
# matches "3", "1.5", "$x$", r"\frac", not "three", "(a)"
_NUMERAL = re.compile(r"[0-9]+(?:[.,][0-9]+)*|[$\\=+]")
# matches "It is so. How many?", "$x = 1.$ Find", "x\n\ny", not "3.5 km"
_SENTENCE_OR_FORMULA_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?]\$)\s+|\n\n+")
LEAST_LETTERS_OF_LANGUAGE = 12
"""Fewest letters of words, apart from units, that make a text one of a language other than English."""
# matches "cm", "kg", "x", r"\\frac", not "Calcule"
_NO_WORD = re.compile(r"\\[A-Za-z]+|\b(?:[^\W\d_]|[cmkd]?[mglL]|min|hrs?|km/h|mph|sq|ft|in|yd|lbs?|oz|sec|usd|eur)\b")


def _asks_for_quantity(question: str) -> bool:
    """Whether a question asks its reader for a quantity, and gives a quantity to work with. In English only."""
    if not _ENGLISH.search(question):
        letters = sum(sign.isalpha() for sign in _NO_WORD.sub(" ", question))
        return bool(REQUEST.search(question)) or letters >= LEAST_LETTERS_OF_LANGUAGE or not question.isascii()
    sentences = [sentence for sentence in _SENTENCE_OR_FORMULA_END.split(question) if sentence.strip()]
    asking = [each for each in sentences if _MARKS.search(each) or _IMPERATIVE.search(each)]
    asking = [each for each in asking if _MARKS.search(each) or not _WAY_TO_SOLVE.search(each)]
    may_be_chat = len(_NUMERAL.findall(question)) <= MOST_NUMBERS_OF_CHAT
    if not asking or all(_ASKS_NO_QUANTITY.search(each) or (may_be_chat and _is_chat(each)) for each in asking):
        return False
    return bool(_GIVEN_QUANTITY.search(question))


def _is_chat(sentence: str) -> bool:
    """Whether a sentence asks for advice, ideas or a text, and for no value."""
    return bool(_ASKS_FOR_ADVICE.search(sentence)) and not _ASKS_VALUE.search(sentence)


# matches the start of "Find the sum", "Given:", "For what x", not of "Done.", "After fixing it, we get:"
_DATA_BEFORE = re.compile(
    rf"(?:{_TASK_VERBS}|let|given|consider|note|if|in|for|the|suppose|as|by|one|is|are)\b", re.IGNORECASE
)
MOST_WORDS_OF_REMARK = 15
"""Most words of a first paragraph that is taken for a remark if the last one is a whole question of its own."""


def _begins_with_remark(question: str) -> bool:
    """Whether the first line or paragraph is about the question, or says something before it begins."""
    first, separator, below = question.partition("\n")
    if separator and not re.search(r"[0-9?$\\]", first):
        if _ABOUT_QUESTION.search(first):
            return True
        begins_sentence = first[:1].isalpha() and below.lstrip()[:1].isupper()
        if begins_sentence and len(first.split()) <= MOST_WORDS_OF_LABEL and not _DATA_BEFORE.match(first):
            return True
    first, *_, last = [part for part in question.split("\n\n") if part.strip()] * 2
    if first == last:
        return False
    is_remark = len(first.split()) <= MOST_WORDS_OF_REMARK and not REQUEST.search(first)
    return is_remark and _stands_alone(last) and bool(re.match(r"[A-Z][a-z]* ", last))


def holds_solution(text: str) -> bool:
    """Whether a text holds the marks of a solution."""
    return any(pattern.search(text) for reason, pattern in _FAULTS if reason == "solution")


def _fault_after_request(question: str) -> str | None:
    """Why what follows the last sentence that asks for something cannot be a part of the question; None if it can."""
    text = _FIGURE.sub(" ", question)
    at = max(text.rfind("?"), text.rfind("\uff1f"))
    if at < 0:
        sentences = _SENTENCE_END.split(text)
        asking = [n for n, sentence in enumerate(sentences) if REQUEST.search(sentence)]
        at = text.rfind(sentences[asking[-1]]) + len(sentences[asking[-1]]) - 1 if asking else len(text)
    tail = text[at + 1 :]
    if _SOLUTION_AFTER.search(tail) or _RESULT.search(question):
        return "solution"
    same_line, _, lines_below = tail.lstrip(" \"\u201d\u2019').*_").partition("\n")
    for sentence in _SENTENCE_END.split(same_line):
        if _NUMBER.search(sentence) and not (_CONDITION.match(sentence) or _CONVERSION.match(sentence)):
            return "solution"
    for paragraph in filter(str.strip, lines_below.split("\n\n")):
        if _BARE_NUMBERS.fullmatch(paragraph.strip()) and paragraph.count(",") < MOST_COMMAS:
            return "solution"
        if not _CONDITION.match(paragraph) and not _CONVERSION.match(paragraph):
            return "solution" if _NUMBER.search(paragraph) else "comment"
    return None


def _are_several(text: str) -> bool:
    """Whether a text holds more than one question that stands on its own; parts of one question do not."""
    items = list(NUMBERED_LINE.finditer(text))
    if sum("?" in item["text"] for item in items) >= 2 and len(text[: items[0].start()].split()) < LEAST_WORDS_OF_STEM:
        return True
    paragraphs = [part for part in text.split("\n\n") if "?" in part]
    return sum(_stands_alone(part) for part in paragraphs) >= 2


def _stands_alone(paragraph: str) -> bool:
    """Whether a paragraph gives at least two numbers in one sentence and asks in another."""
    told, _, _ = paragraph.rpartition("?")
    sentences = re.split(r"(?<=[.!])\s+", told)
    return len(sentences) > 1 and len(re.findall(r"[0-9]+", " ".join(sentences[:-1]))) >= 2
