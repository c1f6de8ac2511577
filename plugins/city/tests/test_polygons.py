"""Polygons into triangles: nothing is lost, nothing is turned over."""

from __future__ import annotations

import numpy as np
import pytest
from cosmos_core_city.polygons import clipped, convex, fanned, normals

ELL = np.array([(0, 0, 0), (2, 0, 0), (2, 1, 0), (1, 1, 0), (1, 2, 0), (0, 2, 0)], float)
FRAME = np.array(
    [
        (0, 0, 0),
        (4, 0, 0),
        (4, 4, 0),
        (0, 4, 0),
        (0, 0, 0),
        (1, 1, 0),
        (1, 3, 0),
        (3, 3, 0),
        (3, 1, 0),
        (1, 1, 0),
    ],
    float,
)
"""A square with a square hole: one ring that goes in and out over one edge, as Houdini writes it."""


@pytest.mark.parametrize("ring", [ELL, FRAME], ids=["ell", "frame"])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("way", [1, -1])
def test_what_is_clipped_has_the_area_and_the_side_of_its_polygon(ring, axis, way):
    """In every plane and in both windings; no triangle looks the other way."""
    placed = np.roll(ring, axis, axis=1)[::way]
    normal = normals(placed[None])[0]

    areas = [
        normals(placed[list(each)][None])[0] @ normal / np.linalg.norm(normal) for each in clipped(placed)
    ]

    assert np.linalg.norm(normal) == pytest.approx(sum(areas))
    assert min(areas) >= 0


def test_only_what_bends_inwards_is_not_convex():
    """A corner that is straight bends nowhere."""
    square = np.array([(0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 2, 0), (1, 2, 0), (0, 2, 0)], float)

    assert [True, False] == convex(np.stack([square, ELL])).tolist()


def test_triangles_come_in_the_order_of_their_polygons():
    """Triangles as they are, quads as fans, others ear by ear; each with the polygon that it is of."""
    points = np.concatenate([ELL, ELL[:4]])
    triangles, of = fanned(points, np.array([3, 6, 4]), np.array([0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))

    assert [0, 1, 1, 1, 1, 2, 2] == of.tolist()
    assert [0, 1, 2] == triangles[0].tolist()
    assert [[6, 7, 8], [6, 8, 9]] == triangles[5:].tolist()


def test_a_polygon_without_area_harms_nobody():
    """All corners in one place, or on one line, or crossing: triangles come out, and as many as there must be."""
    line = np.array([(float(x), 0, 0) for x in (0, 3, 1, 2, 5)])
    cross = np.array([(0, 0, 0), (2, 2, 0), (2, 0, 0), (0, 2, 0), (1, 5, 0)], float)
    for ring in (np.zeros((5, 3)), line, cross):
        triangles, _ = fanned(ring, np.array([5]), np.arange(5))

        assert (3, 3) == triangles.shape
