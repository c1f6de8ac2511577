"""Convex solids into convex cells: Voronoi fracture whose faces remember where they come from.

Each face carries a tag: 0 to 5 for what was a side of the unbroken part (-x, +x, -y, +y, -z, +z), 6 for a crack.
Cells are cut by half-spaces alone, so they fill the part exactly, and render and physics share one shape.
Coordinates are metres, Z up; polygons are counter-clockwise seen from outside.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core.errors import CosmosError, InputError
from cosmos_core_city.kernels import exact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int32]

CRACK = 6
"""Tag of a face that a crack made."""
THIN = 0.7
"""A part is thin along an axis when it measures less than this many cells along it."""
_POINTS, _FACES, _CORNERS = 384, 96, 64
_SIDES = ((0, 4, 6, 2), (1, 3, 7, 5), (0, 1, 5, 4), (2, 6, 7, 3), (0, 2, 3, 1), (4, 5, 7, 6))


@attrs.frozen(eq=False)
class Solid:
    """A convex polyhedron: points (V, 3), faces as loops of points, and a tag a face."""

    points: Floats
    loops: tuple[tuple[int, ...], ...]
    tags: tuple[int, ...]


@attrs.frozen(eq=False, kw_only=True)
class Cells:
    """Convex cells. C cells with V vertices, F faces and L corners of faces in all."""

    vertices: Floats
    """(V, 3); cells share none."""
    corners: Ints
    """(L,), rows of ``vertices``, face after face."""
    faces: Ints
    """(F + 1,), where each face begins in ``corners``."""
    tags: NDArray[np.int8]
    """(F,), 0 to 5 for sides of the part, 6 for cracks."""
    beyond: Ints
    """(F,), the seed on the other side of a crack, -1 for sides."""
    vertex_start: Ints
    """(C + 1,)."""
    face_start: Ints
    """(C + 1,)."""
    seed: Ints
    """(C,), whose Voronoi cell this is."""
    box: Ints
    """(C,), which box of the part it lies in."""

    def __len__(self) -> int:
        return len(self.seed)

    def triangles(self) -> tuple[Ints, Ints]:
        """Fans over the faces: rows of ``vertices`` (T, 3), and the face of each triangle (T,)."""
        counts = np.diff(self.faces) - 2
        face = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        step = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
        first = self.faces[face]
        rows = np.stack([first, first + step + 1, first + step + 2], axis=1)
        return self.corners[rows], face

    def normals(self) -> Floats:
        """Outward unit normals of the faces, (F, 3)."""
        triangles, face = self.triangles()
        a, b, c = (self.vertices[triangles[:, i]] for i in range(3))
        total = sums(np.cross(b - a, c - a), face, len(self.tags))
        return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1), 1e-30)[:, None])

    @cached_property
    def planes(self) -> tuple[Floats, Floats]:
        """The first corner of each face (F, 3), and a normal of any length (F, 3)."""
        a, b, c = (self.vertices[self.corners[self.faces[:-1] + k]] for k in range(3))
        return a, np.cross(b - a, c - a)

    def areas(self) -> Floats:
        """Areas of the faces in square metres, (F,)."""
        triangles, face = self.triangles()
        a, b, c = (self.vertices[triangles[:, i]] for i in range(3))
        return np.asarray(np.linalg.norm(sums(np.cross(b - a, c - a), face, len(self.tags)), axis=1) / 2)

    def solids(self) -> tuple[Floats, Floats]:
        """Volumes in cubic metres (C,) and centroids (C, 3)."""
        triangles, face = self.triangles()
        cell = np.repeat(np.arange(len(self)), np.diff(self.face_start))[face]
        origin = self.vertices[self.vertex_start[:-1]]
        a, b, c = (self.vertices[triangles[:, i]] - origin[cell] for i in range(3))
        part = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
        volume: Floats = np.bincount(cell, part, len(self)).astype(np.float64)
        moment = sums(part[:, None] * (a + b + c) / 4, cell, len(self))
        return volume, origin + moment / np.maximum(volume, 1e-30)[:, None]

    def boxes(self) -> Floats:
        """Axis-aligned boxes of the cells, (C, 2, 3)."""
        start = self.vertex_start[:-1]
        return np.stack(
            [np.minimum.reduceat(self.vertices, start), np.maximum.reduceat(self.vertices, start)], axis=1
        )


def merged(parts: Sequence[Cells]) -> Cells:
    """The cells of several parts as one; seeds and boxes are numbered on."""

    def shifted(name: str, by: Sequence[int]) -> Ints:
        kept = [getattr(part, name) for part in parts]
        return np.concatenate([np.where(a < 0, a, a + b) for a, b in zip(kept, by, strict=True)]).astype(
            np.int32
        )

    def chained(name: str, by: Sequence[int]) -> Ints:
        inner = [getattr(part, name)[:-1] + b for part, b in zip(parts, by, strict=False)]
        return np.concatenate([*inner, by[-1:]]).astype(np.int32)

    def before(counts: Sequence[int]) -> list[int]:
        return [int(n) for n in np.cumsum([0, *counts])]

    points, corners = before([len(p.vertices) for p in parts]), before([len(p.corners) for p in parts])
    faces = before([len(p.tags) for p in parts])
    sites = before([int(max(p.seed.max(), p.beyond.max())) + 1 for p in parts])[:-1]
    return Cells(
        vertices=np.concatenate([part.vertices for part in parts]),
        corners=shifted("corners", points[:-1]),
        faces=chained("faces", corners),
        tags=np.concatenate([part.tags for part in parts]),
        beyond=shifted("beyond", sites),
        vertex_start=chained("vertex_start", points),
        face_start=chained("face_start", faces),
        seed=shifted("seed", sites),
        box=shifted("box", before([int(p.box.max()) + 1 for p in parts])[:-1]),
    )


def sums(values: Floats, group: ArrayLike, count: int) -> Floats:
    """Sums (count, K) of the rows of *values* by *group*."""
    columns = [np.bincount(np.asarray(group), values[:, i], count) for i in range(values.shape[1])]
    return np.stack(columns, axis=1)


def cuboid(low: ArrayLike, high: ArrayLike) -> Solid:
    """A box as a solid; side *k* has tag *k*."""
    corner = np.array([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(8)], dtype=np.float64)
    bottom, top = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    return Solid(np.where(corner > 0, top, bottom), _SIDES, tuple(range(6)))


def seeds(
    boxes: ArrayLike,
    cell: float,
    random: np.random.Generator,
    *,
    blast: tuple[Sequence[float], float] | None = None,
) -> Floats:
    """Points (S, 3) about *cell* metres apart for the cells of a part made of *boxes* (B, 2, 3).

    A jittered grid; its cells are halved once within the radius of *blast*, (centre, radius), and once more within
    0.4 of it. Along an axis where the part is thin the seeds stay in the middle, so that cracks go through.
    """
    parts = np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 3)
    low, high = parts[:, 0].min(axis=0), parts[:, 1].max(axis=0)
    extent = high - low
    counts = np.where(extent < THIN * cell, 1, np.maximum(1, np.round(extent / cell))).astype(int)
    axes = [low[k] + (np.arange(counts[k]) + 0.5) * extent[k] / counts[k] for k in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    size = np.broadcast_to(extent / counts, points.shape)
    for reach in (1.0, 0.4) if blast else ():
        points, size = _halved(points, size, np.asarray(blast[0]), reach * blast[1], cell)  # type: ignore[index]
    thin = size[:, :] >= extent * 0.999
    jitter = (random.random(points.shape) - 0.5) * 0.82 * np.where(thin & (extent < THIN * cell), 0.0, size)
    points = points + jitter
    inside = _within(points, parts)
    return points[inside] if inside.any() else parts.mean(axis=1)[:1]


def _within(points: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Which points (P, 3) lie in any of the boxes (B, 2, 3)."""
    inside = (points[:, None] > boxes[:, 0]) & (points[:, None] < boxes[:, 1])
    return np.asarray(np.any(np.all(inside, axis=2), axis=1))


def _halved(points: Floats, size: Floats, center: Floats, reach: float, cell: float) -> tuple[Floats, Floats]:
    """The grid with every grid cell within *reach* halved along the axes on which it is wide."""
    near = np.linalg.norm(points - center, axis=1) < reach
    for axis in range(3):
        split = near & (size[:, axis] > THIN / 2 * cell) & (size[:, axis] > 0.3)
        shift = np.zeros((int(split.sum()), 3))
        shift[:, axis] = size[split, axis] / 4
        half = size[split].copy()
        half[:, axis] /= 2
        points = np.concatenate([points[~split], points[split] - shift, points[split] + shift])
        size = np.concatenate([size[~split], half, half])
        near = np.concatenate([near[~split], near[split], near[split]])
    return points, size


def fracture(part: Solid, points: ArrayLike, boxes: ArrayLike | None = None) -> Cells:
    """The Voronoi cells of *points* (S, 3) in *part*, each cut to every one of *boxes* (B, 2, 3) it meets.

    Boxes are how openings are respected: pass what is left of a wall around its windows. Where the boxes of one
    wall touch, the faces between them get the tag 6 as well.

    Raises:
        InputError: when two seeds coincide.
    """
    sites = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    if len(np.unique(sites, axis=0)) < len(sites):
        raise InputError("two seeds of a fracture lie on one point")
    whole = np.stack([part.points.min(axis=0), part.points.max(axis=0)])[None]
    limits = whole if boxes is None else np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 3)
    made: list[_Raw] = []
    cell, work = _scratch(), _scratch()
    for site in range(len(sites)):
        shape = _voronoi(sites, site, cell, *_load(cell, part))
        if boxes is None:
            made += _taken(cell, shape, site, 0)
            continue
        for box in _meeting(cell.points[: shape[0]], limits):
            _copied(cell, work)
            made += _taken(work, _boxed(limits[box], work, *shape), site, int(box))
    cells = _gathered(made)
    return cells if boxes is None else _seamed(cells, limits)


class _Work(NamedTuple):
    """The solid that is being cut, with room to grow."""

    points: Floats
    loops: Ints
    sizes: Ints
    tags: NDArray[np.int8]
    beyond: Ints
    side: Floats


_Raw: TypeAlias = tuple[
    NDArray[np.float64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int8], NDArray[np.int32], int, int
]


def _scratch() -> _Work:
    return _Work(
        points=np.empty((_POINTS, 3)),
        loops=np.zeros((_FACES, _CORNERS), dtype=np.int32),
        sizes=np.zeros(_FACES, dtype=np.int32),
        tags=np.zeros(_FACES, dtype=np.int8),
        beyond=np.zeros(_FACES, dtype=np.int32),
        side=np.empty(_POINTS),
    )


def _copied(source: _Work, target: _Work) -> None:
    """Make *target* the solid in *source*; ``side`` holds nothing between cuts."""
    target.points[:] = source.points
    target.loops[:] = source.loops
    target.sizes[:] = source.sizes
    target.tags[:] = source.tags
    target.beyond[:] = source.beyond


def _load(work: _Work, part: Solid) -> tuple[int, int]:
    points, loops, sizes, tags, beyond, _ = work
    points[: len(part.points)] = part.points
    for face, loop in enumerate(part.loops):
        loops[face, : len(loop)] = loop
        sizes[face] = len(loop)
    tags[: len(part.tags)] = part.tags
    beyond[: len(part.tags)] = -1
    return len(part.points), len(part.loops)


def _meeting(points: Floats, boxes: Floats) -> NDArray[np.int64]:
    low, high = points.min(axis=0), points.max(axis=0)
    return np.flatnonzero(((boxes[:, 0] < high) & (boxes[:, 1] > low)).all(axis=1))


def _taken(work: _Work, shape: tuple[int, int], site: int, box: int) -> list[_Raw]:
    """The cell in *work* as arrays of its own; nothing where nothing is left."""
    count, faces = shape
    if count < 0:
        raise CosmosError("a cell of a fracture has too many faces", hint="use larger cells")
    if not faces:
        return []
    points, loops, sizes, tags, beyond, _ = work
    size = sizes[:faces]
    corners = loops[:faces][np.arange(_CORNERS) < size[:, None]]
    arrays = points[:count].copy(), corners, size.copy(), tags[:faces].copy(), beyond[:faces].copy()
    return [(*arrays, site, box)]


def _gathered(made: Sequence[_Raw]) -> Cells:
    def starts(counts: Sequence[int]) -> Ints:
        return np.cumsum([0, *counts]).astype(np.int32)

    vertex_start = starts([len(raw[0]) for raw in made])
    corners = [raw[1] + start for raw, start in zip(made, vertex_start, strict=False)]
    sizes = np.concatenate([raw[2] for raw in made])
    return Cells(
        vertices=np.concatenate([raw[0] for raw in made]),
        corners=np.concatenate(corners).astype(np.int32),
        faces=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        tags=np.concatenate([raw[3] for raw in made]),
        beyond=np.concatenate([raw[4] for raw in made]),
        vertex_start=vertex_start,
        face_start=starts([len(raw[2]) for raw in made]),
        seed=np.array([raw[5] for raw in made], dtype=np.int32),
        box=np.array([raw[6] for raw in made], dtype=np.int32),
    )


def _seamed(cells: Cells, boxes: Floats) -> Cells:
    """*cells* with the tag 6 on sides that touch another of *boxes* all over.

    A side that only partly touches keeps its own tag: it shows in the unbroken part.
    """
    face = np.repeat(np.arange(len(cells.tags)), np.diff(cells.faces))
    corner = cells.vertices[cells.corners]
    count = np.diff(cells.faces)[:, None]
    middle = sums(corner, face, len(cells.tags)) / count
    probe = corner + (middle[face] - corner) * 0.02 + cells.normals()[face] * 1e-4
    seam = np.bincount(face, _within(probe, boxes), len(cells.tags)) == count[:, 0]
    return attrs.evolve(cells, tags=np.where(seam, CRACK, cells.tags).astype(np.int8))


@exact
def _voronoi(
    sites: Floats,
    site: int,
    work: _Work,
    count: int,
    faces: int,
) -> tuple[int, int]:
    """Cut the solid in the arrays to the Voronoi cell of one site; nearest first, until none can reach."""
    points = work.points
    x, y, z = sites[site]
    squares = np.empty(len(sites))
    for i in range(len(sites)):
        squares[i] = (sites[i, 0] - x) ** 2 + (sites[i, 1] - y) ** 2 + (sites[i, 2] - z) ** 2
    normal = np.empty(3)
    for other in np.argsort(squares):
        if other == site:
            continue
        far = 0.0
        for i in range(count):
            far = max(far, (points[i, 0] - x) ** 2 + (points[i, 1] - y) ** 2 + (points[i, 2] - z) ** 2)
        if squares[other] > 4.0 * far:
            break
        length = np.sqrt(squares[other])
        offset = 0.0
        for k in range(3):
            normal[k] = (sites[other, k] - sites[site, k]) / length
            offset += normal[k] * (sites[other, k] + sites[site, k]) / 2
        count, faces = _cut(normal, offset, 6, other, work, count, faces)
        if faces == 0:
            break
    return count, faces


@exact
def _boxed(
    box: Floats,
    work: _Work,
    count: int,
    faces: int,
) -> tuple[int, int]:
    """Cut the solid in the arrays to a box."""
    normal = np.zeros(3)
    for k in range(6):
        if faces > 0:
            normal[:] = 0.0
            sign = 1.0 if k & 1 else -1.0
            normal[k >> 1] = sign
            offset = sign * box[k & 1, k >> 1]
            count, faces = _cut(normal, offset, k, -1, work, count, faces)
    return count, faces


@exact
def _cut(
    normal: Floats,
    offset: float,
    tag: int,
    other: int,
    work: _Work,
    count: int,
    faces: int,
) -> tuple[int, int]:
    """Keep what lies behind a plane; a new face closes the cut. No faces are left of a solid before the plane.

    New points are made once for both faces of an edge, so cells stay closed. A point on the plane counts as behind.
    """
    points, loops, sizes, tags, beyond, side = work
    inside, outside = 0, 0
    for i in range(count):
        away = points[i, 0] * normal[0] + points[i, 1] * normal[1] + points[i, 2] * normal[2] - offset
        side[i] = 0.0 if abs(away) < 1e-10 else away
        inside += side[i] < 0
        outside += side[i] > 0
    if outside == 0 or faces == 0:
        return count, faces
    if inside == 0:
        return 0, 0
    kept, first = 0, count
    ends = np.empty((_POINTS, 2), dtype=np.int32)
    loop = np.empty(_CORNERS + 2, dtype=np.int32)
    for face in range(faces):
        size = 0
        for k in range(sizes[face]):
            a = loops[face, k]
            b = loops[face, k + 1 if k + 1 < sizes[face] else 0]
            if side[a] <= 0:
                loop[size] = a
                size += 1
            if side[a] * side[b] < 0:
                i, o = (a, b) if side[a] < 0 else (b, a)
                new = -1
                for v in range(first, count):
                    if ends[v, 0] == i and ends[v, 1] == o:
                        new = v
                if new < 0:
                    if count >= _POINTS:
                        return -1, 1
                    t = side[i] / (side[i] - side[o])
                    for axis in range(3):
                        points[count, axis] = points[i, axis] + (points[o, axis] - points[i, axis]) * t
                    ends[count, 0], ends[count, 1] = i, o
                    side[count] = 0.0
                    new = count
                    count += 1
                loop[size] = new
                size += 1
        if size > _CORNERS:
            return -1, 1
        if size >= 3:
            loops[kept, :size] = loop[:size]
            sizes[kept], tags[kept], beyond[kept] = size, tags[face], beyond[face]
            kept += 1
    size = _closed(normal, points, side, count, loop)
    if kept + 1 >= _FACES or size > _CORNERS:
        return -1, 1
    loops[kept, :size] = loop[:size]
    sizes[kept], tags[kept], beyond[kept] = size, tag, other
    return _compacted(points, loops, sizes, side, count, kept + 1), kept + 1


@exact
def _closed(normal: Floats, points: Floats, side: Floats, count: int, loop: Ints) -> int:
    """The points on the cutting plane in order about their middle, into *loop*; their number."""
    size = 0
    middle = np.zeros(3)
    for i in range(count):
        if side[i] == 0 and size < len(loop):
            loop[size] = i
            middle += points[i]
            size += 1
    middle /= size
    least = np.argmin(np.abs(normal))
    aside = np.zeros(3)
    aside[least] = 1.0
    u = np.cross(normal, aside)
    v = np.cross(normal, u)
    angle = np.empty(size)
    for i in range(size):
        arm = points[loop[i]] - middle
        angle[i] = np.arctan2((arm * v).sum(), (arm * u).sum())
    loop[:size] = loop[np.argsort(angle)]
    return size


@exact
def _compacted(points: Floats, loops: Ints, sizes: Ints, side: Floats, count: int, faces: int) -> int:
    """Forget the points before the plane; the number of those left."""
    place = np.empty(count, dtype=np.int32)
    kept = 0
    for i in range(count):
        place[i] = kept
        if side[i] <= 0:
            points[kept] = points[i]
            kept += 1
    for face in range(faces):
        for k in range(sizes[face]):
            loops[face, k] = place[loops[face, k]]
    return kept
