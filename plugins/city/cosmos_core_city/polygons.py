"""Polygons into triangles: convex ones as fans, others ear by ear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

STRAIGHT = 1e-9
"""Share of the square of a polygon's size that an area may be below 0 at a corner which still counts as straight."""


def fanned(
    points: Floats, sizes: NDArray[np.integer[Any]], corners: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Triangles (T, 3) of polygons with *sizes* corners each, and the polygon of each triangle (T,), in order.

    A polygon that is wound one way gives triangles that are wound so.
    """
    counts = sizes.astype(np.int64)
    starts = np.cumsum(counts) - counts
    made, owners = [], []
    for size in np.unique(counts).tolist():
        rows = np.flatnonzero(counts == size)
        rings = corners[starts[rows][:, None] + np.arange(size)]
        bent = np.zeros(len(rows), dtype=bool) if size == 3 else ~convex(points[rings].astype(np.float64))
        around = np.arange(1, size - 1)
        fan = np.stack([np.zeros_like(around), around, around + 1], axis=1)
        made.append(rings[~bent][:, fan].reshape(-1, 3))
        owners.append(np.repeat(rows[~bent], size - 2))
        for row, ring in zip(rows[bent].tolist(), rings[bent], strict=True):
            ears = np.array(clipped(points[ring].astype(np.float64)))
            made.append(ring[ears])
            owners.append(np.full(len(ears), row))
    triangles, owner = np.concatenate(made), np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return triangles[order].astype(np.int32), owner[order].astype(np.int32)


def normals(rings: Floats) -> Floats:
    """Normals of polygons (K, N, 3), as long as twice their area: (K, 3)."""
    middle = rings - rings[:, :1]
    return np.asarray(np.cross(middle, np.roll(middle, -1, axis=1)).sum(axis=1))


def convex(rings: Floats) -> NDArray[np.bool_]:
    """Which of the polygons (K, N, 3) have no corner that bends inwards."""
    normal = normals(rings)
    size = np.ptp(rings, axis=1).max(axis=1)
    before, after = rings - np.roll(rings, 1, axis=1), np.roll(rings, -1, axis=1) - rings
    turn = (np.cross(before, after) * normal[:, None]).sum(axis=2) / np.maximum(
        np.linalg.norm(normal, axis=1), 1e-30
    )[:, None]
    return np.asarray((turn >= -STRAIGHT * (size**2)[:, None]).all(axis=1))


def clipped(ring: Floats) -> list[tuple[int, int, int]]:
    """Triangles of one polygon (N, 3) that need not be convex, as places in it, ear by ear.

    Where no ear is left, as in a ring that crosses itself, the corner that bends outwards most is taken.
    """
    normal = normals(ring[None])[0]
    drop = int(np.abs(normal).argmax())
    flat = np.delete(ring, drop, axis=1)
    if (normal[drop] < 0) != (drop == 1):
        flat = flat * [-1.0, 1.0]
    left, found = list(range(len(ring))), []
    while len(left) > 3:
        areas = [_area(flat, *_around(left, at)) for at in range(len(left))]
        ears = [at for at, area in enumerate(areas) if area > 0 and _free(flat, left, at)]
        at = min(ears, key=lambda one: -areas[one]) if ears else int(np.argmax(areas))
        found.append(_around(left, at))
        del left[at]
    return [*found, (left[0], left[1], left[2])]


def _around(left: list[int], at: int) -> tuple[int, int, int]:
    return left[at - 1], left[at], left[(at + 1) % len(left)]


def _area(flat: Floats, a: int, b: int, c: int) -> float:
    (ax, ay), (bx, by), (cx, cy) = flat[[a, b, c]].tolist()
    return float((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))


def _free(flat: Floats, left: list[int], at: int) -> bool:
    """Whether no other corner lies in the triangle at the corner *at*; corners at its own places do not count."""
    a, b, c = _around(left, at)
    own = flat[[a, b, c]].tolist()
    for other in left:
        if other in (a, b, c) or flat[other].tolist() in own:
            continue
        if all(_edge(flat, p, q, other) >= 0 for p, q in ((a, b), (b, c), (c, a))):
            return False
    return True


def _edge(flat: Floats, a: int, b: int, point: int) -> float:
    return _area(flat, a, b, point)
