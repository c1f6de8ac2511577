from __future__ import annotations

import attrs
import numpy as np
import pytest
from cosmos_core_city import camera, gates
from cosmos_core_city.generate import choose, output
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer
from cosmos_core_city.spec import CAMERAS, LIGHTS, CitySpec, resolve
from cosmos_core_city.wreck import wreck

from cosmos_core.errors import InputError


@pytest.fixture(scope="module")
def redraws():
    """How many paths were refused in all, printed at the end."""
    counts = []
    yield counts
    print(f"\n{sum(counts)} redraws for {len(counts)} clips; the most for one is {max(counts)}")


@pytest.mark.parametrize("seed", range(1, 21))
def test_no_camera_ends_up_in_a_wall(seed, redraws):
    """For twenty seeds and every family, the chosen path keeps its distance and passes every gate."""
    spec = CitySpec(seed=seed, light=LIGHTS[seed % 4], width=320, height=176, frames=12, fps=3)
    city = resolve(spec)
    made = wreck(city, 12, 3.0)
    with Renderer(made.scene, daylight(spec, city), EXPOSURE) as renderer:
        shots = {
            family: choose(attrs.evolve(spec, camera=family), city, made, renderer, output(spec))
            for family in CAMERAS
        }
    redraws += [shot.path.attempt for shot in shots.values()]

    for family, shot in shots.items():
        eyes = shot.path.poses[:, :3, 3]
        assert camera.clearance(made.scene, eyes) >= camera.CLEARANCE
        assert (family == "aerial") == (eyes[:, 2].min() > 25.0)
        assert family in {"aerial", "tripod"} or abs(eyes[:, 1]).max() < city.facade
        assert len(shot.seen.labels) >= gates.LABELS
        assert () == shot.seen.refusals
        assert shot.path.attempt == len(shot.refused)


def test_a_street_without_a_valid_path_is_one_sentence(scene, spec, city):
    """When every attempt is refused, the error names the family, the seed, the attempts and a reason."""
    box = np.array([[[-500.0, -500.0, -1.0], [500.0, 500.0, 200.0]]])
    made = attrs.evolve(wreck(city, 4, 24.0), scene=attrs.evolve(scene, solids=box))
    with (
        Renderer(scene, daylight(spec, city), EXPOSURE) as renderer,
        pytest.raises(
            InputError, match=r"no dolly path of seed 3 passes the gates after \d+ attempts: the camera"
        ),
    ):
        choose(spec, city, made, renderer, output(spec))


def test_a_picture_that_rushes_by_is_refused(scene, spec, city):
    """The gate of motion passes a walk down the street and refuses a whip pan."""
    walk = camera.path(spec, city, 12, 24.0, 0)
    eye = walk.poses[0, :3, 3]
    pan = camera.Path(np.stack([walk.poses[0], camera.look(eye, eye + np.array([1.0, 3.0, 0.0]))]), 60.0, 0)
    with Renderer(scene, daylight(spec, city), EXPOSURE) as renderer:
        picture = renderer.look(walk.view(0, 320, 176))

    assert [] == list(gates.refuse_motion(picture, (walk.view(0, 320, 176), walk.view(1, 320, 176)), 24.0))
    assert [] != list(gates.refuse_motion(picture, (pan.view(0, 320, 176), pan.view(1, 320, 176)), 24.0))


def test_flow_is_that_of_a_camera_that_turns(scene, spec, city):
    """Turning by a hundredth of a radian moves the middle of the picture by a hundredth of the focal length."""
    eye = np.array([40.0, 0.0, 3.0])
    poses = [camera.look(eye, eye + np.array([np.cos(a), np.sin(a), 0.0])) for a in (0.0, 0.01)]
    path = camera.Path(np.stack(poses), 10.0, 0)
    with Renderer(scene, daylight(spec, city), EXPOSURE) as renderer:
        picture = renderer.look(path.view(0, 320, 176))
    views = path.view(0, 320, 176), path.view(1, 320, 176)

    assert views[0].lens[0] * 0.01 / 320 == pytest.approx(gates.flow(picture, *views), rel=0.03)


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


@pytest.mark.parametrize("family", [family for family in CAMERAS if family != "tripod"])
def test_a_path_starts_and_stops_gently(family, city):
    """Speed at both ends is below half of the greatest, and no frame jumps."""
    spec = CitySpec(camera=family)
    eyes = camera.path(spec, city, 93, 24.0, 0).poses[:, :3, 3]
    speed = np.linalg.norm(np.diff(eyes, axis=0), axis=1) * 24

    assert max(speed[0], speed[-1]) < 0.5 * speed.max()
    assert abs(np.diff(speed)).max() < 0.35 * speed.max()


def test_a_tripod_stands_and_trembles(spec, city):
    """It stays within a few centimetres of one place and is never quite still."""
    eyes = camera.path(attrs.evolve(spec, camera="tripod"), city, 93, 24.0, 0).poses[:, :3, 3]

    assert 0.0 < np.ptp(eyes, axis=0).max() < 0.06


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
