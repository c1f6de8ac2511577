from __future__ import annotations

from itertools import pairwise

import attrs
import numpy as np
import pytest
from cosmos_core_city import camera, gates
from cosmos_core_city.build import build
from cosmos_core_city.labels import Label
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer
from cosmos_core_city.spec import LIGHTS, CitySpec, resolve

WEIGHTS = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def drawn(scene, spec, city):
    """The same view in every light: what it sees, and the picture."""
    view = camera.path(spec, city, 4, 24.0, 0).view(2, 640, 352)

    def draw(**changes):
        told = attrs.evolve(spec, **changes)
        with Renderer(scene, daylight(told, city), EXPOSURE) as renderer:
            return renderer.draw(view)

    return {light: draw(light=light) for light in LIGHTS} | {"snow": draw(snow=1.0)}


@pytest.mark.parametrize("light", LIGHTS)
def test_every_light_stays_within_its_gates(drawn, light):
    """No light is too dark or too bright for what a model takes."""
    assert [] == list(gates.refuse_shading(drawn[light][1], light))


def test_light_changes_colours_and_nothing_else(drawn):
    """Visibility and depth are the same bits in every light."""
    ids, inverse = drawn["day"][0].ids.tobytes(), drawn["day"][0].inverse.tobytes()

    assert {(ids, inverse)} == {(seen.ids.tobytes(), seen.inverse.tobytes()) for seen, _ in drawn.values()}
    assert 5 == len({rgb.tobytes() for _, rgb in drawn.values()})


def test_it_gets_darker_from_noon_to_night(drawn):
    """Mean luma falls from day over dusk to night."""
    day, dusk, night = ((drawn[light][1] @ WEIGHTS).mean() for light in ("day", "dusk", "night"))

    assert day > 1.2 * dusk > 1.2 * night


def test_some_windows_are_lit_at_night_and_stay_lit(scene, spec, city):
    """A window that is lit in one frame is lit in the next, seen from a little further; others are dark."""
    told = attrs.evolve(spec, light="night")
    path = camera.path(told, city, 12, 24.0, 0)
    panes = np.append(np.isin(scene.materials[scene.material, 0], [5]), False)
    bright = []
    with Renderer(scene, daylight(told, city), EXPOSURE) as renderer:
        for frame in (5, 6):
            seen, rgb = renderer.draw(path.view(frame, 640, 352))
            mask = panes[seen.ids] & (seen.inverse > 1 / 60)
            luma = np.bincount(seen.ids[mask] >> 1, rgb[mask] @ WEIGHTS, len(panes))
            count = np.bincount(seen.ids[mask] >> 1, minlength=len(panes))
            bright.append(np.where(count > 30, luma / np.maximum(count, 1), np.nan))
    both = ~np.isnan(bright[0]) & ~np.isnan(bright[1])

    assert both.sum() > 8
    assert abs(bright[0][both] - bright[1][both]).max() < 30.0
    assert (bright[0][both] > 90).any()
    assert (bright[0][both] < 40).any()


def test_an_overcast_sky_casts_no_shadow(scene, spec, city):
    """Where the sun stands makes no difference under clouds, and a great one by day."""
    view = camera.path(spec, city, 4, 24.0, 0).view(2, 320, 176)

    def differs(light):
        pictures = []
        for azimuth in (40.0, 232.0):
            told = attrs.evolve(spec, light=light, sun_azimuth=azimuth)
            with Renderer(scene, daylight(told, city), EXPOSURE) as renderer:
                seen, rgb = renderer.draw(view)
                pictures.append(rgb[seen.ids >= 0].astype(int))
        return abs(pictures[0] - pictures[1]).mean()

    assert differs("overcast") < 0.5
    assert differs("day") > 8.0


def test_snow_whitens_the_sidewalk_and_spares_the_fronts(drawn, scene):
    """Upward faces turn white; walls keep their colour within the noise of reflected light."""
    label = np.append(scene.label, 0)[drawn["day"][0].ids]
    change = (drawn["snow"][1].astype(int) - drawn["day"][1]) @ WEIGHTS
    level = np.append(scene.normals[:, 2] > 0.9, False)[drawn["day"][0].ids]

    assert change[label == Label.VEHICLE].max() > 60
    assert change[(label == Label.ROAD) & level].mean() > 25
    assert abs(change[(label == Label.BUILDING) & ~level]).mean() < 2.0


def test_seasons_dress_the_trees():
    """Leaves are green, yellow or gone; the trees stand where they stood."""
    cities = {season: resolve(CitySpec(season=season)) for season in ("summer", "autumn", "winter")}

    assert {"green"} == {tree.leaves for tree in cities["summer"].trees}
    assert {"yellow"} == {tree.leaves for tree in cities["autumn"].trees}
    assert {"none"} == {tree.leaves for tree in cities["winter"].trees}
    assert 1 == len({tuple((tree.x, tree.y) for tree in city.trees) for city in cities.values()})


def test_bare_trees_are_still_vegetation():
    """A winter's scene has twigs, no leaves anywhere, and the label of trees."""
    scene = build(resolve(CitySpec(seed=3, season="winter")))

    assert (scene.label == Label.VEGETATION).sum() > 1000
    assert not (scene.materials[:, 0] == 7).any()


def test_a_palette_repaints_the_same_houses():
    """Only colours and materials of the fronts change, and neighbours still differ."""
    plain, painted = resolve(CitySpec(seed=5)), resolve(CitySpec(seed=5, palette=2))
    side = [house for house in painted.buildings if house.side == 1]

    assert [h.wall for h in plain.buildings] != [h.wall for h in painted.buildings]
    assert plain == attrs.evolve(
        painted,
        buildings=tuple(
            attrs.evolve(new, wall=old.wall, paint=old.paint, accent=old.accent)
            for old, new in zip(plain.buildings, painted.buildings, strict=True)
        ),
    )
    assert all(a.wall != b.wall for a, b in pairwise(side))
