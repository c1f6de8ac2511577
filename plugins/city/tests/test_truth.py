from __future__ import annotations

import json
from fractions import Fraction

import attrs
import numpy as np
import pytest
from cosmos_core_city import camera, truth
from cosmos_core_city.labels import Label
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer
from cosmos_core_city.truth import KINDS, ArrayWriter, Bodies, Sight, describe, writer

from cosmos_core import media
from cosmos_core.errors import InputError


@pytest.fixture(scope="module")
def sight(spec, city, scene):
    path = camera.path(spec, city, 4, 24.0, 0)
    with Renderer(scene, daylight(spec, city), EXPOSURE, workers=1) as renderer:
        view, before = path.view(2, 320, 176), path.view(1, 320, 176)
        return Sight(picture=renderer.look(view), view=view, before=before)


def unit(colours):
    return colours.astype(np.float64) / 127.5 - 1


def test_normals_have_length_one_and_face_the_camera(scene, sight):
    """Decoded normals are unit vectors, none of them points away, and sky alone is black."""
    sky = sight.picture.ids < 0
    world, seen = truth.normals(scene, sight), truth.normals(scene, sight, camera=True)

    assert np.abs(np.linalg.norm(unit(world[~sky]), axis=1) - 1).max() < 0.01
    assert (world[sky] == 0).all()
    assert (world[~sky].max(axis=1) > 0).all()
    rays = np.stack(np.meshgrid(np.arange(320) + 0.5 - 160, np.arange(176) + 0.5 - 88), axis=2)
    rays = np.concatenate([rays / sight.view.lens[0], np.ones((176, 320, 1))], axis=2) * [1, -1, -1]
    assert ((rays * unit(seen)).sum(axis=2)[~sky] < 0.02).all()


def test_the_road_points_up_in_the_world(scene, sight):
    """Z is up, so the road's normal has the colour (128, 128, 255)."""
    road = truth.semantic(scene, sight.picture) == Label.LANE_MARKING

    assert road.any()
    assert (truth.normals(scene, sight)[road] == [128, 128, 255]).all()


def test_depth_is_in_metres_and_the_sky_is_infinite(sight):
    """One over what the renderer says, to half precision."""
    depth, sky = truth.depth(sight.picture), sight.picture.ids < 0

    assert np.isinf(depth[sky]).all()
    exact = 1 / sight.picture.inverse[~sky].astype(np.float64)
    assert np.abs(depth[~sky] / exact - 1).max() < 2**-10


def test_a_camera_that_stands_sees_no_motion(sight):
    """With equal views every vector is zero, to rounding."""
    still = attrs.evolve(sight, before=sight.view)

    assert np.abs(truth.motion(still)).max() < 1e-6


def test_motion_leads_to_the_same_point_of_the_world(sight):
    """The vector of a pixel ends where its world point lies in the previous view."""
    motion = truth.motion(sight)
    fx, fy, cx, cy = sight.view.lens
    for y, x in ((120, 40), (90, 160), (150, 300)):
        z = 1 / float(sight.picture.inverse[y, x])
        point = sight.view.pose @ [(x + 0.5 - cx) / fx * z, (y + 0.5 - cy) / fy * z, z, 1]
        back = np.linalg.inv(sight.before.pose) @ point
        there = back[:2] / back[2] * [fx, fy] + [cx, cy] - [x + 0.5, y + 0.5]

        np.testing.assert_allclose(motion[y, x], there, rtol=2e-3, atol=2e-3)


def test_motion_of_a_body_is_that_of_its_matrices(scene, sight):
    """What a body carries a metre to the camera's right since the frame before was a metre to the left."""
    still = attrs.evolve(sight, before=sight.view)
    before, now = np.zeros((2, 1, 3, 4))
    before[0, :, :3] = now[0, :, :3] = np.eye(3)
    now[0, :, 3] = sight.view.pose[:3, 0]
    bodies = Bodies(
        of=np.where(scene.label == Label.ROAD, 0, -1).astype(np.int32),
        now=now,
        before=before,
        state=np.array([1], np.uint8),
    )
    moved = attrs.evolve(still, bodies=bodies)
    road = truth.semantic(scene, sight.picture) == Label.ROAD
    motion = truth.motion(moved)

    expected = -sight.view.lens[0] * sight.picture.inverse[road]
    np.testing.assert_allclose(motion[road][:, 0], expected, rtol=2e-3, atol=1e-3)
    assert np.abs(motion[~road]).max() < 1e-6
    assert (road == (truth.damage(sight.picture, bodies) == 1)).all()


def test_normals_turn_with_their_body(scene, sight):
    """A road that stands upright has a level normal."""
    turn = np.array([[[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0]]])
    bodies = Bodies(
        of=np.where(scene.label == Label.LANE_MARKING, 0, -1).astype(np.int32),
        now=turn,
        before=turn,
        state=np.zeros(1, np.uint8),
    )
    road = truth.semantic(scene, sight.picture) == Label.LANE_MARKING

    assert (truth.normals(scene, attrs.evolve(sight, bodies=bodies))[road] == [128, 0, 128]).all()


def test_instances_are_the_rows_of_the_table(scene, sight):
    """A pixel's number minus one finds its instance; nothing is damaged without bodies."""
    numbers, sky = truth.instances(scene, sight.picture), sight.picture.ids < 0

    assert (numbers[sky] == 0).all()
    assert (scene.instance[sight.picture.ids[~sky]] == numbers[~sky] - 1).all()
    assert not truth.damage(sight.picture, None).any()


@pytest.mark.parametrize("name", KINDS)
def test_a_sidecar_comes_back_as_it_was_written(name, scene, sight, tmp_path):
    """Files hold the very numbers, and their description says type, shape, unit and source truly."""
    size = (2, 176, 320)
    wanted = truth.frame(name, scene, sight)
    with writer(name, tmp_path, size, Fraction(24)) as out:
        out.write(wanted)
        out.write(wanted)
    said = describe(name, tmp_path, size, scene)
    path = tmp_path / said["file"]
    videos = path.suffix == ".mp4"
    found = np.stack(list(media.read_frames(path))) if videos else np.load(path)[said["key"]]

    assert wanted.tobytes() == found[1].tobytes()
    assert (said["dtype"], said["shape"]) == (str(found.dtype), list(found.shape))
    assert {"unit", "meaning", "source", "sha256"} <= set(said)
    assert json.dumps(said)


def test_arrays_are_equal_bytes_and_never_half(tmp_path):
    """Two writings are one file; too few frames or an error leave nothing."""
    for name in ("a.npz", "b.npz"):
        with ArrayWriter(tmp_path / name, (1, 2, 3), "uint8") as out:
            out.write(np.ones((2, 3), np.uint8))
    with (
        pytest.raises(InputError, match="0 of 1 frames"),
        ArrayWriter(tmp_path / "c.npz", (1, 2, 3), "uint8"),
    ):
        pass
    with (
        pytest.raises(InputError, match="frame 0 is"),
        ArrayWriter(tmp_path / "d.npz", (1, 2, 3), "uint8") as out,
    ):
        out.write(np.ones((2, 2), np.uint8))

    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert ["a.npz", "b.npz"] == sorted(path.name for path in tmp_path.iterdir())
