"""Pieces, bonds, support and loads."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from cosmos_core_city.structure import (
    GRAVITY,
    SLIVER,
    Block,
    carriers,
    components,
    loads,
    piece_mesh,
    pieces_of,
    pierced,
    rebar,
    supported,
)

from cosmos_core.errors import InputError

WALL = Block(low=(0, 0, 0), high=(6, 0.3, 3), panel="wall", label=4, materials=(1, 1, 1, 1, 1, 1, 2))
SLAB = Block(low=(0, 0.3, 2.8), high=(6, 4, 3), panel="slab", label=9, density=2400, rebar=True)
BACK = attrs.evolve(WALL, low=(0, 4, 0), high=(6, 4.3, 3), panel="back")


@pytest.fixture(scope="module")
def room():
    """A wall with a window, a slab, a wall."""
    front = pierced(WALL, [(2, 0.9, 4, 2.4)])
    return pieces_of([*front, SLAB, BACK], seed=3)


def whole(*boxes):
    return pieces_of(
        [Block(low=a, high=b, panel=str(i), label=4, cell=0) for i, (a, b) in enumerate(boxes)], seed=1
    )


def everything(structure):
    return np.ones(len(structure), dtype=bool), np.ones(len(structure.bonds.area), dtype=bool)


def test_a_pierced_wall_is_spandrels_and_piers():
    """What is left around a window is a strip below, one pier on each side and a strip above."""
    left = [(b.low[0], b.low[2], b.high[0], b.high[2]) for b in pierced(WALL, [(2, 0.9, 4, 2.4)])]

    assert [(0, 0, 6, 0.9), (0, 0.9, 2, 2.4), (4, 0.9, 6, 2.4), (0, 2.4, 6, 3)] == left


def test_holes_of_different_heights_leave_no_overlap():
    """A door beside a window takes exactly its area out of the wall."""
    left = pierced(WALL, [(1, 0, 2, 2.1), (3, 0.9, 4, 2.4)])
    area = sum((b.high[0] - b.low[0]) * (b.high[2] - b.low[2]) for b in left)

    assert abs(18 - 2.1 - 1.5 - area) < 1e-12
    assert pieces_of(left, seed=1).volume.sum() == pytest.approx(area * 0.3, rel=1e-9)


def test_touching_boxes_share_their_contact_area():
    """Two boxes that overlap by half of a side share that half, and the normal leads from one to the other."""
    made = whole(((0, 0, 0), (1, 1, 1)), ((0.5, 0, 1), (1.5, 1, 2)))

    assert [[0, 1]] == made.bonds.pairs.tolist()
    assert [pytest.approx(0.5)] == made.bonds.area.tolist()
    assert [pytest.approx(1.0)] == made.bonds.upward.tolist()


def test_a_small_gap_still_touches_and_a_large_one_does_not():
    """One centimetre holds, ten do not."""
    assert 1 == len(whole(((0, 0, 0), (1, 1, 1)), ((0, 0, 1.01), (1, 1, 2))).bonds.area)
    assert 0 == len(whole(((0, 0, 0), (1, 1, 1)), ((0, 0, 1.1), (1, 1, 2))).bonds.area)


def test_cracks_and_sides_are_bonds(room):
    """A wall holds together across its cracks, and the slab is held by both walls over its whole edge."""
    panel = np.array([room.blocks[b].panel for b in room.block])
    ends = panel[room.bonds.pairs]
    for wall in ("wall", "back"):
        edge = (ends == wall).any(axis=1) & (ends == "slab").any(axis=1)
        assert room.bonds.area[edge].sum() == pytest.approx(6 * 0.2, rel=1e-6)
    assert 1 == components(len(room), room.bonds.pairs).max() + 1


def test_mass_is_volume_times_density(room):
    """The slab weighs what its concrete weighs."""
    slab = np.array([room.blocks[b].panel == "slab" for b in room.block])

    assert room.mass[slab].sum() == pytest.approx(6 * 3.7 * 0.2 * 2400, rel=1e-9)


def test_a_cell_around_a_corner_is_one_chunk(room):
    """Pieces of one cell that touch share a chunk and a bond that never breaks; others do not."""
    i, j = room.bonds.pairs.T
    same = room.chunk[i] == room.chunk[j]

    assert room.chunk.max() + 1 < len(room)
    assert np.isinf(room.bonds.strength[same]).all()
    assert np.isfinite(room.bonds.strength[~same]).all()
    assert same[room.cells.seed[i] == room.cells.seed[j]].all()


def test_a_sliver_joins_what_it_touches():
    """A litre on top of a cubic metre is one chunk with it; thirty litres are their own."""
    sliver = whole(((0, 0, 0), (1, 1, 1)), ((0, 0, 1), (0.1, 0.1, 1.1)))
    stone = whole(((0, 0, 0), (1, 1, 1)), ((0, 0, 1), (0.3, 0.3, 1.3)))

    assert sliver.volume.min() < SLIVER < stone.volume.min()
    assert [0, 0] == sliver.chunk.tolist()
    assert np.isinf(sliver.bonds.strength).all()
    assert [0, 1] == stone.chunk.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_no_chunk_of_a_wall_is_a_sliver(seed):
    """Cells cut by narrow windows leave no chunk smaller than the least that falls alone."""
    made = pieces_of(pierced(WALL, [(0.4, 0.9, 1.5, 2.4), (2, 0.9, 4, 2.4), (4.1, 0.2, 5.8, 2.8)]), seed=seed)

    assert np.bincount(made.chunk, made.volume).min() >= SLIVER


def test_what_reaches_the_ground_is_anchored(room):
    """Pieces at the foot of the walls are anchored, no piece of the slab is."""
    slab = np.array([room.blocks[b].panel == "slab" for b in room.block])

    assert room.anchored.any()
    assert not room.anchored[slab].any()


def test_the_flood_finds_what_the_ground_no_longer_carries(room):
    """Without the walls the slab hangs on nothing; without one of them it still hangs on the other."""
    panel = np.array([room.blocks[b].panel for b in room.block])
    _, holding = everything(room)

    assert supported(room, panel != "none", holding).all()
    assert not supported(room, panel == "slab", holding).any()
    assert supported(room, panel != "wall", holding)[panel == "slab"].all()


def test_loads_reach_the_ground():
    """In a stack of three boxes each joint carries what lies above it."""
    made = whole(((0, 0, 0), (1, 1, 1)), ((0, 0, 1), (1, 1, 2)), ((0, 0, 2), (1, 1, 3)))
    flow, _ = loads(made, *everything(made), made.mass * GRAVITY, np.zeros(3))
    carried = {tuple(pair): -value for pair, value in zip(made.bonds.pairs.tolist(), flow, strict=True)}

    assert carried[0, 1] == pytest.approx(2 * 1900 * GRAVITY, rel=1e-4)
    assert carried[1, 2] == pytest.approx(1900 * GRAVITY, rel=1e-4)


def test_a_beam_on_two_posts_loads_both_alike():
    """Half of a beam goes down each post; without one post all goes down the other."""
    made = whole(((0, 0, 0), (1, 1, 3)), ((3, 0, 0), (4, 1, 3)), ((0, 0, 3), (4, 1, 4)))
    standing, holding = everything(made)
    weight = made.mass * GRAVITY
    both, _ = loads(made, standing, holding, weight, np.zeros(3))
    one, _ = loads(made, np.array([True, False, True]), holding, weight, np.zeros(3))

    assert np.abs(both).tolist() == [pytest.approx(weight[2] / 2, rel=1e-4)] * 2
    assert sorted(np.abs(one).tolist()) == [0, pytest.approx(weight[2], rel=1e-4)]


def test_a_joint_carries_most_when_pressed_and_least_when_pulled():
    """A piece that stands on another is held better than one that hangs from it."""
    made = whole(((0, 0, 0), (1, 1, 1)), ((0, 0, 1), (1, 1, 2)))
    pressed, pulled = made.bonds.capacity(np.array([-1.0])), made.bonds.capacity(np.array([1.0]))

    assert (pressed > 10 * pulled).all()


def test_a_piece_has_a_mesh_with_materials(room):
    """Each triangle's tag leads to a material; the outside shows the wall's, a crack the core's."""
    piece = room.piece(0)
    vertices, triangles, tags = piece_mesh(piece)
    shown = {piece.block.materials[tag] for tag in tags}

    assert {1, 2} == shown
    assert triangles.max() < len(vertices)
    assert len(triangles) == len(tags)
    assert piece.mass == pytest.approx(room.mass[0])


def test_blocks_that_overlap_are_refused():
    """Overlapping blocks are named; so is a structure of none."""
    with pytest.raises(InputError, match=r"0 \(0\) and 1 \(1\) overlap"):
        whole(((0, 0, 0), (1, 1, 1)), ((0.5, 0, 0), (1.5, 1, 1)))
    with pytest.raises(InputError, match="at least one"):
        pieces_of([], seed=1)
    with pytest.raises(InputError, match="block 0 has no volume"):
        whole(((0, 0, 0), (1, 0, 1)))


def test_bars_stick_out_of_cracks_and_not_out_of_the_slab(room):
    """Each bar is longer than its piece is wide, and ends within the unbroken slab."""
    rods = rebar(room, 1)

    assert len(rods.piece) > 5
    assert (rods.start >= np.array(SLAB.low) - 1e-9).all()
    assert (rods.end <= np.array(SLAB.high) + 1e-9).all()
    low, high = room.boxes[rods.piece, 0], room.boxes[rods.piece, 1]
    assert ((rods.start < low) | (rods.end > high)).any(axis=1).mean() > 0.6


def test_attachments_ride_the_nearest_piece(room):
    """A sill in front of the wall rides a piece of the wall behind it."""
    sill = [(2.2, -0.1, 0.8), (2.6, 0.0, 0.9)]
    (piece,) = carriers(room, [sill])

    assert room.blocks[room.block[piece]].panel == "wall"
    assert (room.boxes[piece, 0] <= np.array(sill[1]) + 1e-9).all()
    assert (room.boxes[piece, 1] >= np.array(sill[0]) - 1e-9).all()


def test_equal_arguments_give_equal_structures(room):
    """Two builds give the same bits."""
    again = pieces_of(room.blocks, seed=3)

    assert room.cells.vertices.tobytes() == again.cells.vertices.tobytes()
    assert room.bonds.pairs.tobytes() == again.bonds.pairs.tobytes()
    assert room.bonds.strength.tobytes() == again.bonds.strength.tobytes()
