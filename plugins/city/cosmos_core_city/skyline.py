"""What closes the view: the houses of the next blocks and the towers behind them, as boxes with painted windows."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.mesh import boxes, cylinder, joined, part
from cosmos_core_city.scene import Thing, thing
from cosmos_core_city.spec import CROSSING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core_city.materials import Materials
    from cosmos_core_city.mesh import Part
    from cosmos_core_city.spec import City

_WALLS = ("#9a5a44", "#b0926e", "#84604c", "#a8a49a", "#8c4a39", "#c2b59b", "#77706a", "#b7aa92")
_GLASS = ("#2c3840", "#33424c", "#3b4348")
_SIDES = ("-x", "+x", "-y", "+y", "+z")


def skyline(city: City, materials: Materials) -> Iterator[Thing]:
    """Houses along the next blocks, behind this one, and towers."""
    numbers = random.Random(f"{city.seed}/skyline")  # noqa: S311
    rows = [*_along(city, numbers), *_behind(city, numbers)]
    for number, place in enumerate([*rows, *_towers(city, numbers)]):
        x, y = place[:2]
        # From afar a row of houses is one thing; a tower stands for itself.
        quarter = f"far houses {'N' if y > 0 else 'S'}{'E' if x > city.length / 2 else 'W'}"
        group = quarter if number < len(rows) else f"tower {number - len(rows):02d}"
        yield thing(f"background {number:02d}", group, list(_house(*place, numbers, materials)))


def _house(
    x: float,
    y: float,
    width: float,
    depth: float,
    height: float,
    numbers: random.Random,
    materials: Materials,
) -> Iterator[Part]:
    bay, floor = numbers.uniform(2.2, 3.2), numbers.uniform(3.1, 3.7)
    wide, tall = numbers.uniform(0.38, 0.62), numbers.uniform(0.45, 0.62)
    wall = materials.row(
        Kind.TOWER,
        numbers.choice(_WALLS),
        numbers.choice(_GLASS),
        bay,
        floor,
        wide,
        tall,
        float(numbers.randrange(999)),
    )
    roof = materials.row(Kind.CONCRETE, "#716d67", "#000000", 0.0)
    trim = materials.row(Kind.PAINT, numbers.choice(_WALLS), "#000000", 0.1)
    yield part(
        boxes((x, y, -0.1), (x + width, y + depth, height), _SIDES[:4]), wall, Label.BACKGROUND_BUILDING
    )
    yield part(
        boxes((x, y, height - 0.9), (x + width, y + depth, height), ("+z",)), roof, Label.BACKGROUND_BUILDING
    )
    # The rims of two houses beside each other overlap; none stands out as far as another.
    out = 0.2 + 0.1 * (x * 0.618 % 1.0)
    rim = boxes((x - out, y - out, height - 0.5), (x + width + out, y + depth + out, height + 0.25))
    yield part(rim, trim, Label.BACKGROUND_BUILDING)
    hut = boxes((x + width * 0.3, y + depth * 0.3, height), (x + width * 0.6, y + depth * 0.6, height + 3.5))
    yield part(hut, trim, Label.BACKGROUND_BUILDING)
    if height < 40.0 and numbers.random() < 0.35:
        tank = materials.row(Kind.WOOD, "#6e5138", "#000000")
        u, v = x + width * numbers.uniform(0.25, 0.75), y + depth * numbers.uniform(0.3, 0.7)
        legs = [
            cylinder((u + a, v + b, height), (u + a * 0.85, v + b * 0.85, height + 2.4), 0.09, sides=4)
            for a in (-1.1, 1.1)
            for b in (-1.1, 1.1)
        ]
        yield part(joined(legs), roof, Label.WATER_TOWER)
        shapes = [
            cylinder((u, v, height + 2.4), (u, v, height + 5.2), 1.5, sides=12),
            cylinder((u, v, height + 5.2), (u, v, height + 6.3), 1.65, 0.1, sides=12),
        ]
        yield part(joined(shapes), tank, Label.WATER_TOWER)


def _along(city: City, numbers: random.Random) -> Iterator[tuple[float, float, float, float, float]]:
    """Fronts on the same street, one block and two blocks away."""
    edge = 2 * city.sidewalk + CROSSING
    west, east = min(h.x for h in city.neighbours), max(h.x + h.width for h in city.neighbours)
    blocks = (
        (-edge - 86.0, west - 4.0),
        (east + 4.0, city.length + edge + 86.0),
        (-260.0, -edge - 108.0),
        (city.length + edge + 108.0, city.length + 260.0),
    )
    for start, end in blocks:
        for side in (1, -1):
            x = start
            while x < end - 4.0:
                width = min(numbers.uniform(8.0, 15.0), end - x)
                depth, height = numbers.uniform(14.0, 20.0), numbers.uniform(13.0, 27.0)
                yield x, city.facade if side > 0 else -city.facade - depth, width, depth, height
                x += width


def _behind(city: City, numbers: random.Random) -> Iterator[tuple[float, float, float, float, float]]:
    """The next street's houses, seen over low roofs and through the crossings."""
    edge = 2 * city.sidewalk + CROSSING
    for side in (1, -1):
        x = -100.0
        while x < city.length + 100.0:
            width, depth, height = (
                numbers.uniform(11.0, 20.0),
                numbers.uniform(14.0, 22.0),
                numbers.uniform(16.0, 34.0),
            )
            crossing = any(x < a + edge and x + width > a for a in (-edge, city.length))
            if not crossing:
                near = city.facade + 24.0 + numbers.uniform(0.0, 4.0)
                yield x, near if side > 0 else -near - depth, width, depth, height
            x += width + 0.5


def _towers(city: City, numbers: random.Random) -> Iterator[tuple[float, float, float, float, float]]:
    """High-rises in the haze."""
    for _ in range(16):
        side = numbers.choice((-1, 1))
        x, away = numbers.uniform(-260.0, city.length + 260.0), numbers.uniform(85.0, 190.0)
        width, depth, height = (
            numbers.uniform(20.0, 34.0),
            numbers.uniform(20.0, 34.0),
            numbers.uniform(45.0, 120.0),
        )
        yield x, away if side > 0 else -away - depth, width, depth, height
    for x in (-330.0, city.length + 300.0):
        yield x, -22.0, 30.0, 48.0, numbers.uniform(60.0, 110.0)
