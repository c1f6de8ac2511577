from __future__ import annotations

from itertools import pairwise

import attrs
import pytest
from cosmos_core_city.spec import City, CitySpec, resolve
from cosmos_core_city.street import _PROPS
from cosmos_core_city.vehicles import SHAPES

from cosmos_core import canonical
from cosmos_core.errors import RefusedError
from cosmos_core.options import build


def test_the_defaults_are_a_city():
    """A spec without parameters is valid and is a clip for Transfer 2.5."""
    spec = CitySpec()

    assert ("transfer2.5", "dolly", None) == (spec.profile, spec.camera, spec.frames)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("seed", "-1", "seed is -1; allowed is 0 to 2147483647"),
        ("haze", "1.5", "haze is 1.5; allowed is 0.0 to 1.0"),
        ("camera", "helicopter", "camera is 'helicopter'; allowed is dolly, dashcam, drone, aerial, tripod"),
        ("profile", "sora", "profile is 'sora'; allowed is transfer2.5, cosmos3, transfer1"),
        ("width", "1281", "width is 1281; allowed are even numbers from 64 to 4096"),
        ("frames", "1", "frames is 1; allowed is 2 to 2000"),
        ("storeys", "tall", "is not a whole number"),
        ("sun_elevation", "90", "sun_elevation is 90.0; allowed is 5.0 to 85.0"),
    ],
)
def test_a_bad_value_is_a_sentence_with_what_is_allowed(name, value, sentence):
    """What is out of range is refused before any work, and the sentence names the range."""
    with pytest.raises(RefusedError) as refused:
        build(CitySpec, {name: value}, where="city")

    assert sentence in refused.value.findings[0].message


def test_an_unknown_parameter_lists_the_known_ones():
    """A misspelt parameter is refused with the names there are."""
    with pytest.raises(RefusedError) as refused:
        build(CitySpec, {"sead": "3"}, where="city")

    assert "city has no option 'sead'" == refused.value.findings[0].message
    assert "seed, profile, camera" in refused.value.findings[0].hint


def test_equal_specs_resolve_to_equal_cities():
    """The resolved description is a function of the spec."""
    assert resolve(CitySpec(seed=5)) == resolve(CitySpec(seed=5))
    assert resolve(CitySpec(seed=5)).buildings != resolve(CitySpec(seed=6)).buildings


def test_one_parameter_leaves_the_rest_of_the_city_alone():
    """Fewer trees change no house and no car, so a sweep varies one thing."""
    full, bare = resolve(CitySpec(trees=1.0)), resolve(CitySpec(trees=0.0))

    assert () == bare.trees
    assert attrs.evolve(full, trees=()) == bare


def test_the_resolved_city_survives_json():
    """Another builder can read the city as plain JSON."""
    city = resolve(CitySpec(seed=2))

    assert city == canonical.restore(City, canonical.plain(city))


@pytest.mark.parametrize("seed", range(1, 6))
def test_houses_fill_the_block_without_overlap(seed):
    """Each side of the street is 12 to 20 houses' half: they touch, and end where the block ends."""
    city = resolve(CitySpec(seed=seed))
    for side in (1, -1):
        houses = sorted((h for h in city.buildings if h.side == side), key=lambda house: house.x)

        assert 6 <= len(houses) <= 10
        assert all(abs(a.x + a.width - b.x) < 0.01 for a, b in pairwise(houses))
        assert pytest.approx(city.length, abs=0.01) == houses[-1].x + houses[-1].width
        assert all(3 <= house.floors <= 8 for house in houses[1:-1])
        assert all(3 <= house.floors <= 12 for house in houses)


def test_a_few_houses_are_taller():
    """Some corners have nine storeys or more, most have not."""
    floors = [house.floors for seed in range(20) for house in resolve(CitySpec(seed=seed)).buildings]

    assert 10 <= sum(count >= 9 for count in floors) <= 60
    assert 12 == max(floors)


def test_all_kinds_of_vehicles_and_furniture_occur():
    """Over ten seeds every kind is drawn, also beyond the crossings."""
    cities = [resolve(CitySpec(seed=seed)) for seed in range(10)]

    assert set(SHAPES) == {car.kind for city in cities for car in city.vehicles}
    assert set(_PROPS) == {prop.kind for city in cities for prop in city.props}
    assert all(any(car.x < 0.0 for car in city.vehicles) for city in cities)


def test_winter_has_no_flowers():
    """Plants on sills and in tubs are for the other seasons."""
    winter, summer = (resolve(CitySpec(seed=2, season=season)) for season in ("winter", "summer"))

    assert not any(house.plants for house in (*winter.buildings, *winter.neighbours))
    assert "planter" not in {prop.kind for prop in winter.props}
    assert "planter" in {prop.kind for prop in summer.props}


@pytest.mark.parametrize("seed", range(1, 6))
def test_parked_vehicles_keep_apart(seed):
    """No two vehicles of a side overlap, and each stands between kerb and lane."""
    city = resolve(CitySpec(seed=seed, vehicles=1.0))
    for side in (1, -1):
        places = sorted(v.x for v in city.vehicles if v.y * side > 0)

        assert all(b - a > 4.0 for a, b in pairwise(places))
    assert all(city.road - 1.3 < abs(v.y) < city.road - 1.0 for v in city.vehicles)
