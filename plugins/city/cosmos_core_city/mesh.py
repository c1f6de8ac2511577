"""Triangles in bulk: boxes, quads, prisms and cylinders as arrays, and parts that gather them.

A part's triangles are counter-clockwise seen from outside. Coordinates are metres, Z up.
"""

from __future__ import annotations

import functools
import math
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import attrs
import numpy as np

from cosmos_core_city.labels import Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int32]

# Corner k of a box has x from bit 0, y from bit 1, z from bit 2 of k.
_CORNERS = np.array([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(8)], dtype=np.float64)
_X, _Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
_FACES = {
    "-x": (0, 4, 6, 2),
    "+x": (1, 3, 7, 5),
    "-y": (0, 1, 5, 4),
    "+y": (2, 6, 7, 3),
    "-z": (0, 2, 3, 1),
    "+z": (4, 5, 7, 6),
}
ALL_FACES = tuple(_FACES)
INSET = 0.005
"""Metres between surfaces that would else lie in one plane, where which of them is seen is chance."""


@attrs.frozen(eq=False)
class Part:
    """Triangles that share a label: vertices (V, 3), triangles (T, 3), and a row of the material table each.

    ``body`` (V,) is what each vertex rides, -1 for what never moves; None where nothing of the part does.
    """

    vertices: Floats
    triangles: Ints
    material: Ints
    label: Label
    body: Ints | None = None


@attrs.frozen
class Frame:
    """A local frame: *u* along a front, *v* out of it, z up, all from *origin*."""

    origin: tuple[float, float, float]
    u: tuple[float, float] = (1.0, 0.0)
    v: tuple[float, float] = (0.0, -1.0)

    @property
    def mirrors(self) -> bool:
        """Whether local right-handed triangles come out left-handed."""
        return self.u[0] * self.v[1] - self.u[1] * self.v[0] < 0


def part(shape: tuple[Floats, Ints], material: ArrayLike, label: Label) -> Part:
    """A part of *shape*; *material* is one row or one a triangle."""
    vertices, triangles = shape
    rows = np.empty(len(triangles), dtype=np.int32)
    rows[:] = material
    return Part(vertices, triangles, rows, label)


def placed(parts: Iterable[Part], frame: Frame) -> list[Part]:
    """*parts* moved from *frame* to the world."""
    axes = np.array([[*frame.u, 0.0], [*frame.v, 0.0], [0.0, 0.0, 1.0]])
    origin = np.asarray(frame.origin)
    mirrors = frame.mirrors
    return [
        Part(
            item.vertices @ axes + origin,
            item.triangles[:, (0, 2, 1)] if mirrors else item.triangles,
            item.material,
            item.label,
            item.body,
        )
        for item in parts
    ]


def boxes(low: ArrayLike, high: ArrayLike, faces: Sequence[str] = ALL_FACES) -> tuple[Floats, Ints]:
    """N axis-aligned boxes from their corners, (N, 3) or (3,) each; two triangles a face."""
    one, other = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    bottom, top = np.minimum(one, other), np.maximum(one, other)
    corners = bottom[..., None, :] + _CORNERS * (top - bottom)[..., None, :]
    sides = _sides(tuple(faces))
    if corners.ndim == 2:
        return corners, sides.copy()
    offsets = np.arange(len(corners), dtype=np.int32)[:, None, None] * 8
    return corners.reshape(-1, 3), (sides + offsets).reshape(-1, 3)


@functools.cache
def _sides(faces: tuple[str, ...]) -> Ints:
    """The triangles of the *faces* of a box."""
    wanted = np.array([_FACES[face] for face in faces], dtype=np.int32).reshape(-1, 4)
    return np.concatenate([wanted[:, [0, 1, 2]], wanted[:, [0, 2, 3]]], axis=1).reshape(-1, 3)


def quads(corners: ArrayLike) -> tuple[Floats, Ints]:
    """N quads (N, 4, 3), each counter-clockwise from outside; two consecutive triangles a quad."""
    points = np.asarray(corners, dtype=np.float64).reshape(-1, 4, 3)
    local = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    offsets = np.arange(len(points), dtype=np.int32)[:, None, None] * 4
    return points.reshape(-1, 3), (local[None] + offsets).reshape(-1, 3).astype(np.int32)


def panels(low: ArrayLike, high: ArrayLike, v: ArrayLike) -> tuple[Floats, Ints]:
    """N upright rectangles in the plane of a front at depth *v*, from (N, 2) corners in (u, z), facing out."""
    start, end = (
        np.atleast_2d(np.asarray(low, dtype=np.float64)),
        np.atleast_2d(np.asarray(high, dtype=np.float64)),
    )
    depth = np.broadcast_to(np.asarray(v, dtype=np.float64), len(start))
    columns = [(start, start), (start, end), (end, end), (end, start)]
    corners = np.stack([np.stack([a[:, 0], depth, b[:, 1]], axis=1) for a, b in columns], axis=1)
    return quads(corners)


def prism(outline: ArrayLike, start: float, end: float, axis: int = 0) -> tuple[Floats, Ints]:
    """A convex outline (N, 2), counter-clockwise in the two axes after *axis*, swept from *start* to *end*."""
    ring = np.asarray(outline, dtype=np.float64)
    count = len(ring)
    vertices = np.empty((2 * count, 3))
    for half, value in enumerate((start, end)):
        rows = slice(half * count, (half + 1) * count)
        vertices[rows, axis] = value
        vertices[rows, (axis + 1) % 3] = ring[:, 0]
        vertices[rows, (axis + 2) % 3] = ring[:, 1]
    index = np.arange(count)
    following = (index + 1) % count
    sides = [(index, following, following + count), (index, following + count, index + count)]
    fan = np.stack([np.zeros(count - 2, dtype=np.int64), index[1:-1], index[2:]], axis=1)
    caps = [fan[:, ::-1], fan + count]
    return vertices, np.concatenate([*(np.stack(side, axis=1) for side in sides), *caps]).astype(np.int32)


def cylinder(
    start: ArrayLike, end: ArrayLike, radius: float, end_radius: float | None = None, sides: int = 8
) -> tuple[Floats, Ints]:
    """A closed cone frustum between two points; *end_radius* is *radius* unless told."""
    base, tip = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    forward = _unit(tip - base)
    across = _unit(_cross(forward, _X if abs(forward[0]) < 0.9 else _Y))
    cosine, sine, triangles = _ring(sides)
    ring = cosine * across + sine * _cross(forward, across)
    last = radius if end_radius is None else end_radius
    return np.concatenate([base + ring * radius, tip + ring * last]), triangles.copy()


def _unit(vector: Floats) -> Floats:
    """A vector (3,) made as long as 1."""
    return vector / math.sqrt(vector.dot(vector))


def _cross(a: Floats, b: Floats) -> Floats:
    """The cross product of two vectors; NumPy's is made for many, and a city has thousands of cylinders."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


@functools.cache
def _ring(sides: int) -> tuple[Floats, Floats, Ints]:
    """Cosine and sine (N, 1) of the corners of a cylinder, and its triangles."""
    angles = np.arange(sides) * (2 * np.pi / sides)
    index = np.arange(sides)
    following = (index + 1) % sides
    fan = np.stack([np.zeros(sides - 2, dtype=np.int64), index[1:-1], index[2:]], axis=1)
    triangles = [
        np.stack([index, following, following + sides], axis=1),
        np.stack([index, following + sides, index + sides], axis=1),
        fan[:, ::-1],
        fan + sides,
    ]
    return np.cos(angles)[:, None], np.sin(angles)[:, None], np.concatenate(triangles).astype(np.int32)


def tube(points: Sequence[Sequence[float]], radius: float, sides: int = 6) -> tuple[Floats, Ints]:
    """Cylinders along a polyline, overlapping at the joints."""
    return joined([cylinder(a, b, radius, sides=sides) for a, b in pairwise(points)])


def joined(shapes: Sequence[tuple[Floats, Ints]]) -> tuple[Floats, Ints]:
    """Several shapes as one."""
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in shapes[:-1])])
    triangles = [faces + offset for (_, faces), offset in zip(shapes, offsets, strict=True)]
    return np.concatenate([v for v, _ in shapes]), np.concatenate(triangles).astype(np.int32)
