from __future__ import annotations

import attrs
import numpy as np
import pytest
from cosmos_core_city.camera import look
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import NEAR, Picture, Renderer, View
from cosmos_core_city.scene import Instance, Scene

SIZE = (320, 176)


def scene_of(vertices, triangles):
    """A scene of bare triangles."""
    vertices = np.asarray(vertices, dtype=np.float32)
    triangles = np.asarray(triangles, dtype=np.int32)
    count = len(triangles)
    a, b, c = (vertices[triangles[:, i]].astype(float) for i in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Scene(
        vertices=vertices,
        triangles=triangles,
        normals=normals.astype(np.float32),
        material=np.zeros(count, np.int32),
        label=np.zeros(count, np.uint8),
        instance=np.zeros(count, np.int32),
        thin=np.zeros(count, np.uint8),
        materials=np.zeros((1, 16), np.float32),
        instances=(
            Instance("mesh", 0, tuple(vertices.min(axis=0).tolist()), tuple(vertices.max(axis=0).tolist())),
        ),
        groups=("sky",),
        solids=np.zeros((0, 2, 3)),
        core=np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]),
        body=np.full(len(vertices), -1, np.int32),
        rubble=np.zeros(1, np.int32),
        still=count,
    )


def seen(scene, view, spec, city) -> Picture:
    with Renderer(scene, daylight(spec, city), EXPOSURE, workers=1) as renderer:
        return renderer.look(view)


def view_from(eye, target, focal=200.0):
    return View(look(np.array(eye, float), np.array(target, float)), (focal, focal, 160.0, 88.0), SIZE)


def crumpled(count, seed):
    """A sheet of triangles in the plane x = 10, its inner points shaken, as one large counter-clockwise grid."""
    random = np.random.default_rng(seed)
    y, z = np.meshgrid(np.linspace(-12, 12, count), np.linspace(-12, 12, count), indexing="ij")
    shake = random.uniform(-0.45, 0.45, (2, count - 2, count - 2)) * 24 / count
    y[1:-1, 1:-1] += shake[0]
    z[1:-1, 1:-1] += shake[1]
    points = np.stack([np.full_like(y, 10.0), y, z], axis=2).reshape(-1, 3)
    index = np.arange(count * count).reshape(count, count)
    a, b, c, d = (
        index[:-1, :-1].ravel(),
        index[1:, :-1].ravel(),
        index[1:, 1:].ravel(),
        index[:-1, 1:].ravel(),
    )
    return points, np.concatenate([np.stack([a, c, b], 1), np.stack([a, d, c], 1)])


@pytest.mark.parametrize("count", [8, 61, 300])
def test_a_mesh_has_no_cracks(count, spec, city):
    """A sheet of many triangles covers every pixel, also where triangles are smaller than pixels."""
    points, triangles = crumpled(count, 1)

    picture = seen(scene_of(points, triangles), view_from((0, 0.3, 0.2), (10, 0, 0.1)), spec, city)

    assert 0 == np.count_nonzero(picture.ids < 0)


def test_a_sheet_through_the_camera_has_no_cracks(spec, city):
    """Triangles that the near plane cuts stay watertight against each other and against their whole neighbours."""
    points, triangles = crumpled(61, 2)
    floor = points[:, [1, 2, 0]] - [0.0, 0.0, 10.0]
    view = view_from((0.31, 0.17, 0.15), (3.0, 0.5, -1.5))

    picture = seen(scene_of(floor, triangles[:, ::-1]), view, spec, city)

    y, x = np.mgrid[:176, :320] + 0.5
    rays = np.stack([(x - 160) / 200, (y - 88) / 200, np.ones_like(x)], 2) @ view.pose[:3, :3].T
    distance = 0.15 / np.maximum(-rays[..., 2], 1e-9)
    reached = np.abs(view.pose[:2, 3] + rays[..., :2] * distance[..., None]).max(axis=2) < 11.9
    assert 500 < np.count_nonzero(distance < NEAR)
    assert (picture.ids[reached & (distance > NEAR * 1.01)] >= 0).all()
    assert (picture.ids[distance < NEAR * 0.99] < 0).all()


def test_depth_is_that_of_the_plane(spec, city):
    """1/z of a tilted floor agrees with the formula to float32 precision at every pixel."""
    floor = np.array([[-500, -500, 0], [500, -500, 0], [500, 500, 0], [-500, 500, 0]], float)
    view = view_from((0, 0, 1.7), (10, 2, 0.9))

    picture = seen(scene_of(floor, [[0, 1, 2], [0, 2, 3]]), view, spec, city)

    y, x = np.nonzero(picture.ids >= 0)
    rays = np.stack([(x + 0.5 - 160) / 200, (y + 0.5 - 88) / 200, np.ones(len(x))], 1) @ view.pose[:3, :3].T
    exact = -rays[:, 2] / 1.7
    assert len(x) > 20000
    np.testing.assert_allclose(picture.inverse[y, x], exact, rtol=2e-7)


def test_the_order_of_triangles_does_not_matter(spec, city):
    """Shuffled triangles give the same distances, bit for bit."""
    points, triangles = crumpled(40, 3)
    points[:, 0] += np.random.default_rng(4).uniform(-0.5, 0.5, len(points))
    shuffled = triangles[np.random.default_rng(5).permutation(len(triangles))]
    view = view_from((0, 0, 0), (10, 1, 1))

    first = seen(scene_of(points, triangles), view, spec, city)
    second = seen(scene_of(points, shuffled), view, spec, city)

    assert first.inverse.tobytes() == second.inverse.tobytes()


def test_back_faces_are_not_seen_unless_thin(spec, city):
    """A triangle seen from behind is nothing, a leaf is seen from both sides."""
    scene = scene_of([[5, -1, -1], [5, 1, -1], [5, 0, 1]], [[0, 1, 2]])
    view = view_from((0, 0, 0), (1, 0, 0))

    assert 0 == np.count_nonzero(seen(scene, view, spec, city).ids >= 0)
    leaf = attrs.evolve(scene, thin=np.ones(1, np.uint8))
    assert 1000 < np.count_nonzero(seen(leaf, view, spec, city).ids >= 0)


def test_what_is_behind_the_camera_is_not_seen(spec, city):
    """Points behind the eye project onto the picture too; they must not be drawn."""
    scene = scene_of([[-5, -9, -9], [-5, 0, 9], [-5, 9, -9]], [[0, 1, 2]])

    assert 0 == np.count_nonzero(seen(scene, view_from((0, 0, 0), (1, 0, 0)), spec, city).ids >= 0)


def test_the_nearest_surface_wins(spec, city):
    """Of two walls the nearer one is seen, whatever their order."""
    wall = np.array([[0, -9, -9], [0, 9, -9], [0, 9, 9], [0, -9, 9]], float)[::-1]
    points = np.concatenate([np.add(wall, (distance, 0, 0)) for distance in (8, 5, 11)])
    triangles = [[4 * k + i for i in corner] for k in range(3) for corner in ([0, 1, 2], [0, 2, 3])]

    picture = seen(scene_of(points, triangles), view_from((0, 0, 0), (1, 0, 0)), spec, city)

    assert {2, 3} == set(np.unique(picture.ids).tolist())
    np.testing.assert_allclose(picture.inverse, 0.2, rtol=1e-6)
