from __future__ import annotations

from itertools import product

import pytest
from cosmos_core_city.labels import table
from cosmos_core_city.prompt import suggest
from cosmos_core_city.spec import CAMERAS, LIGHTS, SEASONS, CitySpec, resolve

ALL = frozenset(table())


def words(*, labels=ALL, **parameters):
    spec = CitySpec(**parameters)
    return suggest(spec, resolve(spec), labels)


@pytest.mark.parametrize("season", SEASONS)
def test_every_prompt_is_short_enough_for_a_model(season):
    """Whatever is asked for at once, the prompt stays under 300 words and is made of whole sentences."""
    for camera, light, damage, offset in product(
        CAMERAS, LIGHTS, (0.0, 0.5, 1.0), ("before", "during", "after")
    ):
        text = words(
            seed=4, camera=camera, light=light, season=season, snow=1.0, damage=damage, offset=offset
        )

        assert 60 < len(text.split()) < 300
        assert text.endswith(".")
        assert "  " not in text


def test_a_prompt_says_what_was_asked_for():
    """Light, season, snow, damage and camera each change the words."""
    plain = words()

    assert "Night" in words(light="night")
    assert "overcast" in words(light="overcast")
    assert "Dusk" in words(light="dusk")
    assert "Bare winter trees" in words(season="winter")
    assert "snow" in words(snow=0.8)
    assert "explosion" in words(damage=0.6)
    assert "ruin" in words(damage=0.6, offset="after")
    assert "roof line" in words(camera="aerial")
    assert not {"snow", "explosion", "Night", "ruin"} & set(plain.replace(",", "").split())


def test_more_damage_reads_worse():
    """The extent of the damage has words of its own."""
    texts = {words(damage=amount, offset="after") for amount in (0.1, 0.5, 1.0)}

    assert 3 == len(texts)


def test_a_prompt_names_only_what_is_seen():
    """What no pixel shows is not promised."""
    text = words(labels=frozenset({"road", "building", "window"}), damage=0.5, offset="after")

    assert not [
        word for word in ("fire escape", "cars", "trees", "shops", "water tower", "rooms") if word in text
    ]


def test_before_the_blast_the_prompt_keeps_quiet():
    """A clip in which nothing has happened yet is described as the untouched street."""
    assert words(damage=0.9, offset="before") == words()
