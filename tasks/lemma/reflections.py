"""Tells whether a sentence admits the error of the step before it, or only goes on with the solution."""

import re

from tasks.lemma.quotes import split_words


def _any_of(*patterns: str) -> re.Pattern[str]:
    """A pattern that matches where one of these does, in any case."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


# matches "Wait, that is too large.", "I should recheck", not "No cats are waiting."
SELF_DOUBT = re.compile(
    r"\b(?:wait|hold on|hang on|hm+|stop|no(?=,)|oops|actually|however|but|yet|mistake|mistaken|error|slip|slipped"
    r"|wrong|incorrect|not right|not correct|amiss|doubt|doubtful|unsure|check|recheck|verify|again|reconsider|rethink"
    r"|re-?read|re-?count|re-?do|re-?work|look back|go back|step back|too (?:high|low|large|small|many|few|much|little)"
    r"|cannot be|can't be|does not|doesn't|do not|don't|should|instead|start over|fresh|another way|overlooked|missed"
    r"|forgot|forgotten|left out|skipped|misread|mixed up|confused|suspicious|implausible|odd|strange|make sense)\b",
    re.IGNORECASE,
)
"""Words by which a solution may doubt an earlier step. To admit an error takes more; see `admits_mistake`."""
# matches the start of "Wait, 3 is", "Hold on: 4", "No, it", not of "Stopping here", "We wait"
_INTERJECTION = _any_of(
    r"[\s\"'*_(\u201c]*(?:(?:and|but|oh|ah|hm+|um+|uh|okay|ok|so)[\s,.!\u2026-]+)?"
    r"(?:wait(?: a (?:minute|moment|second))?|hold (?:on|it)|hang on|oops|whoops|uh[- ]oh|oh (?:no|dear)|scratch that"
    r"|not so fast|one moment|just a (?:minute|moment|second)|stop(?=\s*[,.:!\u2014-])|no(?=\s*[,.:!\u2014-]|\s+wait))"
    r"(?![\w'])"
)
"""Opens a sentence that takes back what was said: `Wait, ...`, `Hold on: ...`, `No, ...`."""
# matches "Hmm, it is 3", "let me look at that again", not "I look at it", "let me add both"
_HESITATION = _any_of(
    r"^[\s\"'*_(\u201c]*(?:(?:so|but|and|okay|ok)[\s,]+)?(?:hm+|actually|ah|oh|huh)\b",
    r"\bon second thoughts?\b",
    r"\blet me (?:double[- ]?|re-?)?(?:look|go|think|read|do|check|see|count|add|work|try|take|run|calculate|compute"
    r"|multiply|divide|subtract|step)\b[^.;:]{0,50}\b(?:again|back|once more|over|that|this|another (?:look|time))\b",
    r"\blet me double[- ]check\b",
    r"\b(?:looking|going|thinking|reading|checking) (?:\w+ ){0,2}(?:back|again|over|once more)\b",
)
"""Opens a sentence that may take something back; it must also deny or correct something."""
# matches "we still need the height", "let us check it", "that is right", not "I forgot the tax"
_GOING_ON = _any_of(
    r"\b(?:still|also) (?:need|have|must)\b",
    r"\b(?:do|does)(?:n't| not) need\b|\bnot needed\b|\bneeds? to find\b",
    r"\blet(?:'s| us| me) (?:now |next |also |just )?(?:check|verify|find|compute|calculate|move|double[- ]check)\b"
    r"(?! (?:that|this) (?:again|once))",
    r"\bnext\b|\bnow (?:we|i|for)\b|\bnever ?mind\b|\bchecks? out\b|\bas expected\b|\bnot (?:done|finished)\b",
    r"\b(?:that|this|it|which|all|everything)(?:'s| is| looks| seems| was)"
    r" (?:all |quite |indeed )?(?:right|correct|fine|good|ok(?:ay)?|true)\b",
)
"""Words of a sentence that only goes on, even after `Wait`."""
# matches "no mistake", "nothing is wrong", "if it is so", not "a mistake", "it is wrong"
_NO_ERROR = _any_of(
    r"\b(?:no|not any|any|without(?: any| an?)?|avoid(?:s|ing)?(?: any| an?)?|free of|possible|margin of|standard"
    r"|rounding|percent(?:age)?) (?:mistakes?|errors?|slips?)\b",
    r"\bnothing (?:is |was |looks |seems )?(?:wrong|amiss|missing|off|odd)\b",
    r"(?:\bnot|n't) (?:wrong|incorrect|mistaken|an? (?:mistake|error))\b",
    r"\b(?:wrong|incorrect) (?:answers?|ones|guess(?:es)?|calls?)\b",
    r"\b(?:whether|if) (?:it|that|this|there|i|we)\b[^.;]*",
)
"""Words of error that admit none: they are taken out before anything is looked for."""
# matches "my mistake", "I misread it", "that is impossible", not "I should check", "it is strange to say"
_ERROR_WORD = _any_of(
    r"\b(?:mistakes?|mistaken(?:ly)?|mistook|errors?|erroneous(?:ly)?|erred|wrong(?:ly)?|incorrect(?:ly)?|absurd)\b",
    r"\b(?:nonsens(?:e|ical)|amiss|backwards?|upside down|the other way (?:a?round|up)|implausible|suspicious)\b",
    r"\b(?:blunder|careless|sloppy|fishy)\b|\bbothers me\b",
    r"\b(?:i (?:now )?see|i've found|i found) (?:the|my|an?) (?:issue|problem|flaw)\b",
    r"\bthe (?:issue|problem|flaw) (?:is|was) that\b",
    r"\b(?:there's|there is|something(?:'s| is)) (?:an issue|a problem|a flaw) (?:with|in|here)\b",
    r"\b(?:let me|i (?:need|have|must|should)(?: to)?) (?:correct|fix|revise|mend|amend) "
    r"(?:that|this|it|my|the last)\b",
    r"\b(?:my|the|that|this) (?:last|previous) (?:step|line|calculation|result)\b[^.;]{0,20}?\b(?:treats|ignores"
    r"|assumes|takes|mixes|confuses|forgets|leaves out|misses|fails|(?:does|did)(?:n't| not))\b",
    r"\bmis(?:counted|read|calculated|computed|copied|added|multiplied|applied|took|interpreted|understood|placed)\b",
    r"\b(?:overlooked|overcounted|undercounted|overshot|undershot|double[- ]counted|counted (?:\w+ ){0,4}twice)\b",
    r"\bmixed (?:\w+ ){0,3}up\b|\bgot (?:\w+ ){0,4}mixed up\b|\bwent (?:astray|wrong|off)\b|\bslip(?:ped|s|-up)?\b",
    r"\b(?:something|a step|one) is missing\b|\bcomes too early\b|\btoo hasty\b|\bhasty\b",
    r"\b(?:that|this|it|which|step|line|result) (?:is|was|would be|seems|looks)"
    r" (?:false|impossible|invalid|unreasonable|odd|strange)\b(?! (?:for|to|that)\b)",
    r"\bsomething(?:'s| is| seems| looks| feels| must be)(?: \w+)? (?:off|odd|strange|fishy)\b",
    r"\bcontradicts (?:what|my|the (?:first|earlier|step|line|result|question|one|story))\b",
)
# matches "I forgot the tax", "I left one out", not "he forgot it", "I took 3"
_OWN_ERROR = _any_of(
    r"\b(?:i|i've|i'd|i have|i had)\s+(?:\w+ ){0,2}(?:forgot(?:ten)?|neglected|omitted|confused|swapped|skipped|ignored"
    r"|dropped|missed|botched|lost|left (?:\w+ ){0,5}out|took (?:\w+ ){1,6}for)\b",
)
# matches "that is not right", "it does not add up", "I am off by 2", not "a right angle", "that is right"
_NOT_RIGHT = _any_of(
    r"(?:\b(?:is|are|was|were|can|could|would|looks?|seems?|sounds?)(?:n't| not)|\bcannot|\bhardly)"
    r" (?:be |quite |at all |really |yet )*"
    r"(?:(?:right|correct|true|so|possible)\b(?! (?:angle|triangle|side|hand|end|that)\b)"
    r"|the case\b|it\b|what (?:i|we|the question|it|is|was)\b|the (?:answer|result|number|right|correct|same thing)\b)",
    r"\b(?:does|do|did)(?:n't| not) (?:quite |really |even )?(?:make sense|add up|fit|hold|match|agree|work out)\b",
    r"\b(?:can't|cannot) (?:be right|be true|be correct|be so|fit|work|hold|make sense)\b",
    r"\bmakes? no sense\b|\bnot quite\b|\b(?:can|could) (?:that|this|it) (?:really )?be\b",
    r"\b(?:that|this|it|[0-9][\d.,]*) (?:can't|cannot|couldn't|could not) be(?=\s*[,.:;!\u2014-]|\s*$)",
    r"\boff by\b|\b(?:is|was|looks|seems|are) (?:far |way |a bit |clearly |slightly )?off\b",
)
# matches "that is too high", "far too many", not "too high a price", "it is high"
_TOO_MUCH = _any_of(
    r"\b(?:that(?:'s| is| was| looks| seems| would be)|this is|it(?:'s| is| was| came out)|which is|i (?:\w+ ){0,3}"
    r"|(?:one|two|three|[0-9][\d.,]*)(?: \w+)?(?: (?:is|are|was|were|looks|seems))?|(?:comes|came) out|far|way|much)"
    r"\s*too (?:high|low|large|small|big|many|few|much|little|far|long|short|soon|early|late|often)\b",
)
# matches "I should have added", "it should be 4", not "we should add", "it should be found"
_SHOULD = _any_of(
    r"\bi (?:really )?(?:should|ought to|could) have\b|\b(?:should|must|ought)(?:n't| not) (?:to )?have\b"
    r"|\bshould have been\b|\b(?:was|were) supposed to\b",
    r"\b(?:that|this|it|these|those) (?:should|ought to|must)(?:n't| not)? (?:be|have been|equal) "
    r"(?!\w+ed\b|found\b|done\b|taken\b)",
    r"\bi should not\b|\bi shouldn't\b",
)
# matches "I added instead of", "I added, but the question asks for more", not "he added instead of"
_IN_PLACE_OF = _any_of(
    r"\bi(?:'ve)? (?:just |only |simply |have |had |already )?\w+\b[^.;!?]{0,60}?"
    r"\b(?:instead of|rather than|in place of|as if|as though|where i|only once|when i (?:should|needed|had|ought))\b",
    r"\bi(?:'ve)? (?:just |only |simply |have |had |already )?\w+\b[^.;!?]{0,60}?"
    r"\b(?:but|and|while|whereas|although|yet) (?:the question|it|the problem|what (?:is|was) asked|they|the text)"
    r" (?:asks|asked|wants|wanted|says|said|is about|was about|speaks|spoke)\b",
    r"\b(?:the question|the problem|the text|the story) (?:asks|wants|says|said|is about|speaks)\b[^.;!?]{0,80}"
    r"\b(?:and not|but (?:not|i|i've)|and i|while i|whereas i|yet i)\b",
)
# matches "I added the sides, but that is the area", not "I added the sides", "I paid, but that is the first part"
_OTHER_THING = _any_of(
    r"\bi(?:'ve| have)? (?:just |only |simply )?(?:\w+ed|took|found|wrote|got|made|did|put|set|drew|chose|split|gave)\b"
    r"[^.;!?]{0,60}, (?:but|yet|and yet|although|while) (?:that|this|it|these|those|which)(?:'s| is| was| are"
    r"| were| gives)"
    r" (?:the|an?|what|how|for|per|of|twice|half|square|cubic)\b"
    r"(?! (?:first|second|next|last|easy|start|beginning|good|right|correct|part|whole|half)\b)(?! \w+ (?:part"
    r"|step)\b)",
    r"\bi(?:'ve| have)? (?:just |only |simply )?(?:\w+ed|took)\b[^.!?]{0,60}[;,:] [^.!?;]{0,60}\b(?:needs"
    r"|asks for|wants"
    r"|calls for|takes|goes by)\b[^.!?;]{0,40}\binstead\b",
)
"""Says of one's own step that it gives another thing: `I multiplied the sides, but that is the area of the garden`."""
# matches "is not 12", "does not make $5", not "is not much", "not 0"
_NOT_NUMBER = _any_of(
    r"(?:\b(?:not|never|hardly)|n't) (?:(?:be|give|make|equal|come to|leave|yield|the|a|yet|really|just|only|simply"
    r"|quite) ){0,2}[$\u20ac\u00a3\\(]*-?(?!0\b)[0-9]",
)
# matches ", not the whole", ", but not half", not ", not much", "not the whole"
_CONTRAST = _any_of(
    r", (?:and |but )?not (?:an?|the|of|to|by|for|in|as|from|per|what|only|just|every|all|both|each|with|on|at|one|half"
    r"|twice)\b"
)
"""What is denied beside what holds: `of what is left, not of the whole`."""
# matches "is that really so?", "could it be right?", not "is it right", "is that right? Yes"
_QUESTION = _any_of(
    r"\b(?:is|are|was|can|could|does|would)\b[^.?!:;]{0,60}\b(?:really|right|correct|true)\b[^.?!:;]{0,20}\?"
    r"(?! (?:yes|it is|indeed|of course|it does))"
)
# matches "is not", "don't", "instead", not "nowhere", "knot"
_DENIAL = _any_of(
    r"\b(?:not|never|cannot|none|nothing|no (?:longer|more)|instead|rather|in fact|should|must|only)\b|n't\b"
)
# matches "start over", "I take that back", not "I start", "take it"
_TAKING_BACK = _any_of(
    r"\b(?:start(?:ing)? (?:over|again|afresh|from scratch)|i take (?:that|it) back|scrap (?:that|this)|no good)\b"
)
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])\s+")
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
_STRAIGHT = str.maketrans({"\u2019": "'", "\u2018": "'", "\u2212": "-", "*": None})
MIN_WORDS = 3
"""Words of a sentence after `Wait` that may say what is wrong."""
MAX_REFLECTION_CHARACTERS = 4000
"""Characters of a reflection that are looked at."""


def admits_mistake(text: str, wrong_step: str = "") -> bool:
    """Whether a reflection admits that the step before it, `wrong_step`, is wrong. In doubt it does not.

    Words such as `but`, `should` or `check` are not enough: `So the area is 86, but we still need the altitude.`
    """
    plain = " ".join(text[:MAX_REFLECTION_CHARACTERS].translate(_STRAIGHT).split())
    return bool(_QUESTION.search(plain)) or any(_admits(part, wrong_step) for part in (*split_sentences(plain), plain))


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, each up to its end."""
    return [part for part in _SENTENCE_END.split(text.strip()) if part]


def _admits(text: str, wrong_step: str) -> bool:
    cleared = _NO_ERROR.sub(" ", text)
    signs = (
        _ERROR_WORD,
        _OWN_ERROR,
        _NOT_RIGHT,
        _TOO_MUCH,
        _SHOULD,
        _IN_PLACE_OF,
        _OTHER_THING,
        _NOT_NUMBER,
        _TAKING_BACK,
    )
    if any(sign.search(cleared) for sign in signs) or _denies_number(cleared, wrong_step):
        return True
    if _CONTRAST.search(cleared) and (_HESITATION.search(cleared) or _INTERJECTION.match(cleared)):
        return True
    if _GOING_ON.search(text):
        return False
    if _INTERJECTION.match(cleared):
        return len(split_words(cleared)) >= MIN_WORDS
    return bool(_HESITATION.search(cleared) and _DENIAL.search(cleared))


def _denies_number(text: str, wrong_step: str) -> bool:
    """Whether a number of the wrong step is denied: `the 40 is no length`."""
    for number in {match.group() for match in _NUMBER.finditer(wrong_step)} - {"0"}:
        denied = rf"(?i)(?<![\d.,]){re.escape(number)}(?!\d|[.,]\d|\s*[-+*/=\u00d7])[^.;:!?=]{{0,25}}?"
        if re.search(
            rf"{denied}(?:\b(?:is|are|was|were|can|does|do|did)(?:n't| not| no| never)\b|\bcannot\b)", text, re.I
        ):
            return True
    return False
