from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from cosmos_core_city.build import build
from cosmos_core_city.labels import Label
from cosmos_core_city.spec import CitySpec, resolve
from cosmos_core_city.wreck import wreck

APART = 0.0005
"""Metres within which two surfaces lie in one plane: the renderer tells apart 0.003 mm at 30 m."""
SEEN = 0.02
"""Square metres of one pair of bodies that may share a plane: less is a few pixels before the lens."""


def shared(one, other):
    """The area that two triangles (3, 2), counter-clockwise, have in common."""
    shape = one
    for a, b in pairwise([*other, other[0]]):
        side = (b[0] - a[0]) * (shape[:, 1] - a[1]) - (b[1] - a[1]) * (shape[:, 0] - a[0])
        points = []
        for i in range(len(shape)):
            j = (i + 1) % len(shape)
            if side[i] >= 0:
                points.append(shape[i])
            if (side[i] >= 0) != (side[j] >= 0):
                points.append(shape[i] + side[i] / (side[i] - side[j]) * (shape[j] - shape[i]))
        if len(points) < 3:
            return 0.0
        shape = np.array(points)
    x, y = shape.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def flat(scene, axis, sign):
    """The triangles that face one way along an axis, by their place on it, and their outlines in its plane."""
    corners = scene.vertices[scene.triangles].astype(float)
    rows = np.flatnonzero(scene.normals[:, axis] * sign > 0.9999)
    rows = rows[np.argsort(corners[rows, :, axis].mean(axis=1), kind="stable")]
    outlines = np.delete(corners[rows], axis, axis=2)
    a, b = outlines[:, 1] - outlines[:, 0], outlines[:, 2] - outlines[:, 0]
    turned = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
    outlines[turned] = outlines[turned][:, ::-1]
    return rows, corners[rows, :, axis].mean(axis=1), outlines


def rests(place, outline, floor):
    """Whether something faces up right below a surface that faces down, as the roof does under a chimney."""
    _, levels, others = floor
    near = slice(*np.searchsorted(levels, [place - APART, place + APART]))
    low, high = others[near].min(axis=1), others[near].max(axis=1)
    middle = outline.mean(axis=0)
    return bool(((low <= middle) & (high >= middle)).all(axis=1).any())


def fights(scene):
    """Square metres by the pair of bodies whose surfaces, unlike each other, lie in one plane and face one way."""
    found: dict[tuple[str, ...], float] = {}
    look = np.column_stack([scene.material, scene.label])
    floor = flat(scene, 2, 1)
    for axis in range(3):
        for sign in (1, -1):
            rows, places, outlines = flat(scene, axis, sign)
            low, high = outlines.min(axis=1) + 1e-4, outlines.max(axis=1) - 1e-4
            ends = np.searchsorted(places, places + APART, side="right")
            for i in np.flatnonzero(ends > np.arange(len(rows)) + 1).tolist():
                near = np.arange(i + 1, ends[i])
                meets = ((low[near] < high[i]) & (high[near] > low[i])).all(axis=1)
                unlike = (look[rows[near]] != look[rows[i]]).any(axis=1)
                for j in near[meets & unlike].tolist():
                    area = shared(outlines[i], outlines[j])
                    below = (
                        axis == 2 and sign < 0 and (places[i] < 0.0 or rests(places[i], outlines[i], floor))
                    )
                    if area > 1e-3 and not below:
                        names = (
                            f"{scene.instances[scene.instance[row]].name} {Label(scene.label[row]).name}"
                            for row in (rows[i], rows[j])
                        )
                        pair = (*sorted(names), "xyz"[axis] + "+-"[sign < 0], f"{places[i]:.3f}")
                        found[pair] = found.get(pair, 0.0) + area
    return {pair: area for pair, area in found.items() if area > SEEN}


@pytest.mark.parametrize("seed", [1, 2])
def test_no_two_surfaces_fight_for_one_plane(seed):
    """In a whole street nothing flickers: surfaces of unlike material that overlap are never in one plane."""
    assert {} == fights(build(resolve(CitySpec(seed=seed))))


def test_nor_do_they_in_a_house_that_breaks():
    """The same of houses made of pieces, at rest: cracks, wallpaper and what is fixed to the walls."""
    assert {} == fights(wreck(resolve(CitySpec(seed=1, damage=0.6)), 1, 24.0).scene)


def test_what_fights_is_found(scene):
    """The test would see it: a sheet on a front, of another material, is found with its area."""
    wall = np.flatnonzero((scene.normals[:, 1] > 0.9999) & (scene.label == Label.BUILDING))
    size = np.ptp(scene.vertices[scene.triangles[wall]], axis=1).prod(
        axis=1, where=np.array([True, False, True])
    )
    row = int(wall[np.argmax(size)])

    class Doubled:
        vertices, instances = scene.vertices, scene.instances
        triangles = np.vstack([scene.triangles, scene.triangles[row]])
        normals = np.vstack([scene.normals, scene.normals[row]])
        label = np.append(scene.label, Label.WINDOW)
        material, instance = (np.append(each, each[row]) for each in (scene.material, scene.instance))

    assert size.max() / 2 == pytest.approx(sum(fights(Doubled).values()), rel=0.01)
