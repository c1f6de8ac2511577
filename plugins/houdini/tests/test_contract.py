"""The generator keeps the core's contract, with a Houdini that is none."""

from __future__ import annotations

import attrs
import cosmos_core_houdini
import pytest
from cosmos_core_houdini import job
from cosmos_core_houdini.options import HoudiniOptions, city_parameters

from cosmos_core.testing.generator import GeneratorContract


class TestHoudini(GeneratorContract):
    """A scene of two boxes, four frames."""

    @pytest.fixture
    def generator(self):
        return next(iter(cosmos_core_houdini.cosmos_generators()))

    @pytest.fixture
    def options(self, scene):
        return HoudiniOptions(hip=str(scene), camera="/obj/cam1", end=4, width=128, height=96)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "say either hip or city"),
        ({"hip": "gone.hip"}, "there is no scene gone.hip"),
        ({"hip": "gone.hip"}, "camera is ''"),
        ({"city": "{"}, "city is '{'"),
        ({"city": "seed 3"}, "'seed' is not name=value"),
        ({"city": "seed=3", "width": 333}, "width is 333"),
        ({"city": "seed=3", "hython": "/gone"}, "the setting hython names /gone"),
    ],
)
def test_options_are_judged_before_any_work(options, words):
    """All findings at once."""
    findings = list(job.review_options(HoudiniOptions(**options)))

    assert any(words in finding.message for finding in findings), findings


@pytest.mark.parametrize(
    "text", ["seed=3 damage=0.5 light=dusk", '{"seed": 3, "damage": 0.5, "light": "dusk"}']
)
def test_a_city_is_said_in_words_or_in_json(text):
    """On a command line a comma would be a sweep, so words are the easier way."""
    assert {"seed": 3, "damage": 0.5, "light": "dusk"} == city_parameters(text)


def test_the_generators_defaults_fit_the_model():
    """1280x704, 93 frames at 24: what Transfer 2.5 was trained on."""
    options = attrs.asdict(HoudiniOptions())

    assert (1280, 704, 1, 93, 24) == tuple(
        options[name] for name in ("width", "height", "start", "end", "fps")
    )
