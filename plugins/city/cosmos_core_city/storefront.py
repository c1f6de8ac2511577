"""The ground floor of a tenement: a shop, closed or open, with sign and awning, or a stoop."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city.ironwork import rails
from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind, columns
from cosmos_core_city.mesh import INSET, Frame, boxes, cylinder, joined, panels, part, prism, tube
from cosmos_core_city.walls import FRONT, ROOMS, glass, holes, pierced, right_hand, windows

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from cosmos_core_city.materials import Materials
    from cosmos_core_city.mesh import Floats, Frame, Ints, Part
    from cosmos_core_city.spec import Building


def ground_floor(
    house: Building,
    frame: Frame,
    numbers: random.Random,
    materials: Materials,
    wall: int,
    *,
    shell: bool = True,
) -> Iterator[Part]:
    """A shop with a door to the flats, closed or open, or a stoop with its door; *shell* is what carries the house."""
    if house.front == "stoop":
        yield from stoop(house, frame, numbers, materials, wall, shell=shell)
    else:
        yield from shop(house, frame, numbers, materials, shell=shell)


def shop(
    house: Building, frame: Frame, numbers: random.Random, materials: Materials, *, shell: bool
) -> Iterator[Part]:
    """Piers, a fascia, show windows or a shutter, a recessed door, and the door to the flats at one end."""
    w, top = house.width, house.ground
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    paint = materials.row(Kind.PAINT, house.accent, "#000000", 0.10)
    flats = 1.5
    door = w - 0.45 - flats
    piers = [(INSET, 0.45), (w - 0.45, w - INSET), (door - 0.35, door)]
    low = [(u0, -0.9, -0.3) for u0, _ in piers]
    high = [(u1, 0.02, top) for _, u1 in piers]
    if shell:
        yield part(boxes(low, high, FRONT), stone, Label.BUILDING)
        yield part(boxes((0.45, -0.9, 2.95), (w - 0.45, 0.0, top), FRONT), stone, Label.BUILDING)
    yield from flat_door((w - 0.45 - flats, w - 0.45), materials, numbers)
    start, end = 0.45, w - 0.45 - flats - 0.35
    if house.front == "shutter":
        yield from shutter(start, end, materials)
    else:
        yield from show_windows(start, end, frame, numbers, materials, paint)


def flat_door(span: tuple[float, float], materials: Materials, numbers: random.Random) -> Iterator[Part]:
    """A panelled door under a transom, set back in its opening."""
    left, right = span
    wood = materials.row(Kind.WOOD, numbers.choice(("#4a2f22", "#1f2a2c", "#5d1f1d", "#23352a")), "#000000")
    dark = materials.row(Kind.METAL, "#222a2e", "#000000", 0.0, shine=0.6)
    yield part(boxes((left, -0.30, -0.3), (right, -0.25, 2.95), ("+y",)), wood, Label.DOOR_STOREFRONT)
    panes = [
        ((left + 0.2, -0.30, 2.3), (right - 0.2, -0.24, 2.85)),
        ((left + 0.32, -0.30, 1.1), (right - 0.32, -0.24, 2.0)),
    ]
    yield part(boxes([a for a, _ in panes], [b for _, b in panes], FRONT), dark, Label.WINDOW)
    trim = [((left, -0.30, 2.14), (right, -0.19, 2.24)), ((left + 0.02, -0.30, -0.3), (left + 0.12, -0.20, 2.95)),
            ((right - 0.12, -0.30, -0.3), (right - 0.02, -0.20, 2.95)), ((left + 0.3, -0.3, 0.2), (right - 0.3, -0.235, 0.9))]  # fmt: skip
    yield part(boxes([a for a, _ in trim], [b for _, b in trim], FRONT), wood, Label.DOOR_STOREFRONT)


def shutter(start: float, end: float, materials: Materials) -> Iterator[Part]:
    """A closed roll-down shutter."""
    steel = materials.row(Kind.METAL, "#8c9192", "#000000", 0.12, shine=0.03)
    zs = np.arange(-0.05, 2.92, 0.10)
    low = np.stack([np.full_like(zs, start), np.full_like(zs, -0.22), zs], 1)
    high = np.stack([np.full_like(zs, end), np.full_like(zs, -0.14), zs + 0.07], 1)
    yield part(boxes(low, high, ("+y", "+z", "-z")), steel, Label.DOOR_STOREFRONT)
    yield part(boxes((start, -0.3, -0.3), (end, -0.2, 2.95), ("+y",)), steel, Label.DOOR_STOREFRONT)


def show_windows(
    start: float, end: float, frame: Frame, numbers: random.Random, materials: Materials, paint: int
) -> Iterator[Part]:
    """Panes on a bulkhead on both sides of a door that stands back."""
    door = 1.05
    count = max(2, round((end - start) / 2.3))
    at = numbers.randrange(count)
    width = (end - start - door) / max(1, count - 1)
    u, bulkheads, mullions = start, [], []
    for index in range(count):
        wide = door if index == at else width
        low, high = np.array([u + 0.05, 0.12 if index == at else 0.55]), np.array([u + wide - 0.05, 2.9])
        v = -0.55 if index == at else -0.2
        row = glass(
            frame,
            low,
            high,
            materials,
            numbers.choice(ROOMS),
            "#ffffff",
            0.0,
            0.0,
            numbers.random(),
            shop=True,
        )
        label = Label.DOOR_STOREFRONT if index == at else Label.WINDOW
        yield part(panels([low], [high], v), row, label)
        bulkheads.append(((u, v - 0.05, -0.3), (u + wide, v + (0.05 if index == at else 0.13), low[1])))
        mullions += [
            ((u - 0.04, -0.62, -0.3), (u + 0.05, -0.08, 2.95)),
            ((u, v - 0.05, 2.88), (u + wide, v + 0.08, 2.95)),
        ]
        if index == at:
            mullions += [
                ((u, v - 0.05, 2.15), (u + wide, v + 0.05, 2.23)),
                ((u + 0.75, v, 0.95), (u + 0.8, v + 0.1, 1.25)),
            ]
        else:
            mullions.append(((u, v - 0.05, 2.32), (u + wide, v + 0.05, 2.38)))
        u += wide
    mullions.append(((end - 0.05, -0.62, -0.3), (end + 0.04, -0.08, 2.95)))
    for group in (bulkheads, mullions):
        yield part(boxes([a for a, _ in group], [b for _, b in group], FRONT), paint, Label.DOOR_STOREFRONT)


def signs(house: Building, frame: Frame, materials: Materials) -> Iterator[Part]:
    """The board with the shop's name over the front, and the awning below it."""
    left, right, low, high = 0.5, house.width - 0.5, 3.12, 3.86
    paint = materials.row(Kind.PAINT, house.accent, "#000000", 0.05)
    yield part(boxes((left, -0.05, low), (right, 0.12, high), FRONT), paint, Label.SIGN_AWNING)
    letters = "#f3e9cf" if house.seed & 1 else "#f6f6f2"
    row = materials.row(
        Kind.SIGN, house.accent, letters, right_hand(frame, left, right), low + frame.origin[2], right - left, high - low,
        float(house.sign), float(columns(house.sign)),
    )  # fmt: skip
    yield part(
        panels([(left + 0.04, low + 0.04)], [(right - 0.04, high - 0.04)], 0.124), row, Label.SIGN_AWNING
    )
    yield from goosenecks(left, right, materials)
    if house.seed & 16:
        yield from blade(house, right - 0.9, materials)
    if house.awning != "none" and house.front == "shop":
        yield from awning(house, left, right - 1.9, materials)


def goosenecks(left: float, right: float, materials: Materials) -> Iterator[Part]:
    """Lamps on bent arms over the sign, which shine after dark."""
    iron = materials.row(Kind.METAL, "#1d2022", "#000000", 0.0, shine=0.2)
    bulb = materials.row(Kind.PAINT, "#f6e2b8", "#000000", 0.0, 1.4)
    arms, bulbs = [], []
    for share in (0.2, 0.5, 0.8):
        u = left + (right - left) * share
        arms += [
            tube([(u, 0.0, 3.98), (u, 0.22, 4.1), (u, 0.46, 4.06), (u, 0.52, 3.96)], 0.016, sides=5),
            cylinder((u, 0.52, 3.97), (u, 0.55, 3.83), 0.04, 0.13, sides=10),
        ]
        bulbs.append(cylinder((u, 0.545, 3.85), (u, 0.555, 3.8), 0.05, sides=6))
    yield part(joined(arms), iron, Label.SIGN_AWNING)
    yield part(joined(bulbs), bulb, Label.SIGN_AWNING)


def blade(house: Building, u: float, materials: Materials) -> Iterator[Part]:
    """A sign that hangs across the sidewalk from a bracket, for those who walk along the front."""
    iron = materials.row(Kind.METAL, "#1d2022", "#000000", 0.0, shine=0.2)
    board = materials.row(Kind.PAINT, house.accent, "#000000", 0.05)
    rim = materials.row(Kind.PAINT, "#efe4c8", "#000000", 0.0)
    z = house.ground + 0.353
    shapes = [
        boxes((u - 0.02, 0.0, z + 1.02), (u + 0.02, 1.05, z + 1.06)),
        boxes((u - 0.015, 0.3, z + 0.9), (u + 0.015, 0.33, z + 1.03)),
        boxes((u - 0.015, 0.9, z + 0.9), (u + 0.015, 0.93, z + 1.03)),
    ]
    yield part(joined(shapes), iron, Label.SIGN_AWNING)
    yield part(boxes((u - 0.05, 0.16, z), (u + 0.05, 1.02, z + 0.92)), board, Label.SIGN_AWNING)
    bands = [((u - 0.055, 0.22, z + a), (u + 0.055, 0.96, z + a + 0.05)) for a in (0.07, 0.8)]
    discs = [cylinder((u - 0.06, 0.59, z + 0.46), (u + 0.06, 0.59, z + 0.46), 0.22, sides=14)]
    shape = joined([boxes([a for a, _ in bands], [b for _, b in bands]), *discs])
    yield part(shape, rim, Label.SIGN_AWNING)


def awning(house: Building, left: float, right: float, materials: Materials) -> Iterator[Part]:
    """Canvas over the show windows, with a valance, open below."""
    striped = house.awning == "striped"
    kind = Kind.STRIPES if striped else Kind.PAINT
    cloth = materials.row(kind, house.accent, "#efe8d6", *((0.28,) if striped else (0.08,)))
    outline = [(0.02, 3.08), (0.02, 3.02), (1.25, 2.50), (1.28, 2.28), (1.30, 2.28), (1.27, 2.53)]
    yield part(_sheet(outline, left, right), cloth, Label.SIGN_AWNING)
    poles = [cylinder((u, 0.0, 2.45), (u, 1.24, 2.48), 0.018, sides=4) for u in (left + 0.03, right - 0.03)]
    yield part(joined(poles), materials.row(Kind.METAL, "#555a5c", shine=0.2), Label.SIGN_AWNING)


def _sheet(outline: Sequence[tuple[float, float]], start: float, end: float) -> tuple[Floats, Ints]:
    """A closed (v, z) outline swept along u, without caps: for thin sheets that are not convex."""
    vertices, triangles = prism(outline, start, end)
    return vertices, triangles[: 2 * len(outline)]


def stoop(
    house: Building,
    frame: Frame,
    numbers: random.Random,
    materials: Materials,
    wall: int,
    *,
    shell: bool,
) -> Iterator[Part]:
    """A raised door with steps and rails beside ground-floor windows."""
    bay = house.width / house.bays
    at = numbers.randrange(house.bays)
    half = min(0.62, bay * 0.24)
    spans = [((i + 0.5) * bay - half, (i + 0.5) * bay + half) for i in range(house.bays)]
    head = house.ground - 0.55
    if shell:
        yield from pierced(house.width, -0.3, house.ground, spans, [(1.35, head)], wall)
    lows, highs = holes([s for i, s in enumerate(spans) if i != at], [(1.35, head)])
    yield from windows(house, frame, lows, highs, numbers, materials)
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    left, right = spans[at]
    yield from raised_door(left, right, head, numbers, materials, stone)
    steps = 7
    rise, run = 1.02 / steps, 0.27
    low = [(left - 0.25, 0.0, -0.3) for _ in range(steps)]
    high = [(right + 0.25, 0.75 + (steps - 1 - i) * run, rise * (i + 1)) for i in range(steps)]
    yield part(boxes(low, high, FRONT), stone, Label.BUILDING)
    yield from rails(left - 0.2, right + 0.2, 0.7, 0.75 + (steps - 1) * run, 1.02, materials)


def raised_door(
    left: float, right: float, head: float, numbers: random.Random, materials: Materials, stone: int
) -> Iterator[Part]:
    """The door at the top of a stoop, in a stone surround, filling the wall's opening."""
    wood = materials.row(Kind.WOOD, numbers.choice(("#3c2a20", "#1d2b2b", "#611f1c", "#22301f")), "#000000")
    dark = materials.row(Kind.METAL, "#222a2e", "#000000", 0.0, shine=0.6)
    yield part(boxes((left, -0.16, 1.0), (right, -0.10, head), FRONT), wood, Label.DOOR_STOREFRONT)
    panes = [
        ((left + 0.1, -0.1, head - 0.5), (right - 0.1, -0.085, head - 0.12)),
        ((left + 0.35, -0.1, 1.9), (right - 0.35, -0.085, head - 0.75)),
    ]
    yield part(boxes([a for a, _ in panes], [b for _, b in panes], FRONT), dark, Label.WINDOW)
    surround = [((left - 0.28, 0.0, 1.0), (left, 0.10, head)), ((right, 0.0, 1.0), (right + 0.28, 0.10, head)),
                ((left - 0.34, 0.0, head), (right + 0.34, 0.16, head + 0.28)), ((left - 0.42, 0.0, head + 0.28), (right + 0.42, 0.34, head + 0.38))]  # fmt: skip
    yield part(boxes([a for a, _ in surround], [b for _, b in surround], FRONT), stone, Label.BUILDING)
    # The wall's opening starts at the window sill; the door stands in front of the wall below it.
    yield part(boxes((left, -0.02, 1.0), (right, 0.02, 1.36), FRONT), wood, Label.DOOR_STOREFRONT)
