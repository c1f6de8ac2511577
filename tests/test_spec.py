"""Specs, prompts and what can be wrong with them."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_core import canonical
from cosmos_core.errors import Level
from cosmos_core.spec import Control, Prompt, Spec, controls, review, suggest_name


def make(**changes):
    asked = {
        "backend": "preview",
        "prompt": Prompt("a tram"),
        "frames": 93,
        "fps": 24,
        "width": 1280,
        "height": 704,
        **changes,
    }
    return Spec(**asked)


def failures(spec):
    return [finding for finding in review(spec) if finding.level is Level.FAIL]


def test_a_plain_request_has_no_findings():
    """
    Nothing is said about a request that is right.
    """
    assert [] == list(review(make(controls=controls({"edge": 0.5}))))


def test_the_order_of_controls_does_not_matter():
    """
    Two specs that ask for the same pixels have one digest.
    """
    one = make(controls=controls({"edge": 0.5, "depth": 1}))
    other = make(controls=controls({"depth": 1.0, "edge": 0.5}))

    assert one.digest == other.digest


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"frames": 92},
        {"fps": 25},
        {"width": 1278},
        {"prompt": Prompt("a tram", "blurry")},
        {"clip": "0" * 64},
        {"backend": "other"},
        {"controls": controls({"edge": 0.5})},
        {"options": {"steps": 35}},
    ],
)
def test_whatever_changes_the_pixels_changes_the_digest(change):
    """
    Every field is part of the request's identity.
    """
    assert make().digest != make(**change).digest


@pytest.mark.parametrize(
    ("change", "where", "said"),
    [
        ({"prompt": Prompt("  ")}, "prompt", "empty"),
        ({"prompt": Prompt("a\x00b")}, "prompt", "NUL"),
        ({"frames": 0}, "frames", "0 frames"),
        ({"fps": 0}, "fps", "outside 1 to 240"),
        ({"seed": -1}, "seed", "-1"),
        ({"seed": 2**31}, "seed", "outside"),
        ({"width": 1279}, "width", "1279"),
        ({"height": 8}, "height", "8"),
        ({"controls": controls({"edgy": 0.5})}, "controls", "edgy"),
        ({"controls": controls({"edge": 1.5})}, "controls", "1.5"),
        ({"controls": controls({"edge": float("nan")})}, "controls", "nan"),
        ({"controls": (Control(kind="edge"), Control(kind="edge"))}, "controls", "2 times"),
    ],
)
def test_what_is_wrong_is_named_with_its_value(change, where, said):
    """
    A wrong value gives one failing finding that says where and what.
    """
    (found,) = failures(make(**change))

    assert where == found.where
    assert said in found.message


def test_all_problems_come_at_once():
    """
    Three mistakes give three findings, not the first one.
    """
    assert {"frames", "seed", "controls"} == {
        finding.where
        for finding in failures(make(frames=0, seed=-1, controls=controls({"x": 9})))
        if finding.where
    }


def test_a_prompt_longer_than_the_models_read_is_warned_about():
    """
    301 words are too many to be read well, and no reason to stop.
    """
    (found,) = review(make(prompt=Prompt("word " * 301)))

    assert Level.WARN == found.level


@given(
    st.text(min_size=1, max_size=40),
    st.integers(0, 2**31 - 1),
    st.dictionaries(st.sampled_from(["depth", "edge", "seg", "vis"]), st.floats(0, 1)),
)
def test_any_spec_survives_its_json(text, seed, weights):
    """
    A spec read back from its canonical JSON is the same and has the same digest.
    """
    spec = make(prompt=Prompt(text), seed=seed, controls=controls(weights))
    back = canonical.restore(Spec, canonical.plain(spec))

    assert spec == back
    assert spec.digest == attrs.evolve(back, seed=seed).digest


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A burning tram at night, photorealistic", "burning-tram-night"),
        ("Cyberpunk city", "cyberpunk-city"),
        ("the the of", "prompt"),
        ("", "prompt"),
        ("Überfall am Rathaus!", "uberfall-am-rathaus"),
        ("../../etc/passwd; rm -rf $(HOME)", "etc-passwd-rm"),
        ("x" * 100, "x" * 40),
    ],
)
def test_a_name_is_suggested_from_the_telling_words(text, name):
    """
    Names are plain slugs, whatever the text holds.
    """
    assert name == suggest_name(text)
