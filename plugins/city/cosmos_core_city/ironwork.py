"""Fire escapes, rails of stoops, and the water tower on the roof."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.mesh import boxes, cylinder, joined, part
from cosmos_core_city.walls import POST, shifted

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from cosmos_core_city.materials import Materials
    from cosmos_core_city.mesh import Floats, Ints, Part
    from cosmos_core_city.spec import Building


def rails(
    left: float, right: float, start: float, end: float, height: float, materials: Materials
) -> Iterator[Part]:
    """Iron rails down both sides of a stoop."""
    iron = materials.row(Kind.METAL, "#1c1f21", "#000000", 0.0, shine=0.15)
    shapes = []
    for u in (left, right):
        shapes.append(cylinder((u, start, height + 0.9), (u, end, 0.95), 0.025, sides=5))
        for i in range(6):
            t = i / 5
            v, z = start + (end - start) * t, (height + 0.9) * (1 - t) + 0.95 * t
            shapes.append(boxes((u - 0.012, v - 0.012, z - 0.95), (u + 0.012, v + 0.012, z), POST))
    yield part(joined(shapes), iron, Label.BUILDING)


def fire_escape(house: Building, materials: Materials) -> Iterator[Part]:
    """Balconies of iron at every upper floor over two bays, joined by stairs, with a drop ladder."""
    iron = materials.row(Kind.METAL, "#23272a" if house.seed & 2 else "#4a2b22", "#000000", 0.0, shine=0.12)
    bay = house.width / house.bays
    left, right = (house.escape + 0.12) * bay, min(house.escape + 1.88, house.bays - 0.12) * bay
    floors = [house.ground + 0.62 + i * house.storey for i in range(house.floors - 1)]
    for index, z in enumerate(floors):
        yield part(joined(list(_balcony(left, right, z))), iron, Label.FIRE_ESCAPE)
        if index + 1 < len(floors):
            turn = index & 1
            yield part(
                joined(list(_stairs(left, right, z, floors[index + 1], turn))), iron, Label.FIRE_ESCAPE
            )
    u = left + 0.35
    ladder = [boxes((a, 0.78, 2.7), (a + 0.04, 0.82, floors[0] + 0.9), POST) for a in (u, u + 0.4)]
    rungs = np.arange(2.9, floors[0] + 0.8, 0.32)
    low = np.stack([np.full_like(rungs, u), np.full_like(rungs, 0.785), rungs], 1)
    ladder.append(boxes(low, shifted(low, 0.44, 0.03, 0.03), ("-y", "+y", "-z", "+z")))
    yield part(joined(ladder), iron, Label.FIRE_ESCAPE)


def _balcony(left: float, right: float, z: float) -> Iterator[tuple[Floats, Ints]]:
    deep = 1.0
    slats = np.linspace(0.06, deep - 0.06, 9)
    low = np.stack([np.full(9, left), slats - 0.028, np.full(9, z - 0.03)], 1)
    yield boxes(low, shifted(low, right - left, 0.056, 0.03), ("-y", "+y", "-z", "+z"))
    rims = [((left, deep - 0.04, z - 0.10), (right, deep, z + 0.02)), ((left, 0.0, z - 0.10), (left + 0.04, deep, z + 0.02)),
            ((right - 0.04, 0.0, z - 0.10), (right, deep, z + 0.02))]  # fmt: skip
    for height in (0.52, 0.95):
        a, b = z + height, z + height + 0.035
        rims += [
            ((left, deep - 0.035, a), (right, deep, b)),
            ((left, 0.0, a), (left + 0.035, deep, b)),
            ((right - 0.035, 0.0, a), (right, deep, b)),
        ]
    yield boxes([a for a, _ in rims], [b for _, b in rims])
    us = np.linspace(left, right - 0.02, max(3, round((right - left) / 0.16)))
    vs = np.linspace(0.14, deep - 0.14, 6)
    places = np.concatenate(
        [
            np.stack([us, np.full_like(us, deep - 0.028)], 1),
            *(np.stack([np.full_like(vs, u), vs], 1) for u in (left + 0.008, right - 0.028)),
        ]
    )
    low = np.concatenate([places, np.full((len(places), 1), z)], 1)
    yield boxes(low, shifted(low, 0.02, 0.02, 0.95), POST)
    for u in (left + 0.02, right - 0.02):
        yield cylinder((u, 0.0, z - 0.75), (u, deep - 0.05, z - 0.08), 0.022, sides=4)


def _stairs(left: float, right: float, low: float, high: float, turn: int) -> Iterator[tuple[Floats, Ints]]:
    start, end = (left + 0.35, right - 0.45) if turn == 0 else (right - 0.35, left + 0.45)
    inner, outer = 0.30, 0.86
    for v in (inner, outer):
        yield cylinder((start, v, low), (end, v, high), 0.045, sides=4)
    rail = 0.85
    yield cylinder((start, outer, low + rail), (end, outer, high + rail), 0.02, sides=4)
    count = max(4, round((high - low) / 0.24))
    t = (np.arange(count) + 0.5) / count
    u, z = start + (end - start) * t, low + (high - low) * t
    corner = np.stack([u - 0.11, np.full(count, inner), z - 0.012], 1)
    yield boxes(corner, shifted(corner, 0.22, outer - inner, 0.024))
    for at in (0.05, 0.35, 0.65, 0.95):
        u0, z0 = start + (end - start) * at, low + (high - low) * at
        yield boxes((u0 - 0.012, outer - 0.012, z0), (u0 + 0.012, outer + 0.012, z0 + rail), POST)


def water_tower(house: Building, numbers: random.Random, materials: Materials) -> Iterator[Part]:
    """A wooden tank on steel legs, under a cone."""
    wood = materials.row(Kind.WOOD, "#6e5138", "#000000")
    steel = materials.row(Kind.METAL, "#3d3a38", "#000000", 0.1, shine=0.1)
    u, v, z = house.width * numbers.uniform(0.35, 0.65), -house.depth * 0.3, house.top
    legs = [
        cylinder((u + a, v + b, z), (u + a * 0.85, v + b * 0.85, z + 2.6), 0.08, sides=5)
        for a in (-1.1, 1.1)
        for b in (-1.1, 1.1)
    ]
    braces = [
        cylinder((u - 1.1, v + b, z + 0.2), (u + 1.0, v + b, z + 2.4), 0.03, sides=4) for b in (-1.1, 1.1)
    ]
    yield part(
        joined([*legs, *braces, boxes((u - 1.4, v - 1.4, z + 2.5), (u + 1.4, v + 1.4, z + 2.65))]),
        steel,
        Label.WATER_TOWER,
    )
    yield part(cylinder((u, v, z + 2.65), (u, v, z + 5.6), 1.5, sides=16), wood, Label.WATER_TOWER)
    bands = [cylinder((u, v, z + a), (u, v, z + a + 0.06), 1.53, sides=16) for a in (3.0, 3.8, 4.7, 5.4)]
    yield part(joined(bands), steel, Label.WATER_TOWER)
    lid = materials.row(Kind.PAINT, "#4c463f", "#000000", 0.1)
    yield part(cylinder((u, v, z + 5.55), (u, v, z + 6.8), 1.66, 0.06, sides=16), lid, Label.WATER_TOWER)
