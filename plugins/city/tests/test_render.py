from __future__ import annotations

import numpy as np
import pytest
from cosmos_core_city import camera
from cosmos_core_city.labels import Label, table
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer, _inverse, outside


@pytest.fixture(scope="module")
def view(spec, city):
    return camera.path(spec, city, 4, 24.0, 0).view(2, 640, 352)


def draw(scene, view, spec, city, workers):
    with Renderer(scene, daylight(spec, city), EXPOSURE, workers=workers) as renderer:
        picture, rgb = renderer.draw(view)
    return picture.ids.tobytes(), picture.inverse.tobytes(), rgb.tobytes()


def test_threads_do_not_change_a_bit(scene, view, spec, city):
    """One, two and five threads give the same triangles, distances and colours."""
    one = draw(scene, view, spec, city, 1)

    assert one == draw(scene, view, spec, city, 2)
    assert one == draw(scene, view, spec, city, 5)


def test_a_frame_does_not_depend_on_those_before(scene, view, spec, city):
    """Scratch memory of one frame leaves no trace in the next."""
    with Renderer(scene, daylight(spec, city), EXPOSURE, workers=2) as renderer:
        _, fresh = renderer.draw(view)
        renderer.draw(camera.path(spec, city, 4, 24.0, 3).view(0, 320, 176))
        _, again = renderer.draw(view)

    assert fresh.tobytes() == again.tobytes()


def test_the_street_is_rich_enough(scene, city):
    """The scene has its triangles and labels, and every triangle names a material, an instance and a group."""
    assert 250_000 <= len(scene.triangles) <= 400_000
    assert len(np.unique(scene.label)) >= 15
    assert 12 <= len(city.buildings) <= 20
    assert scene.material.max() < len(scene.materials)
    assert scene.instance.max() < len(scene.instances)
    assert 1 <= scene.group.min() <= scene.group.max() < len(scene.groups)


def test_the_label_table_is_the_published_one():
    """Twenty-one classes, numbered for good."""
    assert list(range(21)) == sorted(table().values())
    assert (0, 1, 4, 12, 20) == tuple(
        table()[name] for name in ("sky", "road", "building", "rubble", "background_building")
    )
    assert Label.SKY == 0


def test_normals_of_roads_and_roofs_point_up(scene):
    """What one walks on faces the sky."""
    flat = np.isin(scene.label, [Label.ROAD, Label.LANE_MARKING]) & (abs(scene.normals[:, 2]) > 0.9)

    assert (scene.normals[flat, 2] > 0).mean() > 0.7
    assert (scene.normals[scene.label == Label.LANE_MARKING, 2] > 0.99).all()


def test_what_is_outside_the_view_is_left_out_without_a_trace(scene, city, spec):
    """Many things are not looked at, and every pixel sees what it sees when all of them are."""
    views = [camera.path(spec, city, 4, 24.0, attempt).view(0, 320, 176) for attempt in range(3)]
    with Renderer(scene, daylight(spec, city), EXPOSURE) as renderer:
        pruned = [renderer.look(view) for view in views]
        hidden = [
            outside(renderer._boxes, _inverse(view.pose), view.lens, view.size).mean() for view in views
        ]
        renderer._moves[:] = True
        whole = [renderer.look(view) for view in views]

    assert min(hidden) > 0.2
    for one, other in zip(pruned, whole, strict=True):
        assert one.ids.tobytes() == other.ids.tobytes()
        assert one.inverse.tobytes() == other.inverse.tobytes()
