"""A building as pieces that hold one another: blocks broken into cells, bonds by contact area, loads to the ground.

Lengths are metres, masses kilograms, forces newtons; Z is up.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core.errors import InputError
from cosmos_core_city.fracture import Cells, cuboid, fracture, merged, seeds
from cosmos_core_city.kernels import exact

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int32]
    Longs: TypeAlias = NDArray[np.int64]
    Mask: TypeAlias = NDArray[np.bool_]
    Triple: TypeAlias = tuple[float, float, float]

GRAVITY = 9.81
GAP = 0.02
"""Sides that face each other across less than this touch."""
BEARING, HANGING = 12.0, 0.4
"""How much more a joint carries when it is pressed, and how little when it is pulled, than when it is sheared."""
RESERVE = 2.5
"""Every joint carries at least this many times what it carries in the unbroken building."""
ROD = 0.007
"""Radius of a reinforcing bar."""
SLIVER = 0.004
"""Cubic metres below which a chunk joins its neighbour: alone it would be shot away from between heavy ones."""


@attrs.frozen(kw_only=True)
class Block:
    """A box of a building as it stands: a spandrel, a pier, a slab, a partition."""

    low: Triple
    high: Triple
    panel: str
    """Blocks of one panel break as one: cracks run on from one to the next. A wall with windows is a panel."""
    label: int
    """Origin class, see :mod:`cosmos_core_city.labels`."""
    materials: tuple[int, int, int, int, int, int, int] = (0,) * 7
    """A material by tag: the sides -x, +x, -y, +y, -z, +z, and what a crack shows."""
    building: int = 0
    density: float = 1900.0
    strength: float = 50e3
    """Newtons that a square metre of joint carries in shear; bending is reckoned in, so it is far below a material's."""
    cell: float = 0.9
    """Typical size of a piece; 0 keeps the block whole."""
    rebar: bool = False


def pierced(block: Block, holes: Sequence[tuple[float, float, float, float]]) -> list[Block]:
    """What is left of an upright wall around *holes*: spandrels over the whole length, and piers between holes.

    A hole is (start, bottom, end, top), the first and third along the longer horizontal axis, world coordinates.
    """
    axis = 0 if block.high[0] - block.low[0] >= block.high[1] - block.low[1] else 1
    levels = sorted({block.low[2], block.high[2], *(z for hole in holes for z in (hole[1], hole[3]))})
    left = []
    for bottom, top in pairwise(levels):
        at = block.low[axis]
        across = sorted((hole[0], hole[2]) for hole in holes if hole[1] <= bottom and top <= hole[3])
        for start, end in (*across, (block.high[axis], block.high[axis])):
            if start > at:
                left.append(_cut(block, axis, (at, bottom), (start, top)))
            at = max(at, end)
    return left


def _cut(block: Block, axis: int, low: tuple[float, float], high: tuple[float, float]) -> Block:
    bottom, top = list(block.low), list(block.high)
    bottom[axis], bottom[2] = low
    top[axis], top[2] = high
    return attrs.evolve(block, low=(bottom[0], bottom[1], bottom[2]), high=(top[0], top[1], top[2]))


@attrs.frozen(eq=False, kw_only=True)
class Bonds:
    """What holds pieces together. N bonds."""

    pairs: Ints
    """(N, 2), pieces i < j."""
    area: Floats
    """(N,), square metres in contact."""
    upward: Floats
    """(N,), z of the unit normal from i to j."""
    strength: Floats
    """(N,), newtons in shear; infinite within a chunk."""

    def capacity(self, flow: Floats) -> Floats:
        """What each bond carries of a load that passes from i to j as *flow* (N,), in newtons."""
        steep = self.upward**2
        factor = np.where(flow * self.upward > 0, HANGING, BEARING)
        return self.strength * (1 - steep + factor * steep)


@attrs.frozen(eq=False, kw_only=True)
class Piece:
    """One convex piece where it rests."""

    vertices: Floats
    triangles: Ints
    tags: NDArray[np.int8]
    """A tag a triangle, see :mod:`cosmos_core_city.fracture`."""
    centroid: Floats
    mass: float
    chunk: int
    block: Block


@attrs.frozen(eq=False, kw_only=True)
class Structure:
    """All pieces of the buildings that may break. P pieces, T triangles."""

    cells: Cells
    blocks: tuple[Block, ...]
    block: Ints
    """(P,), rows of ``blocks``."""
    chunk: Ints
    """(P,), pieces of one chunk never part: one cell around the corner of a window."""
    centroid: Floats
    volume: Floats
    mass: Floats
    boxes: Floats
    """(P, 2, 3)."""
    anchored: Mask
    """(P,), stands on the ground."""
    bonds: Bonds
    triangles: Ints
    """(T, 3), rows of ``cells.vertices``; the triangles of a piece lie together, in the order of the pieces."""
    tags: NDArray[np.int8]
    """(T,)."""
    owner: Ints
    """(T,), the piece of each triangle."""

    def __len__(self) -> int:
        return len(self.block)

    def vertices(self, piece: int) -> Floats:
        """The corners (V, 3) of a piece."""
        start, end = self.cells.vertex_start[piece : piece + 2]
        return self.cells.vertices[start:end]

    def piece(self, index: int) -> Piece:
        """One piece by its number."""
        start, end = np.searchsorted(self.owner, [index, index + 1])
        return Piece(
            vertices=self.vertices(index),
            triangles=self.triangles[start:end] - self.cells.vertex_start[index],
            tags=self.tags[start:end],
            centroid=self.centroid[index],
            mass=float(self.mass[index]),
            chunk=int(self.chunk[index]),
            block=self.blocks[self.block[index]],
        )


def piece_mesh(piece: Piece) -> tuple[Floats, Ints, NDArray[np.int8]]:
    """Vertices (V, 3), triangles (T, 3) and a tag a triangle (T,); ``block.materials[tag]`` is what it shows."""
    return piece.vertices, piece.triangles, piece.tags


def pieces_of(
    blocks: Sequence[Block], *, seed: int, ground: float = 0.0, blast: tuple[Triple, float] | None = None
) -> Structure:
    """Break *blocks* and bond what touches. Equal arguments give equal arrays.

    Pieces get smaller within *blast*, (centre, radius). The damage of a later plan does not change them, so plans
    of one structure can be compared. What reaches down to *ground* stands on it.

    Raises:
        InputError: when there are no blocks, or two of them overlap.
    """
    _apart(blocks)
    cells, block = _broken(blocks, seed, blast)
    volume, centroid = cells.solids()
    boxes = cells.boxes()
    pairs, area, normal = _contacts(cells)
    chunk = _chunks(cells, pairs, area, volume)
    triangles, face = cells.triangles()
    strength = np.array([item.strength for item in blocks])[block]
    weakest = np.minimum(strength[pairs[:, 0]], strength[pairs[:, 1]]) * area
    return Structure(
        cells=cells,
        blocks=tuple(blocks),
        block=block,
        chunk=chunk,
        centroid=centroid,
        volume=volume,
        mass=volume * np.array([item.density for item in blocks])[block],
        boxes=boxes,
        anchored=boxes[:, 0, 2] < ground + GAP,
        bonds=Bonds(
            pairs=pairs,
            area=area,
            upward=normal[:, 2],
            strength=np.where(chunk[pairs[:, 0]] == chunk[pairs[:, 1]], np.inf, weakest),
        ),
        triangles=triangles,
        tags=cells.tags[face],
        owner=np.repeat(np.arange(len(cells), dtype=np.int32), np.diff(cells.face_start))[face],
    )


def _apart(blocks: Sequence[Block]) -> None:
    if not blocks:
        raise InputError("a structure needs at least one block")
    low, high = np.array([b.low for b in blocks]), np.array([b.high for b in blocks])
    if (high - low <= 0).any():
        raise InputError(f"block {int(np.argmax((high - low <= 0).any(axis=1)))} has no volume")
    shared = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    clash = (shared > 1e-3).all(axis=2)
    np.fill_diagonal(clash, val=False)
    if clash.any():
        i, j = (int(k) for k in np.argwhere(clash)[0])
        raise InputError(
            f"blocks {i} ({blocks[i].panel}) and {j} ({blocks[j].panel}) overlap by {shared[i, j].round(3).tolist()} m",
            hint="blocks may touch; pieces that overlap would burst apart",
        )


def _broken(blocks: Sequence[Block], seed: int, blast: tuple[Triple, float] | None) -> tuple[Cells, Ints]:
    panels: dict[tuple[int, str], list[int]] = {}
    for index, item in enumerate(blocks):
        panels.setdefault((item.building, item.panel), []).append(index)
    made, block = [], []
    for number, rows in enumerate(panels.values()):
        boxes = np.array([(blocks[i].low, blocks[i].high) for i in rows])
        cell = min(blocks[i].cell for i in rows)
        random = np.random.default_rng([seed, number])
        points = seeds(boxes, cell, random, blast=blast) if cell > 0 else boxes.mean(axis=(0, 1))[None]
        cells = fracture(cuboid(boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)), points, boxes)
        made.append(cells)
        block.append(np.array(rows, dtype=np.int32)[cells.box])
    return merged(made), np.concatenate(block)


def _contacts(cells: Cells) -> tuple[Ints, Floats, Floats]:
    """Pairs of pieces (N, 2), the area they share (N,) and the normal from the first to the second (N, 3)."""
    owner = np.repeat(np.arange(len(cells), dtype=np.int32), np.diff(cells.face_start))
    normals, areas = cells.normals(), cells.areas()
    at = {(int(s), int(b)): i for i, (s, b) in enumerate(zip(cells.seed, cells.box, strict=True))}
    cracks = np.flatnonzero(cells.beyond >= 0)
    other = [at.get((int(cells.beyond[f]), int(cells.box[owner[f]])), -1) for f in cracks]
    cut = np.stack([owner[cracks], np.array(other, dtype=np.int32)], axis=1).reshape(-1, 2)
    sides, shared = _facing(cells, normals)
    pairs = np.concatenate([cut, owner[sides]])
    area = np.concatenate([areas[cracks], shared])
    normal = np.concatenate([normals[cracks], normals[sides[:, 0]]])
    keep = (pairs[:, 0] >= 0) & (pairs[:, 1] >= 0) & (area > 1e-6)
    return _summed(pairs[keep], area[keep], normal[keep], len(cells))


def _summed(pairs: Ints, area: Floats, normal: Floats, count: int) -> tuple[Ints, Floats, Floats]:
    """One row a pair. A crack was seen from both of its pieces, a touching side from one."""
    turned = pairs[:, 0] > pairs[:, 1]
    pairs = np.where(turned[:, None], pairs[:, ::-1], pairs)
    normal = np.where(turned[:, None], -normal, normal)
    key, first, row = np.unique(
        pairs[:, 0].astype(np.int64) * count + pairs[:, 1], return_index=True, return_inverse=True
    )
    seen = np.zeros((len(key), 2))
    np.maximum.at(seen, (row, turned.astype(int)), area)
    return pairs[first].astype(np.int32), seen.max(axis=1), normal[first]


def _facing(cells: Cells, normals: Floats) -> tuple[Ints, Floats]:
    """Axis-aligned faces that face each other (K, 2), and the area they share (K,)."""
    middle = np.add.reduceat(cells.vertices[cells.corners], cells.faces[:-1]) / np.diff(cells.faces)[:, None]
    sides = np.flatnonzero(cells.beyond < 0)
    pairs, shared = [np.empty((0, 2), dtype=np.int64)], [np.empty(0)]
    for axis in range(3):
        plus, minus = (sides[normals[sides, axis] * sign > 0.999] for sign in (1, -1))
        minus = minus[np.argsort(middle[minus, axis], kind="stable")]
        start = np.searchsorted(middle[minus, axis], middle[plus, axis] - GAP)
        end = np.searchsorted(middle[minus, axis], middle[plus, axis] + GAP)
        flat = np.ascontiguousarray(np.delete(cells.vertices, axis, axis=1))
        found = _overlaps(flat, cells.corners, cells.faces, plus, minus, start, end)
        pairs.append(found[:, :2].astype(np.int64))
        shared.append(found[:, 2])
    return np.concatenate(pairs), np.concatenate(shared)


@exact
def _overlaps(
    points: Floats, corners: Ints, faces: Ints, plus: Longs, minus: Longs, start: Longs, end: Longs
) -> Floats:
    """Rows (face, face, shared area) of the faces *plus* with those of *minus* between *start* and *end*."""
    bounds = np.empty((len(faces) - 1, 4))
    for group in (plus, minus):
        for face in group:
            loop = points[corners[faces[face] : faces[face + 1]]]
            bounds[face, 0], bounds[face, 1] = loop[:, 0].min(), loop[:, 1].min()
            bounds[face, 2], bounds[face, 3] = loop[:, 0].max(), loop[:, 1].max()
    found = np.empty((64, 3))
    count = 0
    for row, a in enumerate(plus):
        for b in minus[start[row] : end[row]]:
            if (
                bounds[a, 0] < bounds[b, 2]
                and bounds[b, 0] < bounds[a, 2]
                and bounds[a, 1] < bounds[b, 3]
                and bounds[b, 1] < bounds[a, 3]
            ):
                shared = _shared(
                    points[corners[faces[a] : faces[a + 1]]], points[corners[faces[b] : faces[b + 1]]]
                )
                if shared > 1e-6:
                    if count == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    found[count, 0], found[count, 1], found[count, 2] = a, b, shared
                    count += 1
    return found[:count]


@exact
def _signed(loop: Floats, size: int) -> float:
    """The area of a polygon, positive when it is counter-clockwise."""
    total = 0.0
    for k in range(size):
        n = k + 1 if k + 1 < size else 0
        total += loop[k, 0] * loop[n, 1] - loop[n, 0] * loop[k, 1]
    return total / 2


@exact
def _shared(a: Floats, b: Floats) -> float:
    """The area that two convex polygons share (Sutherland and Hodgman)."""
    turn = 1.0 if _signed(b, len(b)) > 0 else -1.0
    loop, fresh = np.empty((160, 2)), np.empty((160, 2))
    size = len(a)
    loop[:size] = a
    for k in range(len(b)):
        n = k + 1 if k + 1 < len(b) else 0
        ex, ey = (b[n, 0] - b[k, 0]) * turn, (b[n, 1] - b[k, 1]) * turn
        kept = 0
        for i in range(size):
            j = i + 1 if i + 1 < size else 0
            here = ex * (loop[i, 1] - b[k, 1]) - ey * (loop[i, 0] - b[k, 0])
            there = ex * (loop[j, 1] - b[k, 1]) - ey * (loop[j, 0] - b[k, 0])
            if here >= 0:
                fresh[kept] = loop[i]
                kept += 1
            if here * there < 0:
                fresh[kept] = loop[i] + (loop[j] - loop[i]) * (here / (here - there))
                kept += 1
        loop, fresh = fresh, loop
        size = kept
        if size < 3:
            return 0.0
    return abs(_signed(loop, size))


def _chunks(cells: Cells, pairs: Ints, area: Floats, volume: Floats) -> Ints:
    """Pieces of one Voronoi cell that touch make one chunk; a sliver joins the chunk that it touches most."""
    same = cells.seed[pairs[:, 0]] == cells.seed[pairs[:, 1]]
    chunk = components(len(cells), pairs[same])
    size = np.bincount(chunk, volume)
    joined = same.copy()
    taken: set[int] = set()
    for bond in np.argsort(-area, kind="stable"):
        for small, large in (chunk[pairs[bond]], chunk[pairs[bond, ::-1]]):
            if small != large and small not in taken and size[small] < SLIVER <= size[large]:
                taken.add(int(small))
                joined[bond] = True
    return components(len(cells), pairs[joined])


def components(count: int, pairs: Ints) -> Ints:
    """The connected component of each of *count* nodes, numbered in order of first appearance."""
    label = np.arange(count)
    while len(pairs):
        least = label.copy()
        np.minimum.at(least, pairs[:, 0], label[pairs[:, 1]])
        np.minimum.at(least, pairs[:, 1], label[pairs[:, 0]])
        least = least[least]
        if (least == label).all():
            break
        label = least
    return np.unique(label, return_inverse=True)[1].astype(np.int32)


def supported(structure: Structure, standing: Mask, holding: Mask) -> Mask:
    """Which *standing* pieces (P,) the ground still carries through *holding* bonds (N,): a flood from the anchors."""
    pairs = structure.bonds.pairs
    live = pairs[holding & standing[pairs[:, 0]] & standing[pairs[:, 1]]]
    part = components(len(structure), live)
    grounded = np.zeros(part.max() + 1, dtype=bool)
    grounded[part[structure.anchored & standing]] = True
    return standing & grounded[part]


def loads(
    structure: Structure, standing: Mask, holding: Mask, weight: Floats, guess: Floats
) -> tuple[Floats, Floats]:
    """What passes through each bond, i to j, in newtons (N,), and the potentials (P,) to start from next time.

    *weight* (P,) finds its way to the anchors as a current does through resistors: wide and steep contacts conduct
    best, so walls draw load from slabs and piers from what spans them. Every standing piece must be supported.
    """
    bonds = structure.bonds
    i, j = bonds.pairs.T
    live = holding & standing[i] & standing[j]
    conduct = np.where(live, bonds.area * (1 + 5 * bonds.upward**2), 0.0)
    footing = np.where(structure.anchored, 50.0, 0.0)
    count = len(structure)
    diagonal = np.bincount(i, conduct, count) + np.bincount(j, conduct, count) + footing
    scale = np.where(standing, diagonal, 1.0)

    def apply(u: Floats) -> Floats:
        passed = conduct * u[j], conduct * u[i]
        drawn: Floats = diagonal * u - np.bincount(i, passed[0], count) - np.bincount(j, passed[1], count)
        return np.where(standing, drawn, u)

    level = _solved(apply, scale, np.where(standing, weight, 0.0), np.where(standing, guess, 0.0))
    return conduct * (level[i] - level[j]), level


def _solved(apply: Callable[[Floats], Floats], scale: Floats, right: Floats, start: Floats) -> Floats:
    """Conjugate gradients, preconditioned by the diagonal *scale*."""
    x = start.copy()
    rest = right - apply(x)
    eased = rest / scale
    way, power = eased.copy(), float(rest @ eased)
    goal = 1e-10 * float(right @ (right / scale))
    for _ in range(600):
        if power <= goal:
            break
        pushed = apply(way)
        step = power / float(way @ pushed)
        x += step * way
        rest -= step * pushed
        eased = rest / scale
        before, power = power, float(rest @ eased)
        way = eased + way * (power / before)
    return x


@attrs.frozen(eq=False)
class Rods:
    """Reinforcing bars: the piece that each rides (R,), and where it starts and ends (R, 3)."""

    piece: Ints
    start: Floats
    end: Floats


def rebar(structure: Structure, seed: int) -> Rods:
    """Bars that stick 5 to 45 cm out of the cracks of reinforced blocks, along the two long axes of each.

    Bars end inside the unbroken block, so none shows before it breaks.
    """
    random = np.random.default_rng([seed, 17])
    rows: list[tuple[int, Floats, Floats]] = []
    for piece in np.flatnonzero([structure.blocks[b].rebar for b in structure.block]):
        block = structure.blocks[structure.block[piece]]
        low, high = np.array(block.low), np.array(block.high)
        thin = int(np.argmin(high - low))
        for axis in (k for k in range(3) if k != thin):
            rows += _bars(structure, int(piece), axis, (low, high), random)
    riding = np.array([row[0] for row in rows], dtype=np.int32)
    start, end = (np.array([row[k] for row in rows]).reshape(-1, 3) for k in (1, 2))
    return Rods(riding, start, end)


def _bars(
    structure: Structure, piece: int, axis: int, block: tuple[Floats, Floats], random: np.random.Generator
) -> list[tuple[int, Floats, Floats]]:
    low, high = structure.boxes[piece]
    made = []
    for _ in range(random.poisson(1.3 * float(structure.volume[piece]) ** (1 / 3))):
        through = structure.centroid[piece] + (random.random(3) - 0.5) * 0.5 * (high - low)
        through[axis] = structure.centroid[piece][axis]
        reach = 0.05 + 0.40 * random.random(2)
        span = crossing(structure, piece, through, axis)
        start, end = through.copy(), through.copy()
        start[axis] = max(block[0][axis] + 0.03, span[0] - reach[0])
        end[axis] = min(block[1][axis] - 0.03, span[1] + reach[1])
        if span[1] > span[0] and end[axis] > start[axis]:
            made.append((piece, start, end))
    return made


def crossing(structure: Structure, piece: int, point: Floats, axis: int) -> tuple[float, float]:
    """Where the line through *point* along *axis* enters and leaves a piece; the first exceeds the second if it misses."""
    cells = structure.cells
    start, end = cells.face_start[piece : piece + 2]
    corner, normal = (each[start:end] for each in cells.planes)
    slope = normal[:, axis]
    away = np.einsum("ij,ij->i", normal, corner - point)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = point[axis] + away / slope
    entry = at[slope < -1e-12].max(initial=-np.inf)
    leave = at[slope > 1e-12].min(initial=np.inf)
    return float(entry), float(leave)


def carriers(structure: Structure, boxes: ArrayLike) -> Ints:
    """The piece that each attachment rides, from its box (A, 2, 3): the nearest, and of equals the one it faces most.

    Sills, sashes, signs and air conditioners have no body of their own; they go where their wall goes.
    """
    wanted = np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 3)
    found = np.empty(len(wanted), dtype=np.int32)
    for row, (low, high) in enumerate(wanted):
        gap = np.maximum(structure.boxes[:, 0] - high, low - structure.boxes[:, 1])
        shared = np.minimum(structure.boxes[:, 1], high) - np.maximum(structure.boxes[:, 0], low)
        face = np.sort(np.maximum(shared, 0.0), axis=1)
        distance = np.linalg.norm(np.maximum(gap, 0.0), axis=1).round(3)
        found[row] = np.lexsort((-face[:, 1] * face[:, 2], distance))[0]
    return found
