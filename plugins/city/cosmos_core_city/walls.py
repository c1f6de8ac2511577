"""Walls with holes, and the windows in them.

Everything is built in the frame of a front: u along it, v out of it, z up from the sidewalk.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.mesh import INSET, Frame, boxes, joined, panels, part, quads

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from cosmos_core_city.materials import Materials
    from cosmos_core_city.mesh import Floats, Frame, Ints, Part
    from cosmos_core_city.spec import Building

FRONT = ("-x", "+x", "+y", "-z", "+z")
"""Faces of a box that stands on a wall."""
POST = ("-x", "+x", "-y", "+y")
REVEAL = 0.17
PANE = -0.135
ROOMS = ("#d9cdb6", "#c7d0cf", "#e0d3c8", "#b9b49a", "#cdbfae", "#d7d9d4", "#b7a69b", "#dcc9a0")
_BLINDS = ("#efe9da", "#e4dfd2", "#d9cfb8", "#f4f2ea", "#c9c2b2", "#b8b9b6")
_CURTAINS = ("#e9e4d6", "#cfd3d6", "#b48a7a", "#d7c79b", "#9fb0a4")


def masonry(house: Building, materials: Materials) -> int:
    """The material of a house's walls."""
    wall = house.wall
    if wall.kind == "brick":
        return materials.row(
            Kind.BRICK, wall.color, wall.joint, 0.23, 0.078, 0.34, house.seed % 97 / 97, house.seed % 1009
        )
    return materials.row(Kind.PLASTER, wall.color, wall.joint)


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


def holes(spans: Sequence[tuple[float, float]], rows: Sequence[tuple[float, float]]) -> tuple[Floats, Floats]:
    """Corners (N, 2) of all windows, floor by floor."""
    lows = np.array([[u[0], z[0]] for z in rows for u in spans])
    return lows, np.array([[u[1], z[1]] for z in rows for u in spans])


def reveals(lows: Floats, highs: Floats, depth: float) -> tuple[Floats, Ints]:
    """The four inner sides of each hole (N, 2), going in by *depth*."""
    left, b, right, t = lows[:, 0], lows[:, 1], highs[:, 0], highs[:, 1]
    o, d = np.zeros_like(left), np.full_like(left, -depth)

    def quad(*corners: tuple[Floats, Floats, Floats]) -> Floats:
        return np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)

    return quads(
        np.concatenate(
            [
                quad((left, o, b), (left, o, t), (left, d, t), (left, d, b)),
                quad((right, o, b), (right, d, b), (right, d, t), (right, o, t)),
                quad((left, o, b), (left, d, b), (right, d, b), (right, o, b)),
                quad((left, o, t), (right, o, t), (right, d, t), (left, d, t)),
            ]
        )
    )


def bars(
    lows: Floats, highs: Floats, v: tuple[float, float], faces: Sequence[str] = FRONT
) -> tuple[Floats, Ints]:
    """Boxes from corners in (u, z) between two depths."""
    low = np.insert(np.atleast_2d(lows), 1, v[0], axis=1)
    return boxes(low, np.insert(np.atleast_2d(highs), 1, v[1], axis=1), faces)


def shifted(points: Floats, *by: float) -> Floats:
    """Points moved by a vector."""
    return np.add(points, by)


def windows(
    house: Building,
    frame: Frame,
    lows: Floats,
    highs: Floats,
    numbers: random.Random,
    materials: Materials,
) -> Iterator[Part]:
    """Panes with rooms behind, sashes, sills, lintels and here and there an air conditioner."""
    rows = [pane(frame, low, high, numbers, materials) for low, high in zip(lows, highs, strict=True)]
    yield part(panels(lows, highs, PANE), np.repeat(rows, 2), Label.WINDOW)
    paint = materials.row(Kind.PAINT, house.paint, "#000000", 0.08)
    yield part(sashes(lows, highs, house.sash), paint, Label.WINDOW)
    yield part(casings(lows, highs), paint, Label.WINDOW)
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    sill = bars(
        shifted(lows, -0.1, -0.13), np.stack([highs[:, 0] + 0.10, lows[:, 1] + INSET], 1), (-0.10, 0.09)
    )
    yield part(sill, stone, Label.BUILDING)
    if house.seed % 3 == 1:
        yield part(joined(list(brackets(lows, highs))), stone, Label.BUILDING)
    yield from lintels(house, lows, highs, stone)
    cooled = [i for i in range(len(lows)) if numbers.random() < 0.09]
    if cooled:
        yield from coolers(lows[cooled], highs[cooled], materials)
    planted = [i for i in range(len(lows)) if i not in cooled and numbers.random() < 0.07]
    for i in planted if house.plants else ():
        yield from flowers(lows[i], highs[i], numbers, materials)


def pane(frame: Frame, low: Floats, high: Floats, numbers: random.Random, materials: Materials) -> int:
    """The material of one window: its own room, blind and curtains."""
    blind = numbers.choice((0.0, 0.0, 0.25, 0.4, 0.5, 0.75, 1.0)) if numbers.random() < 0.75 else 0.0
    curtain = numbers.choice((0.0, 0.0, 0.16, 0.22))
    color = numbers.choice(_BLINDS if blind else _CURTAINS)
    return glass(
        frame,
        low,
        high,
        materials,
        numbers.choice(ROOMS),
        color,
        blind,
        curtain,
        numbers.random(),
        shop=False,
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
    left, b, right, t = lows[:, 0], lows[:, 1], highs[:, 0], highs[:, 1]
    middle, w = (b + t) / 2, 0.055

    def bar(u0: Floats, z0: Floats, u1: Floats, z1: Floats, v: tuple[float, float]) -> tuple[Floats, Ints]:
        return bars(np.stack([u0, z0], 1), np.stack([u1, z1], 1), v)

    outer, inner = (-0.16, -0.085), (-0.15, -0.105)
    shapes = [
        bar(left, b, left + w, t, outer),
        bar(right - w, b, right, t, outer),
        bar(left, b, right, b + 0.07, outer),
        bar(left, t - w, right, t, outer),
        bar(left, middle - 0.03, right, middle + 0.03, (-0.15, -0.095)),
    ]
    cuts = {"1/1": (), "2/2": (0.5,), "6/6": (1 / 3, 2 / 3)}[style]
    for cut in cuts:
        at = left + (right - left) * cut
        shapes.append(bar(at - 0.014, b, at + 0.014, t, inner))
    if style == "6/6":
        shapes += [
            bar(left, z - 0.014, right, z + 0.014, inner) for z in ((b + middle) / 2, (middle + t) / 2)
        ]
    return joined(shapes)


def casings(lows: Floats, highs: Floats) -> tuple[Floats, Ints]:
    """A moulding around each window, between the sash and the brick."""
    wide, v = 0.045, (-0.155, -0.05)
    left, bottom, right, top = lows[:, 0], lows[:, 1], highs[:, 0], highs[:, 1]
    sides = [
        (left, bottom, left + wide, top),
        (right - wide, bottom, right, top),
        (left + wide, top - wide, right - wide, top),
    ]
    return joined([bars(np.stack([a, b], 1), np.stack([c, d], 1), v) for a, b, c, d in sides])


def brackets(lows: Floats, highs: Floats) -> Iterator[tuple[Floats, Ints]]:
    """Two stones under each sill."""
    for u in (lows[:, 0] - 0.03, highs[:, 0] - 0.09):
        foot = np.stack([u, lows[:, 1] - 0.27], 1)
        yield bars(foot, shifted(foot, 0.12, 0.14), (-0.02, 0.06))


def flowers(low: Floats, high: Floats, numbers: random.Random, materials: Materials) -> Iterator[Part]:
    """A box of plants on a sill."""
    wood = materials.row(Kind.WOOD, "#5b3b26", "#000000")
    leaf = materials.row(Kind.LEAF, "#3d6b2c", numbers.choice(("#c23b4e", "#d9862a", "#b45ab0", "#7c9a3c")))
    left, right, z = low[0] + 0.06, high[0] - 0.06, low[1]
    yield part(boxes((left, 0.0, z), (right, 0.2, z + 0.19)), wood, Label.WINDOW)
    middle = [(numbers.uniform(left, right), numbers.uniform(0.02, 0.2), z + numbers.uniform(0.16, 0.34)) for _ in range(26)]  # fmt: skip
    corners = []
    for u, v, top in middle:
        a, b, c = (numbers.uniform(-0.06, 0.06) for _ in range(3))
        corners.append([(u - 0.06, v + a, top - 0.05), (u + 0.05, v + b, top - 0.05), (u + 0.06, v + c, top + 0.06), (u - 0.05, v - c, top + 0.06)])  # fmt: skip
    yield part(quads(corners), leaf, Label.VEGETATION)


def lintels(house: Building, lows: Floats, highs: Floats, stone: int) -> Iterator[Part]:
    """What spans the head of each window."""
    if house.lintel == "none":
        return
    head = np.stack([lows[:, 0], highs[:, 1]], 1)
    shapes = [bars(shifted(head, -0.14, 0.0), shifted(highs, 0.14, 0.24), (0.0, 0.045))]
    if house.lintel == "keystone":
        middle = (lows[:, :1] + highs[:, :1]) / 2
        key = np.concatenate([middle, highs[:, 1:]], 1)
        shapes.append(bars(shifted(key, -0.1, -0.03), shifted(key, 0.10, 0.32), (-0.02, 0.085)))
    if house.lintel == "hood":
        shapes.append(bars(shifted(head, -0.20, 0.24), shifted(highs, 0.20, 0.33), (-0.02, 0.20)))
        edges = (shifted(head, -0.14, 0.0), shifted(highs, -0.02, 0.0))
        shapes += [bars(shifted(edge, 0.0, -0.18), shifted(edge, 0.16, 0.24), (0.0, 0.13)) for edge in edges]
    yield part(joined(shapes), stone, Label.BUILDING)


def coolers(lows: Floats, highs: Floats, materials: Materials) -> Iterator[Part]:
    """Air conditioners in the lower sash."""
    middle = (lows[:, 0] + highs[:, 0]) / 2
    low = np.stack([middle - 0.3, lows[:, 1] + 0.02], 1)
    body_row = materials.row(Kind.PAINT, "#c8c6be", "#000000", 0.1)
    yield part(bars(low, shifted(low, 0.6, 0.40), (-0.1, 0.38)), body_row, Label.WINDOW)
    dark = materials.row(Kind.PAINT, "#50524f", "#000000", 0.0)
    grille = [
        bars(shifted(low, 0.05, z), shifted(low, 0.55, z + 0.045), (0.37, 0.386), ("+y", "-z", "+z"))
        for z in (0.06, 0.15, 0.24, 0.33)
    ]
    yield part(joined(grille), dark, Label.WINDOW)
