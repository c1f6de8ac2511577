"""Voronoi fracture: exact volumes, closed cells, tagged faces."""

from __future__ import annotations

import time

import numpy as np
import pytest
from cosmos_core_city.fracture import CRACK, Solid, cuboid, fracture, merged, seeds, sums

from cosmos_core.errors import InputError

WALL = np.array(
    [
        [(0.0, 0.0, 0.0), (6.0, 0.3, 0.9)],
        [(0.0, 0.0, 0.9), (1.5, 0.3, 2.5)],
        [(2.7, 0.0, 0.9), (3.9, 0.3, 2.5)],
        [(5.0, 0.0, 0.9), (6.0, 0.3, 2.5)],
        [(0.0, 0.0, 2.5), (6.0, 0.3, 3.2)],
    ]
)
"""A wall with two windows."""


def broken(boxes=WALL, cell=0.8, seed=1, blast=None):
    points = seeds(boxes, cell, np.random.default_rng(seed), blast=blast)
    return fracture(cuboid(boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)), points, boxes)


def owners(cells):
    return np.repeat(np.arange(len(cells)), np.diff(cells.face_start))


@pytest.mark.parametrize("seed", range(5))
def test_cells_fill_a_box_exactly(seed):
    """The cells of a box have its volume, to one part in a thousand million."""
    size = np.array([1.0 + seed, 2.0, 0.7])
    points = np.random.default_rng(seed).random((60, 3)) * size
    volume, _ = fracture(cuboid((0, 0, 0), size), points).solids()

    assert len(points) == len(volume)
    assert abs(volume.sum() / size.prod() - 1) < 1e-9


def test_cells_fill_a_pierced_wall_and_not_its_windows():
    """The volume of the cells is that of the boxes between the openings, and no cell reaches into one."""
    cells = broken()
    volume, middle = cells.solids()
    window = (middle[:, 0] > 1.5) & (middle[:, 0] < 2.7) & (middle[:, 2] > 0.9) & (middle[:, 2] < 2.5)

    assert abs(volume.sum() / (WALL[:, 1] - WALL[:, 0]).prod(axis=1).sum() - 1) < 1e-9
    assert not window.any()
    assert volume.min() > 0


def test_cells_are_closed_and_convex():
    """Areas times normals cancel in every cell, and no corner lies before a face."""
    cells = broken(blast=((3, 0, 1), 2.0))
    normals, owner = cells.normals(), owners(cells)
    open_by = np.abs(sums(normals * cells.areas()[:, None], owner, len(cells))).max()
    anchor = cells.vertices[cells.corners[cells.faces[:-1]]]
    before = max(
        ((cells.vertices[cells.vertex_start[c] : cells.vertex_start[c + 1]] - anchor[f]) @ normals[f]).max()
        for f, c in enumerate(owner)
    )

    assert open_by < 1e-12
    assert before < 1e-7


def test_sides_keep_their_tag_and_cracks_get_six():
    """Faces in a side of the wall carry its number; between cells, and between boxes of the wall, it is 6."""
    cells = broken()
    normals, tags = cells.normals(), cells.tags
    corner = cells.vertices[cells.corners[cells.faces[:-1]]]
    front = tags == 2
    seam = (cells.beyond < 0) & (tags == CRACK)

    assert (normals[front] @ [0, -1, 0] > 0.999).all()
    assert np.allclose(corner[front, 1], 0.0)
    assert (tags[cells.beyond >= 0] == CRACK).all()
    assert seam.any()
    assert set(np.round(corner[seam, 2], 6)) == {0.9, 2.5}
    assert abs(cells.areas()[front].sum() - (6 * 3.2 - 1.2 * 1.6 - 1.1 * 1.6)) < 1e-9


def test_a_side_that_shows_in_a_window_is_no_crack():
    """Sills and heads of windows keep an outer tag wherever any of the face shows."""
    cells = broken()
    middle = sums(
        cells.vertices[cells.corners],
        np.repeat(np.arange(len(cells.tags)), np.diff(cells.faces)),
        len(cells.tags),
    )
    middle /= np.diff(cells.faces)[:, None]
    sill = (
        (np.abs(middle[:, 2] - 0.9) < 1e-9) & (middle[:, 0] > 1.5) & (middle[:, 0] < 2.7) & (cells.beyond < 0)
    )

    assert sill.any()
    assert (cells.tags[sill] == 5).all()


def test_cracks_go_through_thin_parts():
    """Every crack of a thin wall is parallel to its thickness."""
    cells = broken()
    cracks = cells.normals()[cells.beyond >= 0]

    assert np.abs(cracks[:, 1]).max() < 1e-12


def test_pieces_are_smaller_near_the_blast():
    """Seeds lie closer together within the radius of the blast."""
    boxes = np.array([[(0.0, 0.0, 0.0), (12.0, 0.3, 12.0)]])
    points = seeds(boxes, 1.0, np.random.default_rng(2), blast=((0, 0, 0), 5.0))
    near = np.linalg.norm(points, axis=1) < 4.5

    assert near.sum() / (np.pi * 4.5**2 / 4) > 2.5 * (~near).sum() / (144 - np.pi * 4.5**2 / 4)


def test_any_convex_solid_breaks():
    """A prism that is no box is filled by its cells, and its tags are kept."""
    ring = [(np.cos(a), np.sin(a)) for a in np.arange(6) * np.pi / 3]
    points = np.array([(x, y, z) for z in (0.0, 2.0) for x, y in ring])
    sides = tuple((k, (k + 1) % 6, (k + 1) % 6 + 6, k + 6) for k in range(6))
    prism = Solid(points, (*sides, (5, 4, 3, 2, 1, 0), (6, 7, 8, 9, 10, 11)), (0, 0, 0, 0, 0, 0, 4, 5))
    random = np.random.default_rng(1)
    cells = fracture(prism, random.uniform((-0.6, -0.6, 0.1), (0.6, 0.6, 1.9), (25, 3)))
    volume, _ = cells.solids()

    assert abs(volume.sum() / (3 * np.sqrt(3)) - 1) < 1e-9
    assert {0, 4, 5, CRACK} == set(cells.tags.tolist())


def test_triangles_cover_the_faces():
    """The fans have the area of the faces and face outwards."""
    cells = broken()
    triangles, face = cells.triangles()
    a, b, c = (cells.vertices[triangles[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    area = np.bincount(face, np.linalg.norm(cross, axis=1) / 2, len(cells.tags))

    assert np.allclose(cells.areas(), area)
    assert (np.einsum("ij,ij->i", cross, cells.normals()[face]) > -1e-15).all()


def test_equal_seeds_give_equal_cells():
    """Two runs give the same bits."""
    first, second = broken(seed=4), broken(seed=4)

    assert first.vertices.tobytes() == second.vertices.tobytes()
    assert first.corners.tobytes() == second.corners.tobytes()
    assert first.vertices.tobytes() != broken(seed=5).vertices.tobytes()


def test_merged_parts_keep_their_cells():
    """Two parts as one have the volumes of both, and cracks still lead to cells of their own part."""
    one, two = broken(seed=1), broken(seed=2)
    both = merged([one, two])
    volumes = np.concatenate([one.solids()[0], two.solids()[0]])

    assert np.array_equal(volumes, both.solids()[0])
    assert both.beyond[len(one.tags) :].max() > one.seed.max()
    assert (both.beyond[: len(one.tags)] <= one.seed.max()).all()


def test_two_seeds_on_one_point_are_refused():
    """Coinciding seeds are named as the reason."""
    with pytest.raises(InputError, match="two seeds"):
        fracture(cuboid((0, 0, 0), (1, 1, 1)), [(0.5, 0.5, 0.5), (0.5, 0.5, 0.5)])


def test_a_cell_costs_little():
    """A wall of hundreds of cells takes well under a millisecond of CPU for each."""
    boxes = np.array([[(0.0, 0.0, 0.0), (16.0, 0.3, 16.0)]])
    broken()
    start = time.process_time()
    cells = broken(boxes)

    assert len(cells) > 350
    assert (time.process_time() - start) / len(cells) < 1e-3
