"""What a judge's words mean, and that unclear ones mean nothing."""

from __future__ import annotations

import pytest
from cosmos_core_reason import replies
from cosmos_core_reason.replies import UnclearError


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("4", 4),
        ("4.", 4),
        (" **4** ", 4),
        ("Score: 4", 4),
        ("Score (1-5): 4", 4),
        ("The video is good. 4/5", 4),
        ("I rate it 3 out of 5", 3),
        ("On a scale of 1 to 5, I'd give it a 4.", 4),
        ("4 - mostly fine", 4),
        ("Final score:\n\n4\n\nBecause the 2 cars keep their shape", 4),
        ("Score: 4 because the 2 cars keep their shape", 4),
        ("Objects 5/5, motion 4/5, overall 3/5", 3),
        ("<answer>\n2\n</answer>", 2),
        ("<think>5 is too much, 4 perhaps</think>\n3", 3),
        ("so it is 5, no, less.</think>3", 3),
    ],
)
def test_a_score_is_found_in_the_prose_around_it(text, score):
    """
    Thinking counts for nothing, and numbers that say something else are left alone.
    """
    assert score == replies.scale(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("6", "6 is not a score"),
        ("0", "0 is not a score"),
        ("-1", "-1 is not a score"),
        ("3.5", "3.5 is not a score"),
        ("10/5", "10 is not a score"),
        ("Score: 45", "45 is not a score"),
        ("", "empty"),
        ("<answer></answer>", "empty"),
        ("<think>4 or 5", "still thinking"),
        ("I cannot help with that.", "no score"),
        ("In the video 2 cars collide plausibly.", "no score"),
        ("1. Object: good\n2. Motion: fine\n3. Contact: fine\n4. Time: fine", "no score"),
        ("between 3 and 4", "several numbers"),
        ("3\n4", "several numbers"),
        ("It is a 3, not a 4", "several numbers"),
    ],
)
def test_what_gives_no_one_score_is_an_error_and_never_a_three(text, why):
    """
    The error says what is wrong with the words.
    """
    with pytest.raises(UnclearError, match=why):
        replies.scale(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes", True),
        ("no.", False),
        ("**No**, nothing", False),
        ("<think>Yes?</think><answer>\nNo\n</answer>", False),
    ],
)
def test_yes_and_no_are_the_first_word(text, said):
    """
    Case, marks and thinking do not matter.
    """
    assert said is replies.yes(text)


@pytest.mark.parametrize("text", ["Perhaps", "Not sure", "Yes\nNo", "Nothing is wrong", "Yes | No"])
def test_neither_yes_nor_no_is_an_error(text):
    """
    "Nothing" begins as "no" does, and is none; the form itself, given back, is none either.
    """
    with pytest.raises(UnclearError):
        replies.yes(text)


def test_a_critics_components_are_told_apart():
    """
    Those with an anomaly are named, also where the rest is no XML.
    """
    text = """<think><component name="Car & wheel"><analysis>5 < 6</analysis><anomaly>Yes</anomaly></component>
    <component name='Sky'><analysis>-</analysis><anomaly>No</anomaly></component></think>"""

    assert ("Car & wheel",) == replies.anomalies(text)


OPTIONS = {"A": "clear", "B": "rain", "C": "snow"}


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b.", "B"),
        ("(C)", "C"),
        ("B) rain", "B"),
        ("The answer is (C).", "C"),
        ("Answer: C", "C"),
        ("It is rain.", "B"),
        ("There is no rain, it is snow", "C"),
    ],
)
def test_a_choice_is_a_letter_or_the_option_in_words(text, letter):
    """
    An option that is negated is not chosen.
    """
    assert letter == replies.choice(text, OPTIONS)


@pytest.mark.parametrize("text", ["Rain or snow", "A rainy day", "none of them", "D", "(A) or (B)"])
def test_a_choice_of_none_or_several_is_an_error(text):
    """
    An article is no letter.
    """
    with pytest.raises(UnclearError):
        replies.choice(text, OPTIONS)


@pytest.mark.parametrize(
    ("text", "answer", "keywords", "passes"),
    [
        # NVIDIA's own matcher fails this one: it looks for keywords only where the whole sentence stands.
        ("The arms hold blue fabric", "A piece of blue fabric", ("blue", "fabric"), True),
        ("The arms hold blue fabric", "", ("blue", "fabric"), True),
        ("The arms hold a piece of blue fabric.", "A piece of blue fabric", (), True),
        ("The arms hold blue paper", "A piece of blue fabric", ("blue", "fabric"), False),
        ("There is no blue fabric", "", ("blue fabric",), False),
        ("There is no paper, but there is blue fabric", "", ("blue fabric",), True),
        ("They aren't blue", "", ("blue",), False),
        ("Bluebells", "", ("blue",), False),
        ("Yes, it does", "yes", (), True),
        ("no.", "Yes", (), False),
        ("No, there is none", "No", (), True),
    ],
)
def test_a_reply_matches_by_its_answer_or_its_keywords(text, answer, keywords, passes):
    """
    Whole words count, and not where they are negated.
    """
    assert passes is replies.matches(text, answer, keywords)
