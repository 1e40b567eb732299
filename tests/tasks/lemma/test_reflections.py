"""Sentences after a wrong step: those that admit the error, and those that only go on."""

from random import Random

import pytest

from tasks.lemma.reflections import admits_mistake
from tasks.pupil.error_examples import ANSWER_REFLECTIONS, REFLECTIONS, RESTART_PHRASES

ADMISSIONS = (
    "Wait, that is not right: 12 times 3 is 36.",
    "I multiplied where I should have added.",
    "Hold on: the discount applies to both tickets.",
    "Hmm, 39 minus 7 is 32, and 32 plus 11 is only 43, so 45 cannot be right.",
    "Oh no, what I've written is the volume of a cylinder, and a cone holds only a third of that.",
    "That 12 km looks far off; a kilometer is 1000 m.",
    "Let me add that up once more: 32 and 11 make 43, so I went two too far with the 45.",
    "Twelve kilometers in three laps can't be true; I divided by 100 when I should have divided by 1000.",
    "Hang on, 8 * 5 gives square meters, but a fence is measured along the edge.",
    "No, 1200 m make 1.2 km, the point has slipped.",
    "Actually, I forgot that the dice are distinct.",
    "Hmm, wait. If fewer people paint, it can't go faster, so that was backwards.",
    "Wait, 320 - 120 = 200 and not 220.",
    "I took the radius for the diameter, which is wrong.",
    "I added the percentages instead of applying them one after the other.",
    "That doesn't make sense: nobody can eat half of a third.",
    "That does not add up.",
    "This can't be right, since the whole has only 60 parts.",
    "The last line is incorrect, because 7 * 8 is 56.",
    "My last step is false: the sign has to change.",
    "I left out the fee.",
    "I mixed up the two speeds.",
    "I forgot to carry the one.",
    "I misread the question; it asks for the altos.",
    "I have counted one post too few.",
    "That is far too many for a class of 30.",
    "Oops, the 5 belongs to the other side.",
    "I overlooked that the first 100 texts are free.",
    "It should be 36, since three dozen are 36.",
    "I shouldn't have subtracted the quarter of the whole cake.",
    "Scratch that, I used the area where the perimeter is needed.",
    "I skipped the step in which the trees are doubled.",
    "3 * 12 is not 35.",
    "Hmm, Mira doesn't eat a quarter of the whole cake.",
    "There is a mistake in my last line.",
    "I slipped there: 98 / 6 is 16 remainder 2.",
    "Stop. The tank is already half full.",
    "The result contradicts what I found before.",
    "I computed the area, but the question asks for the perimeter.",
    "I was too hasty: the fence has two ends.",
    "On second thought, the order does not count here.",
    "Let me look at that again: the numbers are right, but the operation is wrong.",
    "A fence of 40 m would not reach around; I used the formula of an area, which was a mistake.",
    "No wait, a dozen is 12.",
    "Hmm, that number looks suspicious.",
    "I wrote 220, but that is not what is left.",
    "**Wait**, the train stops for ten minutes.",
    "\u201cHold on, I\u2019ve swapped the two numbers.\u201d",
    "I divided by 2 as if the tank were full.",
    "The 40 m that I found are an area, not a length; that was wrong.",
    "Hmm, let me double-check. Mira ate a quarter of what was left, not a quarter of the whole cake.",
    "The question says a quarter of what is left, and I took a quarter of the whole.",
    "I see the issue now: the quarter refers to the remaining two thirds.",
    "That subtraction bothers me, because the quarter is of the rest.",
    "The last step doesn't take into account that only the rest is eaten from.",
    "Let me correct my last step, in which I took a quarter of the whole cake.",
    "My last step treats the quarter as one of the whole cake.",
    "Is 45 really right? 39 and 4 make 43.",
    "Hmm, something's off: the 8 m in the question is the distance across the pond.",
    "Something is a bit off here: the pond is round.",
    "Something seems odd, because the rest is larger than the whole.",
    "I multiplied the sides, but that is the area of the garden; a fence goes around it.",
    "I've added the two speeds, but this gives the distance of both trains.",
    "I took 12, but that's the diameter of the pond.",
    "I divided by 7, yet it is a price per week.",
    "I multiplied the sides; a fence needs the perimeter instead.",
)
GOING_ON = (
    "So the area is 86, but we still need the altitude.",
    "We do not need the other sides.",
    "Next, let's check the altitude.",
    "Next I multiply by the price of the fence.",
    "Now we should find the perimeter.",
    "However, the fence also has a gate.",
    "We should now multiply by 3.",
    "The total should be computed next.",
    "Let me verify the result.",
    "Let me check that nothing is wrong.",
    "There is no mistake so far.",
    "So far, so good.",
    "That is right, and so we go on.",
    "Wait, we still need the altitude.",
    "Wait, that is correct.",
    "Hold on, we also need the tax.",
    "Hmm, next comes the altitude.",
    "Hmm.",
    "Wait.",
    "The length cannot be negative, so x = 7.",
    "The triangle does not have a right angle, so Heron's formula is used.",
    "It does not matter which side comes first.",
    "The denominator is not 0.",
    "20 seats are not enough for everybody, so two buses are needed.",
    "Instead of finding the sides, we find the angles.",
    "Again, we multiply by 12.",
    "The bus goes back to the station.",
    "To avoid an error, I work with fractions.",
    "The margin of error is 2 percent.",
    "I add 3 and 4, but first I double the 3.",
    "But the second train is faster.",
    "Then the odd numbers are left.",
    "The strange number 1729 is a sum of two cubes.",
    "He missed 3 of his 10 shots.",
    "She lost 5 marbles and found 2.",
    "We can check this by adding the parts.",
    "The waiter brings 3 cups.",
    "No cats are left.",
    "Stop signs have 8 sides.",
    "Actually, this is easy.",
    "Let's verify: 12 + 24 = 36, which is correct.",
    "2 * (8 + 5) = 26 m.",
    "So the answer follows from what we know.",
    "Therefore 12 trees are planted.",
    "Finally, we subtract the fee.",
    "Yet another way is to add them.",
    "",
    "#### 12",
    "The answer should be a whole number, so we round up.",
    "Each of them does not pay the fee.",
    "So she should have 12 apples left.",
    "Let me double-check this step.",
    "Is that right? Yes, since 3 * 4 = 12.",
    "However, Mira eats a quarter of what is left.",
    "She takes 3 pens, not a pencil.",
    "The last step gives the area.",
    "There should be 12 of them.",
    "It is impossible for both of them to be odd.",
    "I multiplied the sides, but that is fine.",
    "I found the radius, but this is only a part of the work.",
    "I found the area, but that is the first part.",
    "Something is in the box, and it is of gold.",
    "I added the sides, and that gives the perimeter.",
)


@pytest.mark.parametrize("sentence", ADMISSIONS)
def test_a_sentence_that_admits_the_error_is_a_reflection(sentence: str) -> None:
    assert admits_mistake(sentence)


@pytest.mark.parametrize("sentence", GOING_ON)
def test_a_sentence_that_only_goes_on_is_none(sentence: str) -> None:
    assert not admits_mistake(sentence)


def test_a_number_of_the_wrong_step_may_be_denied() -> None:
    assert admits_mistake("An area doesn't tell how long a fence is, so the 40 is no length at all.", "8 * 5 = 40 m")
    assert not admits_mistake("So the 26 is no area at all.", "8 * 5 = 40 m")


def test_the_shipped_model_s_reflections_admit_the_error() -> None:
    rng = Random(1)
    sentences = [text for texts in (*REFLECTIONS.values(), ANSWER_REFLECTIONS.values()) for text in texts]
    for text in sentences:
        sentence = text.format(sum="12 * 3", result="35")
        assert admits_mistake(sentence, "12 * 3 = 35"), sentence
        assert admits_mistake(f"{sentence} {rng.choice(RESTART_PHRASES)}", "12 * 3 = 35")


@pytest.mark.parametrize("text", ["I added " * 10**4, "not " * 10**4, "let me " * 10**4, "too " * 10**4, "1" * 10**5])
def test_a_degenerate_text_is_judged_in_little_time(text: str) -> None:
    admits_mistake(text, "12 * 3 = 35")
