"""A tenement: pierced walls, sash windows, storefront or stoop, cornice, fire escape, roof.

Everything is built in the frame of a front: u along it, v out of it, z up from the sidewalk.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind, columns
from cosmos_core_city.mesh import Frame, boxes, cylinder, joined, panels, part, prism, quads
from cosmos_core_city.scene import Thing, thing
from cosmos_core_city.spec import CROSSING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core_city.materials import Materials
    from cosmos_core_city.mesh import Floats, Ints, Part
    from cosmos_core_city.spec import Building, City

FRONT = ("-x", "+x", "+y", "-z", "+z")
POST = ("-x", "+x", "-y", "+y")
REVEAL = 0.17
PANE = -0.135
_ROOMS = ("#d9cdb6", "#c7d0cf", "#e0d3c8", "#b9b49a", "#cdbfae", "#d7d9d4", "#b7a69b", "#dcc9a0")
_BLINDS = ("#efe9da", "#e4dfd2", "#d9cfb8", "#f4f2ea", "#c9c2b2", "#b8b9b6")
_CURTAINS = ("#e9e4d6", "#cfd3d6", "#b48a7a", "#d7c79b", "#9fb0a4")


def tenement(city: City, house: Building, materials: Materials) -> Iterator[Thing]:
    """The things of one house: its body, fire escape, sign and awning. The first two share a group."""
    name = f"building {'N' if house.side > 0 else 'S'}{house.x:05.1f}"
    frame = front_frame(city, house)
    numbers = random.Random(house.seed)  # noqa: S311
    yield thing(name, name, body(house, frame, numbers, materials, ends(city, house)), frame)
    if house.escape >= 0:
        yield thing(f"{name} fire escape", name, fire_escape(house, materials), frame)
    if house.front != "stoop":
        yield thing(f"{name} sign", f"{name} sign", signs(house, frame, materials), frame)
    if house.water_tower:
        yield thing(f"{name} water tower", f"{name} water tower", water_tower(house, numbers, materials), frame)


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


def masonry(house: Building, materials: Materials) -> int:
    """The material of a house's walls."""
    wall = house.wall
    if wall.kind == "brick":
        return materials.row(
            Kind.BRICK, wall.color, wall.joint, 0.23, 0.078, 0.34, house.seed % 97 / 97, house.seed % 1009
        )
    return materials.row(Kind.PLASTER, wall.color, wall.joint)


def body(
    house: Building, frame: Frame, numbers: random.Random, materials: Materials, corners: tuple[bool, bool]
) -> Iterator[Part]:
    """Walls, windows, ground floor, cornice and roof."""
    wall = masonry(house, materials)
    spans, rows = openings(house)
    yield from pierced(house.width, house.ground, house.top, spans, rows, wall)
    lows, highs = holes(spans, rows)
    yield from windows(house, frame, lows, highs, numbers, materials, wall)
    yield from ground_floor(house, frame, numbers, materials, wall)
    yield from sides(house, frame, numbers, materials, wall, corners)
    yield from cornice(house, materials)
    yield from roof(house, numbers, materials, wall)
    yield from belts(house, numbers, materials)


def openings(house: Building) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Where the windows of the upper floors are: spans in u and in z."""
    bay = house.width / house.bays
    half = min(0.62, bay * 0.24)
    spans = [((i + 0.5) * bay - half, (i + 0.5) * bay + half) for i in range(house.bays)]
    floors = [house.ground + i * house.storey for i in range(house.floors - 1)]
    return spans, [(z + 0.80, z + 0.80 + min(1.95, house.storey - 1.25)) for z in floors]


def holes(spans: Sequence[tuple[float, float]], rows: Sequence[tuple[float, float]]) -> tuple[Floats, Floats]:
    """Corners (N, 2) of all windows, floor by floor."""
    lows = np.array([[u[0], z[0]] for z in rows for u in spans])
    return lows, np.array([[u[1], z[1]] for z in rows for u in spans])


def pierced(
    width: float,
    bottom: float,
    top: float,
    spans: Sequence[tuple[float, float]],
    rows: Sequence[tuple[float, float]],
    material: int,
) -> Iterator[Part]:
    """A wall with holes, as a whole grid of panels: no corner of one lies on another's edge, so nothing leaks."""
    us = np.array([0.0, *(u for span in spans for u in span), width])
    zs = np.array([bottom, *(z for row in rows for z in row), top])
    cells = [(i, j) for j in range(len(zs) - 1) for i in range(len(us) - 1) if not (i & 1 and j & 1)]
    i, j = np.array(cells).T
    shape = panels(np.stack([us[i], zs[j]], 1), np.stack([us[i + 1], zs[j + 1]], 1), 0.0)
    yield part(shape, material, Label.BUILDING)
    lows, highs = holes(spans, rows)
    yield part(reveals(lows, highs, REVEAL), material, Label.BUILDING)


def reveals(lows: Floats, highs: Floats, depth: float) -> tuple[Floats, Ints]:
    """The four inner sides of each hole (N, 2), going in by *depth*."""
    l, b, r, t = lows[:, 0], lows[:, 1], highs[:, 0], highs[:, 1]
    o, d = np.zeros_like(l), np.full_like(l, -depth)

    def quad(*corners: tuple[Floats, Floats, Floats]) -> Floats:
        return np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)

    return quads(
        np.concatenate(
            [
                quad((l, o, b), (l, o, t), (l, d, t), (l, d, b)),
                quad((r, o, b), (r, d, b), (r, d, t), (r, o, t)),
                quad((l, o, b), (l, d, b), (r, d, b), (r, o, b)),
                quad((l, o, t), (r, o, t), (r, d, t), (l, d, t)),
            ]
        )
    )


def bars(lows: Floats, highs: Floats, v: tuple[float, float], faces: Sequence[str] = FRONT) -> tuple[Floats, Ints]:
    """Boxes from corners in (u, z) between two depths."""
    low = np.insert(np.atleast_2d(lows), 1, v[0], axis=1)
    return boxes(low, np.insert(np.atleast_2d(highs), 1, v[1], axis=1), faces)


def windows(
    house: Building,
    frame: Frame,
    lows: Floats,
    highs: Floats,
    numbers: random.Random,
    materials: Materials,
    wall: int,
) -> Iterator[Part]:
    """Panes with rooms behind, sashes, sills, lintels and here and there an air conditioner."""
    rows = [pane(frame, low, high, numbers, materials) for low, high in zip(lows, highs, strict=True)]
    yield part(panels(lows, highs, PANE), np.repeat(rows, 2), Label.WINDOW)
    paint = materials.row(Kind.PAINT, house.paint, "#000000", 0.08)
    yield part(sashes(lows, highs, house.sash), paint, Label.WINDOW)
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    sill = bars(lows - [0.10, 0.13], np.stack([highs[:, 0] + 0.10, lows[:, 1]], 1), (-0.10, 0.09))
    yield part(sill, stone, Label.BUILDING)
    yield from lintels(house, lows, highs, stone)
    cooled = [i for i in range(len(lows)) if numbers.random() < 0.09]
    if cooled:
        yield from coolers(lows[cooled], highs[cooled], materials)


def pane(frame: Frame, low: Floats, high: Floats, numbers: random.Random, materials: Materials) -> int:
    """The material of one window: its own room, blind and curtains."""
    blind = numbers.choice((0.0, 0.0, 0.25, 0.4, 0.5, 0.75, 1.0)) if numbers.random() < 0.75 else 0.0
    curtain = numbers.choice((0.0, 0.0, 0.16, 0.22))
    color = numbers.choice(_BLINDS if blind else _CURTAINS)
    return glass(
        frame, low, high, materials, numbers.choice(_ROOMS), color, blind, curtain, numbers.random(), shop=False
    )


def glass(
    frame: Frame,
    low: Floats,
    high: Floats,
    materials: Materials,
    room: str,
    cover: str,
    blind: float,
    curtain: float,
    variant: float,
    *,
    shop: bool,
) -> int:
    """A row for the pane from *low* to *high*, (u, z); its place is stored as the shader measures it."""
    left = right_hand(frame, low[0], high[0])
    bottom = low[1] + frame.origin[2]
    return materials.row(
        Kind.WINDOW, room, cover, left, bottom, high[0] - low[0], high[1] - low[1], blind, curtain,
        round(variant, 3), float(shop), shine=0.62 if shop else 0.75,
    )  # fmt: skip


def right_hand(frame: Frame, start: float, end: float) -> float:
    """The left end of a span as seen from outside, along the direction that is right from there."""
    right = np.array([-frame.v[1], frame.v[0]])
    base = np.array(frame.origin[:2])
    return float(min(right @ (base + np.array(frame.u) * value) for value in (start, end)))


def sashes(lows: Floats, highs: Floats, style: str) -> tuple[Floats, Ints]:
    """Frames and glazing bars of double-hung windows."""
    l, b, r, t = lows[:, 0], lows[:, 1], highs[:, 0], highs[:, 1]
    middle, w = (b + t) / 2, 0.055

    def bar(u0: Floats, z0: Floats, u1: Floats, z1: Floats, v: tuple[float, float]) -> tuple[Floats, Ints]:
        return bars(np.stack([u0, z0], 1), np.stack([u1, z1], 1), v)

    outer, inner = (-0.16, -0.085), (-0.15, -0.105)
    shapes = [
        bar(l, b, l + w, t, outer),
        bar(r - w, b, r, t, outer),
        bar(l, b, r, b + 0.07, outer),
        bar(l, t - w, r, t, outer),
        bar(l, middle - 0.03, r, middle + 0.03, (-0.15, -0.095)),
    ]
    cuts = {"1/1": (), "2/2": (0.5,), "6/6": (1 / 3, 2 / 3)}[style]
    for cut in cuts:
        at = l + (r - l) * cut
        shapes.append(bar(at - 0.014, b, at + 0.014, t, inner))
    if style == "6/6":
        shapes += [bar(l, z - 0.014, r, z + 0.014, inner) for z in ((b + middle) / 2, (middle + t) / 2)]
    return joined(shapes)


def lintels(house: Building, lows: Floats, highs: Floats, stone: int) -> Iterator[Part]:
    """What spans the head of each window."""
    if house.lintel == "none":
        return
    head = np.stack([lows[:, 0], highs[:, 1]], 1)
    shapes = [bars(head - [0.14, 0.0], highs + [0.14, 0.24], (-0.02, 0.045))]
    if house.lintel == "keystone":
        middle = (lows[:, :1] + highs[:, :1]) / 2
        key = np.concatenate([middle, highs[:, 1:]], 1)
        shapes.append(bars(key - [0.10, 0.03], key + [0.10, 0.32], (-0.02, 0.085)))
    if house.lintel == "hood":
        shapes.append(bars(head + [-0.20, 0.24], highs + [0.20, 0.33], (-0.02, 0.20)))
        for edge in (head - [0.14, 0.0], highs - [0.02, 0.0]):
            shapes.append(bars(edge + [0.0, -0.18], edge + [0.16, 0.24], (-0.02, 0.13)))
    yield part(joined(shapes), stone, Label.BUILDING)


def coolers(lows: Floats, highs: Floats, materials: Materials) -> Iterator[Part]:
    """Air conditioners in the lower sash."""
    middle = (lows[:, 0] + highs[:, 0]) / 2
    low = np.stack([middle - 0.3, lows[:, 1] + 0.02], 1)
    body_row = materials.row(Kind.PAINT, "#c8c6be", "#000000", 0.1)
    yield part(bars(low, low + [0.6, 0.40], (-0.1, 0.38)), body_row, Label.WINDOW)
    dark = materials.row(Kind.PAINT, "#50524f", "#000000", 0.0)
    grille = [bars(low + [0.05, z], low + [0.55, z + 0.045], (0.37, 0.386), ("+y", "-z", "+z")) for z in (0.06, 0.15, 0.24, 0.33)]
    yield part(joined(grille), dark, Label.WINDOW)


def belts(house: Building, numbers: random.Random, materials: Materials) -> Iterator[Part]:
    """A course of stone above the ground floor, and sometimes one at every floor."""
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    levels = [house.ground]
    if numbers.random() < 0.3:
        levels += [house.ground + i * house.storey for i in range(1, house.floors - 1)]
    shapes = [boxes((0.0, -0.05, z - 0.12), (house.width, 0.07, z + 0.14), FRONT) for z in levels]
    yield part(joined(shapes), stone, Label.BUILDING)


def sides(
    house: Building, frame: Frame, numbers: random.Random, materials: Materials, wall: int, corners: tuple[bool, bool]
) -> Iterator[Part]:
    """End walls and back. An end at a crossing has windows."""
    _, rows = openings(house)
    zs = [-0.3, house.ground, *(z for row in rows for z in row), house.top]
    back = -house.depth
    w = house.width
    for z0, z1 in zip(zs[:-1], zs[1:], strict=True):
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
    panes = [((u0 + inset, v - 0.54, z0 + 0.08), (u1 + inset, v + 0.54, z1 - 0.08)) for v in places for z0, z1 in rows]
    side = "+x" if at_end else "-x"
    yield part(boxes([a for a, _ in frames], [b for _, b in frames]), paint, Label.WINDOW)
    yield part(boxes([a for a, _ in panes], [b for _, b in panes], (side,)), dark, Label.WINDOW)


def cornice(house: Building, materials: Materials) -> Iterator[Part]:
    """The crown of the front."""
    w, top = house.width, house.top
    if house.cornice == "parapet":
        stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
        shapes = [
            boxes((-0.0, -0.36, top), (w, 0.10, top + 0.14)),
            boxes((0.0, -0.02, top - 0.75), (w, 0.06, top - 0.55), FRONT),
        ]
        yield part(joined(shapes), stone, Label.CORNICE_ROOF)
        return
    paint = materials.row(Kind.PAINT, house.paint, "#000000", 0.10)
    shapes = [
        boxes((0.0, -0.02, top - 0.62), (w, 0.10, top - 0.05), FRONT),
        boxes((0.0, -0.02, top - 0.72), (w, 0.17, top - 0.60), FRONT),
        boxes((-0.0, -0.36, top + 0.10), (w, 0.62, top + 0.26)),
        boxes((0.0, -0.30, top - 0.06), (w, 0.50, top + 0.11)),
    ]
    spacing, size, drop, reach = (0.95, 0.16, 0.52, 0.46) if house.cornice == "bracketed" else (0.28, 0.14, 0.18, 0.36)
    count = max(2, round(w / spacing))
    at = (np.arange(count) + 0.5) * (w / count)
    low = np.stack([at - size / 2, np.zeros(count), np.full(count, top - 0.05 - drop)], 1)
    high = np.stack([at + size / 2, np.full(count, reach), np.full(count, top - 0.05)], 1)
    shapes.append(boxes(low, high, FRONT))
    yield part(joined(shapes), paint, Label.CORNICE_ROOF)


def roof(house: Building, numbers: random.Random, materials: Materials, wall: int) -> Iterator[Part]:
    """Roof, parapet, bulkhead and a chimney."""
    w, back, top = house.width, -house.depth, house.top
    tar = materials.row(Kind.CONCRETE, "#6a6762", "#000000", 0.0)
    corners = [[(0.0, back, top), (w, back, top), (w, 0.0, top), (0.0, 0.0, top)]]
    yield part(quads(corners), tar, Label.CORNICE_ROOF)
    low = [(0.0, back, top - 0.05), (w - 0.3, back, top - 0.05), (0.0, back, top - 0.05)]
    high = [(0.3, -0.02, top + 0.5), (w, -0.02, top + 0.5), (w, back + 0.3, top + 0.5)]
    yield part(boxes(low, high), wall, Label.BUILDING)
    u = numbers.uniform(0.2, 0.5) * w
    hut = ((u, back * 0.75, top), (u + 2.6, back * 0.5, top + 2.6))
    yield part(boxes(*hut), materials.row(Kind.PLASTER, "#8d8377", "#5d554c"), Label.CORNICE_ROOF)
    stack = ((w - 1.1, back * 0.4, top), (w - 0.35, back * 0.4 + 1.3, top + 2.0))
    yield part(boxes(*stack), wall, Label.CORNICE_ROOF)


def ground_floor(
    house: Building, frame: Frame, numbers: random.Random, materials: Materials, wall: int
) -> Iterator[Part]:
    """A shop with a door to the flats, closed or open, or a stoop with its door."""
    if house.front == "stoop":
        yield from stoop(house, frame, numbers, materials, wall)
    else:
        yield from shop(house, frame, numbers, materials)


def shop(house: Building, frame: Frame, numbers: random.Random, materials: Materials) -> Iterator[Part]:
    """Piers, a fascia, show windows or a shutter, a recessed door, and the door to the flats at one end."""
    w, top = house.width, house.ground
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    paint = materials.row(Kind.PAINT, house.accent, "#000000", 0.10)
    flats = 1.5
    piers = [0.0, w - 0.45, w - 0.45 - flats - 0.35]
    low = [(u, -0.9, -0.3) for u in piers]
    high = [(u + (0.35 if i == 2 else 0.45), 0.02, top) for i, u in enumerate(piers)]
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
    l, r = span
    wood = materials.row(Kind.WOOD, numbers.choice(("#4a2f22", "#1f2a2c", "#5d1f1d", "#23352a")), "#000000")
    dark = materials.row(Kind.METAL, "#222a2e", "#000000", 0.0, shine=0.6)
    yield part(boxes((l, -0.30, -0.3), (r, -0.25, 2.95), ("+y",)), wood, Label.DOOR_STOREFRONT)
    panes = [((l + 0.2, -0.30, 2.3), (r - 0.2, -0.24, 2.85)), ((l + 0.32, -0.30, 1.1), (r - 0.32, -0.24, 2.0))]
    yield part(boxes([a for a, _ in panes], [b for _, b in panes], FRONT), dark, Label.WINDOW)
    trim = [((l, -0.30, 2.14), (r, -0.19, 2.24)), ((l + 0.02, -0.30, -0.3), (l + 0.12, -0.20, 2.95)),
            ((r - 0.12, -0.30, -0.3), (r - 0.02, -0.20, 2.95)), ((l + 0.3, -0.3, 0.2), (r - 0.3, -0.235, 0.9))]  # fmt: skip
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
        row = glass(frame, low, high, materials, numbers.choice(_ROOMS), "#ffffff", 0.0, 0.0, numbers.random(), shop=True)
        label = Label.DOOR_STOREFRONT if index == at else Label.WINDOW
        yield part(panels([low], [high], v), row, label)
        bulkheads.append(((u, v - 0.05, -0.3), (u + wide, v + (0.05 if index == at else 0.13), low[1])))
        mullions += [((u - 0.04, -0.62, -0.3), (u + 0.05, -0.08, 2.95)), ((u, v - 0.05, 2.88), (u + wide, v + 0.08, 2.95))]
        if index == at:
            mullions += [((u, v - 0.05, 2.15), (u + wide, v + 0.05, 2.23)), ((u + 0.75, v, 0.95), (u + 0.8, v + 0.1, 1.25))]
        else:
            mullions.append(((u, v - 0.05, 2.32), (u + wide, v + 0.05, 2.38)))
        u += wide
    mullions.append(((end - 0.05, -0.62, -0.3), (end + 0.04, -0.08, 2.95)))
    for group in (bulkheads, mullions):
        yield part(boxes([a for a, _ in group], [b for _, b in group], FRONT), paint, Label.DOOR_STOREFRONT)


def signs(house: Building, frame: Frame, materials: Materials) -> Iterator[Part]:
    """The board with the shop's name over the front, and the awning below it."""
    l, r, low, high = 0.5, house.width - 0.5, 3.12, 3.86
    paint = materials.row(Kind.PAINT, house.accent, "#000000", 0.05)
    yield part(boxes((l, -0.05, low), (r, 0.12, high), FRONT), paint, Label.SIGN_AWNING)
    letters = "#f3e9cf" if house.seed & 1 else "#f6f6f2"
    row = materials.row(
        Kind.SIGN, house.accent, letters, right_hand(frame, l, r), low + frame.origin[2], r - l, high - low,
        float(house.sign), float(columns(house.sign)),
    )  # fmt: skip
    yield part(panels([(l + 0.04, low + 0.04)], [(r - 0.04, high - 0.04)], 0.124), row, Label.SIGN_AWNING)
    if house.awning != "none" and house.front == "shop":
        yield from awning(house, l, r - 1.9, materials)


def awning(house: Building, l: float, r: float, materials: Materials) -> Iterator[Part]:
    """Canvas over the show windows, with a valance, open below."""
    striped = house.awning == "striped"
    kind = Kind.STRIPES if striped else Kind.PAINT
    cloth = materials.row(kind, house.accent, "#efe8d6", *((0.28,) if striped else (0.08,)))
    outline = [(0.02, 3.08), (0.02, 3.02), (1.25, 2.50), (1.28, 2.28), (1.30, 2.28), (1.27, 2.53)]
    yield part(_sheet(outline, l, r), cloth, Label.SIGN_AWNING)
    poles = [cylinder((u, 0.0, 2.45), (u, 1.24, 2.48), 0.018, sides=4) for u in (l + 0.03, r - 0.03)]
    yield part(joined(poles), materials.row(Kind.METAL, "#555a5c", shine=0.2), Label.SIGN_AWNING)


def _sheet(outline: Sequence[tuple[float, float]], start: float, end: float) -> tuple[Floats, Ints]:
    """A closed (v, z) outline swept along u, without caps: for thin sheets that are not convex."""
    vertices, triangles = prism(outline, start, end)
    return vertices, triangles[: 2 * len(outline)]


def stoop(
    house: Building, frame: Frame, numbers: random.Random, materials: Materials, wall: int
) -> Iterator[Part]:
    """A raised door with steps and rails beside ground-floor windows."""
    bay = house.width / house.bays
    at = numbers.randrange(house.bays)
    half = min(0.62, bay * 0.24)
    spans = [((i + 0.5) * bay - half, (i + 0.5) * bay + half) for i in range(house.bays)]
    head = house.ground - 0.55
    yield from pierced(house.width, -0.3, house.ground, spans, [(1.35, head)], wall)
    lows, highs = holes([s for i, s in enumerate(spans) if i != at], [(1.35, head)])
    yield from windows(house, frame, lows, highs, numbers, materials, wall)
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    l, r = spans[at]
    yield from raised_door(l, r, head, numbers, materials, stone)
    steps = 7
    rise, run = 1.02 / steps, 0.27
    low = [(l - 0.25, 0.0, -0.3) for _ in range(steps)]
    high = [(r + 0.25, 0.75 + (steps - 1 - i) * run, rise * (i + 1)) for i in range(steps)]
    yield part(boxes(low, high, FRONT), stone, Label.BUILDING)
    yield from rails(l - 0.2, r + 0.2, 0.7, 0.75 + (steps - 1) * run, 1.02, materials)


def raised_door(
    l: float, r: float, head: float, numbers: random.Random, materials: Materials, stone: int
) -> Iterator[Part]:
    """The door at the top of a stoop, in a stone surround, filling the wall's opening."""
    wood = materials.row(Kind.WOOD, numbers.choice(("#3c2a20", "#1d2b2b", "#611f1c", "#22301f")), "#000000")
    dark = materials.row(Kind.METAL, "#222a2e", "#000000", 0.0, shine=0.6)
    yield part(boxes((l, -0.16, 1.0), (r, -0.10, head), FRONT), wood, Label.DOOR_STOREFRONT)
    panes = [((l + 0.1, -0.1, head - 0.5), (r - 0.1, -0.085, head - 0.12)), ((l + 0.35, -0.1, 1.9), (r - 0.35, -0.085, head - 0.75))]
    yield part(boxes([a for a, _ in panes], [b for _, b in panes], FRONT), dark, Label.WINDOW)
    surround = [((l - 0.28, -0.02, 1.0), (l, 0.10, head)), ((r, -0.02, 1.0), (r + 0.28, 0.10, head)),
                ((l - 0.34, -0.02, head), (r + 0.34, 0.16, head + 0.28)), ((l - 0.42, -0.02, head + 0.28), (r + 0.42, 0.34, head + 0.38))]  # fmt: skip
    yield part(boxes([a for a, _ in surround], [b for _, b in surround], FRONT), stone, Label.BUILDING)
    # The wall's opening starts at the window sill; the door stands in front of the wall below it.
    yield part(boxes((l, -0.02, 1.0), (r, 0.02, 1.36), FRONT), wood, Label.DOOR_STOREFRONT)


def rails(l: float, r: float, start: float, end: float, height: float, materials: Materials) -> Iterator[Part]:
    """Iron rails down both sides of a stoop."""
    iron = materials.row(Kind.METAL, "#1c1f21", "#000000", 0.0, shine=0.15)
    shapes = []
    for u in (l, r):
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
    l, r = (house.escape + 0.12) * bay, min(house.escape + 1.88, house.bays - 0.12) * bay
    floors = [house.ground + 0.62 + i * house.storey for i in range(house.floors - 1)]
    for index, z in enumerate(floors):
        yield part(joined(list(_balcony(l, r, z))), iron, Label.FIRE_ESCAPE)
        if index + 1 < len(floors):
            turn = index & 1
            yield part(joined(list(_stairs(l, r, z, floors[index + 1], turn))), iron, Label.FIRE_ESCAPE)
    u = l + 0.35
    ladder = [boxes((a, 0.78, 2.7), (a + 0.04, 0.82, floors[0] + 0.9), POST) for a in (u, u + 0.4)]
    rungs = np.arange(2.9, floors[0] + 0.8, 0.32)
    low = np.stack([np.full_like(rungs, u), np.full_like(rungs, 0.785), rungs], 1)
    ladder.append(boxes(low, low + [0.44, 0.03, 0.03], ("-y", "+y", "-z", "+z")))
    yield part(joined(ladder), iron, Label.FIRE_ESCAPE)


def _balcony(l: float, r: float, z: float) -> Iterator[tuple[Floats, Ints]]:
    deep = 1.0
    slats = np.linspace(0.06, deep - 0.06, 9)
    low = np.stack([np.full(9, l), slats - 0.028, np.full(9, z - 0.03)], 1)
    yield boxes(low, low + [r - l, 0.056, 0.03], ("-y", "+y", "-z", "+z"))
    rims = [((l, deep - 0.04, z - 0.10), (r, deep, z + 0.02)), ((l, 0.0, z - 0.10), (l + 0.04, deep, z + 0.02)),
            ((r - 0.04, 0.0, z - 0.10), (r, deep, z + 0.02))]  # fmt: skip
    for height in (0.52, 0.95):
        a, b = z + height, z + height + 0.035
        rims += [((l, deep - 0.035, a), (r, deep, b)), ((l, 0.0, a), (l + 0.035, deep, b)), ((r - 0.035, 0.0, a), (r, deep, b))]
    yield boxes([a for a, _ in rims], [b for _, b in rims])
    us = np.linspace(l, r - 0.02, max(3, round((r - l) / 0.16)))
    vs = np.linspace(0.14, deep - 0.14, 6)
    places = np.concatenate(
        [np.stack([us, np.full_like(us, deep - 0.028)], 1), *(np.stack([np.full_like(vs, u), vs], 1) for u in (l + 0.008, r - 0.028))]
    )
    low = np.concatenate([places, np.full((len(places), 1), z)], 1)
    yield boxes(low, low + [0.02, 0.02, 0.95], POST)
    for u in (l + 0.02, r - 0.02):
        yield cylinder((u, 0.0, z - 0.75), (u, deep - 0.05, z - 0.08), 0.022, sides=4)


def _stairs(l: float, r: float, low: float, high: float, turn: int) -> Iterator[tuple[Floats, Ints]]:
    start, end = (l + 0.35, r - 0.45) if turn == 0 else (r - 0.35, l + 0.45)
    inner, outer = 0.30, 0.86
    for v in (inner, outer):
        yield cylinder((start, v, low), (end, v, high), 0.045, sides=4)
    rail = 0.85
    yield cylinder((start, outer, low + rail), (end, outer, high + rail), 0.02, sides=4)
    count = max(4, round((high - low) / 0.24))
    t = (np.arange(count) + 0.5) / count
    u, z = start + (end - start) * t, low + (high - low) * t
    corner = np.stack([u - 0.11, np.full(count, inner), z - 0.012], 1)
    yield boxes(corner, corner + [0.22, outer - inner, 0.024])
    for at in (0.05, 0.35, 0.65, 0.95):
        u0, z0 = start + (end - start) * at, low + (high - low) * at
        yield boxes((u0 - 0.012, outer - 0.012, z0), (u0 + 0.012, outer + 0.012, z0 + rail), POST)


def water_tower(house: Building, numbers: random.Random, materials: Materials) -> Iterator[Part]:
    """A wooden tank on steel legs, under a cone."""
    wood = materials.row(Kind.WOOD, "#6e5138", "#000000")
    steel = materials.row(Kind.METAL, "#3d3a38", "#000000", 0.1, shine=0.1)
    u, v, z = house.width * numbers.uniform(0.35, 0.65), -house.depth * 0.3, house.top
    legs = [cylinder((u + a, v + b, z), (u + a * 0.85, v + b * 0.85, z + 2.6), 0.08, sides=5) for a in (-1.1, 1.1) for b in (-1.1, 1.1)]
    braces = [cylinder((u - 1.1, v + b, z + 0.2), (u + 1.0, v + b, z + 2.4), 0.03, sides=4) for b in (-1.1, 1.1)]
    yield part(joined([*legs, *braces, boxes((u - 1.4, v - 1.4, z + 2.5), (u + 1.4, v + 1.4, z + 2.65))]), steel, Label.WATER_TOWER)
    yield part(cylinder((u, v, z + 2.65), (u, v, z + 5.6), 1.5, sides=16), wood, Label.WATER_TOWER)
    bands = [cylinder((u, v, z + a), (u, v, z + a + 0.06), 1.53, sides=16) for a in (3.0, 3.8, 4.7, 5.4)]
    yield part(joined(bands), steel, Label.WATER_TOWER)
    lid = materials.row(Kind.PAINT, "#4c463f", "#000000", 0.1)
    yield part(cylinder((u, v, z + 5.55), (u, v, z + 6.8), 1.66, 0.06, sides=16), lid, Label.WATER_TOWER)
