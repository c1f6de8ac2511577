from __future__ import annotations

import attrs
import numpy as np
import pytest
from cosmos_core_city import camera, gates
from cosmos_core_city.build import build
from cosmos_core_city.generate import choose, output
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer
from cosmos_core_city.spec import CAMERAS, CitySpec, resolve


@pytest.mark.parametrize("seed", range(1, 11))
def test_no_camera_ends_up_in_a_wall(seed):
    """For ten seeds, whatever the family, the chosen path keeps its distance and passes every gate."""
    spec = CitySpec(seed=seed, camera=CAMERAS[seed % 3], width=160, height=88, frames=93)
    city = resolve(spec)
    scene = build(city)
    with Renderer(scene, daylight(spec, city), EXPOSURE) as renderer:
        shot = choose(spec, city, scene, renderer, output(spec))
    eyes = shot.path.poses[:, :3, 3]

    assert camera.clearance(scene, eyes) >= camera.CLEARANCE
    assert abs(eyes[:, 1]).max() < city.facade - camera.CLEARANCE
    assert len(shot.seen.labels) >= gates.LABELS
    assert () == shot.seen.refusals


def test_a_path_through_a_wall_is_refused(scene, spec, city):
    """The gates see a camera that stands inside a house, by its clearance and by its picture."""
    house = city.buildings[0]
    eye = np.array([house.x + house.width / 2, house.side * (city.facade + 5.0), 5.0])
    inside = camera.Path(np.stack([camera.look(eye, np.add(eye, (5.0, 0.0, 0.0)))] * 2), 60.0, 0)
    with Renderer(scene, daylight(spec, city), EXPOSURE) as renderer:
        picture = renderer.look(inside.view(0, 320, 176))

    assert 0.0 == camera.clearance(scene, eye[None])
    assert list(gates.refuse_path(scene, inside))
    assert gates.survey(scene, [picture]).refusals


@pytest.mark.parametrize("family", CAMERAS)
def test_a_path_starts_and_stops_gently(family, city):
    """Speed at both ends is below half of the greatest, and no frame jumps."""
    spec = CitySpec(camera=family)
    eyes = camera.path(spec, city, 93, 24.0, 0).poses[:, :3, 3]
    speed = np.linalg.norm(np.diff(eyes, axis=0), axis=1) * 24

    assert max(speed[0], speed[-1]) < 0.5 * speed.max()
    assert abs(np.diff(speed)).max() < 0.35 * speed.max()


def test_poses_are_rigid(spec, city):
    """Every pose is a rotation and a place."""
    poses = camera.path(spec, city, 12, 24.0, 0).poses

    np.testing.assert_allclose(
        poses[:, :3, :3] @ poses[:, :3, :3].transpose(0, 2, 1), np.eye(3)[None].repeat(12, 0), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(poses[:, :3, :3]), 1.0)


def test_another_attempt_is_another_path(spec, city):
    """A refused path is drawn again, not repeated."""
    first, second = (camera.path(spec, city, 4, 24.0, attempt).poses for attempt in (0, 1))

    assert not np.array_equal(first, second)
    assert np.array_equal(first, camera.path(attrs.evolve(spec), city, 4, 24.0, 0).poses)
