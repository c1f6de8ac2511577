from __future__ import annotations

import numpy as np
import pytest
from cosmos_core_city import mesh
from cosmos_core_city.labels import Label
from cosmos_core_city.vehicles import SHAPES, loft

OUTLINE = [(0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (0.0, 1.0)]
SOLIDS = {
    "box": (mesh.boxes((0, 0, 0), (1, 2, 3)), 6.0),
    "two boxes": (mesh.boxes([(0, 0, 0), (5, 5, 5)], [(1, 1, 1), (7, 7, 7)]), 9.0),
    "prism along x": (mesh.prism(OUTLINE, 1.0, 4.0, axis=0), 6.0),
    "prism along z": (mesh.prism(OUTLINE, 1.0, 4.0, axis=2), 6.0),
    "cylinder": (mesh.cylinder((0, 0, 0), (0, 0, 2), 1.0, sides=64), 2 * np.pi),
    "leaning cone": (mesh.cylinder((0, 0, 0), (3, 0, 3), 1.0, 0.5, sides=64), np.pi * np.sqrt(18) * 1.75 / 3),
}


def volume(shape):
    """Positive where triangles are counter-clockwise from outside."""
    a, b, c = (shape[0][shape[1][:, i]] for i in range(3))
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


def open_edges(shape, digits=6):
    """Edges that have no partner running the other way."""
    points = np.round(shape[0], digits)
    corners = [[tuple(points[i]) for i in triangle] for triangle in shape[1]]
    directed = [(t[i], t[(i + 1) % 3]) for t in corners for i in range(3) if t[i] != t[(i + 1) % 3]]
    return set(directed) - {(b, a) for a, b in directed}


@pytest.mark.parametrize("name", SOLIDS)
def test_solids_are_closed_and_face_outwards(name):
    """Every edge is shared by two triangles that run along it in opposite ways, and the volume is positive."""
    shape, expected = SOLIDS[name]

    assert set() == open_edges(shape)
    assert pytest.approx(expected, rel=0.01) == volume(shape)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_mirrored_frame_keeps_solids_outside_out(side):
    """Both sides of the street are built by the same code, and none is inside out."""
    part = mesh.part(mesh.boxes((0, 0, 0), (1, 2, 3)), 0, Label.BUILDING)
    (moved,) = mesh.placed([part], mesh.Frame((5.0, 6.0, 7.0), (1.0, 0.0), (0.0, side)))

    assert pytest.approx(6.0) == volume((moved.vertices, moved.triangles))


def test_panels_face_out_of_the_front():
    """A pane in the plane of a front has its normal along v."""
    vertices, triangles = mesh.panels([(0.0, 0.0)], [(2.0, 1.0)], 0.5)
    a, b, c = vertices[triangles[0]]

    assert [0.0, 2.0, 0.0] == np.cross(b - a, c - a).tolist()


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_car_bodies_are_closed_above_the_floor(kind):
    """Body and glass together leave only the underside open, and face outwards."""
    shape = mesh.quads(np.concatenate(loft(SHAPES[kind])))
    heights = {point[2] for edge in open_edges(shape) for point in edge}

    assert len(heights) <= 1
    assert volume(shape) > 3.0
