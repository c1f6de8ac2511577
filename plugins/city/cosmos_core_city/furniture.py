"""What stands in the rooms of a house that may break: beds, sofas, tables, cupboards, kitchens, in the frame of a front.

A piece of furniture is a few boxes that move as one. It stands on the floor and goes where that goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.mesh import Part, boxes, part

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from cosmos_core_city.materials import Materials

CLEAR = 0.06
"""Metres between a piece of furniture and the walls, more than what touches."""
_WOODS = ("#6e4a2f", "#8a6642", "#4c3526", "#a5835a")
_CLOTHS = ("#7d3b36", "#3c5572", "#58703f", "#b08a4a", "#6f5a77", "#8d8d86", "#c9bfa9")
_WHITES = ("#e6e2d8", "#d5d9da", "#e9dfca")

Box = tuple[tuple[float, float, float], tuple[float, float, float], str]
"""Two corners, and which of the colours of the piece it has: ``wood``, ``cloth`` or ``white``."""

# Each stands in its own box from the origin, its back to -v: width, depth, height, kilograms a cubic metre, parts.
_KINDS: dict[str, tuple[float, float, float, float, tuple[Box, ...]]] = {
    "bed": (1.5, 2.0, 0.95, 60.0, (
        ((0.0, 0.0, 0.0), (1.5, 0.08, 0.95), "wood"), ((0.0, 0.08, 0.12), (1.5, 2.0, 0.3), "wood"),
        ((0.03, 0.1, 0.3), (1.47, 1.97, 0.5), "white"), ((0.0, 0.75, 0.44), (1.5, 2.0, 0.56), "cloth"),
        ((0.12, 0.14, 0.5), (0.68, 0.5, 0.62), "white"), ((0.82, 0.14, 0.5), (1.38, 0.5, 0.62), "white"),
    )),
    "sofa": (1.9, 0.85, 0.82, 70.0, (
        ((0.0, 0.0, 0.08), (1.9, 0.22, 0.82), "cloth"), ((0.0, 0.2, 0.08), (1.9, 0.85, 0.42), "cloth"),
        ((0.0, 0.0, 0.08), (0.2, 0.85, 0.62), "cloth"), ((1.7, 0.0, 0.08), (1.9, 0.85, 0.62), "cloth"),
        ((0.22, 0.24, 0.42), (0.93, 0.83, 0.5), "white"), ((0.97, 0.24, 0.42), (1.68, 0.83, 0.5), "white"),
    )),
    "table": (1.3, 0.85, 0.8, 45.0, (
        ((0.0, 0.0, 0.71), (1.3, 0.85, 0.76), "wood"), ((0.06, 0.06, 0.0), (0.13, 0.13, 0.71), "wood"),
        ((1.17, 0.06, 0.0), (1.24, 0.13, 0.71), "wood"), ((0.06, 0.72, 0.0), (0.13, 0.79, 0.71), "wood"),
        ((1.17, 0.72, 0.0), (1.24, 0.79, 0.71), "wood"), ((0.45, 0.25, 0.76), (0.75, 0.5, 0.8), "white"),
    )),
    "chair": (0.45, 0.48, 0.92, 50.0, (
        ((0.0, 0.0, 0.44), (0.45, 0.48, 0.49), "wood"), ((0.0, 0.0, 0.0), (0.05, 0.05, 0.92), "wood"),
        ((0.4, 0.0, 0.0), (0.45, 0.05, 0.92), "wood"), ((0.0, 0.43, 0.0), (0.05, 0.48, 0.44), "wood"),
        ((0.4, 0.43, 0.0), (0.45, 0.48, 0.44), "wood"), ((0.05, 0.0, 0.62), (0.4, 0.04, 0.9), "wood"),
    )),
    "cupboard": (1.1, 0.55, 1.95, 110.0, (
        ((0.0, 0.0, 0.0), (1.1, 0.52, 1.95), "wood"), ((0.02, 0.52, 0.1), (0.54, 0.55, 1.9), "wood"),
        ((0.56, 0.52, 0.1), (1.08, 0.55, 1.9), "wood"),
    )),
    "shelf": (0.95, 0.3, 1.88, 140.0, (
        ((0.0, 0.0, 0.0), (0.95, 0.02, 1.85), "wood"), ((0.0, 0.0, 0.0), (0.03, 0.3, 1.85), "wood"),
        ((0.92, 0.0, 0.0), (0.95, 0.3, 1.85), "wood"), *(
            ((0.03, 0.02, 0.05 + 0.36 * k), (0.92, 0.3, 0.08 + 0.36 * k), "wood") for k in range(6)
        ), *(
            ((0.06 + 0.1 * (k & 1), 0.06, 0.08 + 0.36 * k), (0.5 + 0.14 * k % 0.36, 0.25, 0.3 + 0.36 * k), color)
            for k, color in enumerate(("cloth", "white", "cloth", "white", "cloth"))
        ),
    )),
    "kitchen": (1.8, 0.62, 0.92, 130.0, (
        ((0.0, 0.0, 0.0), (1.8, 0.58, 0.88), "white"), ((0.0, 0.0, 0.88), (1.8, 0.62, 0.92), "wood"),
        ((0.06, 0.58, 0.1), (0.56, 0.6, 0.8), "cloth"), ((0.64, 0.58, 0.1), (1.14, 0.6, 0.8), "cloth"),
        ((1.22, 0.58, 0.1), (1.74, 0.6, 0.8), "cloth"),
    )),
    "fridge": (0.66, 0.66, 1.75, 130.0, (
        ((0.0, 0.0, 0.0), (0.66, 0.62, 1.75), "white"), ((0.02, 0.62, 0.55), (0.64, 0.66, 1.73), "white"),
        ((0.02, 0.62, 0.04), (0.64, 0.66, 0.52), "white"),
    )),
}  # fmt: skip
_ROOMS = (
    ("bed", "cupboard", "chair"),
    ("sofa", "shelf", "table", "chair"),
    ("kitchen", "fridge", "table", "chair"),
)


@attrs.frozen(kw_only=True)
class Furniture:
    """One piece: its kind, the corners of its box in the frame of the front, its parts and its kilograms a cubic metre."""

    kind: str
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    density: float
    parts: tuple[Part, ...]


def furnished(
    span: tuple[float, float],
    depth: tuple[float, float],
    floor: float,
    numbers: random.Random,
    materials: Materials,
) -> Iterator[Furniture]:
    """What stands in the room between *span* in u and *depth* in v, on *floor*: along its back wall, then before that."""
    rows = {
        "wood": materials.row(Kind.WOOD, numbers.choice(_WOODS), "#000000"),
        "cloth": materials.row(Kind.PAINT, numbers.choice(_CLOTHS), "#000000", 0.12),
        "white": materials.row(Kind.PAINT, numbers.choice(_WHITES), "#000000", 0.05),
    }
    left, right = span[0] + CLEAR, span[1] - CLEAR
    back, u, deepest = depth[0] + CLEAR, left, 0.0
    for kind in _ROOMS[numbers.randrange(len(_ROOMS))]:
        width, deep = _KINDS[kind][:2]
        if u + width > right:
            u, back, deepest = left, back + deepest + 0.35, 0.0
        if u + width > right or back + deep > depth[1] - CLEAR:
            continue
        yield _placed(kind, (u, back, floor), rows)
        u, deepest = u + width + numbers.uniform(0.12, 0.5), max(deepest, deep)


def _placed(kind: str, at: tuple[float, float, float], rows: dict[str, int]) -> Furniture:
    width, deep, height, density, shapes = _KINDS[kind]
    colors: Sequence[str] = tuple(dict.fromkeys(color for *_, color in shapes))
    made = []
    for color in colors:
        low = np.array([a for a, _, c in shapes if c == color]) + at
        high = np.array([b for _, b, c in shapes if c == color]) + at
        made.append(part(boxes(low, high), rows[color], Label.INTERIOR))
    return Furniture(
        kind=kind,
        low=at,
        high=(at[0] + width, at[1] + deep, at[2] + height),
        density=density,
        parts=tuple(made),
    )
