"""A ray tracer by other people sees what the rasterizer sees."""

from __future__ import annotations

import numpy as np
import pytest
from cosmos_core_city import camera
from cosmos_core_city.build import build
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import NEAR, Renderer
from cosmos_core_city.spec import CitySpec, resolve
from cosmos_core_city.wreck import wreck

FRAMES = 4


@pytest.fixture(scope="module")
def embree():
    return pytest.importorskip(
        "embreex.rtcore_scene", reason="the oracle needs the wheel embreex (x86-64 only)"
    )


def rays_of(view):
    """Origins and directions of planar length one, so that the distance along a ray is planar depth."""
    width, height = view.size
    fx, fy, cx, cy = view.lens
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays = np.stack([(x - cx) / fx, (y - cy) / fy, np.ones_like(x)], 2).reshape(-1, 3) @ view.pose[:3, :3].T
    origins = np.repeat(view.pose[None, :3, 3], len(rays), axis=0).astype(np.float32)
    return origins + rays.astype(np.float32) * np.float32(NEAR), rays.astype(np.float32)


def traced(embree, vertices, scene, view):
    """Hit or miss, depth, and whether the ray met the front of a surface, (H, W) each."""
    from embreex.mesh_construction import TriangleMesh

    world = embree.EmbreeScene(robust=True)
    TriangleMesh(world, vertices[scene.triangles])
    hits = world.run(*rays_of(view), output=1)
    shape = view.size[::-1]
    number = hits["primID"].reshape(shape)
    a, b, c = (vertices[scene.triangles[:, i]].astype(float) for i in range(3))
    front = (np.cross(b - a, c - a) * (view.pose[:3, 3] - a)).sum(axis=1) > 0
    return number >= 0, hits["tfar"].reshape(shape) + NEAR, front[number]


def agree(hit, depth, front, picture):
    """99.99 % of hits, 1e-6 of depth; and few pixels where another surface is seen.

    The renderer sees through the backs of surfaces, such as panes that have fallen; a ray does not.
    """
    assert (hit == (picture.ids >= 0)).mean() >= 0.9999
    both = hit & (picture.ids >= 0)
    error = np.abs(depth[both] * picture.inverse[both] - 1.0)
    assert np.median(error) <= 1e-6
    assert ((error > 1e-3) & front[both]).mean() <= 1e-3


@pytest.mark.parametrize(("seed", "family"), [(1, "dolly"), (2, "drone"), (3, "aerial")])
def test_embree_sees_the_same(embree, seed, family):
    """Three frames of three seeds and cameras agree on hit or miss at 99.99 % of the pixels, and on depth to 1e-6."""
    spec = CitySpec(seed=seed, camera=family, frames=FRAMES)
    city = resolve(spec)
    scene, path = build(city), camera.path(spec, city, FRAMES, 24.0, 0)
    with Renderer(scene, daylight(spec, city), EXPOSURE, workers=2) as renderer:
        for frame in (0, 1, 3):
            view = path.view(frame, 640, 352)
            agree(*traced(embree, scene.vertices, scene, view), renderer.look(view, frame))


def test_embree_sees_what_has_fallen(embree):
    """Bodies are where the poses put them: a wrecked street agrees as an untouched one does."""
    spec = CitySpec(seed=1, damage=0.6, camera="drone", frames=FRAMES, offset="after")
    city = resolve(spec)
    made = wreck(city, FRAMES, 24.0)
    scene, matrices = made.scene, made.motion.matrices(FRAMES - 1)
    moves = scene.body >= 0
    taken = matrices[scene.body[moves]]
    vertices = scene.vertices.copy()
    vertices[moves] = (taken[:, :, :3] * vertices[moves][:, None, :]).sum(axis=2) + taken[:, :, 3]
    view = camera.path(spec, city, FRAMES, 24.0, 0).view(FRAMES - 1, 640, 352)
    with Renderer(scene, daylight(spec, city), EXPOSURE, motion=made.motion, workers=2) as renderer:
        agree(*traced(embree, vertices, scene, view), renderer.look(view, FRAMES - 1))

    assert np.abs(vertices - scene.vertices).max() > 1.0
