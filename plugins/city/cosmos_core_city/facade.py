"""A tenement: walls, windows, ground floor, cornice, fire escape and roof, in the frame of its front."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city.ironwork import fire_escape, water_tower
from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.mesh import INSET, Frame, boxes, cylinder, joined, part, quads
from cosmos_core_city.scene import Thing, thing
from cosmos_core_city.spec import CROSSING
from cosmos_core_city.storefront import ground_floor, signs
from cosmos_core_city.walls import FRONT, holes, masonry, pierced, windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core_city.materials import Materials
    from cosmos_core_city.mesh import Floats, Ints, Part
    from cosmos_core_city.scene import Thing
    from cosmos_core_city.spec import Building, City


def tenement(city: City, house: Building, materials: Materials) -> Iterator[Thing]:
    """The things of one house: its body, fire escape, sign and awning. The first two share a group."""
    name = f"building {'N' if house.side > 0 else 'S'}{house.x:05.1f}"
    frame = front_frame(city, house)
    numbers = random.Random(house.seed)  # noqa: S311
    parts = list(body(house, frame, numbers, materials, ends(city, house)))
    parts += [each for unit in clutter(house, numbers, materials) for each in unit]
    yield thing(name, name, parts, frame)
    if house.escape >= 0:
        yield thing(f"{name} fire escape", name, fire_escape(house, materials), frame)
    if house.front != "stoop":
        yield thing(f"{name} sign", f"{name} sign", signs(house, frame, materials), frame)
    if house.water_tower:
        yield thing(
            f"{name} water tower", f"{name} water tower", water_tower(house, numbers, materials), frame
        )


def front_frame(city: City, house: Building) -> Frame:
    """The frame of a house's front."""
    return Frame((house.x, house.side * city.facade, 0.15), (1.0, 0.0), (0.0, -float(house.side)))


def ends(city: City, house: Building) -> tuple[bool, bool]:
    """Whether the west and the east end of a house face a crossing."""
    edge = 2 * city.sidewalk + CROSSING
    west, east = house.x, house.x + house.width
    return (
        any(abs(west - at) < 0.01 for at in (0.0, city.length + edge)),
        any(abs(east - at) < 0.01 for at in (city.length, -edge)),
    )


def body(
    house: Building,
    frame: Frame,
    numbers: random.Random,
    materials: Materials,
    corners: tuple[bool, bool],
    *,
    shell: bool = True,
) -> Iterator[Part]:
    """Walls, windows, ground floor, cornice and roof; without *shell* all but the walls and the flat of the roof."""
    wall = masonry(house, materials)
    spans, rows = openings(house)
    if shell:
        yield from pierced(house.width, house.ground, house.top, spans, rows, wall)
    lows, highs = holes(spans, rows)
    yield from windows(house, frame, lows, highs, numbers, materials)
    yield from ground_floor(house, frame, numbers, materials, wall, shell=shell)
    yield from sides(house, materials, wall, corners, shell=shell)
    yield from cornice(house, materials)
    yield from roof(house, numbers, materials, wall, shell=shell)
    yield from belts(house, numbers, materials)
    yield coping(house, materials)
    yield from drainpipe(house, materials)


def openings(house: Building) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Where the windows of the upper floors are: spans in u and in z."""
    bay = house.width / house.bays
    half = min(0.62, bay * 0.24)
    spans = [((i + 0.5) * bay - half, (i + 0.5) * bay + half) for i in range(house.bays)]
    floors = [house.ground + i * house.storey for i in range(house.floors - 1)]
    return spans, [(z + 0.80, z + 0.80 + min(1.95, house.storey - 1.25)) for z in floors]


def belts(house: Building, numbers: random.Random, materials: Materials) -> Iterator[Part]:
    """A course of stone above the ground floor, and sometimes one at every floor."""
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    levels = [house.ground]
    if numbers.random() < 0.3:
        levels += [house.ground + i * house.storey for i in range(1, house.floors - 1)]
    shapes = [boxes((INSET, -0.05, z - 0.12), (house.width - INSET, 0.07, z + 0.14), FRONT) for z in levels]
    yield part(joined(shapes), stone, Label.BUILDING)


def sides(
    house: Building, materials: Materials, wall: int, corners: tuple[bool, bool], *, shell: bool
) -> Iterator[Part]:
    """End walls and back. An end at a crossing has windows."""
    _, rows = openings(house)
    zs = [-0.3, house.ground, *(z for row in rows for z in row), house.top]
    back = -house.depth
    w = house.width
    for z0, z1 in pairwise(zs) if shell else ():
        strip = [
            [(0.0, back, z1), (0.0, 0.0, z1), (0.0, 0.0, z0), (0.0, back, z0)],
            [(w, 0.0, z1), (w, back, z1), (w, back, z0), (w, 0.0, z0)],
            [(w, back, z1), (0.0, back, z1), (0.0, back, z0), (w, back, z0)],
        ]
        yield part(quads(strip), wall, Label.BUILDING)
    for at_end, corner in enumerate(corners):
        if corner:
            yield from blind_windows(house, rows, at_end, materials)


def blind_windows(
    house: Building, rows: Sequence[tuple[float, float]], at_end: int, materials: Materials
) -> Iterator[Part]:
    """Windows on an end wall: frames on the wall with panes in them."""
    dark = materials.row(Kind.METAL, "#2a3238", "#000000", 0.0, shine=0.7)
    paint = materials.row(Kind.PAINT, house.paint, "#000000", 0.08)
    u0, u1 = (-0.05, 0.04) if at_end == 0 else (house.width - 0.04, house.width + 0.05)
    places = [-(2.2 + 3.1 * i) for i in range(int((house.depth - 3.0) / 3.1))]
    frames = [((u0, v - 0.62, z0), (u1, v + 0.62, z1)) for v in places for z0, z1 in rows]
    inset = 0.012 if at_end else -0.012
    panes = [
        ((u0 + inset, v - 0.54, z0 + 0.08), (u1 + inset, v + 0.54, z1 - 0.08))
        for v in places
        for z0, z1 in rows
    ]
    side = "+x" if at_end else "-x"
    yield part(boxes([a for a, _ in frames], [b for _, b in frames]), paint, Label.WINDOW)
    yield part(boxes([a for a, _ in panes], [b for _, b in panes], (side,)), dark, Label.WINDOW)


def cornice(house: Building, materials: Materials) -> Iterator[Part]:
    """The crown of the front."""
    w, top = house.width, house.top
    if house.cornice == "parapet":
        stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
        shapes = [
            boxes((INSET, -0.36, top), (w - INSET, 0.10, top + 0.14)),
            boxes((INSET, -0.02, top - 0.75), (w - INSET, 0.06, top - 0.55), FRONT),
        ]
        yield part(joined(shapes), stone, Label.CORNICE_ROOF)
        return
    paint = materials.row(Kind.PAINT, house.paint, "#000000", 0.10)
    shapes = [
        boxes((INSET, -0.02, top - 0.62), (w - INSET, 0.10, top - 0.05), FRONT),
        boxes((INSET, -0.02, top - 0.72), (w - INSET, 0.17, top - 0.60), FRONT),
        boxes((INSET, -0.36, top + 0.10), (w - INSET, 0.62, top + 0.26)),
        boxes((INSET, -0.29, top - 0.06), (w - INSET, 0.50, top + 0.11)),
    ]
    spacing, size, drop, reach = (
        (0.95, 0.16, 0.52, 0.46) if house.cornice == "bracketed" else (0.28, 0.14, 0.18, 0.36)
    )
    count = max(2, round(w / spacing))
    at = (np.arange(count) + 0.5) * (w / count)
    low = np.stack([at - size / 2, np.zeros(count), np.full(count, top - 0.05 - drop)], 1)
    high = np.stack([at + size / 2, np.full(count, reach), np.full(count, top - 0.05)], 1)
    shapes.append(boxes(low, high, FRONT))
    yield part(joined(shapes), paint, Label.CORNICE_ROOF)


def roof(
    house: Building, numbers: random.Random, materials: Materials, wall: int, *, shell: bool
) -> Iterator[Part]:
    """Roof, parapet, bulkhead and a chimney."""
    w, back, top = house.width, -house.depth, house.top
    tar = materials.row(Kind.CONCRETE, "#6a6762", "#000000", 0.0)
    corners = [[(0.0, back, top), (w, back, top), (w, 0.0, top), (0.0, 0.0, top)]]
    if shell:
        yield part(quads(corners), tar, Label.CORNICE_ROOF)
    thick = 0.3 + INSET
    low = [(0.0, back, top - 0.05), (w - thick, back, top - 0.05), (0.0, back, top - 0.05)]
    high = [(thick, -0.02, top + 0.5), (w, -0.02, top + 0.5), (w, back + thick, top + 0.5)]
    yield part(boxes(low, high), wall, Label.BUILDING)
    u = numbers.uniform(0.2, 0.5) * w
    hut = ((u, back * 0.75, top), (u + 2.6, back * 0.5, top + 2.6))
    yield part(boxes(*hut), materials.row(Kind.PLASTER, "#8d8377", "#5d554c"), Label.CORNICE_ROOF)
    stack = ((w - 1.1, back * 0.4, top), (w - 0.35, back * 0.4 + 1.3, top + 2.0))
    yield part(boxes(*stack), wall, Label.CORNICE_ROOF)


def coping(house: Building, materials: Materials) -> Part:
    """Stones that cover the parapets of the ends and the back."""
    w, back, top = house.width, -house.depth, house.top
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    # Those of two houses of one height overlap by their overhang; none ends where another does.
    end = -0.3 - 0.002 * (house.seed % 29)
    low = [(-0.03, back, top + 0.5), (w - 0.34, back, top + 0.5), (0.0, back - 0.03, top + 0.5)]
    high = [(0.34, end, top + 0.57), (w + 0.03, end, top + 0.57), (w, back + 0.34, top + 0.57)]
    return part(boxes(low, high), stone, Label.CORNICE_ROOF)


def clutter(house: Building, numbers: random.Random, materials: Materials) -> Iterator[list[Part]]:
    """What stands about on the roof, each as the parts that stay together: vents, cooling units, a skylight, an aerial."""
    w, back, top = house.width, -house.depth, house.top
    steel = materials.row(Kind.METAL, "#9da1a2", "#000000", 0.08, shine=0.12)
    dark = materials.row(Kind.METAL, "#33373a", "#000000", 0.0, shine=0.3)
    for _ in range(numbers.randint(4, 7)):
        u, v, tall = (
            numbers.uniform(1.0, w - 1.0),
            numbers.uniform(back + 1.0, -1.2),
            top + numbers.uniform(0.4, 1.1),
        )
        vent = [
            cylinder((u, v, top), (u, v, tall), 0.07, sides=8),
            cylinder((u, v, tall), (u, v, tall + 0.16), 0.16, 0.04, sides=8),
        ]
        yield [part(joined(vent), steel, Label.CORNICE_ROOF)]
    for _ in range(numbers.randint(1, 3)):
        u, v = numbers.uniform(0.8, w - 2.2), numbers.uniform(back * 0.45, -2.4)
        yield list(_cooling(u, v, top, steel, dark))
    u, v = numbers.uniform(0.15, 0.6) * w, back * 0.9
    pane = boxes((u + 0.08, v + 0.08, top + 0.35), (u + 1.42, v + 0.87, top + 0.37), ("+z",))
    yield [
        part(boxes((u, v, top), (u + 1.5, v + 0.95, top + 0.35)), steel, Label.CORNICE_ROOF),
        part(pane, dark, Label.CORNICE_ROOF),
    ]
    yield [part(joined(list(_aerial(w * 0.75, back * 0.62, top))), dark, Label.CORNICE_ROOF)]


def _cooling(u: float, v: float, top: float, steel: int, dark: int) -> Iterator[Part]:
    """A cooling unit on feet, with grilles and a fan."""
    yield part(boxes((u, v, top + 0.12), (u + 1.3, v + 0.9, top + 1.0)), steel, Label.CORNICE_ROOF)
    slats = [
        ((u + 0.06, v + 0.88, top + 0.24 + 0.11 * k), (u + 1.24, v + 0.915, top + 0.29 + 0.11 * k))
        for k in range(6)
    ]
    feet = [((u + a, v + b, top), (u + a + 0.08, v + b + 0.08, top + 0.12)) for a in (0.05, 1.17) for b in (0.05, 0.77)]  # fmt: skip
    both = [*slats, *feet]
    yield part(boxes([a for a, _ in both], [b for _, b in both]), dark, Label.CORNICE_ROOF)
    fan = cylinder((u + 0.65, v + 0.45, top + 0.99), (u + 0.65, v + 0.45, top + 1.06), 0.36, sides=14)
    yield part(fan, dark, Label.CORNICE_ROOF)


def _aerial(u: float, v: float, top: float) -> Iterator[tuple[Floats, Ints]]:
    """A mast with rungs, as old television wants it."""
    yield cylinder((u, v, top), (u, v, top + 2.6), 0.025, sides=5)
    for k in range(5):
        half = 0.55 - 0.07 * k
        yield boxes((u - half, v + 0.12 * k, top + 2.5), (u + half, v + 0.12 * k + 0.02, top + 2.52))
    yield boxes((u - 0.01, v, top + 2.5), (u + 0.01, v + 0.6, top + 2.52))


def drainpipe(house: Building, materials: Materials) -> Iterator[Part]:
    """A pipe from the cornice to the shop, in lengths with a sleeve at each joint: a broken wall takes its own along."""
    row = materials.row(
        Kind.METAL, house.wall.color if house.seed & 4 else house.wall.trim, "#000000", 0.05, shine=0.08
    )
    u = 0.14 if house.seed & 8 else house.width - 0.14
    levels = np.arange(house.ground + 0.1237, house.top - 0.8, 1.1)
    shapes = []
    for z, following in pairwise(levels):
        shapes.append(cylinder((u, 0.07, z), (u, 0.07, following), 0.05, sides=6))
        shapes.append(boxes((u - 0.07, -0.01, z - 0.04), (u + 0.07, 0.13, z + 0.04), FRONT))
    yield part(joined(shapes), row, Label.BUILDING)
