"""Questions in other languages are stopped, English ones are not: on real questions and on some of our own."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.outcomes import Reject
from tasks.questions.language import (
    KNOWN_LANGUAGES,
    SEGMENT_BYTES,
    KeepLanguage,
    load_identifier,
    split_words,
    text_segments,
)
from tests.support.recorded import SHARED_DATA

OTHERS = Path(__file__).parents[2] / "data" / "questions_other_languages.jsonl"
GSM8K = SHARED_DATA / "gsm8k" / "train.jsonl"
MATH = SHARED_DATA / "math" / "test.jsonl"

ENGLISH = "A farmer has 12 sheep and buys 5 more at the market. How many sheep does the farmer have now?"
GERMAN = "Ein Bauer hat 12 Schafe und kauft auf dem Markt noch 5 dazu. Wie viele Schafe hat der Bauer jetzt?"
FRENCH = "Un fermier a 12 moutons et en achète 5 de plus au marché. Combien de moutons a-t-il maintenant ?"
VIETNAMESE = "Một bác nông dân có 12 con cừu và mua thêm 5 con ở chợ. Hỏi bác có tất cả bao nhiêu con cừu?"
HINDI = "Ek kisan ke paas 12 bhedein hain aur woh 5 aur kharidta hai. Ab uske paas kitni bhedein hain?"
UNSEEN = {
    "ar": "مع أحمد 12 تفاحة وأعطى أخاه 5 تفاحات، كم تفاحة بقيت معه؟",
    "hi": "एक किसान के पास 12 भेड़ें हैं और वह 5 और खरीदता है। अब उसके पास कितनी भेड़ें हैं?",
    "id": "Seorang petani memiliki 12 domba dan membeli 5 ekor lagi di pasar. Berapa jumlah dombanya sekarang?",
    "it": "Un contadino ha 12 pecore e ne compra altre 5 al mercato. Quante pecore ha adesso?",
    "ja": "農夫は羊を12匹飼っていて、市場でさらに5匹買いました。今は全部で何匹いますか。",
    "nl": "Een boer heeft 12 schapen en koopt er op de markt nog 5 bij. Hoeveel schapen heeft hij nu?",
    "pl": "Rolnik ma 12 owiec i kupuje na targu jeszcze 5. Ile owiec ma teraz?",
    "pt": "Um agricultor tem 12 ovelhas e compra mais 5 na feira. Quantas ovelhas ele tem agora?",
    "ru": "У фермера было 12 овец, и он купил на рынке ещё 5. Сколько овец у него теперь?",  # noqa: RUF001
    "sw": "Mkulima ana kondoo 12 na ananunua wengine 5 sokoni. Sasa ana kondoo wangapi?",
    "tr": "Bir çiftçinin 12 koyunu var ve pazardan 5 tane daha alıyor. Şimdi kaç koyunu var?",  # noqa: RUF001
}
"""Languages that nothing was calibrated on."""


def reasons(*texts: str, languages: tuple[str, ...] = ("en",)) -> list[str | None]:
    batch = [{"row_id": str(i), "question": text} for i, text in enumerate(texts)]
    found = list(KeepLanguage(languages=languages).rows(batch, None))
    assert [one.row if isinstance(one, Reject) else one for one in found] == batch
    return [one.reason if isinstance(one, Reject) else None for one in found]


def read(path: Path, column: str) -> list[str]:
    return [json.loads(line)[column] for line in path.read_text().splitlines()]


@pytest.mark.parametrize(("path", "column", "least"), [(GSM8K, "question", 0.995), (MATH, "problem", 0.99)])
def test_real_english_questions_pass(path: Path, column: str, least: float) -> None:
    if not path.exists():
        pytest.skip(f"needs {path.name} in ../shared/data/{path.parent.name}/")
    found = reasons(*read(path, column)[::3])  # the benchmark takes all of them
    assert found.count(None) / len(found) >= least


def test_questions_in_other_languages_are_stopped() -> None:
    found = reasons(*read(OTHERS, "question"))
    assert len(found) >= 320
    assert found.count(None) / len(found) <= 0.03


def test_no_language_slips_through() -> None:
    stopped = defaultdict[str, list[bool]](list)
    for language, reason in zip(read(OTHERS, "language"), reasons(*read(OTHERS, "question")), strict=True):
        stopped[language].append(reason is not None)
    assert sorted(stopped) == ["de", "es", "fr", "hi-Latn", "vi", "zh"]
    assert all(len(each) >= 50 and sum(each) / len(each) >= 0.95 for each in stopped.values())


def test_capitals_hide_no_language() -> None:
    found = reasons(*(text.upper() for text in read(OTHERS, "question")))
    assert found.count(None) / len(found) <= 0.03
    assert reasons(ENGLISH.upper()) == [None]
    assert None not in reasons("RAM KE PAAS 12 AAM HAIN. USNE 5 AAM KHA LIYE. AB USKE PAAS KITNE AAM BACHE HAIN?")


@pytest.mark.parametrize(
    "listed",
    [
        "In the figure, find the sum of the following ten angles: ABC, BCD, CDE, DEF, EFG, FGH, GHI, HIJ, IJA, JAB.",
        "How many of the following strands begin with A and end with G?\nACGT AGGT CCGG TTAG GGAT ACCT AGAG TTTT CCCC.",
    ],
)
def test_lists_of_points_and_letters_are_in_no_language(listed: str) -> None:
    assert reasons(listed) == [None]


@pytest.mark.parametrize("language", UNSEEN)
def test_languages_that_were_not_calibrated_on_are_stopped(language: str) -> None:
    assert reasons(UNSEEN[language])[0] in (f"language: {language}", "language: unclear")


def test_a_reject_names_the_language_where_it_is_sure() -> None:
    assert reasons(ENGLISH, GERMAN, FRENCH, VIETNAMESE) == [None, "language: de", "language: fr", "language: vi"]


def test_romanised_hindi_is_stopped_without_a_name() -> None:
    assert reasons(HINDI) == ["language: unclear"]


@pytest.mark.parametrize(
    "text", ["$x^2 + 2xy + y^2$", "\\[\\int_0^1 \\sin x\\,dx = {?}\\]", "12 + 7 * (3 - 1) = ?", "AB + CD = ?", "", "?!"]
)
def test_formulas_alone_are_in_no_language_and_kept(text: str) -> None:
    assert reasons(text) == [None]


@pytest.mark.parametrize("text", ["Find $x$.", "Evaluate $\\frac{1}{2}$", "Compute $2^{10}$.", "Simplify: $3!$"])
def test_one_word_of_english_beside_a_formula_passes(text: str) -> None:
    assert reasons(text) == [None]


@pytest.mark.parametrize(
    "text",
    ["Berechne $2^{10}$.", "Calcula $3!$", "Calculer $3!$", "Résoudre $2x = 3$", "计算 $\\frac{1}{2}$", "Tính $3!$"],
)
def test_one_word_of_another_language_beside_a_formula_does_not(text: str) -> None:
    assert reasons(text) != [None]


def test_a_question_with_its_translation_is_turned_down() -> None:
    assert reasons(f"{ENGLISH} {GERMAN}", f"{GERMAN}\n{ENGLISH}") == ["language: de", "language: de"]
    assert reasons(f"{ENGLISH}\n{UNSEEN['ja']}") == ["language: ja"]


def test_foreign_names_and_phrases_are_no_foreign_language() -> None:
    text = "Nguyễn and Jürgen buy 3 croissants each at the Boulangerie du Marché. How many croissants is that?"
    assert reasons(text, "If señor Peña says “hasta la vista” 4 times an hour, how often in a day?") == [
        None,
        None,
    ]


def test_several_languages_may_be_asked_for() -> None:
    assert reasons(ENGLISH, GERMAN, FRENCH, languages=("de", "en")) == [None, None, "language: fr"]
    assert reasons(f"{ENGLISH} {GERMAN}", languages=("de", "en")) == [None]


@pytest.mark.parametrize("language", ["de", "es", "fr", "vi", "zh"])
def test_each_of_them_can_be_kept_as_well(language: str) -> None:
    own = [q for q, of in zip(read(OTHERS, "question"), read(OTHERS, "language"), strict=True) if of == language]
    assert reasons(*own, languages=(language,)).count(None) / len(own) >= 0.95


@pytest.mark.parametrize("code", ["klingon", "EN", "", "hif"])
def test_an_unknown_code_is_refused_with_those_that_are_known(code: str) -> None:
    with pytest.raises(ValidationError, match=f"'{code}' is no language that can be identified; give some of af am"):
        KeepLanguage(languages=("en", code))


def test_no_language_at_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        KeepLanguage(languages=())


def test_the_known_codes_are_those_of_the_identifier() -> None:
    assert set(KNOWN_LANGUAGES) == {label for label in load_identifier().labels if len(label) == 2}


def test_dollars_are_no_formulas() -> None:
    assert text_segments("Ann has $5 and Ben has $7.") == [["Ann", "has", "and", "Ben", "has"]]


def test_formulas_figures_and_names_of_points_are_no_words() -> None:
    text = "In $\\triangle ABC$, side AB is 3.\n[asy]\ndraw((0,0)--(1,1));\n[/asy]\n求方程$x^2=1$的根"
    assert text_segments(text) == [["In", "side", "is", "求方程", "的根"]]


def test_a_stretch_is_whole_sentences_and_long_enough() -> None:
    found = text_segments(f"{ENGLISH} Is it 17? {GERMAN} Ja? Nein! Oder?")
    assert [part[0] for part in found] == ["farmer", "Is", "Wie"]
    assert all(sum(map(len, part)) >= SEGMENT_BYTES for part in found)
    assert [word for part in found for word in part] == split_words(f"{ENGLISH} Is it 17? {GERMAN} Ja? Nein! Oder?")


@pytest.mark.parametrize("text", ["a" * 300_000, "$" * 300_000, "[asy]" * 60_000, "\\frac{" * 50_000, "= " * 150_000])
def test_a_text_without_end_is_read_in_one_go(text: str) -> None:
    assert len(text_segments(text)) <= 1


def test_the_identifier_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys; from tasks.questions import language\nlanguage.KeepLanguage(languages=('de',))\n"
    code += "print('py3langid' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
