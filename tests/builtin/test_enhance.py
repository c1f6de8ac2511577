"""The template adds what a prompt lacks, and nothing else."""

from __future__ import annotations

import pytest

from cosmos_core.builtin import enhance as template
from cosmos_core.builtin.enhance import TemplateOptions, enhance
from cosmos_core.errors import InputError
from cosmos_core.extend import Prompt

CAMERA = "Filmed with a steady camera in sharp focus."
NATURAL = "Natural light, with true colors and soft shadows."
SOFT = "The light is soft and even."
MOVES = "Everything moves smoothly and at a natural speed."


def _enhanced(text, **chosen):
    return enhance(Prompt(text), None, TemplateOptions(**chosen)).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a ruined street", f"a ruined street. {CAMERA} {NATURAL} {MOVES}"),
        ("A ruined street!", f"A ruined street! {CAMERA} {NATURAL} {MOVES}"),
        ("a street in fog", f"a street in fog. {CAMERA} {SOFT} {MOVES}"),
        ("a crowd at night", f"a crowd at night. {CAMERA} People move at a natural pace."),
        (
            "a tram, aerial view at dusk, no drone",
            "a tram, aerial view at dusk, no drone. Vehicles move at a steady, natural speed.",
        ),
        ("a drone shot at noon of a collapsing tower", "a drone shot at noon of a collapsing tower"),
        ("a tall building", f"a tall building. {CAMERA} {NATURAL} {MOVES}"),
    ],
)
def test_empty_slots_are_filled(text, expected):
    """Camera, light and motion, in that order, each only where the text says nothing about it."""
    assert expected == _enhanced(text)


@pytest.mark.parametrize("text", ["a ruined street", "cars in the rain", "people, handheld", "雨の街"])
def test_enhancing_twice_changes_nothing(text):
    """What it added fills the slot."""
    assert _enhanced(text) == _enhanced(_enhanced(text))


def test_own_words_take_a_slot_and_come_once():
    """A sentence of the user's own is used as it is, and not repeated."""
    once = _enhanced("a street", camera="Low angle, 35 mm.")

    assert once.startswith("a street. Low angle, 35 mm. ")
    assert 1 == _enhanced(once, camera="Low angle, 35 mm.").count("35 mm")


@pytest.mark.parametrize("words", [280, 291, 292, 299, 300, 400])
def test_a_prompt_stays_under_300_words(words):
    """Sentences that do not fit stay out, and a text is never cut."""
    text = " ".join(["brick"] * words)
    enhanced = _enhanced(text)

    assert enhanced.startswith(text)
    assert len(enhanced.split()) < max(300, words + 1)


def test_the_negative_text_stays():
    """It says what not to show; nothing is added to it."""
    assert Prompt("a street at noon, filmed slowly", "blurry") == enhance(
        Prompt("a street at noon, filmed slowly", "blurry")
    )


@pytest.mark.parametrize("text", ["", "  \n"])
def test_nothing_cannot_be_enhanced(text):
    """There must be something to start from."""
    with pytest.raises(InputError, match="the prompt is empty"):
        _enhanced(text)


def test_it_is_on_offer():
    """Under its name, with options that have help."""
    (offer,) = template.cosmos_enhancers()

    assert "template" == offer.name
    assert TemplateOptions is offer.options
